//! CONNECT as clients of Engine.IO 3 write it: the credentials are a query behind the namespace's name. It is not the
//! packet of Socket.IO 5, where a question mark is part of the name.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::error::Error;
use super::json;
use crate::{http, limits};

/// Reads a CONNECT, such as `0/chat?token=abc,`: the namespace, and its query as a JSON object of strings.
///
/// # Errors
/// [`Error::Type`] for any other packet, [`Error::NamespaceBytes`], [`Error::QueryBytes`], and
/// [`Error::UnexpectedPayload`]: these clients send none.
pub fn decode_connect_v3(text: &str) -> Result<(&str, Option<String>), Error> {
    let rest = text.strip_prefix('0').ok_or(text.chars().next().map_or(Error::Empty, Error::Type))?;
    let (target, payload) = match rest.starts_with('/') {
        true => rest.split_once(',').unwrap_or((rest, "")),
        false => ("/", rest),
    };
    let (nsp, query) = target.split_once('?').unwrap_or((target, ""));
    match (nsp.len(), query.len(), payload.len()) {
        (found, ..) if found > limits::NAMESPACE_BYTES_MAX => Err(Error::NamespaceBytes(found)),
        (_, found, _) if found > limits::NAMESPACE_QUERY_BYTES_MAX => Err(Error::QueryBytes(found)),
        (.., 0) => Ok((nsp, (!query.is_empty()).then(|| object(query)))),
        (.., found) => Err(Error::UnexpectedPayload(found)),
    }
}

/// The parameters of a query; the last of a name counts.
fn object(query: &str) -> String {
    let pairs: BTreeMap<Cow<'_, str>, Cow<'_, str>> = http::query_pairs(query).collect();
    let mut out = vec![b'{'];
    for (name, value) in pairs {
        if out.len() > 1 {
            out.push(b',');
        }
        json::write_string(&mut out, &name);
        out.push(b':');
        json::write_string(&mut out, &value);
    }
    out.push(b'}');
    String::from_utf8(out).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_is_an_object() {
        for (text, nsp, auth) in [
            ("0", "/", None),
            ("0/chat", "/chat", None),
            ("0/chat,", "/chat", None),
            ("0/chat?,", "/chat", None),
            ("0/chat?token=a%20b&x=1,", "/chat", Some(r#"{"token":"a b","x":"1"}"#)),
            ("0/chat?x=1&x=2", "/chat", Some(r#"{"x":"2"}"#)),
            ("0/chat?flag&q=%22,", "/chat", Some(r#"{"flag":"","q":"\""}"#)),
        ] {
            assert_eq!(decode_connect_v3(text), Ok((nsp, auth.map(str::to_owned))), "{text}");
        }
    }

    #[test]
    fn what_is_none_is_refused() {
        let long = format!("0/chat?{}", "x".repeat(limits::NAMESPACE_QUERY_BYTES_MAX + 1));
        for (text, error) in [
            ("", Error::Empty),
            ("2[\"a\"]", Error::Type('2')),
            ("0{}", Error::UnexpectedPayload(2)),
            ("0/chat,{}", Error::UnexpectedPayload(2)),
            (&long, Error::QueryBytes(limits::NAMESPACE_QUERY_BYTES_MAX + 1)),
        ] {
            assert_eq!(decode_connect_v3(text), Err(error), "{text}");
        }
    }
}
