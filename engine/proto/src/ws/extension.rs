//! The offer of permessage-deflate and our answer to it (RFC 7692 sections 5 and 7.1).
//!
//! Not the compression. What cannot be met is declined, never an error: the handshake goes on without the extension. We
//! never keep a window from one message to the next, on either side, and say so in every answer: so one compressed
//! frame serves every connection with the same window, and an idle connection holds no inflater.

use crate::http::Head;

/// How far back a compressed frame may refer: what the frames of a connection must keep to.
///
/// Two sizes and not seven, so that a broadcast is compressed at most twice, whatever its clients asked for. A client
/// may be answered with a smaller window than it asked for (RFC 7692 section 7.1.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Window {
    /// 32 KiB: the client asked for nothing less, as all browsers.
    Full,
    /// 512 bytes: the client cannot hold the full one.
    Small,
}

/// What was agreed upon with a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// The window of our frames.
    pub window: Window,
    is_told: bool,
}

/// A parameter of an offer, as `name` or `name=value`.
type Parameter<'a> = (&'a [u8], Option<&'a [u8]>);

/// The largest window of DEFLATE in bits, as window parameters count.
const WINDOW_BITS_MAX: u8 = 15;

impl Window {
    /// Both, the full one first.
    pub const ALL: [Self; 2] = [Self::Full, Self::Small];

    /// Bits of the window, as parameters count.
    pub const fn bits(self) -> u8 {
        match self {
            Self::Full => WINDOW_BITS_MAX,
            // With 8 bits, which the standard allows, the format's usual implementations write wrong streams.
            Self::Small => 9,
        }
    }
}

impl Agreement {
    /// The value of Sec-WebSocket-Extensions that accepts the offer.
    pub const fn answer(self) -> &'static str {
        match (self.is_told, self.window) {
            (false, _) => "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
            (true, Window::Full) => {
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"
            }
            (true, Window::Small) => {
                "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9"
            }
        }
    }
}

/// The first offer of permessage-deflate that can be met; `None` if there is none. One pass over the headers.
pub fn agree_on_deflate(head: &Head<'_>) -> Option<Agreement> {
    head.values("Sec-WebSocket-Extensions").find_map(|list| Parts::new(list, b',').find_map(accept))
}

/// Judges one offer of the list.
fn accept(offer: &[u8]) -> Option<Agreement> {
    let mut parts = Parts::new(offer, b';');
    parts.next().filter(|name| name.eq_ignore_ascii_case(b"permessage-deflate"))?;
    let mut seen = [false; 4];
    let mut agreement = Agreement { window: Window::Full, is_told: false };
    for part in parts {
        let index = match parameter(part) {
            (b"server_no_context_takeover", None) => 0,
            (b"client_no_context_takeover", None) => 1,
            // Any window of the client's is within ours.
            (b"client_max_window_bits", value) if value.is_none_or(|value| bits(value).is_some()) => 2,
            (b"server_max_window_bits", Some(value)) => {
                let bits = bits(value)?;
                let window = Window::ALL.into_iter().find(|window| window.bits() <= bits)?;
                agreement = Agreement { window, is_told: true };
                3
            }
            _ => return None,
        };
        if std::mem::replace(&mut seen[index], true) {
            return None; // a parameter twice (section 7.1)
        }
    }
    Some(agreement)
}

fn parameter(part: &[u8]) -> Parameter<'_> {
    let Some(equals) = memchr::memchr(b'=', part) else { return (part, None) };
    let (name, value) = (part[..equals].trim_ascii_end(), part[equals + 1..].trim_ascii_start());
    let unquoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    (name, Some(unquoted.unwrap_or(value)))
}

/// A decimal from 8 to 15 without leading zeros (section 7.1.2).
fn bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// Splits at a separator outside quotes; parts without the blanks around them.
struct Parts<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> Parts<'a> {
    const fn new(list: &'a [u8], separator: u8) -> Self {
        Self { rest: Some(list), separator }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let (mut is_quoted, mut is_escaped) = (false, false);
        let end = rest.iter().position(|&byte| {
            let is_escape = is_quoted && !is_escaped && byte == b'\\';
            is_quoted ^= byte == b'"' && !is_escaped;
            is_escaped = is_escape;
            byte == self.separator && !is_quoted
        });
        let (part, rest) = match end {
            Some(end) => (&rest[..end], rest.get(end + 1..)),
            None => (rest, None),
        };
        self.rest = rest;
        Some(part.trim_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http;

    fn agree(offers: &[&str]) -> Option<&'static str> {
        let mut request = "GET / HTTP/1.1\r\nHost: a\r\n".to_owned();
        for offer in offers {
            request += &format!("Sec-WebSocket-Extensions: {offer}\r\n");
        }
        request += "\r\n";
        let (head, _) = http::parse_head(request.as_bytes()).expect("valid").expect("complete");
        agree_on_deflate(&head)
            .map(|agreement| agreement.answer())
            .map(|answer| answer.trim_start_matches(PLAIN))
    }

    const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    /// RFC 7692 section 7.1.3: what clients offer.
    #[test]
    fn offers_that_can_be_met_are_accepted() {
        for offer in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate;client_max_window_bits=10;server_no_context_takeover",
            "permessage-deflate; client_no_context_takeover; client_max_window_bits=\"15\"",
            "x-webkit-deflate-frame, permessage-deflate",
            "x; y=\"a, permessage-deflate; z\\\"\", PerMessage-Deflate",
        ] {
            assert_eq!(agree(&[offer]), Some(""), "{offer}");
        }
        assert_eq!(agree(&["foo", "bar, permessage-deflate"]), Some(""));
    }

    /// RFC 7692 section 7.1.2.1: the answer's window is at most the offer's.
    #[test]
    fn a_smaller_window_is_answered_with_a_smaller_one() {
        for (bits, answer) in [(15, "; server_max_window_bits=15"), (14, "; server_max_window_bits=9")] {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            assert_eq!(agree(&[&offer]), Some(answer));
        }
        assert_eq!(
            agree(&["permessage-deflate; server_max_window_bits=9"]),
            Some("; server_max_window_bits=9")
        );
    }

    /// RFC 7692 section 7.1: an invalid offer is declined, and the next one is looked at.
    #[test]
    fn offers_that_cannot_be_met_are_declined() {
        for offer in [
            "",
            "permessage-bzip2",
            "permessage-deflate; unknown",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=8",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; client_max_window_bits=08",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
            "x=\"permessage-deflate",
            ";;;,,,",
        ] {
            assert_eq!(agree(&[offer]), None, "{offer}");
            assert_eq!(agree(&[&format!("{offer}, permessage-deflate")]).is_some(), !offer.contains('"'));
        }
    }
}
