//! Engine.IO sessions: what one is, how it begins, beats and ends.
//!
//! Not transports: how packets travel is in `polling` and `websocket`.
//!
//! ```text
//!  GET polling ----> Polling --2probe, 5--> WebSocket <---- GET websocket
//!                       |                       |
//!        server closes  v                       v  any end
//!                    Closing --next GET--> (gone)
//! ```

use socketville_proto::eio::Revision;
use socketville_proto::{eio, encode};

use crate::account::Owner;
use crate::deadlines::Due;
use crate::heads;
use crate::limits::{CROSSING_MS, MOMENT_MS, MOMENTS_MAX, POLL_CLOSE_MS, V3_OPEN_DELAY_MS};
use crate::packets::{INVALID_NAMESPACE, Incomplete};
use crate::poll_buffer::{PollBuffer, PollForm};
use crate::seats::Seats;
use crate::table::Table;
use crate::timers::{Alarm, Watched};
use crate::{ConnId, Effect, Hub, Id, Reason, SessionKey, SocketKey};

/// One Engine.IO session.
pub struct Session {
    pub(crate) id: Id,
    pub(crate) link: Link,
    pub(crate) sockets: Seats,
    pub(crate) alarm: Alarm,
    pub(crate) heartbeat_ms: u64,
    /// What happens at that moment.
    pub(crate) beat: Beat,
    /// When a namespace must have been joined; never once one was.
    pub(crate) connect: Due,
    pub(crate) incoming: Option<Box<Incomplete>>,
    pub(crate) layer: Layer,
    pub(crate) revision: Revision,
    pub(crate) opening: Option<Box<Opening>>,
}

/// What a session's heartbeat comes to next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Beat {
    /// The `open` packet leaves: over WebSocket in Engine.IO 3.
    Open,
    /// A ping leaves.
    Ping,
    /// The session ends, unless its client is heard before: with a pong, or in Engine.IO 3 with a ping. In Engine.IO 4 another packet than a
    /// pong moves the end once.
    End,
    /// As `End`, and another packet has moved the end: only a pong counts now.
    RenewedEnd,
    /// As `RenewedEnd`, and a gap has moved the end. So many more may do so, by a moment: an answer to the new ping may still be on its way.
    LastEnd(u8),
}

impl Beat {
    /// Whether the session waits for its client to say that it lives.
    pub(crate) const fn is_end(self) -> bool {
        matches!(self, Self::End | Self::RenewedEnd | Self::LastEnd(_))
    }
}

/// How a session began, for those who want to know.
pub struct Greeting {
    /// The head of the request that opened it, as it came.
    pub head: Vec<u8>,
    /// Whose connection it was, once that is known.
    pub address: Option<std::net::IpAddr>,
    /// When, in the milliseconds of the hub's caller.
    pub at_ms: u64,
}

/// What is kept of a [`Greeting`].
pub(crate) struct Opening {
    pub(crate) address: Option<std::net::IpAddr>,
    at_ms: u64,
    head: heads::Kept,
}

impl Opening {
    pub(crate) fn heap_bytes(&self) -> usize {
        heads::heap_bytes(&self.head)
    }

    /// Bytes that are given back with it.
    pub(crate) fn cost(&self, heads: &heads::Heads) -> usize {
        heads.cost(&self.head)
    }
}

/// What messages of a session are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Layer {
    /// Packets of Socket.IO.
    SocketIo,
    /// The application's own.
    Bare,
}

/// What a session carries, and in which revision of Engine.IO.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Speech {
    pub(crate) layer: Layer,
    pub(crate) revision: Revision,
}

const _: () = assert!(size_of::<Session>() <= 96);

/// How packets reach the client.
pub(crate) enum Link {
    WebSocket(ConnId),
    Polling(Box<Polling>),
    /// The server has closed it; the next poll is told, with what it has not had yet.
    Closing(Box<Farewell>),
}

impl Link {
    /// How polls are answered, if there are any.
    pub(crate) fn poll_form(&self) -> PollForm {
        match self {
            Self::Polling(polling) => polling.buffer.form(),
            Self::Closing(farewell) => farewell.buffer.form(),
            Self::WebSocket(_) => PollForm::V4,
        }
    }
}

/// The state of long-polling.
#[derive(Default)]
pub(crate) struct Polling {
    /// Packets that wait for a poll.
    pub(crate) buffer: PollBuffer,
    /// The GET that waits for packets.
    pub(crate) parked: Option<ConnId>,
    /// The POST whose body is being read.
    pub(crate) posting: Option<ConnId>,
    /// A WebSocket that wants to take over.
    pub(crate) probe: Option<Probe>,
    /// Whether the session stands in the list of those whose poll can be answered.
    pub(crate) is_due: bool,
    /// Until when the parked poll may wait for more packets, if there are some that may wait.
    pub(crate) waits_until_ms: Option<u64>,
}

