//! Connection state recovery: sockets that lost their transport wait under their private id, and come back with all that they missed.
//!
//! Not the history itself. A socket costs nothing while it is connected: its private id is its id with a keyed mark, and where it began and what it
//! surely has lie in two tables that exist only if recovery is on. A pong proves that all that was sent before its ping has arrived.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use socketville_proto::eio::Revision;

use crate::account::{Charge, Kind, Owner};
use crate::delivery::Route;
use crate::history::{Audience, Bounds, History, Seen};
use crate::ids::ID_LEN;
use crate::limits::SAVED_MAX;
use crate::option_time::OptionTime;
use crate::{Effect, Hub, Id, NspId, Position, Record, SessionKey, SocketKey};

/// How lost clients come back. Source: `connectionStateRecovery`, default off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How long a client may be away. Source: `maxDisconnectionDuration`, default 2 minutes.
    pub max_disconnection: OptionTime,
    /// Whether a client that comes back passes no middleware. Source: `skipMiddlewares`, default yes.
    pub skip_middlewares: bool,
    /// Events that each core keeps at most; default 262 144.
    pub packets_max: usize,
    /// Bytes of events that each core keeps at most; default 64 MiB.
    pub bytes_max: usize,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            max_disconnection: OptionTime::from_ms(120_000),
            skip_middlewares: true,
            packets_max: 1 << 18,
            bytes_max: 64 << 20,
        }
    }
}

/// A core's part of recovery.
pub(crate) struct Recoveries {
    pub(crate) history: History,
    /// HMAC-SHA-256 (RFC 2104) with the server's secret as its key.
    mac: Hmac<Sha256>,
    max_disconnection_ms: u64,
    saved: HashMap<Id, Saved, ahash::RandomState>,
    /// In the order of their deadlines.
    deadlines: VecDeque<(u64, Id)>,
    /// Where each socket began, by slot.
    starts: Vec<u64>,
    /// By session slot.
    marks: Vec<Mark>,
}

/// How much a session surely has.
#[derive(Clone, Copy, Default)]
struct Mark {
    pinged: u64,
    confirmed: u64,
    /// Pings without a pong. A session that is not read has several: each pong answers one, the first one first.
    unanswered: u32,
}

struct Saved {
    audience: Audience,
    sure: u64,
    until_ms: u64,
    _charge: Charge,
}

/// A lost socket on its way back, wherever it was saved.
pub struct Returning {
    /// Its id.
    pub id: Id,
    /// Its namespace and rooms.
    pub audience: Audience,
    seen: Seen,
    alone: Vec<Arc<Record>>,
}

/// Letters of a private id's mark: 72 bits.
const MARK_LEN: usize = 12;

impl Recoveries {
    /// The private id of a socket: nobody without the secret can make one of the public id.
    fn pid(&self, id: &Id) -> String {
        let mark = self.mac.clone().chain_update(id.as_str()).finalize().into_bytes();
        let letters =
            mark.iter().take(MARK_LEN).map(|byte| char::from(crate::ids::ALPHABET[usize::from(byte & 63)]));
        id.as_str().chars().chain(letters).collect()
    }

    fn id_of(&self, pid: &str) -> Option<Id> {
        let id = Id::parse(pid.get(..ID_LEN)?)?;
        (self.pid(&id) == pid).then_some(id)
    }

    fn returning(&self, id: Id, saved: Saved, offset: Option<Position>) -> Option<Returning> {
        let (history, audience) = (&self.history, saved.audience);
        let start = history.start(offset, saved.sure, &audience)?;
        let alone = history.alone_since(start, &audience);
        Some(Returning { id, seen: history.seen_before(start), alone, audience })
    }

    /// Bytes of the lost clients that are kept.
    pub(crate) fn saved_bytes(&self) -> usize {
        self.saved.values().map(|saved| saved_bytes(&saved.audience.rooms)).sum()
    }

    /// Forgets those whose time is over, and names them.
    fn forget_old(&mut self, now_ms: u64, mut lapse: impl FnMut(Id)) {
        while let Some(&(until_ms, id)) = self.deadlines.front().filter(|(until_ms, _)| *until_ms <= now_ms) {
            self.deadlines.pop_front();
            if self.forget(until_ms, &id) {
                lapse(id);
            }
        }
    }

    /// Forgets the lost client that has this deadline; false if it is back, or was saved again since, with a later one.
    fn forget(&mut self, until_ms: u64, id: &Id) -> bool {
        let is_it = self.saved.get(id).is_some_and(|saved| saved.until_ms == until_ms);
        is_it && self.saved.remove(id).is_some()
    }
}

