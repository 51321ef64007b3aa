//! A floor on several cores: a loop for each, which the kernel gives its share of the connections, and what one is asked to publish all publish.
//! Nothing else is shared: what two cores bring is what they bring when nobody waits for anybody.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};

use socketville_sys::Waker;

use super::peer::Request;

/// Where one loop meets the others.
pub(super) struct Siblings {
    index: usize,
    asked: Receiver<Request>,
    all: Arc<[Door]>,
}

/// Where the others leave requests for a loop.
struct Door {
    requests: Sender<Request>,
    waker: OnceLock<Waker>,
}

impl Siblings {
    /// One for each loop.
    pub(super) fn of(cores: usize) -> Vec<Siblings> {
        let (doors, asked): (Vec<Door>, Vec<Receiver<Request>>) = (0..cores.max(1))
            .map(|_| {
                let (requests, asked) = channel();
                (Door { requests, waker: OnceLock::new() }, asked)
            })
            .unzip();
        let all: Arc<[Door]> = doors.into();
        asked
            .into_iter()
            .enumerate()
            .map(|(index, asked)| Siblings { index, asked, all: Arc::clone(&all) })
            .collect()
    }

    /// Which of them this is.
    pub(super) const fn index(&self) -> usize {
        self.index
    }

    /// From now on others end this loop's sleep.
    pub(super) fn hang(&self, waker: Waker) {
        let door = self.all.get(self.index);
        let is_hung = door.is_some_and(|door| door.waker.set(waker).is_ok());
        debug_assert!(is_hung, "a loop begins once");
    }

    /// Tells the others what is for all, before this loop's own sends.
    pub(super) fn tell(&self, request: &Request) {
        if !matches!(request, Request::Publish(..) | Request::Burst(_)) {
            return;
        }
        let others = self.all.iter().enumerate().filter(|(index, _)| *index != self.index);
        for (_, door) in others {
            let is_there = door.requests.send(request.clone()).is_ok();
            if let Some(waker) = door.waker.get().filter(|_| is_there) {
                waker.wake();
            }
        }
    }

    /// What others were asked since the last look.
    pub(super) fn told(&self) -> impl Iterator<Item = Request> + '_ {
        self.asked.try_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_for_all_is_told_to_all_others() {
        let loops = Siblings::of(3);
        let message = Request::Publish(None, "x".to_owned());
        loops[1].tell(&message);
        loops[1].tell(&Request::Metrics);
        let told: Vec<Vec<Request>> = loops.iter().map(|siblings| siblings.told().collect()).collect();
        assert_eq!(told, [vec![message.clone()], vec![], vec![message]]);
    }
}
