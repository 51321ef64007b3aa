//! A request head and the questions one can ask it.
//!
//! Not its parser (see `parse`): a `Head` exists only if every rule held. It borrows from the received bytes.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::query;

/// A request method. Case matters: `get` is [`Method::Other`] (RFC 9110 section 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST.
    Post,
    /// PUT.
    Put,
    /// DELETE.
    Delete,
    /// OPTIONS.
    Options,
    /// PATCH.
    Patch,
    /// Any other token.
    Other,
}

/// How the request's body is delimited (RFC 9112 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// No body.
    None,
    /// Exactly this many bytes follow; zero is possible.
    Length(u64),
    /// Chunks follow: see [`super::Chunked`].
    Chunked,
}

/// Header lines, in the order of the wire. Browsers send about 15, so most heads stay off the heap.
pub(super) type Headers<'a> = SmallVec<[(&'a str, &'a [u8]); 24]>;

/// A complete, valid request head.
#[derive(Debug, Clone)]
pub struct Head<'a> {
    /// The method.
    pub method: Method,
    /// The target as it was sent.
    pub target: &'a str,
    /// The path, still percent-encoded: without query, and without scheme and authority if the target had
    /// them.
    pub path: &'a str,
    /// The query, still encoded, without its `?`; empty if there is none.
    pub query: &'a str,
    /// The minor version: 0 or 1.
    pub minor: u8,
    /// How the body is delimited.
    pub body: Body,
    /// Whether the connection may serve another request (RFC 9112 section 9.3). HTTP/1.0 clients that ask for
    /// it do not get it: they may do without.
    pub keep_alive: bool,
    pub(super) headers: Headers<'a>,
}

impl Method {
    pub(super) fn parse(token: &str) -> Self {
        match token {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            "PATCH" => Self::Patch,
            _ => Self::Other,
        }
    }
}

impl<'a> Head<'a> {
    /// The value of the first header of this name (ASCII case ignored), without surrounding blanks.
    ///
    /// `None` if there is none, or if it is not UTF-8. Control bytes other than tab cannot occur in it.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.values(name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Path and query, as they came or out of an absolute address (RFC 9112 section 3.2.1).
    pub fn origin_form(&self) -> Cow<'a, str> {
        match self.target.starts_with('/') || self.target == "*" {
            true => Cow::Borrowed(self.target),
            false if self.query.is_empty() => Cow::Borrowed(self.path),
            false => Cow::Owned(format!("{}?{}", self.path, self.query)),
        }
    }

    /// Whom the request is for: the authority of an absolute address, else the header `Host` (RFC 9112 section 3.2.2).
    pub fn host(&self) -> Option<&'a str> {
        if self.target.starts_with('/') {
            return self.header("host");
        }
        let authority = self.target.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next());
        authority.flatten().map_or_else(|| self.header("host"), Some)
    }

    /// All headers as sent, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.headers.iter().copied()
    }

    /// The value of the first query parameter of this name, percent- and plus-decoded; bytes that are not
    /// UTF-8 become U+FFFD. A parameter without `=` has the empty value.
    pub fn query_value(&self, key: &str) -> Option<Cow<'a, str>> {
        query::value(self.query, key)
    }

    /// Whether `token` is an element of the comma-separated list that all headers of this name form together
    /// (RFC 9110 section 5.6.1; ASCII case ignored). Meant for Connection, Upgrade and their like.
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.elements(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// The values of all headers of this name, in order.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(name)).map(|&(_, value)| value)
    }

    /// The elements of the list that all headers of this name form, empty ones included.
    pub(crate) fn elements(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.values(name).flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
    }
}

#[cfg(test)]
mod tests {
    use crate::http::{Head, parse_head};

    fn head(bytes: &[u8]) -> Head<'_> {
        parse_head(bytes).expect("valid").expect("complete").0
    }

    /// RFC 9110 section 5.1: names ignore case; the first of several wins.
    #[test]
    fn a_header_is_found_whatever_its_case() {
        let head = head(b"GET / HTTP/1.1\r\nhost: a\r\nX-One:  1 \r\nx-one: 2\r\n\r\n");
        assert_eq!(head.header("HOST"), Some("a"));
        assert_eq!(head.header("x-one"), Some("1"));
        assert_eq!(head.header("x-two"), None);
        assert_eq!(head.headers().count(), 3);
    }

    #[test]
    fn a_value_that_is_not_utf8_is_absent() {
        let head = head(b"GET / HTTP/1.1\r\nHost: a\r\nA: \xff\r\nB: \xc3\xa9\r\n\r\n");
        assert_eq!(head.header("a"), None);
        assert_eq!(head.header("b"), Some("é"));
    }

    /// RFC 9112 section 3.2.2: a server accepts the absolute form, whose authority comes before `Host`.
    #[test]
    fn an_absolute_address_is_its_path_and_its_host() {
        for (target, path, form, host) in [
            ("/a?b=c", "/a", "/a?b=c", "h"),
            ("*", "*", "*", "h"),
            ("http://x/a?b=c", "/a", "/a?b=c", "x"),
            ("HTTP://x:80/", "/", "/", "x:80"),
            ("https://x", "/", "/", "x"),
            ("http://x?b=/", "/", "/?b=/", "x"),
        ] {
            let method = if target == "*" { "OPTIONS" } else { "GET" };
            let bytes = format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            let head = head(bytes.as_bytes());
            assert_eq!((head.path, &*head.origin_form(), head.host()), (path, form, Some(host)), "{target}");
        }
    }

    /// RFC 9110 section 5.6.1: one list, however many lines it is spread over.
    #[test]
    fn tokens_are_found_in_lists_and_across_lines() {
        let head =
            head(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive ,Upgrade\r\nConnection: x\r\n\r\n");
        assert!(head.has_token("connection", "upgrade"));
        assert!(head.has_token("Connection", "X"));
        assert!(!head.has_token("Connection", "keep"));
        assert!(!head.has_token("Upgrade", "upgrade"));
    }
}
