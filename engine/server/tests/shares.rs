//! A share of a core's tasks for each client: who floods waits, loses nothing and keeps its order; nobody else notices.

mod hand;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hand::{Hand, Wire};
use socketville::limits::TASKS_PER_CLIENT_MAX;
use socketville::{Ack, Builder, HttpRequest, HttpResponse, Method, Server, Socket, sleep};

/// Handlers that wait so long, and how many do at a time.
fn slow(wait_ms: u64) -> (Builder, Arc<AtomicUsize>) {
    let (io, most) = (Server::builder(), Arc::new(AtomicUsize::new(0)));
    let (waiting, peak) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&most));
    io.ping_interval(Duration::from_secs(25)).ping_timeout(Duration::from_secs(20));
    io.on("slow", async move |number: u64, ack: Ack| {
        peak.fetch_max(waiting.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        sleep(Duration::from_millis(wait_ms)).await;
        waiting.fetch_sub(1, Ordering::SeqCst);
        ack.send(number);
    });
    io.on("quick", |ack: Ack| ack.send("quick"));
    io.route(Method::Get, "/healthz", async |_request: HttpRequest| HttpResponse::text(200, "ok\n"));
    (io, most)
}

/// Sends so many events at once, with acknowledgements, in segments as a kernel has them.
fn flood(hand: &mut Hand, wire: Wire, events: usize) {
    let texts: Vec<String> = (0..events).map(|number| format!("42{number}[\"slow\",{number}]")).collect();
    for segment in texts.chunks(1_000) {
        hand.say_all(wire, segment.iter().map(String::as_str));
    }
    hand.settle();
}

/// The acknowledgements that have come, in order.
fn acks(texts: &[String]) -> Vec<usize> {
    let number = |text: &String| text.strip_prefix("43")?.split('[').next()?.parse().ok();
    texts.iter().filter_map(number).collect()
}

#[test]
fn who_floods_is_read_share_by_share_and_loses_nothing() {
    let (io, most) = slow(10);
    let mut hand = Hand::new(io, 1);
    let (flooder, other) = (hand.join(0), hand.join(0));
    flood(&mut hand, flooder, 10_000);
    assert_eq!(most.load(Ordering::SeqCst), TASKS_PER_CLIENT_MAX);
    assert!(hand.unread(flooder) >= 9, "the rest is where TCP keeps it");
    hand.say(other, "421[\"quick\"]");
    hand.settle();
    assert_eq!(hand.texts(other), ["431[\"quick\"]"]);
    for _ in 0..10_000 / (TASKS_PER_CLIENT_MAX / 2) {
        hand.pass_ms(10);
    }
    assert_eq!(acks(&hand.texts(flooder)), (0..10_000).collect::<Vec<_>>());
    assert_eq!(most.load(Ordering::SeqCst), TASKS_PER_CLIENT_MAX);
}

/// What a client that is not read owes is not expected: its pong lies behind what nobody reads.
#[test]
fn who_is_not_read_is_not_late() {
    let (io, _) = slow(200_000);
    let mut hand = Hand::new(io, 1);
    let flooder = hand.join(0);
    flood(&mut hand, flooder, 3 * TASKS_PER_CLIENT_MAX);
    for _ in 0..3 {
        hand.pass_ms(60_000);
        assert!(hand.is_open(flooder) && !hand.texts(flooder).contains(&"close".to_owned()));
    }
    hand.pass_ms(25_000);
    assert_eq!(acks(&hand.texts(flooder)).len(), TASKS_PER_CLIENT_MAX);
    // Read again, it owes a pong as everybody does; it sends none.
    hand.pass_ms(460_000);
    assert!(!hand.is_open(flooder));
}

/// A way to ask the client that an event came from, and to wait for its answer.
type Asking = fn(Builder) -> Builder;

const PATIENCE: Duration = Duration::from_secs(60);

fn ask_it_directly(io: Builder) -> Builder {
    io.on("ask", async |socket: Socket, number: u64, ack: Ack| {
        sleep(Duration::from_millis(1)).await;
        ack.send(socket.emit_with_ack::<u64>("q", number, PATIENCE).await.unwrap_or(0));
    });
    io
}

fn ask_its_namespace(io: Builder) -> Builder {
    io.on("ask", async |socket: Socket, number: u64, ack: Ack| {
        let answers = socket.nsp().emit_with_ack::<u64>("q", number, PATIENCE).await;
        ack.send(answers.map_or(0, |answers| answers[0]));
    });
    io
}

