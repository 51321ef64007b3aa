//! What is profiled: the loads of the comparison, each long enough for a few thousand samples. Nobody else takes
//! part: where others spend their time is their business.

use crate::scenario::{Audience, Content, Load, Work};
use crate::swarm::Transport;

/// A load under a name.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    /// Its name on the command line.
    pub name: &'static str,
    /// What is done, in a few words.
    pub title: &'static str,
    /// Who serves: `ours`, or `ours-deflate`.
    pub contestant: &'static str,
    /// The load.
    pub load: Load,
}

/// All scenes.
#[must_use]
pub fn scenes() -> Vec<Scene> {
    let all = |clients, work| Load { clients, work, ..Load::default() };
    let rooms = |work| Load { audience: Audience::Rooms(10), ..all(10_000, work) };
    let large = |work| Load { bytes: 16 * 1024, ..all(1000, work) };
    let paced = |rate, seconds| Work::Paced { rate, seconds };
    let closed = |outstanding| Work::Closed { outstanding, seconds: SECONDS };
    let json =
        Load { bytes: 1024, content: Content::Json, ..all(1000, Work::Volley { count: 100, repeats: 25 }) };
    let polling = Load { transport: Transport::Polling, ..all(1000, paced(5.0, 4.0)) };
    vec![
        scene("paced-1000", "50 a second to 1000 clients", all(1000, paced(50.0, SECONDS))),
        scene("paced-10000", "5 a second to 10 000 clients", all(10_000, paced(5.0, SECONDS))),
        scene("burst", "burst of 960, yield after 16, 1000 clients", all(1000, bursts(960, 6))),
        scene("closed", "closed loop of 4, 1000 clients", all(1000, closed(4))),
        scene("rooms-paced", "3000 a second to 1000 rooms of 10", rooms(paced(3000.0, SECONDS))),
        scene("rooms-closed", "closed loop of 64, 1000 rooms of 10", rooms(closed(64))),
        scene("large-paced", "16 KiB, 20 a second to 1000 clients", large(paced(20.0, SECONDS))),
        scene("large-burst", "16 KiB, burst of 50, 1000 clients", large(bursts(50, 8))),
        scene("echo", "echo with ack, 100 connections, 8 in flight each", all(100, ECHO)),
        scene("connect", "TCP, upgrade and CONNECT, 15 000 times", all(15_000, Work::Connect)),
        Scene {
            contestant: "ours-deflate",
            ..scene("deflate", "1 KiB JSON, 100 at once to 1000 clients", json)
        },
        scene("polling", "long-polling, 5 a second to 1000 clients", polling),
    ]
}

fn scene(name: &'static str, title: &'static str, load: Load) -> Scene {
    Scene { name, title, contestant: "ours", load }
}

fn bursts(count: u32, repeats: u32) -> Work {
    Work::Burst { count, every: 16, repeats }
}

const ECHO: Work = Work::Echo { in_flight: 8, seconds: SECONDS };
/// Of a measured part: at 4000 samples a second of a busy core a share of one per cent is some 80 samples.
const SECONDS: f64 = 3.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contestants::NAMES;

    #[test]
    fn scenes_have_names_of_their_own_and_contestants_that_exist() {
        let scenes = scenes();
        for (index, scene) in scenes.iter().enumerate() {
            assert!(NAMES.contains(&scene.contestant), "{}", scene.contestant);
            assert!(scenes[..index].iter().all(|other| other.name != scene.name), "{} twice", scene.name);
        }
    }
}
