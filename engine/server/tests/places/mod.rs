//! Wherever an application's code runs: each place with the server that has it, and with clients that lead there.
//! Not what is done there: that is `deeds`.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use socketville::{
    Ack, Adapter, Builder, ClusterMessage, HttpRequest, HttpResponse, Method, Recovery, Refusal, Relay,
    Socket, sleep, spawn, yield_now,
};

use crate::deeds::{Doing, Kept};
use crate::hand::{Hand, Wire};

pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) build: fn(&Builder, &Doing),
    /// Clients at this core lead there. Whoever has to be answered is, whatever is done.
    pub(crate) drive: fn(&mut Hand, usize, &Doing, &str),
}

macro_rules! places {
    ($($name:literal => |$io:ident, $doing:ident| $build:expr, $drive:path;)*) => {
        pub(crate) const ALL: &[Place] = &[$(Place {
            name: $name,
            build: |$io: &Builder, $doing: &Doing| { actor($io); $build; },
            drive: $drive,
        }),*];
    };
}

/// A closure with its own handle of the doing.
macro_rules! at {
    ($doing:ident, $closure:expr) => {{
        let $doing = $doing.clone();
        $closure
    }};
}

places! {
    "hook: allow_request" => |io, d| io.allow_request(at!(d, move |_| { d.here(); Ok(()) })), opens;
    "hook: consider_request" => |io, d| io.consider_request(at!(d, async move |_| { yield_now().await; d.here(); Ok(()) })), opens;
    "hook: initial_headers" => |io, d| io.initial_headers(at!(d, move |_, _| d.here())), opens;
    "hook: headers" => |io, d| io.headers(at!(d, move |_, _| d.here())), opens;
    "hook: headers of a poll" => |io, d| io.headers(at!(d, move |request, _| if request.url().contains("sid") { d.here() })), polls;
    "hook: generate_id" => |io, d| io.generate_id(at!(d, move |_| { d.here(); "x".into() })), opens;
    "hook: on_connection_error" => |io, d| io.on_connection_error(at!(d, move |_, _, _| d.here())), errs;
    "handler: middleware" => |io, d| io.of("/").use_middleware(at!(d, async move |socket: Socket| { Doing::is_actor(&socket); d.here(); Ok(()) })), joins;
    "handler: middleware that waited" => |io, d| io.of("/").use_middleware(at!(d, async move |socket: Socket| {
        sleep(Duration::from_millis(1)).await;
        Doing::is_actor(&socket);
        d.here();
        Err(Refusal::from("no"))
    })), joins;
    "handler: on_connect" => |io, d| io.on_connect(at!(d, move |socket: Socket| { Doing::is_actor(&socket); d.here() })), joins;
    "handler: event" => |io, d| io.on("go", at!(d, move || d.here())), goes;
    "handler: event, async" => |io, d| io.on("go", at!(d, async move || { yield_now().await; d.here() })), goes;
    "handler: use_packet" => |io, d| io.of("/").on("go", || {}).use_packet(at!(d, move |_, _| { d.here(); Ok(()) })), goes;
    "handler: on_error" => |io, d| io.of("/").use_packet(|_, _| Err("no".into())).on_error(at!(d, move || d.here())), goes;
    "handler: on_packet" => |io, d| io.of("/").on_packet("go", at!(d, move |_, _| d.here())), goes;
    "handler: on_disconnecting" => |io, d| io.of("/").on_disconnecting(at!(d, move || d.here())), leaves;
    "handler: on_disconnect" => |io, d| io.of("/").on_disconnect(at!(d, move || d.here())), leaves;
    "handler: engine message" => |io, d| io.engine("/engine.io/", at!(d, move |_, _| d.here())), speaks_engine_io;
    "handler: bare message" => |io, d| io.websocket("/bare", at!(d, move |_, _| d.here())), speaks_bare;
    "watcher: on_any" => |io, d| io.of("/").on_any(at!(d, move |_, _, _| d.here())), goes;
    "watcher: on_any_outgoing" => |io, d| io.of("/").on_any_outgoing(at!(d, move |_, _, _| d.here())), is_told;
    "watcher: on_any_outgoing of a broadcast" => |io, d| io.of("/").on_any_outgoing(at!(d, move |_, _, _| d.here())), is_told_from_outside;
    "watcher: adapter" => |io, d| io.adapter(Other(d.clone())), is_told;
    "room: on_create_room" => |io, d| io.of("/").on_create_room(at!(d, move |_| d.here())), moves;
    "room: on_join_room" => |io, d| io.of("/").on_join_room(at!(d, move |_, _| d.here())), moves;
    "room: on_leave_room" => |io, d| io.of("/").on_leave_room(at!(d, move |_, _| d.here())), moves;
    "room: on_delete_room" => |io, d| io.of("/").on_delete_room(at!(d, move |_| d.here())), moves;
    "namespace: of_function" => |io, d| { io.cleanup_empty_child_namespaces(true); io.of_function("dyn", at!(d, async move |_, _| { d.here(); true })) }, joins_dynamic;
    "namespace: of_function that waited" => |io, d| { io.cleanup_empty_child_namespaces(true); io.of_function("dyn", at!(d, async move |_, _| { yield_now().await; d.here(); true })) }, joins_dynamic;
    "namespace: on_new_namespace" => |io, d| { io.cleanup_empty_child_namespaces(true); io.of_pattern("^/dyn"); io.on_new_namespace(at!(d, move |_| d.here())) }, joins_dynamic;
    "task: spawned" => |io, d| io.on("go", at!(d, move || spawn(at!(d, async move { yield_now().await; d.here() })))), goes;
    "task: its drop" => |io, d| io.on("go", at!(d, move || { let kept = Kept(d.clone()); spawn(async move { yield_now().await; drop(kept) }) })), goes;
    "route: at once" => |io, d| io.route(Method::Get, "/route", at!(d, move |_: HttpRequest| { d.here(); async { HttpResponse::empty(204) } })), asks_a_route;
    "route: later" => |io, d| io.route(Method::Get, "/route", at!(d, move |_: HttpRequest| { let d = d.clone(); async move { yield_now().await; d.here(); HttpResponse::empty(204) } })), asks_a_route;
    "value: dropped with its socket" => |io, d| io.on("go", at!(d, move |socket: Socket| socket.set_data(Kept(d.clone())))), goes_and_leaves;
    "value: replaced" => |io, d| io.on("go", at!(d, move |socket: Socket| { socket.set_data(Kept(d.clone())); socket.set_data(1) })), goes;
    "value: of one who never came back" => |io, d| {
        io.connection_state_recovery(Recovery { max_disconnection: Duration::from_millis(500), ..Recovery::default() });
        io.on("go", at!(d, move |socket: Socket| socket.set_data(Kept(d.clone()))))
    }, goes_and_is_lost;
    "value: of one who is refused" => |io, d| io.of("/").use_middleware(at!(d, async move |socket: Socket| {
        socket.set_data(Kept(d.clone()));
        Doing::forget_actor(); // so that nothing but the engine has a handle of it
        Err(Refusal::from("no"))
    })), joins;
    "value: written for others" => |io, d| io.on("go", at!(d, async move |socket: Socket| {
        socket.set_data(Kept(d.clone()));
        let _ = socket.nsp().fetch_sockets().await;
    })), goes;
    "value: written as an argument" => |io, d| io.on("go", at!(d, move |socket: Socket| socket.nsp().emit("kept", Kept(d.clone())))), goes;
    "value: read as an argument" => |io, d| io.on("go", at!(d, move |socket: Socket| { READ.set(Some(d.clone())); socket.emit("back", 1) })).on("read", |_: Read| {}), reads;
    "value: read as an answer" => |io, d| io.on("go", at!(d, async move |socket: Socket| {
        READ.set(Some(d.clone()));
        let _ = socket.emit_with_ack::<Read>("q", (), Duration::from_secs(1)).await;
    })), answers;
}

