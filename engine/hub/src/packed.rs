//! Packets that come as MessagePack, on a server whose parser is that: one binary message each.
//!
//! Not bytes, which `proto` reads; and not another set of rules: what may come when is decided where text is.

use socketville_proto::sio::msgpack::{self, Packet, Payload};

use crate::{Hub, INVALID_NAMESPACE, Incoming, SessionKey, Text};

impl Hub {
    /// Deals with one packet. What concerns the application is returned.
    pub(crate) fn handle_packed<'a>(
        &mut self,
        now_ms: u64,
        key: SessionKey,
        bytes: &[u8],
    ) -> Option<Incoming<'a>> {
        self.counters.packets_in += 1;
        let Ok(packet) = msgpack::decode_within(bytes, self.config.packet_limits.depth) else {
            self.reject_packet(now_ms, key);
            return None;
        };
        match packet {
            // Text cannot even say such a name.
            Packet::Connect { nsp, .. } if !nsp.starts_with('/') => {
                self.refuse(key, nsp, INVALID_NAMESPACE);
                None
            }
            Packet::Connect { nsp, auth } => {
                self.handle_connect(now_ms, key, nsp.to_owned().into(), auth.map(Into::into))
            }
            Packet::Disconnect { nsp } => {
                self.handle_disconnect(now_ms, key, nsp);
                None
            }
            Packet::Event { nsp, id, payload: Payload { json, spans, attachments } } => {
                let socket = self.socket_or_reject(now_ms, key, nsp)?;
                Some(Incoming::Event { socket, id, args: Text::Scanned(json, spans), attachments })
            }
            Packet::Ack { nsp, id, payload: Payload { json, spans, attachments } } => {
                let socket = self.socket_or_reject(now_ms, key, nsp)?;
                Some(Incoming::Ack { socket, id: id?, args: Text::Scanned(json, spans), attachments })
            }
        }
    }
}
