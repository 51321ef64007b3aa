//! The place of a test: a real server on a port of its own, once with each driver and with one and two cores.
//! Not a mock of anything: `Server::run` on a thread, ended by `Emitter::stop`.

#![allow(dead_code, reason = "each test file uses its part")]

use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use socketville::{Ack, Builder, CoreReport, Driver, Emitter, Error, Server};

use crate::client::http::Http;
use crate::client::{Client, PATIENCE};

/// A running server.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    pub(crate) emitter: Emitter,
    pub(crate) cores: usize,
    /// What `Server::run` returned, once it has.
    ended: Receiver<socketville::Result<()>>,
}

/// Connections that are tried until one lands on a core: the kernel spreads them by their ports' hash, so that of two cores
/// neither is missed in so many.
const TRIES_MAX: usize = 200;

/// Runs a check on every stage: two drivers, one core and two.
pub(crate) fn on_each(build: impl Fn(&Builder), check: impl Fn(&Stage)) {
    on_cores(&[1, 2], build, check);
}

/// Runs a check with each driver that this machine allows, on so many cores.
pub(crate) fn on_cores(cores: &[usize], build: impl Fn(&Builder), check: impl Fn(&Stage)) {
    on_cores_with(cores, build, |server| server, check);
}

/// The same, with something done to the server before it runs.
pub(crate) fn on_cores_with(
    cores: &[usize],
    build: impl Fn(&Builder),
    finish: impl Fn(Server) -> Server,
    check: impl Fn(&Stage),
) {
    for driver in [Driver::Epoll, Driver::IoUring] {
        for &cores in cores {
            let io = Server::builder();
            // Short, since few tests are about the end: clients that they have forgotten need not be waited for.
            io.drain_window(Duration::from_millis(100)).on("fence", |ack: Ack| ack.send(()));
            build(&io);
            match io.driver(driver).cores(cores).listen("127.0.0.1:0") {
                Ok(server) => {
                    println!("{driver:?}, cores: {cores}");
                    let stage = Stage::start(finish(server));
                    check(&stage);
                    stage.stop();
                }
                Err(Error::Driver(obstacle)) if driver == Driver::IoUring => {
                    println!("not tested: {obstacle}");
                }
                Err(error) => panic!("no server: {error}"),
            }
        }
    }
}

impl Stage {
    fn start(server: Server) -> Self {
        let (address, emitter, cores) = (server.local_addr(), server.emitter(), server.cores());
        let (end, ended) = channel();
        thread::spawn(move || end.send(server.run()));
        Self { address, emitter, cores, ended }
    }

    /// Asks the server to stop; it must have ended soon, and well.
    pub(crate) fn stop(&self) {
        self.emitter.stop();
        self.ended();
    }

    /// Waits until `Server::run` has returned; a second time it has already.
    pub(crate) fn ended(&self) {
        match self.ended.recv_timeout(PATIENCE) {
            Ok(ended) => ended.expect("it ends well"),
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => panic!("the server goes on"),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// A client whose session lives on this core.
    pub(crate) fn client_on(&self, core: usize) -> Client {
        let name = core_name(core);
        let mut clients = (0..TRIES_MAX).map(|_| self.client());
        clients.find(|client| client.sid.starts_with(name)).expect("the kernel uses every listener")
    }

    /// As many clients on every core.
    pub(crate) fn clients_per_core(&self, clients: usize) -> Vec<Client> {
        (0..self.cores).flat_map(|core| (0..clients).map(move |_| self.client_on(core))).collect()
    }

    pub(crate) fn http(&self) -> Http {
        Http::connect(self.address)
    }

    /// What all cores have done, added up by the caller. All that was posted to them before has happened then.
    pub(crate) fn reports(&self) -> Vec<CoreReport> {
        wait(self.emitter.reports())
    }

    /// A sum over all cores.
    pub(crate) fn sum(&self, read: impl Fn(&CoreReport) -> u64) -> u64 {
        self.reports().iter().map(read).sum()
    }

    /// Clients that are there, over all cores and namespaces.
    pub(crate) fn sockets(&self) -> usize {
        self.reports().iter().map(|report| report.gauges.sockets).sum()
    }
}

/// The first character of the ids of a core.
pub(crate) fn core_name(core: usize) -> char {
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[core].into()
}

/// Waits for a future on this thread.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { tokio::time::timeout(PATIENCE, future).await.expect("in time") })
}
