//! What the kernel did not take, copied once, per connection: how much that may be, and when a slow reader is cut.
//!
//! ```text
//! owed    0 ........ bytes_max ............ bytes_max + burst_bytes_max
//!         kept       kept while the kernel takes some of it every      cut
//!                    STALL_MS, and while the core has room for bursts
//! ```
//!
//! So a connection that reads all the time is served through a burst, and one that does not read costs `bytes_max` at the most. One
//! packet, or one answer of HTTP, may exceed `bytes_max`, for as long as the kernel takes some of it every `PACKET_STALL_MS`.
//! A connection that comes to owe more than its limit, by whatever step, is watched from that moment on: [`Backlogs::standing`] is the only place that decides.
//! A backlog that is cut keeps the rest of the frame that the peer has begun to read, so that a close frame can follow it.

use hashbrown::HashMap;
use socketville_proto::ws;

use super::arena::{Arena, Span};
use crate::account::{Account, Charge, Kind, Owner};
use crate::limits::{DEBT_BYTES_MIN, PACKET_STALL_MS, STALL_MS};
use crate::waves::Waves;
use crate::{ConnId, Reason};

/// What connections may owe; see the text of the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BacklogLimits {
    /// Bytes that a connection may owe for any time.
    pub bytes_max: usize,
    /// Bytes beyond those that it may owe while it makes progress.
    pub burst_bytes_max: usize,
    /// Bytes beyond theirs that all connections of the core may owe together.
    pub bursts_bytes_max: usize,
    /// Bytes that the core may hold of all kinds: past it a connection that is behind is cut before its bytes are copied.
    pub held_bytes_max: usize,
}

/// The backlogs of one core, by the slots of their connections.
pub(super) struct Backlogs {
    by_slot: HashMap<u32, Backlog>,
    limits: BacklogLimits,
    /// Bytes beyond `bytes_max`, of all connections together.
    bursts_bytes: usize,
    /// Slots whose progress is looked at, by the moment.
    waves: Waves<u32>,
    /// The moment of each slot, whatever becomes of its backlog; an entry of `waves` for another moment is void.
    watched: HashMap<u32, u64>,
    account: Account,
}

struct Backlog {
    bytes: Vec<u8>,
    sent: usize,
    /// Where a frame begins, at or behind what was sent; `None` if these are no frames.
    boundary: Option<usize>,
    /// When the kernel took some of it last, or it came to be beyond the limit.
    progress_ms: u64,
    /// Milliseconds without progress after which it is cut, while it is beyond the limit.
    patience_ms: u64,
    /// Whether the connection ends behind it, within a deadline of its own: then it is not watched.
    is_last: bool,
    /// Whether a time in which the loop did not run was counted as progress, since there was some.
    is_forgiven: bool,
    charge: Charge,
}

/// Whether bytes were kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(super) enum Kept {
    All,
    /// The connection owes too much.
    Nothing,
    /// The core holds too much.
    NoMemory,
}

impl Kept {
    /// Why the connection is cut, if it is.
    pub(super) const fn refusal(self) -> Option<Reason> {
        match self {
            Self::All => None,
            Self::Nothing => Some(Reason::SlowReader),
            Self::NoMemory => Some(Reason::MemoryLimit),
        }
    }
}

/// What becomes of a connection that would owe so much.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Within,
    /// It is cut when the kernel takes none of it for so many milliseconds.
    Beyond(u64),
    TooMuch,
}

/// What is left of a send that the kernel did not take whole.
pub(super) struct Rest<'a> {
    /// What was to be sent; it begins with a frame.
    pub(super) sent: &'a [u8],
    /// How much of it was taken.
    pub(super) taken: usize,
    /// What is due behind it.
    pub(super) behind: &'a [Span],
    /// Whether the connection ends behind it, within a deadline of its own: then only the room for bursts limits it.
    pub(super) is_last: bool,
}

impl Backlogs {
    pub(super) fn new(limits: BacklogLimits, account: Account) -> Self {
        Self {
            by_slot: HashMap::new(),
            limits,
            bursts_bytes: 0,
            waves: Waves::default(),
            watched: HashMap::new(),
            account,
        }
    }

