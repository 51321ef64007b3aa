//! From what the hub found in a packet to the application's handlers.
//!
//! Not the hub's rules, which have been checked when something arrives here. A handler's panic closes its socket, not the core.

use std::ops::ControlFlow;
use std::rc::Rc;

use socketville_hub::{
    ConnId, Decision, Effect, Ending, FrameReader, Id, Incoming, Intake, NspId, Payload, Peer, Progress,
    Reason, SessionKey, SocketKey, Text,
};
use socketville_proto::{eio, sio, ws};

use crate::admission::{INTERNAL_ERROR, Refusal};
use crate::app::{BoxedRelay, NamespaceApp};
use crate::arguments::Arguments;
use crate::bare::BarePeer;
use crate::binary::Attachments;
use crate::budget::Slice;
use crate::core::Core;
use crate::events::Reaction;
use crate::handler::{BoxedHandler, EventContext, Outcome, RawArgs};
use crate::held::Auth;
use crate::http;
use crate::packet::Packet;
use crate::shares::{Over, Place};
use crate::socket::Socket;

impl Core {
    /// Bytes of a connection, after those that were held.
    pub(crate) fn handle_bytes(self: &Rc<Self>, conn: ConnId, bytes: &mut [u8]) {
        if self.pauses.get() > 0 && self.hub().is_paused(conn) {
            return self.hub_mut().hold(conn, bytes);
        }
        let held = {
            let mut hub = self.hub_mut();
            hub.counters.bytes_in += bytes.len() as u64;
            hub.take_held(conn)
        };
        match held {
            Some(mut held) => {
                held.extend_from_slice(bytes);
                self.read(conn, &mut held);
            }
            None => self.read(conn, bytes),
        }
    }

    /// Bytes of a connection that were put off.
    pub(crate) fn read_held(self: &Rc<Self>, conn: ConnId) {
        let held = self.hub_mut().take_held(conn);
        if let Some(mut held) = held {
            self.read(conn, &mut held);
        }
    }

    /// A request that the application has decided about, and what came behind it.
    pub(crate) fn read_considered(self: &Rc<Self>, conn: ConnId, decision: &Decision) {
        let considered = self.hub_mut().take_considered(conn);
        let Some(mut bytes) = considered else { return };
        let (taken, progress) = self.hub_mut().handle_considered(self.now_ms.get(), conn, &bytes, decision);
        let is_over = matches!(progress, Progress::Wait);
        self.go_on(conn, progress);
        if is_over {
            return;
        }
        if let Some(rest) = bytes.get_mut(taken..).filter(|rest| !rest.is_empty()) {
            self.read(conn, rest);
        }
        self.read_held(conn);
    }

    /// After a step over HTTP bytes: the packets of a POST, what the hub asks for.
    fn go_on(self: &Rc<Self>, conn: ConnId, progress: Progress) {
        if let Progress::Payload(session, post) = progress {
            self.begin_payload(conn, session, post);
        }
        self.run_effects();
    }

    pub(crate) fn read_bytes(self: &Rc<Self>, conn: ConnId, bytes: &mut [u8]) {
        let (mut at, mut slice) = (0, Slice::default());
        loop {
            let intake = self.hub_mut().intake(conn);
            match intake {
                Intake::Deaf => {
                    self.hub_mut().ignore(conn, bytes.len() - at);
                    return self.run_effects();
                }
                Intake::WebSocket(reader) => return self.read_websocket(conn, reader, &mut bytes[at..]),
                Intake::Http => {
                    let (taken, progress) = self.hub_mut().handle_http(self.now_ms.get(), conn, &bytes[at..]);
                    at += taken;
                    let is_over = matches!(progress, Progress::Wait);
                    self.go_on(conn, progress);
                    if is_over || at == bytes.len() {
                        return;
                    }
                    if slice.is_over(self) {
                        return self.put_off(conn, &bytes[at..]);
                    }
                }
            }
        }
    }