/// Every client of `/` is the one that deeds are about, and in a room.
fn actor(io: &Builder) {
    io.of("/").use_middleware(async |socket: Socket| {
        Doing::is_actor(&socket);
        let _ = socket.join("start");
        Ok(())
    });
    io.on("fence", |ack: Ack| ack.send(()));
    io.on("emit", |socket: Socket| socket.nsp().emit("told", 1));
    io.on("move", |socket: Socket| {
        let _ = socket.join("deed room");
        socket.leave("deed room");
    });
}

thread_local! {
    static READ: std::cell::RefCell<Option<Doing>> = const { std::cell::RefCell::new(None) };
}

/// A value whose reading is a place.
struct Read;

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer)?;
        if let Some(doing) = READ.with_borrow(Option::clone) {
            doing.here();
        }
        Ok(Self)
    }
}

/// The way to other servers.
struct Other(Doing);

impl Adapter for Other {
    fn start(&self, _relay: Relay) {}

    fn send(&self, _message: ClusterMessage) {
        self.0.here();
    }
}

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// Asks for something over HTTP; there is always an answer, or the end of the connection.
fn ask(hand: &mut Hand, core: usize, target: &str, headers: &str, cell: &str) -> (Wire, String) {
    let wire = hand.connect(core);
    hand.send(wire, format!("GET {target} HTTP/1.1\r\nHost: test\r\n{headers}\r\n").as_bytes());
    hand.settle();
    let answer = String::from_utf8_lossy(&hand.bytes(wire)).into_owned();
    assert!(answer.starts_with("HTTP/1.1 ") || !hand.is_open(wire), "{cell}: {target} is not answered");
    (wire, answer)
}