impl Hub {
    /// Turns recovery on, before the first connection; `secret` is the same on every core.
    pub fn set_recovery(&mut self, recovery: Recovery, secret: [u8; 32]) {
        // The oldest event that anybody may ask for was sent before the last confirmed ping of a client whose end was seen late.
        let age_ms = recovery.max_disconnection.ms()
            + self.config.ping_interval.ms() * 2
            + self.config.ping_timeout.ms();
        let bytes = recovery.bytes_max.min(self.config.budget.hard_bytes / 4);
        // A key that is shorter than the hash's block is followed by zeros (RFC 2104 section 2).
        let mut key = [0; 64];
        key.iter_mut().zip(secret).for_each(|(byte, of_secret)| *byte = of_secret);
        let bounds = Bounds { age_ms, packets: recovery.packets_max, bytes };
        self.recoveries = Some(Box::new(Recoveries {
            history: History::new(bounds, self.cores, &self.hasher),
            mac: Hmac::new(&key.into()),
            max_disconnection_ms: recovery.max_disconnection.ms(),
            saved: HashMap::with_hasher(self.hasher.clone()),
            deadlines: VecDeque::new(),
            starts: Vec::new(),
            marks: Vec::new(),
        }));
    }

    /// Whether lost clients may come back.
    pub const fn recovers(&self) -> bool {
        self.recoveries.is_some()
    }

    pub(crate) fn keep_time(&mut self, now_ms: u64) {
        if let Some(recoveries) = &mut self.recoveries {
            recoveries.history.now_ms = now_ms;
            recoveries.history.prune();
        }
    }

    /// Lost clients that have not come back in time are forgotten; after a gap they have a moment more.
    pub(crate) fn forget_unreturned(&mut self, now_ms: u64) {
        if self.deadlines.grace(now_ms).is_none()
            && let Some(recoveries) = &mut self.recoveries
        {
            recoveries.forget_old(now_ms, |id| self.effects.push_back(Effect::Lapsed(id)));
        }
    }

    /// When the next lost client is forgotten, so that an idle core keeps none for longer.
    pub(crate) fn next_lapse_ms(&self) -> Option<u64> {
        let (until_ms, _) = self.recoveries.as_ref()?.deadlines.front()?;
        Some((*until_ms).max(self.deadlines.grace_end_ms().unwrap_or_default()))
    }

    /// Lets the lost client go that was lost first: when it comes back it is new. False if there is none.
    pub(crate) fn drop_oldest_saved(&mut self) -> bool {
        let Some(recoveries) = &mut self.recoveries else { return false };
        while let Some((until_ms, id)) = recoveries.deadlines.pop_front() {
            if recoveries.forget(until_ms, &id) {
                self.effects.push_back(Effect::Lapsed(id));
                return true;
            }
        }
        false
    }

    /// The private id that the answer to CONNECT carries.
    pub(crate) fn pid_of(&self, id: &Id) -> Option<String> {
        self.recoveries.as_ref().map(|recoveries| recoveries.pid(id))
    }

    /// A socket was let in: what comes from now on is for it.
    pub(crate) fn mark_start(&mut self, key: SocketKey) {
        let Some(recoveries) = &mut self.recoveries else { return };
        let end = recoveries.history.end();
        *at(&mut recoveries.starts, key.index) = end;
    }

    /// A session began.
    pub(crate) fn mark_session(&mut self, key: SessionKey) {
        let Some(recoveries) = &mut self.recoveries else { return };
        let end = recoveries.history.end();
        *at(&mut recoveries.marks, key.index) = Mark { pinged: end, confirmed: end, unanswered: 0 };
    }

    /// A ping follows all that was sent so far.
    pub(crate) fn mark_ping(&mut self, key: SessionKey) {
        let Some(recoveries) = &mut self.recoveries else { return };
        let end = recoveries.history.end();
        let mark = at(&mut recoveries.marks, key.index);
        if mark.unanswered == 0 {
            mark.pinged = end;
        }
        mark.unanswered = mark.unanswered.saturating_add(1);
    }

    /// A pong says that all that preceded its ping has arrived: the first pong of several that are owed answers the first ping.
    pub(crate) fn mark_pong(&mut self, key: SessionKey) {
        let Some(recoveries) = &mut self.recoveries else { return };
        let mark = at(&mut recoveries.marks, key.index);
        if mark.unanswered > 0 {
            mark.unanswered -= 1;
            mark.confirmed = mark.pinged;
        }
    }