    fn read_websocket(self: &Rc<Self>, conn: ConnId, mut reader: FrameReader, bytes: &mut [u8]) {
        let message_max = self.hub().message_bytes_max(conn);
        let mut inflater = self.hub_mut().lend_inflater(conn);
        let (mut at, mut slice) = (0, Slice::default());
        loop {
            match reader.decoder.decode_with(&mut bytes[at..], message_max, inflater.as_deref_mut()) {
                Ok((_, None)) => break,
                Ok((taken, Some(message))) => {
                    at += taken;
                    let is_last = matches!(message, ws::Message::Close(_));
                    let pauses = self.pauses.get();
                    let incoming = self.hub_mut().handle_message(self.now_ms.get(), conn, message);
                    self.dispatch(incoming);
                    if is_last {
                        self.hub_mut().ignore(conn, bytes.len() - at);
                        break;
                    }
                    if pauses != self.pauses.get() && self.hub().is_paused(conn) {
                        self.hub_mut().hold(conn, &bytes[at..]);
                        break;
                    }
                    if at < bytes.len() && slice.is_over(self) {
                        self.put_off(conn, &bytes[at..]);
                        break;
                    }
                }
                Err(error) => {
                    self.hub_mut().return_inflater(inflater);
                    self.hub_mut().handle_ws_error(self.now_ms.get(), conn, &error);
                    return self.run_effects();
                }
            }
        }
        let mut hub = self.hub_mut();
        hub.return_inflater(inflater);
        hub.return_decoder(conn, reader);
    }

    pub(crate) fn dispatch(self: &Rc<Self>, incoming: Option<Incoming<'_>>) {
        match incoming {
            None => {}
            Some(Incoming::Message(peer, message)) => self.handle_message(peer, message),
            Some(Incoming::Connect { session, nsp, auth }) => {
                let auth = auth.map(|auth| Auth::new(self, session, &auth));
                match self.enter_child(nsp) {
                    true => self.connect(session, nsp, auth),
                    false => self.enter_anew(session, nsp, auth),
                }
            }
            Some(Incoming::Unknown { session, name, auth }) => {
                let auth = auth.map(|auth| Auth::new(self, session, &auth));
                self.ask_for(session, &name, auth);
            }
            Some(Incoming::Event { socket, id, args, attachments }) => {
                let attachments = Attachments::new(attachments, self.town.app.config.parser);
                with_args(args, |args| self.handle_event(socket, id, args, &attachments));
            }
            Some(Incoming::Ack { socket, id, args, attachments }) => {
                if let Some(socket) = self.socket(socket) {
                    let attachments = Attachments::new(attachments, self.town.app.config.parser);
                    let answer = with_args(args, |args| Arguments::new(args.iter(), attachments));
                    self.handle_answer(&socket, id, answer.unwrap_or_default());
                }
            }
        }
        self.run_effects();
    }

    /// A client of Engine.IO 3 joins `/` without asking.
    pub(crate) fn join_unasked(self: &Rc<Self>, session: SessionKey, nsp: NspId) {
        self.dispatch(Some(Incoming::Connect { session, nsp, auth: None }));
    }

    fn handle_message(self: &Rc<Self>, peer: Peer, message: Payload<'_>) {
        let app = &self.town.app;
        let handler = match peer {
            Peer::Session(_) => app.on_engine_message.as_ref(),
            Peer::Conn(_) => app.on_websocket_message.as_ref(),
        };
        let Some(handler) = handler else { return };
        let called = || handler(&BarePeer::new(self, peer), message);
        if self.call_out("a handler of messages below Socket.IO", called).is_err() {
            let mut hub = self.hub_mut();
            match peer {
                Peer::Session(session) => hub.close_session(self.now_ms.get(), session, Reason::ForcedClose),
                Peer::Conn(conn) => hub.handle_end(conn, Reason::ForcedClose),
            }
        }
    }

