//! What each core has done and holds, and its text for Prometheus.
//!
//! Not kept anywhere: a scrape asks every core, so that counting costs a plain addition.

use std::fmt::Write;

use socketville_hub::{Counters, Gauges};

/// Totals of one core's loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreCounters {
    /// Turns of the loop.
    pub turns: u64,
    /// Nanoseconds of those turns, without sleep.
    pub turn_ns: u64,
    /// The longest turn in nanoseconds.
    pub turn_ns_max: u64,
    /// Sends handed to the kernel.
    pub sends: u64,
    /// Sends that the kernel did not take whole.
    pub sends_refused: u64,
    /// Bytes handed to the kernel.
    pub bytes_out: u64,
    /// Handlers called.
    pub handlers_called: u64,
    /// Handlers that panicked; an event's closed its client, a route's answered 500.
    pub handler_panics: u64,
    /// Events whose arguments did not fit their handler.
    pub arguments_refused: u64,
    /// Events without a handler.
    pub events_unhandled: u64,
    /// Tasks not started: those that the application spawned past the limit.
    pub tasks_refused: u64,
    /// Times that a client was not read on since as many of its handlers as may were waiting.
    pub reads_paused: u64,
    /// Times that the rest of what a client sent had to wait for a later turn.
    pub reads_put_off: u64,
    /// Times that a client whose events made records waited for a core that was behind with them.
    pub reads_stalled: u64,
    /// Letters not delivered to another core that stood still; its clients are cut.
    pub records_dropped: u64,
    /// Times that this core stood still for so long that it missed something, and cut its clients.
    pub standstills: u64,
    /// Broadcasts whose answers are owed now; a gauge.
    pub answers_owed: u64,
    /// Failed accepts, mostly for want of descriptors.
    pub accept_errors: u64,
    /// Connections closed as soon as they were accepted, since there was no descriptor or no place to keep them by.
    pub accepts_refused: u64,
    /// Connections closed on their way to their session's core, for it had too many on their way.
    pub passes_refused: u64,
    /// Connections that went to their session's core.
    pub connections_passed: u64,
    /// Connections that left for the mounted service.
    pub connections_handed_over: u64,
}

impl CoreCounters {
    /// A turn has ended.
    pub(crate) fn took(&mut self, time: std::time::Duration) {
        let ns = time.as_nanos() as u64;
        self.turn_ns += ns;
        self.turn_ns_max = self.turn_ns_max.max(ns);
    }
}

/// One core, at the moment of asking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CoreReport {
    /// Which core.
    pub core: u16,
    /// What it holds.
    pub gauges: Gauges,
    /// What its hub has done.
    pub hub: Counters,
    /// What its loop has done.
    pub turns: CoreCounters,
}

