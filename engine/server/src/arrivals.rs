//! Which connections are received from in a turn: those that are established within a budget of work, newcomers and those that end some at a time.
//!
//! Not a queue of bytes: what nobody receives stays in the kernel. When thousands come back at once, or are gone at once, a turn that dealt with all of them
//! would make everybody else wait for it; so beyond a handful they wait, in the order of their arrival, and each turn takes a budget of them.
//! Established connections wait in a line of their own, once the turn's work is done; connections with received bytes that wait stand in it too.

use std::collections::VecDeque;

use socketville_hub::PeerEnd;
use socketville_sys::{End, Token};

use crate::limits::NEWCOMERS_PER_TURN;

/// Connections that the kernel has something of.
#[derive(Default)]
pub(crate) struct Arrivals {
    ready: Vec<Token>,
    /// Newcomers and ends, beyond a turn's.
    waiting: VecDeque<Token>,
    /// Established connections that were not received from for want of work, and those put off, in turn.
    due: VecDeque<Token>,
    /// Connections of the line that the round has not come to: they waited when it began.
    round: usize,
}

/// Who has something to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Speaker {
    /// Somebody who was served before.
    Established,
    /// Somebody whose first request this is, or whose end.
    Passing,
}

/// The driver's word for an end in the hub's.
pub(crate) const fn peer_end(end: End) -> PeerEnd {
    match end {
        End::Finished => PeerEnd::Finished,
        End::Broken => PeerEnd::Broken,
    }
}

impl Arrivals {
    pub(crate) fn push(&mut self, token: Token) {
        self.ready.push(token);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.waiting.is_empty() && self.due.is_empty()
    }

    /// The ready connections that are established. `who` is called only when there are many; else all count as established.
    pub(crate) fn take(&mut self, mut who: impl FnMut(Token) -> Speaker) -> Vec<Token> {
        let mut turn = std::mem::take(&mut self.ready);
        if turn.len() <= NEWCOMERS_PER_TURN && self.waiting.is_empty() && self.due.is_empty() {
            return turn;
        }
        turn.retain(|&token| {
            let is_established = who(token) == Speaker::Established;
            if !is_established {
                self.waiting.push_back(token);
            }
            is_established
        });
        turn
    }

    /// A turn's newcomers and ends.
    pub(crate) fn take_newcomers(&mut self) -> Vec<Token> {
        self.waiting.drain(..self.waiting.len().min(NEWCOMERS_PER_TURN)).collect()
    }

    /// Puts back newcomers that the turn had no time for; they come before the others.
    pub(crate) fn put_back(&mut self, newcomers: Vec<Token>) {
        newcomers.into_iter().rev().for_each(|token| self.waiting.push_front(token));
    }

    /// Lines connections up, behind those that wait already.
    pub(crate) fn line_up(&mut self, tokens: impl Iterator<Item = Token>) {
        self.due.extend(tokens);
    }

    /// How many connections wait for their turn.
    pub(crate) fn due(&self) -> usize {
        self.due.len()
    }

    /// Takes the first connections that wait, at most so many.
    pub(crate) fn step(&mut self, most: usize) -> Vec<Token> {
        let most = most.min(self.due.len());
        self.round = self.round.saturating_sub(most);
        self.due.drain(..most).collect()
    }

    /// Whether every connection that waited when the last round ended has had its turn; then another round begins.
    pub(crate) fn end_round(&mut self) -> bool {
        let is_over = self.round == 0;
        if is_over {
            self.round = self.due.len();
        }
        is_over
    }

    /// Gives the list back, so that it need not grow again.
    pub(crate) fn give_back(&mut self, mut turn: Vec<Token>) {
        if self.ready.is_empty() {
            turn.clear();
            self.ready = turn;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn token(index: u32) -> Token {
        Token { index, generation: 1 }
    }

    fn parity(token: Token) -> Speaker {
        if token.index.is_multiple_of(2) { Speaker::Established } else { Speaker::Passing }
    }

    #[test]
    fn a_handful_is_taken_as_it_comes() {
        let mut arrivals = Arrivals::default();
        (0..NEWCOMERS_PER_TURN as u32).for_each(|index| arrivals.push(token(index)));
        let turn = arrivals.take(|_| panic!("nobody is asked"));
        assert_eq!(turn.len(), NEWCOMERS_PER_TURN);
        assert!(arrivals.is_empty());
    }

    #[test]
    fn in_a_crowd_the_established_come_first_and_the_others_in_turn() {
        let mut arrivals = Arrivals::default();
        let crowd = 20 * NEWCOMERS_PER_TURN as u32;
        (0..crowd).for_each(|index| arrivals.push(token(index)));
        let (mut seen, mut turns) = (Vec::new(), 0);
        while !arrivals.is_empty() {
            let established = arrivals.take(parity);
            assert_eq!(established.len(), if turns == 0 { crowd as usize / 2 } else { 1 });
            assert!(established.iter().all(|&token| parity(token) == Speaker::Established));
            arrivals.give_back(established);
            let newcomers = arrivals.take_newcomers();
            assert!(newcomers.len() <= NEWCOMERS_PER_TURN);
            // Half of them find no time, and come first in the next turn.
            let late = newcomers.len() / 2;
            seen.extend(newcomers[..newcomers.len() - late].iter().map(|token| token.index));
            arrivals.put_back(newcomers[newcomers.len() - late..].to_vec());
            turns += 1;
            if !arrivals.is_empty() {
                arrivals.push(token(0));
            }
        }
        let odd: Vec<u32> = (0..crowd).filter(|index| !index.is_multiple_of(2)).collect();
        assert_eq!(seen, odd);
    }

    #[test]
    fn a_round_is_over_when_all_who_waited_at_its_beginning_had_their_turn() {
        let mut arrivals = Arrivals::default();
        assert!(arrivals.end_round(), "nobody waits");
        arrivals.line_up((0..100).map(token));
        assert!(arrivals.end_round(), "it begins with these");
        assert_eq!(arrivals.step(60).len(), 60);
        arrivals.line_up((0..60).map(token));
        assert!(!arrivals.end_round(), "forty have not had their turn");
        assert_eq!(arrivals.step(60)[..40], (60..100).map(token).collect::<Vec<_>>());
        assert!(arrivals.end_round());
    }
}
