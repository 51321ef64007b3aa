//! A client that does whatever the fuzzer wants: whole requests and frames, parts of them, and bytes that are neither.
//!
//! It knows the ids of sessions that any stranger has read, so that requests, WebSockets and ends of one session meet.

use crate::frames;
use crate::random::Random;
use crate::wire::WireId;
use crate::world::World;

use super::choices::Choices;

/// What all strangers know.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    /// Connections that they opened.
    pub(super) wires: Vec<WireId>,
    /// Ids of sessions that they have read.
    sids: Vec<String>,
}

/// Connections of a run.
const WIRES_MAX: usize = 40;
/// Ids that are remembered, the newest.
const SIDS_MAX: usize = 8;

const TARGETS: [&str; 9] = [
    "/socket.io/?EIO=4&transport=polling",
    "/socket.io/?EIO=4&transport=websocket",
    "/socket.io/?EIO=3&transport=polling",
    "/socket.io/?EIO=3&transport=websocket",
    "/engine/?EIO=4&transport=polling",
    "/engine/?EIO=4&transport=websocket",
    "/ws/",
    "/healthz",
    "/upload",
];

const PACKETS: [&str; 34] = [
    "40",
    "40/held,",
    r#"40/held,{"a":1}"#,
    "40/d-a,",
    "40/nobody,",
    r#"40{"pid":"p","offset":"o"}"#,
    "41",
    "41/d-a,",
    r#"427["echo",1,"text"]"#,
    r#"42/held,3["echo",{"a":[1,2.5,null]}]"#,
    r#"421["join","x"]"#,
    r#"422["join","y"]"#,
    r#"42["leave","x"]"#,
    r#"42["say","x","hello"]"#,
    r#"42["say","y","hello hello hello hello hello hello hello hello hello hello"]"#,
    r#"42["all","hi"]"#,
    r#"42/d-a,["all","hi"]"#,
    r#"42["flood",3]"#,
    r#"42["flood",200]"#,
    r#"424["ask"]"#,
    r#"425["wait",50]"#,
    r#"425["wait",60000]"#,
    r#"426["count"]"#,
    r#"42["bye",false]"#,
    r#"42["bye",true]"#,
    r#"451-["bin",{"_placeholder":true,"num":0}]"#,
    r#"452-["bin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#,
    "43[1]",
    "430[1]",
    "2probe",
    "5",
    "3",
    "1",
    "2",
];

impl Strangers {
    /// One of the connections; `None` before the first.
    pub(super) fn wire(&self, choices: &mut Choices<'_>) -> Option<WireId> {
        (!self.wires.is_empty()).then(|| self.wires[choices.below(self.wires.len())])
    }

    /// One more connection.
    pub(super) fn connect(&mut self, world: &mut World) {
        if self.wires.len() < WIRES_MAX {
            self.wires.push(world.connect());
        }
    }

    /// Reads up to so many bytes, and remembers the ids of sessions in them.
    pub(super) fn read(&mut self, world: &mut World, wire: WireId, bytes_max: usize) {
        let bytes = world.read(wire, bytes_max).bytes;
        let text = String::from_utf8_lossy(&bytes);
        for (at, found) in text.match_indices(r#""sid":""#) {
            let sid: String = text[at + found.len()..].chars().take_while(|&letter| letter != '"').collect();
            self.sids.insert(0, sid);
        }
        self.sids.truncate(SIDS_MAX);
    }

    /// A request, whole.
    pub(super) fn request(&self, choices: &mut Choices<'_>) -> Vec<u8> {
        let (target, about) = (TARGETS[choices.below(TARGETS.len())], choices.byte());
        let method = ["GET", "POST", "OPTIONS", "HEAD"][usize::from(about & 3)];
        let mut head = format!("{method} {target}");
        if about & 4 != 0 && !self.sids.is_empty() {
            head.push_str("&sid=");
            head.push_str(&self.sids[choices.below(self.sids.len())]);
        }
        head.push_str(" HTTP/1.1\r\nHost: sim\r\n");
        if target.contains("websocket") || target == "/ws/" {
            head.push_str("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
            head.push_str("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        }
        for (bit, header) in HEADERS {
            if about & bit != 0 {
                head.push_str(header);
            }
        }
        if method != "POST" {
            return (head + "\r\n").into_bytes();
        }
        let body = payload(choices);
        if about & 0x80 != 0 {
            let mut out =
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n", body.len()).into_bytes();
            out.extend(body);
            out.extend(b"\r\n0\r\n\r\n");
            return out;
        }
        let mut out = format!("{head}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
        out.extend(body);
        out
    }
}

/// Headers by the bit that asks for them.
const HEADERS: [(u8, &str); 4] = [
    (0x08, "Connection: close\r\n"),
    (0x10, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"),
    (0x20, "Expect: 100-continue\r\n"),
    (0x40, "Origin: http://example.com\r\nAccept-Encoding: gzip\r\n"),
];

/// One to four packets as the body of a POST.
fn payload(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut body = packet(choices);
    for _ in 0..choices.below(4) {
        body.push(0x1e);
        body.extend(packet(choices));
    }
    body
}

/// A packet that a client may send, or one that none would.
fn packet(choices: &mut Choices<'_>) -> Vec<u8> {
    match choices.below(PACKETS.len() + 6) {
        number if number < PACKETS.len() => PACKETS[number].into(),
        number => {
            let count = choices.below(64);
            let prefix = ["", "4", "42[", "b", "45", "44"][number - PACKETS.len()];
            [prefix.as_bytes(), choices.bytes(count)].concat()
        }
    }
}

/// A frame of a WebSocket, masked; its length may be a lie.
pub(super) fn frame(choices: &mut Choices<'_>) -> Vec<u8> {
    let first = match choices.below(8) {
        0..=3 => 0x81,
        4 => 0x82,
        5 => 0x88,
        _ => choices.byte(),
    };
    let (payload, count) = (packet(choices), choices.below(4));
    let payload = if count == 3 { payload.repeat(10) } else { payload };
    let mut bytes = frames::masked(&mut Random::new(u64::from(first)), first, &payload);
    if count == 2 {
        bytes.truncate(choices.byte().into());
    }
    bytes
}
