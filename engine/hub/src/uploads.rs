//! Bodies of requests: what a body is for, how it is delimited, and how it is read and refused.
//!
//! Not the packets in it, which are read where it is complete. Whatever is too large is refused by what it announces; what does not come is
//! answered 408, so that nobody between takes it for a fault of ours.

use socketville_proto::eio::PayloadForm;
use socketville_proto::http::{self, Body, Chunked, Head};

use crate::account::{Charge, Kind, Owner};
use crate::conns::{Phase, Post, Progress};
use crate::http::{ALL, JSON};
use crate::poll_buffer::BodyForm;
use crate::session::{Layer, Link};
use crate::shortage::For;
use crate::verdict::Fault;
use crate::{ConnId, Effect, Hub, Reason, Request, SessionKey};

/// A request whose body is being read.
pub(crate) struct Upload {
    purpose: Purpose,
    framing: Framing,
    body: Vec<u8>,
    /// How its packets are written, if it has any.
    form: BodyForm,
    /// The request's head, if somebody may ask for it.
    head: Option<Box<[u8]>>,
    charge: Charge,
}

pub(crate) enum Purpose {
    Packets(SessionKey),
    Application(Box<Request>),
}

enum Framing {
    Length(u64),
    Chunked(Chunked),
}

/// Why a body could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UploadError {
    TooLarge,
    Malformed,
    TooSlow,
}

impl UploadError {
    /// The status that says so (RFC 9110 section 15.5).
    const fn status(self) -> u16 {
        match self {
            Self::TooLarge => 413,
            Self::Malformed => 400,
            Self::TooSlow => 408,
        }
    }
}

impl From<http::BodyError> for UploadError {
    fn from(error: http::BodyError) -> Self {
        match error {
            http::BodyError::TooLarge => Self::TooLarge,
            http::BodyError::Malformed => Self::Malformed,
        }
    }
}

impl Hub {
    pub(crate) fn begin_post(&mut self, now_ms: u64, conn: ConnId, session: SessionKey, head: &Head<'_>) {
        if self.sessions.find(session).is_some_and(|s| matches!(s.link, Link::Closing(_))) {
            // Read and answered, though nobody hears it: an error would keep the client from its last polls.
            return self.begin_upload(now_ms, conn, head, Purpose::Packets(session));
        }
        let polling = self.sessions.find_mut(session).and_then(|s| s.polling_mut());
        match polling.map(|polling| (polling.buffer.form().body_form(head), &mut polling.posting)) {
            Some((Some(_), posting @ None)) => *posting = Some(conn),
            posting => {
                if posting.is_some() {
                    self.lose_session(session, Reason::TransportError);
                }
                self.refuse_and_close(now_ms, conn, 400, &[JSON], Fault::BadRequest.body().as_bytes());
                return;
            }
        }
        self.begin_upload(now_ms, conn, head, Purpose::Packets(session));
    }

    /// How the packets of a request are written.
    fn body_form(&self, purpose: &Purpose, head: &Head<'_>) -> BodyForm {
        let session = match purpose {
            Purpose::Packets(session) => self.sessions.find(*session),
            Purpose::Application(_) => None,
        };
        let form = session.and_then(|session| session.link.poll_form().body_form(head));
        form.unwrap_or(BodyForm::Payload(PayloadForm::V4))
    }

    /// Handlers of bare Engine.IO may ask for the headers that came with a message.
    pub(crate) fn keep_post_head(&mut self, conn: ConnId, session: SessionKey, head: &[u8]) {
        let is_bare = self.sessions.find(session).is_some_and(|session| session.layer == Layer::Bare);
        if let Some(Phase::Body(upload)) =
            self.conn_mut(conn).filter(|_| is_bare).map(|state| &mut state.phase)
        {
            upload.head = Some(head.into());
        }
    }

    /// A body of which nothing has come.
    pub(crate) fn upload(&self, conn: ConnId, purpose: Purpose, head: &Head<'_>) -> Upload {
        let framing = match head.body {
            Body::None => Framing::Length(0),
            Body::Length(length) => Framing::Length(length),
            Body::Chunked => Framing::Chunked(Chunked::new()),
        };
        let form = self.body_form(&purpose, head);
        let charge = self.account.charge(Kind::Body, Owner::Conn(conn), 0);
        Upload { purpose, framing, body: Vec::new(), form, head: None, charge }
    }

    pub(crate) fn begin_upload(&mut self, now_ms: u64, conn: ConnId, head: &Head<'_>, purpose: Purpose) {
        let upload = Box::new(self.upload(conn, purpose, head));
        if matches!(upload.framing, Framing::Length(n) if n > self.config.message_bytes_max as u64) {
            return self.refuse_upload(now_ms, conn, &upload, UploadError::TooLarge);
        }
        if head.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
            self.outbox.send(conn, |arena| arena.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"));
        }
        let _head = self.enter(now_ms, conn, Phase::Body(upload));
    }

