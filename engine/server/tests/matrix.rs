//! Wherever the application's code runs, it may do anything: emit, join, leave, disconnect itself or all, ask, spawn, stop the server, panic, and
//! what leads to the same place again. Each is done or refused as documented, and nobody else is harmed: whoever waits for an
//! answer gets one, a bystander keeps getting its events, the server goes on.
//!
//! Not what each place is for: only that nothing of the engine is in the way there. Turned by hand, so that a stack that overflows, a
//! borrow or an endless loop is seen at once.

mod deeds;
mod hand;
mod places;

use deeds::{ALL as DEEDS, Deed, Doing};
use hand::{Hand, Wire};
use places::{ALL as PLACES, Place};

/// Events that the bystander gets before, between and after.
struct Bystander {
    wire: Wire,
    ticks: u32,
}

impl Bystander {
    fn join(hand: &mut Hand, core: usize) -> Self {
        let wire = hand.open(core);
        hand.say(wire, "40/by,");
        hand.settle();
        assert!(hand.texts(wire).iter().any(|text| text.starts_with("40/by,")), "it is in");
        Self { wire, ticks: 0 }
    }

    /// It gets what is emitted to it, and its questions are answered.
    fn check(&mut self, hand: &mut Hand, cell: &str) {
        self.ticks += 1;
        hand.emitter().of("/by").emit("tick", (self.wire.core, self.ticks));
        hand.say(self.wire, &format!("42/by,{}[\"fence\"]", self.ticks));
        hand.settle();
        let texts = hand.texts(self.wire);
        let tick = format!("42/by,[\"tick\",{},{}", self.wire.core, self.ticks);
        assert_eq!(texts.iter().filter(|text| text.starts_with(&tick)).count(), 1, "{cell}: {texts:?}");
        assert!(texts.contains(&format!("43/by,{}[]", self.ticks)), "{cell}: {texts:?}");
        assert!(hand.is_open(self.wire), "{cell}");
    }
}

fn try_cell(place: &Place, deed: Deed, cores: usize) {
    let cell = format!("{deed:?} in {} on {cores}", place.name);
    let doing = Doing::new(deed);
    let io = socketville::Server::builder();
    // The clock stands still while the server ends: nobody can be waited for.
    io.drain_window(std::time::Duration::ZERO);
    io.of("/by").on("fence", |ack: socketville::Ack| ack.send(()));
    (place.build)(&io, &doing);
    let mut hand = Hand::new(io, cores);
    let mut bystanders: Vec<_> = (0..cores).map(|core| Bystander::join(&mut hand, core)).collect();
    bystanders.iter_mut().for_each(|bystander| bystander.check(&mut hand, &cell));
    doing.arm(&hand.emitter());
    (place.drive)(&mut hand, cores - 1, &doing, &cell);
    hand.pass_ms(50); // what was spawned has ended
    assert!(doing.is_done(), "{cell}: it was not done");
    if deed == Deed::StopTheServer {
        assert!((0..1_000).any(|_| (0..cores).all(|core| !hand.turn(core))), "{cell}: it does not stop");
        return;
    }
    bystanders.iter_mut().for_each(|bystander| bystander.check(&mut hand, &cell));
    doing.check(&cell);
    // Another one comes, now that the deed is done, and is served as ever.
    doing.disarm();
    (place.drive)(&mut hand, 0, &doing, &cell);
    bystanders.iter_mut().for_each(|bystander| bystander.check(&mut hand, &cell));
}

fn try_places(is_meant: impl Fn(&str) -> bool) {
    let places: Vec<_> = PLACES.iter().filter(|place| is_meant(place.name)).collect();
    assert!(!places.is_empty());
    for place in places {
        for deed in DEEDS {
            [1, 2].into_iter().for_each(|cores| try_cell(place, deed, cores));
        }
    }
}

#[test]
fn in_hooks_of_requests() {
    try_places(|name| name.starts_with("hook"));
}

#[test]
fn in_middlewares_and_handlers() {
    try_places(|name| name.starts_with("handler"));
}

#[test]
fn in_watchers() {
    try_places(|name| name.starts_with("watcher"));
}

#[test]
fn in_rooms_and_namespaces() {
    try_places(|name| name.starts_with("room") || name.starts_with("namespace"));
}

#[test]
fn in_tasks_and_routes() {
    try_places(|name| name.starts_with("task") || name.starts_with("route"));
}

#[test]
fn in_values_that_are_dropped_written_or_read() {
    try_places(|name| name.starts_with("value"));
}
