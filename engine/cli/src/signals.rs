//! SIGINT and SIGTERM: the first ends the server in order, a later one at once. SIGHUP does nothing, for there is nothing to reload.
//!
//! One stop is often two signals: `timeout` signals the process and then its group, a supervisor and a terminal may both do it. So a signal that
//! comes within 100 ms of the first changes nothing.
//!
//! Not the end itself: clients are told and connections closed by the engine.

use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::{Duration, Instant};

use socketville::Emitter;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::output::Output;

/// How long after the first signal another one changes nothing: longer than any program takes to send it twice, shorter than a person waits.
const SAME_WISH: Duration = Duration::from_millis(100);

/// Listens from now on, on the runtime's own thread. To be called inside its context, as `on_start` is.
///
/// # Errors
/// If the operating system refuses the handlers.
pub(crate) fn stop_on_signal(emitter: Emitter, output: Output, drain_window: Duration) -> io::Result<()> {
    let mut signals = [("SIGINT", SignalKind::interrupt()), ("SIGTERM", SignalKind::terminate())]
        .into_iter()
        .map(|(name, kind)| Ok((name, signal(kind)?)))
        .collect::<io::Result<Vec<_>>>()?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            tracing::info!(signal = "SIGHUP", "ignored: there is nothing to reload");
        }
    });
    tokio::spawn(async move {
        let mut wish = Wish::None;
        loop {
            let Some(name) = until(wish.deadline(drain_window), next(&mut signals)).await else {
                tracing::error!(
                    "stopped at once, for a core has not ended in time; what was due to its clients is lost"
                );
                output.finish();
                std::process::exit(1);
            };
            match wish.hear(Instant::now()) {
                Answer::Stop => {
                    tracing::info!(signal = name, "stopping; another signal ends it at once");
                    emitter.stop();
                }
                Answer::Nothing => {
                    tracing::info!(
                        signal = name,
                        "stopping already: so soon after the first it changes nothing"
                    )
                }
                Answer::StopAtOnce(since) => {
                    let after_ms = since.as_millis();
                    tracing::warn!(
                        signal = name,
                        after_ms,
                        "stopped at once, by a second signal; what was due to clients is lost"
                    );
                    output.finish();
                    std::process::exit(1);
                }
            }
        }
    });
    Ok(())
}

/// What the signals so far have asked for.
#[derive(Clone, Copy, Debug)]
enum Wish {
    None,
    Stop { since: Instant },
}

/// What a signal is answered by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Stop,
    Nothing,
    /// So long after the first.
    StopAtOnce(Duration),
}

/// How long after the drain window the process ends, whatever its cores do. They end within a turn; one that does not in so long hangs.
const OVERTIME: Duration = Duration::from_secs(5);

impl Wish {
    /// When the process ends whatever its cores do.
    fn deadline(&self, drain_window: Duration) -> Option<Instant> {
        match self {
            Self::None => None,
            Self::Stop { since } => Some(*since + drain_window + OVERTIME),
        }
    }

    fn hear(&mut self, now: Instant) -> Answer {
        let Self::Stop { since } = *self else {
            *self = Self::Stop { since: now };
            return Answer::Stop;
        };
        let after = now.saturating_duration_since(since);
        if after < SAME_WISH { Answer::Nothing } else { Answer::StopAtOnce(after) }
    }
}

/// What comes before a moment, if there is one to wait until.
async fn until<T>(deadline: Option<Instant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        None => Some(future.await),
        Some(deadline) => tokio::time::timeout_at(deadline.into(), future).await.ok(),
    }
}

async fn next(signals: &mut [(&'static str, Signal)]) -> &'static str {
    poll_fn(|context| {
        let came = signals
            .iter_mut()
            .find_map(|(name, signal)| signal.poll_recv(context).is_ready().then_some(*name));
        came.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_right_after_the_first_changes_nothing() {
        let begun = Instant::now();
        let at = |ms| begun + Duration::from_millis(ms);
        let mut wish = Wish::None;
        let window = Duration::from_secs(10);
        assert_eq!(wish.deadline(window), None);
        assert_eq!(wish.hear(begun), Answer::Stop);
        assert_eq!(wish.deadline(window), Some(at(15_000)));
        for ms in [0, 2, 60, 99] {
            assert_eq!(wish.hear(at(ms)), Answer::Nothing, "{ms} ms later");
        }
        assert_eq!(wish.hear(at(100)), Answer::StopAtOnce(SAME_WISH), "said again, it does not begin anew");
    }
}
