//! A process with a part of the clients: it does what its parent writes to it, line by line, and answers each line with
//! one of JSON. It decides nothing about what is measured.
//!
//! ```text
//! connect               all clients connect                        {"took_s":..}
//! join                  each joins its rooms                       {"took_s":..}
//! publish REACH N RATE  the first client publishes, all listen     {"deliveries":..,"faults":..}
//! hear REACH N RATE     the same published by somebody else        the same, without ages
//! leave                 all clients go                             {"took_s":..}
//! ```
//!
//! Between two lines it goes on reading and answering pings, and what comes is checked then too: a listener may be told
//! of a message after the message came.

use std::io::BufRead;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::series::{Reach, Rooms};
use crate::machine::own_thread_cpu_ns;
use crate::payload::Stamp;
use crate::swarm::{Checker, Sink, Swarm, Target};

/// The subcommand with which `growth` becomes a generator.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Generate {
    /// The server
    #[arg(long)]
    pub address: SocketAddr,
    /// How many clients
    #[arg(long)]
    pub clients: usize,
    /// Where loopback source addresses begin
    #[arg(long)]
    pub source_offset: u8,
    /// Who is in which rooms
    #[command(flatten)]
    pub rooms: Rooms,
}

/// What a line came to.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// How long it took, s.
    pub took_s: f64,
    /// CPU of the generator meanwhile, s.
    pub cpu_s: f64,
    /// Messages that came.
    pub deliveries: u64,
    /// Median age of a message; known to the process that published.
    pub p50_us: Option<f64>,
    /// 99 of 100 were not older.
    pub p99_us: Option<f64>,
    /// Messages lost, repeated, out of order or malformed, and clients lost, ever.
    pub faults: u64,
    /// The same in words.
    pub faults_words: String,
}

/// Obeys until its input ends.
///
/// # Errors
/// When a client does not join, or a line is none of the above.
pub fn run(generate: Generate) -> Result<()> {
    let lines = lines();
    let mut generator = Generator {
        swarm: Swarm::new()?,
        checker: Checker::new(generate.clients, PAYLOAD_BYTES),
        expected: 0,
        generate,
    };
    loop {
        match lines.try_recv() {
            Ok(line) => println!("{}", serde_json::to_string(&generator.obey(&line)?)?),
            Err(TryRecvError::Empty) => _ = generator.swarm.turn(Some(TURN), &mut generator.checker)?,
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
    }
}

/// Lines of the standard input, read by a thread of their own: the clients' thread waits for sockets.
fn lines() -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let lines = std::io::stdin().lock().lines();
        lines.map_while(Result::ok).take_while(|line| sender.send(line.clone()).is_ok()).count()
    });
    receiver
}

struct Generator {
    swarm: Swarm,
    checker: Checker,
    /// Deliveries that must have come in all since the beginning.
    expected: u64,
    generate: Generate,
}

