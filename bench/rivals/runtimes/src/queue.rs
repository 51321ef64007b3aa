//! Frames that wait for one connection's writing task, and its waker. Not a channel of a runtime: the same one for
//! all, so that they differ by how they drive sockets only.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Shared by a connection's two tasks and by whoever sends to it.
#[derive(Clone, Default)]
pub struct Queue(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    frames: Vec<Rc<[u8]>>,
    waker: Option<Waker>,
    closed: bool,
}

/// Waits until something is there.
pub struct Pending(Queue);

impl Queue {
    /// One more frame.
    pub fn push(&self, frame: Rc<[u8]>) {
        let mut inner = self.0.borrow_mut();
        inner.frames.push(frame);
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// Nothing more will come.
    pub fn close(&self) {
        let mut inner = self.0.borrow_mut();
        inner.closed = true;
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
    }

    /// All that waits, as one piece; `None` when the connection is to end.
    #[must_use]
    pub fn pending(&self) -> Pending {
        Pending(self.clone())
    }
}

impl Future for Pending {
    type Output = Option<Vec<u8>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
        let mut inner = self.0.0.borrow_mut();
        if inner.frames.is_empty() {
            if inner.closed {
                return Poll::Ready(None);
            }
            inner.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        let bytes = inner.frames.concat();
        inner.frames.clear();
        Poll::Ready(Some(bytes))
    }
}
