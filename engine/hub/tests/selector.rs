//! Who gets what, against a naive twin: arbitrary joins, leaves, ends and broadcasts over both transports (invariants 6, 9, 10, 11).
//!
//! The twin keeps a set of names and a list of expected packets per client; it knows no slots, routes or bytes.

mod pair;

use std::collections::{BTreeMap, BTreeSet};

use pair::{Client, Pair, names};
use proptest::prelude::*;
use socketville_hub::{Ending, Selector};

/// A room's name, or the id of the client with this number.
#[derive(Clone, Debug)]
enum Name {
    Room(u8),
    Own(usize),
}

#[derive(Clone, Debug)]
enum Op {
    Arrive(Transport),
    Join(usize, Name),
    Leave(usize, u8),
    Broadcast { to: Vec<Name>, except: Vec<Name>, skip: Option<usize> },
    Emit(usize),
    Poll(usize),
    Turn,
    End(usize, End),
}

#[derive(Clone, Copy, Debug)]
enum Transport {
    WebSocket,
    Polling,
}

#[derive(Clone, Copy, Debug)]
enum End {
    ByServer,
    ByClient,
    Broken,
}

/// A client as the twin sees it, and what it got.
struct Twin {
    client: Client,
    transport: Transport,
    names: BTreeSet<String>,
    is_in: bool,
    is_parked: bool,
    due: Vec<String>,
    got: Vec<String>,
}

struct Town {
    pair: Pair,
    twins: Vec<Twin>,
    emits: u64,
    frames: u64,
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![3 => (0u8..4).prop_map(Name::Room), 1 => (0usize..8).prop_map(Name::Own)]
}

fn op() -> impl Strategy<Value = Op> {
    let some = || prop::collection::vec(name(), 0..3);
    prop_oneof![
        1 => prop_oneof![Just(Transport::WebSocket), Just(Transport::Polling)].prop_map(Op::Arrive),
        4 => (0usize..8, name()).prop_map(|(who, name)| Op::Join(who, name)),
        2 => (0usize..8, 0u8..4).prop_map(|(who, room)| Op::Leave(who, room)),
        4 => (some(), some(), prop::option::of(0usize..8))
            .prop_map(|(to, except, skip)| Op::Broadcast { to, except, skip }),
        1 => (0usize..8).prop_map(Op::Emit),
        2 => (0usize..8).prop_map(Op::Poll),
        2 => Just(Op::Turn),
        1 => (0usize..8, prop_oneof![Just(End::ByServer), Just(End::ByClient), Just(End::Broken)])
            .prop_map(|(who, end)| Op::End(who, end)),
    ]
}

impl Twin {
    fn is_polling(&self) -> bool {
        matches!(self.transport, Transport::Polling)
    }

    fn is_named(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.names.contains(name) || self.client.id.as_str() == name)
    }
}

impl Town {
    fn new() -> Self {
        let mut town = Self { pair: Pair::new(), twins: Vec::new(), emits: 0, frames: 0 };
        for transport in [Transport::WebSocket, Transport::Polling, Transport::WebSocket, Transport::Polling]
        {
            town.arrive(transport);
        }
        town
    }

    fn arrive(&mut self, transport: Transport) {
        let client = match transport {
            Transport::WebSocket => self.pair.join_websocket(),
            Transport::Polling => self.pair.join_polling(),
        };
        let (names, due, got) = (BTreeSet::new(), Vec::new(), Vec::new());
        self.twins.push(Twin { client, transport, names, is_in: true, is_parked: false, due, got });
        self.collect();
    }

    /// Operations choose clients by number; a number too high is taken round.
    fn at(&self, who: usize) -> usize {
        who % self.twins.len()
    }

    fn resolve(&self, name: &Name) -> String {
        match name {
            Name::Room(room) => format!("room {room}"),
            Name::Own(who) => self.twins[self.at(*who)].client.id.as_str().to_owned(),
        }
    }

