//! Putting a server together: options, namespaces, handlers, routes. The order does not matter.
//!
//! Not running it: [`Builder::listen`] gives a [`Server`].

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::net::ToSocketAddrs;
use std::time::Duration;

use socketville_hub::Config;
use socketville_proto::http::Method;
use socketville_sys::{PortUse, Preference};

use crate::admission::{Refusal, boxed_admission};
use crate::app::{App, NamespaceApp};
use crate::error::{Error, Result};
use crate::events::Reaction;
use crate::handler::{Handler, boxed};
use crate::hooks::EngineRequest;
use crate::http::{HttpRequest, HttpResponse, Route};
use crate::server::Server;
use crate::{BarePeer, Cors, Deflate, Emitter, Message, Packet, Pinning, Socket, Transports};

/// A server being put together. Options have the reference's names and defaults.
///
/// Once [`Builder::listen`] has made a server of it, its methods panic: what they change would reach nobody.
pub struct Builder {
    /// `None` once a server has it.
    app: RefCell<Option<App>>,
    start: RefCell<Start>,
}

/// How to run, apart from what to run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Start {
    pub(crate) cores: Option<usize>,
    pub(crate) driver: Preference,
    pub(crate) pinning: Pinning,
    pub(crate) port_use: PortUse,
    /// Bytes of the kernel's send buffer of a connection; 0 is the kernel's own choice.
    pub(crate) send_buffer_bytes: usize,
}

