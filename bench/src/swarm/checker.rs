//! The sink that believes nothing: each client's series is checked for loss, repeats and order, each
//! message's bytes for their form (and, where they were foretold, for every byte), and its age goes into a histogram. It does not decide whether a run was
//! good; [`Faults`] says what was wrong.

use std::fmt;

use super::sequence::Arrival;
use super::{Histogram, Sequence, Sink};
use crate::payload::Stamp;

/// Checks one numbered series at every client.
pub struct Checker {
    payload_bytes: usize,
    clients: Vec<Sequence>,
    latency: Histogram,
    delivered: u64,
    faults: Faults,
    /// Whole payloads that must come, by their sequence modulo [`EXPECTED_MAX`]; empty if none was foretold.
    expected: Vec<Vec<u8>>,
}

/// What was wrong. All zero is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Messages that never came, over all clients.
    pub lost: u64,
    /// Messages that came again.
    pub repeated: u64,
    /// Messages that came after a later one.
    pub disordered: u64,
    /// Events that are no `msg` of the right form and length.
    pub malformed: u64,
    /// Clients whose connection ended.
    pub disconnected: u64,
}

impl Faults {
    /// Whether there was none.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Faults::default()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} lost, {} repeated, {} out of order, {} malformed, {} disconnected",
            self.lost, self.repeated, self.disordered, self.malformed, self.disconnected
        )
    }
}

impl Checker {
    /// A checker for so many clients and payloads of exactly so many bytes.
    #[must_use]
    pub fn new(clients: usize, payload_bytes: usize) -> Checker {
        Checker {
            payload_bytes,
            clients: vec![Sequence::default(); clients],
            latency: Histogram::default(),
            delivered: 0,
            faults: Faults::default(),
            expected: Vec::new(),
        }
    }

    /// From now on the message of this sequence must be exactly this.
    pub fn expect(&mut self, sequence: u32, payload: &[u8]) {
        self.expected.resize(EXPECTED_MAX, Vec::new());
        if let Some(place) = self.expected.get_mut(sequence as usize % EXPECTED_MAX) {
            place.clear();
            place.extend_from_slice(payload);
        }
    }

    /// Messages that came, of the right form, over all clients.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// Their ages.
    #[must_use]
    pub fn latency(&self) -> &Histogram {
        &self.latency
    }

    /// Puts other ages in the place of those so far, which it returns: for messages that are not measured between others that are.
    pub fn replace_latency(&mut self, ages: Histogram) -> Histogram {
        std::mem::replace(&mut self.latency, ages)
    }

    /// Forgets the ages so far: the measured part begins.
    pub fn clear_latency(&mut self) {
        self.latency.clear();
    }

    /// Ends the series: all numbers below `end` of a client were sent to it, and a new series may begin at 0.
    /// Faults add up.
    pub fn end_series(&mut self, end: impl Fn(usize) -> u32) {
        let clients = self.clients.iter().enumerate();
        self.faults.lost += clients.map(|(index, client)| client.missing_below(end(index))).sum::<u64>();
        self.clients.fill(Sequence::default());
    }

    /// What was wrong in all series that have ended, apart from disconnected clients, which only the swarm
    /// knows.
    #[must_use]
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// Whether the message is what was foretold, if anything was.
    #[inline]
    fn is_as_expected(&self, sequence: u32, packet: &[u8]) -> bool {
        self.expected.is_empty()
            || self.expected.get(sequence as usize % EXPECTED_MAX).is_some_and(|expected| {
                Stamp::payload_of(packet).is_some_and(|payload| payload == expected.as_slice())
            })
    }

    #[cold]
    fn note_fault(&mut self, arrival: Arrival) {
        match arrival {
            Arrival::Late => self.faults.disordered += 1,
            Arrival::Repeated => self.faults.repeated += 1,
            Arrival::InOrder | Arrival::Ahead => {}
        }
    }
}

