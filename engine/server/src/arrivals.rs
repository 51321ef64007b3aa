//! Which connections are received from in a turn: those that are established all, newcomers and those that end some at a time.
//!
//! Not a queue of bytes: what nobody receives stays in the kernel. When thousands come back at once, or are gone at once, a turn that dealt with all of them
//! would make everybody else wait for it; so beyond a handful they wait, in the order of their arrival, and each turn takes a budget of them.

use std::collections::VecDeque;

use socketville_sys::Token;

use crate::limits::NEWCOMERS_PER_TURN;

/// Connections that the kernel has something of.
#[derive(Default)]
pub(crate) struct Arrivals {
    ready: Vec<Token>,
    waiting: VecDeque<Token>,
}

/// Who has something to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Speaker {
    /// Somebody who was served before.
    Established,
    /// Somebody whose first request this is, or whose end.
    Passing,
}

impl Arrivals {
    pub(crate) fn push(&mut self, token: Token) {
        self.ready.push(token);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.waiting.is_empty()
    }

    /// Those to be received from in this turn, the established first. Who speaks is asked only when there are many.
    pub(crate) fn take(&mut self, mut who: impl FnMut(Token) -> Speaker) -> Vec<Token> {
        let mut turn = std::mem::take(&mut self.ready);
        if turn.len() <= NEWCOMERS_PER_TURN && self.waiting.is_empty() {
            return turn;
        }
        turn.retain(|&token| {
            let is_established = who(token) == Speaker::Established;
            if !is_established {
                self.waiting.push_back(token);
            }
            is_established
        });
        turn.extend(self.waiting.drain(..self.waiting.len().min(NEWCOMERS_PER_TURN)));
        turn
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
            let turn = arrivals.take(parity);
            let established = turn.iter().filter(|&&token| parity(token) == Speaker::Established).count();
            assert_eq!(established, if turns == 0 { crowd as usize / 2 } else { 1 });
            assert!(turn[..established].iter().all(|&token| parity(token) == Speaker::Established));
            assert!(turn.len() - established <= NEWCOMERS_PER_TURN);
            seen.extend(turn[established..].iter().map(|token| token.index));
            arrivals.give_back(turn);
            turns += 1;
            if turns < 10 {
                arrivals.push(token(0));
            }
        }
        let odd: Vec<u32> = (0..crowd).filter(|index| !index.is_multiple_of(2)).collect();
        assert_eq!((seen, turns), (odd, 10));
    }
}
