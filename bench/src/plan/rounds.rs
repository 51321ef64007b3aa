//! How often somebody takes part in a row. Not how long that takes: the plan reckons that.

use super::{PEERS, Row, TWO_CORES, Trial, timing};
use crate::idle::Prelude;
use crate::scenario::{Audience, Content, Load, Work};
use crate::swarm::Transport;

impl Row {
    /// How many rounds of it somebody takes part in: those who are ten times dearer in a burst, or fifteen times
    /// with compression, and so need half a minute each time, take fewer; so do peers who let ten thousand in each
    /// time, peers whom no goal names, those without compression beside those with it, and those questions whose servers differ by far more
    /// than rounds do; phases repeat within a round; memory does not change from round to round; and nobody takes more than the comparison has.
    #[must_use]
    pub fn rounds(&self, name: &str, rounds: usize) -> usize {
        let is_slow = name.starts_with("node") || name == "bun";
        let is_peer = is_slow || name.starts_with("socketioxide") || name == "uwebsockets";
        let most = match self.trial {
            Trial::Idle(_, Prelude::Silence) => 2 - usize::from(is_peer),
            Trial::Idle(_, Prelude::Exchange) => 1,
            Trial::Load(load) if load.content == Content::Json && is_slow => {
                if is_compared(name) && matches!(load.work, Work::Paced { .. }) { 3 } else { 1 }
            }
            Trial::Load(load) if load.content == Content::Json && !name.ends_with("-deflate") => 3,
            Trial::Load(Load { work: Work::Burst { .. }, .. }) if is_slow => 2,
            Trial::Load(Load { work: Work::Churn { .. } | Work::Storm { .. }, .. }) => 2,
            Trial::Load(Load { transport: Transport::Polling, .. }) if is_slow => 1,
            Trial::Load(Load { transport: Transport::Polling, .. }) => 3,
            Trial::Load(Load { work: Work::Phased { .. }, .. }) if name.starts_with("socketioxide") => 1,
            Trial::Load(_) if self.names == TWO_CORES => 4,
            Trial::Load(_) if self.names.contains(&"ours-2-cores") => 3,
            Trial::Load(load) if load.clients >= 10_000 && is_peer => {
                if is_compared(name) && load.audience == Audience::All { 3 } else { 1 }
            }
            Trial::Load(_) if self.names.contains(&"monoio") => 2,
            Trial::Load(_) if self.names.contains(&"floor-send") => 3,
            Trial::Load(Load { work: Work::Echo { .. }, .. }) if name == "uwebsockets" => rounds,
            Trial::Load(_) if name == "bun" || name == "uwebsockets" => 3,
            Trial::Load(_) => rounds,
        };
        let most = timing::rounds(self).unwrap_or(most).min(rounds);
        let Trial::Load(load) = self.trial else { return most };
        match load.work {
            // Its bound is as near, and a hundred connections are soon let in.
            Work::Echo { .. } if name == "socketioxide" => most * 2,
            _ if is_peer || !self.is_close() => most,
            // What lets ten thousand in each time is dear.
            _ if load.clients >= 10_000 => most * 3 / 2,
            // Its bound is the nearest.
            Work::Paced { .. } => most * 3,
            _ => most * 2,
        }
    }

    /// Whether this engine and others are compared in hundredths: then what differs most from start to start is where each process and its
    /// sockets lie in memory, 5 % either way, and only more starts help.
    fn is_close(&self) -> bool {
        let Trial::Load(load) = self.trial else { return false };
        let is_one_send_each = matches!(load.work, Work::Paced { .. })
            && load.content == Content::Filler
            && load.bytes <= SMALL_BYTES;
        (is_one_send_each || load.parts().is_none()) && self.names == PEERS
    }
}

/// Whether bounds of fan-out and compression name this peer: one round of it, beside one of ours, says little.
fn is_compared(name: &str) -> bool {
    matches!(name, "socketioxide" | "node" | "node-deflate")
}

/// A message whose copying is less than what a send costs anyway: beyond, memory differs from moment to moment more than processes do.
const SMALL_BYTES: usize = 1024;
