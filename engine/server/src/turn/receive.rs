//! Receiving within a turn's budget: first from connections that wait, then from newcomers.
//!
//! Not reading, which is `dispatch`. A handful is received from at once; beyond it there is a look at the budget after each step; what is not received
//! waits in the kernel.

use std::rc::Rc;

use socketville_hub::{Pause, Reason};
use socketville_sys::{Driver, Received, Token};

use super::{Turn, conn_of, token_of};
use crate::limits::{READ_WORK_PER_PART, RECEIVES_PER_STEP};

impl<D: Driver> Turn<D> {
    /// Receives from these connections and from those that wait, as far as the budget goes. Returns whether every connection has been read that had
    /// something when the last call began that returned true.
    pub(super) fn receive(&mut self, now_ms: u64, established: &[Token]) -> bool {
        let core = Rc::clone(&self.core);
        self.arrivals.line_up(core.take_put_off().into_iter().map(token_of));
        let letters = core.town.mailboxes[usize::from(core.index)].len();
        core.begin_reading(established.len() + self.arrivals.due(), letters);
        if established.len() <= RECEIVES_PER_STEP && self.arrivals.due() == 0 {
            self.receive_from(now_ms, established);
        } else {
            self.arrivals.line_up(established.iter().copied());
            self.receive_in_turn(now_ms);
        }
        self.receive_newcomers(now_ms);
        self.arrivals.line_up(core.take_put_off().into_iter().map(token_of));
        self.arrivals.end_round()
    }

    fn receive_in_turn(&mut self, now_ms: u64) {
        let core = Rc::clone(&self.core);
        // A connection that is put off meanwhile has had its turn.
        let mut left = self.arrivals.due();
        while left > 0 {
            let mut step = self.arrivals.step(left.min(RECEIVES_PER_STEP));
            left -= step.len();
            step.iter().for_each(|token| core.hub_mut().resume(conn_of(*token), Pause::Turn));
            core.run_effects();
            step.retain(|token| core.hub().is_awaited(conn_of(*token)));
            self.receive_from(now_ms, &step);
            if core.has_read_enough() || core.is_full() {
                break;
            }
        }
    }

    /// Receives from connections with a first request or an end, within a budget of their own.
    fn receive_newcomers(&mut self, now_ms: u64) {
        let core = Rc::clone(&self.core);
        let mut newcomers = self.arrivals.take_newcomers();
        if newcomers.is_empty() {
            return;
        }
        core.grant(READ_WORK_PER_PART);
        while !newcomers.is_empty() && !core.has_read_enough() {
            let mut step: Vec<_> = newcomers.drain(..newcomers.len().min(RECEIVES_PER_STEP)).collect();
            step.retain(|token| core.hub_mut().may_read(conn_of(*token)));
            self.receive_from(now_ms, &step);
        }
        self.arrivals.put_back(newcomers);
    }

    fn receive_from(&mut self, now_ms: u64, tokens: &[Token]) {
        let core = &self.core;
        self.driver.receive(tokens, &mut |token, received| match received {
            Received::Bytes(bytes) => core.handle_bytes(conn_of(token), bytes),
            Received::Empty => {}
            Received::Eof => {
                core.hub_mut().handle_eof(now_ms, conn_of(token));
                core.run_effects();
            }
            Received::Failed(_) => {
                core.hub_mut().handle_end(conn_of(token), Reason::TransportClose);
                core.run_effects();
            }
        });
        let mut hub = core.hub_mut();
        tokens.iter().for_each(|token| hub.note_received(conn_of(*token)));
    }
}
