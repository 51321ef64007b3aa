//! When each client heard its server's pings, and how late they were. It sends no pong; the swarm does.
//!
//! A ping is due one interval after the one before it came: that is what a client goes by, which gives its server up
//! one timeout later. A server that counts from the pong (the reference, this engine, Bun's) shows the time that the
//! pong waited and the time that the ping waited; one that pings by a fixed schedule (socketioxide) shows how its
//! delay grows, and is measured kindly. Whoever is early was not late. What has not come by the end is as late as it is then.

use super::Histogram;

/// The pings of the first so many clients.
pub struct Heartbeats {
    interval_ns: u64,
    /// When each client's last ping came; none yet.
    last_ns: Vec<Option<u64>>,
    late: Histogram,
}

impl Heartbeats {
    /// Of so many clients, whose server promised a ping each `interval_ns`.
    #[must_use]
    pub fn new(clients: usize, interval_ns: u64) -> Heartbeats {
        Heartbeats { interval_ns, last_ns: vec![None; clients], late: Histogram::default() }
    }

    /// A ping came.
    pub fn note(&mut self, client: usize, now_ns: u64) {
        let Some(last_ns) = self.last_ns.get_mut(client) else { return };
        if let Some(before_ns) = last_ns.replace(now_ns) {
            self.late.record(now_ns.saturating_sub(before_ns + self.interval_ns));
        }
    }

    /// Forgets how late pings were, not when they came: the measured part begins.
    pub fn clear_lateness(&mut self) {
        self.late.clear();
    }

    /// The measured part ends: whose ping is due and not there has waited so long.
    pub fn end(&mut self, now_ns: u64) {
        let due = self.last_ns.iter().flatten().map(|last_ns| last_ns + self.interval_ns);
        due.filter(|due_ns| *due_ns < now_ns).for_each(|due_ns| self.late.record(now_ns - due_ns));
    }

    /// How late pings were.
    #[must_use]
    pub fn lateness(&self) -> &Histogram {
        &self.late
    }

    /// Clients that have heard no ping at all.
    #[must_use]
    pub fn silent(&self) -> usize {
        self.last_ns.iter().filter(|last_ns| last_ns.is_none()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL_NS: u64 = 1_000_000;

    fn max_of(heartbeats: &Heartbeats) -> u64 {
        heartbeats.lateness().quantile_ns(1.0)
    }

    #[test]
    fn a_ping_is_due_one_interval_after_the_last() {
        let mut heartbeats = Heartbeats::new(1, INTERVAL_NS);
        heartbeats.note(0, 500);
        assert!(heartbeats.lateness().is_empty(), "the first one starts the clock");
        heartbeats.note(0, 500 + INTERVAL_NS + 20);
        assert_eq!((heartbeats.lateness().len(), max_of(&heartbeats)), (1, 20));
        heartbeats.note(0, 500 + 2 * INTERVAL_NS);
        assert_eq!(heartbeats.lateness().quantile_ns(0.5), 0, "an early one was not late");
    }

    #[test]
    fn a_server_that_stops_pinging_does_not_look_punctual() {
        let mut heartbeats = Heartbeats::new(2, INTERVAL_NS);
        heartbeats.note(0, 0);
        heartbeats.note(1, INTERVAL_NS);
        heartbeats.end(INTERVAL_NS + 30);
        assert_eq!((heartbeats.lateness().len(), max_of(&heartbeats)), (1, 30));
    }

    #[test]
    fn when_the_measured_part_begins_the_clocks_go_on() {
        let mut heartbeats = Heartbeats::new(1, INTERVAL_NS);
        heartbeats.note(0, 0);
        heartbeats.note(0, 2 * INTERVAL_NS);
        heartbeats.clear_lateness();
        assert!(heartbeats.lateness().is_empty());
        heartbeats.note(0, 3 * INTERVAL_NS + 7);
        assert_eq!((heartbeats.lateness().len(), max_of(&heartbeats)), (1, 7));
    }

    #[test]
    fn visitors_are_not_counted_and_who_heard_nothing_is_silent() {
        let mut heartbeats = Heartbeats::new(2, INTERVAL_NS);
        heartbeats.note(0, 1);
        heartbeats.note(2, 1);
        assert_eq!(heartbeats.silent(), 1);
    }
}
