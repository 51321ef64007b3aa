//! Bytes in and out: exact, in order, complete, whatever their sizes and however slow the reader.

use std::collections::HashMap;
use std::io::Write;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use socketville_sys::{Driver, Outcome, Outgoing, Ready, Received, Token, Unsent};

use crate::harness::{
    Guard, Kept, Kind, Pairs, Server, connect, expect_bytes, expect_echo, expect_no_workers, pattern,
    receive_one, send_one, slam, wait_for, wait_until,
};

pub(crate) fn five_hundred_clients_get_their_own_bytes_back<K: Kind>() {
    let server = Server::start::<K>();
    let address = server.address;
    let crowds: Vec<_> =
        (0..4).map(|crowd| std::thread::spawn(move || crowd_of_125(crowd, address))).collect();
    for crowd in crowds {
        crowd.join().expect("no client panicked");
    }
    let counters = server.stop();
    assert_eq!((counters.accepted, counters.closed), (500, 500));
}

fn crowd_of_125(crowd: usize, address: SocketAddr) {
    let mut clients: Vec<_> = (0..125).map(|_| connect(address)).collect();
    for (round, length) in [1, 7, 127, 4093, 16_384, 16_385, 70_001].into_iter().enumerate() {
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(&pattern(crowd * 1000 + number + round, length)).expect("the server reads");
        }
        for (number, client) in clients.iter_mut().enumerate() {
            expect_bytes(client, &pattern(crowd * 1000 + number + round, length));
        }
    }
}

pub(crate) fn a_slow_reader_gets_everything_in_order<K: Kind>() {
    let mut driver = K::make(None);
    let (passed, mut client) = Pairs::new().narrow_pair();
    let token = driver.adopt(passed).expect("a place");
    let bytes = pattern(1, 3_000_001);
    let taken = fill(&mut driver, token, &bytes);
    assert!(taken > 0 && taken < bytes.len());
    driver.watch_writable(token);
    let reader = std::thread::spawn(move || {
        expect_bytes(&mut client, &pattern(1, 3_000_001));
    });
    send_rest(&mut driver, token, &bytes[taken..]);
    reader.join().expect("every byte in its place");
    let counters = driver.counters();
    assert!(counters.sends_partial > 0 && counters.sends_full > 0, "{counters:?}");
}

/// Sends until the socket takes nothing more; returns how much it took.
fn fill<D: Driver>(driver: &mut D, token: Token, bytes: &[u8]) -> usize {
    let mut sent = 0;
    loop {
        match send_one(driver, token, &bytes[sent..]) {
            Some(Outcome::Partial(0)) => return sent,
            Some(Outcome::Partial(taken)) => sent += taken,
            other => panic!("nobody reads, but {other:?}"),
        }
    }
}

/// Sends whenever the watched socket is writable.
fn send_rest<D: Driver>(driver: &mut D, token: Token, mut rest: &[u8]) {
    let guard = Guard::new();
    loop {
        guard.check("a rest is never sent");
        wait_until(driver, Ready::Writable(token));
        match send_one(driver, token, rest) {
            None => return,
            Some(Outcome::Partial(taken)) => rest = &rest[taken..],
            Some(failed) => panic!("{failed:?}"),
        }
        driver.watch_writable(token);
    }
}

/// The same memory is used for one batch after the other: whoever still held it would send the wrong bytes.
pub(crate) fn exceptions_name_their_positions_and_nothing_is_held<K: Kind>() {
    let (mut driver, pairs, count) = (K::make(None), Pairs::new(), 700);
    let (mut tokens, mut clients) = (Vec::new(), Vec::new());
    for number in 0..count {
        let is_full = number % 7 == 0;
        let (passed, client) = if is_full { pairs.narrow_pair() } else { pairs.pair() };
        let token = driver.adopt(passed).expect("a place");
        tokens.push(token);
        clients.push(Some(client));
    }
    let is_gone = |number: &usize| number.is_multiple_of(11) && !number.is_multiple_of(7);
    for number in (0..count).filter(is_gone) {
        slam(clients[number].take().expect("not yet gone"));
        wait_until(&mut driver, Ready::Readable(tokens[number]));
    }
    for round in 0..4_u8 {
        // More than anybody takes who does not read, for every seventh.
        let mut shared = vec![round; 1_000_000];
        let length = |number: usize| if number.is_multiple_of(7) { shared.len() } else { 999 };
        let batch: Vec<_> = (tokens.iter().enumerate())
            .map(|(number, &token)| Outgoing { token, bytes: &shared[..length(number)] })
            .collect();
        let mut unsent = Vec::new();
        driver.send(&batch, &mut unsent);
        shared.fill(0xEE);
        check_positions(&unsent, count, is_gone);
    }
    let all: Vec<u8> = (0..4).flat_map(|round| [round; 999]).collect();
    for client in clients
        .iter_mut()
        .enumerate()
        .filter(|(number, _)| number % 7 != 0)
        .filter_map(|(_, client)| client.as_mut())
    {
        expect_bytes(client, &all);
    }
    expect_no_workers();
}

