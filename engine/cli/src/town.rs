//! The town's figures, told to every client of the demo once a second.
//!
//! Not the metrics: these are for people who watch a page, `/metrics` is for machines.

use std::time::{Duration, Instant};

use serde::Serialize;
use socketville::{CoreReport, Emitter, QueryError, sleep};

/// What does not change while the server runs.
#[derive(Debug, Clone)]
pub(crate) struct Constants {
    /// All namespaces.
    pub(crate) namespaces: Vec<String>,
    /// `io_uring` or `epoll`.
    pub(crate) driver: &'static str,
}

/// The event `town`.
#[derive(Debug, Serialize)]
struct Town<'a> {
    connections: usize,
    sockets: usize,
    rooms: &'a [Room],
    deliveries_per_second: u64,
    sends_per_frame: f64,
    records: u64,
    cores: usize,
    driver: &'static str,
    uptime_s: u64,
}

#[derive(Debug, Serialize)]
struct Room {
    name: String,
    members: usize,
}

/// Sums over all cores since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    frames: u64,
    sends: u64,
    records: u64,
    connections: usize,
    sockets: usize,
}

impl Totals {
    fn of(reports: &[CoreReport]) -> Self {
        reports.iter().fold(Self::default(), |sum, report| Self {
            frames: sum.frames + report.hub.frames_out,
            sends: sum.sends + report.turns.sends,
            records: sum.records + report.hub.records,
            connections: sum.connections + report.gauges.connections,
            sockets: sum.sockets + report.gauges.sockets,
        })
    }

    /// Frames a second since `before`, rounded.
    fn deliveries_per_second(&self, before: &Self, time: Duration) -> u64 {
        let frames = self.frames.saturating_sub(before.frames);
        if time.is_zero() { 0 } else { (frames as f64 / time.as_secs_f64()).round() as u64 }
    }

    /// Sends divided by frames since `before`, to three digits; 0 without frames.
    fn sends_per_frame(&self, before: &Self) -> f64 {
        let frames = self.frames.saturating_sub(before.frames);
        let sends = self.sends.saturating_sub(before.sends);
        if frames == 0 { 0.0 } else { (sends as f64 / frames as f64 * 1000.0).round() / 1000.0 }
    }
}

/// Tells the figures for ever.
pub(crate) async fn tell(emitter: Emitter, constants: Constants) {
    let start = Instant::now();
    let (mut before, mut told) = (Totals::default(), start);
    loop {
        sleep(PERIOD).await;
        let totals = Totals::of(&emitter.reports().await);
        let now = Instant::now();
        if totals.sockets > 0 {
            let town = Town {
                connections: totals.connections,
                sockets: totals.sockets,
                rooms: &[],
                deliveries_per_second: totals.deliveries_per_second(&before, now - told),
                sends_per_frame: totals.sends_per_frame(&before),
                records: totals.records,
                cores: emitter.cores(),
                driver: constants.driver,
                uptime_s: start.elapsed().as_secs(),
            };
            tell_namespaces(&emitter, &constants.namespaces, town).await;
        }
        (before, told) = (totals, now);
    }
}

/// The same to each namespace, but for its own rooms.
async fn tell_namespaces(emitter: &Emitter, namespaces: &[String], town: Town<'_>) {
    for namespace in namespaces {
        let rooms = emitter.rooms(namespace, ROOMS_TOLD_MAX).await.unwrap_or_else(QueryError::into_found);
        let rooms: Vec<_> = rooms.into_iter().map(|(name, members)| Room { name, members }).collect();
        emitter.of(namespace).emit("town", Town { rooms: &rooms, ..town });
    }
}

/// Once a second: as often as a person reads a number.
const PERIOD: Duration = Duration::from_secs(1);

/// Rooms that are told, the largest of each namespace: as many houses as fit into a street.
const ROOMS_TOLD_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_those_of_the_last_period() {
        let before = Totals { frames: 1000, sends: 900, ..Totals::default() };
        let now = Totals { frames: 5000, sends: 1400, ..Totals::default() };
        assert_eq!(now.deliveries_per_second(&before, Duration::from_secs(2)), 2000);
        assert!((now.sends_per_frame(&before) - 0.125).abs() < f64::EPSILON);
    }

    #[test]
    fn nothing_happened_is_zero() {
        let totals = Totals { frames: 7, sends: 7, ..Totals::default() };
        assert_eq!(totals.deliveries_per_second(&totals, Duration::from_secs(1)), 0);
        assert_eq!(totals.deliveries_per_second(&Totals::default(), Duration::ZERO), 0);
        assert!(totals.sends_per_frame(&totals).abs() < f64::EPSILON);
    }

    #[test]
    fn totals_are_sums_over_cores() {
        let mut report = CoreReport::default();
        (report.hub.frames_out, report.hub.records, report.turns.sends) = (10, 3, 2);
        (report.gauges.connections, report.gauges.sockets) = (5, 4);
        let expected = Totals { frames: 20, sends: 4, records: 6, connections: 10, sockets: 8 };
        assert_eq!(Totals::of(&[report, report]), expected);
    }
}
