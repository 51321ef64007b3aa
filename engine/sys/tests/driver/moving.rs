//! Connections between cores: nothing of what was waiting is lost on the way.

use std::io::Write;
use std::sync::mpsc::{Receiver, channel};

use socketville_sys::{Driver, Outcome, Passed, Ready, Waker};

use crate::harness::{
    Echo, Guard, HANG, Kind, Pairs, connect, expect_bytes, expect_echo, listen, pattern, send_one, wait_for,
};

const COUNT: usize = 60;

/// Every third connection leaves as soon as it is accepted, the others when their first bytes wait to be received.
pub(crate) fn connections_move_between_cores_with_and_without_bytes_waiting<K: Kind>() {
    let (give_waker, take_waker) = channel::<Waker>();
    let (give, take) = channel::<Passed>();
    let second = std::thread::spawn(move || {
        let echo = Echo::new(K::make(None));
        give_waker.send(echo.driver.waker()).expect("somebody waits for it");
        second_core(echo, &take);
    });
    let waker = take_waker.recv().expect("the waker of the second core");
    let (listener, address) = listen();
    let first = std::thread::spawn(move || {
        let mut driver = K::make(Some(listener));
        let mut left = 0;
        while left < COUNT {
            for ready in wait_for(&mut driver) {
                let leaving = match ready {
                    Ready::Accepted(token) if token.index % 3 == 0 => token,
                    Ready::Readable(token) => token,
                    _ => continue,
                };
                // A stale one has left already, and its bytes were reported in the same round.
                if let Ok(passed) = driver.pass(leaving) {
                    give.send(passed).expect("the second core lives");
                    waker.wake();
                    left += 1;
                }
            }
        }
        assert_eq!(driver.counters().passed, COUNT as u64);
    });
    let mut clients: Vec<_> = (0..COUNT).map(|_| connect(address)).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.write_all(&pattern(number, 500 + number)).expect("it fits in the buffers");
    }
    first.join().expect("no panic on the first core");
    for (number, client) in clients.iter_mut().enumerate() {
        expect_bytes(client, &pattern(number, 500 + number));
        expect_echo(client, &pattern(number + 1, 30_000));
    }
    drop(clients);
    second.join().expect("no panic on the second core");
}

/// Echoes for all that come, until all have gone.
fn second_core<D: Driver<Passed = Passed>>(mut echo: Echo<D>, take: &Receiver<Passed>) {
    let (mut came, guard) = (0, Guard::new());
    while came < COUNT || echo.connections() > 0 {
        guard.check("connections get lost between cores");
        echo.turn(Some(HANG));
        while let Ok(passed) = take.try_recv() {
            let token = echo.driver.adopt(passed).expect("a place");
            echo.add(token);
            came += 1;
        }
    }
    assert_eq!(echo.driver.counters().adopted, COUNT as u64);
}

pub(crate) fn a_watched_connection_can_move<K: Kind>() {
    let (mut first, mut second) = (K::make(None), K::make(None));
    let (passed, mut client) = Pairs::new().narrow_pair();
    let token = first.adopt(passed).expect("a place");
    let bytes = pattern(5, 400_000);
    let Some(Outcome::Partial(taken)) = send_one(&mut first, token, &bytes) else { panic!("nobody reads") };
    first.watch_writable(token);
    let passed = first.pass(token).expect("it is there");
    let token = second.adopt(passed).expect("a place");
    let reader = std::thread::spawn(move || {
        expect_bytes(&mut client, &pattern(5, 400_000));
        client
    });
    let (mut rest, guard) = (&bytes[taken..], Guard::new());
    while let Some(outcome) = send_one(&mut second, token, rest) {
        guard.check("it is never writable on the second core");
        let Outcome::Partial(taken) = outcome else { panic!("{outcome:?}") };
        rest = &rest[taken..];
        second.watch_writable(token);
        wait_for(&mut second);
    }
    drop(reader.join().expect("no panic"));
    let mut ready = Vec::new();
    first.wait(Some(std::time::Duration::from_millis(20)), &mut ready).expect("the driver works");
    assert_eq!(ready, [], "the first core has nothing to do with it any more");
}
