//! What a comparison asks: chapters of one question each, their rows of one load each, and who faces it. It
//! runs nothing, but it knows how long it will take, so that nobody begins a run that does not end in time.

mod rounds;
mod timing;

use crate::idle::Prelude;
use crate::scenario::{Audience, Content, Load, Work};
use crate::swarm::Transport;

/// One question.
#[derive(Clone, Debug)]
pub struct Chapter {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is asked.
    pub question: &'static str,
    /// The loads that answer it.
    pub rows: Vec<Row>,
    /// Where server and swarm meet.
    pub place: Place,
}

/// Where server and swarm meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On loopback.
    Loopback,
    /// In network namespaces of their own: see [`crate::apart`]. It needs root and takes its time, so such a chapter is
    /// measured when it is named, and is no part of the whole.
    Apart,
}

/// One load and who faces it.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is, in a few words.
    pub title: String,
    /// The load.
    pub trial: Trial,
    /// What of the outcome is compared.
    pub figure: Figure,
    /// Names of contestants; ratios are against the first.
    pub names: &'static [&'static str],
}

/// What is done with a server.
#[derive(Clone, Copy, Debug)]
pub enum Trial {
    /// A load.
    Load(Load),
    /// So many connections that say nothing, after a prelude.
    Idle(usize, Prelude),
}

/// What of an outcome is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// CPU of the server per unit, us.
    Cpu,
    /// The age of a broadcast that 99 of 100 did not exceed, ms.
    Age,
    /// How late a ping came that 99 of 100 did not exceed, ms.
    Lateness,
    /// Resident memory of the server per client, bytes.
    Memory,
}

/// The sizes of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// What is quoted.
    Whole,
    /// Few clients, for moments: does everything work?
    Smoke,
}

/// All chapters, in the order of the tables.
#[must_use]
pub fn chapters(size: Size) -> Vec<Chapter> {
    let mut chapters = vec![
        fanout(),
        burst(),
        rooms(),
        large(),
        deflate(),
        polling(),
        echo(),
        connect(),
        idle(),
        windows(),
        churn(),
        storm(),
        cores(),
        timing::pulse(),
        timing::interval(),
        ceiling(),
        runtimes(),
        apart(),
    ];
    if size == Size::Smoke {
        chapters.iter_mut().flat_map(|chapter| &mut chapter.rows).for_each(Row::shrink);
    }
    chapters
}

const PEERS: &[&str] = &["floor-ring", "ours", "uwebsockets", "socketioxide", "bun", "node"];
const PEERS_X16: &[&str] = &["floor-ring-x16", "ours", "uwebsockets", "socketioxide", "bun", "node"];
const APART: &[&str] = &["floor-ring", "ours", "socketioxide"];
const APART_X16: &[&str] = &["floor-ring-x16", "ours", "socketioxide"];
const SERVERS: &[&str] = &["ours", "socketioxide", "bun", "node"];
const TWO_CORES: &[&str] =
    &["floor-ring", "floor-ring-2-cores", "ours", "ours-2-cores", "socketioxide", "socketioxide-2-cores"];
const TWO_CORES_X16: &[&str] = &["floor-ring-x16", "floor-ring-x16-2-cores", "ours", "ours-2-cores"];
const TWO_CORES_SHARED: &[&str] = &["ours", "ours-2-cores"];
const DEFLATERS: &[&str] =
    &["floor-ring-deflate", "floor-ring", "ours-deflate", "ours", "node-deflate", "node-deflate-fresh"];
const DEFLATERS_X16: &[&str] =
    &["floor-ring-x16-deflate", "floor-ring-x16", "ours-deflate", "ours", "node-deflate"];

fn chapter(name: &'static str, question: &'static str, rows: Vec<Row>) -> Chapter {
    Chapter { name, question, rows, place: Place::Loopback }
}

fn row(title: &str, load: Load, names: &'static [&'static str]) -> Row {
    Row { title: title.to_owned(), trial: Trial::Load(load), figure: Figure::Cpu, names }
}

fn paced(clients: usize, rate: f64, seconds: f64) -> Load {
    Load { clients, work: Work::Paced { rate, seconds }, ..Load::default() }
}

fn ceiling() -> Chapter {
    let rows = vec![row(
        "50 a second to 1000 clients",
        paced(1000, 50.0, 1.0),
        &["floor-ring", "floor-send", "floor-epoll"],
    )];
    chapter("ceiling", "What does the kernel alone cost, by which way in?", rows)
}

