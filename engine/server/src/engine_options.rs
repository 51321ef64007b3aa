//! Options of the engine's HTTP side: who may come in, cookies, headers, compression, the client's files.
//!
//! Not their effect, which is the hub's: this is the part of [`Builder`] that says it.

use std::path::PathBuf;
use std::sync::Arc;

use socketville_hub::Cookie;
use socketville_proto::sio::Parser;

use crate::builder::Builder;
use crate::handshake::Handshake;
use crate::hooks::EngineRequest;

impl Builder {
    /// Asks whether a request may open a session, be it over polling or WebSocket; a refusal is answered 403 with code 4 and the message.
    /// It runs within a turn and must not wait; [`Builder::consider_request`] may.
    /// Source: `allowRequest`.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().allow_request(|request| match request.header("user-agent") {
    ///     Some(_) => Ok(()),
    ///     None => Err("who are you?".into()),
    /// });
    /// ```
    pub fn allow_request(
        &self,
        allow: impl Fn(&EngineRequest<'_, '_>) -> Result<(), String> + Send + Sync + 'static,
    ) -> &Self {
        self.with_app(|app| app.hooks.allow.push(Box::new(allow)))
    }

    /// The same by a function that may wait, for a token that a backend has to check, say; the connection waits meanwhile, bounded by what it may
    /// hold. It sees an owned copy of the request, without address and time. Source: `allowRequest`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use socketville::{Handshake, Server};
    ///
    /// Server::builder().consider_request(async |request: Handshake| {
    ///     socketville::sleep(Duration::from_millis(10)).await;
    ///     if request.query("token").is_some() { Ok(()) } else { Err("no token".into()) }
    /// });
    /// ```
    pub fn consider_request<F>(&self, consider: F) -> &Self
    where
        F: AsyncFn(Handshake) -> Result<(), String> + Send + Sync + 'static,
    {
        let consider = Arc::new(consider);
        self.with_app(|app| {
            app.hooks.consider.push(Box::new(move |request| {
                let consider = Arc::clone(&consider);
                Box::pin(async move { consider(request).await })
            }));
        })
    }

    /// Adds headers to the answer that opens a session. Source: the engine's event `initial_headers`.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().initial_headers(|_request, headers| headers.push(("Set-Cookie".into(), "seen=1".into())));
    /// ```
    pub fn initial_headers(
        &self,
        add: impl Fn(&EngineRequest<'_, '_>, &mut Vec<(String, String)>) + Send + Sync + 'static,
    ) -> &Self {
        self.with_app(|app| app.hooks.initial_headers.push(Box::new(add)))
    }

    /// Adds headers to every answer of the engine's. Source: the engine's event `headers`.
    pub fn headers(
        &self,
        add: impl Fn(&EngineRequest<'_, '_>, &mut Vec<(String, String)>) + Send + Sync + 'static,
    ) -> &Self {
        self.with_app(|app| app.hooks.headers.push(Box::new(add)))
    }

    /// Calls the function when a request of the engine's is refused: the request, the code that the client is told (0 transport, 1 session, 2 method,
    /// 3 bad request, 4 forbidden, 5 version), and the message. It runs within a turn and must not wait. Source: the engine's event
    /// `connection_error`.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().on_connection_error(|request, code, message| println!("{}: {code}, {message}", request.url()));
    /// ```
    pub fn on_connection_error(
        &self,
        see: impl Fn(&EngineRequest<'_, '_>, usize, &str) + Send + Sync + 'static,
    ) -> &Self {
        self.with_app(|app| app.hooks.refused.push(Box::new(see)))
    }

    /// Chooses the ids of Engine.IO's sessions: the letters that follow the first, which names the session's core. Up to 19 of
    /// base64url's (`A-Za-z0-9-_`) are taken; what is missing is filled up at random. An id with others, with more, or of a session that
    /// lives gives way to one of ours, counted as `ids_refused`. Whoever guesses a session's id can speak for it: leave enough to
    /// chance. Ids of sockets are not chosen, as in the reference. Source: `io.engine.generateId`.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().generate_id(|_request| "blue-".into());
    /// ```
    pub fn generate_id(
        &self,
        name: impl Fn(&EngineRequest<'_, '_>) -> String + Send + Sync + 'static,
    ) -> &Self {
        self.with_app(|app| app.hooks.name = Some(Box::new(name)))
    }

