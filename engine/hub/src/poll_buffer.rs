//! Packets that wait for a session's next poll, and the form in which its polls are answered.
//!
//! Not the poll: who waits and for how long is in `polling`. For Engine.IO 4 the buffer is the payload as it will be sent. For Engine.IO 3 it holds
//! frames, because whether a payload is text or bytes is known only when all its packets are.

use socketville_proto::eio::{self, PayloadForm, Revision, v3};
use socketville_proto::http::Head;
use socketville_proto::{encode, ws};

use crate::SessionKey;
use crate::account::{Account, Charge, Kind, Owner};

/// How the polls of a session are answered; decided by the request that opens it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum PollForm {
    /// Text of Engine.IO 4.
    #[default]
    V4,
    /// The same in a script, which `j` asks for; requests are forms.
    V4Script(u32),
    /// Text of Engine.IO 3, or bytes if there is a binary packet.
    V3,
    /// Text of Engine.IO 3 with base64, as `b64` asks for.
    V3Base64,
    /// The same in a script.
    V3Script(u32),
}

/// Packets that wait for a poll.
#[derive(Default)]
pub(crate) struct PollBuffer {
    form: PollForm,
    bytes: Vec<u8>,
    /// That of a session; what is written for one answer has none.
    charge: Option<Charge>,
}

/// What a poll is answered with.
pub(crate) struct PollAnswer {
    pub(crate) content: ContentType,
    pub(crate) body: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ContentType {
    Text,
    Octets,
}

/// How the body of a request with packets is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodyForm {
    Payload(PayloadForm),
    /// A payload in the field of a form.
    Field(PayloadForm),
}

impl PollForm {
    /// What a request asks for; `None` if it asks for a script without a number. In the fourth revision only clients 3.x do,
    /// and a `j` that is no number is a parameter of the application's.
    pub(crate) fn of(revision: Revision, head: &Head<'_>) -> Option<Self> {
        match (revision, head.query_value("j").map(|number| number.parse())) {
            (Revision::V4, Some(Ok(number))) => Some(Self::V4Script(number)),
            (Revision::V4, _) => Some(Self::V4),
            (Revision::V3, Some(number)) => number.ok().map(Self::V3Script),
            (Revision::V3, None) if asks_for_base64(head) => Some(Self::V3Base64),
            (Revision::V3, None) => Some(Self::V3),
        }
    }

    pub(crate) const fn revision(self) -> Revision {
        match self {
            Self::V4 | Self::V4Script(_) => Revision::V4,
            Self::V3 | Self::V3Base64 | Self::V3Script(_) => Revision::V3,
        }
    }

    /// How the body of a request is read; `None` if bodies of this kind may not come.
    pub(crate) fn body_form(self, head: &Head<'_>) -> Option<BodyForm> {
        let is_octets =
            head.header("content-type").is_some_and(|kind| kind.starts_with("application/octet-stream"));
        match (self, is_octets) {
            (Self::V4 | Self::V4Script(_), true) => None,
            (Self::V4, false) => Some(BodyForm::Payload(PayloadForm::V4)),
            (Self::V4Script(_), false) => Some(BodyForm::Field(PayloadForm::V4)),
            (Self::V3Script(_), _) => Some(BodyForm::Field(PayloadForm::V3)),
            (Self::V3 | Self::V3Base64, true) => Some(BodyForm::Payload(PayloadForm::V3Binary)),
            (Self::V3 | Self::V3Base64, false) => Some(BodyForm::Payload(PayloadForm::V3)),
        }
    }
}

impl BodyForm {
    /// The payload of a body, and how it is written. A form without its field is a payload without a packet, which is none.
    pub(crate) fn payload(self, body: Vec<u8>) -> (PayloadForm, Vec<u8>) {
        match self {
            Self::Payload(form) => (form, body),
            Self::Field(form) => {
                let payload = std::str::from_utf8(&body).ok().and_then(v3::read_form);
                (form, payload.unwrap_or_default().into_bytes())
            }
        }
    }
}

