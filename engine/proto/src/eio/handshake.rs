//! The handshake of Engine.IO: the `open` packet's object. It decides none of the values.

use std::io::Write as _;

use crate::sio::json;

/// What a server tells a client when a session opens (Engine.IO protocol v4, "Handshake").
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// The session's id.
    pub sid: &'a str,
    /// Transports the client may move to: `["websocket"]` on polling, none on WebSocket.
    pub upgrades: &'a [&'a str],
    /// Milliseconds between the server's pings.
    pub ping_interval_ms: u64,
    /// Milliseconds the client has for a pong.
    pub ping_timeout_ms: u64,
    /// Bytes of the largest message or polling body the server takes.
    pub max_payload: u64,
}

impl Handshake<'_> {
    /// Appends the packet's text, without a frame: `0{"sid":...,"upgrades":[...],"pingInterval":...,
    /// "pingTimeout":...,"maxPayload":...}`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"0{\"sid\":");
        json::write_string(out, self.sid);
        out.extend_from_slice(b",\"upgrades\":[");
        for (i, upgrade) in self.upgrades.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            json::write_string(out, upgrade);
        }
        let (interval, timeout, max) = (self.ping_interval_ms, self.ping_timeout_ms, self.max_payload);
        write!(out, "],\"pingInterval\":{interval},\"pingTimeout\":{timeout},\"maxPayload\":{max}}}")
            .expect("a Vec takes all bytes");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(upgrades: &[&str]) -> String {
        let handshake = Handshake {
            sid: "lv_VI97HAXpY6yYWAAAC",
            upgrades,
            ping_interval_ms: 25_000,
            ping_timeout_ms: 20_000,
            max_payload: 1_000_000,
        };
        let mut out = Vec::new();
        handshake.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// Engine.IO protocol v4, "Handshake", with the specification's example.
    #[test]
    fn it_is_the_object_of_the_specification() {
        let polling = concat!(
            r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"#,
            r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
        assert_eq!(written(&["websocket"]), polling);
        assert_eq!(written(&[]), polling.replace(r#"["websocket"]"#, "[]"));
        assert!(written(&["a", "b"]).contains(r#"["a","b"]"#));
    }
}
