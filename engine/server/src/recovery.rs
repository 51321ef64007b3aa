//! Connection state recovery: a client that lost its transport comes back as the socket it was, with all that it missed.
//!
//! Not the history, which is the hub's: here the cores ask one another. The socket may have lived on any core, and its client may come back on any;
//! what it missed is then replayed from the history of the core it comes to, which has seen the same events.

use std::rc::Rc;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use socketville_hub::{Id, NspId, Returning, SocketKey};

use crate::admission::Admitting;
use crate::builder::Builder;
use crate::calls::Keep;
use crate::core::Core;
use crate::extract::read_text;
use crate::held::Auth;
use crate::shares::Over;
use crate::socket::Socket;
use crate::survey::survey;

/// How lost clients come back. Source: `connectionStateRecovery`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How long a client may be away, 12 days at the most. Source: `maxDisconnectionDuration`, default 2 minutes.
    pub max_disconnection: Duration,
    /// Whether a client that comes back passes no middleware. Source: `skipMiddlewares`, default yes.
    pub skip_middlewares: bool,
    /// Events that each core keeps at most, whatever their age; default 262 144.
    pub packets_max: usize,
    /// Bytes of events that each core keeps at most; default 64 MiB.
    pub bytes_max: usize,
}

impl Default for Recovery {
    fn default() -> Self {
        let hub = socketville_hub::Recovery::default();
        Self {
            max_disconnection: hub.max_disconnection.into(),
            skip_middlewares: hub.skip_middlewares,
            packets_max: hub.packets_max,
            bytes_max: hub.bytes_max,
        }
    }
}

impl Recovery {
    pub(crate) fn for_hub(&self) -> socketville_hub::Recovery {
        socketville_hub::Recovery {
            max_disconnection: self.max_disconnection.into(),
            skip_middlewares: self.skip_middlewares,
            packets_max: self.packets_max,
            bytes_max: self.bytes_max,
        }
    }
}

impl Builder {
    /// Lets clients that lost their transport come back with their id, rooms, data and all events they missed, once and in order; or, if something
    /// for them is gone, certainly as new. Events then carry one argument more,
    /// their place, which handlers of the official clients see last. Source:
    /// `connectionStateRecovery`, default off.
    ///
    /// ```
    /// use std::time::Duration;
    /// use socketville::{Recovery, Server, Socket};
    ///
    /// let io = Server::builder();
    /// io.connection_state_recovery(Recovery { max_disconnection: Duration::from_secs(30), ..Recovery::default() });
    /// io.on_connect(|socket: Socket| {
    ///     if !socket.is_recovered() {
    ///         socket.emit("snapshot", "everything");
    ///     }
    /// });
    /// ```
    pub fn connection_state_recovery(&self, recovery: Recovery) -> &Self {
        self.with_app(|app| app.recovery = Some(recovery))
    }
}

/// A lost socket on its way back, with what the application kept with it.
struct Lost {
    returning: Returning,
    data: Option<Keep>,
}

/// What a client says that it was.
#[derive(Deserialize)]
pub(crate) struct Claim {
    pid: String,
    /// Absent if nothing has come yet.
    #[serde(default, deserialize_with = "present")]
    offset: Option<Value>,
}

/// Also a null is there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Claim {
    /// The offset as text; what is none is unreadable text.
    fn offset(&self) -> Option<&str> {
        self.offset.as_ref().map(|offset| offset.as_str().unwrap_or_default())
    }
}

impl Core {
    /// The claim in the object of CONNECT, if there is one and anyone would hear it.
    pub(crate) fn claim(&self, auth: Option<&str>) -> Option<Claim> {
        self.town.app.recovery.as_ref()?;
        read_text(auth?).ok()
    }

    /// Asks all cores for the socket that a client says it was; meanwhile it waits.
    pub(crate) fn look_for(
        self: &Rc<Self>,
        key: SocketKey,
        id: Id,
        nsp: NspId,
        auth: Option<Rc<Auth>>,
        claim: Claim,
    ) {
        let core = Rc::clone(self);
        let mut admitting = Admitting::new(self, key);
        let task = async move {
            admitting.begin();
            let _place = core.socket_place(key, Over::auth(auth.as_deref()));
            let look = move |core: &Rc<Self>| core.take_lost(nsp, &claim);
            // A core that stands still may have had it: then its client is certainly new.
            let found = survey(&core.town, look).await.all.into_iter().flatten().next();
            if !core.hub().is_waiting(key) {
                return admitting.end(); // it has left again
            }
            match found {
                Some(lost) => core.come_back(key, id, nsp, auth, lost).await,
                None => core.begin(key, id, nsp, auth),
            }
            admitting.end();
            core.run_effects();
        };
        self.start_task(task);
    }

    /// Gives a lost socket away, if it is this core's. One that still seems connected ends first: its client knows better.
    fn take_lost(self: &Rc<Self>, nsp: NspId, claim: &Claim) -> Option<Lost> {
        let connected = self.hub().connected(&claim.pid);
        if let Some(key) = connected {
            self.hub_mut().supersede(key);
            self.run_effects();
        }
        let returning = self.hub_mut().take_returning(self.now_ms.get(), nsp, &claim.pid, claim.offset())?;
        let data = self.kept_data.borrow_mut().remove(&returning.id);
        Some(Lost { returning, data })
    }

    /// Keeps what a lost socket was, until it comes back or its time is over.
    pub(crate) fn keep_lost(&self, socket: &Socket) {
        let key = socket.key();
        let Some(id) = self.hub().id_of(key) else { return };
        let is_saved = self.hub_mut().save(self.now_ms.get(), key);
        if let Some(data) = socket.kept_data().filter(|_| is_saved) {
            let before = self.kept_data.borrow_mut().insert(id, data);
            drop(before);
        }
    }

    /// A lost socket has not come back.
    pub(crate) fn forget_lost(&self, id: &Id) {
        let data = self.kept_data.borrow_mut().remove(id);
        drop(data);
    }

    async fn come_back(
        self: &Rc<Self>,
        key: SocketKey,
        id: Id,
        nsp: NspId,
        auth: Option<Rc<Auth>>,
        Lost { returning, data }: Lost,
    ) {
        self.hub_mut().rename(key, returning.id);
        let socket = self.add_socket(key, returning.id, nsp, auth.clone());
        socket.recover(data);
        if !self.town.app.recovery.is_some_and(|recovery| recovery.skip_middlewares)
            && let Err(refusal) = self.ask_middlewares(&socket).await
        {
            return self.hub_mut().turn_down(key, &refusal.to_json(socket.revision()));
        }
        let is_restored = self.hub_mut().restore(key, &returning);
        if is_restored {
            self.greet(&socket);
        } else if self.hub().is_waiting(key) {
            self.hub_mut().rename(key, id);
            self.begin(key, id, nsp, auth);
        }
    }
}
