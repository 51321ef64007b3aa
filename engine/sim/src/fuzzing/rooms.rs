//! Rooms and selectors of two cores against a naive twin: sets of names per socket, and lists of events per client.
//!
//! A script of bytes connects clients of both revisions, lets them into namespaces at once or later, moves them in and out of rooms,
//! ends them in every way, and emits to selections. After each step the cores' selection, count and rooms must be the twin's; after
//! each flush every client has exactly the events that the twin says, in order (ARCHITECTURE, invariants 10, 11 and 27). At the end
//! everybody leaves, and nothing may be left.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use socketville_hub::{Config, ConnId, Ending, Id, JoinError, Kind, NspId, Record, Selector, SocketKey};
use socketville_proto::encode;

use super::choices::Choices;
use super::hub_core::{HubCore, NOW_MS};

/// Runs a script.
///
/// # Panics
/// If the engine and the twin differ.
pub fn rooms(script: &[u8]) {
    let mut choices = Choices::new(script);
    let mut run = Run::new();
    while !choices.is_over() {
        run.step(&mut choices);
    }
    run.end();
}

/// Namespaces; rooms of the same names are in all of them.
const NAMESPACES: [&str; 3] = ["/", "/a", "/b"];
/// Names that are nobody's id. One looks like the name of a client of Engine.IO 3, one is empty.
const NAMES: [&str; 7] = ["x", "y", "z", "room", "", "/a#room", "abcdefghijklmnopqrst"];
/// Rooms that a socket may be in.
const ROOMS_MAX: usize = 5;
/// Sockets of a run: enough for rooms in their form for many, with holes.
const SOCKETS_MAX: usize = 200;
/// Sockets up to which all rooms are compared after every step.
const SOCKETS_FEW: usize = 24;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    Waiting,
    In,
    Leaving,
    Gone,
}

/// A socket as the twin sees it.
struct Twin {
    core: usize,
    key: SocketKey,
    client: usize,
    nsp: usize,
    id: Id,
    /// What its own room is called.
    name: String,
    standing: Standing,
    rooms: BTreeSet<String>,
    /// What was emitted to it before it was let in.
    early: Vec<String>,
}

struct Client {
    core: usize,
    conn: ConnId,
    is_open: bool,
    expected: Vec<String>,
}

struct Run {
    cores: [HubCore; 2],
    nsps: [NspId; 3],
    clients: Vec<Client>,
    twins: Vec<Twin>,
    emits: u64,
}

/// A selection in words of the twin.
#[derive(Debug)]
struct Choice {
    nsp: usize,
    to: Vec<String>,
    except: Vec<String>,
    skip: Option<Id>,
}

impl Run {
    fn new() -> Self {
        let config = Config { allows_eio3: true, rooms_per_socket_max: ROOMS_MAX, ..Config::default() };
        let cores = [0, 1].map(|core| HubCore::new(config.clone(), core, 2, &NAMESPACES));
        let nsps = NAMESPACES.map(|name| cores[0].hub.namespace(name).expect("it was added"));
        Self { cores, nsps, clients: Vec::new(), twins: Vec::new(), emits: 0 }
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        let operation = choices.below(16);
        if operation != 15 {
            self.cores.iter_mut().for_each(|core| core.hub.release());
        }
        match operation {
            0 => _ = self.connect(choices),
            1 => self.crowd(choices),
            2 | 3 => self.enter(choices),
            4 => self.decide(choices),
            5..=7 => self.join(choices),
            8 => self.leave(choices),
            9 => self.leave_all(choices),
            10 => self.disconnect(choices),
            11 => self.cores.iter_mut().for_each(HubCore::forget_sockets),
            12 => self.flush(),
            13 => self.send(choices),
            14 => self.broadcast(choices),
            _ => self.bundle(choices),
        }
        self.settle();
        if self.twins.len() <= SOCKETS_FEW {
            self.check_rooms();
        }
    }

    fn connect(&mut self, choices: &mut Choices<'_>) -> Option<usize> {
        let (core, revision) = (choices.below(2), choices.below(4));
        if self.twins.len() >= SOCKETS_MAX {
            return None;
        }
        let conn = self.cores[core].connect(if revision == 0 { 3 } else { 4 });
        self.clients.push(Client { core, conn, is_open: true, expected: Vec::new() });
        let client = self.clients.len() - 1;
        // Clients of Engine.IO 3 are in `/` without a word.
        self.admit(client, Standing::In);
        Some(client)
    }

    /// Many at once, all in one room: a room of so many has another form.
    fn crowd(&mut self, choices: &mut Choices<'_>) {
        let (core, nsp, count) = (choices.below(2), choices.below(3), choices.below(40));
        let room = self.name(choices);
        for _ in 0..count {
            let Some(client) = self.connect(&mut Choices::new(&[core as u8, 1])) else { return };
            self.ask(client, nsp, Standing::In);
            let socket = self.twins.len() - 1;
            self.join_room(socket, &room);
        }
    }

