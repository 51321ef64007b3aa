//! Letters of this core that another core's full mailbox did not take, in their order, by number and by bytes.

use std::collections::VecDeque;

use crate::mailbox::{Letter, Mailbox};

/// Letters that a full mailbox did not take.
#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) letters: VecDeque<Letter>,
    /// Of the broadcasts among them.
    pub(crate) bytes: usize,
}

impl Waiting {
    pub(crate) fn push(&mut self, letter: Letter) {
        self.bytes += letter.bytes();
        self.letters.push_back(letter);
    }

    /// Posts as many as the mailbox takes.
    pub(crate) fn post_to(&mut self, mailbox: &Mailbox) {
        while let Some(letter) = self.letters.pop_front() {
            let bytes = letter.bytes();
            if let Err(letter) = mailbox.post(letter) {
                return self.letters.push_front(letter);
            }
            self.bytes -= bytes;
        }
    }
}
