//! The plainest wire: nonblocking sockets, readiness by epoll, one write call per send.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::Connections;
use super::backlog::Backlog;
use super::peer::{Peer, Request};

struct Conn {
    stream: TcpStream,
    peer: Peer,
    backlog: Backlog,
    member: bool,
}

/// All sockets of the wire. A place is not used twice: benches connect once.
pub(super) struct Plain {
    poll: Poll,
    events: Events,
    listener: TcpListener,
    conns: Vec<Option<Conn>>,
    members: usize,
    buffer: Vec<u8>,
}

impl Plain {
    pub(super) fn bind(address: SocketAddr) -> Result<Plain> {
        let poll = Poll::new().context("no epoll instance")?;
        let mut listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (events, buffer) = (Events::with_capacity(1024), vec![0; BUFFER_BYTES]);
        Ok(Plain { poll, events, listener, conns: Vec::new(), members: 0, buffer })
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            match self.listener.accept() {
                Ok((mut stream, _)) => {
                    stream.set_nodelay(true)?;
                    let token = Token(self.conns.len());
                    self.poll.registry().register(
                        &mut stream,
                        token,
                        Interest::READABLE | Interest::WRITABLE,
                    )?;
                    let conn =
                        Conn { stream, peer: Peer::default(), backlog: Backlog::default(), member: false };
                    self.conns.push(Some(conn));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("accepting"),
            }
        }
    }

    fn receive(&mut self, id: usize, asked: &mut Vec<(usize, Request)>) {
        loop {
            let Some(conn) = self.conns.get_mut(id).and_then(Option::as_mut) else { return };
            match conn.stream.read(&mut self.buffer) {
                Ok(count) if count > 0 => {
                    let bytes = self.buffer.get(..count).unwrap_or_default();
                    conn.peer.handle(bytes, |request| asked.push((id, request)));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(_) | Err(_) => return self.close(id),
            }
        }
    }

    fn close(&mut self, id: usize) {
        if let Some(conn) = self.conns.get_mut(id).and_then(Option::take) {
            self.members -= usize::from(conn.member);
        }
    }
}

impl Conn {
    /// One send, unless others wait before it. What the kernel does not take waits. Returns whether it was
    /// tried.
    fn send(&mut self, bytes: &[u8]) -> bool {
        let at_once = self.backlog.is_empty();
        let taken = if at_once { self.stream.write(bytes).unwrap_or(0) } else { 0 };
        self.backlog.push(bytes.get(taken..).unwrap_or_default());
        at_once
    }

    fn flush(&mut self) {
        while !self.backlog.is_empty() {
            match self.stream.write(self.backlog.waiting()) {
                Ok(taken) => self.backlog.took(taken),
                Err(_) => return,
            }
        }
    }
}

impl Connections for Plain {
    type Id = usize;

    fn turn(&mut self, timeout: Option<Duration>, asked: &mut Vec<(usize, Request)>) -> Result<()> {
        match self.poll.poll(&mut self.events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error).context("waiting"),
            _ => {}
        }
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            if event.token() == LISTENER {
                self.accept()?;
                continue;
            }
            let id = event.token().0;
            if event.is_writable()
                && let Some(conn) = self.conns.get_mut(id).and_then(Option::as_mut)
            {
                conn.flush();
            }
            if event.is_readable() || event.is_read_closed() {
                self.receive(id, asked);
            }
        }
        self.events = events;
        Ok(())
    }

    fn send(&mut self, id: usize, bytes: &[u8]) {
        if let Some(conn) = self.conns.get_mut(id).and_then(Option::as_mut) {
            conn.send(bytes);
        }
    }

    fn send_all(&mut self, bytes: &[u8]) -> u64 {
        let members = self.conns.iter_mut().flatten().filter(|conn| conn.member);
        members.map(|conn| u64::from(conn.send(bytes))).sum()
    }

    fn send_each(&mut self, ids: &[usize], bytes: &[u8]) -> u64 {
        let mut sends = 0;
        for id in ids {
            if let Some(conn) = self.conns.get_mut(*id).and_then(Option::as_mut) {
                sends += u64::from(conn.send(bytes));
            }
        }
        sends
    }

    fn admit(&mut self, id: usize) {
        if let Some(conn) = self.conns.get_mut(id).and_then(Option::as_mut) {
            self.members += usize::from(!conn.member);
            conn.member = true;
        }
    }

    fn members(&self) -> usize {
        self.members
    }
}

const LISTENER: Token = Token(usize::MAX - 1);
/// Requests are small; one read takes any of them.
const BUFFER_BYTES: usize = 64 * 1024;
