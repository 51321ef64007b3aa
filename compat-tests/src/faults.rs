//! Two handlers that the fault cases need and the contract does not have: answers relayed one by one, and a middleware that emits.
//!
//! Served by the profile `faults` alone, so that no suite meets them.

use std::time::Duration;

use socketville::{Ack, Arguments, Binary, Builder, Socket, sleep};

/// How long the middleware takes to decide: longer than a packet that is sent before CONNECT is answered takes to reach the client.
const MIDDLEWARE_DELAY: Duration = Duration::from_millis(300);
/// How long clients may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// Adds the event `gather-answers` to `/`, and the namespace `/emits-early`.
pub fn serve(io: &Builder) {
    io.of("/").on("gather-answers", async |socket: Socket, ack: Ack| {
        let answers = socket.nsp().emit_with_ack::<Arguments>("q", (), ANSWER_WITHIN).await;
        ack.send(answers.unwrap_or_else(|error| error.into_responses()));
    });
    io.of("/emits-early")
        .use_middleware(async |socket: Socket| {
            socket.emit("before-waiting", 1);
            sleep(MIDDLEWARE_DELAY).await;
            socket.emit("after-waiting", (2, Binary(vec![3])));
            Ok(())
        })
        .on_connect(|socket: Socket| socket.emit("connected", ()));
}