fn runtimes() -> Chapter {
    let names = &["floor-ring", "tokio", "monoio", "tokio-uring"];
    let names_x16 = &["floor-ring-x16", "tokio", "monoio", "tokio-uring"];
    let closed = Load { work: Work::Closed { outstanding: 4, seconds: 0.8 }, ..Load::default() };
    let rows = vec![
        row("50 a second to 1000 clients", paced(1000, 50.0, 1.0), names),
        row("closed loop of 4, 1000 clients", closed, names_x16),
    ];
    chapter("runtimes", "What would the same fan-out cost as tasks of a runtime?", rows)
}

/// In the paced row a second and a half, so that ten milliseconds, in which the kernel counts what cores do, are few; and 40 a second instead of 50:
/// here receiving is the dearer half, and the swarm is to be busy for less than half of the time.
fn apart() -> Chapter {
    let burst = Load { work: Work::Burst { count: 960, every: 16, repeats: 1 }, ..Load::default() };
    let closed = Load { work: Work::Closed { outstanding: 4, seconds: 0.8 }, ..Load::default() };
    let rows = vec![
        row("40 a second to 1000 clients", paced(1000, 40.0, 1.5), APART),
        row("burst of 960, yield after 16, 1000 clients", burst, APART_X16),
        row("closed loop of 4, 1000 clients", closed, APART_X16),
    ];
    let question = "What does a delivery cost when who receives pays for receiving?";
    Chapter { place: Place::Apart, ..chapter("apart", question, rows) }
}

fn fanout() -> Chapter {
    let rows = vec![
        row("50 a second to 1000 clients", paced(1000, 50.0, 1.0), PEERS),
        row("5 a second to 10 000 clients", paced(10_000, 5.0, 1.2), PEERS),
    ];
    chapter("fanout", "What does a delivery cost when messages come one at a time?", rows)
}

fn burst() -> Chapter {
    let burst = Load { work: Work::Burst { count: 960, every: 16, repeats: 1 }, ..Load::default() };
    let closed = Load { work: Work::Closed { outstanding: 4, seconds: 0.8 }, ..Load::default() };
    let rows = vec![
        row("burst of 960, yield after 16, 1000 clients", burst, PEERS_X16),
        row("closed loop of 4, 1000 clients", closed, PEERS_X16),
    ];
    chapter("burst", "What does a delivery cost when messages wait for each other?", rows)
}

fn rooms() -> Chapter {
    let rooms = |work| Load { clients: 10_000, audience: Audience::Rooms(10), work, ..Load::default() };
    let rows = vec![
        row("3000 a second to 1000 rooms of 10", rooms(Work::Paced { rate: 3000.0, seconds: 0.8 }), PEERS),
        row(
            "closed loop of 64, 1000 rooms of 10",
            rooms(Work::Closed { outstanding: 64, seconds: 0.8 }),
            PEERS,
        ),
    ];
    chapter("rooms", "What does a delivery cost when a message is for ten of ten thousand?", rows)
}

fn large() -> Chapter {
    let large = |work| Load { bytes: 16 * 1024, work, ..Load::default() };
    // Several: in the first, windows are narrow still, and it is the swarm that is at work.
    let burst = Work::Burst { count: 50, every: 16, repeats: 6 };
    let rows = vec![
        row("16 KiB, 20 a second to 1000 clients", large(Work::Paced { rate: 20.0, seconds: 1.0 }), PEERS),
        row("16 KiB, burst of 50, 1000 clients", large(burst), PEERS_X16),
    ];
    chapter("large", "What does a delivery cost when the bytes are many?", rows)
}

fn deflate() -> Chapter {
    let json = |bytes, work| Load { bytes, content: Content::Json, work, warmup_s: 0.2, ..Load::default() };
    let volley = Work::Volley { count: 100, repeats: 1 };
    let mut rows = Vec::new();
    for (words, bytes) in [("1 KiB", 1024), ("4 KiB", 4096)] {
        for (rate, seconds) in [(5.0, 0.8), (20.0, 0.5)] {
            let title = format!("{words} JSON, {rate} a second to 1000 clients");
            rows.push(row(&title, json(bytes, Work::Paced { rate, seconds }), DEFLATERS));
        }
        let title = format!("{words} JSON, 100 at once to 1000 clients");
        rows.push(row(&title, json(bytes, volley), DEFLATERS_X16));
    }
    chapter("deflate", "What does compression cost per delivery, and what does it save on the wire?", rows)
}

fn polling() -> Chapter {
    let polling = |clients, rate, seconds| Load {
        transport: Transport::Polling,
        warmup_s: 0.2,
        ..paced(clients, rate, seconds)
    };
    let rows = vec![
        row("long-polling, 1 a second to 1000 clients", polling(1000, 1.0, 2.0), SERVERS),
        row("long-polling, 5 a second to 1000 clients", polling(1000, 5.0, 1.0), SERVERS),
        row("long-polling, 1 a second to 5000 clients", polling(5000, 1.0, 2.0), SERVERS),
        row("long-polling, 5 a second to 5000 clients", polling(5000, 5.0, 1.0), SERVERS),
    ];
    chapter("polling", "What does a delivery cost to clients that poll?", rows)
}

