//! Sleeping and waking: a wait ends for a reason, and for every reason.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use socketville_sys::{Driver, Ready};

use crate::harness::{Guard, Kept, Kind, Pairs, receive_one, wait_for};

pub(crate) fn a_sleeping_wait_is_woken_from_another_thread<K: Kind>() {
    let mut driver = K::make(None);
    for _ in 0..20 {
        let waker = driver.waker();
        let other = std::thread::spawn(move || {
            std::thread::yield_now();
            waker.wake();
        });
        let mut ready = Vec::new();
        driver.wait(None, &mut ready).expect("the driver works");
        assert_eq!(ready, [Ready::Woken]);
        other.join().expect("no panic");
    }
    let waker = driver.waker();
    waker.wake();
    waker.wake();
    assert_eq!(wait_for(&mut driver), [Ready::Woken], "awake already: the next wait does not sleep");
}

pub(crate) fn no_wake_is_lost_among_many<K: Kind>() {
    let (mut driver, queue, guard) = (K::make(None), Arc::new(AtomicUsize::new(0)), Guard::new());
    let others: Vec<_> = (0..4)
        .map(|_| {
            let (waker, queue) = (driver.waker(), Arc::clone(&queue));
            std::thread::spawn(move || {
                for _ in 0..5_000 {
                    queue.fetch_add(1, Ordering::Relaxed);
                    waker.wake();
                }
            })
        })
        .collect();
    let mut taken = 0;
    while taken < 20_000 {
        guard.check("a wake was lost");
        assert!(wait_for(&mut driver).contains(&Ready::Woken));
        taken += queue.swap(0, Ordering::Relaxed);
    }
    for other in others {
        other.join().expect("no panic");
    }
    assert!(driver.counters().wakes <= 20_001);
}

pub(crate) fn timeouts_are_kept<K: Kind>() {
    let mut driver = K::make(None);
    let mut ready = Vec::new();
    for timeout in [Duration::ZERO, Duration::from_micros(100), Duration::from_millis(30)] {
        let start = Instant::now();
        driver.wait(Some(timeout), &mut ready).expect("the driver works");
        assert!(start.elapsed() >= timeout, "{:?} instead of {timeout:?}", start.elapsed());
        assert_eq!(ready, []);
    }
    let (passed, mut client) = Pairs::new().pair();
    let token = driver.adopt(passed).expect("a place");
    client.write_all(b"x").expect("connected");
    driver.wait(Some(Duration::MAX), &mut ready).expect("the driver works");
    assert_eq!(ready, [Ready::Readable(token)], "a far deadline is no deadline");
}

/// The ring keeps one timer for far deadlines, whatever the sleeps before them end by.
pub(crate) fn far_deadlines_are_kept_and_cost_one_timer<K: Kind>() {
    let mut driver = K::make(None);
    let woken_before = |driver: &mut K::Made, deadline: Duration| {
        driver.waker().wake();
        let mut ready = Vec::new();
        driver.wait(Some(deadline), &mut ready).expect("the driver works");
        assert_eq!(ready, [Ready::Woken]);
        driver.counters().alarms
    };
    let far = Duration::from_secs(3600);
    let first = woken_before(&mut driver, far);
    let later = (0..100).map(|_| woken_before(&mut driver, far + Duration::from_secs(1))).max();
    assert_eq!(later, Some(first), "a deadline that is put off asks for nothing");
    let mut ready = Vec::new();
    let mut wait = |driver: &mut K::Made, deadline: Duration| {
        let start = Instant::now();
        driver.wait(Some(deadline), &mut ready).expect("the driver works");
        assert_eq!(ready, []);
        assert!(start.elapsed() >= deadline, "{:?} instead of {deadline:?}", start.elapsed());
        assert!(start.elapsed() < far, "the hour was waited for");
    };
    wait(&mut driver, Duration::from_millis(120));
    wait(&mut driver, Duration::from_millis(120));
    woken_before(&mut driver, Duration::from_millis(120));
    wait(&mut driver, Duration::from_millis(250));
    woken_before(&mut driver, far);
    wait(&mut driver, Duration::from_millis(20));
}

pub(crate) fn readable_is_reported_once_until_received<K: Kind>() {
    let mut driver = K::make(None);
    let (passed, mut client) = Pairs::new().pair();
    let token = driver.adopt(passed).expect("a place");
    client.write_all(b"one").expect("connected");
    assert_eq!(wait_for(&mut driver), [Ready::Readable(token)]);
    let mut ready = Vec::new();
    driver.wait(Some(Duration::from_millis(20)), &mut ready).expect("the driver works");
    assert_eq!(ready, [], "the core does not want to read now");
    assert_eq!(receive_one(&mut driver, token), Kept::Bytes(b"one".to_vec()));
    assert_eq!(receive_one(&mut driver, token), Kept::Empty, "asking again is legal");
    client.write_all(&[7; 40_000]).expect("it fits in the buffers");
    let (mut total, guard) = (0, Guard::new());
    while total < 40_000 {
        guard.check("what is left is not reported again");
        let found = wait_for(&mut driver);
        assert_eq!(found, [Ready::Readable(token)], "once in one wait");
        if let Kept::Bytes(bytes) = receive_one(&mut driver, token) {
            total += bytes.len();
        }
    }
}
