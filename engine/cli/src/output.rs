//! What the program writes: log lines and the announcement, by a thread of its own, from a bounded queue.
//!
//! Whoever reads them may stand still or be gone: a pipe that is full, a disk that is full, a closed terminal. So nobody but that thread
//! ever writes, and nobody waits for it: what finds no room in the queue is dropped, and counted in the log once something is read again. The same
//! for panics, which the standard library would write to standard error at once.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// The way to the writing thread. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Output {
    queue: SyncSender<Piece>,
    state: Arc<State>,
}

/// What is written in one piece.
struct Piece {
    stream: Stream,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Stream {
    Output,
    Error,
}

#[derive(Default)]
struct State {
    /// Bytes in the queue, and in the hands of the thread.
    waiting: AtomicUsize,
    /// Lines that found no room, or could not be written.
    dropped: AtomicU64,
}

/// Bytes that wait to be written; past it more are dropped and counted. Some thousand lines: what a reader catches up on.
const WAITING_BYTES_MAX: usize = 1 << 20;

/// Pieces that wait to be written; past it more are dropped and counted.
const WAITING_PIECES_MAX: usize = 8192;

/// Bytes of one line; the rest is cut off. A line is never a payload.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// How long the end of the program waits for its last lines to be written. Nobody reads a log that stands still for so long.
const LAST_WORDS: Duration = Duration::from_millis(500);

impl Output {
    /// Starts the thread.
    ///
    /// # Errors
    /// There is none to be had, or standard output or error are closed.
    pub(crate) fn start() -> io::Result<Self> {
        let files = [own(io::stdout().as_fd())?, own(io::stderr().as_fd())?];
        Self::start_with(files)
    }

    fn start_with<W: Write + Send + 'static>(streams: [W; 2]) -> io::Result<Self> {
        let (queue, pieces) = sync_channel(WAITING_PIECES_MAX);
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let write = move || write_all(&pieces, streams, &shared);
        thread::Builder::new().name("socketville-log".to_owned()).spawn(write)?;
        Ok(Self { queue, state })
    }

    /// To standard output, if there is room.
    pub(crate) fn print(&self, text: &str) {
        self.push(Stream::Output, text.as_bytes().to_vec());
    }

    /// To standard error, if there is room.
    pub(crate) fn complain(&self, text: &str) {
        self.push(Stream::Error, text.as_bytes().to_vec());
    }

    fn push(&self, stream: Stream, mut bytes: Vec<u8>) {
        if bytes.len() > LINE_BYTES_MAX {
            bytes.truncate(LINE_BYTES_MAX);
            bytes.push(b'\n');
        }
        let length = bytes.len();
        let waiting = self.state.waiting.fetch_add(length, Ordering::AcqRel);
        let is_full = waiting + length > WAITING_BYTES_MAX;
        if is_full || self.queue.try_send(Piece { stream, bytes }).is_err() {
            self.state.waiting.fetch_sub(length, Ordering::AcqRel);
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until all is written, but not for long.
    pub(crate) fn finish(&self) {
        self.finish_within(LAST_WORDS);
    }

    fn finish_within(&self, patience: Duration) {
        let begun = Instant::now();
        while self.state.waiting.load(Ordering::Acquire) > 0 && begun.elapsed() < patience {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// From now on panics are lines of the log.
    pub(crate) fn take_panics(&self) {
        std::panic::set_hook(Box::new(|panic| {
            let backtrace = std::backtrace::Backtrace::capture();
            tracing::error!("{panic}\n{backtrace}");
        }));
    }
}

/// A descriptor that only we write to: the standard library's own has a lock that would be held while a write stands still.
fn own(stream: std::os::fd::BorrowedFd<'_>) -> io::Result<File> {
    Ok(File::from(stream.try_clone_to_owned()?))
}

fn write_all<W: Write>(pieces: &Receiver<Piece>, mut streams: [W; 2], state: &State) {
    for Piece { stream, bytes } in pieces {
        let into = &mut streams[stream as usize];
        if into.write_all(&bytes).and_then(|()| into.flush()).is_err() {
            state.dropped.fetch_add(1, Ordering::Relaxed);
        } else if let dropped @ 1.. = state.dropped.swap(0, Ordering::Relaxed) {
            let line = format!("{dropped} lines before this could not be written\n");
            let told = streams[Stream::Error as usize].write_all(line.as_bytes());
            state.dropped.fetch_add(if told.is_ok() { 0 } else { dropped }, Ordering::Relaxed);
        }
        state.waiting.fetch_sub(bytes.len(), Ordering::AcqRel);
    }
}

/// One line of the log on its way into the queue.
pub(crate) struct LogLine<'a> {
    output: &'a Output,
    bytes: Vec<u8>,
}

impl Write for LogLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine<'_> {
    fn drop(&mut self) {
        if !self.bytes.is_empty() {
            self.output.push(Stream::Error, std::mem::take(&mut self.bytes));
        }
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> LogLine<'a> {
        LogLine { output: self, bytes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    /// A reader that takes a piece for each permit, and nothing without.
    struct Slow {
        permits: Receiver<()>,
        read: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.permits.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.read.lock().expect("no panic").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output whose readers are slow, what was read of the log, and the permits to read.
    fn output() -> (Output, Arc<Mutex<Vec<u8>>>, Sender<()>) {
        let (_none, nothing) = channel();
        let (permit, permits) = channel();
        let read = Arc::new(Mutex::default());
        let quiet = Slow { permits: nothing, read: Arc::default() };
        let log = Slow { permits, read: Arc::clone(&read) };
        (Output::start_with([quiet, log]).expect("a thread"), read, permit)
    }

    #[test]
    fn who_writes_never_waits_and_what_was_dropped_is_counted() {
        let (output, read, permit) = output();
        let line = format!("{}\n", "x".repeat(LINE_BYTES_MAX - 1));
        let fits = WAITING_BYTES_MAX / line.len();
        (0..fits + 7).for_each(|_| output.complain(&line));
        (0..fits + 1).for_each(|_| permit.send(()).expect("it reads"));
        output.finish_within(Duration::from_secs(60));
        let read = String::from_utf8(read.lock().expect("no panic").clone()).expect("text");
        assert_eq!(read.matches(&line).count(), fits);
        assert!(read.contains("\n7 lines before this could not be written\n"));
    }

    #[test]
    fn a_reader_that_is_gone_holds_nobody_up() {
        let (output, _read, permit) = output();
        drop(permit);
        for number in 0..10_000 {
            output.complain(&format!("line {number}\n"));
        }
        output.print("announcement\n");
        output.finish();
    }

    #[test]
    fn a_line_is_cut_where_it_is_too_long() {
        let (output, read, permit) = output();
        output.complain(&"y".repeat(LINE_BYTES_MAX * 2));
        permit.send(()).expect("it reads");
        output.finish_within(Duration::from_secs(60));
        assert_eq!(read.lock().expect("no panic").len(), LINE_BYTES_MAX + 1);
    }
}
