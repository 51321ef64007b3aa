//! One peer of the floor: what it asks. It answers nothing, and of a request's head it reads the first line
//! only.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::{self, Head};

/// What a peer asks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Request {
    /// To become a WebSocket.
    Upgrade,
    /// To join the default namespace.
    Connect,
    /// The counters.
    Metrics,
    /// To be in a room; the packet's id.
    Join(u64, String),
    /// One message, its payload as it stands between the quotes, to a room or to all.
    Publish(Option<String>, String),
    /// Many messages to all.
    Burst(Burst),
    /// An answer of the same: the packet's id, and what to answer.
    Echo(u64, String),
}

/// A burst and how far it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Burst {
    pub(super) count: u32,
    pub(super) every: u32,
    pub(super) rest: String,
    #[serde(skip)]
    pub(super) next: u32,
}

#[derive(Deserialize)]
struct Publish<'a> {
    room: Option<String>,
    #[serde(borrow)]
    p: &'a RawValue,
}

/// The bytes of a peer that are no whole head or frame yet.
#[derive(Default)]
pub(super) struct Peer {
    upgraded: bool,
    tail: Vec<u8>,
}

impl Peer {
    /// Gives every request in `bytes` to `asked`. What is not understood is ignored.
    pub(super) fn handle(&mut self, bytes: &[u8], mut asked: impl FnMut(Request)) {
        self.tail.extend_from_slice(bytes);
        let mut tail = std::mem::take(&mut self.tail);
        let mut used = 0;
        while let Some((length, request)) = self.next(tail.get_mut(used..).unwrap_or_default()) {
            used += length;
            request.into_iter().for_each(&mut asked);
        }
        tail.drain(..used);
        if !tail.is_empty() {
            self.tail = tail;
        }
    }

    fn next(&mut self, bytes: &mut [u8]) -> Option<(usize, Option<Request>)> {
        if self.upgraded {
            let head = Head::read(bytes)?;
            let payload = bytes.get_mut(head.head_len..head.frame_len())?;
            wire::mask(payload, head.mask.unwrap_or_default());
            return Some((head.frame_len(), request(payload)));
        }
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        self.upgraded = bytes.starts_with(b"GET /socket.io/");
        Some((end, Some(if self.upgraded { Request::Upgrade } else { Request::Metrics })))
    }
}

/// The request of one packet. The floor trusts its peer to be the swarm.
fn request(packet: &[u8]) -> Option<Request> {
    if packet == b"40" {
        return Some(Request::Connect);
    }
    let event = packet.strip_prefix(b"42")?;
    let digits = event.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (id, event) = event.split_at_checked(digits)?;
    let id = std::str::from_utf8(id).ok()?.parse().unwrap_or(0);
    let arguments = |name: &str| event.strip_prefix(name.as_bytes())?.strip_suffix(b"]");
    if let Some(data) = arguments(r#"["echo","#) {
        return Some(Request::Echo(id, String::from_utf8(data.to_vec()).ok()?));
    }
    if let Some(json) = arguments(r#"["pub","#) {
        let publish: Publish<'_> = serde_json::from_slice(json).ok()?;
        let payload = publish.p.get().strip_prefix('"')?.strip_suffix('"')?;
        return Some(Request::Publish(publish.room, payload.to_owned()));
    }
    if let Some(room) = arguments(r#"["join","#) {
        return Some(Request::Join(id, serde_json::from_slice(room).ok()?));
    }
    serde_json::from_slice(arguments(r#"["burst","#)?).ok().map(Request::Burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests_of(chunks: &[&[u8]]) -> Vec<Request> {
        let (mut peer, mut requests) = (Peer::default(), Vec::new());
        chunks.iter().for_each(|chunk| peer.handle(chunk, |request| requests.push(request)));
        requests
    }

    fn session() -> Vec<u8> {
        let mut bytes = b"GET /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
        let packets = [
            "40",
            "3",
            r#"42["pub",{"p":"he\"llo"}]"#,
            r#"42["pub",{"room":"r1","p":"hello"}]"#,
            r#"427["join","r1"]"#,
            r#"428["echo",{"a":[1]}]"#,
            r#"42["burst",{"count":5,"every":2,"rest":"r"}]"#,
        ];
        for packet in packets {
            wire::write_masked(wire::TEXT, packet.as_bytes(), &mut bytes);
        }
        bytes
    }

    #[test]
    fn a_session_is_understood_however_it_is_cut() {
        let bytes = session();
        let burst = Burst { count: 5, every: 2, rest: "r".to_owned(), next: 0 };
        let expected = [
            Request::Upgrade,
            Request::Connect,
            Request::Publish(None, r#"he\"llo"#.to_owned()),
            Request::Publish(Some("r1".to_owned()), "hello".to_owned()),
            Request::Join(7, "r1".to_owned()),
            Request::Echo(8, r#"{"a":[1]}"#.to_owned()),
            Request::Burst(burst),
        ];
        assert_eq!(requests_of(&[&bytes]), expected);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(requests_of(&single), expected);
    }

    #[test]
    fn any_other_path_is_the_counters() {
        assert_eq!(requests_of(&[b"GET /metrics HTTP/1.1\r\n\r\n"]), [Request::Metrics]);
    }
}