    /// Keeps the rest of a send, if it is within the limits.
    pub(super) fn keep(&mut self, conn: ConnId, now_ms: u64, rest: &Rest<'_>, arena: &Arena) -> Kept {
        let behind: usize = rest.behind.iter().map(|span| span.len()).sum();
        let bytes = rest.sent.len() - rest.taken + behind;
        let boundary = first_boundary(rest.sent, rest.taken).map(|boundary| boundary - rest.taken);
        // At most one frame behind that which the peer is reading; or an answer of HTTP, which waits for no other.
        let is_one_packet = behind == 0
            && boundary.is_none_or(|at| {
                let next = &rest.sent[rest.taken + at..];
                next.is_empty() || ws::server_frame_len(next).is_some_and(|len| len >= next.len())
            });
        let standing = match rest.is_last {
            true if self.beyond(bytes) <= self.bursts_room() => Standing::Within,
            _ => self.standing(0, bytes, is_one_packet),
        };
        if standing == Standing::TooMuch {
            return Kept::Nothing;
        }
        if !self.fits(0, bytes) {
            return Kept::NoMemory;
        }
        let mut kept = Vec::with_capacity(bytes);
        kept.extend_from_slice(&rest.sent[rest.taken..]);
        rest.behind.iter().for_each(|span| kept.extend_from_slice(arena.bytes(*span)));
        let charge = self.account.charge(Kind::Backlog, Owner::Conn(conn), kept.capacity());
        let backlog = Backlog::new(kept, boundary, charge);
        self.insert(conn.index, Backlog { progress_ms: now_ms, is_last: rest.is_last, ..backlog });
        self.watch(conn.index, now_ms, standing);
        Kept::All
    }

    /// Adds bytes to a connection that is behind, if they are within the limits.
    pub(super) fn append(&mut self, slot: u32, now_ms: u64, bytes: &[u8]) -> Kept {
        let Some(before) = self.by_slot.get(&slot).map(Backlog::owed) else { return Kept::Nothing };
        let after = before + bytes.len();
        // One frame, or one answer of HTTP, behind what is within the limit.
        let is_one_packet = before < self.limits.bytes_max
            && ws::server_frame_len(bytes).is_none_or(|len| len >= bytes.len());
        let standing = self.standing(before, after, is_one_packet);
        if standing == Standing::TooMuch {
            return Kept::Nothing;
        }
        if !self.fits(before, bytes.len()) {
            return Kept::NoMemory;
        }
        self.bursts_bytes += self.beyond(after) - self.beyond(before);
        if let Some(backlog) = self.by_slot.get_mut(&slot) {
            backlog.bytes.extend_from_slice(bytes);
            backlog.charge.set(backlog.bytes.capacity());
        }
        if before <= self.limits.bytes_max || self.has_more_patience(slot, standing) {
            self.watch(slot, now_ms, standing);
        }
        Kept::All
    }

    /// What becomes of a connection that would owe `after` instead of `before`. The bytes that make the difference may be one packet.
    fn standing(&self, before: usize, after: usize, is_one_packet: bool) -> Standing {
        match after <= self.limits.bytes_max {
            true => Standing::Within,
            false if is_one_packet => Standing::Beyond(PACKET_STALL_MS),
            false if self.has_room(before, after) => Standing::Beyond(STALL_MS),
            false => Standing::TooMuch,
        }
    }

    /// A connection has come to be beyond its limit, or has less patience from now on.
    fn watch(&mut self, slot: u32, now_ms: u64, standing: Standing) {
        let Standing::Beyond(patience_ms) = standing else { return };
        let Some(backlog) = self.by_slot.get_mut(&slot).filter(|backlog| !backlog.is_last) else { return };
        (backlog.progress_ms, backlog.patience_ms) = (now_ms, patience_ms);
        self.look_by(slot, now_ms + patience_ms);
    }

    /// Whether a connection beyond its limit is given longer than what it owes now deserves: a burst behind one packet has the patience of a burst.
    fn has_more_patience(&self, slot: u32, standing: Standing) -> bool {
        let Standing::Beyond(patience_ms) = standing else { return false };
        self.by_slot.get(&slot).is_some_and(|backlog| patience_ms < backlog.patience_ms)
    }

    /// Looks at a slot at that moment at the latest.
    fn look_by(&mut self, slot: u32, due_ms: u64) {
        if self.watched.get(&slot).is_none_or(|&at_ms| due_ms < at_ms) {
            self.look_at(slot, due_ms);
        }
    }

    fn look_at(&mut self, slot: u32, at_ms: u64) {
        self.watched.insert(slot, at_ms);
        self.waves.push(at_ms, slot);
    }

    /// The kernel took so many bytes; the rest waits on.
    pub(super) fn progress(&mut self, slot: u32, now_ms: u64, taken: usize) {
        let Some(backlog) = self.by_slot.get_mut(&slot) else { return };
        let before = backlog.owed();
        if taken > 0 {
            (backlog.progress_ms, backlog.is_forgiven) = (now_ms, false);
        }
        backlog.take(taken);
        let after = backlog.owed();
        self.bursts_bytes -= self.beyond(before) - self.beyond(after);
    }

    pub(super) fn remove(&mut self, slot: u32) {
        if let Some(backlog) = self.by_slot.remove(&slot) {
            self.bursts_bytes -= self.beyond(backlog.owed());
        }
    }