/// Name, kind, help and value of a metric.
type Metric = (&'static str, &'static str, &'static str, fn(&CoreReport) -> f64);

const METRICS: &[Metric] = &[
    ("connections", "gauge", "TCP connections.", |r| r.gauges.connections as f64),
    ("connections_lingering", "gauge", "Closing TCP connections whose peer may still be sending.", |r| {
        r.gauges.connections_lingering as f64
    }),
    ("sessions", "gauge", "Engine.IO sessions.", |r| r.gauges.sessions as f64),
    ("sessions_v3", "gauge", "Engine.IO sessions of revision 3: clients 2.x.", |r| {
        r.gauges.sessions_v3 as f64
    }),
    ("sockets", "gauge", "Socket.IO sockets.", |r| r.gauges.sockets as f64),
    ("rooms", "gauge", "Rooms with at least one socket, own-id rooms not counted.", |r| {
        r.gauges.rooms as f64
    }),
    ("shed_total", "counter", "Connections cut since their core held too much.", |r| r.hub.shed as f64),
    ("shed_of_address_total", "counter", "Those of them whose address held more than its share.", |r| {
        r.hub.shed_of_address as f64
    }),
    ("saved_shed_total", "counter", "Lost clients forgotten since their core held too much.", |r| {
        r.hub.saved_shed as f64
    }),
    ("connections_of_address_refused_total", "counter", "Connections over their address's share.", |r| {
        r.hub.connections_of_address_refused as f64
    }),
    ("sessions_of_address_refused_total", "counter", "Sessions over their address's share.", |r| {
        r.hub.sessions_of_address_refused as f64
    }),
    (
        "descriptors_refused_total",
        "counter",
        "Connections on the last descriptors that were answered 503, or cut.",
        |r| r.hub.descriptors_refused as f64,
    ),
    ("sessions_refused_total", "counter", "Sessions refused since their core held too much.", |r| {
        r.hub.sessions_refused as f64
    }),
    ("held_bytes", "gauge", "Bytes held for peers, the arena not included.", |r| r.gauges.held_bytes as f64),
    ("arena_bytes", "gauge", "Bytes that wait for the flush.", |r| r.gauges.arena_bytes as f64),
    ("connections_opened_total", "counter", "TCP connections opened.", |r| r.hub.connections_opened as f64),
    ("connections_refused_total", "counter", "TCP connections over the limit.", |r| {
        r.hub.connections_refused as f64
    }),
    ("accept_errors_total", "counter", "Failed accepts, mostly for want of descriptors.", |r| {
        r.turns.accept_errors as f64
    }),
    ("accepts_refused_total", "counter", "Connections closed for want of a descriptor or a place.", |r| {
        r.turns.accepts_refused as f64
    }),
    (
        "passes_refused_total",
        "counter",
        "Connections closed on their way to a core that had too many.",
        |r| r.turns.passes_refused as f64,
    ),
    ("joins_refused_total", "counter", "Joins of rooms refused by a limit.", |r| r.hub.joins_refused as f64),
    ("recovered_total", "counter", "Lost clients that came back with all they missed.", |r| {
        r.hub.recovered as f64
    }),
    ("recoveries_crowded_total", "counter", "Lost clients not kept since too many were.", |r| {
        r.hub.recoveries_crowded as f64
    }),
    (
        "namespaces_crowded_total",
        "counter",
        "CONNECTs refused since a client had too many namespaces.",
        |r| r.hub.namespaces_crowded as f64,
    ),
    ("arguments_refused_total", "counter", "Events whose arguments did not fit their handler.", |r| {
        r.turns.arguments_refused as f64
    }),
    ("connections_handed_over_total", "counter", "Connections that left for the mounted service.", |r| {
        r.turns.connections_handed_over as f64
    }),
    ("connections_passed_total", "counter", "Connections that went to their session's core.", |r| {
        r.turns.connections_passed as f64
    }),
    ("refused_transport_total", "counter", "Requests refused with code 0, transport unknown.", |r| {
        r.hub.requests_refused[0] as f64
    }),
    ("refused_session_total", "counter", "Requests refused with code 1, session unknown.", |r| {
        r.hub.requests_refused[1] as f64
    }),
    ("refused_method_total", "counter", "Requests refused with code 2, bad handshake method.", |r| {
        r.hub.requests_refused[2] as f64
    }),
    ("refused_request_total", "counter", "Requests refused with code 3, bad request.", |r| {
        r.hub.requests_refused[3] as f64
    }),
    ("refused_forbidden_total", "counter", "Requests refused with code 4, forbidden.", |r| {
        r.hub.requests_refused[4] as f64
    }),
    (
        "refused_version_total",
        "counter",
        "Requests refused with code 5, unsupported protocol version.",
        |r| r.hub.requests_refused[5] as f64,
    ),
    ("requests_total", "counter", "HTTP requests.", |r| r.hub.requests as f64),
    ("ids_refused_total", "counter", "Ids of `generate_id` that were none, or taken.", |r| {
        r.hub.ids_refused as f64
    }),
    ("upgrades_total", "counter", "Sessions that went from polling to WebSocket.", |r| r.hub.upgrades as f64),
    ("packets_in_total", "counter", "Packets received.", |r| r.hub.packets_in as f64),
    ("bytes_in_total", "counter", "Bytes received.", |r| r.hub.bytes_in as f64),
    ("records_total", "counter", "Broadcasts made.", |r| r.hub.records as f64),
    ("records_in_total", "counter", "Broadcasts of other cores received.", |r| r.hub.records_in as f64),
    ("emits_total", "counter", "Emits.", |r| r.hub.emits as f64),
    ("encodes_total", "counter", "Packets encoded; equals the emits.", |r| r.hub.encodes as f64),
    ("encodes_v3_total", "counter", "Packets with binary written once more for clients 2.x.", |r| {
        r.hub.encodes_v3 as f64
    }),
    ("deflates_total", "counter", "Packets compressed; a broadcast counts once a core and window.", |r| {
        r.hub.deflates as f64
    }),
    ("deflate_bytes_in_total", "counter", "Bytes of those packets before.", |r| {
        r.hub.deflate_bytes_in as f64
    }),
    ("deflate_bytes_out_total", "counter", "Bytes of those packets after.", |r| {
        r.hub.deflate_bytes_out as f64
    }),
    (
        "poll_deflates_total",
        "counter",
        "Answers to polls compressed; the same bytes for many count once.",
        |r| r.hub.poll_deflates as f64,
    ),
    (
        "polls_uncompressed_total",
        "counter",
        "Answers to polls sent as they are, since their turn had compressed enough.",
        |r| r.hub.polls_uncompressed as f64,
    ),
    ("frames_total", "counter", "Frames that became due to a socket.", |r| r.hub.frames_out as f64),
    ("sends_total", "counter", "Sends handed to the kernel.", |r| r.turns.sends as f64),
    ("sends_refused_total", "counter", "Sends that the kernel did not take whole.", |r| {
        r.turns.sends_refused as f64
    }),
    ("bytes_out_total", "counter", "Bytes handed to the kernel.", |r| r.turns.bytes_out as f64),
    ("flushes_early_total", "counter", "Flushes of all that waited, since the arena was full.", |r| {
        r.hub.flushes_early as f64
    }),
    ("volatile_dropped_total", "counter", "Volatile frames dropped.", |r| r.hub.volatile_dropped as f64),
    ("slow_cut_total", "counter", "Connections cut since they did not read.", |r| r.hub.slow_cut as f64),
    ("records_dropped_total", "counter", "Broadcasts and orders dropped since a core stood still.", |r| {
        r.turns.records_dropped as f64
    }),
    (
        "standstills_total",
        "counter",
        "Times a core stood still, missed something and cut its clients.",
        |r| r.turns.standstills as f64,
    ),
    ("answers_owed", "gauge", "Broadcasts that wait for acknowledgements of clients of this core.", |r| {
        r.turns.answers_owed as f64
    }),
    ("ping_timeouts_total", "counter", "Sessions ended without a pong.", |r| r.hub.ping_timeouts as f64),
    ("tasks_refused_total", "counter", "Spawned tasks not started, over the limit.", |r| {
        r.turns.tasks_refused as f64
    }),
    (
        "reads_paused_total",
        "counter",
        "Times a client was not read on, with too many handlers waiting.",
        |r| r.turns.reads_paused as f64,
    ),
    (
        "messages_delayed_total",
        "counter",
        "Large messages and bodies that were not read on, since handlers held much.",
        |r| r.hub.messages_delayed as f64,
    ),
    (
        "reads_put_off_total",
        "counter",
        "Times the rest of what a client sent waited for a later turn.",
        |r| r.turns.reads_put_off as f64,
    ),
    (
        "reads_stalled_total",
        "counter",
        "Times a client that makes broadcasts waited for a core that was behind with them.",
        |r| r.turns.reads_stalled as f64,
    ),
    (
        "gaps_total",
        "counter",
        "Times in which a core did not run though it was due: stopped, or held up.",
        |r| r.hub.gaps as f64,
    ),
    ("protocol_errors_total", "counter", "Faults of peers.", |r| r.hub.protocol_errors as f64),
    ("handler_panics_total", "counter", "Handlers that panicked.", |r| r.turns.handler_panics as f64),
    ("events_unhandled_total", "counter", "Events without a handler.", |r| r.turns.events_unhandled as f64),
    ("turns_total", "counter", "Turns of the loop.", |r| r.turns.turns as f64),
    ("turn_seconds_total", "counter", "Time in turns, without sleep.", |r| r.turns.turn_ns as f64 / 1e9),
    ("turn_seconds_max", "gauge", "The longest turn.", |r| r.turns.turn_ns_max as f64 / 1e9),
];

/// Text for Prometheus, one series a core, and sends per frame over all.
pub fn render(reports: &[CoreReport]) -> String {
    let mut out = String::with_capacity(8192);
    for (name, kind, help, value) in METRICS {
        let _ = writeln!(out, "# HELP socketville_{name} {help}\n# TYPE socketville_{name} {kind}");
        for report in reports {
            let _ = writeln!(out, "socketville_{name}{{core=\"{}\"}} {}", report.core, value(report));
        }
    }
    let help = "Sends divided by frames since start; the smaller, the better frames were put together.";
    let _ =
        writeln!(out, "# HELP socketville_sends_per_frame {help}\n# TYPE socketville_sends_per_frame gauge");
    let _ = writeln!(out, "socketville_sends_per_frame {}", sends_per_frame(reports));
    out
}

/// Sends divided by frames, over all cores; 0 without frames.
pub fn sends_per_frame(reports: &[CoreReport]) -> f64 {
    let sends: u64 = reports.iter().map(|report| report.turns.sends).sum();
    let frames: u64 = reports.iter().map(|report| report.hub.frames_out).sum();
    if frames == 0 { 0.0 } else { sends as f64 / frames as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is refused, dropped or cut is counted where operators look.
    #[test]
    fn every_refusal_is_a_metric() {
        let report = format!("{:?}", CoreReport::default());
        let fields = report.split(['{', '}', ',']).filter_map(|part| part.trim().split_once(": "));
        let is_refusal = |name: &str| {
            ["_refused", "_dropped", "_crowded", "_cut", "_errors", "_panics", "_unhandled", "_timeouts"]
                .iter()
                .any(|end| name.ends_with(end))
        };
        let refusals: Vec<_> = fields.map(|(name, _)| name).filter(|name| is_refusal(name)).collect();
        assert!(refusals.len() > 10, "{refusals:?}");
        for name in refusals.into_iter().filter(|name| *name != "requests_refused") {
            let metric = format!("{name}_total");
            assert!(METRICS.iter().any(|(known, ..)| *known == metric), "{metric} is no metric");
        }
    }

    #[test]
    fn every_metric_has_help_kind_and_a_line_per_core() {
        let reports = [CoreReport::default(), CoreReport { core: 1, ..CoreReport::default() }];
        let text = render(&reports);
        for (name, kind, ..) in METRICS {
            assert!(text.contains(&format!("# TYPE socketville_{name} {kind}\n")));
            assert!(text.contains(&format!("socketville_{name}{{core=\"1\"}} 0\n")));
        }
    }
}