    /// A client joins a namespace.
    fn enter(&mut self, choices: &mut Choices<'_>) {
        let (client, nsp) = (choices.below(self.clients.len()), choices.below(3));
        let standing = if choices.coin() { Standing::Waiting } else { Standing::In };
        let has_it = self.twins.iter().any(|twin| twin.client == client && twin.nsp == nsp && twin.is_held());
        let is_open = self.clients.get(client).is_some_and(|client| client.is_open);
        if is_open && !has_it && self.twins.len() < SOCKETS_MAX {
            self.ask(client, nsp, standing);
        }
    }

    fn ask(&mut self, client: usize, nsp: usize, standing: Standing) {
        let Client { core, conn, .. } = self.clients[client];
        let packet = if nsp == 0 { "40".into() } else { format!("40{},", NAMESPACES[nsp]) };
        self.cores[core].say(conn, &packet);
        self.admit(client, standing);
    }

    /// The application's answer to the clients that ask to be let in.
    fn admit(&mut self, client: usize, standing: Standing) {
        let core = self.clients[client].core;
        while let Some((session, nsp)) = self.cores[core].asking.pop_front() {
            let hub = &mut self.cores[core].hub;
            let answer =
                if standing == Standing::In { hub.admit(session, nsp) } else { hub.reserve(session, nsp) };
            let (key, id) = answer.expect("the session is there");
            let name = hub.name_of(key).expect("the socket is there").to_owned();
            let nsp = self.nsps.iter().position(|other| *other == nsp).expect("a namespace of the run");
            let (rooms, early) = (BTreeSet::new(), Vec::new());
            self.twins.push(Twin { core, key, client, nsp, id, name, standing, rooms, early });
        }
    }