    /// What is left to be sent.
    pub(super) fn bytes(&self, slot: u32) -> &[u8] {
        self.by_slot.get(&slot).map_or(&[], |backlog| &backlog.bytes[backlog.sent..])
    }

    pub(super) fn capacity(&self, slot: u32) -> usize {
        self.by_slot.get(&slot).map_or(0, |backlog| backlog.bytes.capacity())
    }

    /// Bytes that a connection owes.
    pub(super) fn owed(&self, slot: u32) -> usize {
        self.by_slot.get(&slot).map_or(0, Backlog::owed)
    }

    /// Keeps but the rest of the frame that the peer has begun to read; false if that cannot be told, or has more than so many bytes.
    pub(super) fn cut(&mut self, slot: u32, bytes_max: usize) -> bool {
        let Some(backlog) = self.by_slot.remove(&slot) else { return false };
        self.bursts_bytes -= self.beyond(backlog.owed());
        let torn = backlog.boundary().filter(|boundary| boundary - backlog.sent <= bytes_max);
        let rest = torn.map(|boundary| backlog.bytes[backlog.sent..boundary].to_vec());
        let is_whole = rest.is_some();
        self.insert_rest(slot, rest.unwrap_or_default(), backlog.charge);
        is_whole
    }

    /// As [`Backlogs::cut`], for a send whose rest was not kept.
    pub(super) fn keep_frame(&mut self, conn: ConnId, sent: &[u8], taken: usize) -> bool {
        let torn = first_boundary(sent, taken).filter(|boundary| self.fits(0, boundary - taken));
        let rest = torn.map_or(Vec::new(), |boundary| sent[taken..boundary].to_vec());
        let charge = self.account.charge(Kind::Backlog, Owner::Conn(conn), 0);
        self.insert_rest(conn.index, rest, charge);
        torn.is_some()
    }

    /// Adds the last bytes of a connection that was cut, whatever the limits are.
    pub(super) fn finish(&mut self, slot: u32, bytes: &[u8]) {
        let Some(mut backlog) = self.by_slot.remove(&slot) else { return };
        self.bursts_bytes -= self.beyond(backlog.owed());
        backlog.bytes.extend_from_slice(bytes);
        backlog.charge.set(backlog.bytes.capacity());
        self.insert(slot, backlog);
    }

    /// Whether the bursts are what is owed beyond the limit, and every connection beyond it is watched.
    pub(super) fn is_sound(&self) -> bool {
        let beyond = |backlog: &Backlog| self.beyond(backlog.owed());
        let is_watched = |slot: &u32, backlog: &Backlog| {
            beyond(backlog) == 0 || backlog.is_last || self.watched.contains_key(slot)
        };
        self.bursts_bytes == self.by_slot.values().map(beyond).sum()
            && self.by_slot.iter().all(|(slot, backlog)| is_watched(slot, backlog))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_slot.is_empty()
    }

    /// When the progress of some connection is to be looked at.
    pub(super) fn next_ms(&self) -> Option<u64> {
        self.waves.next_ms()
    }

    /// Slots of connections that owe more than their limit, and made no progress.
    pub(super) fn take_stalled(&mut self, now_ms: u64) -> Vec<u32> {
        let mut stalled = Vec::new();
        while let Some((at_ms, slots)) = self.waves.pop(now_ms) {
            for &slot in &slots {
                match self.due_ms(slot) {
                    _ if self.watched.get(&slot) != Some(&at_ms) => {}
                    Some(due_ms) if due_ms > now_ms => self.look_at(slot, due_ms),
                    due_ms => {
                        self.watched.remove(&slot);
                        stalled.extend(due_ms.map(|_| slot));
                    }
                }
            }
            self.waves.give_back(slots);
        }
        stalled
    }

    /// When a connection is cut unless the kernel takes some of it before; `None` if it is not beyond its limit.
    fn due_ms(&self, slot: u32) -> Option<u64> {
        let backlog = self.by_slot.get(&slot)?;
        let is_beyond = backlog.owed() > self.limits.bytes_max && !backlog.is_last;
        is_beyond.then_some(backlog.progress_ms + backlog.patience_ms)
    }

    fn insert_rest(&mut self, slot: u32, bytes: Vec<u8>, mut charge: Charge) {
        charge.set(bytes.capacity());
        let boundary = Some(bytes.len());
        self.insert(slot, Backlog { is_last: true, ..Backlog::new(bytes, boundary, charge) });
    }

    fn insert(&mut self, slot: u32, backlog: Backlog) {
        self.bursts_bytes += self.beyond(backlog.owed());
        let former = self.by_slot.insert(slot, backlog);
        debug_assert!(former.is_none(), "a connection has one backlog");
    }