impl Generator {
    fn obey(&mut self, line: &str) -> Result<Answer> {
        let (started, cpu_ns) = (Instant::now(), own_thread_cpu_ns());
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            ["connect"] => self.connect()?,
            ["join"] => self.join()?,
            ["leave"] => self.leave(),
            [verb @ ("publish" | "hear"), reach, count, rate] => {
                let phase = Phase { reach: reach.parse()?, count: count.parse()?, rate: rate.parse()? };
                self.phase(phase, if *verb == "publish" { Part::Publish } else { Part::Hear })?
            }
            _ => bail!("a generator does not know {line}"),
        };
        let cpu_s = own_thread_cpu_ns().saturating_sub(cpu_ns) as f64 / 1e9;
        Ok(Answer { took_s: started.elapsed().as_secs_f64(), cpu_s, ..answer })
    }

    fn connect(&mut self) -> Result<Answer> {
        let Generate { address, clients, source_offset, .. } = self.generate;
        self.swarm.connect(Target { source_offset, ..Target::new(address, clients) })?;
        Ok(Answer::default())
    }

    /// Every client asks for all its rooms at once; so many questions are under way at a time.
    fn join(&mut self) -> Result<Answer> {
        let Generate { rooms, clients, .. } = self.generate;
        let (mut joins, mut asked, mut progress) = (Joins::default(), 0, (0, Instant::now()));
        let goal = clients * rooms.rooms_each;
        while joins.count < goal {
            while asked < clients && asked * rooms.rooms_each < joins.count + JOINS_IN_FLIGHT {
                let names = rooms.of(asked, clients);
                self.swarm.send_texts(asked, names.map(|room| format!(r#"420["join","r{room}"]"#)))?;
                asked += 1;
            }
            self.swarm.turn(Some(TURN), &mut joins)?;
            if joins.count > progress.0 {
                progress = (joins.count, Instant::now());
            }
            ensure!(progress.1.elapsed() < SILENCE_MAX, "{} of {goal} joins were answered", joins.count);
        }
        ensure!(joins.strange == 0, "{} packets came that admit to no room", joins.strange);
        ensure!(self.swarm.lost() == 0, "a client was lost while joining: {}", self.swarm.fault());
        Ok(Answer::default())
    }

    fn leave(&mut self) -> Answer {
        (0..self.swarm.len()).for_each(|client| self.swarm.leave(client));
        Answer::default()
    }

    /// One numbered series from its first message until all of it came, or nothing came for too long.
    fn phase(&mut self, phase: Phase, part: Part) -> Result<Answer> {
        let Generate { rooms, clients, .. } = self.generate;
        let deliveries = rooms.deliveries(phase.reach, phase.count, clients);
        self.expected += deliveries;
        let before = self.expected - deliveries;
        if part == Part::Publish {
            self.checker.clear_latency();
            self.pace(phase)?;
        }
        self.await_deliveries(phase)?;
        let heard = rooms.heard(phase.reach, phase.count);
        let members = rooms.members(clients).max(1);
        self.checker.end_series(|client| heard.get(client / members).copied().unwrap_or_default());
        let came = self.checker.delivered().saturating_sub(before);
        self.expected = self.checker.delivered();
        Ok(self.answer(came, part))
    }

    fn answer(&self, deliveries: u64, part: Part) -> Answer {
        let mut faults = self.checker.faults();
        faults.disconnected = self.swarm.lost() as u64;
        let age =
            |share| (part == Part::Publish).then(|| self.checker.latency().quantile_ns(share) as f64 / 1e3);
        Answer {
            deliveries,
            p50_us: age(0.5),
            p99_us: age(0.99),
            faults: faults.lost
                + faults.repeated
                + faults.disordered
                + faults.malformed
                + faults.disconnected,
            faults_words: faults.to_string(),
            ..Answer::default()
        }
    }

    /// An open loop: message i is due at its time, however late anybody is.
    fn pace(&mut self, phase: Phase) -> Result<()> {
        let (start_ns, step_ns) = (self.swarm.now_ns(), 1e9 / phase.rate);
        let due = |index: usize| start_ns + (index as f64 * step_ns) as u64;
        let mut published = vec![0u32; self.generate.rooms.groups];
        for index in 0..phase.count {
            self.turn_until(due(index))?;
            let text = self.text(phase.reach, index, due(index), &mut published);
            self.swarm.send_text(0, &text)?;
        }
        self.turn_until(due(phase.count))
    }

    fn text(&self, reach: Reach, index: usize, due_ns: u64, published: &mut [u32]) -> String {
        let rooms = self.generate.rooms;
        let group = rooms.hearers(reach, index).unwrap_or(0);
        let sequence = match (reach, published.get_mut(group)) {
            (Reach::All, _) | (_, None) => index as u32,
            (_, Some(next)) => {
                *next += 1;
                *next - 1
            }
        };
        let payload = Stamp { sequence, sent_ns: due_ns }.payload(PAYLOAD_BYTES);
        format!(r#"42["pub",{{{}"p":"{payload}"}}]"#, rooms.address(reach, index))
    }

    fn turn_until(&mut self, due_ns: u64) -> Result<()> {
        loop {
            let left = Duration::from_nanos(due_ns.saturating_sub(self.swarm.now_ns()));
            if left.is_zero() {
                return Ok(());
            }
            let whole = left.saturating_sub(Duration::from_millis(1));
            let whole = Duration::from_millis(u64::try_from(whole.as_millis()).unwrap_or(0));
            if self.swarm.turn(Some(whole), &mut self.checker)? == 0 && whole.is_zero() {
                std::thread::sleep(left.min(NAP));
            }
        }
    }

    /// The publisher may begin after a listener waits, so that silence counts from the end of the schedule.
    fn await_deliveries(&mut self, phase: Phase) -> Result<()> {
        let schedule = Duration::from_secs_f64(phase.count as f64 / phase.rate);
        let mut progress = (self.checker.delivered(), Instant::now());
        while self.checker.delivered() < self.expected && progress.1.elapsed() < schedule + SILENCE_MAX {
            self.swarm.turn(Some(TURN), &mut self.checker)?;
            if self.checker.delivered() > progress.0 {
                progress = (self.checker.delivered(), Instant::now());
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Phase {
    reach: Reach,
    count: usize,
    rate: f64,
}

/// What a generator does in a phase.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Publish,
    Hear,
}

/// Counts rooms that were entered.
#[derive(Default)]
struct Joins {
    count: usize,
    strange: usize,
}

impl Sink for Joins {
    fn packet(&mut self, _client: usize, packet: &[u8], _now_ns: u64) {
        if packet == b"430[true]" {
            self.count += 1;
        } else {
            self.strange += 1;
        }
    }
}

/// Reads one answer.
///
/// # Errors
/// When it is none: the generator has ended, and its complaint is above.
pub fn read(line: &str) -> Result<Answer> {
    serde_json::from_str(line).with_context(|| format!("a generator ended, or answered {line:?}"))
}

/// Bytes of a payload, as in most chapters of the comparison.
pub const PAYLOAD_BYTES: usize = 128;
const TURN: Duration = Duration::from_millis(10);
/// A nap while a message is due in less than two milliseconds: waits have a resolution of one.
const NAP: Duration = Duration::from_micros(250);
/// Nothing more came for this long: what is missing is lost.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// Joins under way at a time: enough that neither side waits, few enough for socket buffers.
const JOINS_IN_FLIGHT: usize = 2048;
