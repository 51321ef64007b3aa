//! A `tower` service for everything that is not the engine's: an axum application and the engine on one port.
//!
//! Not a proxy: the connection itself leaves the engine, after the head of its first request and with its bytes, and hyper reads it on the
//! server's tokio thread. It carries one exchange there and closes, for the next request on it might have been the engine's again; a WebSocket
//! or another upgrade that the service accepts stays. Requests of Engine.IO, of bare WebSockets and of
//! [routes](crate::Builder::route) never pass here and cost nothing more.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tower_service::Service;

use crate::Server;
use crate::limits::MOUNTED_MAX;
use crate::rarely::rarely;

/// What `Body` and `Service` ask of their errors.
type AnyError = Box<dyn StdError + Send + Sync>;

impl Server {
    /// Has a `tower` service answer every request that is neither the engine's nor a [route](crate::Builder::route)'s. Feature `tower`.
    ///
    /// The service runs on the server's tokio thread, not on a core: it may not touch sockets, and speaks to them with an
    /// [`Emitter`](crate::Emitter). Up to [`MOUNTED_MAX`](crate::limits::MOUNTED_MAX) connections are with it at a time; more are closed, and
    /// logged. Source: attaching the reference to an HTTP server of one's own, `new Server(httpServer)`.
    ///
    /// ```
    /// use axum::extract::State;
    /// use axum::routing::{get, post};
    /// use socketville::{Emitter, Server, Socket};
    ///
    /// async fn announce(State(emitter): State<Emitter>, text: String) {
    ///     emitter.emit("announcement", text);
    /// }
    ///
    /// let io = Server::builder();
    /// io.on("say", |socket: Socket, text: String| socket.broadcast().emit("said", text));
    /// let server = io.listen("127.0.0.1:0")?;
    /// let app = axum::Router::new()
    ///     .route("/", get(async || "hello"))
    ///     .route("/announce", post(announce))
    ///     .with_state(server.emitter());
    /// let server = server.mount(app); // then server.run()
    /// # Ok::<(), socketville::Error>(())
    /// ```
    #[must_use]
    pub fn mount<S, B>(mut self, service: S) -> Self
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<AnyError>,
    {
        let served = Arc::new(AtomicUsize::new(0));
        self.elsewhere = Some(Arc::new(move |runtime, file, head| match Place::take(&served) {
            Some(place) => {
                runtime.spawn(serve(service.clone(), file, head, place));
            }
            None => rarely!(warn, "{MOUNTED_MAX} connections are with the mounted service; one was closed"),
        }));
        self
    }
}

/// Answers the request whose bytes were read already, and what an upgrade makes of the connection.
async fn serve<S, B>(service: S, file: OwnedFd, head: Vec<u8>, _place: Place)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<AnyError>,
{
    let stream = match Rewound::new(file, head) {
        Ok(stream) => TokioIo::new(stream),
        Err(error) => {
            return rarely!(warn, %error, "a connection was lost on its way to the mounted service");
        }
    };
    let service = TowerToHyperService::new(service);
    let mut http = http1::Builder::new();
    let connection = http.keep_alive(false).timer(TokioTimer::new()).serve_connection(stream, service);
    if let Err(error) = connection.with_upgrades().await {
        tracing::debug!(%error, "an exchange with the mounted service did not end well");
    }
}

/// One of the connections that may be with the service.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(served: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(served));
        (served.fetch_add(1, Ordering::Relaxed) < MOUNTED_MAX).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection whose first bytes were read before.
struct Rewound {
    head: Vec<u8>,
    at: usize,
    stream: tokio::net::TcpStream,
}

impl Rewound {
    fn new(file: OwnedFd, head: Vec<u8>) -> io::Result<Self> {
        let stream = TcpStream::from(file);
        stream.set_nonblocking(true)?;
        Ok(Self { head, at: 0, stream: tokio::net::TcpStream::from_std(stream)? })
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = self.head.get(self.at..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let len = rest.len().min(into.remaining());
        into.put_slice(&rest[..len]);
        self.at += len;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