/// What is left of a session that the server closed.
#[derive(Default)]
pub(crate) struct Farewell {
    pub(crate) until_ms: u64,
    pub(crate) buffer: PollBuffer,
    /// What the last poll gets.
    pub(crate) last: &'static [eio::Packet<'static>],
    /// Whether its client closed it, and only a poll that was sent before is waited for.
    pub(crate) is_crossing: bool,
    /// The POST that closed it, which is answered when nothing is waited for any more.
    pub(crate) posting: Option<ConnId>,
}

impl Farewell {
    /// Whether the next poll gets all that is left and the end; else the end comes with a poll of its own.
    pub(crate) const fn is_last_poll(&self) -> bool {
        self.is_crossing || self.buffer.is_empty()
    }
}

/// An upgrade under way.
pub(crate) struct Probe {
    pub(crate) conn: ConnId,
    pub(crate) due: Due,
    /// Whether `2probe` was answered: from then on no poll waits for long.
    pub(crate) is_answered: bool,
    /// When a poll that waits is let go, so that the client can go on.
    pub(crate) release_ms: u64,
}

impl Session {
    /// Whether its client has closed it: only a poll that was sent before is still answered.
    pub(crate) fn is_over_but_for_polls(&self) -> bool {
        matches!(&self.link, Link::Closing(farewell) if farewell.is_crossing)
    }

    pub(crate) fn is_v3(&self) -> bool {
        self.revision == Revision::V3
    }

    /// Whether another packet than a pong moves the session's end: once for each ping. Source: engine.io 6.6.11.
    #[inline]
    pub(crate) const fn is_renewed_by_packets(&self) -> bool {
        matches!(self.beat, Beat::End) && matches!(self.revision, Revision::V4)
    }

    /// Another packet than a pong has come, while one is awaited.
    pub(crate) const fn renew(&mut self, now_ms: u64, timeout_ms: u64) {
        self.beat = Beat::RenewedEnd;
        self.heartbeat_ms = now_ms + timeout_ms;
    }

    pub(crate) fn polling_mut(&mut self) -> Option<&mut Polling> {
        match &mut self.link {
            Link::Polling(polling) => Some(polling),
            Link::WebSocket(_) | Link::Closing(_) => None,
        }
    }
}

impl Hub {
    pub(crate) fn new_id(&mut self) -> Id {
        self.ids.next()
    }

    /// Opens a session; the caller sends the handshake.
    pub(crate) fn open_session(
        &mut self,
        now_ms: u64,
        id: Id,
        link: Link,
        speech: Speech,
        head: &[u8],
    ) -> SessionKey {
        let opening = self
            .config
            .keeps_handshakes
            .then(|| Box::new(Opening { address: None, at_ms: now_ms, head: self.heads.keep(head) }));
        let Speech { layer, revision } = speech;
        let is_v3 = revision == Revision::V3;
        let (beat, beat_ms) = match (revision, &link) {
            (Revision::V4, _) => (Beat::Ping, self.config.ping_interval.ms()),
            (Revision::V3, Link::WebSocket(_)) => (Beat::Open, V3_OPEN_DELAY_MS),
            (Revision::V3, _) => (Beat::End, self.patience_ms()),
        };
        let key = self.sessions.insert(Session {
            id,
            link,
            sockets: Seats::default(),
            alarm: Alarm::NONE,
            heartbeat_ms: now_ms + beat_ms,
            beat,
            connect: match layer {
                Layer::Bare => Due::NEVER,
                Layer::SocketIo => Due::at(now_ms + self.config.connect_timeout.ms()),
            },
            incoming: None,
            layer,
            revision,
            opening,
        });
        self.session_ids.insert(&id, key.index, |slot| id_in(&self.sessions, slot));
        self.counters.sessions_opened += 1;
        self.sessions_v3 += usize::from(is_v3);
        self.mark_session(key);
        self.arm_session(key);
        key
    }

    /// Clients of Engine.IO 3 are in `/` without asking. Source: the reference's `onconnection`.
    pub(crate) fn join_unasked(&mut self, key: SessionKey, speech: Speech) {
        if speech == (Speech { layer: Layer::SocketIo, revision: Revision::V3 }) {
            match self.namespace("/") {
                Some(nsp) => self.effects.push_back(Effect::Join(key, nsp)),
                None => self.refuse(key, "/", INVALID_NAMESPACE),
            }
        }
    }

    /// The data of the handshake packet, the same in both revisions.
    pub(crate) fn open_text(&self, id: &Id, upgrades: &[&str]) -> String {
        let mut text = Vec::with_capacity(160);
        eio::Handshake {
            sid: id.as_str(),
            upgrades,
            ping_interval_ms: self.config.ping_interval.ms(),
            ping_timeout_ms: self.config.ping_timeout.ms(),
            max_payload: self.config.message_bytes_max as u64,
        }
        .write(&mut text);
        text.remove(0); // the type, which the packet brings
        String::from_utf8(text).unwrap_or_default()
    }