    /// Names the session in a cookie, on the answer that opens it. Source: `cookie`, default none.
    ///
    /// ```
    /// use socketville::{Cookie, Server};
    ///
    /// Server::builder().cookie(Cookie { name: "node".into(), ..Cookie::default() });
    /// ```
    pub fn cookie(&self, cookie: Cookie) -> &Self {
        self.with(|config| config.cookie = Some(cookie))
    }

    /// Bytes from which on answers to polls are compressed for clients that accept gzip or deflate; `None`: never.
    /// Source: `httpCompression.threshold`, default 1024. The same bytes for many are compressed once; what goes beyond 512 KiB of a turn of the loop, which would
    /// hold up everybody else, goes as it is (`polls_uncompressed_total`).
    pub fn http_compression(&self, threshold_bytes: Option<usize>) -> &Self {
        self.with(|config| config.http_compression = threshold_bytes)
    }

    /// What Socket.IO's packets look like; the clients of this server must be told the same. Source: `parser`, default JSON.
    ///
    /// With [`Parser::MsgPack`] what JSON cannot say is relayed as it came ([`Arguments`](crate::Arguments), [`Packet`](crate::Packet)): NaN, the infinities,
    /// `undefined`, dates. To handlers NaN is `f64::NAN` or `None`, `undefined` is `None` or no member, and a date is its text. What a handler emits is JSON: its
    /// NaN and infinities are null, its dates are what it writes.
    ///
    /// ```
    /// use socketville::{Parser, Server};
    ///
    /// // Clients: `io(url, { parser: require("socket.io-msgpack-parser") })`
    /// Server::builder().parser(Parser::MsgPack);
    /// ```
    pub fn parser(&self, parser: Parser) -> &Self {
        self.with(|config| config.parser = parser)
    }

    /// A message that every session gets right after its handshake. Source: `initialPacket`, default none.
    pub fn initial_packet(&self, packet: &str) -> &Self {
        self.with(|config| config.initial_packet = Some(packet.to_owned()))
    }

    /// Whether requests have a slash after the engine's path. Source: `addTrailingSlash`, default yes.
    pub fn add_trailing_slash(&self, add: bool) -> &Self {
        self.with(|config| config.adds_trailing_slash = add)
    }

    /// Whether a session that polls may go on over WebSocket. Source: `allowUpgrades`, default yes.
    pub fn allow_upgrades(&self, allow: bool) -> &Self {
        self.with(|config| config.allows_upgrades = allow)
    }

    /// Whether clients of Engine.IO 3 are served beside those of 4: socket.io-client 2.x, over polling, JSONP and WebSocket. They are in `/` without
    /// asking, their namespaces' queries are what others send as `auth`, and they never recover. Source: `allowEIO3`, default no.
    ///
    /// Two things to know of them. Their [`Socket::id`](crate::Socket::id) is what they take it to be, made of the session's, and so a secret: whoever
    /// knows it can speak as them. And their pages send credentials across origins, so [`Builder::cors`] needs
    /// [`Cors::with_credentials`](crate::Cors::with_credentials) for those.
    ///
    /// ```
    /// use socketville::{Server, Socket};
    ///
    /// let io = Server::builder();
    /// io.allow_eio3(true).on_connect(|socket: Socket| {
    ///     if socket.protocol() == 3 {
    ///         socket.emit("please", "update");
    ///     }
    /// });
    /// ```
    pub fn allow_eio3(&self, allow: bool) -> &Self {
        self.with(|config| config.allows_eio3 = allow)
    }

    /// Serves the client's files from a directory, the `dist` of an installed socket.io-client, under the engine's path: `/socket.io/socket.io.js`,
    /// its siblings and their maps, with ETag, 304 and content encodings. They are read, and compressed, when the server
    /// [listens](Builder::listen). Source: `serveClient`; default: none, as nobody's client comes with this crate.
    pub fn serve_client(&self, directory: impl Into<PathBuf>) -> &Self {
        self.with_app(|app| app.client_dir = Some(directory.into()))
    }
}
