//! The measured app: upgrade, CONNECT, join, pub, burst, echo. It reads bytes and fills queues; moving bytes is the
//! programs' part.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::frame;
use crate::queue::Queue;

/// Everybody.
#[derive(Clone, Default)]
pub struct Town(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    all: Vec<Queue>,
    rooms: HashMap<String, Vec<Queue>>,
}

/// One connection's half of the protocol.
#[derive(Default)]
pub struct Conn {
    queue: Queue,
    bytes: Vec<u8>,
    is_upgraded: bool,
}

/// A burst that is under way: the program yields between its parts.
pub struct Burst {
    town: Town,
    room: Option<String>,
    count: u64,
    every: u64,
    rest: String,
    next: u64,
}

impl Conn {
    /// Where its writing task waits.
    #[must_use]
    pub fn queue(&self) -> Queue {
        self.queue.clone()
    }
}

/// Handles bytes of a connection. What a burst asks is returned: its parts need turns of their own.
pub fn read(town: &Town, conn: &mut Conn, bytes: &[u8]) -> Vec<Burst> {
    conn.bytes.extend_from_slice(bytes);
    if !conn.is_upgraded {
        let Some(end) = conn.bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Vec::new();
        };
        conn.bytes.drain(..end + 4);
        conn.is_upgraded = true;
        conn.queue.push(UPGRADE.as_bytes().into());
        conn.queue.push(frame::text(OPEN));
    }
    let mut bursts = Vec::new();
    while let Some(packet) = frame::take(&mut conn.bytes) {
        bursts.extend(std::str::from_utf8(&packet).ok().and_then(|packet| town.handle(&conn.queue, packet)));
    }
    bursts
}

impl Town {
    fn handle(&self, queue: &Queue, packet: &str) -> Option<Burst> {
        if packet == "40" {
            self.0.borrow_mut().all.push(queue.clone());
            queue.push(frame::text(r#"40{"sid":"runtime"}"#));
            return None;
        }
        let event = packet.strip_prefix("42")?;
        let at = event.find('[')?;
        let (id, array) = event.split_at(at);
        let (name, data): (&str, &RawValue) = serde_json::from_str(array).ok()?;
        match name {
            "echo" => queue.push(frame::text(&format!("43{id}[{data}]"))),
            "join" => {
                let room = serde_json::from_str(data.get()).ok()?;
                self.0.borrow_mut().rooms.entry(room).or_default().push(queue.clone());
                queue.push(frame::text(&format!(r#"43{id}["ok"]"#)));
            }
            "pub" => {
                let value: Value = serde_json::from_str(data.get()).ok()?;
                self.send(value["room"].as_str(), value["p"].as_str()?);
            }
            "burst" => return Burst::read(self.clone(), data.get()),
            _ => {}
        }
        None
    }

    /// One frame for everybody, or for a room.
    fn send(&self, room: Option<&str>, text: &str) {
        let text = serde_json::to_string(text).unwrap_or_default();
        let frame = frame::text(&format!(r#"42["msg",{text}]"#));
        let inner = self.0.borrow();
        let members = match room {
            Some(room) => inner.rooms.get(room).map(Vec::as_slice).unwrap_or_default(),
            None => &inner.all,
        };
        members.iter().for_each(|member| member.push(Rc::clone(&frame)));
    }
}

impl Burst {
    fn read(town: Town, data: &str) -> Option<Burst> {
        let value: Value = serde_json::from_str(data).ok()?;
        Some(Burst {
            town,
            room: value["room"].as_str().map(str::to_owned),
            count: value["count"].as_u64()?,
            every: value["every"].as_u64()?.max(1),
            rest: value["rest"].as_str()?.to_owned(),
            next: 0,
        })
    }

    /// The messages up to the next yield; whether there are more.
    pub fn advance(&mut self) -> bool {
        let end = self.count.min(self.next + self.every);
        for index in self.next..end {
            self.town.send(self.room.as_deref(), &format!("{index:010}{}", self.rest));
        }
        self.next = end;
        end < self.count
    }
}

const UPGRADE: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                       Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const OPEN: &str =
    r#"0{"sid":"runtime","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