    pub(crate) fn arm_session(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.find_mut(key) {
            let due_ms = session.next_ms();
            self.timers.watch(&mut session.alarm, due_ms, Watched::Session(key.index));
        }
    }

    pub(crate) fn handle_session_timer(&mut self, now_ms: u64, at_ms: u64, index: u32) {
        let Some((key, _)) = self.sessions.at(index) else { return };
        let Some(session) = self.sessions.find_mut(key) else { return };
        let due_ms = session.next_ms();
        if self.timers.settle(&mut session.alarm, due_ms, at_ms, now_ms, Watched::Session(index)) {
            self.expire_session(now_ms, key);
            self.arm_session(key);
        }
    }

    fn expire_session(&mut self, now_ms: u64, key: SessionKey) {
        let Some(session) = self.sessions.find_mut(key) else { return };
        if let Some(until_ms) = self.deadlines.grace(now_ms) {
            session.put_off(now_ms, until_ms);
        }
        if self.deadlines.is_paused(key) {
            session.allow_overdue(now_ms, now_ms + self.config.ping_timeout.ms());
        }
        match &session.link {
            Link::Closing(_) => self.end_farewell(now_ms, key),
            _ if session.connect.is_over(now_ms) => self.close_session(now_ms, key, Reason::ForcedClose),
            _ if session.incoming.as_ref().is_some_and(|incomplete| incomplete.due.is_over(now_ms)) => {
                self.reject_packet(now_ms, key);
            }
            _ if session.heartbeat_ms <= now_ms => self.beat(now_ms, key),
            Link::Polling(polling)
                if polling.probe.as_ref().is_some_and(|probe| probe.due.is_over(now_ms)) =>
            {
                self.abandon_probe(key);
            }
            Link::Polling(polling)
                if polling.probe.as_ref().is_some_and(|probe| probe.release_ms <= now_ms) =>
            {
                self.release_probed_poll(now_ms, key);
            }
            _ => {} // what was due has been lifted meanwhile
        }
    }

    fn beat(&mut self, now_ms: u64, key: SessionKey) {
        let patience_ms = self.patience_ms();
        let is_unheard = self.deadlines.may_be_unheard(now_ms, key);
        let Some(session) = self.sessions.find_mut(key) else { return };
        let wait_ms =
            if session.revision == Revision::V3 { patience_ms } else { self.config.ping_timeout.ms() };
        let heard_ms = session.heartbeat_ms.saturating_sub(wait_ms);
        match std::mem::replace(&mut session.beat, Beat::End) {
            Beat::Open => {
                session.heartbeat_ms = now_ms + patience_ms;
                self.open_late(key);
            }
            Beat::Ping => {
                session.heartbeat_ms = now_ms + self.config.ping_timeout.ms();
                self.mark_ping(key);
                self.send_packet(key, &eio::Packet::Ping(""));
            }
            Beat::End | Beat::RenewedEnd | Beat::LastEnd(_) if is_unheard => self.ping_anew(now_ms, key),
            Beat::End | Beat::RenewedEnd if self.deadlines.had_gap_since(heard_ms) => {
                session.beat = Beat::LastEnd(MOMENTS_MAX);
                self.ping_anew(now_ms, key);
            }
            Beat::LastEnd(left @ 1..) if self.deadlines.had_gap_since(now_ms.saturating_sub(MOMENT_MS)) => {
                session.beat = Beat::LastEnd(left - 1);
                session.heartbeat_ms = now_ms + MOMENT_MS;
            }
            Beat::End | Beat::RenewedEnd | Beat::LastEnd(_) => {
                self.counters.ping_timeouts += 1;
                self.close_session(now_ms, key, Reason::PingTimeout);
            }
        }
    }

    /// The loop did not run, or did not read, while a client was expected to be heard: it gets the whole time once more, and a ping if it waits for
    /// one.
    fn ping_anew(&mut self, now_ms: u64, key: SessionKey) {
        let patience_ms = self.patience_ms();
        let Some(session) = self.sessions.find_mut(key) else { return };
        if session.revision == Revision::V3 {
            session.heartbeat_ms = now_ms + patience_ms;
            return;
        }
        session.heartbeat_ms = now_ms + self.config.ping_timeout.ms();
        self.mark_ping(key);
        self.send_packet(key, &eio::Packet::Ping(""));
    }

    /// How long a client of Engine.IO 3 may be silent.
    pub(crate) const fn patience_ms(&self) -> u64 {
        self.config.ping_interval.ms() + self.config.ping_timeout.ms()
    }

