//! New connections: what they inherit, pausing, running out of descriptors, and the end of the listener.

use std::io::Read;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::{Duration, Instant};

use socketville_sys::{Driver, Listener, PortUse, Ready, Token};

use crate::harness::{Guard, HANG, Kind, connect, listen, wait_for};

fn accepted(ready: Vec<Ready>) -> Vec<Token> {
    let token = |ready| match ready {
        Ready::Accepted(token) => Some(token),
        _ => None,
    };
    ready.into_iter().filter_map(token).collect()
}

pub(crate) fn nodelay_is_inherited_and_the_peer_is_known<K: Kind>() {
    let (listener, address) = listen();
    let mut driver = K::make(Some(listener));
    let client = connect(address);
    let tokens = accepted(wait_for(&mut driver));
    assert_eq!(tokens.len(), 1);
    assert_eq!(driver.peer_address(tokens[0]).ok(), client.local_addr().ok());
    let passed = driver.pass(tokens[0]).expect("it is there");
    let server = TcpStream::from(OwnedFd::from(passed));
    assert!(server.nodelay().expect("a TCP option"), "set on the listener, inherited by its connections");
    assert!(driver.peer_address(tokens[0]).is_err(), "gone");
}

pub(crate) fn a_pause_keeps_connections_in_the_backlog<K: Kind>() {
    let (listener, address) = listen();
    let mut driver = K::make(Some(listener));
    let mut ready = Vec::new();
    for _ in 0..3 {
        driver.pause_accept();
        driver.wait(Some(Duration::ZERO), &mut ready).expect("the driver works");
        let _client = connect(address);
        driver.wait(Some(Duration::from_millis(20)), &mut ready).expect("the driver works");
        assert_eq!(ready, [], "paused");
        driver.resume_accept();
        driver.resume_accept();
        let tokens = accepted(wait_for(&mut driver));
        assert_eq!(tokens.len(), 1);
        driver.close(tokens[0]);
    }
    driver.pause_accept();
    driver.resume_accept();
    let _client = connect(address);
    assert_eq!(accepted(wait_for(&mut driver)).len(), 1, "a pause without a wait between");
}

const CHILD: &str = "SOCKETVILLE_TEST_TINY_LIMIT";

/// The limit is the process's, so this one is tested in a process of its own.
pub(crate) fn running_out_of_descriptors_is_survived_without_spinning<K: Kind>() {
    if std::env::var_os(CHILD).is_some() {
        return starve::<K>();
    }
    let name = format!("{}::running_out_of_descriptors_is_survived_without_spinning", K::NAME);
    let program = std::env::current_exe().expect("this test program");
    let output = Command::new(program).args(["--exact", &name]).env(CHILD, "1").output().expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

const REFUSAL: &[u8] = b"come later";
const CLIENTS: usize = 40;
const ROOM: u64 = 8;

/// With direct descriptors the ring's table is what is small, otherwise the process limit.
fn starve<K: Kind>() {
    let (listener, address) = listen();
    let listener = listener.refusing_with(REFUSAL);
    let is_direct = K::NAME == "ring_direct";
    let mut driver = make_starved::<K>(listener, is_direct);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| connect(address)).collect();
    if !is_direct {
        limit_descriptors(open_descriptors() + ROOM);
    }
    let mut here = Vec::new();
    let start = Instant::now();
    if is_direct {
        assert_eq!(driver.last_places(Token { index: 0, generation: 0 }), None, "all places are free");
    }
    while start.elapsed() < Duration::from_millis(250) {
        look(&mut driver, &mut here);
    }
    let counters = *driver.counters();
    assert!(!here.is_empty() && here.len() < CLIENTS, "{counters:?}");
    assert_eq!(here.len() as u64 + counters.accepts_refused, CLIENTS as u64, "nobody waits: {counters:?}");
    if is_direct {
        assert!(here.iter().all(|&token| driver.last_places(token).is_some()), "the table is full");
    }
    assert!(counters.accept_errors > 0 && counters.enters < 200, "no spinning: {counters:?}");
    let mut told = 0;
    for mut client in clients.drain(here.len()..) {
        client.set_read_timeout(Some(HANG)).expect("a timeout");
        let mut heard = Vec::new();
        let ended = client.read_to_end(&mut heard);
        assert!(ended.is_ok_and(|_| heard.is_empty() || heard == REFUSAL), "refused: {heard:?}");
        told += usize::from(heard == REFUSAL);
    }
    // The kernel itself closes those for which a table has no place.
    assert_eq!(told > 0, !is_direct, "{told}");
    if !is_direct {
        limit_descriptors(10_000);
    }
    let total = here.len() as u64;
    here.drain(..).for_each(|token| driver.close(token));
    let guard = Guard::new();
    while here.is_empty() {
        guard.check("the next connection is not accepted");
        clients.push(connect(address));
        look(&mut driver, &mut here);
    }
    assert!(driver.counters().accepted > total);
}

/// Who has not been handed out yet is not kept waiting, and a successor gets the port.
pub(crate) fn a_closed_listener_refuses<K: Kind>() {
    let (listener, address) = listen();
    let mut driver = K::make(Some(listener));
    let _client = connect(address);
    let here = accepted(wait_for(&mut driver));
    driver.close_listener();
    assert!(TcpStream::connect(address).is_err(), "nobody listens");
    Listener::bind(address, PortUse::Alone).expect("the port is free");
    driver.close_listener();
    driver.resume_accept();
    let mut ready = Vec::new();
    driver.wait(Some(Duration::from_millis(20)), &mut ready).expect("the driver works");
    assert_eq!(accepted(ready), []);
    driver.close(here[0]);
}

/// Each has a descriptor that nobody but the kernel knows of yet.
pub(crate) fn connections_not_yet_reported_end_with_the_driver<K: Kind>() {
    let (listener, address) = listen();
    let mut driver = K::make(Some(listener));
    driver.wait(Some(Duration::ZERO), &mut Vec::new()).expect("the driver works");
    let clients: Vec<_> = (0..20).map(|_| connect(address)).collect();
    drop(driver);
    for mut client in clients {
        assert!(!is_left_hanging(&mut client), "closed, in whichever way");
    }
}

fn is_left_hanging(client: &mut TcpStream) -> bool {
    client.set_read_timeout(Some(HANG)).expect("a timeout");
    match client.read(&mut [0]) {
        Ok(count) => count > 0,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

fn make_starved<K: Kind>(listener: Listener, is_direct: bool) -> K::Made {
    let before = limit_descriptors(if is_direct { ROOM + open_descriptors() } else { 10_000 });
    let driver = K::make(Some(listener));
    limit_descriptors(before);
    driver
}

fn look<D: Driver>(driver: &mut D, here: &mut Vec<Token>) {
    let mut ready = Vec::new();
    driver.wait(Some(Duration::from_millis(20)), &mut ready).expect("the driver works");
    here.extend(accepted(ready));
}

fn open_descriptors() -> u64 {
    std::fs::read_dir("/proc/self/fd").expect("a Linux").count() as u64
}

/// Sets the soft limit and returns the one before.
fn limit_descriptors(soft: u64) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one rlimit through the pointer, and `limit` is one.
    assert_eq!(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) }, 0);
    let before = std::mem::replace(&mut limit.rlim_cur, soft);
    // SAFETY: the kernel reads one rlimit through the pointer, and `limit` is one.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) }, 0);
    before
}
