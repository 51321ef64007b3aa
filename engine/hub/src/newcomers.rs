//! Connections that begin: which are taken, which are refused, and which have one of the last places.
//!
//! Not accepting, which is the driver's. A core that has nearly no descriptors left keeps the last ones for the operator: connections that get
//! them may ask the application's own routes (health, metrics, publishing), one request each; a request for a session is answered 503 at once. So that
//! peers which say nothing cannot hold those places, the oldest makes room for the newest when half of them are taken.

use std::collections::VecDeque;
use std::net::IpAddr;

use socketville_proto::http::{Body, Head, KeepAlive};

use crate::conns::{Conn, Course, PeerKind, Phase};
use crate::http::{HTML, JSON, RETRY_AFTER};
use crate::limits::{HEAD_TIMEOUT_MS, LAST_PLACES_MS, REFUSALS_LINGERING_MAX, SLOTS_MAX};
use crate::verdict::{Lack, Verdict};
use crate::{ConnId, Effect, Hub, Reason, SessionKey};

/// What is known of a connection when it begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Newcomer {
    /// The address of its peer.
    pub address: Option<IpAddr>,
    /// Which place it has found.
    pub place: Place,
}

/// Where a connection found a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Place {
    /// There are enough.
    #[default]
    Ordinary,
    /// It is one of the last, of which there are so many for all cores. They are for the operator.
    Last(usize),
}

/// Connections that have the last places, in the order in which they came; few.
#[derive(Default)]
pub(crate) struct Newcomers {
    last: VecDeque<ConnId>,
}

impl Newcomers {
    pub(crate) fn forget(&mut self, conn: ConnId) {
        if !self.last.is_empty() {
            self.last.retain(|other| *other != conn);
        }
    }
}

impl Hub {
    /// A connection was accepted or came from another core; nothing is known of it.
    pub fn open(&mut self, now_ms: u64, conn: ConnId) {
        self.open_from(now_ms, conn, Newcomer::default());
    }

    /// A connection was accepted or came from another core.
    pub fn open_from(&mut self, now_ms: u64, conn: ConnId, newcomer: Newcomer) {
        let index = conn.index as usize;
        self.conns.reach(index);
        self.conns[index] = Conn { generation: conn.generation, phase: Phase::Http(None), ..Conn::vacant() };
        self.conns_open += 1;
        self.counters.connections_opened += 1;
        self.outbox.open(conn);
        self.set_conn_deadline(conn, now_ms + HEAD_TIMEOUT_MS);
        if self.conns_open > self.config.connections_max || index >= SLOTS_MAX {
            self.counters.connections_refused += 1;
            return self.cut(conn);
        }
        if !self.address_shares.connect(conn.index, newcomer.address) {
            self.counters.connections_of_address_refused += 1;
            return self.refuse_newcomer(now_ms, conn);
        }
        if let Place::Last(places) = newcomer.place {
            self.take_last_place(now_ms, conn, places);
        }
    }

    /// Whether [`Newcomer::address`] should be known.
    pub fn wants_addresses(&self) -> bool {
        self.address_shares.asks()
    }

    /// Answers before anything was asked: a connection too much costs a descriptor until its peer has the answer, and no longer than it takes to
    /// linger.
    fn refuse_newcomer(&mut self, now_ms: u64, conn: ConnId) {
        if self.conns_lingering >= REFUSALS_LINGERING_MAX {
            return self.cut(conn);
        }
        self.refuse_and_close(now_ms, conn, 429, &[JSON, RETRY_AFTER], TOO_MANY.as_bytes());
    }

    /// A request has come on a connection.
    pub(crate) fn note_request(&mut self, conn: ConnId) {
        if let Some(state) = self.conn_mut(conn).filter(|state| state.course == Course::New) {
            state.course = Course::Known(PeerKind::Stranger);
            self.address_shares.know(conn.index);
        }
    }

