//! What an application may do anywhere.
//! Not where: that is `places`. A deed is done once, the first time its place is reached after it was armed.

#![allow(dead_code, reason = "each test file uses its part")]

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Serialize, Serializer};
use socketville::{Emitter, Socket, sleep, spawn};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Deed {
    EmitToAll,
    EmitToItself,
    Join,
    Leave,
    DisconnectItself,
    DisconnectAll,
    AskACount,
    Spawn,
    StopTheServer,
    Panic,
    PanicWithATrap,
    OnceMore,
}

pub(crate) const ALL: [Deed; 12] = [
    Deed::EmitToAll,
    Deed::EmitToItself,
    Deed::Join,
    Deed::Leave,
    Deed::DisconnectItself,
    Deed::DisconnectAll,
    Deed::AskACount,
    Deed::Spawn,
    Deed::StopTheServer,
    Deed::Panic,
    Deed::PanicWithATrap,
    Deed::OnceMore,
];

/// A deed, and what has become of it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Doing(Arc<State>);

struct State {
    deed: Deed,
    emitter: Mutex<Option<Emitter>>,
    is_armed: AtomicBool,
    done: AtomicUsize,
    /// Answers that were asked for, and that came.
    asked: AtomicUsize,
    answered: AtomicUsize,
}

thread_local! {
    /// The socket that "itself" is, where a place has none.
    static ACTOR: RefCell<Option<Socket>> = const { RefCell::new(None) };
}

/// What a panic brings that panics in turn.
struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        std::panic::panic_any(Trap);
    }
}

impl Doing {
    pub(crate) fn new(deed: Deed) -> Self {
        drop(ACTOR.replace(None));
        Self(Arc::new(State {
            deed,
            emitter: Mutex::default(),
            is_armed: AtomicBool::default(),
            done: AtomicUsize::default(),
            asked: AtomicUsize::default(),
            answered: AtomicUsize::default(),
        }))
    }

    /// From now on it is done where its place is reached.
    pub(crate) fn arm(&self, emitter: &Emitter) {
        *self.emitter() = Some(emitter.clone());
        self.0.is_armed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn disarm(&self) {
        self.0.is_armed.store(false, Ordering::SeqCst);
        drop(ACTOR.replace(None));
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.done.load(Ordering::SeqCst) > 0
    }

    /// Whether it is one that panics or ends its client, so that nothing more of it is expected.
    pub(crate) fn is_fatal(&self) -> bool {
        matches!(
            self.0.deed,
            Deed::DisconnectItself
                | Deed::DisconnectAll
                | Deed::StopTheServer
                | Deed::Panic
                | Deed::PanicWithATrap
                | Deed::OnceMore
        )
    }

    pub(crate) fn check(&self, cell: &str) {
        let (asked, answered) = (self.0.asked.load(Ordering::SeqCst), self.0.answered.load(Ordering::SeqCst));
        assert_eq!(asked, answered, "{cell}: a question has no answer");
    }

    /// The socket that later deeds are about.
    pub(crate) fn is_actor(socket: &Socket) {
        drop(ACTOR.replace(Some(socket.clone())));
    }

    /// The test lets go of that socket.
    pub(crate) fn forget_actor() {
        drop(ACTOR.replace(None));
    }

    fn emitter(&self) -> std::sync::MutexGuard<'_, Option<Emitter>> {
        self.0.emitter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The place is reached: the deed is done, if it is armed. Once; the one that leads here again is done twice.
    pub(crate) fn here(&self) {
        let state = &*self.0;
        let times = if state.deed == Deed::OnceMore { 2 } else { 1 };
        let is_due = state.is_armed.load(Ordering::SeqCst)
            && state
                .done
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |done| (done < times).then_some(done + 1))
                .is_ok();
        if !is_due {
            return;
        }
        let Some(emitter) = self.emitter().clone() else { return };
        let actor = ACTOR.try_with(|actor| actor.borrow().clone()).unwrap_or_default();
        match state.deed {
            Deed::OnceMore => self.do_everything(&emitter, actor.as_ref()),
            deed => self.perform(deed, &emitter, actor.as_ref()),
        }
    }

    /// Whatever leads anywhere, here as well.
    fn do_everything(&self, emitter: &Emitter, actor: Option<&Socket>) {
        for deed in
            [Deed::EmitToAll, Deed::EmitToItself, Deed::Join, Deed::AskACount, Deed::Spawn, Deed::Leave]
        {
            self.perform(deed, emitter, actor);
        }
        if let Some(socket) = actor {
            socket.set_data(Kept(self.clone()));
            socket.set_data(Kept(self.clone()));
        }
        let _ = emitter.of("/by").try_emit("written", Kept(self.clone()));
        self.perform(Deed::DisconnectItself, emitter, actor);
    }

    fn perform(&self, deed: Deed, emitter: &Emitter, actor: Option<&Socket>) {
        match (deed, actor) {
            (Deed::EmitToAll, _) => {
                emitter.emit("deed", 1);
                emitter.of("/by").emit("deed", 1);
            }
            (Deed::EmitToItself, Some(socket)) => socket.emit("deed", 1),
            (Deed::EmitToItself, None) => emitter.to("nobody").emit("deed", 1),
            (Deed::Join, Some(socket)) => drop((socket.join("deed"), socket.join("deed"))),
            (Deed::Join, None) => emitter.of("/").sockets_join("deed"),
            (Deed::Leave, Some(socket)) => drop((socket.leave("deed"), socket.leave("start"))),
            (Deed::Leave, None) => emitter.of("/").sockets_leave("start"),
            (Deed::DisconnectItself, Some(socket)) => socket.disconnect_all(),
            (Deed::DisconnectItself, None) => emitter.to("start").disconnect_sockets(false),
            (Deed::DisconnectAll, _) => emitter.of("/").disconnect_sockets(true),
            (Deed::AskACount, _) => self.ask(emitter.clone()),
            (Deed::Spawn, _) => {
                let emitter = emitter.clone();
                spawn(async move {
                    sleep(Duration::from_millis(1)).await;
                    emitter.emit("spawned", 1);
                });
            }
            (Deed::StopTheServer, _) => emitter.stop(),
            (Deed::Panic, _) => panic!("a deed"),
            (Deed::PanicWithATrap, _) => std::panic::panic_any(Trap),
            (Deed::OnceMore, _) => {}
        }
    }

    /// All the questions that there are.
    fn ask(&self, emitter: Emitter) {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        let doing = self.clone();
        spawn(async move {
            let _ = emitter.namespace_len("/by").await;
            let _ = emitter.room_len("/", "start").await;
            let _ = emitter.rooms("/", 10).await;
            let _ = emitter.of("/").fetch_sockets().await;
            let _ = emitter.of("/").emit_counted("counted", 1).await;
            let _ = emitter.of("/").emit_with_ack::<u32>("asked", 1, Duration::from_millis(5)).await;
            doing.0.answered.fetch_add(1, Ordering::SeqCst);
        });
    }
}

/// A value of the application's whose `Drop` and whose `Serialize` are places.
pub(crate) struct Kept(pub(crate) Doing);

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.here();
    }
}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.here();
        serializer.serialize_u8(1)
    }
}