    pub(crate) fn connect(self: &Rc<Self>, session: SessionKey, nsp: NspId, auth: Option<Rc<Auth>>) {
        let reserved = self.hub_mut().reserve(session, nsp);
        let Some((key, id)) = reserved else { return self.leave_child(nsp) };
        let may_return = self.hub().revision_of(key) != Some(eio::Revision::V3);
        match self.claim(auth.as_deref().map(Auth::as_str)).filter(|_| may_return) {
            Some(claim) => self.look_for(key, id, nsp, auth, claim),
            None => self.begin(key, id, nsp, auth),
        }
    }

    /// A client begins anew: past the middlewares, if there are any.
    pub(crate) fn begin(self: &Rc<Self>, key: SocketKey, id: Id, nsp: NspId, auth: Option<Rc<Auth>>) {
        let socket = self.add_socket(key, id, nsp, auth);
        if self.namespace(nsp).is_none_or(|namespace| namespace.middlewares.is_empty()) {
            self.let_in(&socket);
        } else {
            self.examine(socket);
        }
    }

    /// The client is in, if it has not left meanwhile.
    pub(crate) fn let_in(self: &Rc<Self>, socket: &Socket) {
        if self.hub_mut().welcome(socket.key()) {
            self.greet(socket);
        }
    }

    pub(crate) fn greet(self: &Rc<Self>, socket: &Socket) {
        let handlers = self.namespace(socket.nsp_id()).map_or(&[][..], |namespace| &namespace.on_connect);
        let auth = socket.auth();
        self.call_each("connection", handlers, socket, auth.as_ref().map_or("{}", |auth| auth.as_str()));
        socket.let_auth_go();
    }

    fn handle_event(
        self: &Rc<Self>,
        key: SocketKey,
        id: Option<u64>,
        args: &sio::Args<'_>,
        attachments: &Attachments,
    ) {
        let (Some(socket), Some(name)) = (self.socket(key), args.event_name()) else { return };
        let Some(namespace) = self.namespace(socket.nsp_id()) else { return };
        let mut packet = Packet::new(name, args, attachments, &socket, id);
        if namespace.looks_at_packets() && self.look(namespace, args.json(), &socket, &mut packet).is_break()
        {
            return;
        }
        match namespace.events.get(packet.event()) {
            Some(Reaction::Handler(handler)) => {
                let ack = Some(packet.take_ack());
                let (args, attachments) = (packet.args(), packet.attachments());
                self.call(
                    packet.event(),
                    handler,
                    &mut EventContext { args, attachments, socket: &socket, ack },
                );
            }
            Some(Reaction::Relay(relay)) => self.relay(relay, &socket, &mut packet),
            None => self.counters.borrow_mut().events_unhandled += 1,
        }
    }

    /// To a handler that takes the event as it lies in the input.
    fn relay(self: &Rc<Self>, relay: &BoxedRelay, socket: &Socket, packet: &mut Packet<'_>) {
        self.counters.borrow_mut().handlers_called += 1;
        if self.call_out("a relay", || relay(socket, packet)).is_err() {
            self.close_after_panic(socket);
        }
    }

    /// Past those who see every event, and through the packet middlewares; a break if it ends there.
    fn look(
        self: &Rc<Self>,
        namespace: &NamespaceApp,
        array: &str,
        socket: &Socket,
        packet: &mut Packet<'_>,
    ) -> ControlFlow<()> {
        let look = || {
            namespace.on_any.iter().for_each(|see| see(socket, packet.event(), array));
            self.filter(namespace, socket, packet)
        };
        self.call_out("a watcher or middleware of packets", look).unwrap_or_else(|_| {
            self.close_after_panic(socket);
            ControlFlow::Break(())
        })
    }

