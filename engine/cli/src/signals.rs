//! SIGINT and SIGTERM: the first ends the server in order, the second at once. SIGHUP does nothing, for there is nothing to reload.
//!
//! Not the end itself: clients are told and connections closed by the engine.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use socketville::Emitter;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::output::Output;

/// Listens from now on, on the runtime's own thread. To be called inside its context, as `on_start` is.
///
/// # Errors
/// If the operating system refuses the handlers.
pub(crate) fn stop_on_signal(emitter: Emitter, output: Output) -> io::Result<()> {
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
        let name = next(&mut signals).await;
        tracing::info!(signal = name, "stopping");
        emitter.stop();
        let name = next(&mut signals).await;
        tracing::warn!(signal = name, "stopping at once");
        output.finish();
        std::process::exit(1);
    });
    Ok(())
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