    /// The application's word about a socket that waits.
    fn decide(&mut self, choices: &mut Choices<'_>) {
        let Some(socket) = self.socket(choices) else { return };
        let is_let_in = choices.coin();
        let twin = &mut self.twins[socket];
        let hub = &mut self.cores[twin.core].hub;
        let waits = twin.standing == Standing::Waiting;
        if is_let_in {
            assert_eq!(hub.welcome(twin.key), waits);
        } else {
            hub.turn_down(twin.key, r#"{"message":"no"}"#);
        }
        if waits {
            twin.standing = if is_let_in { Standing::In } else { Standing::Gone };
            self.clients[twin.client].expected.extend(twin.early.drain(..).filter(|_| is_let_in));
            self.cores[twin.core].run_effects();
        }
    }

    fn join(&mut self, choices: &mut Choices<'_>) {
        let Some(socket) = self.socket(choices) else { return };
        let name = self.name(choices);
        self.join_room(socket, &name);
    }

    fn join_room(&mut self, socket: usize, name: &str) {
        let twin = &mut self.twins[socket];
        let joined = self.cores[twin.core].hub.join(twin.key, name);
        let expected = match twin.standing {
            Standing::Gone => Err(JoinError::Gone),
            _ if !self.clients[twin.client].is_open => Err(JoinError::Gone), // it is on its way out
            _ if twin.name == name || twin.rooms.contains(name) => Ok(()),
            _ if twin.rooms.len() >= ROOMS_MAX => Err(JoinError::TooManyRoomsOfSocket),
            _ => {
                twin.rooms.insert(name.to_owned());
                Ok(())
            }
        };
        assert_eq!(joined, expected, "{} joins {name:?}", twin.name);
    }

    fn leave(&mut self, choices: &mut Choices<'_>) {
        let Some(socket) = self.socket(choices) else { return };
        let name = self.name(choices);
        let twin = &mut self.twins[socket];
        self.cores[twin.core].hub.leave(twin.key, &name);
        twin.rooms.remove(&name);
    }

    fn leave_all(&mut self, choices: &mut Choices<'_>) {
        let Some(socket) = self.socket(choices) else { return };
        let twin = &mut self.twins[socket];
        for name in std::mem::take(&mut twin.rooms) {
            self.cores[twin.core].hub.leave(twin.key, &name);
        }
    }

    /// A socket leaves, or its client with all its sockets.
    fn disconnect(&mut self, choices: &mut Choices<'_>) {
        let Some(socket) = self.socket(choices) else { return };
        let how = choices.below(4);
        let (core, key, client, nsp) = (
            self.twins[socket].core,
            self.twins[socket].key,
            self.twins[socket].client,
            self.twins[socket].nsp,
        );
        if !self.clients[client].is_open {
            return;
        }
        let (is_in, conn) = (self.twins[socket].standing == Standing::In, self.clients[client].conn);
        match how {
            0 if is_in => self.cores[core].hub.disconnect_socket(NOW_MS, key, Ending::Namespace),
            1 if is_in && nsp == 0 => self.cores[core].say(conn, "41"),
            1 if is_in => self.cores[core].say(conn, &format!("41{},", NAMESPACES[nsp])),
            2 if is_in => self.cores[core].hub.disconnect_socket(NOW_MS, key, Ending::Connection),
            3 => self.cores[core].cut(conn),
            _ => return,
        }
        if how >= 2 {
            self.clients[client].is_open = false;
            if how == 3 {
                self.clients[client].expected.clear();
            }
        }
        let is_over =
            |twin: &Twin| if how >= 2 { twin.client == client } else { twin.key == key && twin.core == core };
        for twin in self.twins.iter_mut().filter(|twin| is_over(twin)) {
            twin.standing = match twin.standing {
                Standing::In | Standing::Leaving => Standing::Leaving,
                Standing::Waiting | Standing::Gone => Standing::Gone,
            };
        }
        self.cores[core].run_effects();
    }

    fn flush(&mut self) {
        for (number, client) in self.clients.iter_mut().enumerate() {
            let core = &mut self.cores[client.core];
            if number == 0 {
                core.flush();
            }
            core.flush();
            let events = core.events(client.conn);
            assert_eq!(events, std::mem::take(&mut client.expected), "events of client {number}");
        }
    }

    fn send(&mut self, choices: &mut Choices<'_>) {
        let Some(socket) = self.socket(choices) else { return };
        let (packet, json) = self.event(self.twins[socket].nsp);
        let twin = &mut self.twins[socket];
        let is_due = self.cores[twin.core].send(twin.key, &json);
        match twin.standing {
            Standing::In => self.clients[twin.client].expected.push(packet),
            Standing::Waiting if is_due => twin.early.push(packet),
            // What waits is bounded by bytes.
            Standing::Waiting => assert!(twin.early.len() > 100, "refused after {}", twin.early.len()),
            Standing::Leaving | Standing::Gone => {}
        }
        assert!(is_due == twin.is_held() || twin.standing == Standing::Waiting);
    }

    fn broadcast(&mut self, choices: &mut Choices<'_>) {
        let (origin, choice) = (choices.below(2), self.choice(choices, 3));
        let chosen = self.chosen(&choice);
        let (packet, json) = self.event(choice.nsp);
        let nsp = self.nsps[choice.nsp];
        let (to, except) = (cows(&choice.to), cows(&choice.except));
        let selector = Selector { to: &to, except: &except, skip: choice.skip, ..Selector::default() };
        for (number, core) in self.cores.iter().enumerate() {
            let keys: BTreeSet<_> = core.selected(nsp, &selector).iter().map(|key| key.index).collect();
            let expected = chosen.iter().map(|&twin| &self.twins[twin]).filter(|twin| twin.core == number);
            assert_eq!(keys, expected.map(|twin| twin.key.index).collect(), "core {number}, {choice:?}");
        }
        let hub = &mut self.cores[origin].hub;
        let delivery = hub.broadcast(nsp, &selector, encode::Kind::Event, json.as_bytes(), &[]);
        let record = delivery.record.expect("there is another core");
        let sockets = delivery.sockets + self.pass_on(origin, &record, false);
        assert_eq!(sockets, chosen.len(), "{choice:?}");
        self.expect(&chosen, &packet);
    }

    /// As a broadcast, but due only when somebody looks: those that follow each other are one.
    fn bundle(&mut self, choices: &mut Choices<'_>) {
        let (origin, mut choice) = (choices.below(2), self.choice(choices, 1));
        (choice.except, choice.skip) = (Vec::new(), None);
        let chosen = self.chosen(&choice);
        let (packet, json) = self.event(choice.nsp);
        let to = cows(&choice.to);
        let selector = Selector { to: &to, ..Selector::default() };
        let (nsp, hub) = (self.nsps[choice.nsp], &mut self.cores[origin].hub);
        let record = hub.bundle(nsp, &selector, encode::Kind::Event, json.as_bytes(), &[]);
        self.pass_on(origin, &record.expect("there is another core"), true);
        self.expect(&chosen, &packet);
    }

    fn pass_on(&mut self, origin: usize, record: &Arc<Record>, is_bundled: bool) -> usize {
        self.cores[1 - origin].take_record(record, is_bundled)
    }

    /// The number of the next event: what its clients read, and its JSON.
    fn event(&mut self, nsp: usize) -> (String, String) {
        self.emits += 1;
        let json = format!(r#"["e",{}]"#, self.emits);
        (if nsp == 0 { format!("42{json}") } else { format!("42{},{json}", NAMESPACES[nsp]) }, json)
    }

    /// Invariant 10, word for word.
    fn chosen(&self, choice: &Choice) -> Vec<usize> {
        let is_chosen = |twin: &Twin| {
            twin.standing == Standing::In
                && twin.nsp == choice.nsp
                && (choice.to.is_empty() || twin.is_named(&choice.to))
                && !twin.is_named(&choice.except)
                && choice.skip != Some(twin.id)
        };
        (0..self.twins.len()).filter(|&number| is_chosen(&self.twins[number])).collect()
    }

    fn expect(&mut self, chosen: &[usize], packet: &str) {
        for &twin in chosen {
            self.clients[self.twins[twin].client].expected.push(packet.to_owned());
        }
    }

    fn socket(&self, choices: &mut Choices<'_>) -> Option<usize> {
        (!self.twins.is_empty()).then(|| choices.below(self.twins.len()))
    }

    fn name(&self, choices: &mut Choices<'_>) -> String {
        let number = choices.below(NAMES.len() + 3);
        match NAMES.get(number) {
            Some(name) => (*name).to_owned(),
            // Somebody's own room, of whatever namespace and core.
            None => self.socket(choices).map_or_else(String::new, |socket| self.twins[socket].name.clone()),
        }
    }

    fn choice(&self, choices: &mut Choices<'_>, names_max: usize) -> Choice {
        let mut names = || (0..choices.below(names_max + 1)).map(|_| self.name(choices)).collect::<Vec<_>>();
        let (to, except) = (names(), names());
        let skip =
            if choices.coin() { self.socket(choices).map(|socket| self.twins[socket].id) } else { None };
        Choice { nsp: choices.below(3), to, except, skip }
    }

    /// Sockets of which the hub has nothing left are gone; what the hub holds is charged.
    fn settle(&mut self) {
        for twin in &mut self.twins {
            let hub = &self.cores[twin.core].hub;
            if twin.standing == Standing::Leaving && hub.id_of(twin.key).is_none() {
                (twin.standing, twin.rooms) = (Standing::Gone, BTreeSet::new());
            }
            if twin.standing == Standing::Gone {
                twin.rooms.clear();
            }
            let is_there = hub.id_of(twin.key).is_some();
            assert_eq!(is_there, twin.standing != Standing::Gone, "{} is {:?}", twin.name, twin.standing);
            assert_eq!(hub.is_connected(twin.key), twin.standing == Standing::In, "{}", twin.name);
        }
        for core in &self.cores {
            assert_eq!(core.hub.audit(&[]), Ok(()));
        }
    }

    /// Invariant 11.
    fn check_rooms(&self) {
        for (number, core) in self.cores.iter().enumerate() {
            let here = || self.twins.iter().filter(move |twin| twin.core == number);
            let mut all = 0;
            for (nsp, title) in NAMESPACES.iter().enumerate() {
                let mut expected = BTreeMap::new();
                for name in here().filter(|twin| twin.nsp == nsp).flat_map(|twin| &twin.rooms) {
                    *expected.entry(name.as_str()).or_insert(0) += 1;
                }
                all += expected.len();
                let found: BTreeMap<_, _> = core.hub.rooms(self.nsps[nsp]).collect();
                assert_eq!(found, expected, "rooms of {title} on core {number}");
            }
            assert_eq!(core.hub.gauges().rooms, all);
            for twin in here().filter(|twin| twin.standing != Standing::Gone) {
                let found = core.hub.rooms_of(twin.key);
                assert_eq!(found.first(), Some(&twin.name));
                let rooms: BTreeSet<_> = found[1..].iter().cloned().collect();
                assert_eq!((&rooms, found.len()), (&twin.rooms, twin.rooms.len() + 1), "{}", twin.name);
                assert!(rooms.iter().all(|room| core.hub.is_in(twin.key, room)));
            }
        }
    }

    /// Everybody leaves.
    fn end(mut self) {
        self.cores.iter_mut().for_each(|core| core.hub.release());
        self.check_rooms();
        self.flush();
        for client in self.clients.iter().filter(|client| client.is_open) {
            self.cores[client.core].cut(client.conn);
        }
        for core in &mut self.cores {
            core.flush();
            core.forget_sockets();
            core.flush();
            let (gauges, rooms) = (core.hub.gauges(), core.hub.account().held_of(Kind::Rooms));
            assert_eq!((gauges, rooms), (socketville_hub::Gauges::default(), 0));
        }
    }
}

impl Twin {
    /// Whether it takes its namespace's place in its session.
    fn is_held(&self) -> bool {
        matches!(self.standing, Standing::Waiting | Standing::In)
    }

    fn is_named(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.rooms.contains(name) || self.name == *name || self.id.as_str() == name)
    }
}

fn cows(names: &[String]) -> Vec<Cow<'_, str>> {
    names.iter().map(|name| Cow::Borrowed(name.as_str())).collect()
}
