//! What the clients say: kept until the next flush, so that all questions that became due by one round of reads leave in one
//! batch, each client's in one send; and what a socket did not take, until it is writable. It does not know what is said.

use std::collections::HashMap;
use std::ops::Range;

use socketville_sys::{Driver, Outcome, Outgoing, Passed, Token, Unsent};

/// Any driver of the engine.
pub(super) type Net = dyn Driver<Passed = Passed>;

/// Words that have not left yet.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    words: Vec<Word>,
    /// Words that end a batch: a batch has one entry for a connection.
    cuts: Vec<usize>,
    /// By client: the last batch that has a word of it.
    batches: Vec<u64>,
    batch: u64,
    /// Bytes that a socket did not take at once, by client; almost always empty.
    backlog: HashMap<usize, Vec<u8>>,
    unsent: Vec<Unsent>,
}

/// What one client says in one send.
struct Word {
    client: usize,
    token: Token,
    bytes: Range<usize>,
}

/// A client whose connection is broken, and the `errno` that says how.
pub(super) type Broken = (usize, i32);

impl Outbox {
    pub(super) fn new() -> Outbox {
        Outbox { batch: 1, ..Outbox::default() }
    }

    /// What `write` appends is said by this client, after all it has said before.
    pub(super) fn say(&mut self, client: usize, token: Token, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if let Some(last) = self.words.last_mut().filter(|last| last.client == client) {
            last.bytes.end = end;
            return;
        }
        if self.batches.len() <= client {
            self.batches.resize(client + 1, 0);
        }
        if self.batches.get(client) == Some(&self.batch) {
            self.cuts.push(self.words.len());
            self.batch += 1;
        }
        if let Some(batch) = self.batches.get_mut(client) {
            *batch = self.batch;
        }
        self.words.push(Word { client, token, bytes: start..end });
    }

    /// All that was said leaves, or waits for room.
    pub(super) fn flush(&mut self, net: &mut Net, broken: &mut Vec<Broken>) {
        if self.words.is_empty() {
            return;
        }
        let (mut start, words) = (0, std::mem::take(&mut self.words));
        self.cuts.push(words.len());
        for end in std::mem::take(&mut self.cuts) {
            self.flush_batch(words.get(start..end).unwrap_or_default(), net, broken);
            start = end;
        }
        self.bytes.clear();
        self.words = words;
        self.words.clear();
        self.batch += 1;
    }

    fn flush_batch(&mut self, words: &[Word], net: &mut Net, broken: &mut Vec<Broken>) {
        let mut sent = Vec::with_capacity(words.len());
        let mut batch = Vec::with_capacity(words.len());
        for word in words {
            let bytes = self.bytes.get(word.bytes.clone()).unwrap_or_default();
            if !self.backlog.is_empty()
                && let Some(waiting) = self.backlog.get_mut(&word.client)
            {
                waiting.extend_from_slice(bytes);
                continue;
            }
            sent.push(word);
            batch.push(Outgoing { token: word.token, bytes });
        }
        net.send(&batch, &mut self.unsent);
        for unsent in self.unsent.drain(..) {
            let (Some(word), Some(entry)) = (sent.get(unsent.position), batch.get(unsent.position)) else {
                continue;
            };
            match unsent.outcome {
                Outcome::Partial(taken) => {
                    self.backlog.insert(word.client, entry.bytes.get(taken..).unwrap_or_default().to_vec());
                    net.watch_writable(word.token);
                }
                Outcome::Failed(errno) => broken.push((word.client, errno)),
            }
        }
    }

    /// The socket takes bytes again: what waited is said first.
    pub(super) fn handle_writable(
        &mut self,
        client: usize,
        token: Token,
        net: &mut Net,
        broken: &mut Vec<Broken>,
    ) {
        let Some(waiting) = self.backlog.remove(&client) else { return };
        net.send(&[Outgoing { token, bytes: &waiting }], &mut self.unsent);
        match self.unsent.pop().map(|unsent| unsent.outcome) {
            None => {}
            Some(Outcome::Partial(taken)) => {
                self.backlog.insert(client, waiting.get(taken..).unwrap_or_default().to_vec());
                net.watch_writable(token);
            }
            Some(Outcome::Failed(errno)) => broken.push((client, errno)),
        }
    }

    /// What a client that is gone has not said is not said any more.
    pub(super) fn forget(&mut self, client: usize) {
        self.backlog.remove(&client);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use socketville_sys::{Epoll, Ready};

    use super::*;

    fn joined(net: &mut Net) -> (Token, UnixStream) {
        let (ours, peer) = UnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("nonblocking");
        (net.adopt(Passed::from(OwnedFd::from(ours))).expect("a place"), peer)
    }

    fn heard(peer: &mut UnixStream, bytes: usize) -> Vec<u8> {
        let mut heard = vec![0; bytes];
        peer.read_exact(&mut heard).expect("what was said");
        heard
    }

    #[test]
    fn each_client_is_heard_in_order_however_they_take_turns() {
        let (mut net, mut outbox) = (Epoll::new(None).expect("epoll"), Outbox::new());
        let [(first, mut first_peer), (second, mut second_peer)] = [joined(&mut net), joined(&mut net)];
        let mut broken = Vec::new();
        for round in [b'a', b'A'] {
            for (client, token, letter) in
                [(0, first, 0), (0, first, 1), (1, second, 2), (0, first, 3), (1, second, 4)]
            {
                outbox.say(client, token, |bytes| bytes.push(round + letter));
            }
            outbox.flush(&mut net, &mut broken);
        }
        assert_eq!(heard(&mut first_peer, 6), b"abdABD");
        assert_eq!(heard(&mut second_peer, 4), b"ceCE");
        assert!(broken.is_empty());
    }

    #[test]
    fn what_a_full_socket_did_not_take_comes_before_what_is_said_later() {
        let (mut net, mut outbox) = (Epoll::new(None).expect("epoll"), Outbox::new());
        let (token, mut peer) = joined(&mut net);
        let mut broken = Vec::new();
        outbox.say(0, token, |bytes| bytes.resize(MUCH, b'x'));
        outbox.flush(&mut net, &mut broken);
        assert!(outbox.backlog.contains_key(&0), "more than any socket takes at once");
        outbox.say(0, token, |bytes| bytes.push(b'y'));
        outbox.flush(&mut net, &mut broken);
        let reader = std::thread::spawn(move || heard(&mut peer, MUCH + 1));
        let mut ready = Vec::new();
        while outbox.backlog.contains_key(&0) {
            net.wait(Some(Duration::from_secs(60)), &mut ready).expect("a wait");
            for event in ready.drain(..) {
                if event == Ready::Writable(token) {
                    outbox.handle_writable(0, token, &mut net, &mut broken);
                }
            }
        }
        let heard = reader.join().expect("a reader");
        assert_eq!(heard.iter().position(|byte| *byte == b'y'), Some(MUCH));
        assert!(broken.is_empty());
    }

    #[test]
    fn a_broken_connection_is_told() {
        let (mut net, mut outbox) = (Epoll::new(None).expect("epoll"), Outbox::new());
        let (token, peer) = joined(&mut net);
        drop(peer);
        let mut broken = Vec::new();
        outbox.say(7, token, |bytes| bytes.push(b'x'));
        outbox.flush(&mut net, &mut broken);
        assert!(matches!(broken.as_slice(), [(7, _)]), "{broken:?}");
    }

    const MUCH: usize = 8 << 20;
}