/// A namespace being put together.
pub struct Namespace<'a> {
    builder: &'a Builder,
    index: usize,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let builder = Self { app: RefCell::new(Some(App::default())), start: RefCell::default() };
        builder.of("/");
        builder
    }

    /// A namespace; made if it is new. A missing slash is added. Source: `io.of`.
    pub fn of(&self, name: &str) -> Namespace<'_> {
        let name = if name.starts_with('/') { name.to_owned() } else { format!("/{name}") };
        let namespaces = &mut self.app().namespaces;
        let is_it = |namespace: &NamespaceApp| namespace.rule.is_none() && namespace.name == name;
        let index = namespaces.iter().position(is_it).unwrap_or_else(|| {
            namespaces.push(NamespaceApp { name, ..NamespaceApp::default() });
            namespaces.len() - 1
        });
        Namespace { builder: self, index }
    }

    pub(crate) fn add_namespace(&self, namespace: NamespaceApp) -> Namespace<'_> {
        let namespaces = &mut self.app().namespaces;
        namespaces.push(namespace);
        Namespace { builder: self, index: namespaces.len() - 1 }
    }

    /// A handler of new clients of `/`; see [`Namespace::on_connect`].
    pub fn on_connect<M>(&self, handler: impl Handler<M>) -> Namespace<'_> {
        self.of("/").on_connect(handler)
    }

    /// A handler of an event in `/`; see [`Namespace::on`].
    pub fn on<M>(&self, event: &str, handler: impl Handler<M>) -> Namespace<'_> {
        self.of("/").on(event, handler)
    }

    /// Answers HTTP requests to an exact path outside the engine's. `HEAD` is answered by `GET`'s handler.
    ///
    /// ```
    /// use socketville::{HttpRequest, HttpResponse, Method, Server};
    ///
    /// Server::builder().route(Method::Get, "/healthz", async |_request: HttpRequest| HttpResponse::text(200, "ok\n"));
    /// ```
    pub fn route<F, Fut>(&self, method: Method, path: &str, handler: F) -> &Self
    where
        F: Fn(HttpRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = HttpResponse> + 'static,
    {
        self.app().routes.push(Route::new(method, path, handler));
        self
    }

    /// As [`Builder::route`], where the head of each request is judged before its body is read: a request without a key costs nothing but its
    /// head, and is not told `100 Continue`. The guard runs within the turn and must not wait; the answer that it returns closes the
    /// connection.
    ///
    /// ```
    /// use socketville::{EngineRequest, HttpRequest, HttpResponse, Method, Server};
    ///
    /// let guard = |head: &EngineRequest<'_, '_>| match head.header("authorization") {
    ///     Some("Bearer secret") => Ok(()),
    ///     _ => Err(HttpResponse::text(401, "a key is needed\n")),
    /// };
    /// Server::builder().guarded_route(Method::Post, "/upload", guard, async |request: HttpRequest| {
    ///     HttpResponse::text(200, format!("{} bytes\n", request.body().len()))
    /// });
    /// ```
    pub fn guarded_route<F, Fut>(
        &self,
        method: Method,
        path: &str,
        guard: impl Fn(&EngineRequest<'_, '_>) -> std::result::Result<(), HttpResponse> + Send + Sync + 'static,
        handler: F,
    ) -> &Self
    where
        F: Fn(HttpRequest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = HttpResponse> + 'static,
    {
        self.app().routes.push(Route::new(method, path, handler).guarded(Box::new(guard)));
        self
    }

    /// Calls this once, when all cores listen, on the first core's thread. A panic is logged and counted, and the server goes on.
    pub fn on_start(&self, start: impl Fn(Emitter) + Send + Sync + 'static) -> &Self {
        self.app().on_start.push(Box::new(start));
        self
    }

    /// The engine's path. Source: `path`, default `/socket.io/`.
    pub fn path(&self, path: &str) -> &Self {
        let path = format!("/{}/", path.trim_matches('/'));
        self.with(|config| config.path = if path == "//" { "/".into() } else { path })
    }

    /// Serves bare Engine.IO under a path of its own; one function sees every message.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().engine("/engine.io/", |peer, message| peer.send(message));
    /// ```
    pub fn engine(
        &self,
        path: &str,
        see: impl Fn(&BarePeer<'_>, Message<'_>) + Send + Sync + 'static,
    ) -> &Self {
        self.app().on_engine_message = Some(Box::new(see));
        let path = format!("/{}/", path.trim_matches('/'));
        self.with(|config| config.engine_paths.push(path))
    }

    /// Serves bare WebSockets at a path; one function sees every message, of up to 64 MiB.
    pub fn websocket(
        &self,
        path: &str,
        see: impl Fn(&BarePeer<'_>, Message<'_>) + Send + Sync + 'static,
    ) -> &Self {
        self.app().on_websocket_message = Some(Box::new(see));
        let path = path.to_owned();
        self.with(|config| config.websocket_paths.push(path))
    }

    /// Time between a pong and the next ping, 12 days at the most: with the time-out it is a browser's longest timer. Source: `pingInterval`,
    /// default 25 s.
    pub fn ping_interval(&self, interval: Duration) -> &Self {
        self.with(|config| config.ping_interval = interval.into())
    }

    /// Time that a pong may take, 12 days at the most. Source: `pingTimeout`, default 20 s.
    pub fn ping_timeout(&self, timeout: Duration) -> &Self {
        self.with(|config| config.ping_timeout = timeout.into())
    }

    /// Time that an upgrade may take, 12 days at the most. Source: `upgradeTimeout`, default 10 s.
    pub fn upgrade_timeout(&self, timeout: Duration) -> &Self {
        self.with(|config| config.upgrade_timeout = timeout.into())
    }

    /// Time until a client must have joined a namespace, 12 days at the most. Source: `connectTimeout`, default 45 s.
    pub fn connect_timeout(&self, timeout: Duration) -> &Self {
        self.with(|config| config.connect_timeout = timeout.into())
    }

    /// Bytes of a message or request body from a client. Source: `maxHttpBufferSize`, default 1 000 000.
    pub fn max_http_buffer_size(&self, bytes: usize) -> &Self {
        self.with(|config| config.message_bytes_max = bytes)
    }

    /// Compresses messages to clients that ask for it, each broadcast once for all of them. Source: `perMessageDeflate`, default off.
    ///
    /// ```
    /// use socketville::{Deflate, Server};
    ///
    /// Server::builder().per_message_deflate(Deflate { threshold_bytes: 2048, ..Deflate::default() });
    /// ```
    pub fn per_message_deflate(&self, deflate: Deflate) -> &Self {
        self.with(|config| config.per_message_deflate = Some(deflate))
    }

    /// The same on bare WebSockets; default off.
    pub fn websocket_deflate(&self, deflate: Deflate) -> &Self {
        self.with(|config| config.websocket_deflate = Some(deflate))
    }

    /// The transports that may be opened. Source: `transports`, default both.
    pub fn transports(&self, transports: Transports) -> &Self {
        self.with(|config| config.transports = transports)
    }

    /// Cross-origin requests: headers for browsers, and a check of handshakes, WebSockets included, if origins are listed.
    /// Source: `cors`, default off.
    ///
    /// ```
    /// use socketville::{Cors, Server};
    ///
    /// let origins = Cors::these(["https://example.com", "https://*.example.org"])?;
    /// Server::builder().cors(origins.with_credentials());
    /// # Ok::<(), socketville::OriginError>(())
    /// ```
    pub fn cors(&self, cors: Cors) -> &Self {
        self.with(|config| config.cors = cors)
    }

    /// Cores to run on, one pinned thread each; default: all that this process may use, and no more than a quota of its control group
    /// (cgroup v1 or v2) leaves whole.
    pub fn cores(&self, cores: usize) -> &Self {
        self.with_start(|start| start.cores = Some(cores))
    }

    /// io_uring, epoll, or whichever the kernel allows (the default).
    pub fn driver(&self, driver: Preference) -> &Self {
        self.with_start(|start| start.driver = driver)
    }

    /// How long clients have to take what is due to them, and lies in backlogs, when the server is stopped ([`Emitter::stop`]); default 10 s.
    /// The server ends as soon as all have what is theirs; those who have not by then are cut, and counted in the last line of the log. Zero
    /// waits for nobody; more than 12 days is taken for that.
    ///
    /// A handler that blocks its core holds the end up for as long as it does, since a thread cannot be ended: a second after the window a line of
    /// the log says which cores are waited for. A program that must end by then ends itself, as `socketville serve` does.
    pub fn drain_window(&self, window: Duration) -> &Self {
        self.with_app(|app| app.drain_window = Some(window.into()))
    }

    /// To which cores of the machine the threads are pinned; default: [`Pinning::Auto`].
    pub fn pinning(&self, pinning: Pinning) -> &Self {
        self.with_start(|start| start.pinning = pinning)
    }

    /// Whether the address may be shared with other servers of the same user (`SO_REUSEPORT`); default no: then one that is in use is an
    /// error. The kernel deals connections out among all of them, and a session is known to one: it is for servers behind which clients find
    /// theirs, and for those that follow each other. All who share must say so.
    pub fn reuse_port(&self, reuse: bool) -> &Self {
        self.with_start(|start| start.port_use = if reuse { PortUse::Shared } else { PortUse::Alone })
    }

    /// Binds the address on every core, and makes a server of what was put together. Port 0 is any free one: see [`Server::local_addr`].
    ///
    /// # Errors
    /// An address that cannot be read or listened on, one that is in use included; a driver that cannot be had; a number of cores out of range.
    /// Then nothing is lost, and it may be tried again. [`Error::Listening`] if a server was made already.
    pub fn listen(&self, address: &str) -> Result<Server> {
        let found = address.to_socket_addrs().ok().and_then(|mut found| found.next());
        let socket_address = found.ok_or_else(|| Error::Address(address.to_owned()))?;
        Server::bind(&self.app, *self.start.borrow(), socket_address)
    }

    /// The application alone, for a loop that is not a thread.
    pub(crate) fn into_app(self) -> App {
        self.app.into_inner().unwrap_or_default()
    }

    fn app(&self) -> RefMut<'_, App> {
        let app = self.app.borrow_mut();
        RefMut::map(app, |app| app.as_mut().expect("what was put together is a server already"))
    }

    pub(crate) fn with(&self, change: impl FnOnce(&mut Config)) -> &Self {
        change(&mut self.app().config);
        self
    }

    pub(crate) fn with_start(&self, change: impl FnOnce(&mut Start)) -> &Self {
        change(&mut self.start.borrow_mut());
        self
    }

    pub(crate) fn with_app(&self, change: impl FnOnce(&mut App)) -> &Self {
        change(&mut self.app());
        self
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("start", &self.start).finish_non_exhaustive()
    }
}

