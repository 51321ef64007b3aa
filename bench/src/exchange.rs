//! One message each way for every client, compressed if that was agreed: what a server allocates only at the first
//! need of a connection is there afterwards. It measures nothing; [`crate::idle`] does.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use flate2::{Compress, Compression, FlushCompress};

use crate::swarm::{Sink, Swarm, Transport};

/// Every client asks for an echo, and the first one publishes to all; returns when everybody has both.
///
/// # Errors
/// When somebody does not hear what it must.
pub(crate) fn exchange(swarm: &mut Swarm, transport: Transport) -> Result<()> {
    let mut heard = Heard { echoes: vec![0; swarm.len()], messages: vec![0; swarm.len()] };
    let question = format!(r#"421["echo","{TEXT}"]"#);
    for client in 0..swarm.len() {
        say(swarm, transport, client, &question)?;
        swarm.turn(Some(Duration::ZERO), &mut heard)?;
    }
    say(swarm, transport, 0, &format!(r#"42["pub",{{"p":"{TEXT}"}}]"#))?;
    let started = Instant::now();
    while !heard.is_complete() {
        ensure!(started.elapsed() < PATIENCE, "not everybody heard an echo and a message in {PATIENCE:?}");
        swarm.turn(Some(TURN), &mut heard)?;
        ensure!(swarm.lost() == 0, "a client was lost: {}", swarm.fault());
    }
    Ok(())
}

fn say(swarm: &mut Swarm, transport: Transport, client: usize, text: &str) -> Result<()> {
    match transport {
        Transport::Deflate => swarm.send_deflated(client, &deflated(text)?),
        Transport::WebSocket | Transport::Polling => swarm.send_text(client, text),
    }
}

/// RFC 7692 section 7.2.1, and nothing before it is referred to. It is shorter than the smallest window.
fn deflated(text: &str) -> Result<Vec<u8>> {
    let mut closed = Vec::with_capacity(text.len() + 64);
    Compress::new(Compression::default(), false)
        .compress_vec(text.as_bytes(), &mut closed, FlushCompress::Sync)
        .context("compressing a message")?;
    closed.truncate(closed.len().saturating_sub(4));
    Ok(closed)
}

/// What each client has heard.
struct Heard {
    echoes: Vec<u32>,
    messages: Vec<u32>,
}

impl Heard {
    fn is_complete(&self) -> bool {
        // Others may publish to the same server: a message more is none too many.
        self.echoes.iter().all(|count| *count == 1) && self.messages.iter().all(|count| *count >= 1)
    }
}

impl Sink for Heard {
    fn packet(&mut self, client: usize, packet: &[u8], _now_ns: u64) {
        let counts = if packet.starts_with(b"431[") { &mut self.echoes } else { &mut self.messages };
        counts.get_mut(client).into_iter().for_each(|count| *count += 1);
    }
}

/// As long as a short event; repeats itself, so that compression has something to find.
const TEXT: &str =
    "the town, the harbour, the town hall, the harbour bridge, the town, the market, the bridge to the town";
/// How long one turn may wait.
const TURN: Duration = Duration::from_millis(100);
/// All of it: a busy server that compresses for each client alone takes some ten milliseconds for fifty.
const PATIENCE: Duration = Duration::from_secs(30);

const _: () = assert!(TEXT.len() < 200, "longer than the smallest window of 256 bytes, packet included");
