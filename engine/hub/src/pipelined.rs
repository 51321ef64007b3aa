//! A POST behind a waiting GET on one connection (RFC 9112 section 9.3.2): read and handled at once, answered after the GET.
//!
//! Not other requests behind a waiting GET: they wait for its answer, which does not depend on them; and not a POST that will be refused, which is
//! refused when its turn has come. A POST of the same session may be what the GET's packets are the answer to: if each waited for the other,
//! that would take until the next ping.
//!
//! ```text
//! in     GET (waits)   POST head -> body -> its packets are handled
//! out                                           packets: the GET's answer, then the POST's
//! ```

use socketville_proto::http::{Body, Head, KeepAlive, parse_head};

use crate::conns::{Content, Phase, Progress, find};
use crate::desk::{Decision, Extra};
use crate::http::ALL;
use crate::limits::{BODY_TIMEOUT_MS, PIPELINED_POSTS_MAX};
use crate::uploads::{Purpose, Upload, UploadError};
use crate::verdict::Verdict;
use crate::{ConnId, Effect, Hub, SessionKey};

/// What has come behind a waiting GET.
#[derive(Default)]
pub(crate) struct Behind {
    /// Answers to POSTs that were handled, in order.
    owed: Vec<Owed>,
    /// The POST that comes or is handled now.
    current: Option<(Owed, Reading)>,
}

enum Reading {
    /// Its body comes.
    Body(Box<Upload>),
    /// The application decides about it.
    Considered,
    /// Its packets are being handled.
    Packets,
}

/// What the answer to a POST carries.
struct Owed {
    keep: KeepAlive,
    extra: Option<Box<Extra>>,
}

impl Behind {
    pub(crate) fn capacity(&self) -> usize {
        match &self.current {
            Some((_, Reading::Body(upload))) => upload.capacity(),
            Some(_) | None => 0,
        }
    }
}

impl Hub {
    /// Reads bytes that have come behind a waiting GET.
    pub(crate) fn handle_behind(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        session: SessionKey,
        bytes: &[u8],
    ) -> (usize, Progress) {
        let max = self.config.message_bytes_max;
        let Some(state) = find(&mut self.conns, conn) else { return (ALL, Progress::Wait) };
        let keep = state.keep;
        let Phase::Parked(_, behind) = &mut state.phase else { return (0, Progress::Again) };
        let last = behind.as_ref().and_then(|behind| behind.owed.last());
        let may_begin = last.map_or(keep, |owed| owed.keep) == KeepAlive::Keep && keep == KeepAlive::Keep;
        let is_full = behind.as_ref().is_some_and(|behind| behind.owed.len() >= PIPELINED_POSTS_MAX);
        match behind.as_mut().and_then(|behind| behind.current.as_mut()) {
            Some((_, Reading::Body(upload))) => {
                let read = upload.read(bytes, max);
                self.handle_body_behind(now_ms, conn, session, read)
            }
            None if may_begin && !is_full => self.handle_head_behind(now_ms, conn, session, bytes, None),
            Some((_, Reading::Packets | Reading::Considered)) | None => self.wait_behind(conn, bytes),
        }
    }

    fn wait_behind(&mut self, conn: ConnId, bytes: &[u8]) -> (usize, Progress) {
        self.hold(conn, bytes);
        (ALL, Progress::Wait)
    }

    pub(crate) fn handle_head_behind(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        session: SessionKey,
        bytes: &[u8],
        decision: Option<&Decision>,
    ) -> (usize, Progress) {
        let Ok(Some((head, length))) = parse_head(bytes) else { return self.wait_behind(conn, bytes) };
        let verdict = self.verdict(&head);
        if verdict != Verdict::Post(session) || !self.will_take_post(session, &head) {
            return self.wait_behind(conn, bytes);
        }
        self.counters.requests += u64::from(decision.is_none());
        let keep = if head.keep_alive { KeepAlive::Keep } else { KeepAlive::Close };
        let (verdict, extra) = self.receive(&head, verdict, decision);
        if let Verdict::Consider(occasion) = verdict {
            self.set_behind(conn, Owed { keep, extra }, Reading::Considered);
            self.hold(conn, bytes);
            self.effects.push_back(Effect::Consider(conn, occasion));
            return (ALL, Progress::Wait);
        }
        let upload = Box::new(self.upload(conn, Purpose::Packets(session), &head));
        let is_complete = upload.is_complete();
        if let Some(polling) = self.sessions.find_mut(session).and_then(|s| s.polling_mut()) {
            polling.posting = Some(conn);
        }
        self.set_behind(conn, Owed { keep, extra }, Reading::Body(upload));
        self.set_conn_deadline(conn, now_ms + self.unfinished_ms(BODY_TIMEOUT_MS));
        let progress = match is_complete {
            true => self.handle_body_behind(now_ms, conn, session, Ok((0, true))).1,
            false => Progress::Again,
        };
        (length, progress)
    }

