//! A handle for any thread: emits, and asks all cores.
//!
//! Not bound to a core, and not a broadcast: its operators begin one.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use socketville_hub::NspId;

use crate::app::NamespaceApp;
use crate::error::QueryError;
use crate::metrics::CoreReport;
use crate::operator::{Broadcast, IntoRooms};
use crate::survey::survey;
use crate::town::Town;

/// A handle of a running server that any thread may use. Cheap to clone.
///
/// ```no_run
/// use socketville::Server;
///
/// let io = Server::builder();
/// let server = io.listen("127.0.0.1:3000")?;
/// let emitter = server.emitter();
/// std::thread::spawn(move || emitter.to("lobby").emit("tick", 1));
/// server.run()?;
/// # Ok::<(), socketville::Error>(())
/// ```
#[derive(Clone)]
pub struct Emitter {
    town: Arc<Town>,
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").field("cores", &self.cores()).finish_non_exhaustive()
    }
}

impl Emitter {
    pub(crate) const fn new(town: Arc<Town>) -> Self {
        Self { town }
    }

    pub(crate) const fn town(&self) -> &Arc<Town> {
        &self.town
    }

    /// Another namespace than `/`; a missing slash is added. Source: `io.of`.
    pub fn of<'a>(&'a self, namespace: &'a str) -> Broadcast<'a> {
        let (nsp, name) = self.find(namespace);
        Broadcast::named(&self.town, nsp, name)
    }

    fn find<'a>(&'a self, namespace: &'a str) -> (Option<NspId>, &'a str) {
        fn bare(name: &str) -> &str {
            name.strip_prefix('/').unwrap_or(name)
        }
        let mut namespaces = self.town.app.namespaces.iter().enumerate();
        let is_it = |known: &NamespaceApp| known.rule.is_none() && bare(&known.name) == bare(namespace);
        match namespaces.find(|(_, known)| is_it(known)) {
            Some((index, known)) => (Some(NspId::first(index as u16)), &known.name),
            None => (self.town.child(namespace), namespace),
        }
    }

    /// To all in a room of `/`. Source: `io.to`.
    pub fn to<'a>(&'a self, rooms: impl IntoRooms<'a>) -> Broadcast<'a> {
        self.of("/").to(rooms)
    }

    /// To all in `/` but those in a room. Source: `io.except`.
    pub fn except<'a>(&'a self, rooms: impl IntoRooms<'a>) -> Broadcast<'a> {
        self.of("/").except(rooms)
    }

    /// To all in `/`. Source: `io.emit`.
    pub fn emit(&self, event: &str, args: impl Serialize) {
        self.of("/").emit(event, args);
    }

    /// The number of cores.
    pub fn cores(&self) -> usize {
        self.town.mailboxes.len()
    }

    /// What every core has done and holds, in their order. A core that has ended, or has not answered within
    /// [`QUERY_TIMEOUT`](crate::limits::QUERY_TIMEOUT), is missing.
    pub async fn reports(&self) -> Vec<CoreReport> {
        let mut reports = survey(&self.town, |core| core.report()).await.all;
        reports.sort_by_key(|report| report.core);
        reports
    }

    /// The rooms of a namespace with their sizes on this machine, largest first, at most `rooms_max`.
    ///
    /// # Errors
    /// A core that has not answered within [`QUERY_TIMEOUT`](crate::limits::QUERY_TIMEOUT), since it stands still; what the others have is in the error.
    pub async fn rooms(
        &self,
        namespace: &str,
        rooms_max: usize,
    ) -> Result<Vec<(String, usize)>, QueryError<Vec<(String, usize)>>> {
        let Some(nsp) = self.find(namespace).0 else { return Ok(Vec::new()) };
        let lists = survey(&self.town, move |core| {
            core.hub().rooms(nsp).map(|(name, len)| (name.to_owned(), len)).collect::<Vec<_>>()
        });
        lists.await.found(self.cores(), |lists| {
            let mut sums = std::collections::HashMap::new();
            for (name, len) in lists.into_iter().flatten() {
                *sums.entry(name).or_insert(0) += len;
            }
            let mut rooms: Vec<_> = sums.into_iter().collect();
            rooms.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            rooms.truncate(rooms_max);
            rooms
        })
    }

    /// The sockets of a room on this machine.
    ///
    /// # Errors
    /// A core that has not answered within [`QUERY_TIMEOUT`](crate::limits::QUERY_TIMEOUT), since it stands still; what the others have is in the error.
    pub async fn room_len(&self, namespace: &str, room: &str) -> Result<usize, QueryError<usize>> {
        let Some(nsp) = self.find(namespace).0 else { return Ok(0) };
        let room = room.to_owned();
        let lens = survey(&self.town, move |core| core.hub().room_len(nsp, &room)).await;
        lens.found(self.cores(), |lens| lens.into_iter().sum())
    }

    /// The sockets of a namespace on this machine.
    ///
    /// # Errors
    /// A core that has not answered within [`QUERY_TIMEOUT`](crate::limits::QUERY_TIMEOUT), since it stands still; what the others have is in the error.
    pub async fn namespace_len(&self, namespace: &str) -> Result<usize, QueryError<usize>> {
        let Some(nsp) = self.find(namespace).0 else { return Ok(0) };
        let lens = survey(&self.town, move |core| core.hub().namespace_len(nsp)).await;
        lens.found(self.cores(), |lens| lens.into_iter().sum())
    }

    /// Whether the server takes new clients: it runs, and is not being stopped. What a load balancer asks for.
    pub fn is_ready(&self) -> bool {
        self.town.is_ready()
    }

    /// Ends the server. From now on nobody is accepted; clients are told, and have the [drain window](crate::Builder::drain_window) to take what
    /// is due to them; then [`Server::run`](crate::Server::run) returns. Called again, it changes nothing.
    pub fn stop(&self) {
        self.town.stop();
    }
}
