//! Drivers to test, pairs of sockets, and an echo server made of the contract alone.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socketville_sys::{
    Counters, Descriptors, Driver, Epoll, Listener, Outcome, Outgoing, Passed, PortUse, Ready, Received,
    Ring, RingOptions, Token, Unsent, Waker,
};

/// A way to make a driver.
pub(crate) trait Kind: 'static {
    type Made: Driver<Passed = Passed>;
    /// The module its tests are in.
    const NAME: &'static str;
    const IS_RING: bool;
    fn make(listener: Option<Listener>) -> Self::Made;
    /// With a completion queue of 64, where there is one.
    fn make_small() -> Self::Made {
        Self::make(None)
    }
}

pub(crate) struct Direct;
pub(crate) struct Ordinary;
pub(crate) struct Edges;

impl Kind for Direct {
    type Made = Ring;
    const NAME: &'static str = "ring_direct";
    const IS_RING: bool = true;
    fn make(listener: Option<Listener>) -> Ring {
        let ring = Ring::new(listener).expect("a ring");
        assert_eq!(ring.descriptors(), Descriptors::Direct, "kernel 6.8 or newer");
        ring
    }
    fn make_small() -> Ring {
        Ring::with_options(None, RingOptions { cq_entries: 64, ..RingOptions::default() }).expect("a ring")
    }
}

const ORDINARY: RingOptions = RingOptions {
    cq_entries: 4096,
    descriptors: Some(Descriptors::Ordinary),
    files_max: None,
    receive_bytes: 16 * 1024,
};

impl Kind for Ordinary {
    type Made = Ring;
    const NAME: &'static str = "ring_ordinary";
    const IS_RING: bool = true;
    fn make(listener: Option<Listener>) -> Ring {
        Ring::with_options(listener, ORDINARY).expect("a ring")
    }
    fn make_small() -> Ring {
        Ring::with_options(None, RingOptions { cq_entries: 64, ..ORDINARY }).expect("a ring")
    }
}

impl Kind for Edges {
    type Made = Epoll;
    const NAME: &'static str = "epoll";
    const IS_RING: bool = false;
    fn make(listener: Option<Listener>) -> Epoll {
        Epoll::new(listener).expect("an epoll")
    }
}

/// Long enough for a machine that is busy with other things; only a hang is longer.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// A moment after which a test hangs.
pub(crate) struct Guard(Instant);

impl Guard {
    pub(crate) fn new() -> Guard {
        Guard(Instant::now() + HANG)
    }

    pub(crate) fn check(&self, what: &str) {
        assert!(Instant::now() < self.0, "hangs: {what}");
    }
}

pub(crate) fn listen() -> (Listener, SocketAddr) {
    let listener =
        Listener::bind("127.0.0.1:0".parse().expect("an address"), PortUse::Alone).expect("a free port");
    let address = listener.local_addr().expect("it has one");
    (listener, address)
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).expect("a connection");
    client.set_read_timeout(Some(HANG)).expect("a timeout");
    client.set_write_timeout(Some(HANG)).expect("a timeout");
    client
}

/// Connections for a driver to adopt, each with its client.
pub(crate) struct Pairs(TcpListener);