    /// Through the packet middlewares; a break if one refused, or its socket is gone now.
    fn filter(
        self: &Rc<Self>,
        namespace: &NamespaceApp,
        socket: &Socket,
        packet: &mut Packet<'_>,
    ) -> ControlFlow<()> {
        if namespace.packet_middlewares.is_empty() {
            return ControlFlow::Continue(());
        }
        for middleware in &namespace.packet_middlewares {
            if let Err(message) = middleware(socket, packet) {
                let message = serde_json::Value::from(message).to_string();
                self.call_each("error", &namespace.on_error, socket, &message);
                return ControlFlow::Break(());
            }
        }
        match socket.is_connected() {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        }
    }

    /// Calls the handlers of a moment in a socket's life with one argument.
    pub(crate) fn call_each(
        self: &Rc<Self>,
        moment: &str,
        handlers: &[BoxedHandler],
        socket: &Socket,
        argument: &str,
    ) {
        let (attachments, spans) = (Attachments::default(), [(0, 0), (0, argument.len() as u32)]);
        for handler in handlers {
            let args = RawArgs::new(argument, &spans);
            self.call(
                moment,
                handler,
                &mut EventContext { args, attachments: &attachments, socket, ack: None },
            );
        }
    }

    #[inline]
    pub(crate) fn namespace(&self, nsp: NspId) -> Option<&NamespaceApp> {
        match self.town.app.namespaces.get(usize::from(nsp.index)).filter(|_| nsp.generation == 0) {
            Some(namespace) => Some(namespace),
            None => self.namespace_of_child(nsp),
        }
    }

    fn namespace_of_child(&self, child: NspId) -> Option<&NamespaceApp> {
        self.town.app.namespaces.get(*self.parents.borrow().get(&child)?)
    }

    /// Runs a handler to its first wait.
    fn call(self: &Rc<Self>, event: &str, handler: &BoxedHandler, context: &mut EventContext<'_>) {
        let socket = context.socket;
        self.counters.borrow_mut().handlers_called += 1;
        match self.call_out("a handler", || handler(context)) {
            Ok(Outcome::Done) => {}
            Ok(Outcome::Failed(error)) => self.tell_mismatch(socket, event, &error),
            Ok(Outcome::Task(task)) => {
                let bytes = context.args.bytes() + context.attachments.iter().map(Vec::len).sum::<usize>();
                self.start(socket.clone(), task, Over::Event(bytes));
            }
            Err(_) => self.close_after_panic(socket),
        }
    }

    /// Starts a socket's task, over this.
    pub(crate) fn start(
        &self,
        socket: Socket,
        task: std::pin::Pin<Box<dyn Future<Output = ()>>>,
        over: Over,
    ) {
        self.start_task(Guarded { socket, task, place: None, over });
    }

    /// Starts a task of the engine's; one that finds no room is counted, and dropped, which is answered where it was made.
    pub(crate) fn start_task(&self, task: impl Future<Output = ()> + 'static) {
        if self.executor.start(task).is_err() {
            self.counters.borrow_mut().tasks_refused += 1;
            tracing::debug!("too many tasks are waiting; one was not started");
        }
    }

    pub(crate) fn close_after_panic(&self, socket: &Socket) {
        tracing::debug!(socket = socket.id(), "its client is disconnected");
        let mut hub = self.hub_mut();
        if hub.is_waiting(socket.key()) {
            hub.turn_down(socket.key(), &Refusal::from(INTERNAL_ERROR).to_json(socket.revision()));
        } else {
            hub.disconnect_socket(self.now_ms.get(), socket.key(), Ending::Connection);
        }
    }

    /// Does what the hub asked for, but for what only the loop can do.
    #[inline]
    pub(crate) fn run_effects(self: &Rc<Self>) {
        if self.hub().has_effects() {
            self.run_all_effects();
        }
    }

