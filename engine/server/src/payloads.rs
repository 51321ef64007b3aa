//! Packets of POSTs, handled in their order and some in each turn, so that a client that was offline may send all it has to say at once.
//!
//! Not a limit: a payload has as many packets as fit into its bytes. Its POST is answered after the last one, and until then its session takes
//! no other, so that the order holds; other clients' reads, sends and timers come between. Between two steps a POST is the hub's: what is left of it
//! goes with its session.

use std::collections::VecDeque;
use std::rc::Rc;

use socketville_hub::{ConnId, Post, SessionKey};
use socketville_proto::eio;

use crate::budget::Slice;
use crate::core::Core;
use crate::limits::{PAYLOAD_PACKETS_PER_STEP, PAYLOAD_PACKETS_PER_TURN, READ_WORK_PER_PART};

/// POSTs whose packets were not all handled when they came, in turn.
#[derive(Default)]
pub(crate) struct Payloads(VecDeque<SessionKey>);

/// Whether a POST's packets were all handled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Last,
    More,
}

impl Payloads {
    pub(crate) fn push(&mut self, session: SessionKey) {
        if !self.0.contains(&session) {
            self.0.push_back(session);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Core {
    /// Handles the first packets of a POST; the others have their turn later.
    pub(crate) fn begin_payload(self: &Rc<Self>, conn: ConnId, session: SessionKey, mut post: Post) {
        let is_over =
            !self.shares.is_paused(session) && self.read_payload(conn, session, &mut post) == Step::Last;
        if is_over {
            return;
        }
        self.hub_mut().keep_post(self.now_ms.get(), conn, session, post);
        self.run_effects();
        if !self.shares.is_paused(session) {
            self.payloads.borrow_mut().push(session);
        }
    }

    /// Goes on with POSTs that have more packets, each in its turn.
    pub(crate) fn read_payloads(self: &Rc<Self>) {
        // POSTs wait while another core is behind: a POST stops at the first packet that makes records for it.
        if self.payloads.borrow().is_empty() || self.is_behind() {
            return;
        }
        self.grant(READ_WORK_PER_PART);
        for _ in 0..PAYLOAD_PACKETS_PER_TURN / PAYLOAD_PACKETS_PER_STEP {
            if self.is_full() || self.has_read_enough() {
                return;
            }
            let next = self.payloads.borrow_mut().0.pop_front();
            let Some(session) = next else { return };
            let kept = self.hub_mut().take_post(session);
            if let Some((conn, post)) = kept {
                self.begin_payload(conn, session, post);
            }
        }
    }

    fn read_payload(self: &Rc<Self>, conn: ConnId, session: SessionKey, post: &mut Post) -> Step {
        let head = post.head.take();
        self.post_head.replace(head);
        let (mut items, mut slice) = (post.items(), Slice::default());
        for item in items.by_ref().take(PAYLOAD_PACKETS_PER_STEP) {
            self.handle_item(session, item);
            if self.shares.is_paused(session) || slice.is_over(self) {
                break;
            }
        }
        let rest_bytes = items.rest_bytes();
        post.head = self.post_head.take();
        match post.advance(rest_bytes) {
            true => {
                self.hub_mut().finish_post(self.now_ms.get(), conn, session);
                self.run_effects();
                Step::Last
            }
            false => Step::More,
        }
    }

    fn handle_item(self: &Rc<Self>, session: SessionKey, item: Result<eio::PayloadItem<'_>, eio::Error>) {
        let now_ms = self.now_ms.get();
        let incoming = match item {
            Ok(eio::PayloadItem::Packet(packet)) => self.hub_mut().handle_packet(now_ms, session, packet),
            Ok(eio::PayloadItem::Binary(bytes)) => {
                self.hub_mut().handle_binary(now_ms, session, bytes.into())
            }
            Err(_) => {
                self.hub_mut().reject(now_ms, session);
                None
            }
        };
        self.dispatch(incoming);
    }
}