    fn apply(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Arrive(transport) => self.arrive(*transport),
            Op::Join(who, name) => self.join(self.at(*who), &self.resolve(name)),
            Op::Leave(who, room) => self.leave(self.at(*who), &self.resolve(&Name::Room(*room))),
            Op::Broadcast { to, except, skip } => {
                let names = |names: &[Name]| names.iter().map(|name| self.resolve(name)).collect::<Vec<_>>();
                let (to, except) = (names(to), names(except));
                self.broadcast(&to, &except, skip.map(|who| self.at(who)))?;
            }
            Op::Emit(who) => self.emit(self.at(*who))?,
            Op::Poll(who) => self.poll(self.at(*who)),
            Op::Turn => self.turn(),
            Op::End(who, end) => self.end(self.at(*who), *end),
        }
        self.check_rooms()
    }

    fn join(&mut self, who: usize, name: &str) {
        let twin = &mut self.twins[who];
        let joined = self.pair.hub.join(twin.client.key, name);
        assert_eq!(joined.is_ok(), twin.is_in);
        if twin.is_in && twin.client.id.as_str() != name {
            twin.names.insert(name.to_owned());
        }
    }

    fn leave(&mut self, who: usize, name: &str) {
        let twin = &mut self.twins[who];
        self.pair.hub.leave(twin.client.key, name);
        twin.names.remove(name);
    }

    /// Invariant 10, word for word.
    fn broadcast(
        &mut self,
        to: &[String],
        except: &[String],
        skip: Option<usize>,
    ) -> Result<(), TestCaseError> {
        self.emits += 1;
        let packet = format!("42[{}]", self.emits);
        let mut count = 0;
        for (who, twin) in self.twins.iter_mut().enumerate() {
            let is_meant = to.is_empty() || twin.is_named(to);
            if twin.is_in && is_meant && !twin.is_named(except) && skip != Some(who) {
                twin.due.push(packet.clone());
                count += 1;
            }
        }
        self.frames += count as u64;
        let strs = |list: &[String]| list.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
        let (to, except) = (strs(to), strs(except));
        let (to, except): (Vec<&str>, Vec<&str>) =
            (to.iter().map(String::as_str).collect(), except.iter().map(String::as_str).collect());
        let (to, except) = (names(&to), names(&except));
        let skip = skip.map(|who| self.twins[who].client.id);
        let selector = Selector { to: &to, except: &except, skip, ..Selector::default() };
        prop_assert_eq!(self.pair.select(&selector, &packet[2..]).sockets, count);
        Ok(())
    }

    fn emit(&mut self, who: usize) -> Result<(), TestCaseError> {
        let packet = format!("42[{}]", self.emits + 1);
        let twin = &mut self.twins[who];
        prop_assert_eq!(self.pair.emit(twin.client.key, &packet[2..]), twin.is_in);
        if twin.is_in {
            self.emits += 1;
            self.frames += 1;
            twin.due.push(packet);
        }
        Ok(())
    }

    fn poll(&mut self, who: usize) {
        let twin = &mut self.twins[who];
        if !twin.is_polling() || twin.is_parked || !self.pair.is_open(twin.client.conn) {
            return;
        }
        let payload = self.pair.poll(&twin.client);
        twin.is_parked = payload.is_none();
        twin.got.extend(payload.iter().flat_map(|payload| payload.split('\x1e')).map(str::to_owned));
        self.collect();
    }

    fn turn(&mut self) {
        self.pair.turn();
        self.collect();
    }

    /// Takes what the last turn brought everyone.
    fn collect(&mut self) {
        for twin in &mut self.twins {
            if twin.is_polling() {
                let payload = if twin.is_parked { self.pair.payload(&twin.client) } else { None };
                twin.is_parked &= payload.is_none();
                twin.got.extend(payload.iter().flat_map(|payload| payload.split('\x1e')).map(str::to_owned));
            } else {
                twin.got.extend(self.pair.frames(twin.client.conn));
            }
        }
    }

    fn end(&mut self, who: usize, end: End) {
        self.turn();
        let twin = &mut self.twins[who];
        if !twin.is_in {
            return;
        }
        match (end, twin.transport) {
            (End::ByServer, _) => {
                self.pair.hub.disconnect_socket(self.pair.now_ms, twin.client.key, Ending::Namespace);
                self.pair.run_effects();
                twin.due.push("41".into());
            }
            (End::ByClient, Transport::WebSocket) => self.pair.tell(twin.client.conn, "41"),
            (End::ByClient, Transport::Polling) => self.pair.post(&twin.client, "41"),
            (End::Broken, Transport::WebSocket) => self.pair.break_line(twin.client.conn),
            // Only a poll that waits tells of the break; packets that nobody fetched are lost with the session.
            (End::Broken, Transport::Polling) if twin.is_parked => {
                self.pair.break_line(twin.client.conn);
                twin.is_parked = false;
            }
            (End::Broken, Transport::Polling) => return,
        }
        twin.is_in = false;
        twin.names.clear();
        self.collect();
    }

    /// Invariant 11: the rooms there are, with their sizes, are those of the twin.
    fn check_rooms(&self) -> Result<(), TestCaseError> {
        let mut expected = BTreeMap::new();
        for name in self.twins.iter().flat_map(|twin| &twin.names) {
            *expected.entry(name.clone()).or_insert(0) += 1;
        }
        let hub = &self.pair.hub;
        let found: BTreeMap<_, _> =
            hub.rooms(self.pair.nsp("/")).map(|(name, size)| (name.to_owned(), size)).collect();
        prop_assert_eq!(hub.gauges().rooms, found.len());
        prop_assert_eq!(found, expected);
        for twin in &self.twins {
            let mut rooms = hub.rooms_of(twin.client.key);
            rooms.sort();
            let mut expected: Vec<_> = twin.names.iter().cloned().collect();
            expected.extend(twin.is_in.then(|| twin.client.id.as_str().to_owned()));
            expected.sort();
            prop_assert_eq!(rooms, expected);
        }
        Ok(())
    }

    /// Everyone got exactly what was due, once and in order; one encode an emit.
    fn check_all(mut self) -> Result<(), TestCaseError> {
        self.turn();
        (0..self.twins.len()).for_each(|who| self.poll(who));
        let counters = self.pair.hub.counters;
        prop_assert_eq!((counters.emits, counters.encodes), (self.emits, self.emits));
        prop_assert_eq!(counters.frames_out, self.frames);
        for (who, twin) in self.twins.iter().enumerate() {
            prop_assert_eq!(&twin.got, &twin.due, "client {}", who);
        }
        prop_assert_eq!(self.pair.hub.gauges().arena_bytes, 0);
        Ok(())
    }
}

proptest! {
    #[test]
    fn everyone_gets_what_the_twin_says(ops in prop::collection::vec(op(), 1..80)) {
        let mut town = Town::new();
        for op in &ops {
            town.apply(op)?;
        }
        town.check_all()?;
    }
}
