//! A client that does nothing wrong: it answers pings, asks, posts to the other bystander, and reads whatever comes.
//!
//! It must get every answer, every post of the other one once and in order, and never an end.

use std::collections::VecDeque;

use crate::frames::{self, Frame};
use crate::requests;
use crate::wire::WireId;
use crate::world::World;

/// One bystander.
pub(super) struct Bystander {
    link: Link,
    outbox: VecDeque<String>,
    is_in: bool,
    /// Questions asked and answered.
    asked: u64,
    answered: u64,
    /// Posts sent, and posts of the other that have come.
    pub(super) posted: u64,
    pub(super) read: u64,
}

enum Link {
    WebSocket { wire: WireId, opening: Option<requests::Reader>, reader: frames::Reader },
    Polling(Polling),
}

/// Two connections: one polls, one posts.
struct Polling {
    sid: Option<String>,
    get: WireId,
    post: WireId,
    get_reader: requests::Reader,
    post_reader: requests::Reader,
    polls: bool,
    posts: bool,
}

impl Bystander {
    /// One over WebSocket.
    pub(super) fn websocket(world: &mut World) -> Self {
        let wire = world.connect();
        world.write(wire, &requests::websocket(None));
        let opening = Some(requests::Reader::default());
        Self::of(Link::WebSocket { wire, opening, reader: frames::Reader::default() })
    }

    /// One that polls.
    pub(super) fn polling(world: &mut World) -> Self {
        let (get, post) = (world.connect(), world.connect());
        world.write(get, &requests::get(None));
        let (get_reader, post_reader) = (requests::Reader::default(), requests::Reader::default());
        Self::of(Link::Polling(Polling {
            sid: None,
            get,
            post,
            get_reader,
            post_reader,
            polls: true,
            posts: false,
        }))
    }

    const fn of(link: Link) -> Self {
        let outbox = VecDeque::new();
        Self { link, outbox, is_in: false, asked: 0, answered: 0, posted: 0, read: 0 }
    }

    /// Its connections.
    pub(super) fn wires(&self) -> Vec<WireId> {
        match &self.link {
            Link::WebSocket { wire, .. } => vec![*wire],
            Link::Polling(polling) => vec![polling.get, polling.post],
        }
    }

    /// Whether it is in, and all that it waits for has come.
    pub(super) fn is_content(&self) -> bool {
        self.is_in && self.asked == self.answered && self.outbox.is_empty()
    }

    /// Asks and posts.
    pub(super) fn act(&mut self, length: usize) {
        if self.is_in {
            let (id, text) = (self.asked, "b".repeat(length));
            self.outbox.push_back(format!(r#"42{id}["echo",{id},"{text}"]"#));
            self.outbox.push_back(format!(r#"42["post",{}]"#, self.posted));
            (self.asked, self.posted) = (self.asked + 1, self.posted + 1);
        }
    }

    /// Reads all that has come, and writes what is due.
    pub(super) fn step(&mut self, world: &mut World) {
        let packets = match &mut self.link {
            Link::WebSocket { wire, opening, reader } => read_frames(world, *wire, opening, reader),
            Link::Polling(polling) => polling.read(world),
        };
        packets.iter().for_each(|packet| self.handle(packet));
        match &mut self.link {
            Link::WebSocket { wire, .. } => {
                for text in self.outbox.drain(..) {
                    let bytes = frames::write_text(&mut world.random, &text);
                    world.write(*wire, &bytes);
                }
            }
            Link::Polling(polling) => polling.write(world, &mut self.outbox),
        }
    }

    fn handle(&mut self, packet: &str) {
        match packet {
            "2" => self.outbox.push_back("3".into()),
            "6" => {}
            _ if packet.starts_with("0{") => self.outbox.push_back("40".into()),
            _ if packet.starts_with("40{") => self.is_in = true,
            _ if packet.starts_with(r#"42["said","#) => {}
            _ => {
                let answer = format!(r#"43{0}[{0},"#, self.answered);
                // With recovery, an event has its place as one more argument.
                let post = format!(r#"42["post",{}"#, self.read);
                if packet.starts_with(&answer) {
                    self.answered += 1;
                } else if packet.strip_prefix(&post).is_some_and(|rest| rest.starts_with([']', ','])) {
                    self.read += 1;
                } else {
                    panic!("a bystander got {packet:.80}, waiting for {answer} or {post}");
                }
            }
        }
    }
}

fn read_frames(
    world: &mut World,
    wire: WireId,
    opening: &mut Option<requests::Reader>,
    reader: &mut frames::Reader,
) -> Vec<String> {
    let reading = world.read(wire, usize::MAX);
    assert!(!reading.is_end, "a bystander's WebSocket has ended");
    let mut packets = Vec::new();
    match opening {
        None => reader.push(&reading.bytes),
        Some(head) => {
            head.push(&reading.bytes);
            if let Some(response) = head.take().expect("an answer") {
                assert_eq!(response.status, 101);
                *reader = frames::Reader::of(std::mem::take(head).into_rest());
                *opening = None;
            }
        }
    }
    while let Some(frame) = reader.take().expect("frames of a server") {
        match frame {
            Frame::Text(text) => packets.push(text),
            Frame::Pong => {}
            other => panic!("a bystander got {other:?}"),
        }
    }
    packets
}

impl Polling {
    fn read(&mut self, world: &mut World) -> Vec<String> {
        for (wire, reader) in [(self.get, &mut self.get_reader), (self.post, &mut self.post_reader)] {
            let reading = world.read(wire, usize::MAX);
            assert!(!reading.is_end, "a bystander's polling connection has ended");
            reader.push(&reading.bytes);
        }
        if let Some(response) = self.post_reader.take().expect("an answer") {
            assert_eq!((response.status, &*response.body), (200, &b"ok"[..]));
            self.posts = false;
        }
        let Some(response) = self.get_reader.take().expect("an answer") else { return Vec::new() };
        let body = String::from_utf8(response.body).expect("a payload of text");
        assert_eq!(response.status, 200, "{body}");
        self.polls = false;
        if self.sid.is_none() {
            let sid = body.split('"').nth(3).expect("an id");
            self.sid = Some(sid.to_owned());
        }
        body.split('\x1e').map(str::to_owned).collect()
    }

    fn write(&mut self, world: &mut World, outbox: &mut VecDeque<String>) {
        let Some(sid) = &self.sid else { return };
        if !self.polls {
            world.write(self.get, &requests::get(Some(sid)));
            self.polls = true;
        }
        if !self.posts && !outbox.is_empty() {
            let body: Vec<String> = outbox.drain(..).collect();
            let request = requests::post(&mut world.random, sid, &body.join("\x1e"));
            world.write(self.post, &request);
            self.posts = true;
        }
    }
}