impl Pairs {
    pub(crate) fn new() -> Pairs {
        Pairs(TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    pub(crate) fn pair(&self) -> (Passed, TcpStream) {
        let client = connect(self.0.local_addr().expect("it has one"));
        let (server, _) = self.0.accept().expect("the connection just made");
        (Passed::from(OwnedFd::from(server)), client)
    }

    /// With a small send buffer, so that it is soon full. (Small windows would make it slow as well.)
    pub(crate) fn narrow_pair(&self) -> (Passed, TcpStream) {
        let (server, client) = self.pair();
        let server = OwnedFd::from(server);
        set_option(server.as_raw_fd(), libc::SO_SNDBUF, &16_384_i32);
        (Passed::from(server), client)
    }
}

pub(crate) fn set_option<T>(descriptor: RawFd, name: i32, value: &T) {
    let length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes from the pointer, which is the size of what it points to.
    let result =
        unsafe { libc::setsockopt(descriptor, libc::SOL_SOCKET, name, (&raw const *value).cast(), length) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// Ends a connection by a reset.
pub(crate) fn slam(client: TcpStream) {
    set_option(client.as_raw_fd(), libc::SO_LINGER, &libc::linger { l_onoff: 1, l_linger: 0 });
    drop(client);
}

/// One wait that must find something.
pub(crate) fn wait_for<D: Driver>(driver: &mut D) -> Vec<Ready> {
    let mut ready = Vec::new();
    driver.wait(Some(HANG), &mut ready).expect("the driver works");
    assert!(!ready.is_empty(), "hangs: nothing became ready");
    ready
}

/// Waits until this is reported, whatever else is.
pub(crate) fn wait_until<D: Driver>(driver: &mut D, wanted: Ready) {
    let guard = Guard::new();
    while !wait_for(driver).contains(&wanted) {
        guard.check("something else is ready all the time");
    }
}

/// A received outcome that can be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Kept {
    Bytes(Vec<u8>),
    Empty,
    Eof,
    Failed(i32),
}

pub(crate) fn receive_one<D: Driver>(driver: &mut D, token: Token) -> Kept {
    let mut kept = Vec::new();
    driver.receive(&[token], &mut |from, received| {
        assert_eq!(from, token);
        kept.push(match received {
            Received::Bytes(bytes) => Kept::Bytes(bytes.to_vec()),
            Received::Empty => Kept::Empty,
            Received::Eof => Kept::Eof,
            Received::Failed(errno) => Kept::Failed(errno),
        });
    });
    assert_eq!(kept.len(), 1, "one outcome for one token");
    kept.remove(0)
}

pub(crate) fn send_one<D: Driver>(driver: &mut D, token: Token, bytes: &[u8]) -> Option<Outcome> {
    let mut unsent = Vec::new();
    driver.send(&[Outgoing { token, bytes }], &mut unsent);
    assert!(unsent.len() <= 1 && unsent.iter().all(|unsent| unsent.position == 0));
    unsent.first().map(|unsent| unsent.outcome)
}

/// Sends back what it receives, for each connection in order, and closes after the peer's end.
pub(crate) struct Echo<D> {
    pub(crate) driver: D,
    backlogs: HashMap<Token, Backlog>,
}

#[derive(Default)]
struct Backlog {
    bytes: Vec<u8>,
    is_blocked: bool,
    is_ending: bool,
}

impl<D: Driver> Echo<D> {
    pub(crate) fn new(driver: D) -> Echo<D> {
        Echo { driver, backlogs: HashMap::new() }
    }

    /// Handles one round of events; returns whether it was woken.
    pub(crate) fn turn(&mut self, timeout: Option<Duration>) -> bool {
        let mut ready = Vec::new();
        self.driver.wait(timeout, &mut ready).expect("the driver works");
        let (mut readable, mut is_woken) = (Vec::new(), false);
        for event in ready {
            match event {
                Ready::Accepted(token) => self.add(token),
                Ready::Readable(token) => readable.push(token),
                Ready::Writable(token) => self.unblock(token),
                Ready::Woken => is_woken = true,
            }
        }
        self.receive(&readable);
        self.flush();
        is_woken
    }

    pub(crate) fn add(&mut self, token: Token) {
        assert!(self.backlogs.insert(token, Backlog::default()).is_none(), "accepted twice");
    }

    pub(crate) fn connections(&self) -> usize {
        self.backlogs.len()
    }

    fn unblock(&mut self, token: Token) {
        self.backlogs.get_mut(&token).expect("reported for a connection that is there").is_blocked = false;
    }

    fn receive(&mut self, readable: &[Token]) {
        let mut failed = Vec::new();
        self.driver.receive(readable, &mut |token, received| {
            let backlog = self.backlogs.get_mut(&token).expect("reported for a connection that is there");
            match received {
                Received::Bytes(bytes) => backlog.bytes.extend_from_slice(bytes),
                Received::Empty => {}
                Received::Eof => backlog.is_ending = true,
                Received::Failed(_) => failed.push(token),
            }
        });
        failed.into_iter().for_each(|token| self.remove(token));
    }

    fn flush(&mut self) {
        let due = |(_, backlog): &(&Token, &Backlog)| !backlog.is_blocked && !backlog.bytes.is_empty();
        let batch: Vec<_> = (self.backlogs.iter().filter(due))
            .map(|(&token, backlog)| Outgoing { token, bytes: &backlog.bytes })
            .collect();
        let mut unsent = Vec::new();
        self.driver.send(&batch, &mut unsent);
        let sent: Vec<_> = batch.iter().map(|outgoing| outgoing.token).collect();
        self.keep_rests(&sent, &unsent);
        let done = |(_, backlog): &(&Token, &Backlog)| backlog.is_ending && backlog.bytes.is_empty();
        let ended: Vec<_> = self.backlogs.iter().filter(done).map(|(&token, _)| token).collect();
        ended.into_iter().for_each(|token| self.remove(token));
    }

    fn keep_rests(&mut self, sent: &[Token], unsent: &[Unsent]) {
        let outcomes: HashMap<_, _> = unsent.iter().map(|unsent| (unsent.position, unsent.outcome)).collect();
        for (position, &token) in sent.iter().enumerate() {
            let backlog = self.backlogs.get_mut(&token).expect("it was in the batch");
            match outcomes.get(&position) {
                None => backlog.bytes.clear(),
                Some(Outcome::Partial(taken)) => {
                    backlog.bytes.drain(..taken);
                    backlog.is_blocked = true;
                    self.driver.watch_writable(token);
                }
                Some(Outcome::Failed(_)) => self.remove(token),
            }
        }
    }

    fn remove(&mut self, token: Token) {
        self.driver.close(token);
        self.backlogs.remove(&token);
    }
}

/// An echo server on its own thread.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<Counters>,
}

impl Server {
    pub(crate) fn start<K: Kind>() -> Server {
        let (listener, address) = listen();
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stop);
        let (give, take) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut echo = Echo::new(K::make(Some(listener)));
            give.send(echo.driver.waker()).expect("somebody waits for it");
            while !is_stopped.load(Ordering::SeqCst) || echo.connections() > 0 {
                echo.turn(Some(HANG));
            }
            *echo.driver.counters()
        });
        Server { address, stop, waker: take.recv().expect("the waker of the thread"), thread }
    }

    /// Stops when the last connection has ended.
    pub(crate) fn stop(self) -> Counters {
        self.stop.store(true, Ordering::SeqCst);
        self.waker.wake();
        self.thread.join().expect("no panic on the server's thread")
    }
}

/// A request the kernel had set aside would be executed by a worker thread. None of ours ever is.
pub(crate) fn expect_no_workers() {
    for task in std::fs::read_dir("/proc/self/task").expect("a Linux").flatten() {
        let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        assert!(!name.starts_with("iou-wrk"), "the kernel has started a worker");
    }
}

/// Bytes that no two connections share.
pub(crate) fn pattern(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|place| (place.wrapping_mul(31) ^ place >> 8 ^ seed.wrapping_mul(97)) as u8).collect()
}

pub(crate) fn expect_echo(client: &mut TcpStream, bytes: &[u8]) {
    client.write_all(bytes).expect("the server reads");
    expect_bytes(client, bytes);
}

pub(crate) fn expect_bytes(client: &mut TcpStream, bytes: &[u8]) {
    let mut back = vec![0; bytes.len()];
    client.read_exact(&mut back).expect("the server answers");
    assert!(back == bytes, "other bytes came than were sent");
}

pub(crate) fn expect_end(client: &mut TcpStream) {
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).expect("a graceful end");
    assert_eq!(rest.len(), 0, "bytes after the last");
}
