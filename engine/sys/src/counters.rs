//! What a driver has done, in plain numbers. They are not metrics: names, labels and rates are the server's business.

/// Running totals since the driver was made. Nothing here is reset.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counters {
    /// Connections accepted by the listener.
    pub accepted: u64,
    /// Failed accepts, mostly for want of descriptors. Each is followed by a pause.
    pub accept_errors: u64,
    /// Connections that were accepted only to be closed, since there was no descriptor or no place in the table to keep them by.
    pub accepts_refused: u64,
    /// Connections taken over from other drivers.
    pub adopted: u64,
    /// Connections given to other drivers.
    pub passed: u64,
    /// Connections closed by this side.
    pub closed: u64,
    /// Sends submitted.
    pub sends: u64,
    /// Sends of which the kernel took a part.
    pub sends_partial: u64,
    /// Sends of which the kernel took nothing, because the socket was full.
    pub sends_full: u64,
    /// Sends that found the connection broken.
    pub sends_failed: u64,
    /// Receives submitted.
    pub receives: u64,
    /// Receives that found nothing.
    pub receives_empty: u64,
    /// System calls into the ring or into epoll.
    pub enters: u64,
    /// Wake-ups by other threads that were seen; several wakes may be one.
    pub wakes: u64,
    /// Events of connections that were gone when they arrived. Legal, and expected after a close.
    pub stale_completions: u64,
    /// Calls with the token of a connection that is gone. Legal.
    pub stale_tokens: u64,
    /// Requests for repeated events that the kernel ended and that were made again.
    pub rearms: u64,
    /// Timers started for far deadlines.
    pub alarms: u64,
    /// Times the completion queue was found overflown. Nothing is lost by it.
    pub overflows: u64,
}
