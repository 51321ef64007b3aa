//! Crowds at the real program's door: all descriptors in use, and more clients of an address than may be.
//! No load is measured here: the tests look at what each refused connection is answered, and that the operator's routes are answered.

mod program;

use std::io::{BufReader, Write};
use std::net::TcpStream;

use program::{Program, Reply};

/// The program with each driver that this machine allows, on one core.
fn with_each_driver(descriptors: usize, options: &[&str], check: impl Fn(&Program)) {
    let start = |options: &[&str]| Program::start_within(descriptors, options);
    program::with_each_driver(start, &[&["--cores", "1", "--api-key", "a-key"], options].concat(), check);
}

const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A client that wants a WebSocket: its connection, and the answer.
fn want(program: &Program, headers: &str) -> (BufReader<TcpStream>, Reply) {
    let mut connection = program.connection();
    let request = format!("{UPGRADE}{headers}\r\n");
    connection.get_mut().write_all(request.as_bytes()).expect("it listens");
    let reply = Reply::read(&mut connection);
    (connection, reply)
}

fn metric(program: &Program, name: &str) -> f64 {
    let start = format!("socketville_{name}{{core=\"0\"}} ");
    let text = program.get("/metrics").body;
    let value = text.lines().find_map(|line| line.strip_prefix(&start)).expect("a metric");
    value.parse().expect("a number")
}

const DESCRIPTORS: usize = 160;

/// Clients take all that they can get and stay: the next is told to come later, and the operator is answered as before.
#[test]
fn the_operator_is_answered_though_clients_have_all_descriptors() {
    with_each_driver(DESCRIPTORS, &[], |program| {
        let mut clients = Vec::new();
        let refused = loop {
            let (connection, reply) = want(program, "");
            match reply.status {
                101 => clients.push(connection),
                _ => break reply,
            }
            assert!(clients.len() < DESCRIPTORS, "there are not so many");
        };
        assert_eq!(refused.status, 503, "{}", refused.head);
        assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
        assert!(clients.len() > DESCRIPTORS / 2, "most places are for clients: {}", clients.len());
        let silent: Vec<_> = (0..DESCRIPTORS).map(|_| program.connection()).collect();
        for _ in 0..10 {
            assert_eq!(want(program, "").1.status, 503);
            assert_eq!((program.get("/healthz").status, program.get("/readyz").status), (200, 200));
            assert_eq!(program.publish("a-key", r#"{"event":"bell"}"#).status, 200);
        }
        drop(silent);
        assert!(metric(program, "descriptors_refused_total") >= 11.0);
        clients.truncate(clients.len() / 2);
        while want(program, "").1.status != 101 {}
    });
}

/// Behind a proxy that is trusted each client has its own share; on loopback, where the tests are, nobody has one otherwise.
#[test]
fn an_address_has_so_many_connections() {
    let limits = [
        "--connections-per-address-max",
        "3",
        "--half-open-per-address-max",
        "10",
        "--trusted-proxy",
        "127.0.0.0/8,::1",
    ];
    with_each_driver(10_000, &limits, |program| {
        let from = |address: &str| want(program, &format!("X-Forwarded-For: 6.6.6.6, {address}\r\n"));
        let clients: Vec<_> = (0..3).map(|_| from("192.0.2.1")).collect();
        assert!(clients.iter().all(|(_, reply)| reply.status == 101));
        let (_, refused) = from("192.0.2.1");
        assert_eq!((refused.status, refused.body.contains("Too many requests")), (429, true));
        assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
        assert_eq!(from("192.0.2.2").1.status, 101, "another client of the same proxy");
        assert_eq!(metric(program, "sessions_of_address_refused_total"), 1.0);
        drop(clients);
        while from("192.0.2.1").1.status != 101 {}
    });
    with_each_driver(10_000, &["--connections-per-address-max", "3"], |program| {
        let clients: Vec<_> = (0..10).map(|_| want(program, "X-Forwarded-For: 192.0.2.1\r\n")).collect();
        assert!(clients.iter().all(|(_, reply)| reply.status == 101), "loopback has no limit");
    });
}

/// A limit that is too low is an error before any client can connect, and the error says how to raise it; a server that starts serves some clients, and ends in order.
#[test]
fn too_few_descriptors_are_an_error_of_the_start() {
    for driver in ["epoll", "io_uring"] {
        let start =
            ["serve", "--listen", "127.0.0.1:0", "--cores", "2", "--api-key", "a-key", "--driver", driver];
        let mut refused = 0;
        for descriptors in (10..=42).step_by(2) {
            match Program::start_within(descriptors, &start) {
                Ok(program) => {
                    let clients: Vec<_> = (0..CLIENTS).map(|_| want(&program, "")).collect();
                    let welcome = clients.iter().filter(|(_, reply)| reply.status == 101).count();
                    assert!(welcome >= CLIENTS / 2, "{driver}, {descriptors}: {welcome}");
                    assert_eq!(program.end(), Some(0), "{driver}, {descriptors}");
                }
                Err(said) if driver == "io_uring" && said.contains("io_uring was asked for") => {
                    eprintln!("not tested: {said}");
                    break;
                }
                Err(said) => {
                    assert!(
                        said.contains("ulimit -n, LimitNOFILE of systemd"),
                        "{driver}, {descriptors}: {said}"
                    );
                    assert!(!said.contains("listening"), "{said}");
                    refused += 1;
                }
            }
        }
        assert!(
            driver == "io_uring" || (4..16).contains(&refused),
            "{driver}: {refused} limits were too low"
        );
    }
}

/// Clients for which every server that starts has descriptors.
const CLIENTS: usize = 8;
