//! An event as it lies in the input, for packet middlewares and for handlers that relay: its name and its arguments, which may be replaced.
//!
//! Not a copy: until a middleware replaces something, everything lies where it came in, and an argument is read when somebody asks for it.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::ser::{Error, Serialize, Serializer};
use socketville_proto::sio::{self, Spans};

use crate::ack::Ack;
use crate::args::{EncodeError, Form, rewrite_event};
use crate::arguments::relay;
use crate::binary::Attachments;
use crate::extract::{ArgumentError, read_argument, read_missing};
use crate::handler::RawArgs;
use crate::socket::Socket;

/// What a middleware of [`Namespace::use_packet`](crate::Namespace::use_packet) looks at and may change, and what a handler of
/// [`Namespace::on_packet`](crate::Namespace::on_packet) relays.
///
/// Both errors turn into the `String` with which a middleware refuses, so that `?` does:
///
/// ```
/// use socketville::{Packet, Server, Socket};
///
/// fn trim(_socket: &Socket, packet: &mut Packet<'_>) -> Result<(), String> {
///     if packet.event() == "say" {
///         let (room, text): (String, String) = (packet.read(0)?, packet.read(1)?);
///         packet.set_args((room, text.trim()))?;
///     }
///     Ok(())
/// }
///
/// Server::builder().of("/chat").use_packet(trim);
/// ```
#[derive(Debug)]
pub struct Packet<'a> {
    event: Cow<'a, str>,
    came: RawArgs<'a>,
    attachments: &'a Attachments,
    replaced: Option<Box<Replaced>>,
    socket: &'a Socket,
    /// The id to acknowledge, until somebody has taken it.
    id: Option<u64>,
}

/// Arguments in the place of those that came.
#[derive(Debug)]
struct Replaced {
    json: String,
    spans: Spans,
    attachments: Attachments,
}

impl<'a> Packet<'a> {
    /// `event` is the name that `args` has, unescaped.
    pub(crate) fn new(
        event: Cow<'a, str>,
        args: &'a sio::Args<'a>,
        attachments: &'a Attachments,
        socket: &'a Socket,
        id: Option<u64>,
    ) -> Self {
        Self { event, came: RawArgs::new(args.json(), args.spans()), attachments, replaced: None, socket, id }
    }

    /// The event's name, which chooses the handler.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Gives the event another name; its handler, if there is one, gets the arguments.
    pub fn set_event(&mut self, event: impl Into<String>) {
        self.event = Cow::Owned(event.into());
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.args().len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The JSON of an argument, counted from 0; binary is a placeholder object in it.
    pub fn raw(&self, index: usize) -> Option<&str> {
        self.args().get(index)
    }

    /// Reads an argument, counted from 0, as a handler's parameter is read: binary too, and one that is not there as `null`.
    ///
    /// # Errors
    /// [`ArgumentError`] if it is not a `T`.
    pub fn read<T: DeserializeOwned>(&self, index: usize) -> Result<T, ArgumentError> {
        let place = index.saturating_add(1);
        match self.raw(index) {
            Some(raw) => read_argument(raw, place, self.attachments()),
            None => read_missing(place),
        }
    }

    /// All arguments where they lie, to be emitted again: their text is copied once, into what is sent.
    pub const fn arguments(&self) -> Borrowed<'_> {
        Borrowed(self)
    }

    /// Replaces all arguments, as `emit` takes them: a tuple is several, `()` none, and [`Binary`](crate::Binary) may stand anywhere.
    ///
    /// # Errors
    /// [`EncodeError`] if they could not be emitted either; those that were there stay.
    pub fn set_args(&mut self, args: impl Serialize) -> Result<(), EncodeError> {
        let (mut json, mut attachments) = (Vec::new(), Vec::new());
        let form = Form::of(&self.socket.core_rc().town.app.config);
        rewrite_event(&mut json, &self.event, &args, &mut attachments, form)?;
        let json = String::from_utf8(json).map_err(unreadable)?;
        let spans = sio::Args::parse(&json).map_err(unreadable)?.into_spans();
        let attachments = Attachments::new(attachments, form.parser());
        self.replaced = Some(Box::new(Replaced { json, spans, attachments }));
        Ok(())
    }

    /// Takes the way to answer, if the client asked for an answer: whoever refuses an event may say so. The handler's is not wanted then.
    pub fn take_ack(&mut self) -> Ack {
        Ack::new(self.socket.clone(), self.id.take())
    }

    /// The arguments as they are now, for the handler.
    pub(crate) fn args(&self) -> RawArgs<'_> {
        match &self.replaced {
            None => self.came.clone(),
            Some(replaced) => RawArgs::new(&replaced.json, &replaced.spans),
        }
    }

    pub(crate) fn attachments(&self) -> &Attachments {
        self.replaced.as_ref().map_or(self.attachments, |replaced| &replaced.attachments)
    }
}

/// The arguments of a [`Packet`], for `emit`: they spread, and bring their attachments along.
#[derive(Debug, Clone, Copy)]
pub struct Borrowed<'p>(&'p Packet<'p>);

impl Serialize for Borrowed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        relay(self.0.args(), self.0.attachments(), serializer)
    }
}

/// JSON of a `Serialize` that a client's packet could not hold: too deep or too large.
fn unreadable(error: impl std::fmt::Display) -> EncodeError {
    EncodeError::Json(serde_json::Error::custom(error))
}

/// So that `?` refuses an event in a packet middleware.
impl From<ArgumentError> for String {
    fn from(error: ArgumentError) -> Self {
        error.to_string()
    }
}

/// So that `?` refuses an event in a packet middleware.
impl From<EncodeError> for String {
    fn from(error: EncodeError) -> Self {
        error.to_string()
    }
}