/// A WebSocket, if it is let in.
fn open(hand: &mut Hand, core: usize, cell: &str) -> Option<Wire> {
    let (wire, answer) = ask(hand, core, "/socket.io/?EIO=4&transport=websocket", UPGRADE, cell);
    answer.starts_with("HTTP/1.1 101").then_some(wire)
}

/// Asks for a namespace; there is always an answer, or the end of the connection.
fn join(hand: &mut Hand, wire: Wire, packet: &str, cell: &str) -> bool {
    hand.say(wire, packet);
    hand.settle();
    hand.pass_ms(5);
    let texts = hand.texts(wire);
    let (is_in, is_out) = ("40", ["44", "41", "close"]);
    let has = |start: &str| texts.iter().any(|text| text.starts_with(start));
    assert!(
        has(is_in) || is_out.iter().any(|start| has(start)) || !hand.is_open(wire),
        "{cell}: {packet} is not answered: {texts:?}"
    );
    has(is_in) && !has("close") && !has("41")
}

fn opens(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    ask(hand, core, "/socket.io/?EIO=4&transport=polling", "", cell);
    if let Some(wire) = open(hand, core, cell) {
        join(hand, wire, "40", cell);
    }
}

fn polls(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    let (wire, answer) = ask(hand, core, "/socket.io/?EIO=4&transport=polling", "", cell);
    let sid = answer.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    hand.send(
        wire,
        format!("POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n40")
            .as_bytes(),
    );
    hand.settle();
    assert!(
        hand.bytes(wire).starts_with(b"HTTP/1.1 ") || !hand.is_open(wire),
        "{cell}: a POST is not answered"
    );
    ask(hand, core, &format!("/socket.io/?EIO=4&transport=polling&sid={sid}"), "", cell);
}

fn errs(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    ask(hand, core, "/socket.io/?EIO=4&transport=pigeon", "", cell);
}

fn joined(hand: &mut Hand, core: usize, cell: &str) -> Option<Wire> {
    let wire = open(hand, core, cell)?;
    join(hand, wire, "40", cell).then_some(wire)
}

