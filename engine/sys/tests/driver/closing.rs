//! Ends: ours, the peer's, graceful or not, and what tokens are worth afterwards.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use socketville_sys::{Driver, End, Ready, Token};

use crate::harness::{
    Guard, Kept, Kind, Pairs, Server, connect, expect_bytes, expect_echo, expect_end, expect_no_workers,
    pattern, receive_one, send_one, slam, wait_until,
};

/// After this the driver does nothing any more: the end must have gone out.
fn last_look<D: Driver>(driver: &mut D) {
    driver.wait(Some(Duration::ZERO), &mut Vec::new()).expect("the driver works");
}

pub(crate) fn the_last_bytes_arrive_before_the_end<K: Kind>() {
    let (mut driver, pairs) = (K::make(None), Pairs::new());
    for length in [1, 1_000, 100_000] {
        let (passed, mut client) = pairs.pair();
        let token = driver.adopt(passed).expect("a place");
        let bytes = pattern(length, length);
        assert_eq!(send_one(&mut driver, token, &bytes), None);
        driver.watch_writable(token);
        driver.close(token);
        last_look(&mut driver);
        expect_bytes(&mut client, &bytes);
        expect_end(&mut client);
    }
}

pub(crate) fn unread_bytes_do_not_turn_the_end_into_a_reset<K: Kind>() {
    let mut driver = K::make(None);
    let (passed, mut client) = Pairs::new().pair();
    client.write_all(&pattern(0, 40_000)).expect("it fits in the buffers");
    let token = driver.adopt(passed).expect("a place");
    wait_until(&mut driver, Ready::Readable(token));
    assert_eq!(send_one(&mut driver, token, b"too much for me"), None);
    driver.close(token);
    last_look(&mut driver);
    expect_bytes(&mut client, b"too much for me");
    expect_end(&mut client);
}

pub(crate) fn a_shutdown_ends_one_direction_after_the_last_bytes<K: Kind>() {
    let mut driver = K::make(None);
    let (passed, mut client) = Pairs::new().pair();
    let token = driver.adopt(passed).expect("a place");
    assert_eq!(send_one(&mut driver, token, &pattern(3, 100_000)), None);
    driver.shutdown(token);
    last_look(&mut driver);
    expect_bytes(&mut client, &pattern(3, 100_000));
    expect_end(&mut client);
    client.write_all(b"still heard").expect("only our direction has ended");
    wait_until(&mut driver, Ready::Readable(token));
    assert_eq!(receive_one(&mut driver, token), Kept::Bytes(b"still heard".to_vec()));
    drop(client);
    wait_until(&mut driver, Ready::Readable(token));
    assert_eq!(receive_one(&mut driver, token), Kept::Eof, "the peer ends, it does not break off");
    driver.close(token);
    last_look(&mut driver);
}

/// The bug that half-closing mends: a plain close resets if bytes come afterwards, and takes what was not delivered yet along.
pub(crate) fn bytes_on_their_way_at_our_end_do_not_reset_it<K: Kind>() {
    let mut driver = K::make(None);
    let (passed, mut client) = Pairs::new().pair();
    let token = driver.adopt(passed).expect("a place");
    assert_eq!(send_one(&mut driver, token, b"too much for me"), None);
    driver.shutdown(token);
    last_look(&mut driver);
    for _ in 0..10 {
        client.write_all(&pattern(1, 5_000)).expect("nobody has reset the connection");
        wait_until(&mut driver, Ready::Readable(token));
        assert!(matches!(receive_one(&mut driver, token), Kept::Bytes(_)));
    }
    client.shutdown(std::net::Shutdown::Write).expect("connected");
    let guard = Guard::new();
    while receive_one(&mut driver, token) != Kept::Eof {
        guard.check("the end does not come");
    }
    driver.close(token);
    last_look(&mut driver);
    expect_bytes(&mut client, b"too much for me");
    expect_end(&mut client);
}

pub(crate) fn a_close_right_after_a_shutdown_delivers_everything<K: Kind>() {
    let (mut driver, pairs) = (K::make(None), Pairs::new());
    for length in [1, 100_000] {
        let (passed, mut client) = pairs.pair();
        let token = driver.adopt(passed).expect("a place");
        assert_eq!(send_one(&mut driver, token, &pattern(length, length)), None);
        driver.shutdown(token);
        driver.close(token);
        last_look(&mut driver);
        expect_bytes(&mut client, &pattern(length, length));
        expect_end(&mut client);
    }
}

pub(crate) fn a_shutdown_of_a_broken_connection_is_nothing<K: Kind>() {
    let mut driver = K::make(None);
    let (passed, client) = Pairs::new().pair();
    let token = driver.adopt(passed).expect("a place");
    slam(client);
    wait_until(&mut driver, Ready::Readable(token));
    driver.shutdown(token);
    assert_eq!(receive_one(&mut driver, token), Kept::Failed(libc::ECONNRESET));
    driver.shutdown(token);
    driver.close(token);
    last_look(&mut driver);
}

pub(crate) fn shutdowns_by_the_hundred_start_no_worker<K: Kind>() {
    let (mut driver, pairs) = (K::make(None), Pairs::new());
    let ends: Vec<_> = (0..200)
        .map(|_| {
            let (passed, client) = pairs.pair();
            (driver.adopt(passed).expect("a place"), client)
        })
        .collect();
    ends.iter().for_each(|&(token, _)| driver.shutdown(token));
    last_look(&mut driver);
    expect_no_workers();
    for (token, mut client) in ends {
        expect_end(&mut client);
        driver.close(token);
    }
    last_look(&mut driver);
}