    /// What becomes of a request where there is no room for it.
    pub(crate) fn find_room(
        &mut self,
        conn: ConnId,
        head: &Head<'_>,
        verdict: Verdict,
        was_considered: bool,
    ) -> Verdict {
        if !self.newcomers.last.is_empty() && self.is_out_of_place(conn, &verdict) {
            return Verdict::NoRoom(Lack::Descriptors);
        }
        if self.ends_ms.is_some() && !was_considered && verdict.begins() {
            return Verdict::NoRoom(Lack::Time);
        }
        let begins = verdict.opens() || verdict == Verdict::OpenBare;
        if begins && self.is_crowded() {
            return Verdict::NoRoom(Lack::Memory);
        }
        let shares = &self.address_shares;
        match verdict.opens() && !shares.admits(shares.client(conn.index, head).0) {
            true => Verdict::NoRoom(Lack::Share),
            false => verdict,
        }
    }

    /// Whether the core has no room for another session, or ends.
    fn is_crowded(&self) -> bool {
        self.sessions.len() >= SLOTS_MAX || self.ends_ms.is_some() || self.is_above_soft_mark()
    }

    /// Tells a request that there is no room for it.
    pub(crate) fn refuse_for_room(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        (head, raw): (&Head<'_>, &[u8]),
        lack: Lack,
    ) {
        let headers = [JSON, RETRY_AFTER];
        match lack {
            Lack::Memory | Lack::Time => {
                self.counters.sessions_refused += u64::from(lack == Lack::Memory);
                self.refuse_and_close(now_ms, conn, 503, &[HTML, RETRY_AFTER], b"");
            }
            Lack::Share => {
                self.counters.sessions_of_address_refused += 1;
                self.tell_refusal(raw, TOO_MANY_CODE, "Too many requests");
                self.refuse_and_close(now_ms, conn, 429, &headers, TOO_MANY.as_bytes());
            }
            Lack::Descriptors => {
                self.counters.descriptors_refused += 1;
                if matches!(head.body, Body::None) {
                    // Its peer has sent all that it had to: nothing lingers, for the place is needed.
                    return self.answer(now_ms, conn, 503, &headers, CROWDED.as_bytes());
                }
                self.refuse_and_close(now_ms, conn, 503, &headers, CROWDED.as_bytes());
            }
        }
    }

    /// A session has begun on this connection: its client has a share, and an address, which is asked for if it is not known yet.
    pub(crate) fn note_client(&mut self, conn: ConnId, key: SessionKey, head: &Head<'_>) {
        let (client, address) = self.address_shares.client(conn.index, head);
        self.address_shares.open(conn.index, key.index, client);
        let Some(opening) = self.sessions.find_mut(key).and_then(|session| session.opening.as_mut()) else {
            return;
        };
        opening.address = address;
        if address.is_none() {
            self.effects.push_back(Effect::AskAddress(conn, key));
        }
    }

    /// The oldest that says nothing makes room when this core has half of its part of those places, so that there always are some.
    fn take_last_place(&mut self, now_ms: u64, conn: ConnId, places: usize) {
        self.set_conn_deadline(conn, now_ms + LAST_PLACES_MS);
        self.newcomers.last.push_back(conn);
        if self.newcomers.last.len() <= places / 2 / usize::from(self.cores) {
            return;
        }
        let is_served = |state: &Conn| matches!(state.phase, Phase::Answering | Phase::Body(_));
        let oldest = self.newcomers.last.iter().position(|&conn| !self.conn(conn).is_some_and(is_served));
        if let Some(oldest) = oldest.and_then(|at| self.newcomers.last.remove(at)) {
            self.counters.descriptors_refused += 1;
            self.handle_end(oldest, Reason::TransportError);
        }
    }

    /// Whether a request on one of the last places gets nothing but the word that there is no other; if it is served, it is the only one.
    fn is_out_of_place(&mut self, conn: ConnId, verdict: &Verdict) -> bool {
        if !self.newcomers.last.contains(&conn) {
            return false;
        }
        if let Some(state) = self.conn_mut(conn) {
            state.keep = KeepAlive::Close;
        }
        let is_served = matches!(
            verdict,
            Verdict::NotOurs
                | Verdict::Consider(_)
                | Verdict::Refuse(_)
                | Verdict::Forbid(_)
                | Verdict::Preflight
        );
        !is_served
    }
}

/// Its number and body: in the manner of Engine.IO, whose own numbers end with 5.
const TOO_MANY_CODE: usize = 6;
const TOO_MANY: &str = r#"{"code":6,"message":"Too many requests"}"#;
/// The body of the answer to a connection for which there is no descriptor.
pub const CROWDED: &str = r#"{"code":7,"message":"Too many connections"}"#;