fn ask_its_room(io: Builder) -> Builder {
    io.on("ask", async |socket: Socket, number: u64, ack: Ack| {
        let answers = socket.nsp().to(socket.id()).emit_with_ack::<u64>("q", number, PATIENCE).await;
        ack.send(answers.map_or(0, |answers| answers[0]));
    });
    io
}

fn ask_it_from_afar(io: Builder) -> Builder {
    io.on("ask", async |socket: Socket, number: u64, ack: Ack| {
        let found = socket.nsp().fetch_sockets().await.expect("all cores answer");
        ack.send(found[0].emit_with_ack::<u64>("q", number, PATIENCE).await.unwrap_or(0));
    });
    io
}

fn ask_it_elsewhere(io: Builder) -> Builder {
    io.of("/other").on_connect(|_socket: Socket| {});
    io.on("ask", async |socket: Socket, number: u64, ack: Ack| {
        let answers = socket.emitter().of("/other").emit_with_ack::<u64>("q", number, PATIENCE).await;
        ack.send(answers.map_or(0, |answers| answers[0]));
    });
    io
}

/// The answers that handlers wait for lie behind the events that are not read, whichever way they were asked for.
#[test]
fn handlers_that_wait_for_their_own_client_do_not_count_whoever_asks() {
    let ways: [(&str, Asking); 5] = [
        ("directly", ask_it_directly),
        ("its namespace", ask_its_namespace),
        ("its room", ask_its_room),
        ("from afar", ask_it_from_afar),
        ("elsewhere", ask_it_elsewhere),
    ];
    for (way, asking) in ways {
        let mut hand = Hand::new(asking(Server::builder()), 1);
        let wire = hand.join(0);
        hand.say(wire, "40/other,");
        hand.settle();
        hand.texts(wire);
        let count = 3 * TASKS_PER_CLIENT_MAX;
        let texts: Vec<String> = (0..count).map(|number| format!("42{number}[\"ask\",{number}]")).collect();
        hand.say_all(wire, texts.iter().map(String::as_str));
        let (mut done, mut answers) = (Vec::new(), 0);
        for _ in 0..100 {
            hand.settle();
            hand.pass_ms(1);
            for text in hand.texts(wire) {
                if let Some((id, _)) = text.strip_prefix("42").and_then(|rest| rest.split_once("[\"q\"")) {
                    hand.say(wire, &answer_to(id));
                    answers += 1;
                } else if text.starts_with("43") && text.ends_with("[7]") {
                    done.push(text);
                }
            }
        }
        let all = "all within 100 ms, not after time-outs";
        assert_eq!((answers, done.len()), (count, count), "{way}: {all}");
    }
}

/// What a client says to the question with this id, a namespace before it if there is one.
fn answer_to(id: &str) -> String {
    match id.rsplit_once(',') {
        Some((namespace, id)) => format!("43{namespace},{id}[7]"),
        None => format!("43{id}[7]"),
    }
}