    /// What comes of one effect is done with the others. To read on is done last and by the outermost alone: a connection may
    /// have hundreds of requests in a row, each of which waits for the one before.
    fn run_all_effects(self: &Rc<Self>) {
        let depth = self.effects_depth.replace(self.effects_depth.get() + 1);
        loop {
            self.run_queued_effects();
            let reading = if depth == 0 { self.readings.borrow_mut().pop_front() } else { None };
            match reading {
                Some(Effect::Consider(conn, occasion)) => self.consider(conn, occasion),
                Some(Effect::Resume(conn)) => self.read_held(conn),
                Some(_) | None => break,
            }
        }
        self.effects_depth.set(depth);
    }

    fn run_queued_effects(self: &Rc<Self>) {
        loop {
            let effect = self.hub_mut().take_effect();
            match effect {
                None => return,
                Some(Effect::Disconnecting(key, reason)) => self.disconnect(key, reason),
                Some(Effect::Abandoned(key)) => self.remove_socket(key),
                Some(Effect::Room(event)) => self.tell_room(&event),
                Some(Effect::Refused(refused)) => self.tell_refused(&refused),
                Some(Effect::Lapsed(id)) => self.forget_lost(&id),
                Some(Effect::PostOver(conn, session)) => {
                    self.hub_mut().end_post(self.now_ms.get(), conn, session);
                }
                Some(Effect::Request(conn, request)) => http::serve(self, conn, *request),
                Some(effect @ (Effect::Consider(..) | Effect::Resume(_))) => {
                    self.readings.borrow_mut().push_back(effect);
                }
                Some(
                    effect @ (Effect::Close(_)
                    | Effect::Pass(..)
                    | Effect::HandOver(..)
                    | Effect::AskAddress(..)
                    | Effect::Read(_)
                    | Effect::Join(..)),
                ) => self.errands.borrow_mut().push_back(effect),
            }
        }
    }

    /// `disconnecting` sees the rooms, `disconnect` does not.
    fn disconnect(self: &Rc<Self>, key: SocketKey, reason: Reason) {
        let Some(socket) = self.socket(key) else { return self.remove_socket(key) };
        socket.abandon_acks();
        let words = format!("\"{}\"", reason.as_str());
        let namespace = self.namespace(socket.nsp_id());
        self.call_each("disconnecting", namespace.map_or(&[][..], |n| &n.on_disconnecting), &socket, &words);
        if reason.is_recoverable() && self.town.app.recovery.is_some() {
            self.keep_lost(&socket);
        }
        self.remove_socket(key);
        self.call_each("disconnect", namespace.map_or(&[][..], |n| &n.on_disconnect), &socket, &words);
    }
}

/// A handler's task whose panic closes its client.
struct Guarded {
    socket: Socket,
    task: std::pin::Pin<Box<dyn Future<Output = ()>>>,
    /// Once it has waited.
    place: Option<Place>,
    /// What it may hold.
    over: Over,
}

impl Future for Guarded {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        let core = Rc::clone(self.socket.core_rc());
        match core.call_out("a task of a handler", || self.task.as_mut().poll(context)) {
            Ok(poll) => {
                if poll.is_pending() && self.place.is_none() {
                    self.place = self.socket.take_place(self.over);
                }
                poll
            }
            Err(_) => {
                core.close_after_panic(&self.socket);
                std::task::Poll::Ready(())
            }
        }
    }
}

/// Arguments as they lie in the input, or in a text of their own after attachments.
fn with_args<R>(text: Text<'_>, read: impl FnOnce(&sio::Args<'_>) -> R) -> Option<R> {
    let owned;
    let args = match text {
        Text::Borrowed(args) => args,
        Text::Scanned(json, spans) => {
            owned = json;
            sio::Args::from_parts(&owned, spans)
        }
        Text::Owned(text) => {
            owned = text;
            match sio::decode_within(&owned, sio::PacketLimits::CHECKED).ok()? {
                sio::Packet::Event { args, .. } | sio::Packet::Ack { args, .. } => args,
                sio::Packet::Connect { .. } | sio::Packet::Disconnect { .. } => return None,
            }
        }
    };
    Some(read(&args))
}
