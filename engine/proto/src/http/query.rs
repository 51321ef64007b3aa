//! Parameters of a query string, decoded as the URL standard's `application/x-www-form-urlencoded` has it.
//!
//! Not a map: a request is asked for five or six names once, so walking the string is cheaper than building
//! one.

use std::borrow::Cow;

/// The value of the first parameter called `key`, decoded.
pub(super) fn value<'a>(query: &'a str, key: &str) -> Option<Cow<'a, str>> {
    pairs(query).find(|(name, _)| !name.is_empty() && decode(name) == key).map(|(_, value)| decode(value))
}

/// All parameters of a query string in their order, decoded; those without a name are left out.
pub fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    pairs(query).filter(|(name, _)| !name.is_empty()).map(|(name, value)| (decode(name), decode(value)))
}

/// Names and values as they stand. Cut at bytes and not at characters: the pieces are a few letters long, and looking
/// for characters in them took 1 % of what a delivery to a polling client costs.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = Some(query);
    std::iter::from_fn(move || {
        let (pair, after) = cut(rest?, b'&');
        rest = after;
        let (name, value) = cut(pair, b'=');
        Some((name, value.unwrap_or_default()))
    })
}

/// What precedes the first such byte, which is ASCII, and what follows it.
fn cut(text: &str, at: u8) -> (&str, Option<&str>) {
    match text.bytes().position(|byte| byte == at) {
        Some(place) => (text.get(..place).unwrap_or_default(), text.get(place + 1..)),
        None => (text, None),
    }
}

/// Percent- and plus-decodes `text`. A percent sign without two hexadecimal digits stands for itself; bytes
/// that are not UTF-8 become U+FFFD.
fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, taken) = match (first, tail) {
            (b'%', [high, low, ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 3),
                _ => (b'%', 1),
            },
            (b'+', _) => (b' ', 1),
            _ => (first, 1),
        };
        bytes.push(byte);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Cow::Owned(
        String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
    )
}

/// The value of a hexadecimal digit.
pub(super) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_parameter_wins_and_an_absent_one_is_none() {
        let query = "EIO=4&transport=polling&EIO=3&flag&&empty=";
        assert_eq!(value(query, "EIO").as_deref(), Some("4"));
        assert_eq!(value(query, "flag").as_deref(), Some(""));
        assert_eq!(value(query, "empty").as_deref(), Some(""));
        assert_eq!(value(query, "eio"), None);
        assert_eq!(value(query, ""), None);
        assert_eq!(value("", "EIO"), None);
    }

    #[test]
    fn pairs_are_cut_as_the_library_cuts_them() {
        let naive = |query: &'static str| -> Vec<(&str, &str)> {
            query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect()
        };
        for query in ["", "&", "=", "a", "a=", "=b", "a=b=c&é=ü&&x", "a=1&b=2&", "é&=&=é"] {
            assert_eq!(pairs(query).collect::<Vec<_>>(), naive(query), "{query}");
        }
    }

    #[test]
    fn names_and_values_are_decoded() {
        assert_eq!(value("%73id=a%2Fb+c%2b", "sid").as_deref(), Some("a/b c+"));
        assert_eq!(value("a=%C3%A9", "a").as_deref(), Some("é"));
        assert_eq!(value("a=%ff", "a").as_deref(), Some("\u{fffd}"));
    }

    #[test]
    fn a_broken_percent_sign_stands_for_itself() {
        for text in ["%", "%4", "%zz", "100%"] {
            assert_eq!(decode(text), text);
        }
        assert_eq!(decode("%%41"), "%A");
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        assert!(matches!(decode("polling"), Cow::Borrowed("polling")));
    }
}
