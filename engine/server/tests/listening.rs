//! Where and on what a server runs: addresses in use, a second attempt, cores of its own.
//! Not how connections are served.

mod client;

use std::net::SocketAddr;
use std::thread;

use client::Client;
use serde_json::json;
use socketville::{Ack, Builder, Error, Pinning, Server};

/// An application that answers.
fn builder() -> Builder {
    let io = Server::builder();
    io.cores(1).on("ping", |ack: Ack| ack.send("pong"));
    io
}

/// A running server, ended when its test is over.
fn run(server: Server) -> impl FnOnce() {
    let emitter = server.emitter();
    let running = thread::spawn(move || server.run());
    move || {
        emitter.stop();
        running.join().expect("no panic").expect("it ends well");
    }
}

fn answers(address: SocketAddr) -> bool {
    Client::connect(address).ask(1, r#"["ping"]"#) == json!(["pong"])
}

fn is_in_use(result: &socketville::Result<Server>) -> bool {
    matches!(result, Err(Error::Listen(_, error)) if error.kind() == std::io::ErrorKind::AddrInUse)
}

#[test]
fn an_address_in_use_is_an_error() {
    for cores in [1, 2] {
        let first = builder().cores(cores).listen("127.0.0.1:0").expect("a free port");
        let address = first.local_addr().to_string();
        let refused = builder().cores(cores).listen(&address);
        assert!(is_in_use(&refused), "before the first runs: {refused:?}");
        assert!(refused.is_err_and(|error| error.to_string().contains("in use")));
        let end = run(first);
        assert!(answers(address.parse().expect("an address")));
        end();
        drop(builder().cores(cores).listen(&address).expect("it is free again"));
    }
}

#[test]
fn an_address_is_shared_by_those_who_say_so() {
    let first = builder().reuse_port(true).listen("127.0.0.1:0").expect("a free port");
    let address = first.local_addr();
    let second = builder().reuse_port(true).cores(2).listen(&address.to_string()).expect("it is shared");
    let ends = [run(first), run(second)];
    assert!((0..20).all(|_| answers(address)));
    ends.into_iter().for_each(|end| end());
}

/// Nothing of the application is lost by an attempt that failed, and nothing is made of it twice.
#[test]
fn a_second_attempt_serves_the_application() {
    let taken = builder().listen("127.0.0.1:0").expect("a free port");
    let io = builder();
    for refused in [&taken.local_addr().to_string(), "nowhere", "127.0.0.1:0"].map(|address| {
        io.cores(if address.ends_with(":0") { 65 } else { 1 });
        io.listen(address)
    }) {
        assert!(refused.is_err());
    }
    let server = io.cores(1).listen("127.0.0.1:0").expect("a free port");
    assert!(matches!(io.listen("127.0.0.1:0"), Err(Error::Listening)));
    let address = server.local_addr();
    let end = run(server);
    assert!(answers(address));
    end();
}

#[test]
fn two_servers_of_a_process_have_no_core_in_common() {
    let listen = |pinning| builder().pinning(pinning).listen("127.0.0.1:0").expect("a free port");
    let servers: Vec<_> = (0..3).map(|_| listen(Pinning::Auto)).collect();
    let mut places: Vec<_> = servers.iter().flat_map(Server::pinned_to).collect();
    let claimed = places.len();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), claimed, "each has its own, or none");
    assert!(listen(Pinning::Never).pinned_to().is_empty());
    assert!(listen(Pinning::From(100_000)).pinned_to().is_empty(), "there are not so many");
    assert_eq!(listen(Pinning::From(0)).pinned_to().len(), 1, "as asked for, whoever has it");
}
