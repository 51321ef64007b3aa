//! `socketville serve`: the parts put together and run.
//!
//! Not the parts: events of clients, the door for backends, pages and figures have files of their own.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use socketville::{Builder, HttpRequest, Method, Server};

use crate::announcement::Announcement;
use crate::events::{self, Speech};
use crate::key::ApiKey;
use crate::options::Options;
use crate::output::Output;
use crate::publish::Door;
use crate::town::{self, Constants};
use crate::{memory, pages, signals};

/// Serves until a signal or a failure ends it.
///
/// # Errors
/// An address that cannot be listened on, a driver that cannot be had, a core that failed.
pub(crate) fn run(options: &Options, output: &Output) -> anyhow::Result<()> {
    let new_key = match options.api_key {
        Some(_) => None,
        None => Some(ApiKey::generate().context("no key from the operating system")?),
    };
    let io = Server::builder();
    io.driver(options.driver.into()).cors(options.cors()).allow_eio3(options.allow_eio3);
    io.reuse_port(options.reuse_port).pinning(options.pin.into()).drain_window(options.drain_window);
    options.limits.apply(&io);
    if let Some(directory) = &options.client_dir {
        io.serve_client(directory);
    }
    if let Some(cores) = options.cores {
        io.cores(cores.into());
    }
    let speech = if options.demo { Speech::Free } else { Speech::Backends };
    for namespace in options.all_namespaces() {
        let namespace =
            io.of(&namespace).flush_interval(Duration::from_millis(options.flush_interval_ms.into()));
        events::serve(namespace, speech);
    }
    if let Some(key) = options.api_key.clone().or_else(|| new_key.clone()) {
        serve_backends(&io, Door { key, namespaces: options.all_namespaces() });
    }
    pages::serve_figures(&io);
    if options.demo {
        pages::serve_town(&io)
    } else {
        pages::serve_doors(&io)
    }
    let opening = open_on_start(&io, output, options.drain_window);
    let server = io.listen(&options.listen)?;
    let _ = opening.set(Opening::new(&server, options, new_key));
    Ok(server.run()?)
}

fn serve_backends(io: &Builder, door: Door) {
    let door = Arc::new(door);
    let guard = Arc::clone(&door);
    io.guarded_route(
        Method::Post,
        "/api/publish",
        move |head| guard.admit(head.header("authorization")),
        move |request: HttpRequest| {
            let door = Arc::clone(&door);
            async move { door.answer(&request).await }
        },
    );
}

/// What is done when the server runs, and is known only when it listens.
struct Opening {
    announcement: Announcement,
    /// For the demo.
    town: Option<Constants>,
}

impl Opening {
    fn new(server: &Server, options: &Options, new_key: Option<ApiKey>) -> Self {
        let namespaces = options.all_namespaces();
        let town = Constants { namespaces: namespaces.clone(), driver: server.driver_name() };
        let announcement = Announcement {
            address: server.local_addr(),
            namespaces,
            new_key,
            has_page: options.demo,
            cores: server.cores(),
            driver: server.driver().to_owned(),
        };
        Self { announcement, town: options.demo.then_some(town) }
    }
}

/// Signals are listened to before anybody is told that the server is there.
fn open_on_start(io: &Builder, output: &Output, drain_window: Duration) -> Arc<OnceLock<Opening>> {
    let opening = Arc::new(OnceLock::<Opening>::new());
    let (set, output) = (Arc::clone(&opening), output.clone());
    io.on_start(move |emitter| {
        memory::give_back();
        if let Err(error) = signals::stop_on_signal(emitter.clone(), output.clone(), drain_window) {
            tracing::error!(%error, "signals will end the server without a word to its clients");
        }
        let Some(Opening { announcement, town }) = opening.get() else { return };
        output.print(&announcement.to_string());
        if let Some(constants) = town {
            socketville::spawn(town::tell(emitter, constants.clone()));
        }
    });
    set
}
