//! A model's WebSocket connection, from the opening handshake to the end.
//!
//! Not a session: what the messages mean is the client script's business, whether it is a transport or a probe the client's.

use crate::frames::{self, Frame};
use crate::requests;
use crate::wire::{Side, WireId};
use crate::world::World;

/// A WebSocket of a model client.
#[derive(Debug)]
pub struct WebSocket {
    wire: WireId,
    stream: Stream,
}

#[derive(Debug)]
enum Stream {
    Opening(requests::Reader),
    Open(frames::Reader),
}

/// What a read came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// The handshake is done.
    Opened,
    /// A frame.
    Frame(Frame),
    /// Another answer than 101.
    Refused(u16),
    /// Something that a server must not send, in words.
    Rubbish(String),
    /// Nothing will follow.
    End,
}

impl WebSocket {
    /// Connects, for a new session or one that polls.
    pub fn open(world: &mut World, sid: Option<&str>) -> Self {
        let wire = world.connect();
        world.write(wire, &requests::websocket(sid));
        Self { wire, stream: Stream::Opening(requests::Reader::default()) }
    }

    /// Its connection.
    pub const fn wire(&self) -> WireId {
        self.wire
    }

    /// Reads at most so many bytes.
    pub fn read(&mut self, world: &mut World, bytes_max: usize) -> Vec<Heard> {
        let reading = world.read(self.wire, bytes_max);
        let mut heard = Vec::new();
        match &mut self.stream {
            Stream::Opening(reader) => reader.push(&reading.bytes),
            Stream::Open(reader) => reader.push(&reading.bytes),
        }
        self.take_answer(&mut heard);
        self.take_frames(&mut heard);
        if world.wire(self.wire).has_lost_close {
            heard.push(Heard::Rubbish("a reset that took the close frame along".into()));
        }
        if reading.is_end {
            heard.push(Heard::End);
        }
        heard
    }

    fn take_answer(&mut self, heard: &mut Vec<Heard>) {
        let Stream::Opening(reader) = &mut self.stream else { return };
        match reader.take() {
            Ok(None) => {}
            Ok(Some(response)) if response.status == 101 => {
                let rest = std::mem::take(reader).into_rest();
                self.stream = Stream::Open(frames::Reader::of(rest));
                heard.push(Heard::Opened);
            }
            Ok(Some(response)) => heard.push(Heard::Refused(response.status)),
            Err(rubbish) => heard.push(Heard::Rubbish(rubbish)),
        }
    }

    fn take_frames(&mut self, heard: &mut Vec<Heard>) {
        let Stream::Open(reader) = &mut self.stream else { return };
        loop {
            match reader.take() {
                Ok(None) => return,
                Ok(Some(frame)) => heard.push(Heard::Frame(frame)),
                Err(rubbish) => return heard.push(Heard::Rubbish(rubbish)),
            }
        }
    }

    /// Writes a text message.
    pub fn write(&self, world: &mut World, text: &str) {
        let bytes = frames::write_text(&mut world.random, text);
        world.write(self.wire, &bytes);
    }

    /// Writes a binary message.
    pub fn write_binary(&self, world: &mut World, bytes: &[u8]) {
        let bytes = frames::write_binary(&mut world.random, bytes);
        world.write(self.wire, &bytes);
    }

    /// Writes the beginning of a message.
    pub fn write_beginning(&self, world: &mut World, bytes: usize) {
        let bytes = frames::write_beginning(&mut world.random, bytes);
        world.write(self.wire, &bytes);
    }

    /// Writes what is no frame.
    pub fn write_rubbish(&self, world: &mut World) {
        let bytes = frames::write_rubbish(&mut world.random);
        world.write(self.wire, &bytes);
    }

    /// Writes a close frame.
    pub fn write_close(&self, world: &mut World) {
        let bytes = frames::write_close(&mut world.random);
        world.write(self.wire, &bytes);
    }

    /// Ends the connection.
    pub fn end(&self, world: &mut World, side: Side) {
        world.end(self.wire, side);
    }
}