impl fmt::Debug for Namespace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Namespace<'_> {
    /// Calls the handler for each client that joins. Its typed argument, if it has one, is the handshake's `auth`. Source: `connection`.
    ///
    /// ```
    /// use serde::Deserialize;
    /// use socketville::{Server, Socket};
    ///
    /// #[derive(Deserialize)]
    /// struct Auth { room: Option<String> }
    ///
    /// Server::builder().on_connect(|socket: Socket, auth: Auth| socket.join(auth.room.as_deref().unwrap_or("lobby")));
    /// ```
    pub fn on_connect<M>(self, handler: impl Handler<M>) -> Self {
        self.with(|namespace| namespace.on_connect.push(boxed(handler)))
    }

    /// Calls the handler for each event of this name: typed arguments in order, `Socket` and `Ack` anywhere. The last handler of a
    /// name replaces the others. Source: `socket.on`.
    pub fn on<M>(self, event: &str, handler: impl Handler<M>) -> Self {
        self.with(|namespace| namespace.events.insert(event, Reaction::Handler(boxed(handler))))
    }

    /// Calls the function for each event of this name with the event as it lies in the input: for handlers that relay. Nothing is parsed or
    /// copied before they ask. It replaces a handler of the same name, and the other way round.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().of("/board").on_packet("draw", |socket, packet| {
    ///     socket.to("artists").emit("drawn", packet.arguments());
    ///     packet.take_ack().send(true);
    /// });
    /// ```
    pub fn on_packet(
        self,
        event: &str,
        relay: impl Fn(&Socket, &mut Packet<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.with(|namespace| namespace.events.insert(event, Reaction::Relay(Box::new(relay))))
    }

    /// Calls the function for every event: socket, name, and the packet's JSON array. Source: `socket.onAny`.
    pub fn on_any(self, see: impl Fn(&Socket, &str, &str) + Send + Sync + 'static) -> Self {
        self.with(|namespace| namespace.on_any.push(Box::new(see)))
    }

    /// Decides on every client before it is let in; the next one is asked only if this one agrees. It may await anything. What it emits to the client
    /// is heard once that is in, up to 64 KiB; of broadcasts the client hears nothing before. Source: `io.use`.
    ///
    /// ```
    /// use socketville::{Refusal, Server, Socket};
    ///
    /// Server::builder().of("/admin").use_middleware(async |socket: Socket| {
    ///     match socket.handshake().auth::<serde_json::Value>() {
    ///         Ok(auth) if auth["token"] == "secret" => Ok(()),
    ///         _ => Err(Refusal::from("not authorized")),
    ///     }
    /// });
    /// ```
    pub fn use_middleware<F>(self, middleware: F) -> Self
    where
        F: AsyncFn(Socket) -> std::result::Result<(), Refusal> + Send + Sync + 'static,
    {
        self.with(|namespace| namespace.middlewares.push(boxed_admission(middleware)))
    }

    /// Looks at every event before its handler: it may change name and arguments, or refuse the event with a message, which goes to
    /// [`Namespace::on_error`]. It runs within a turn and must not wait. Functions of [`Namespace::on_any`] have seen the event as it came.
    /// Source: `socket.use`.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().of("/").use_packet(|socket, packet| {
    ///     match packet.event() {
    ///         "kick" if !socket.is_in("moderators") => return Err("for moderators only".into()),
    ///         "msg" => packet.set_event("message"),
    ///         _ => {}
    ///     }
    ///     Ok(())
    /// });
    /// ```
    pub fn use_packet(
        self,
        see: impl Fn(&Socket, &mut Packet<'_>) -> std::result::Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.with(|namespace| namespace.packet_middlewares.push(Box::new(see)))
    }

    /// Calls the handler when a packet middleware refuses an event; its argument is the message. Source: the `error` event.
    pub fn on_error<M>(self, handler: impl Handler<M>) -> Self {
        self.with(|namespace| namespace.on_error.push(boxed(handler)))
    }

    /// Calls the handler when a client is about to leave and is still in its rooms; its argument is the reason. Source: `disconnecting`.
    pub fn on_disconnecting<M>(self, handler: impl Handler<M>) -> Self {
        self.with(|namespace| namespace.on_disconnecting.push(boxed(handler)))
    }

    /// Calls the handler when a client has left; its argument is the reason. Source: `disconnect`.
    ///
    /// ```
    /// use socketville::{Server, Socket};
    ///
    /// Server::builder().of("/").on_disconnect(|socket: Socket, reason: String| println!("{} left: {reason}", socket.id()));
    /// ```
    pub fn on_disconnect<M>(self, handler: impl Handler<M>) -> Self {
        self.with(|namespace| namespace.on_disconnect.push(boxed(handler)))
    }

    pub(crate) fn with(self, change: impl FnOnce(&mut NamespaceApp)) -> Self {
        change(&mut self.builder.app().namespaces[self.index]);
        self
    }
}
