//! What a namespace's events stand for, found by their names.
//!
//! Not a map alone: most namespaces know a handful of events, and a look at each of so few names costs less than to hash one. Cost: with up
//! to [`FEW`] names a comparison of lengths for each, else one hash.

use std::collections::HashMap;

use crate::app::BoxedRelay;
use crate::handler::BoxedHandler;

/// What an event's name stands for.
pub(crate) enum Reaction {
    Handler(BoxedHandler),
    Relay(BoxedRelay),
}

/// Reactions by name.
#[derive(Default)]
pub(crate) struct Events {
    all: Vec<(Box<str>, Reaction)>,
    /// Where each stands in `all`.
    places: HashMap<Box<str>, usize, ahash::RandomState>,
}

/// Names that are looked at one by one.
const FEW: usize = 8;

impl Events {
    /// Gives an event its reaction, in place of the one it had.
    pub(crate) fn insert(&mut self, event: &str, reaction: Reaction) {
        match self.places.get(event).and_then(|&place| self.all.get_mut(place)) {
            Some((_, known)) => *known = reaction,
            None => {
                self.places.insert(event.into(), self.all.len());
                self.all.push((event.into(), reaction));
            }
        }
    }

    /// The reaction to an event.
    #[inline]
    pub(crate) fn get(&self, event: &str) -> Option<&Reaction> {
        let found = match self.all.len() {
            ..=FEW => self.all.iter().find(|(name, _)| **name == *event),
            _ => self.all.get(*self.places.get(event)?),
        };
        found.map(|(_, reaction)| reaction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::boxed;

    fn is_relay(events: &Events, event: &str) -> Option<bool> {
        events.get(event).map(|reaction| matches!(reaction, Reaction::Relay(_)))
    }

    /// Few or many, each name has the reaction that it got last.
    #[test]
    fn an_event_has_its_last_reaction_however_many_there_are() {
        let mut events = Events::default();
        for count in 1..=3 * FEW {
            events.insert(&format!("e{count}"), Reaction::Handler(boxed(|| {})));
            assert_eq!(is_relay(&events, &format!("e{count}")), Some(false));
            events.insert(&format!("e{count}"), Reaction::Relay(Box::new(|_, _| {})));
            for known in 1..=count {
                assert_eq!(is_relay(&events, &format!("e{known}")), Some(true), "e{known} of {count}");
            }
            for unknown in ["", "e", "e0", "E1", "e1 "] {
                assert!(events.get(unknown).is_none(), "{unknown} of {count}");
            }
        }
    }
}
