//! The way in and out of the kernel: submission queue, enter, completion queue. It does not know what the requests are
//! for.
//!
//! Two properties hold everything else up:
//!
//! * After [`Gate::submit`] the submission queue is empty: every request was taken by the kernel, in order. If the kernel refuses
//!   for good, the gate is *broken*: it never enters again, so requests left in the queue are never executed.
//! * No completion is lost. The kernel keeps what does not fit in the completion queue (`NODROP`), and
//!   [`Gate::drain`] fetches it.
//!
//! With deferred task work, polls complete only inside an enter that asks for events; so every enter here does.

use std::io;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, squeue};

use super::request::Request;
use crate::limits::SUBMIT_ATTEMPTS_MAX;

/// The two queues of one ring and what was taken from the second.
pub(super) struct Gate {
    io: IoUring,
    drained: Vec<cqueue::Entry>,
    broken: Option<i32>,
    /// System calls made.
    pub(super) enters: u64,
    /// Times the completion queue was found overflown.
    pub(super) overflows: u64,
}

impl Gate {
    /// A ring for the calling thread.
    pub(super) fn new(sq_entries: u32, cq_entries: u32) -> io::Result<Gate> {
        let io = build(sq_entries, cq_entries)?;
        if !io.params().is_feature_nodrop() || !io.params().is_feature_skip_cqe_on_success() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Gate { io, drained: Vec::new(), broken: None, enters: 0, overflows: 0 })
    }

    /// The ring, for registering things with it.
    pub(super) fn io(&self) -> &IoUring {
        &self.io
    }

    /// Queues a request; submits the queue first if it is full.
    pub(super) fn push(&mut self, request: &Request) {
        // SAFETY: a `Request` points to no memory, or to statics (its module makes no others).
        unsafe { self.push_entry(request.entry()) };
    }

    /// Queues a request with buffers.
    ///
    /// # Safety
    /// * Memory the entry points to stays valid until the request is completed.
    /// * Memory it writes to is not read or written by anybody else until then.
    pub(super) unsafe fn push_entry(&mut self, entry: &squeue::Entry) {
        if self.io.submission().is_full() {
            self.submit();
        }
        // SAFETY: the caller answers for the memory; a full queue of a broken gate refuses, which is right.
        let _refused = unsafe { self.io.submission().push(entry) };
    }

    /// Requests that fit before the next submit.
    pub(super) fn room(&mut self) -> usize {
        let queue = self.io.submission();
        queue.capacity() - queue.len()
    }

    /// Hands every queued request to the kernel and lets it run what it has deferred.
    pub(super) fn submit(&mut self) {
        for _ in 0..SUBMIT_ATTEMPTS_MAX {
            let queued = self.io.submission().len();
            match self.enter(queued) {
                Ok(()) if self.io.submission().is_empty() => return,
                Ok(()) => {}
                Err(libc::EINTR) => {}
                Err(libc::EAGAIN | libc::EBUSY | libc::ENOMEM) => {
                    self.drained.extend(self.io.completion());
                    std::thread::yield_now();
                }
                Err(errno) => return self.break_for_good(errno),
            }
        }
        self.break_for_good(libc::ENOMEM);
    }

    /// Submits if there is anything to submit or the kernel has something to say.
    pub(super) fn look(&mut self) {
        let queue = self.io.submission();
        if !queue.is_empty() || queue.taskrun() || queue.cq_overflow() {
            drop(queue);
            self.submit();
        }
    }

    /// Submits and sleeps until there is a completion or the time is over. The completion queue must have been drained.
    pub(super) fn sleep(&mut self, timeout: Option<Duration>) {
        if self.broken.is_some() {
            return;
        }
        self.enters += 1;
        let result = match timeout {
            None => self.io.submitter().submit_and_wait(1),
            Some(timeout) => {
                let time = Timespec::from(timeout);
                self.io.submitter().submit_with_args(1, &SubmitArgs::new().timespec(&time))
            }
        };
        match result.map_err(|error| error.raw_os_error().unwrap_or(libc::EIO)) {
            Ok(_) | Err(libc::ETIME | libc::EINTR) => {}
            // Out of memory for requests, or a queue to be drained first: the next round submits again.
            Err(libc::EAGAIN | libc::EBUSY | libc::ENOMEM) => std::thread::yield_now(),
            Err(errno) => self.break_for_good(errno),
        }
    }

    /// Takes all completions, those the kernel had to keep included. The taken ones are appended.
    pub(super) fn drain(&mut self, into: &mut Vec<cqueue::Entry>) {
        into.append(&mut self.drained);
        into.extend(self.io.completion());
        while self.broken.is_none() && self.io.submission().cq_overflow() {
            self.overflows += 1;
            match self.enter(0) {
                Ok(()) | Err(libc::EINTR | libc::EBUSY | libc::EAGAIN) => into.extend(self.io.completion()),
                Err(errno) => self.break_for_good(errno),
            }
        }
    }

    /// Never enters the kernel again.
    pub(super) fn break_for_good(&mut self, errno: i32) {
        self.broken.get_or_insert(errno);
    }

    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// The error that broke the gate.
    pub(super) fn check(&self) -> io::Result<()> {
        self.broken.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }

    fn enter(&mut self, queued: usize) -> Result<(), i32> {
        if let Some(errno) = self.broken {
            return Err(errno);
        }
        self.enters += 1;
        let flags = EnterFlags::GETEVENTS.bits();
        let submitter = self.io.submitter();
        // SAFETY: no argument is passed, and `queued` requests are in the queue, each pushed with its promise.
        let result = unsafe { submitter.enter::<libc::sigset_t>(queued as u32, 0, flags, None) };
        result.map(drop).map_err(|error| error.raw_os_error().unwrap_or(libc::EIO))
    }
}

/// The flags of the house; without the two of 6.1 if the kernel refuses them.
fn build(sq_entries: u32, cq_entries: u32) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.setup_cqsize(cq_entries).setup_submit_all().setup_taskrun_flag();
    let mut deferred = builder.clone();
    deferred.setup_single_issuer().setup_defer_taskrun();
    match deferred.build(sq_entries) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            builder.setup_coop_taskrun().build(sq_entries)
        }
        result => result,
    }
}
