//! What other servers say, said here: to the clients of all cores, and to nobody's adapter again.
//!
//! Not trusted: whatever comes is checked as if a client had sent it, and what is malformed is refused and touches nothing.

use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Weak};

use socketville_hub::NspId;
use socketville_proto::sio::{self, Parser};

use crate::adapter::{ClusterMessage, Content, EventPayload};
use crate::arguments::Arguments;
use crate::binary::Attachments;
use crate::builder::Namespace;
use crate::core::Core;
use crate::emitter::Emitter;
use crate::error::EmitError;
use crate::mailbox::Letter;
use crate::operator::Broadcast;
use crate::town::Town;

/// An adapter's way into its server. Cheap to clone, for any thread; it does not keep the server.
#[derive(Clone)]
pub struct Relay {
    town: Weak<Town>,
}

/// Why something that another server said was not said here.
#[derive(Debug)]
#[non_exhaustive]
pub enum RelayError {
    /// The server has ended.
    Gone,
    /// The event is none that a client could send: not an array, no name, a placeholder without an attachment.
    Malformed(String),
    /// It could not be emitted: no such namespace here, a full mailbox.
    Emit(EmitError),
}

impl fmt::Display for RelayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("the server has ended"),
            Self::Malformed(why) => write!(f, "no event: {why}"),
            Self::Emit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RelayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Emit(error) => Some(error),
            Self::Gone | Self::Malformed(_) => None,
        }
    }
}

impl From<EmitError> for RelayError {
    fn from(error: EmitError) -> Self {
        Self::Emit(error)
    }
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

impl Relay {
    pub(crate) fn new(town: &Arc<Town>) -> Self {
        Self { town: Arc::downgrade(town) }
    }

    /// Says here what another server said. What one thread delivers takes effect in the order of its calls.
    ///
    /// # Errors
    /// [`RelayError`]; nothing has happened then.
    pub fn deliver(&self, message: &ClusterMessage) -> Result<(), RelayError> {
        let town = self.town.upgrade().ok_or(RelayError::Gone)?;
        let emitter = Emitter::new(Arc::clone(&town));
        let mut to = emitter.of(&message.nsp).local().except(message.except.as_slice());
        let nsp = to.known()?;
        if !message.rooms.is_empty() {
            to = to.to(message.rooms.as_slice());
        }
        match &message.content {
            Content::Event { payload, volatile, compress } => {
                let to = if *volatile { to.volatile() } else { to };
                emit(to.compress(*compress), payload)?;
            }
            Content::Join(rooms) => to.sockets_join(rooms.as_slice()),
            Content::Leave(rooms) => to.sockets_leave(rooms.as_slice()),
            Content::Disconnect { close } => to.disconnect_sockets(*close),
            Content::ServerSide(payload) => hear(&town, nsp, payload)?,
        }
        Ok(())
    }
}

fn emit(to: Broadcast<'_>, payload: &EventPayload) -> Result<(), RelayError> {
    let (event, arguments) = read(payload, to.parser())?;
    Ok(to.try_emit(&event, arguments)?)
}

/// An event to servers is the first core's.
fn hear(town: &Arc<Town>, nsp: NspId, payload: &EventPayload) -> Result<(), RelayError> {
    let (event, arguments) = read(payload, town.app.config.parser)?;
    let order = move |core: &Rc<Core>| core.hear(nsp, &event, &arguments);
    Ok(town.post_to_first(Letter::Order(Arc::new(order), payload.held_bytes()))?)
}

/// The name and the arguments of an event that a client could have sent.
fn read(payload: &EventPayload, parser: Parser) -> Result<(String, Arguments), RelayError> {
    let args = sio::check_event(&payload.array, payload.attachments.len())
        .map_err(|error| RelayError::Malformed(error.to_string()))?;
    let event = args.event_name().unwrap_or_default().into_owned();
    Ok((event, Arguments::new(args.iter().skip(1), Attachments::new(payload.attachments.clone(), parser))))
}

/// Hears what another server tells servers.
pub(crate) type BoxedServerSide = Box<dyn Fn(&Emitter, Arguments) + Send + Sync>;

impl Namespace<'_> {
    /// Calls the function when another server of the cluster [tells servers](Broadcast::server_side_emit) this event; on the first core, within
    /// a turn. Source: `io.on(event, ..)` for events of `serverSideEmit`.
    ///
    /// ```
    /// use socketville::Server;
    ///
    /// Server::builder().of("/").on_server_side("reload", |io, _arguments| io.emit("reloading", ()));
    /// ```
    pub fn on_server_side(
        self,
        event: &str,
        hear: impl Fn(&Emitter, Arguments) + Send + Sync + 'static,
    ) -> Self {
        self.with(|namespace| {
            namespace.server_side.insert(event.to_owned(), Box::new(hear));
        })
    }
}

impl Core {
    fn hear(self: &Rc<Self>, nsp: NspId, event: &str, arguments: &Arguments) {
        let Some(hear) = self.namespace(nsp).and_then(|namespace| namespace.server_side.get(event)) else {
            return;
        };
        let emitter = Emitter::new(Arc::clone(&self.town));
        let _ = self.call_out("a handler of an event to servers", || hear(&emitter, arguments.clone()));
    }
}