impl Sink for Checker {
    #[inline]
    fn packet(&mut self, client: usize, packet: &[u8], now_ns: u64) {
        if client >= self.clients.len() {
            return; // a visitor: nobody promised it anything
        }
        let stamp = Stamp::of_packet(packet, self.payload_bytes);
        let Some(stamp) = stamp.filter(|stamp| self.is_as_expected(stamp.sequence, packet)) else {
            self.faults.malformed += 1;
            return;
        };
        let Some(sequence) = self.clients.get_mut(client) else { return };
        let arrival = sequence.note(stamp.sequence);
        if arrival != Arrival::InOrder {
            self.note_fault(arrival);
        }
        if arrival != Arrival::Repeated {
            self.delivered += 1;
        }
        self.latency.record(now_ns.saturating_sub(stamp.sent_ns));
    }
}

/// Messages that may be foretold at a time: more than are ever under way.
const EXPECTED_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{PREFIX, SUFFIX};

    #[test]
    fn a_foretold_message_is_compared_byte_by_byte() {
        let mut checker = Checker::new(1, BYTES);
        let payload = Stamp { sequence: 0, sent_ns: 9 }.payload(BYTES);
        checker.expect(0, payload.as_bytes());
        checker.packet(0, &[PREFIX, payload.replace('.', "x").as_bytes(), SUFFIX].concat(), 10);
        assert_eq!((checker.faults().malformed, checker.delivered()), (1, 0));
        checker.packet(0, &[PREFIX, payload.as_bytes(), SUFFIX].concat(), 10);
        assert_eq!((checker.faults().malformed, checker.delivered()), (1, 1));
    }

    #[test]
    fn visitors_are_promised_nothing() {
        let mut checker = Checker::new(1, BYTES);
        checker.packet(1, b"42[\"msg\",\"x\"]", 0);
        assert!(checker.faults().is_none());
    }

    const BYTES: usize = 30;

    fn checked(clients: &[&[u32]], end: u32) -> Checker {
        let mut checker = Checker::new(clients.len(), BYTES);
        for (client, numbers) in clients.iter().enumerate() {
            for sequence in *numbers {
                let payload = Stamp { sequence: *sequence, sent_ns: 1000 }.payload(BYTES);
                checker.packet(client, &[PREFIX, payload.as_bytes(), SUFFIX].concat(), 4000);
            }
        }
        checker.end_series(|_| end);
        checker
    }

    #[test]
    fn a_good_run_has_no_faults_and_a_latency() {
        let checker = checked(&[&[0, 1, 2], &[0, 1, 2]], 3);
        assert!(checker.faults().is_none());
        assert_eq!(checker.delivered(), 6);
        assert!((3000..3100).contains(&checker.latency().quantile_ns(0.5)));
    }

    #[test]
    fn ages_of_what_is_not_measured_are_not_among_those_of_what_is() {
        let mut checker = checked(&[&[0, 1]], 2);
        let ages = checker.replace_latency(Histogram::default());
        let payload = Stamp { sequence: 0, sent_ns: 0 }.payload(BYTES);
        checker.packet(0, &[PREFIX, payload.as_bytes(), SUFFIX].concat(), 9_000_000);
        let others = checker.replace_latency(ages);
        assert!((3000..3100).contains(&checker.latency().quantile_ns(1.0)));
        assert!(others.quantile_ns(0.0) > 8_000_000);
        assert_eq!(checker.delivered(), 3, "it came, and counts");
    }

    #[test]
    fn loss_at_one_client_is_seen() {
        assert_eq!(checked(&[&[0, 1, 2], &[0, 2]], 3).faults().lost, 1);
        assert_eq!(checked(&[&[0, 1, 2], &[]], 3).faults().lost, 3);
    }

    #[test]
    fn repeats_and_disorder_are_told_apart() {
        let faults = checked(&[&[0, 0, 1], &[1, 0]], 2).faults();
        assert_eq!((faults.repeated, faults.disordered, faults.lost), (1, 1, 0));
    }

    #[test]
    fn repeats_do_not_count_as_deliveries() {
        assert_eq!(checked(&[&[0, 0, 1]], 2).delivered(), 2);
    }

    #[test]
    fn foreign_events_are_malformed() {
        let mut checker = Checker::new(1, BYTES);
        checker.packet(0, br#"42["msg","short"]"#, 0);
        checker.packet(0, b"41", 0);
        assert_eq!(checker.faults().malformed, 2);
    }

    #[test]
    fn a_new_series_starts_at_zero_and_faults_add_up() {
        let mut checker = checked(&[&[0, 1]], 3);
        checker.end_series(|_| 2);
        assert_eq!(checker.faults().lost, 1 + 2);
    }
}