fn echo() -> Chapter {
    let load = Load { clients: 100, work: Work::Echo { in_flight: 8, seconds: 0.8 }, ..Load::default() };
    let rows = vec![row("echo with ack, 100 connections, 8 in flight each", load, PEERS)];
    chapter("echo", "What does a question with an answer cost?", rows)
}

fn connect() -> Chapter {
    let load = Load { clients: 2000, work: Work::Connect, ..Load::default() };
    let rows = vec![row("TCP, upgrade and CONNECT, 2000 times", load, PEERS)];
    chapter("connect", "What does it cost to let somebody in?", rows)
}

fn idle() -> Chapter {
    let row = Row {
        title: "10 000 idle clients".to_owned(),
        trial: Trial::Idle(10_000, Prelude::Silence),
        figure: Figure::Memory,
        names: PEERS,
    };
    chapter("idle", "How much memory does a client hold that says nothing?", vec![row])
}

fn windows() -> Chapter {
    let row = Row {
        title: "4000 clients, each of which has sent and got a message".to_owned(),
        trial: Trial::Idle(4000, Prelude::Exchange),
        figure: Figure::Memory,
        names: &["ours", "ours-deflate", "node-deflate"],
    };
    chapter("windows", "How much memory does compression hold for a client?", vec![row])
}

fn churn() -> Chapter {
    let load = Load { work: Work::Churn { rate: 20.0, visits: 200.0, seconds: 1.5 }, ..Load::default() };
    let title = "200 a second come and go, 1000 listen to 20 a second";
    let rows = vec![Row { figure: Figure::Age, ..row(title, load, SERVERS) }];
    chapter("churn", "What do those who listen notice of others who come and go?", rows)
}

fn storm() -> Chapter {
    let load = Load { work: Work::Storm { rate: 10.0, newcomers: 2000 }, ..Load::default() };
    let title = "2000 connect at once, 1000 listen to 10 a second";
    let rows = vec![Row { figure: Figure::Age, ..row(title, load, SERVERS) }];
    chapter("storm", "What do those who listen notice when many connect at once?", rows)
}

fn cores() -> Chapter {
    // A server that yields in between gathers less with two cores than with one: the same fan-out is one without yields.
    let phased = |clients, count| {
        let work = Work::Phased { count, every: count, phases: 6 };
        Load { clients, work, warmup_s: 0.0, ..Load::default() }
    };
    let rows = vec![
        row("one at a time to 10 000 clients, asleep meanwhile", phased(10_000, 1), TWO_CORES),
        row("64 at once to 5000 clients, asleep meanwhile", phased(5000, 64), TWO_CORES_X16),
        row(
            "50 a second to 1000 clients, reading on one of the cores",
            paced(1000, 50.0, 0.5),
            TWO_CORES_SHARED,
        ),
    ];
    chapter("cores", "What does a second core bring, and what does it cost?", rows)
}

impl Chapter {
    /// Seconds that it will take, roughly.
    #[must_use]
    pub fn seconds(&self, rounds: usize) -> f64 {
        let rows = self.rows.iter();
        rows.flat_map(|row| {
            row.names.iter().map(move |name| row.seconds(name) * row.rounds(name, rounds) as f64)
        })
        .sum()
    }
}

impl Row {
    /// Seconds of one measurement of somebody: starting, checking, connecting, working.
    #[must_use]
    pub fn seconds(&self, name: &str) -> f64 {
        let (start_s, connect_us, delivery_us, gathered_us) = match name {
            name if name.starts_with("node-deflate") => (0.6, 280.0, 170.0, 170.0),
            name if name.starts_with("node") => (0.6, 230.0, 16.0, 8.0),
            "bun" => (0.4, 120.0, 12.0, 7.0),
            "socketioxide" | "socketioxide-2-cores" => (0.1, 180.0, 12.0, 1.5),
            _ => (0.1, 70.0, 8.0, 0.6),
        };
        match self.trial {
            Trial::Idle(clients, _) => start_s + IDLE_FIXED_S + clients as f64 * connect_us / 1e6,
            Trial::Load(load) => {
                let connects = load.clients as f64 * connect_us / 1e6;
                let polls = if load.transport == Transport::Polling { 2.0 } else { 1.0 };
                start_s
                    + FIXED_S
                    + load.warmup_s
                    + polls * connects
                    + load.seconds(connect_us, delivery_us, gathered_us)
            }
        }
    }