    /// A ping of a client of Engine.IO 3: the only sign of life that counts there.
    pub(crate) fn handle_ping(&mut self, now_ms: u64, key: SessionKey) {
        let patience_ms = self.patience_ms();
        if let Some(session) = self.sessions.find_mut(key).filter(|session| session.beat.is_end()) {
            session.beat = Beat::End;
            session.heartbeat_ms = now_ms + patience_ms;
            self.send_packet(key, &eio::Packet::Pong(""));
            self.arm_session(key);
        }
    }

    /// A pong: the sign of life that counts.
    pub(crate) fn handle_pong(&mut self, now_ms: u64, key: SessionKey) {
        self.mark_pong(key);
        if let Some(session) = self.sessions.find_mut(key).filter(|session| session.beat.is_end()) {
            session.beat = Beat::Ping;
            session.heartbeat_ms = now_ms + self.config.ping_interval.ms();
            self.arm_session(key);
        }
    }

    /// Sends an engine-level packet.
    pub(crate) fn send_packet(&mut self, key: SessionKey, packet: &eio::Packet<'_>) {
        let range = self.outbox.write(|arena| encode::write_eio(arena, packet));
        if let Some(route) = self.route_of(key) {
            self.append_ahead(route, range);
        }
    }

    /// Ends a session from this side or after a fault: the peer is told in its transport's own terms.
    pub fn close_session(&mut self, now_ms: u64, key: SessionKey, reason: Reason) {
        let Some(session) = self.sessions.find_mut(key) else { return };
        if matches!(session.link, Link::Closing(_)) {
            return;
        }
        let (last, ms): (&[_], _) = match reason {
            Reason::TransportClose => (&[eio::Packet::Noop], CROSSING_MS),
            _ => (&[eio::Packet::Noop, eio::Packet::Close], POLL_CLOSE_MS),
        };
        let buffer = PollBuffer::charged(session.link.poll_form(), &self.account, key);
        let farewell = Farewell { until_ms: now_ms + ms, buffer, last, ..Farewell::default() };
        let link = std::mem::replace(&mut session.link, Link::Closing(Box::new(farewell)));
        self.disconnect_sockets_of(key, reason);
        match link {
            Link::WebSocket(conn) => {
                self.close_websocket(now_ms, conn, None);
                self.drop_session(key);
            }
            Link::Polling(polling) => self.close_polling(now_ms, key, *polling, reason),
            Link::Closing(_) => {}
        }
    }

    /// The transport has ended by itself; nothing can be said to the peer any more.
    pub(crate) fn lose_session(&mut self, key: SessionKey, reason: Reason) {
        let Some(session) = self.sessions.find_mut(key) else { return };
        let link = std::mem::replace(&mut session.link, Link::Closing(Box::default()));
        self.disconnect_sockets_of(key, reason);
        let conns = match link {
            Link::Polling(polling) => {
                let posting = polling.posting.filter(|_| polling.posting != polling.parked);
                [polling.parked, posting, polling.probe.map(|probe| probe.conn)]
            }
            Link::Closing(farewell) => [None, farewell.posting, None],
            Link::WebSocket(_) => [None; 3],
        };
        conns.into_iter().flatten().for_each(|conn| self.cut(conn));
        self.drop_session(key);
    }

    /// How a socket's session began; `None` if that is not kept.
    pub fn greeting_of(&self, key: SocketKey) -> Option<Greeting> {
        let session = self.sockets.find(key)?.session;
        let Opening { address, at_ms, ref head } = **self.sessions.find(session)?.opening.as_ref()?;
        Some(Greeting { head: self.heads.restore(head), address, at_ms })
    }

    /// The session with this id.
    pub(crate) fn session_of(&self, id: &Id) -> Option<SessionKey> {
        let slot = self.session_ids.find(id, |slot| id_in(&self.sessions, slot))?;
        self.sessions.at(slot).map(|(key, _)| key)
    }

    pub(crate) fn drop_session(&mut self, key: SessionKey) {
        if let Some(session) = self.sessions.remove(key) {
            self.deadlines.forget(key);
            self.address_shares.close(key.index);
            self.end_post_of(key);
            self.account.end(Owner::Session(key));
            self.session_ids.remove(&session.id, key.index);
            if let Some(opening) = session.opening {
                self.heads.forget(&opening.head);
            }
            self.sessions_v3 -= usize::from(session.revision == Revision::V3);
        }
    }

    fn disconnect_sockets_of(&mut self, key: SessionKey, reason: Reason) {
        let Some(session) = self.sessions.find_mut(key) else { return };
        session.incoming = None;
        for &socket in std::mem::take(&mut session.sockets).all() {
            self.end_socket(socket, reason);
        }
    }
}

/// The id of the session in a slot.
fn id_in(sessions: &Table<Session>, slot: u32) -> Option<Id> {
    sessions.at(slot).map(|(_, session)| session.id)
}
