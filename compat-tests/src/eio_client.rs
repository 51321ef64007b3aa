//! The app that engine.io-client's own suite talks to: bare Engine.IO.

use std::collections::BTreeMap;

use socketville::{BarePeer, Builder, Message};

/// Cookies that the handshake's answer sets; the last one's day has passed.
const COOKIES: [&str; 4] = [
    "1=1; Max-Age=86400",
    "2=2; Path=/; HttpOnly; Secure; SameSite=Strict",
    "3=3; Max-Age=0",
    "4=4; Expires=Thu, 01 Jan 2026 00:00:00 GMT",
];

/// Adds the engine.
pub fn serve(io: &Builder) {
    io.max_http_buffer_size(100)
        .initial_packet("hi")
        .allow_request(
            |request| if request.query("deny").is_some() { Err("Forbidden".into()) } else { Ok(()) },
        )
        .initial_headers(|_request, headers| {
            headers.extend(COOKIES.map(|cookie| ("Set-Cookie".to_owned(), cookie.to_owned())));
        })
        .engine("/engine.io/", answer);
}

fn answer(peer: &BarePeer<'_>, message: Message<'_>) {
    match &message {
        Message::Text(text) if text == "give binary" => peer.send((&[0, 1, 2, 3, 4][..]).into()),
        Message::Text(text) if text == "give utf8" => peer.send("пойду спать всем спокойной ночи".into()),
        Message::Text(text) if text == "sendHeaders" => {
            let headers: BTreeMap<_, _> = peer.request_headers().into_iter().collect();
            peer.send(serde_json::to_string(&headers).unwrap_or_default().as_str().into());
        }
        _ => peer.send(message),
    }
}
