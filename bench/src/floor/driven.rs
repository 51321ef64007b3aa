//! The engine's drivers as wires of the floor: batches of sends, exceptions reported. Nothing of the engine
//! but `sys` is between.

use std::io;
use std::time::Duration;

use anyhow::{Context, Result};
use socketville_sys::{Driver, Outcome, Outgoing, Ready, Received, Token, Unsent, Waker};

use super::Connections;
use super::backlog::Backlog;
use super::peer::{Peer, Request};

struct Conn {
    token: Token,
    peer: Peer,
    backlog: Backlog,
    member: bool,
}

/// A driver and what is remembered of its connections, by their index.
pub(super) struct Driven<D: Driver> {
    driver: D,
    conns: Vec<Option<Conn>>,
    members: usize,
    ready: Vec<Ready>,
    readable: Vec<Token>,
    unsent: Vec<Unsent>,
}

impl<D: Driver> Driven<D> {
    pub(super) fn new(driver: D) -> Driven<D> {
        let (ready, readable, unsent) = (Vec::new(), Vec::new(), Vec::new());
        Driven { driver, conns: Vec::new(), members: 0, ready, readable, unsent }
    }

    pub(super) fn waker(&self) -> Waker {
        self.driver.waker()
    }

    fn accepted(&mut self, token: Token) {
        let index = token.index as usize;
        if self.conns.len() <= index {
            self.conns.resize_with(index + 1, || None);
        }
        if let Some(place) = self.conns.get_mut(index) {
            *place = Some(Conn { token, peer: Peer::default(), backlog: Backlog::default(), member: false });
        }
    }

    fn conn(&mut self, token: Token) -> Option<&mut Conn> {
        conn(&mut self.conns, token)
    }

    fn receive(&mut self, asked: &mut Vec<(Token, Request)>) {
        let (conns, mut ended) = (&mut self.conns, Vec::new());
        self.driver.receive(&self.readable, &mut |token, received| match received {
            Received::Bytes(bytes) => {
                if let Some(conn) = conn(conns, token) {
                    conn.peer.handle(bytes, |request| asked.push((token, request)));
                }
            }
            Received::Empty => {}
            Received::Eof | Received::Failed(_) => ended.push(token),
        });
        self.readable.clear();
        ended.into_iter().for_each(|token| self.close(token));
    }

    fn close(&mut self, token: Token) {
        if self.conn(token).is_some()
            && let Some(conn) = self.conns.get_mut(token.index as usize).and_then(Option::take)
        {
            self.members -= usize::from(conn.member);
            self.driver.close(token);
        }
    }

    /// Sends what waits, as much as the socket takes.
    fn flush(&mut self, token: Token) {
        let Some(conn) = conn(&mut self.conns, token).filter(|conn| !conn.backlog.is_empty()) else { return };
        let bytes = conn.backlog.waiting();
        self.unsent.clear();
        self.driver.send(&[Outgoing { token, bytes }], &mut self.unsent);
        match self.unsent.pop().map(|unsent| unsent.outcome) {
            None => conn.backlog.took(bytes.len()),
            Some(Outcome::Partial(taken)) => {
                conn.backlog.took(taken);
                self.driver.watch_writable(token);
            }
            Some(Outcome::Failed(_)) => self.close(token),
        }
    }
}

fn conn(conns: &mut [Option<Conn>], token: Token) -> Option<&mut Conn> {
    conns.get_mut(token.index as usize)?.as_mut().filter(|conn| conn.token == token)
}

impl<D: Driver> Connections for Driven<D> {
    type Id = Token;

    fn turn(&mut self, timeout: Option<Duration>, asked: &mut Vec<(Token, Request)>) -> Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        match self.driver.wait(timeout, &mut ready) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error).context("waiting"),
            _ => {}
        }
        for event in ready.drain(..) {
            match event {
                Ready::Accepted(token) => self.accepted(token),
                Ready::Readable(token) => self.readable.push(token),
                Ready::Writable(token) => self.flush(token),
                Ready::Woken => {}
            }
        }
        self.ready = ready;
        self.receive(asked);
        Ok(())
    }

    fn send(&mut self, token: Token, bytes: &[u8]) {
        let Some(conn) = self.conn(token) else { return };
        let waited = !conn.backlog.is_empty();
        conn.backlog.push(bytes);
        if !waited {
            self.flush(token);
        }
    }

    fn send_all(&mut self, bytes: &[u8]) -> u64 {
        let (mut sends, mut next) = (0, 0);
        while next < self.conns.len() {
            let mut batch = Vec::with_capacity(BATCH);
            while batch.len() < BATCH
                && let Some(place) = self.conns.get_mut(next)
            {
                next += 1;
                match place {
                    Some(conn) if conn.member && conn.backlog.is_empty() => {
                        batch.push(Outgoing { token: conn.token, bytes })
                    }
                    Some(conn) if conn.member => conn.backlog.push(bytes),
                    _ => {}
                }
            }
            sends += batch.len() as u64;
            self.driver.send(&batch, &mut self.unsent);
            self.keep_unsent(&batch, bytes);
        }
        sends
    }

    fn send_each(&mut self, ids: &[Token], bytes: &[u8]) -> u64 {
        let mut batch = Vec::with_capacity(ids.len());
        for token in ids {
            match conn(&mut self.conns, *token) {
                Some(conn) if conn.backlog.is_empty() => batch.push(Outgoing { token: *token, bytes }),
                Some(conn) => conn.backlog.push(bytes),
                None => {}
            }
        }
        self.driver.send(&batch, &mut self.unsent);
        self.keep_unsent(&batch, bytes);
        batch.len() as u64
    }

    fn admit(&mut self, token: Token) {
        let Some(conn) = self.conn(token) else { return };
        let new = !conn.member;
        conn.member = true;
        self.members += usize::from(new);
    }

    fn members(&self) -> usize {
        self.members
    }
}

impl<D: Driver> Driven<D> {
    fn keep_unsent(&mut self, batch: &[Outgoing<'_>], bytes: &[u8]) {
        for unsent in std::mem::take(&mut self.unsent) {
            let Some(token) = batch.get(unsent.position).map(|outgoing| outgoing.token) else { continue };
            match unsent.outcome {
                Outcome::Partial(taken) => {
                    if let Some(conn) = self.conn(token) {
                        conn.backlog.push(bytes.get(taken..).unwrap_or_default());
                    }
                    self.driver.watch_writable(token);
                }
                Outcome::Failed(_) => self.close(token),
            }
        }
    }
}

/// Sends submitted at once: the driver's own chunk.
const BATCH: usize = 256;