    pub(crate) fn handle_upload(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        read: Result<(usize, bool), UploadError>,
    ) -> (usize, Progress) {
        let Some(state) = self.conn_mut(conn) else { return (ALL, Progress::Wait) };
        let Phase::Body(upload) = &state.phase else { return (0, Progress::Again) };
        if matches!(read, Ok((_, false))) {
            let (bytes, whose) = (upload.body.len(), upload.whose());
            self.delay_if_short(conn, bytes, whose);
            return (read.unwrap_or_default().0, Progress::Wait);
        }
        let Some(Phase::Body(upload)) = self.enter(now_ms, conn, Phase::Answering) else {
            return (0, Progress::Again);
        };
        match read {
            Ok((taken, _)) => (taken, self.finish_upload(now_ms, conn, *upload)),
            Err(error) => {
                self.refuse_upload(now_ms, conn, &upload, error);
                (ALL, Progress::Wait)
            }
        }
    }

    fn finish_upload(&mut self, now_ms: u64, conn: ConnId, upload: Upload) -> Progress {
        match upload.purpose {
            Purpose::Application(mut request) => {
                request.body = upload.body;
                self.effects.push_back(Effect::Request(conn, request));
                Progress::Again
            }
            Purpose::Packets(session) if self.sessions.find(session).is_some() => {
                Progress::Payload(session, upload.into_post(session))
            }
            Purpose::Packets(_) => {
                self.answer(now_ms, conn, 400, &[JSON], Fault::SessionUnknown.body().as_bytes());
                Progress::Again
            }
        }
    }

    pub(crate) fn refuse_upload(&mut self, now_ms: u64, conn: ConnId, upload: &Upload, error: UploadError) {
        if let Some(session) = upload.session().filter(|&key| self.is_posting(key, conn)) {
            self.counters.protocol_errors += 1;
            if let Some(polling) = self.sessions.find_mut(session).and_then(|s| s.polling_mut()) {
                polling.posting = None; // it is answered here, not cut with the session
            }
            self.lose_session(session, Reason::TransportError);
        }
        self.refuse_and_close(now_ms, conn, error.status(), &[], b"");
    }

    /// A request has not come in time. Whoever has begun one is told so, since what stands between would report a fault of ours; true if
    /// somebody was.
    pub(crate) fn refuse_late(&mut self, now_ms: u64, conn: ConnId) -> bool {
        let Some(state) = self.conn_mut(conn) else { return false };
        match &state.phase {
            Phase::Body(_) => {
                let Some(Phase::Body(upload)) = self.enter(now_ms, conn, Phase::Answering) else {
                    return false;
                };
                self.refuse_upload(now_ms, conn, &upload, UploadError::TooSlow);
            }
            &Phase::Parked(session, _) => self.refuse_behind(now_ms, conn, session, UploadError::TooSlow),
            Phase::Http(_) if state.held.is_some() => {
                self.refuse_and_close(now_ms, conn, UploadError::TooSlow.status(), &[], b"");
            }
            _ => return false,
        }
        true
    }
}

impl Upload {
    /// What its body is for.
    pub(crate) const fn whose(&self) -> For {
        match self.purpose {
            Purpose::Application(_) => For::Application,
            Purpose::Packets(_) => For::Events,
        }
    }

    /// The session whose packets it carries.
    pub(crate) fn session(&self) -> Option<SessionKey> {
        match self.purpose {
            Purpose::Packets(session) => Some(session),
            Purpose::Application(_) => None,
        }
    }

    /// The packets that it carries, which are their session's from now on.
    pub(crate) fn into_post(mut self, session: SessionKey) -> Post {
        let (form, body) = self.form.payload(self.body);
        self.charge.pass_to(Owner::Session(session));
        self.charge.set(body.capacity());
        Post::new(body, form, self.head, self.charge)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.body.capacity()
    }

    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.framing, Framing::Length(0))
    }

    /// Takes bytes of the body, which may have `max` in all; the count and whether it is complete.
    pub(crate) fn read(&mut self, bytes: &[u8], max: usize) -> Result<(usize, bool), UploadError> {
        let read = self.read_framed(bytes, max);
        self.charge.set(self.body.capacity());
        read
    }

    fn read_framed(&mut self, bytes: &[u8], max: usize) -> Result<(usize, bool), UploadError> {
        match &mut self.framing {
            Framing::Length(left) => {
                let count = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                self.body.extend_from_slice(&bytes[..count]);
                *left -= count as u64;
                Ok((count, *left == 0))
            }
            Framing::Chunked(chunked) => {
                chunked.decode(bytes, &mut self.body, max).map_err(UploadError::from)
            }
        }
    }
}