    /// Whether the core may hold so much more for a connection that owes so much: one that owes next to nothing is no debtor, however full the
    /// core is.
    fn fits(&self, owed: usize, bytes: usize) -> bool {
        owed + bytes <= DEBT_BYTES_MIN
            || self.account.held().saturating_add(bytes) <= self.limits.held_bytes_max
    }

    /// Whether the core would hold so little with so much more that debtors need not be cut any more.
    pub(super) fn is_relieved(&self, more: usize) -> bool {
        self.account.held() + more <= self.limits.held_bytes_max / 8 * 7
    }

    /// Connections that owe more than so many bytes, largest debts first.
    pub(super) fn debtors(&self, bytes: usize) -> Vec<u32> {
        let debts = self.by_slot.iter().map(|(&slot, backlog)| (backlog.owed(), slot));
        let mut debts: Vec<_> = debts.filter(|(owed, _)| *owed > bytes).collect();
        debts.sort_unstable_by_key(|&(owed, slot)| (std::cmp::Reverse(owed), slot));
        debts.into_iter().map(|(_, slot)| slot).collect()
    }

    /// The loop did not run for so long: that the kernel was offered nothing meanwhile is nobody's fault. The first such time counts as progress, later
    /// ones do not count at all.
    pub(super) fn forgive(&mut self, now_ms: u64, lasted_ms: u64) {
        for backlog in self.by_slot.values_mut() {
            let shifted_ms = backlog.progress_ms.saturating_add(lasted_ms).min(now_ms);
            backlog.progress_ms = if backlog.is_forgiven { shifted_ms } else { now_ms };
            backlog.is_forgiven = true;
        }
    }

    /// The connection ends behind what it owes, within a deadline of its own.
    pub(super) fn watch_no_more(&mut self, slot: u32) {
        if let Some(backlog) = self.by_slot.get_mut(&slot) {
            backlog.is_last = true;
        }
    }

    /// Looks at a connection's progress once more, since it has something to send now.
    pub(super) fn watch_again(&mut self, slot: u32, now_ms: u64) {
        if let Some(patience_ms) = self.by_slot.get(&slot).map(|backlog| backlog.patience_ms) {
            self.watch(slot, now_ms, Standing::Beyond(patience_ms));
        }
    }

    /// Whether a connection may owe so much instead of what it owes, as a burst.
    fn has_room(&self, owed: usize, bytes: usize) -> bool {
        let BacklogLimits { bytes_max, burst_bytes_max, bursts_bytes_max, .. } = self.limits;
        bytes <= bytes_max.saturating_add(burst_bytes_max)
            && self.bursts_bytes - self.beyond(owed) + self.beyond(bytes) <= bursts_bytes_max
    }

    const fn bursts_room(&self) -> usize {
        self.limits.bursts_bytes_max.saturating_sub(self.bursts_bytes)
    }

    const fn beyond(&self, bytes: usize) -> usize {
        bytes.saturating_sub(self.limits.bytes_max)
    }
}

impl Backlog {
    /// Bytes of which none is sent.
    const fn new(bytes: Vec<u8>, boundary: Option<usize>, charge: Charge) -> Self {
        let (sent, progress_ms, patience_ms) = (0, 0, STALL_MS);
        Self { bytes, sent, boundary, progress_ms, patience_ms, is_last: false, is_forgiven: false, charge }
    }

    const fn owed(&self) -> usize {
        self.bytes.len() - self.sent
    }

    fn take(&mut self, taken: usize) {
        self.sent += taken;
        if self.sent > self.bytes.len() / 2 {
            self.boundary = self.boundary().map(|boundary| boundary - self.sent);
            self.bytes.drain(..std::mem::take(&mut self.sent));
            self.bytes.shrink_to(self.bytes.len() * 2);
            self.charge.set(self.bytes.capacity());
        }
    }

    /// Where the first frame begins that was not begun to be sent.
    fn boundary(&self) -> Option<usize> {
        boundary_from(&self.bytes, self.boundary?, self.sent)
    }
}

/// The first beginning of a frame at or behind `at`, if these bytes begin with one.
fn first_boundary(bytes: &[u8], at: usize) -> Option<usize> {
    let is_framed = bytes.is_empty() || ws::server_frame_len(bytes).is_some();
    if is_framed { boundary_from(bytes, 0, at) } else { None }
}

/// The first beginning of a frame at or behind `at`, from one that is known.
fn boundary_from(bytes: &[u8], mut boundary: usize, at: usize) -> Option<usize> {
    while boundary < at {
        boundary += ws::server_frame_len(bytes.get(boundary..)?)?;
    }
    (boundary <= bytes.len()).then_some(boundary)
}

#[cfg(test)]
#[path = "backlog_tests.rs"]
mod tests;