/// Whether a client says that it cannot take binary: any value but an empty one. Source: engine.io `supportsBinary`.
pub(crate) fn asks_for_base64(head: &Head<'_>) -> bool {
    head.query_value("b64").is_some_and(|value| !value.is_empty())
}

impl PollBuffer {
    pub(crate) const fn new(form: PollForm) -> Self {
        Self { form, bytes: Vec::new(), charge: None }
    }

    /// One whose bytes are charged to its session.
    pub(crate) fn charged(form: PollForm, account: &Account, session: SessionKey) -> Self {
        Self { charge: Some(account.charge(Kind::Polls, Owner::Session(session), 0)), ..Self::new(form) }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    fn recharge(&mut self) {
        if let Some(charge) = &mut self.charge {
            charge.set(self.bytes.capacity());
        }
    }

    pub(crate) const fn form(&self) -> PollForm {
        self.form
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds frames that we wrote ourselves.
    pub(crate) fn push_frames(&mut self, frames: &[u8]) {
        match self.form.revision() {
            Revision::V4 => eio::append_payload(&mut self.bytes, frames),
            Revision::V3 => self.bytes.extend_from_slice(frames),
        }
        self.recharge();
    }

    /// Adds packets of the engine's own.
    pub(crate) fn push(&mut self, packets: &[eio::Packet<'_>]) {
        let mut frames = Vec::new();
        packets.iter().for_each(|packet| encode::write_eio(&mut frames, packet));
        self.push_frames(&frames);
    }

    /// Everything, as the answer to a poll.
    pub(crate) fn take(&mut self) -> PollAnswer {
        let bytes = std::mem::take(&mut self.bytes);
        self.recharge();
        let mut body = Vec::with_capacity(if self.form == PollForm::V4 { 0 } else { bytes.len() + 16 });
        match self.form {
            PollForm::V4 => return PollAnswer { content: ContentType::Text, body: bytes },
            PollForm::V3 if v3::has_binary(&bytes) => {
                v3::write_binary_payload(&mut body, &bytes);
                return PollAnswer { content: ContentType::Octets, body };
            }
            PollForm::V3 | PollForm::V3Base64 => v3::write_payload(&mut body, &bytes),
            PollForm::V4Script(index) => v3::write_jsonp(&mut body, index, &String::from_utf8_lossy(&bytes)),
            PollForm::V3Script(index) => {
                let mut payload = Vec::new();
                v3::write_payload(&mut payload, &bytes);
                v3::write_jsonp(&mut body, index, &String::from_utf8_lossy(&payload));
            }
        }
        PollAnswer { content: ContentType::Text, body }
    }

    /// Packets alone, as the answer to a poll of this session.
    pub(crate) fn answer(&self, packets: &[eio::Packet<'_>]) -> PollAnswer {
        let mut alone = Self::new(self.form);
        alone.push(packets);
        alone.take()
    }

    /// Everything, as frames of Engine.IO 4: the session goes on over WebSocket.
    pub(crate) fn write_frames(&self, out: &mut Vec<u8>) {
        if self.form.revision() == Revision::V3 {
            return out.extend_from_slice(&self.bytes);
        }
        let Ok(text) = std::str::from_utf8(&self.bytes) else { return };
        if !text.is_empty() {
            text.split(char::from(eio::SEPARATOR)).for_each(|item| write_item(out, item));
        }
    }
}

/// One item of a payload that we wrote ourselves, as a frame.
fn write_item(out: &mut Vec<u8>, item: &str) {
    match eio::payload(item).next() {
        Some(Ok(eio::PayloadItem::Binary(bytes))) => {
            ws::write_header(out, ws::Opcode::Binary, bytes.len());
            out.extend_from_slice(&bytes);
        }
        _ => {
            ws::write_header(out, ws::Opcode::Text, item.len());
            out.extend_from_slice(item.as_bytes());
        }
    }
}