    /// Keeps the state of a socket whose transport was lost, until it comes back or is away for too long; before [`Hub::forget_socket`].
    /// False if nothing is kept, as for clients of Engine.IO 3, which could not say what they were.
    pub fn save(&mut self, now_ms: u64, key: SocketKey) -> bool {
        let rooms = self.rooms_of(key);
        let Some(socket) = self.sockets.find(key) else { return false };
        let (id, nsp, session) = (socket.id, socket.nsp, socket.session);
        if self.revision_of(key) == Some(Revision::V3) {
            return false;
        }
        let Some(recoveries) = &mut self.recoveries else { return false };
        if recoveries.saved.len() >= SAVED_MAX {
            self.counters.recoveries_crowded += 1;
            return false;
        }
        let sure =
            (*at(&mut recoveries.starts, key.index)).max(at(&mut recoveries.marks, session.index).confirmed);
        let until_ms = now_ms + recoveries.max_disconnection_ms;
        let rooms: Vec<_> = rooms.into_iter().skip(1).map(String::into_boxed_str).collect();
        let charge = self.account.charge(Kind::Saved, Owner::Core, saved_bytes(&rooms));
        let audience = Audience { nsp, id: id.as_str().into(), rooms };
        recoveries.saved.insert(id, Saved { audience, sure, until_ms, _charge: charge });
        recoveries.deadlines.push_back((until_ms, id));
        true
    }

    /// The socket with this private id, if it is connected here: its client has come back before its end was noticed.
    pub fn connected(&self, pid: &str) -> Option<SocketKey> {
        let id = self.recoveries.as_ref()?.id_of(pid)?;
        let (key, _) = self.sockets.at(self.socket_ids.find(&id, &self.sockets)?)?;
        Some(key).filter(|key| self.is_connected(*key))
    }

    /// Ends the session of a socket whose client is elsewhere by now.
    pub fn supersede(&mut self, key: SocketKey) {
        if let Some(session) = self.sockets.find(key).map(|socket| socket.session) {
            self.lose_session(session, crate::Reason::TransportClose);
        }
    }

    /// Takes a lost socket out, once, with what was sent to it alone; `None` if it is not here, too old, or something for it is gone, and if its
    /// offset is none that anybody was told: what was sent since its last confirmed ping would come a second time.
    pub fn take_returning(
        &mut self,
        now_ms: u64,
        nsp: NspId,
        pid: &str,
        offset: Option<&str>,
    ) -> Option<Returning> {
        let offset = match offset {
            None => None, // nothing has come yet
            Some(text) => Some(Position::parse(text)?),
        };
        let has_grace = self.deadlines.grace(now_ms).is_some();
        let recoveries = self.recoveries.as_mut()?;
        let id = recoveries.id_of(pid)?;
        let saved = recoveries.saved.remove(&id)?;
        let is_in_time = saved.until_ms > now_ms || has_grace;
        let returning = (is_in_time && saved.audience.nsp == nsp)
            .then(|| recoveries.returning(id, saved, offset))
            .flatten();
        if returning.is_none() {
            self.effects.push_back(Effect::Lapsed(id));
        }
        returning
    }

    /// Gives a waiting socket the id it had.
    pub fn rename(&mut self, key: SocketKey, id: Id) {
        if let Some(socket) = self.sockets.find_mut(key) {
            self.socket_ids.remove(&socket.id, key.index);
            socket.id = id;
            self.socket_ids.insert(&id, key.index, &self.sockets);
        }
    }

    /// Puts a socket into rooms: into all, or into none if the room for one has been taken meanwhile.
    fn join_all(&mut self, key: SocketKey, rooms: &[Box<str>]) -> bool {
        let joined = rooms.iter().take_while(|room| self.join(key, room).is_ok()).count();
        if joined < rooms.len() {
            rooms[..joined].iter().for_each(|room| self.leave(key, room));
        }
        joined == rooms.len()
    }

    /// Lets a waiting socket in as what it was: its rooms, then what it missed, then CONNECT, all before anything newer. False if something
    /// is gone, its client, or the room for one of its rooms: nothing has become due then, and it is in none.
    pub fn restore(&mut self, key: SocketKey, returning: &Returning) -> bool {
        let missed = self.recoveries.as_ref().and_then(|recoveries| {
            recoveries.history.missed(&returning.seen, &returning.audience, &returning.alone)
        });
        let Some(missed) = missed.filter(|_| self.is_waiting(key)) else { return false };
        let Some(session) = self.sockets.find(key).map(|socket| socket.session) else { return false };
        let Some(route) = self.route_of(session).filter(|route| *route != Route::Nobody) else {
            return false;
        };
        if !self.join_all(key, &returning.audience.rooms) {
            self.counters.recoveries_crowded += 1;
            return false;
        }
        for record in &missed {
            let range = self.outbox.write(|arena| arena.extend_from_slice(&record.bytes));
            self.counters.frames_out += u64::from(record.frames);
            self.append_packet(route, range);
        }
        self.counters.recovered += 1;
        self.welcome(key)
    }
}

/// What a lost client costs that was in these rooms.
fn saved_bytes(rooms: &[Box<str>]) -> usize {
    size_of::<Saved>() + rooms.iter().map(|room| room.len() + size_of::<Box<str>>()).sum::<usize>()
}

fn at<T: Copy + Default>(table: &mut Vec<T>, index: u32) -> &mut T {
    let index = index as usize;
    if table.len() <= index {
        table.resize(index + 1, T::default());
    }
    &mut table[index]
}
