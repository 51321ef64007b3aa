//! One packet from the bytes of a binary Engine.IO message: the members of its map, and what its type makes of them. It is not `data`,
//! which is read in [`super::read`].

use super::head::{Head, Reader};
use super::read::{Binary, read};
use super::{Error as Fault, Packet, Payload};
use crate::limits;
use crate::sio::json::{self, Kind};
use crate::sio::packet::check_event_name;
use crate::sio::{Args, Error};

/// Reads a packet.
///
/// # Errors
/// Any [`Error`] but those of the text's own form. What the official decoder refuses is refused, and what the JSON decoder
/// refuses: an ack id that is negative or over 2^53-1, one in a CONNECT or a DISCONNECT, a CONNECT_ERROR, a reserved name.
pub fn decode(bytes: &[u8]) -> Result<Packet<'_>, Error> {
    decode_within(bytes, limits::JSON_DEPTH_MAX as u8)
}

/// [`decode`], with so many levels of nesting at most.
///
/// # Errors
/// As [`decode`].
pub fn decode_within(bytes: &[u8], depth_max: u8) -> Result<Packet<'_>, Error> {
    let members = Members::read(bytes)?;
    let nsp = members.nsp.ok_or(Fault::Namespace)?;
    if nsp.len() > limits::NAMESPACE_BYTES_MAX {
        return Err(Error::NamespaceBytes(nsp.len()));
    }
    match (members.kind.ok_or(Fault::Type)?, members.id) {
        (0 | 1, Some(id)) => Err(Error::UnexpectedAckId(id)),
        (0, None) => Ok(Packet::Connect { nsp, auth: members.auth(depth_max)? }),
        (1, None) => match members.data {
            None => Ok(Packet::Disconnect { nsp }),
            Some(data) => Err(Error::UnexpectedPayload(data.len())),
        },
        (2, id) => {
            let payload = members.payload(depth_max)?;
            Ok(Packet::Event { nsp, id, payload: check_name(payload)? })
        }
        (3, id) => Ok(Packet::Ack { nsp, id, payload: members.payload(depth_max)? }),
        (4, _) => Err(Error::ConnectError),
        _ => Err(Fault::Type.into()),
    }
}

/// What the map has; of members that come twice the last counts, as in the clients' language.
#[derive(Default)]
struct Members<'a> {
    kind: Option<u8>,
    nsp: Option<&'a str>,
    id: Option<u64>,
    /// One value, passed over once.
    data: Option<&'a [u8]>,
}

impl<'a> Members<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let Head::Map(count) = reader.head()? else { return Err(Fault::NotMap.into()) };
        let mut members = Self::default();
        for _ in 0..count {
            members.read_one(&mut reader)?;
        }
        if reader.at() < bytes.len() { Err(Fault::Trailing(reader.at()).into()) } else { Ok(members) }
    }

    fn read_one(&mut self, reader: &mut Reader<'a>) -> Result<(), Error> {
        let Head::Str(key) = reader.head()? else { return Err(Fault::Key.into()) };
        let start = reader.at();
        reader.skip()?;
        let value = reader.since(start);
        let head = Reader::new(value).head()?;
        match key {
            b"type" => self.kind = Some(packet_kind(head)?),
            b"nsp" => self.nsp = Some(namespace(head)?),
            b"id" if head.is_undefined() => self.id = None,
            b"id" => self.id = Some(ack_id(head)?),
            b"data" => self.data = Some(value).filter(|_| !head.is_undefined()),
            _ => {}
        }
        Ok(())
    }

    fn auth(&self, depth_max: u8) -> Result<Option<String>, Error> {
        let Some(data) = self.data else { return Ok(None) };
        match Reader::new(data).head()? {
            Head::Map(_) => Ok(Some(read(data, Binary::Numbers, depth_max)?.json)),
            head => Err(Error::AuthKind(json_kind(head))),
        }
    }

    fn payload(&self, depth_max: u8) -> Result<Payload, Error> {
        let data = self.data.ok_or(Error::MissingPayload)?;
        match Reader::new(data).head()? {
            Head::Array(count) if count as usize > limits::ARGUMENTS_MAX => {
                Err(Error::Json(json::Error::Elements(count as usize)))
            }
            Head::Array(_) => read(data, Binary::Attached, depth_max),
            head => Err(Error::Json(json::Error::NotArray(json_kind(head)))),
        }
    }
}

fn packet_kind(head: Head<'_>) -> Result<u8, Fault> {
    head.integer().and_then(|kind| u8::try_from(kind).ok()).filter(|kind| *kind <= 4).ok_or(Fault::Type)
}

fn namespace(head: Head<'_>) -> Result<&str, Fault> {
    match head {
        Head::Str(name) => str::from_utf8(name).map_err(|_| Fault::Text),
        _ => Err(Fault::Namespace),
    }
}

fn ack_id(head: Head<'_>) -> Result<u64, Error> {
    let id = head.integer().ok_or(Fault::Id)?;
    u64::try_from(id).ok().filter(|id| *id <= limits::ACK_ID_MAX).ok_or(Error::AckId)
}

/// What a value would be in JSON.
const fn json_kind(head: Head<'_>) -> Kind {
    match head {
        Head::Nil => Kind::Null,
        Head::Bool(_) => Kind::Bool,
        Head::Unsigned(_) | Head::Signed(_) | Head::Float(_) => Kind::Number,
        Head::Str(_) => Kind::String,
        Head::Array(_) => Kind::Array,
        Head::Map(_) | Head::Bin(_) | Head::Ext { .. } => Kind::Object,
    }
}

fn check_name(payload: Payload) -> Result<Payload, Error> {
    let Payload { json, spans, attachments } = payload;
    let args = Args::from_parts(&json, spans);
    check_event_name(&args)?;
    let spans = args.into_spans();
    Ok(Payload { json, spans, attachments })
}
