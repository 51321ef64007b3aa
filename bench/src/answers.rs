//! Does the server answer rightly? Asked before anybody measures how fast it is: echo with an ack, rooms that
//! include and exclude, a burst in order. Not a conformance suite; only what the scenarios rely on.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::contestants::Contestant;
use crate::payload::{PREFIX, SUFFIX};
use crate::served::Served;
use crate::swarm::{Sink, Swarm, Target, Transport};

/// Everything that three clients heard.
#[derive(Default)]
struct Heard {
    packets: Vec<(usize, String)>,
}

impl Sink for Heard {
    fn packet(&mut self, client: usize, packet: &[u8], _now_ns: u64) {
        self.packets.push((client, String::from_utf8_lossy(packet).into_owned()));
    }
}

/// Asks, and compares every byte of the answers.
///
/// # Errors
/// What was expected and what came instead.
pub fn check(served: &Served, transport: Transport) -> Result<()> {
    let mut swarm = Swarm::new()?;
    swarm.connect(Target { transport, ..Target::new(served.address(), 3) })?;
    check_echo(&mut swarm)?;
    check_room(&mut swarm)?;
    check_all(&mut swarm)?;
    check_burst(&mut swarm)
}

/// Starts somebody for the questions alone, and ends it.
///
/// # Errors
/// As [`check`], or when it does not start.
pub fn check_contestant(contestant: &Contestant, cores: &str) -> Result<()> {
    let served = contestant.start(cores)?;
    check(&served, contestant.transport).with_context(|| format!("{} answers wrongly", contestant.name))
}

fn check_echo(swarm: &mut Swarm) -> Result<()> {
    let data = r#"{"a":[1,"zwölf",null],"b":true}"#;
    let asked = format!(r#"427["echo",{data}]"#);
    expect(swarm, &[(0, asked)], vec![(0, format!("437[{data}]"))])
}

fn check_room(swarm: &mut Swarm) -> Result<()> {
    for client in [0, 1] {
        let answer = ask(swarm, &[(client, r#"428["join","here"]"#.to_owned())], 1)?;
        let answered = answer.first().is_some_and(|(to, packet)| *to == client && packet.starts_with("438["));
        ensure!(answered, "join was to be acknowledged with 438[…], but came {answer:?}");
    }
    let asked = (2, r#"42["pub",{"room":"here","p":"to the room"}]"#.to_owned());
    expect(swarm, &[asked], vec![(0, message("to the room")), (1, message("to the room"))])
}

fn check_all(swarm: &mut Swarm) -> Result<()> {
    let asked = (1, r#"42["pub",{"p":"to all"}]"#.to_owned());
    expect(swarm, &[asked], (0..3).map(|client| (client, message("to all"))).collect())
}

fn check_burst(swarm: &mut Swarm) -> Result<()> {
    let asked = (0, r#"42["burst",{"count":20,"every":8,"rest":"-r"}]"#.to_owned());
    let expected = (0..3).flat_map(|client| (0..20).map(move |i| (client, message(&format!("{i:010}-r")))));
    expect(swarm, &[asked], expected.collect())
}

fn message(text: &str) -> String {
    let packet = [PREFIX, text.as_bytes(), SUFFIX].concat();
    String::from_utf8_lossy(&packet).into_owned()
}

/// The answers must be these; between clients in any order, for one client in this.
fn expect(swarm: &mut Swarm, asked: &[(usize, String)], expected: Vec<(usize, String)>) -> Result<()> {
    let mut came = ask(swarm, asked, expected.len())?;
    came.sort_by_key(|(client, _)| *client);
    ensure!(came == expected, "asked {asked:?}\nexpected {expected:?}\nbut came {came:?}");
    Ok(())
}

/// Sends, waits for so many answers, and a moment longer for those that must not come.
fn ask(swarm: &mut Swarm, asked: &[(usize, String)], count: usize) -> Result<Vec<(usize, String)>> {
    for (client, text) in asked {
        swarm.send_text(*client, text)?;
    }
    let (mut heard, started) = (Heard::default(), Instant::now());
    while heard.packets.len() < count && started.elapsed() < PATIENCE && swarm.lost() == 0 {
        swarm.turn(Some(MOMENT), &mut heard)?;
    }
    let complete = Instant::now();
    while complete.elapsed() < MOMENT {
        swarm.turn(Some(MOMENT), &mut heard)?;
    }
    ensure!(swarm.lost() == 0, "a client was lost: {}", swarm.fault());
    Ok(heard.packets)
}

/// How long all answers may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long something that must not come is waited for.
const MOMENT: Duration = Duration::from_millis(30);
