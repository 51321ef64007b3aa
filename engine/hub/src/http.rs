//! Requests on a connection: heads and answers, in turn.
//!
//! Not what a poll or a WebSocket does afterwards. One request at a time: what a client sends meanwhile is held, bounded.

use socketville_proto::http::{self, Body, Head, KeepAlive, Method};
use socketville_proto::ws;

use crate::conns::{Content, Course, Phase, Progress, find};
use crate::desk::Decision;
use crate::limits::HEAD_TIMEOUT_MS;
use crate::poll_buffer::{ContentType, PollAnswer};
use crate::session::{Link, Speech};
use crate::uploads::Purpose;
use crate::verdict::{Fault, Verdict};
use crate::{ConnId, Effect, Hub, Request, SessionKey};

/// An answer of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// Headers but for length and connection.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The headers, as they are written.
    fn lines(&self) -> Vec<(&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

/// The code of what the application or an allow-list refuses.
const FORBIDDEN: usize = 4;

/// All bytes that were given.
pub(crate) const ALL: usize = usize::MAX;

pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");
const TEXT: (&str, &str) = ("Content-Type", "text/plain; charset=UTF-8");
const OCTETS: (&str, &str) = ("Content-Type", "application/octet-stream");
pub(crate) const HTML: (&str, &str) = ("Content-Type", "text/html");
pub(crate) const RETRY_AFTER: (&str, &str) = ("Retry-After", "1");
const NO_STORE: (&str, &str) = ("cache-control", "no-store");

impl Hub {
    /// Reads from the front of `bytes`; returns how many were taken and what follows.
    pub fn handle_http(&mut self, now_ms: u64, conn: ConnId, bytes: &[u8]) -> (usize, Progress) {
        let (taken, progress) = self.handle_http_step(now_ms, conn, bytes);
        (taken.min(bytes.len()), progress)
    }

    fn handle_http_step(&mut self, now_ms: u64, conn: ConnId, bytes: &[u8]) -> (usize, Progress) {
        // What a peer does not take is not made.
        if self.owes_answers(conn) {
            self.hold(conn, bytes);
            return (ALL, Progress::Wait);
        }
        let Some(state) = find(&mut self.conns, conn) else { return (ALL, Progress::Wait) };
        match &mut state.phase {
            Phase::Http(_) => self.handle_head(now_ms, conn, bytes),
            Phase::Body(upload) => {
                let read = upload.read(bytes, self.config.message_bytes_max);
                self.handle_upload(now_ms, conn, read)
            }
            &mut Phase::Parked(session, _) => self.handle_behind(now_ms, conn, session, bytes),
            Phase::Answering => {
                self.hold(conn, bytes);
                (ALL, Progress::Wait)
            }
            Phase::WebSocket { .. } => (0, Progress::Again),
            Phase::Vacant | Phase::Closing | Phase::Lingering { .. } => (ALL, Progress::Wait),
        }
    }

    fn handle_head(&mut self, now_ms: u64, conn: ConnId, bytes: &[u8]) -> (usize, Progress) {
        match http::parse_head(bytes) {
            Ok(None) if bytes.is_empty() => (0, Progress::Wait),
            Ok(None) => {
                self.hurry_conn(conn, now_ms + self.unfinished_ms(HEAD_TIMEOUT_MS));
                self.hold(conn, bytes);
                (ALL, Progress::Wait)
            }
            Ok(Some((head, length))) => self.handle_request(now_ms, conn, &head, length, bytes, None),
            Err(error) => {
                self.refuse_and_close(now_ms, conn, error.status(), &[], b"");
                (ALL, Progress::Wait)
            }
        }
    }

    /// Deals with a request whose head is whole; `decision` is the application's, if it was asked.
    pub(crate) fn handle_request(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        head: &Head<'_>,
        length: usize,
        bytes: &[u8],
        decision: Option<&Decision>,
    ) -> (usize, Progress) {
        self.counters.requests += u64::from(decision.is_none());
        let raw = &bytes[..length];
        let letters = decision.and_then(|decision| decision.name.as_deref());
        let (mut has_body, mut taken) = (!matches!(head.body, Body::None | Body::Length(0)), length);
        self.note_request(conn);
        let Some(state) = self.conn_mut(conn) else { return (ALL, Progress::Wait) };
        let is_kept = head.keep_alive && (state.course != Course::Ended || length < bytes.len());
        state.keep = if is_kept { KeepAlive::Keep } else { KeepAlive::Close };
        state.content = if head.method == Method::Head { Content::Withheld } else { Content::Sent };
        let (verdict, extra) = self.receive(head, self.verdict(head), decision);
        let verdict = self.find_room(conn, head, verdict, decision.is_some());
        let is_read = matches!(
            verdict,
            Verdict::Post(_) | Verdict::NotOurs | Verdict::OtherCore(_) | Verdict::Elsewhere
        );
        if let Some(skipped) = skippable(head.body, &bytes[length..]).filter(|_| !is_read) {
            (has_body, taken) = (false, length + skipped);
        }
        let ends = self.ends_ms.is_some();
        if let Some(state) = self.conn_mut(conn) {
            state.extra = extra;
            if let Course::Known(peer) = &mut state.course {
                *peer = verdict.peer();
            }
            let is_last = ends && !state.is_client();
            if is_last || has_body && !is_read {
                state.keep = KeepAlive::Close; // at the end, or behind a body that is not read, nothing can follow
            }
        }
        match verdict {
            Verdict::OtherCore(core) => {
                return self.send_away(now_ms, conn, Effect::Pass(conn, core, bytes.to_vec()));
            }
            Verdict::Elsewhere => {
                return self.send_away(now_ms, conn, Effect::HandOver(conn, bytes.to_vec()));
            }
            Verdict::Consider(occasion) => {
                self.hold(conn, bytes);
                return self.hand_out(now_ms, conn, Effect::Consider(conn, occasion));
            }
            Verdict::Refuse(fault) => self.refuse_request(now_ms, conn, (head, raw), fault),
            Verdict::Forbid(message) => self.forbid_request(now_ms, conn, (head, raw), &message),
            Verdict::Preflight => self.answer(now_ms, conn, 204, &[], b""),
            Verdict::NoRoom(lack) => self.refuse_for_room(now_ms, conn, (head, raw), lack),
            Verdict::OpenPolling(layer, form) => {
                let id = self.new_session_id(letters);
                self.open_polling(now_ms, conn, id, layer, form, (head, raw));
            }
            Verdict::Poll(session) => self.handle_poll(now_ms, conn, session),
            Verdict::OpenWebSocket(layer, framing) => {
                let speech = Speech { layer, revision: framing.revision() };
                let id = self.new_session_id(letters);
                self.open_websocket(now_ms, conn, id, (head, raw), speech);
            }
            Verdict::OpenBare => self.open_bare(now_ms, conn, head),
            Verdict::TurnAway => self.turn_away(now_ms, conn, head),
            Verdict::Upgrade(session) => self.open_probe(now_ms, conn, session, head),
            Verdict::Post(session) => {
                self.begin_post(now_ms, conn, session, head);
                self.keep_post_head(conn, session, raw);
            }
            Verdict::NotOurs => self.begin_upload(now_ms, conn, head, Purpose::Application(owned(head))),
        }
        if has_body && self.conn_mut(conn).is_some_and(|state| matches!(state.phase, Phase::Closing)) {
            self.linger(now_ms, conn);
        }
        match self.has_whole_body(conn) {
            true => (length, self.handle_upload(now_ms, conn, Ok((0, true))).1),
            false => (taken, Progress::Again),
        }
    }

    /// Whether a request's body is complete without another byte: it is empty.
    fn has_whole_body(&self, conn: ConnId) -> bool {
        let state = self.conn(conn);
        state.is_some_and(|state| matches!(&state.phase, Phase::Body(upload) if upload.is_complete()))
    }

    /// To where its request belongs, with everything read; only if nothing is under way on the connection.
    fn send_away(&mut self, now_ms: u64, conn: ConnId, effect: Effect) -> (usize, Progress) {
        if self.outbox.is_idle(conn) {
            return self.hand_out(now_ms, conn, effect);
        }
        self.refuse_and_close(now_ms, conn, 400, &[JSON], Fault::BadRequest.body().as_bytes());
        (ALL, Progress::Wait)
    }

    /// To the server, with everything read.
    fn hand_out(&mut self, now_ms: u64, conn: ConnId, effect: Effect) -> (usize, Progress) {
        self.effects.push_back(effect);
        let _request = self.enter(now_ms, conn, Phase::Answering);
        (ALL, Progress::Wait)
    }

    fn refuse_request(&mut self, now_ms: u64, conn: ConnId, (head, raw): (&Head<'_>, &[u8]), fault: Fault) {
        self.counters.protocol_errors += 1;
        self.counters.requests_refused[fault.code()] += 1;
        self.tell_refusal(raw, fault.code(), fault.message());
        if ws::is_upgrade(head) {
            // Source: engine.io `abortUpgrade` answers in plain words.
            self.refuse_and_close(now_ms, conn, 400, &[HTML], fault.message().as_bytes());
        } else {
            self.answer(now_ms, conn, 400, &[JSON], fault.body().as_bytes());
        }
    }

    fn forbid_request(&mut self, now_ms: u64, conn: ConnId, (head, raw): (&Head<'_>, &[u8]), message: &str) {
        self.counters.requests_refused[FORBIDDEN] += 1;
        self.tell_refusal(raw, FORBIDDEN, message);
        if ws::is_upgrade(head) {
            return self.refuse_and_close(now_ms, conn, 403, &[HTML], message.as_bytes());
        }
        let body = format!(r#"{{"code":4,"message":{}}}"#, json_string(message));
        self.answer(now_ms, conn, 403, &[JSON], body.as_bytes());
    }

    /// All packets of a POST of this session were handled.
    pub fn finish_post(&mut self, now_ms: u64, conn: ConnId, session: SessionKey) {
        match self.sessions.find_mut(session).map(|session| &mut session.link) {
            Some(Link::Polling(polling)) if polling.posting == Some(conn) => polling.posting = None,
            // Whoever has heard this answer finds no session any more.
            Some(Link::Closing(farewell)) if farewell.is_crossing => return farewell.posting = Some(conn),
            _ => {}
        }
        if !self.finish_behind(conn) {
            self.answer_post(now_ms, conn);
        }
    }

    pub(crate) fn answer_post(&mut self, now_ms: u64, conn: ConnId) {
        self.answer(now_ms, conn, 200, &[HTML, NO_STORE], b"ok");
    }

    /// Answers a poll with a payload.
    pub(crate) fn answer_poll(&mut self, now_ms: u64, conn: ConnId, answer: PollAnswer) {
        let payload = answer.body;
        let content_type = match answer.content {
            ContentType::Text => TEXT,
            ContentType::Octets => OCTETS,
        };
        let encoding = self.conn_mut(conn).and_then(|state| state.extra.as_ref()?.encoding);
        let is_long = self.config.http_compression.is_some_and(|threshold| payload.len() >= threshold);
        match encoding.filter(|_| is_long) {
            Some(encoding) => {
                let headers = [content_type, NO_STORE, ("Content-Encoding", encoding.name())];
                match self.poll_compression.compress(encoding, payload) {
                    Ok(body) => self.answer(now_ms, conn, 200, &headers, &body),
                    Err(plain) => self.answer(now_ms, conn, 200, &headers[..2], &plain),
                }
            }
            None => self.answer(now_ms, conn, 200, &[content_type, NO_STORE], &payload),
        }
    }

    /// The application's answer to an [`Effect::Request`]; nothing if the request was answered or its connection is ending.
    pub fn respond(&mut self, now_ms: u64, conn: ConnId, response: &Response) {
        if !self.conn_mut(conn).is_some_and(|state| matches!(state.phase, Phase::Answering)) {
            return;
        }
        self.answer(now_ms, conn, response.status, &response.lines(), &response.body);
    }

    /// The application's answer to a request whose head was handed out as [`Effect::Consider`], and whose body is not read.
    pub fn refuse_considered(&mut self, now_ms: u64, conn: ConnId, response: &Response) {
        if self.conn(conn).is_some_and(|state| matches!(state.phase, Phase::Answering)) {
            let unread = self.take_considered(conn).unwrap_or_default();
            self.refuse_and_close(now_ms, conn, response.status, &response.lines(), &response.body);
            self.ignore(conn, unread.len());
        }
    }

    /// An answer behind which the connection closes; its peer may still be sending.
    pub(crate) fn refuse_and_close(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        if let Some(state) = self.conn_mut(conn).filter(|state| state.phase.awaits_answer()) {
            state.keep = KeepAlive::Close;
            self.answer(now_ms, conn, status, headers, body);
            self.linger(now_ms, conn);
        }
    }

    /// An answer, with what its request's answer carries besides; nothing on a connection that ends, or that speaks HTTP no longer.
    pub(crate) fn answer(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        let Some(state) = self.conn_mut(conn).filter(|state| state.phase.awaits_answer()) else { return };
        let extra = state.extra.take();
        let lines = extra.as_ref().map_or(&[][..], |extra| &extra.lines);
        let (keep, content, has_held) = (state.keep, state.content, state.held.is_some());
        let polled = match state.phase {
            Phase::Parked(session, _) => Some(session),
            _ => None,
        };
        let phase = self.enter(now_ms, conn, Phase::Http(polled));
        self.outbox.send(conn, |arena| match content {
            Content::Sent => http::write_response(arena, status, headers, lines, body, keep),
            Content::Withheld => http::write_response_head(arena, status, headers, lines, body.len(), keep),
        });
        match keep {
            KeepAlive::Close if has_held => self.linger(now_ms, conn),
            KeepAlive::Close => self.close_conn(now_ms, conn),
            KeepAlive::Keep => {
                if has_held {
                    self.effects.push_back(Effect::Resume(conn));
                }
                if let Some(Phase::Parked(_, Some(behind))) = phase {
                    self.settle_behind(now_ms, conn, *behind);
                }
            }
        }
    }
}

/// The length of a body that came whole with its head: one that nobody reads can be passed over.
fn skippable(body: Body, rest: &[u8]) -> Option<usize> {
    match body {
        Body::Length(length) => usize::try_from(length).ok().filter(|&length| length <= rest.len()),
        Body::None | Body::Chunked => None,
    }
}

/// A text as JSON; control characters become blanks.
fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => json.extend(['\\', letter]),
            _ if letter.is_control() => json.push(' '),
            _ => json.push(letter),
        }
    }
    json.push('"');
    json
}

fn owned(head: &Head<'_>) -> Box<Request> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Box::new(Request {
        method: head.method,
        target: head.origin_form().into_owned(),
        headers: head.headers().map(|(name, value)| (name.to_owned(), text(value))).collect(),
        body: Vec::new(),
    })
}

impl Hub {
    /// A request that this connection may not make now.
    pub(crate) fn answer_fault(&mut self, now_ms: u64, conn: ConnId) {
        self.answer(now_ms, conn, 400, &[JSON], Fault::BadRequest.body().as_bytes());
    }

    /// An upgrade that cannot be; who speaks another version learns which one would do (RFC 6455 section 4.4).
    pub(crate) fn refuse_handshake(&mut self, now_ms: u64, conn: ConnId, error: ws::HandshakeError) {
        self.counters.protocol_errors += 1;
        let headers = [HTML, ("Sec-WebSocket-Version", "13")];
        let count = if error == ws::HandshakeError::Version { 2 } else { 1 };
        let message = Fault::BadRequest.message().as_bytes();
        self.refuse_and_close(now_ms, conn, 400, &headers[..count], message);
    }
}
