//! A Socket.IO packet of the server, owned, with its attachments.
//! Not the decoder: the text is read by `proto`, but for the refusal that only servers send.

use serde_json::Value;
use socketville_proto::sio;

/// What a packet is; its binary twin is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Disconnect,
    Event,
    Ack,
    ConnectError,
}

/// A packet that came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    pub(crate) nsp: String,
    pub(crate) id: Option<u64>,
    /// The JSON after the header: an array, or an object, or `null` if there is none.
    pub(crate) args: Value,
    pub(crate) attachments: Vec<Vec<u8>>,
    pub(crate) attachments_due: usize,
}

impl Packet {
    /// From the text of an Engine.IO message; attachments come later.
    pub(crate) fn read(text: &str) -> Self {
        if let Some(refusal) = text.strip_prefix('4') {
            let (nsp, json) = match refusal.split_once(',') {
                Some((nsp, json)) if nsp.starts_with('/') => (nsp, json),
                _ => ("/", refusal),
            };
            return Self::new(Kind::ConnectError, nsp, Some(json));
        }
        match sio::decode_within(text, sio::PacketLimits::CHECKED).expect("a packet") {
            sio::Packet::Connect { nsp, auth } => Self::new(Kind::Connect, nsp, auth),
            sio::Packet::Disconnect { nsp } => Self::new(Kind::Disconnect, nsp, None),
            sio::Packet::Event { nsp, id, attachments, args } => {
                let attachments_due = usize::from(attachments);
                Self { id, attachments_due, ..Self::new(Kind::Event, nsp, Some(args.json())) }
            }
            sio::Packet::Ack { nsp, id, attachments, args } => {
                let attachments_due = usize::from(attachments);
                Self { id, attachments_due, ..Self::new(Kind::Ack, nsp, Some(args.json())) }
            }
        }
    }

    fn new(kind: Kind, nsp: &str, json: Option<&str>) -> Self {
        let args = json.map_or(Value::Null, |json| serde_json::from_str(json).expect("JSON"));
        Self { kind, nsp: nsp.to_owned(), id: None, args, attachments: Vec::new(), attachments_due: 0 }
    }

    /// An event's name, and its arguments without it.
    pub(crate) fn event(&self) -> (&str, Value) {
        assert_eq!(self.kind, Kind::Event, "{self:?}");
        let array = self.args.as_array().expect("an array");
        let (name, args) = array.split_first().expect("a name");
        (name.as_str().expect("a name"), args.to_vec().into())
    }

    /// An event's name and first argument, for lists that are compared.
    pub(crate) fn brief(&self) -> (String, Value) {
        match self.kind {
            Kind::Event => {
                let (name, args) = self.event();
                (name.to_owned(), args[0].clone())
            }
            other => (format!("{other:?}"), Value::Null),
        }
    }
}