    /// The same question of few clients, for a moment.
    fn shrink(&mut self) {
        match &mut self.trial {
            Trial::Idle(clients, _) => *clients = 200,
            Trial::Load(load) => {
                load.clients = load.clients.min(40);
                load.warmup_s = 0.0;
                load.work = load.work.shrunk();
            }
        }
    }
}

impl Load {
    /// Seconds of the measured part: as long as it says, or as long as the server needs.
    fn seconds(&self, connect_us: f64, delivery_us: f64, gathered_us: f64) -> f64 {
        let deliveries = |messages: f64| messages * self.clients as f64 * delivery_us / 1e6;
        let gathered = |messages: u32| f64::from(messages) * self.clients as f64 * gathered_us / 1e6;
        match self.work {
            Work::Paced { rate, seconds } => match self.audience {
                Audience::All => {
                    seconds.max(deliveries(rate * seconds)) + deliveries(f64::from(self.reheating()))
                }
                Audience::Rooms(_) => seconds,
            },
            Work::Closed { seconds, .. } | Work::Echo { seconds, .. } | Work::Churn { seconds, .. } => {
                seconds
            }
            Work::Burst { count, repeats, .. } | Work::Volley { count, repeats } => gathered(count * repeats),
            Work::Phased { count, phases, .. } => {
                let sending = if count == 1 { deliveries(1.0) } else { gathered(count) };
                f64::from(phases) * (sending + PHASE_FIXED_S)
            }
            Work::Pulse(pulse) => timing::seconds(pulse),
            Work::Connect => self.clients as f64 * connect_us / 1e6,
            Work::Storm { newcomers, .. } => newcomers as f64 * connect_us / 1e6,
        }
    }
}

impl Work {
    fn shrunk(self) -> Work {
        match self {
            Work::Paced { .. } => Work::Paced { rate: 20.0, seconds: 0.3 },
            Work::Burst { every, .. } => Work::Burst { count: 32, every, repeats: 1 },
            Work::Phased { count, every, .. } => Work::Phased { count, every, phases: 2 },
            Work::Volley { .. } => Work::Volley { count: 10, repeats: 1 },
            Work::Closed { outstanding, .. } => Work::Closed { outstanding, seconds: 0.2 },
            Work::Echo { in_flight, .. } => Work::Echo { in_flight, seconds: 0.2 },
            Work::Connect => Work::Connect,
            Work::Pulse(_) => Work::Pulse(timing::SHRUNK),
            Work::Churn { .. } => Work::Churn { rate: 20.0, visits: 40.0, seconds: 0.6 },
            Work::Storm { .. } => Work::Storm { rate: 20.0, newcomers: 100 },
        }
    }
}

impl Figure {
    /// In a word, as results have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Figure::Cpu => "cpu",
            Figure::Age => "age",
            Figure::Lateness => "lateness",
            Figure::Memory => "memory",
        }
    }
}

/// Of every measurement: quiet after connecting, clocks, the turns of others.
const FIXED_S: f64 = 0.4;
/// Of every phase of a sleeping swarm: the pauses before and after it, reading.
const PHASE_FIXED_S: f64 = 0.03;
/// Of every idle measurement: bare pairs, quiet slabs.
const IDLE_FIXED_S: f64 = 4.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contestants::NAMES;

    #[test]
    fn everybody_in_the_plan_exists() {
        for row in chapters(Size::Whole).iter().flat_map(|chapter| &chapter.rows) {
            assert!(row.names.iter().all(|name| NAMES.contains(name)), "{}: {:?}", row.title, row.names);
        }
    }

    #[test]
    fn a_whole_comparison_stays_under_twenty_minutes() {
        let chapters = chapters(Size::Whole);
        let whole = chapters.iter().filter(|chapter| chapter.place == Place::Loopback);
        let seconds: f64 = whole.map(|chapter| chapter.seconds(5)).sum();
        assert!((300.0..1180.0).contains(&seconds), "{seconds:.0} s");
    }

    #[test]
    fn every_question_is_one() {
        for chapter in chapters(Size::Smoke) {
            assert!(chapter.question.ends_with('?'), "{}", chapter.question);
            assert!(!chapter.rows.is_empty());
        }
    }

    #[test]
    fn a_smoke_keeps_the_questions_and_shrinks_the_loads() {
        let (whole, smoke) = (chapters(Size::Whole), chapters(Size::Smoke));
        assert_eq!(whole.len(), smoke.len());
        let seconds = |chapters: &[Chapter]| chapters.iter().map(|chapter| chapter.seconds(1)).sum::<f64>();
        assert!(seconds(&smoke) < seconds(&whole) * 0.7);
    }
}