fn check_positions(unsent: &[Unsent], count: usize, is_gone: impl Fn(&usize) -> bool) {
    let expected: Vec<_> = (0..count).filter(|number| number % 7 == 0 || is_gone(number)).collect();
    assert_eq!(unsent.iter().map(|unsent| unsent.position).collect::<Vec<_>>(), expected);
    for unsent in unsent {
        match unsent.outcome {
            Outcome::Partial(taken) => {
                assert!(unsent.position.is_multiple_of(7) && taken < 1_000_000, "{unsent:?}")
            }
            Outcome::Failed(errno) => {
                assert!(is_gone(&unsent.position), "{unsent:?}");
                assert!([libc::ECONNRESET, libc::EPIPE].contains(&errno), "{unsent:?}");
            }
        }
    }
}

pub(crate) fn the_end_is_reported_after_the_bytes<K: Kind>() {
    let (mut driver, pairs) = (K::make(None), Pairs::new());
    for length in [0, 3, 16_383, 16_384, 16_385, 50_000] {
        let (passed, mut client) = pairs.pair();
        let bytes = pattern(length, length);
        client.write_all(&bytes).expect("it fits in the buffers");
        client.shutdown(Shutdown::Write).expect("connected");
        let token = driver.adopt(passed).expect("a place");
        let (mut all, guard) = (Vec::new(), Guard::new());
        loop {
            guard.check("the end does not come");
            wait_until(&mut driver, Ready::Readable(token));
            match receive_one(&mut driver, token) {
                Kept::Bytes(bytes) => all.extend(bytes),
                Kept::Empty => {}
                Kept::Eof => break,
                Kept::Failed(errno) => panic!("failed with {errno}"),
            }
        }
        assert!(all == bytes);
        driver.close(token);
    }
}

pub(crate) fn a_small_completion_queue_loses_nothing<K: Kind>() {
    let (mut driver, pairs, count) = (K::make_small(), Pairs::new(), 2_000);
    let (mut clients, mut tokens) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let (passed, client) = pairs.pair();
        tokens.push(driver.adopt(passed).expect("a place"));
        clients.push(client);
    }
    for round in 0..3 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(&pattern(number + round, 100)).expect("it fits in the buffers");
        }
        let mut got = vec![Vec::new(); count];
        let (places, guard) = (places(&tokens), Guard::new());
        while got.iter().any(|bytes| bytes.len() < 100) {
            guard.check("somebody's bytes do not come");
            let readable: Vec<_> = wait_for(&mut driver).into_iter().filter_map(readable).collect();
            driver.receive(&readable, &mut |token, received| {
                if let Received::Bytes(bytes) = received {
                    got[places[&token]].extend_from_slice(bytes);
                }
            });
        }
        let batch: Vec<_> =
            tokens.iter().zip(&got).map(|(&token, bytes)| Outgoing { token, bytes }).collect();
        let mut unsent = Vec::new();
        driver.send(&batch, &mut unsent);
        assert_eq!(unsent, []);
        for (number, client) in clients.iter_mut().enumerate() {
            expect_bytes(client, &pattern(number + round, 100));
        }
    }
    assert_eq!(driver.counters().overflows > 0, K::IS_RING, "the queue was meant to be too small");
    assert_eq!(driver.counters().rearms > 0, K::IS_RING, "polls were meant to end and to be made again");
}

fn readable(ready: Ready) -> Option<Token> {
    match ready {
        Ready::Readable(token) => Some(token),
        _ => None,
    }
}

fn places(tokens: &[Token]) -> HashMap<Token, usize> {
    tokens.iter().enumerate().map(|(place, &token)| (token, place)).collect()
}

pub(crate) fn writable_is_reported_once_for_each_watch<K: Kind>() {
    let mut driver = K::make(None);
    let (passed, mut client) = Pairs::new().pair();
    let token = driver.adopt(passed).expect("a place");
    for _ in 0..3 {
        driver.watch_writable(token);
        wait_until(&mut driver, Ready::Writable(token));
    }
    let mut ready = Vec::new();
    driver.wait(Some(Duration::from_millis(20)), &mut ready).expect("the driver works");
    assert_eq!(ready, [], "nobody asked again");
    assert_eq!(send_one(&mut driver, token, b"hello"), None);
    expect_bytes(&mut client, b"hello");
    let server = Server::start::<K>();
    expect_echo(&mut connect(server.address), b"and another core lives");
    server.stop();
}
