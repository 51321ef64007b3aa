//! A raw Socket.IO client over one WebSocket: it frames and masks by hand and reads packets with the codecs of `proto`.
//! Not a client for anybody else: one thread, blocking, and whatever does not come within its patience is a failed test.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod http;
pub(crate) mod packet;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use socketville_proto::{eio, ws};

use packet::{Kind, Packet};

/// Guard of everything that is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The ack ids of fences start here, far from those that tests choose.
const FENCES: u64 = 1_000_000;

/// A client in `/` and whatever else it joins.
pub(crate) struct Client {
    stream: TcpStream,
    /// Bytes that are no whole frame yet.
    bytes: Vec<u8>,
    /// A binary packet that waits for its attachments.
    pending: Option<Packet>,
    /// Packets that came while another was waited for.
    held: VecDeque<Packet>,
    fences: u64,
    /// The Engine.IO session's id; its first character names the core.
    pub(crate) sid: String,
    /// The socket's id in `/`.
    pub(crate) id: String,
}

/// What one frame brought.
enum Came {
    Packet(Packet),
    Nothing,
    End,
}

impl Client {
    /// Opens a session and joins `/`.
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let mut client = Self::open(address);
        client.id = client.join("/", "");
        client
    }

    /// Opens a session, and joins nothing.
    pub(crate) fn open(address: SocketAddr) -> Self {
        let mut client = Self::raw(address, "/socket.io/?EIO=4&transport=websocket");
        let open = client.text();
        let open: Value = serde_json::from_str(&open[1..]).expect("JSON");
        client.sid = open["sid"].as_str().expect("an id").to_owned();
        client
    }

    /// A WebSocket at a path, and nothing said on it.
    pub(crate) fn raw(address: SocketAddr, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut client = Self {
            stream,
            bytes: Vec::new(),
            pending: None,
            held: VecDeque::new(),
            fences: FENCES,
            sid: String::new(),
            id: String::new(),
        };
        client.switch_protocols();
        client
    }

    fn switch_protocols(&mut self) {
        let head_len = loop {
            if let Some(at) = self.bytes.windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(self.read() > 0, "the server answered the handshake");
        };
        let head: Vec<u8> = self.bytes.drain(..head_len).collect();
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    }

    /// The next message, whatever it means.
    pub(crate) fn text(&mut self) -> String {
        let (_, payload) = self.frame().expect("a message");
        String::from_utf8(payload).expect("UTF-8")
    }

    /// Joins a namespace; the new socket's id.
    pub(crate) fn join(&mut self, nsp: &str, auth: &str) -> String {
        let scope = if nsp == "/" { String::new() } else { format!("{nsp},") };
        self.send_text(&format!("40{scope}{auth}"));
        let packet = self.next(|packet| matches!(packet.kind, Kind::Connect | Kind::ConnectError));
        assert_eq!((packet.kind, packet.nsp.as_str()), (Kind::Connect, nsp), "{}", packet.args);
        packet.args["sid"].as_str().expect("an id").to_owned()
    }

    /// Sends an event of `/`: its JSON array.
    pub(crate) fn emit(&mut self, array: &str) {
        self.send_text(&format!("42{array}"));
    }

    /// Sends an event of `/` and waits for its acknowledgement's arguments; events that come before it are held.
    pub(crate) fn ask(&mut self, id: u64, array: &str) -> Value {
        self.send_text(&format!("42{id}{array}"));
        self.answer(id)
    }

    /// Waits for an acknowledgement's arguments; events that come before it are held.
    pub(crate) fn answer(&mut self, id: u64) -> Value {
        self.next(|packet| packet.kind == Kind::Ack && packet.id == Some(id)).args
    }

    /// The next event, whose name must be this: its arguments, without the name.
    pub(crate) fn event(&mut self, name: &str) -> Value {
        let packet = self.next(|packet| packet.kind == Kind::Event);
        let (found, args) = packet.event();
        assert_eq!(found, name, "{}", packet.args);
        args
    }

    /// The next packet of any kind.
    pub(crate) fn packet(&mut self) -> Packet {
        self.next(|_| true)
    }

    /// Acknowledges an event of the server.
    pub(crate) fn acknowledge(&mut self, id: u64, array: &str) {
        self.send_text(&format!("43{id}{array}"));
    }

    /// Everything that came before the answer to a question asked now (the server's `fence`).
    pub(crate) fn before_fence(&mut self) -> Vec<Packet> {
        self.fences += 1;
        let id = self.fences;
        self.send_text(&format!("42{id}[\"fence\"]"));
        let mut before = Vec::new();
        loop {
            let packet = self.packet();
            if packet.kind == Kind::Ack && packet.id == Some(id) {
                return before;
            }
            before.push(packet);
        }
    }

    /// Sends nothing more and reads on until the server has closed: the packets that came before.
    pub(crate) fn until_closed(&mut self) -> Vec<Packet> {
        let mut packets: Vec<_> = self.held.drain(..).collect();
        loop {
            match self.take() {
                Came::Packet(packet) => packets.push(packet),
                Came::Nothing => {}
                Came::End => return packets,
            }
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    /// One text message, masked.
    pub(crate) fn send_text(&mut self, text: &str) {
        self.send_all(&[(ws::Opcode::Text, text.as_bytes())]);
    }

    /// Messages in one segment, so that one turn finds them all.
    pub(crate) fn send_all(&mut self, messages: &[(ws::Opcode, &[u8])]) {
        let mut bytes = Vec::new();
        for (opcode, payload) in messages {
            write_masked(&mut bytes, *opcode, payload);
        }
        self.stream.write_all(&bytes).expect("sent");
    }

    /// The first packet that is wanted, held or coming.
    pub(crate) fn next(&mut self, is_wanted: impl Fn(&Packet) -> bool) -> Packet {
        if let Some(at) = self.held.iter().position(&is_wanted) {
            return self.held.remove(at).expect("found");
        }
        loop {
            match self.take() {
                Came::Packet(packet) if is_wanted(&packet) => return packet,
                Came::Packet(packet) => self.held.push_back(packet),
                Came::Nothing => {}
                Came::End => panic!("the server closed; before that came {:?}", self.held),
            }
        }
    }

    fn take(&mut self) -> Came {
        let Some((opcode, payload)) = self.frame() else { return Came::End };
        match opcode {
            ws::Opcode::Close => Came::End,
            ws::Opcode::Binary => self.attach(payload),
            _ => self.read_text(&String::from_utf8(payload).expect("UTF-8")),
        }
    }

    fn read_text(&mut self, text: &str) -> Came {
        assert!(self.pending.is_none(), "text between a packet and its attachments: {text}");
        match eio::decode(text).expect("a packet") {
            eio::Packet::Ping(_) => self.send_text("3"),
            eio::Packet::Message(message) => return self.receive(Packet::read(message)),
            _ => {}
        }
        Came::Nothing
    }

    fn attach(&mut self, bytes: Vec<u8>) -> Came {
        let mut packet = self.pending.take().expect("an attachment belongs to a packet");
        packet.attachments.push(bytes);
        self.receive(packet)
    }

    fn receive(&mut self, packet: Packet) -> Came {
        if packet.attachments.len() == packet.attachments_due {
            return Came::Packet(packet);
        }
        self.pending = Some(packet);
        Came::Nothing
    }

    /// The next whole frame; `None` at the end.
    pub(crate) fn frame(&mut self) -> Option<(ws::Opcode, Vec<u8>)> {
        loop {
            if let Some(len) = frame_len(&self.bytes) {
                let frame: Vec<u8> = self.bytes.drain(..len).collect();
                let (opcode, payload) = ws::server_frames(&frame).next().expect("a frame of the server's");
                return Some((opcode, payload.to_vec()));
            }
            if self.read() == 0 {
                return None;
            }
        }
    }

    fn read(&mut self) -> usize {
        read_more(&mut self.stream, &mut self.bytes)
    }
}

/// Appends what comes; how many bytes, 0 at the end, also a rough one.
fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> usize {
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(count) => {
                bytes.extend_from_slice(&buffer[..count]);
                return count;
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return 0,
            // A ring that this thread has opened and closed again may interrupt it once.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("nothing came within {PATIENCE:?}: {error}"),
        }
    }
}

/// A frame as clients must send it (RFC 6455 section 5.3); a mask of zeros is one.
fn write_masked(out: &mut Vec<u8>, opcode: ws::Opcode, payload: &[u8]) {
    let start = out.len();
    ws::write_header(out, opcode, payload.len());
    out[start + 1] |= 0x80;
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// The length of the whole frame at the start of `bytes`, if it is all there (RFC 6455 section 5.2).
fn frame_len(bytes: &[u8]) -> Option<usize> {
    let (start, len) = match *bytes.get(1)? {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    let whole = start + usize::try_from(len).ok()?;
    (bytes.len() >= whole).then_some(whole)
}