fn joins(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    joined(hand, core, cell);
}

/// An event, and a question behind it: answered if nothing has ended its client.
fn tell(hand: &mut Hand, core: usize, event: &str, doing: &Doing, cell: &str) -> Option<Wire> {
    let wire = joined(hand, core, cell)?;
    hand.say_all(wire, [&*format!("42[\"{event}\"]"), "421[\"fence\"]"]);
    hand.settle();
    hand.pass_ms(5);
    let texts = hand.texts(wire);
    let is_refused = cell.contains("on_error"); // there all events are
    assert!(
        texts.contains(&"431[]".into()) || doing.is_fatal() || is_refused,
        "{cell}: the question behind it has no answer: {texts:?}"
    );
    Some(wire)
}

fn goes(hand: &mut Hand, core: usize, doing: &Doing, cell: &str) {
    tell(hand, core, "go", doing, cell);
}

fn is_told(hand: &mut Hand, core: usize, doing: &Doing, cell: &str) {
    tell(hand, core, "emit", doing, cell);
}

fn moves(hand: &mut Hand, core: usize, doing: &Doing, cell: &str) {
    if let Some(wire) = tell(hand, core, "move", doing, cell) {
        hand.finish(wire);
        hand.settle();
    }
}

fn is_told_from_outside(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    joined(hand, core, cell);
    hand.emitter().emit("told", 1);
    hand.settle();
}

fn leaves(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    let (Some(first), Some(second)) = (joined(hand, core, cell), joined(hand, core, cell)) else { return };
    hand.say(first, "41");
    hand.finish(second);
    hand.settle();
}

fn goes_and_leaves(hand: &mut Hand, core: usize, doing: &Doing, cell: &str) {
    if let Some(wire) = tell(hand, core, "go", doing, cell) {
        Doing::forget_actor();
        hand.say(wire, "41");
        hand.settle();
    }
}

fn goes_and_is_lost(hand: &mut Hand, core: usize, doing: &Doing, cell: &str) {
    if let Some(wire) = tell(hand, core, "go", doing, cell) {
        Doing::forget_actor();
        hand.finish(wire);
        hand.settle();
        hand.pass_ms(1_000);
    }
}

fn joins_dynamic(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    let Some(wire) = joined(hand, core, cell) else { return };
    let is_in = join(hand, wire, "40/dyn-1,", cell);
    hand.pass_ms(5);
    hand.finish(wire);
    hand.settle();
    assert_eq!(hand.emitter().namespaces(), ["/", "/by"], "{cell}: something is left (was it in: {is_in})");
}

fn speaks_engine_io(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    let (wire, _) = ask(hand, core, "/engine.io/?EIO=4&transport=websocket", UPGRADE, cell);
    hand.say(wire, "4hello");
    hand.settle();
}

fn speaks_bare(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    let (wire, _) = ask(hand, core, "/bare", UPGRADE, cell);
    hand.say(wire, "hello");
    hand.settle();
}

fn asks_a_route(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    joined(hand, core, cell);
    let (_, answer) = ask(hand, core, "/route", "", cell);
    assert!(answer.starts_with("HTTP/1.1 204") || answer.starts_with("HTTP/1.1 500"), "{cell}: {answer}");
}

fn reads(hand: &mut Hand, core: usize, doing: &Doing, cell: &str) {
    if let Some(wire) = tell(hand, core, "go", doing, cell) {
        hand.say(wire, "42[\"read\",1]");
        hand.settle();
    }
}

fn answers(hand: &mut Hand, core: usize, _doing: &Doing, cell: &str) {
    let Some(wire) = joined(hand, core, cell) else { return };
    hand.say(wire, "42[\"go\"]");
    hand.settle();
    let question = hand.texts(wire).pop().unwrap_or_default();
    let digits: String = question.chars().skip(2).take_while(char::is_ascii_digit).collect();
    hand.say(wire, &format!("43{digits}[1]"));
    hand.settle();
}