    fn set_behind(&mut self, conn: ConnId, owed: Owed, reading: Reading) {
        if let Some(Phase::Parked(_, behind)) = self.conn_mut(conn).map(|state| &mut state.phase) {
            behind.get_or_insert_default().current = Some((owed, reading));
        }
    }

    /// The session whose GET waits before a request that the application has decided about just now.
    pub(crate) fn take_considered_behind(&mut self, conn: ConnId) -> Option<SessionKey> {
        let Phase::Parked(session, Some(behind)) = &mut self.conn_mut(conn)?.phase else { return None };
        let considered = behind.current.take_if(|(_, reading)| matches!(reading, Reading::Considered));
        considered.map(|_| *session)
    }

    /// Whether a POST would not be refused for what its head says.
    fn will_take_post(&mut self, session: SessionKey, head: &Head<'_>) -> bool {
        let max = self.config.message_bytes_max as u64;
        let is_small = !matches!(head.body, Body::Length(length) if length > max);
        let polling = self.sessions.find_mut(session).and_then(|session| session.polling_mut());
        polling.is_some_and(|polling| {
            polling.posting.is_none() && polling.buffer.form().body_form(head).is_some()
        }) && is_small
            && head.header("expect").is_none()
    }

    fn handle_body_behind(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        session: SessionKey,
        read: Result<(usize, bool), UploadError>,
    ) -> (usize, Progress) {
        match read {
            Ok((taken, false)) => (taken, Progress::Wait),
            Ok((taken, true)) => {
                self.set_conn_deadline(conn, u64::MAX);
                let Some(Phase::Parked(_, Some(behind))) = self.conn_mut(conn).map(|state| &mut state.phase)
                else {
                    return (taken, Progress::Again);
                };
                let reading = behind.current.as_mut().map(|(_, reading)| reading);
                match reading.map(|reading| std::mem::replace(reading, Reading::Packets)) {
                    Some(Reading::Body(upload)) => {
                        (taken, Progress::Payload(session, upload.into_post(session)))
                    }
                    Some(Reading::Packets | Reading::Considered) | None => (taken, Progress::Again),
                }
            }
            Err(error) => {
                self.refuse_behind(now_ms, conn, session, error);
                (ALL, Progress::Wait)
            }
        }
    }

    /// A body behind a waiting GET cannot be read: the GET is told that the session ends, then the POST why.
    pub(crate) fn refuse_behind(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        session: SessionKey,
        error: UploadError,
    ) {
        self.close_parked(now_ms, session); // then the body is the request that is read
        let Some(state) = self.conn_mut(conn) else { return };
        if matches!(state.phase, Phase::Body(_))
            && let Some(Phase::Body(upload)) = self.enter(now_ms, conn, Phase::Answering)
        {
            self.refuse_upload(now_ms, conn, &upload, error);
        }
    }

    /// All packets of a POST behind a waiting GET were handled; true if it was one.
    pub(crate) fn finish_behind(&mut self, conn: ConnId) -> bool {
        let Some(state) = self.conn_mut(conn) else { return false };
        let has_held = state.held.is_some();
        let Phase::Parked(_, Some(behind)) = &mut state.phase else { return false };
        let Some((owed, _)) = behind.current.take() else { return false };
        behind.owed.push(owed);
        if has_held {
            self.effects.push_back(Effect::Resume(conn));
        }
        true
    }

    /// The GET was answered: so are the POSTs behind it that were handled, and the one that is under way is read as any other.
    pub(crate) fn settle_behind(&mut self, now_ms: u64, conn: ConnId, behind: Behind) {
        for owed in behind.owed {
            self.turn_to(now_ms, conn, owed, Phase::Answering);
            self.answer_post(now_ms, conn);
            if !self.conn_mut(conn).is_some_and(|state| matches!(state.phase, Phase::Http(_))) {
                return;
            }
        }
        match behind.current {
            Some((owed, Reading::Body(upload))) => self.turn_to(now_ms, conn, owed, Phase::Body(upload)),
            Some((owed, Reading::Packets | Reading::Considered)) => {
                self.turn_to(now_ms, conn, owed, Phase::Answering);
            }
            None => {}
        }
    }

    fn turn_to(&mut self, now_ms: u64, conn: ConnId, Owed { keep, extra }: Owed, phase: Phase) {
        if let Some(state) = self.conn_mut(conn) {
            (state.keep, state.extra, state.content) = (keep, extra, Content::Sent);
            let _before = self.enter(now_ms, conn, phase);
        }
    }
}
