//! The revisions of Engine.IO that are spoken, and one reader for the bodies of both. It does not say which a session speaks.

use super::items::Items;
use super::packet::Error;
use super::payload::{PayloadItem, item, payload};
use super::v3;

/// A revision of Engine.IO: the `EIO` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// The clients 2.x.
    V3,
    /// The clients 3.x and 4.x.
    V4,
}

impl Revision {
    /// Reads a text frame of a client; see [`item()`] and [`v3::item`].
    ///
    /// # Errors
    /// Theirs.
    #[inline]
    pub fn item(self, text: &str) -> Result<PayloadItem<'_>, Error> {
        match self {
            Self::V3 => v3::item(text),
            Self::V4 => item(text),
        }
    }

    /// What a binary frame of a client carries; see [`v3::message`].
    ///
    /// # Errors
    /// Its own.
    #[inline]
    pub fn message(self, frame: &[u8]) -> Result<&[u8], Error> {
        match self {
            Self::V3 => v3::message(frame),
            Self::V4 => Ok(frame),
        }
    }

    /// As clients write it.
    pub const fn number(self) -> u8 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
        }
    }
}

/// How the packets in the body of a request are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadForm {
    /// As [`payload()`] reads it.
    V4,
    /// As [`v3::payload`] reads it.
    V3,
    /// As [`v3::binary_payload`] reads it.
    V3Binary,
}

/// The packets of a body, one by one; an error is the last.
#[derive(Debug)]
pub struct PayloadItems<'a>(Form<'a>);

#[derive(Debug)]
enum Form<'a> {
    Text(Items<'a, str>),
    Bytes(Items<'a, [u8]>),
    /// A text was expected.
    NotText(Once),
}

/// Whether an error was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Once {
    Due,
    Told,
}

impl PayloadForm {
    /// Reads a body, packet by packet; the caller may stop at any of them.
    pub fn items(self, body: &[u8]) -> PayloadItems<'_> {
        if self == Self::V3Binary {
            return PayloadItems(Form::Bytes(v3::binary_payload(body)));
        }
        PayloadItems(match std::str::from_utf8(body) {
            Ok(text) if self == Self::V3 => Form::Text(v3::payload(text)),
            Ok(text) => Form::Text(payload(text)),
            Err(_) => Form::NotText(Once::Due),
        })
    }
}

impl PayloadItems<'_> {
    /// Bytes of the body that are not read yet, to be read as a body of the same form later; `None` if the last packet was taken.
    pub fn rest_bytes(&self) -> Option<usize> {
        match &self.0 {
            Form::Text(items) => items.rest().map(str::len),
            Form::Bytes(items) => items.rest().map(<[u8]>::len),
            Form::NotText(_) => None,
        }
    }
}

impl<'a> Iterator for PayloadItems<'a> {
    type Item = Result<PayloadItem<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Form::Text(items) => items.next(),
            Form::Bytes(items) => items.next(),
            Form::NotText(once) => match std::mem::replace(once, Once::Told) {
                Once::Due => Some(Err(Error::NotText)),
                Once::Told => None,
            },
        }
    }
}
