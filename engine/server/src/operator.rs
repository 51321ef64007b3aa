//! Operators: whom a broadcast is for.
//!
//! Not the broadcast: nothing is allocated for rooms named by `&str`, nothing happens until `emit`.

use std::borrow::Cow;
use std::rc::Rc;

use serde::Serialize;
use smallvec::SmallVec;
use socketville_hub::{Id, NspId, Selector};

use crate::core::{Core, Recipients};
use crate::error::{EmitError, report};

pub(crate) type Rooms<'a> = SmallVec<[Cow<'a, str>; 2]>;

/// A broadcast on its way to being emitted. Source: `BroadcastOperator`.
#[must_use = "an operator does nothing until `emit`"]
pub struct Broadcast<'a> {
    core: &'a Rc<Core>,
    nsp: NspId,
    target: Target<'a>,
}

/// The selection that operators build up, wherever they are used.
#[derive(Default, Clone)]
pub(crate) struct Target<'a> {
    pub(crate) to: Rooms<'a>,
    pub(crate) except: Rooms<'a>,
    pub(crate) skip: Option<Id>,
    pub(crate) is_volatile: bool,
    names_rooms: bool,
}

/// A room's name, or several.
pub trait IntoRooms<'a> {
    /// Adds the names.
    fn add_to(self, rooms: &mut SmallVec<[Cow<'a, str>; 2]>);
}

impl<'a> IntoRooms<'a> for &'a str {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        rooms.push(Cow::Borrowed(self));
    }
}
impl<'a> IntoRooms<'a> for &'a String {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        rooms.push(Cow::Borrowed(self));
    }
}
impl<'a> IntoRooms<'a> for String {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        rooms.push(Cow::Owned(self));
    }
}
impl<'a, T: IntoRooms<'a>> IntoRooms<'a> for Vec<T> {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        self.into_iter().for_each(|room| room.add_to(rooms));
    }
}
impl<'a, T: IntoRooms<'a>, const N: usize> IntoRooms<'a> for [T; N] {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        self.into_iter().for_each(|room| room.add_to(rooms));
    }
}
impl<'a> IntoRooms<'a> for &'a [String] {
    fn add_to(self, rooms: &mut Rooms<'a>) {
        rooms.extend(self.iter().map(|room| Cow::Borrowed(room.as_str())));
    }
}

impl<'a> Broadcast<'a> {
    pub(crate) fn new(core: &'a Rc<Core>, nsp: NspId) -> Self {
        Self { core, nsp, target: Target::default() }
    }

    pub(crate) const fn skip(mut self, id: Id) -> Self {
        self.target.skip = Some(id);
        self
    }

    /// Those in this room too. Several rooms are their union; a room that does not exist is nobody. Source: `to`, `in`.
    pub fn to(mut self, rooms: impl IntoRooms<'a>) -> Self {
        self.target.add(rooms);
        self
    }

    /// The same as [`Broadcast::to`]; the reference's `in` is a keyword here.
    pub fn within(self, rooms: impl IntoRooms<'a>) -> Self {
        self.to(rooms)
    }

    /// But not those in this room. Source: `except`.
    pub fn except(mut self, rooms: impl IntoRooms<'a>) -> Self {
        rooms.add_to(&mut self.target.except);
        self
    }

    /// Dropped for clients whose transport is busy. Source: `volatile`.
    pub const fn volatile(mut self) -> Self {
        self.target.is_volatile = true;
        self
    }

    /// Emits: encoded once, due to each at the end of this turn. A tuple spreads into several arguments.
    ///
    /// What cannot be written as JSON is logged and counted; [`Broadcast::try_emit`] returns it.
    pub fn emit(self, event: &str, args: impl Serialize) {
        report(event, self.try_emit(event, args).map(drop));
    }

    /// As [`Broadcast::emit`]; how many sockets of this core it is for.
    ///
    /// # Errors
    /// If the arguments cannot be written as JSON.
    pub fn try_emit(self, event: &str, args: impl Serialize) -> Result<usize, EmitError> {
        if self.target.is_nobody() {
            return Ok(0);
        }
        let selector = self.target.selector();
        self.core.emit(Recipients::Rooms(self.nsp, &selector), None, event, &args)
    }
}

impl<'a> Target<'a> {
    pub(crate) fn add(&mut self, rooms: impl IntoRooms<'a>) {
        rooms.add_to(&mut self.to);
        self.names_rooms = true;
    }

    /// An empty list of rooms means nobody, never everybody.
    pub(crate) fn is_nobody(&self) -> bool {
        self.names_rooms && self.to.is_empty()
    }

    pub(crate) fn selector(&self) -> Selector<'_> {
        Selector { to: &self.to, except: &self.except, skip: self.skip, volatile: self.is_volatile }
    }
}
