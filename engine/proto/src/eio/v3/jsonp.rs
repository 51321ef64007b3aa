//! JSONP, the polling of browsers that cannot read across origins: an answer is a script that calls a function with the
//! payload, a body is the field of a form. It is not the payload, which is that of Engine.IO 4 for the clients 3.x.

use crate::http;
use crate::sio::json;

/// The field of the form that carries the payload.
const FIELD: &str = "d";

/// Line separators that end a string in JavaScript though not in JSON.
const SEPARATORS: [(char, &str); 2] = [('\u{2028}', "\\u2028"), ('\u{2029}', "\\u2029")];

/// Appends the script that gives `payload` to the client's function with this number.
pub fn write_jsonp(out: &mut Vec<u8>, index: u32, payload: &str) {
    out.extend_from_slice(format!("___eio[{index}](").as_bytes());
    if SEPARATORS.iter().any(|&(separator, _)| payload.contains(separator)) {
        write_separated(out, payload);
    } else {
        json::write_string(out, payload);
    }
    out.extend_from_slice(b");");
}

fn write_separated(out: &mut Vec<u8>, payload: &str) {
    let mut literal = Vec::new();
    json::write_string(&mut literal, payload);
    let mut literal = String::from_utf8(literal).unwrap_or_default();
    for (separator, escape) in SEPARATORS {
        literal = literal.replace(separator, escape);
    }
    out.extend_from_slice(literal.as_bytes());
}

/// The payload in a form's body; `None` if it is not there.
///
/// Browsers change line ends in forms, so clients write a line feed as `\n`, and what was `\n` before as `\\n`.
pub fn read_form(body: &str) -> Option<String> {
    let (_, value) = http::query_pairs(body).find(|(name, _)| name == FIELD)?;
    let mut payload = String::with_capacity(value.len());
    let mut rest = &*value;
    while let Some(at) = rest.find('\\') {
        payload.push_str(&rest[..at]);
        rest = &rest[at..];
        let (meant, written) = match rest {
            _ if rest.starts_with("\\\\n") => ("\\n", 3),
            _ if rest.starts_with("\\n") => ("\n", 2),
            _ => ("\\", 1),
        };
        payload.push_str(meant);
        rest = &rest[written..];
    }
    payload.push_str(rest);
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(payload: &str) -> String {
        let mut out = Vec::new();
        write_jsonp(&mut out, 7, payload);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_script_calls_the_function_with_the_payload() {
        assert_eq!(script("6:4hello"), r#"___eio[7]("6:4hello");"#);
        assert_eq!(script("4\"\\\n\u{1}"), r#"___eio[7]("4\"\\\n\u0001");"#);
        assert_eq!(script("4\u{2028}é\u{2029}"), r#"___eio[7]("4\u2028é\u2029");"#);
    }

    #[test]
    fn a_form_is_read_as_the_client_meant_it() {
        for (body, payload) in [
            ("d=6%3A4hello", "6:4hello"),
            ("d=a+b%2Bc", "a b+c"),
            ("x=1&d=1%3A2", "1:2"),
            (r"d=4a\nb", "4a\nb"),
            (r"d=4a\\nb", r"4a\nb"),
            (r"d=4\\\nb", "4\\\\nb"),
            (r"d=4\\\\nb", r"4\\\nb"),
            (r"d=4\x\", r"4\x\"),
            ("d=", ""),
        ] {
            assert_eq!(read_form(body).as_deref(), Some(payload), "{body}");
        }
        for body in ["", "e=1", "=1"] {
            assert_eq!(read_form(body), None, "{body}");
        }
    }

    /// What the client does before it sends, done here: a payload survives it.
    #[test]
    fn payloads_survive_a_form() {
        for payload in ["42[\"a\\nb\"]", "line\nline", r"\\n", r"\\\n\n", "\\"] {
            let written = payload.replace("\\n", "\\\n").replace('\n', "\\n");
            let body = format!("d={}", written.replace('%', "%25").replace('+', "%2B").replace('&', "%26"));
            assert_eq!(read_form(&body).as_deref(), Some(payload), "{written}");
        }
    }
}