pub(crate) fn a_reset_by_the_peer_is_a_failure<K: Kind>() {
    let mut driver = K::make(None);
    let (passed, client) = Pairs::new().pair();
    let token = driver.adopt(passed).expect("a place");
    slam(client);
    wait_until(&mut driver, Ready::Readable(token));
    assert_eq!(receive_one(&mut driver, token), Kept::Failed(libc::ECONNRESET));
    driver.close(token);
    last_look(&mut driver);
}

/// A core that does not read somebody still learns that it has left.
pub(crate) fn the_end_is_known_though_bytes_are_not_received<K: Kind>() {
    let (mut driver, pairs) = (K::make(None), Pairs::new());
    for (leaves_by_reset, end) in [(false, End::Finished), (true, End::Broken)] {
        let (passed, mut client) = pairs.pair();
        let token = driver.adopt(passed).expect("a place");
        client.write_all(b"unread").expect("connected");
        wait_until(&mut driver, Ready::Readable(token));
        assert_eq!(driver.end_of(token), None);
        match leaves_by_reset {
            true => slam(client),
            false => client.shutdown(Shutdown::Write).expect("connected"),
        }
        wait_until(&mut driver, Ready::Readable(token));
        assert_eq!(driver.end_of(token), Some(end));
        driver.close(token);
        assert_eq!(driver.end_of(token), None, "stale");
        last_look(&mut driver);
    }
}

pub(crate) fn a_reset_by_us_reaches_the_peer<K: Kind>() {
    let mut driver = K::make(None);
    let (passed, mut client) = Pairs::new().pair();
    let token = driver.adopt(passed).expect("a place");
    driver.reset(token);
    last_look(&mut driver);
    let error = client.read(&mut [0; 16]).expect_err("not a graceful end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    expect_no_workers();
}

pub(crate) fn stale_tokens_are_counted_and_touch_nothing<K: Kind>() {
    let (mut driver, pairs) = (K::make(None), Pairs::new());
    let (stale, current, mut client) = same_place(&mut driver, &pairs);
    assert_ne!(current, stale);
    let before = driver.counters().stale_tokens;
    driver.close(stale);
    driver.reset(stale);
    driver.shutdown(stale);
    driver.watch_writable(stale);
    driver.receive(&[stale], &mut |_, received| panic!("{received:?}"));
    assert_eq!(send_one(&mut driver, stale, b"to nobody"), None);
    assert_eq!(driver.pass(stale).expect_err("gone").kind(), ErrorKind::NotFound);
    assert_eq!(driver.peer_address(stale).expect_err("gone").kind(), ErrorKind::NotFound);
    assert_eq!(driver.counters().stale_tokens, before + 8);
    assert_eq!(send_one(&mut driver, current, b"to somebody"), None);
    expect_bytes(&mut client, b"to somebody");
}

/// Adopts and closes until the place of any closed connection is used again: its old token, the new one, and the new one's client.
/// Which one that is depends on what else the process opens meanwhile, and direct places are given out in a circle.
fn same_place<D: Driver<Passed = socketville_sys::Passed>>(
    driver: &mut D,
    pairs: &Pairs,
) -> (Token, Token, TcpStream) {
    let mut closed = HashMap::new();
    for _ in 0..30_000 {
        let (passed, client) = pairs.pair();
        let token = driver.adopt(passed).expect("a place");
        if let Some(&stale) = closed.get(&token.index) {
            return (stale, token, client);
        }
        driver.close(token);
        last_look(driver);
        slam(client);
        closed.insert(token.index, token);
    }
    panic!("no place is ever used again");
}

pub(crate) fn five_thousand_connections_come_and_go<K: Kind>() {
    let server = Server::start::<K>();
    let address = server.address;
    let crowds: Vec<_> = (0..5)
        .map(|crowd| {
            std::thread::spawn(move || {
                (0..1_000).for_each(|number| visit(connect(address), crowd * 1_000 + number))
            })
        })
        .collect();
    for crowd in crowds {
        crowd.join().expect("no client panicked");
    }
    expect_echo(&mut connect(address), b"still there");
    let counters = server.stop();
    assert_eq!((counters.accepted, counters.closed), (5_001, 5_001), "{counters:?}");
    assert_eq!(counters.accept_errors, 0);
    expect_no_workers();
}

/// Writes something, and leaves in one of the ways clients leave, mostly with bytes on their way.
fn visit(mut client: TcpStream, number: usize) {
    let bytes = pattern(number, 1 + number * 37 % 20_000);
    match number % 5 {
        0 => expect_echo(&mut client, &bytes),
        1 => {
            client.write_all(&bytes).expect("the server reads");
            slam(client);
        }
        2 => {
            client.write_all(&bytes).expect("the server reads");
            let _some = client.read(&mut [0; 100]).expect("the server answers");
            slam(client);
        }
        3 => {
            client.write_all(&bytes).expect("the server reads");
            client.shutdown(std::net::Shutdown::Write).expect("connected");
            expect_bytes(&mut client, &bytes);
            expect_end(&mut client);
        }
        _ => slam(client),
    }
}

pub(crate) fn dropping_the_driver_ends_its_connections<K: Kind>() {
    let mut driver = K::make(None);
    let (passed, mut client) = Pairs::new().pair();
    let token = driver.adopt(passed).expect("a place");
    assert_eq!(send_one(&mut driver, token, b"last"), None);
    drop(driver);
    expect_bytes(&mut client, b"last");
    expect_end(&mut client);
}
