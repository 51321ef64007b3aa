//! Handlers that act: wherever the application's code runs, it may emit, join, leave and disconnect. Each client brings one deed along.
//!
//! Not the matrix of all places and deeds, which is `server/tests/matrix.rs`: here they happen in traffic, and the oracle watches the others.

use std::collections::BTreeMap;
use std::time::Duration;

use socketville::{Builder, Refusal, Socket, sleep};

use crate::app::{Book, room_name, text};
use crate::oracle::{To, What};
use crate::random::Random;
use crate::subject::Excuse;

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// Emits to everybody.
    EmitToAll,
    /// Emits to the client itself.
    EmitToSelf,
    /// Puts the client into a room.
    Join,
    /// Takes it out of a room.
    Leave,
    /// Disconnects it from the namespace.
    EndSelf,
    /// Disconnects it from all namespaces.
    EndSelfWhole,
    /// Disconnects a room.
    EndRoom,
    /// Disconnects everybody, and closes their connections.
    EndAll,
    /// Does not let it in.
    Refuse,
}

/// Where it is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In a middleware, which lets the client in afterwards.
    Middleware,
    /// In a middleware that has waited.
    MiddlewareLater,
    /// In the handler of its connection.
    Connect,
    /// In the handler of an event.
    Event,
    /// In the handler of an event that has waited.
    EventLater,
    /// In the middleware of a packet.
    Packet,
    /// Where all incoming events are watched.
    Incoming,
    /// Where all outgoing events are watched.
    Outgoing,
    /// When it is about to leave.
    Disconnecting,
    /// When it has left.
    Disconnect,
}

/// What a client makes its handlers do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deed {
    /// What.
    pub act: Act,
    /// Where.
    pub place: Place,
    /// In which room.
    pub room: u8,
}

const ACTS: [Act; 9] = [
    Act::EmitToAll,
    Act::EmitToSelf,
    Act::Join,
    Act::Leave,
    Act::EndSelf,
    Act::EndSelfWhole,
    Act::EndRoom,
    Act::EndAll,
    Act::Refuse,
];

const PLACES: [Place; 10] = [
    Place::Middleware,
    Place::MiddlewareLater,
    Place::Connect,
    Place::Event,
    Place::EventLater,
    Place::Packet,
    Place::Incoming,
    Place::Outgoing,
    Place::Disconnecting,
    Place::Disconnect,
];

/// What a deed emits is somebody else's for the oracle: a watcher's emit precedes that which it watches.
const SENDER: u64 = 1 << 32;

/// Bytes of what a deed emits.
const TEXT_BYTES: usize = 40;

impl Deed {
    /// Any deed.
    pub fn any(random: &mut Random, rooms: u8) -> Self {
        let is_rare = random.percent(90);
        let act = random.pick(if is_rare { &ACTS[..7] } else { &ACTS });
        let place = if act == Act::Refuse { &PLACES[..2] } else { &PLACES };
        Self { act, place: random.pick(place), room: random.below(usize::from(rooms)) as u8 }
    }

    /// Whether the client will not be let in.
    pub fn refuses(self) -> bool {
        self.act == Act::Refuse
    }

    /// What the client says when it connects.
    pub fn auth(self) -> String {
        format!(r#""act":{},"place":{},"room":{}"#, self.act as u8, self.place as u8, self.room)
    }

    fn of(auth: &BTreeMap<String, u64>) -> Option<Self> {
        let number = |name: &str| auth.get(name).and_then(|&number| usize::try_from(number).ok());
        let (act, place) = (*ACTS.get(number("act")?)?, *PLACES.get(number("place")?)?);
        Some(Self { act, place, room: number("room")? as u8 })
    }
}

/// Has every place look for its deed.
pub fn everywhere(io: &Builder, book: &Book) {
    let at = |place| {
        let book = book.clone();
        move |socket: &Socket| act(socket, &book, place)
    };
    let (connect, event, later) = (at(Place::Connect), at(Place::Event), at(Place::EventLater));
    let (first, second) = (at(Place::Middleware), at(Place::MiddlewareLater));
    let (packet, incoming, outgoing) = (at(Place::Packet), at(Place::Incoming), at(Place::Outgoing));
    let (leaving, left) = (at(Place::Disconnecting), at(Place::Disconnect));
    let acted = book.clone();
    io.on_connect(move |socket: Socket| _ = connect(&socket));
    io.on("act", move |socket: Socket, n: u64| {
        acted.open().heard(crate::app::client_of(&socket), n);
        _ = event(&socket);
        let later = later.clone();
        async move {
            sleep(Duration::from_millis(n % 3 * 20)).await;
            _ = later(&socket);
        }
    });
    io.of("/")
        .use_middleware(move |socket: Socket| std::future::ready(first(&socket)))
        .use_middleware(move |socket: Socket| {
            let second = second.clone();
            async move {
                sleep(Duration::from_millis(if is_at(&socket, Place::MiddlewareLater) { 30 } else { 0 }))
                    .await;
                second(&socket)
            }
        })
        .use_packet(move |socket, _| {
            _ = packet(socket);
            Ok(())
        })
        .on_any(move |socket, _, _| _ = incoming(socket))
        .on_any_outgoing(move |socket, _, _| _ = outgoing(socket))
        .on_disconnecting(move |socket: Socket| _ = leaving(&socket))
        .on_disconnect(move |socket: Socket| _ = left(&socket));
}

fn auth_of(socket: &Socket) -> BTreeMap<String, u64> {
    socket.handshake().auth().unwrap_or_default()
}

fn is_at(socket: &Socket, place: Place) -> bool {
    Deed::of(&auth_of(socket)).is_some_and(|deed| deed.place == place)
}

/// Does the client's deed if this is its place, once.
fn act(socket: &Socket, book: &Book, place: Place) -> Result<(), Refusal> {
    let auth = auth_of(socket);
    let client = auth.get("client").copied().unwrap_or(u64::MAX);
    let Some(Deed { act, room, .. }) = Deed::of(&auth).filter(|deed| deed.place == place) else {
        return Ok(());
    };
    if !book.open().subject(client).excuses.insert(Excuse::Acted) {
        return Ok(());
    }
    match act {
        Act::EmitToAll => {
            let seq = book.open().emit(SENDER + client, To::All, None, What::Message, TEXT_BYTES);
            socket.nsp().emit("said", (SENDER + client, seq, text(seq, TEXT_BYTES)));
        }
        Act::EmitToSelf => {
            let to = match place {
                Place::Middleware | Place::MiddlewareLater => To::Newcomer(client),
                _ => To::Client(client),
            };
            let seq = book.open().emit(SENDER + client, to, None, What::Message, TEXT_BYTES);
            socket.emit("said", (SENDER + client, seq, text(seq, TEXT_BYTES)));
        }
        Act::Join => {
            if socket.join(room_name(room)).is_ok() {
                book.open().joined(client, room);
            }
        }
        Act::Leave => {
            socket.leave(room_name(room));
            book.open().left(client, room);
        }
        Act::EndSelf | Act::EndSelfWhole => {
            book.open().subject(client).excuses.insert(Excuse::Kicked);
            if act == Act::EndSelf { socket.disconnect() } else { socket.disconnect_all() }
        }
        Act::EndRoom => {
            book.open().order_to_leave(To::Room(room));
            socket.nsp().to(room_name(room)).disconnect_sockets(client.is_multiple_of(2));
        }
        Act::EndAll => {
            book.open().order_to_leave(To::All);
            socket.nsp().disconnect_sockets(true);
        }
        Act::Refuse => return Err(Refusal::from("not today")),
    }
    Ok(())
}