/// A payload of a POST is read share by share as well, and answered after its last packet; the next one waits.
#[test]
fn posts_are_read_share_by_share() {
    let (io, most) = slow(10);
    let mut hand = Hand::new(io, 1);
    let wire = hand.connect(0);
    hand.send(wire, b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\n\r\n");
    hand.settle();
    let answer = String::from_utf8(hand.bytes(wire)).expect("UTF-8");
    let sid = answer.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id");
    let post = |body: &str| {
        format!(
            "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    hand.send(wire, post("40").as_bytes());
    hand.settle();
    hand.bytes(wire);
    let events: Vec<String> = (0..1_000).map(|number| format!("42[\"slow\",{number}]")).collect();
    hand.send(wire, post(&events.join("\u{1e}")).as_bytes());
    hand.settle();
    assert!(hand.bytes(wire).is_empty(), "its packets are not all handled");
    for _ in 0..1_000 / (TASKS_PER_CLIENT_MAX / 2) {
        hand.pass_ms(10);
    }
    assert!(hand.bytes(wire).starts_with(b"HTTP/1.1 200"));
    assert_eq!(most.load(Ordering::SeqCst), TASKS_PER_CLIENT_MAX);
}

/// A core with as many waiting tasks as it may have leaves each client one more, and routes are served as ever.
#[test]
fn a_core_full_of_tasks_still_serves_everybody() {
    let (io, _) = slow(1_000);
    io.tasks_per_client_max(usize::MAX / 2);
    let mut hand = Hand::new(io, 1);
    let (flooder, other) = (hand.join(0), hand.join(0));
    flood(&mut hand, flooder, 66_000);
    hand.say_all(other, ["421[\"slow\",1]", "422[\"slow\",2]", "423[\"quick\"]"]);
    let health = hand.connect(0);
    hand.send(health, b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n");
    hand.settle();
    assert!(hand.bytes(health).starts_with(b"HTTP/1.1 200"));
    assert!(hand.texts(other).is_empty(), "not read past its one");
    hand.pass_ms(1_000);
    hand.pass_ms(1_000);
    let mut answered = acks(&hand.texts(other));
    answered.sort_unstable();
    assert_eq!(answered, [1, 2, 3]);
    assert_eq!(acks(&hand.texts(flooder)).len(), 66_000);
}

/// Ends while it is not read leave nothing.
#[test]
fn who_leaves_while_it_is_not_read_is_forgotten() {
    let (io, _) = slow(50);
    let mut hand = Hand::new(io, 1);
    let flooder = hand.join(0);
    flood(&mut hand, flooder, 500);
    hand.emitter().of("/").disconnect_sockets(true);
    hand.finish(flooder);
    hand.pass_ms(60_000);
    assert_eq!(hand.machine.report(0).gauges.sockets, 0);
    assert_eq!(hand.machine.report(0).gauges.connections, 0);
}

/// The bug: what a client said in CONNECT was charged to nobody while the application decided whether its namespace exists.
#[test]
fn what_is_said_to_a_parent_that_thinks_is_charged_and_bounds_what_is_read() {
    let io = Server::builder();
    io.connect_timeout(Duration::from_secs(600));
    io.of_function("slow", async |_name: String, _auth| {
        sleep(Duration::from_secs(60)).await;
        false
    });
    let mut hand = Hand::new(io, 1);
    let wire = hand.open(0);
    let before = hand.machine.report(0).gauges.held_bytes;
    for number in 0..40 {
        hand.say(wire, &format!("40/x{number},{{\"a\":\"{}\"}}", "x".repeat(900_000)));
        hand.settle();
        hand.machine.audit(0).expect("the account is right");
    }
    let held = hand.machine.report(0).gauges.held_bytes - before;
    assert!(held > 900_000 && held < 4_000_000, "{held} bytes");
    assert!(hand.unread(wire) > 0, "the rest waits in the kernel");
    hand.pass_ms(60_000);
    hand.machine.audit(0).expect("the account is right");
}

/// The bug: events that waiting handlers hold were bounded by their number alone where a client left one answer out, and by nothing above the marks.
#[test]
fn who_owes_an_answer_may_have_more_events_of_weight_and_not_without_end() {
    let io = Server::builder();
    io.on("ask", async |socket: Socket| {
        let _ = socket.emit_with_ack::<u64>("question", (), Duration::from_secs(600)).await;
    });
    io.on("heavy", async |_socket: Socket, _text: String| sleep(Duration::from_secs(60)).await);
    let mut hand = Hand::new(io, 1);
    let wire = hand.join(0);
    hand.say(wire, "42[\"ask\"]");
    for _ in 0..40 {
        hand.say(wire, &format!("42[\"heavy\",\"{}\"]", "x".repeat(900_000)));
        hand.settle();
    }
    let held = hand.machine.report(0).gauges.held_bytes;
    assert!(held > 3_000_000 && held < 7_000_000, "{held} bytes");
    hand.machine.audit(0).expect("the account is right");
}

/// Above the soft mark a client has one handler that waits over something of weight, and nobody is cut for it.
#[test]
fn where_memory_is_scarce_a_client_has_one_event_of_weight() {
    let io = Server::builder();
    io.memory_max(8 << 20);
    io.on("heavy", async |_socket: Socket, _text: String| sleep(Duration::from_secs(60)).await);
    let mut hand = Hand::new(io, 1);
    let wires: Vec<_> = (0..20).map(|_| hand.join(0)).collect();
    for _ in 0..5 {
        for &wire in &wires {
            if hand.is_open(wire) {
                hand.say(wire, &format!("42[\"heavy\",\"{}\"]", "x".repeat(500_000)));
                hand.settle();
            }
        }
    }
    let gauges = hand.machine.report(0).gauges;
    assert!(gauges.held_bytes < 16 << 20, "{} bytes", gauges.held_bytes);
    assert_eq!(gauges.sockets, wires.len());
    hand.machine.audit(0).expect("the account is right");
}
