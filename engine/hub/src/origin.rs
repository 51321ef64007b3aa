//! Origins: where a page comes from, as a browser says it, and as an operator writes which may.
//!
//! Not a URL. An origin is a scheme, a host and a port, and is compared so (RFC 6454 section 4): `HTTPS://Example.com:443/` is `https://example.com`.
//! What could never match is refused when it is read, not when the first page is turned away.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// An origin that may connect, or many: `https://example.com`, `http://localhost:8080`, `https://*.example.org` for one label, or `null`, which is what
/// browsers say of files and sandboxed frames.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin(Rule);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Rule {
    Null,
    /// This one.
    One(Tuple),
    /// All whose host is one label before this one's.
    Below(Tuple),
}

/// Scheme, host and port, in small letters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Tuple {
    scheme: Box<str>,
    host: Box<str>,
    /// `None` is the scheme's own.
    port: Option<u16>,
}

/// Why a text is no origin.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OriginError {
    /// What was found.
    pub found: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected an origin such as https://example.com, found {:?}: {}", self.found, self.why)
    }
}

impl std::error::Error for OriginError {}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let trimmed = text.trim();
        let rule = if trimmed == "null" { Ok(Rule::Null) } else { read_rule(trimmed) };
        rule.map(Self).map_err(|why| OriginError { found: text.to_owned(), why })
    }
}

impl TryFrom<&str> for Origin {
    type Error = OriginError;

    fn try_from(text: &str) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl TryFrom<String> for Origin {
    type Error = OriginError;

    fn try_from(text: String) -> Result<Self, OriginError> {
        text.parse()
    }
}

impl Origin {
    /// Whether a page that names itself so is one of these.
    pub fn admits(&self, page: &str) -> bool {
        match &self.0 {
            Rule::Null => page == "null",
            Rule::One(one) => Tuple::read(page).as_ref() == Ok(one),
            Rule::Below(parent) => Tuple::read(page).is_ok_and(|page| page.is_label_below(parent)),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Tuple { scheme, host, port }, label) = match &self.0 {
            Rule::Null => return f.write_str("null"),
            Rule::One(one) => (one, ""),
            Rule::Below(parent) => (parent, "*."),
        };
        write!(f, "{scheme}://{label}{host}")?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether a page comes from the host that it asks: `host` is what its request says that this is.
pub(crate) fn is_own(page: &str, host: &str) -> bool {
    Tuple::read(page).is_ok_and(|page| Tuple::of(&page.scheme, host).as_ref() == Ok(&page))
}

fn read_rule(text: &str) -> Result<Rule, &'static str> {
    if text == "*" {
        return Err("a list names origins; any is allowed by no list");
    }
    match text.split_once("://*.") {
        None => Tuple::read(text).map(Rule::One),
        Some((scheme, rest)) => Tuple::of(scheme, rest.strip_suffix('/').unwrap_or(rest)).map(Rule::Below),
    }
}

impl Tuple {
    fn read(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("it has no scheme, such as https://")?;
        Self::of(scheme, rest.strip_suffix('/').unwrap_or(rest))
    }

    /// From a scheme, and a host with its port if it names one.
    fn of(scheme: &str, authority: &str) -> Result<Self, &'static str> {
        let mut letters = scheme.bytes();
        let is_scheme = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme {
            return Err("its scheme is none");
        }
        let scheme = scheme.to_ascii_lowercase().into_boxed_str();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, read_port(port)?),
            _ => (authority, None),
        };
        let port = port.filter(|&port| Some(port) != own_port(&scheme));
        Ok(Self { scheme, host: read_host(host)?, port })
    }

    fn is_label_below(&self, parent: &Self) -> bool {
        let label = self.host.strip_suffix(&*parent.host).and_then(|label| label.strip_suffix('.'));
        self.scheme == parent.scheme
            && self.port == parent.port
            && label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
    }
}

/// The port of a scheme that need not be said.
fn own_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

fn read_port(text: &str) -> Result<Option<u16>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&port| is_number && port > 0).map(Some).ok_or("its port is not 1 to 65535")
}

fn read_host(text: &str) -> Result<Box<str>, &'static str> {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = address.parse().map_err(|_| "its host is no address of IPv6")?;
        return Ok(format!("[{address}]").into());
    }
    let host = text.to_ascii_lowercase();
    if !host.is_ascii() {
        return Err("browsers say names of other letters in their ASCII form, xn--...");
    }
    if host.contains('*') {
        return Err("* stands for one whole label, the first");
    }
    if host.contains(['/', '?', '#', '@']) {
        return Err("it has more than scheme, host and port");
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    let labels = host.strip_suffix('.').unwrap_or(&host);
    if host.len() > 253 || !labels.split('.').all(is_label) {
        return Err("its host is none");
    }
    Ok(host.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(written: &str, page: &str) -> bool {
        written.parse::<Origin>().unwrap_or_else(|error| panic!("{error}")).admits(page)
    }

    /// RFC 6454 section 4: scheme, host and port are what is compared.
    #[test]
    fn an_origin_is_compared_by_scheme_host_and_port() {
        for written in [
            "https://example.com",
            "HTTPS://Example.COM",
            "https://example.com:443",
            "https://example.com/",
            "https://example.com:",
            " https://example.com:443/ ",
        ] {
            for page in ["https://example.com", "https://EXAMPLE.com", "https://example.com:443"] {
                assert!(admits(written, page), "{written} {page}");
            }
            for page in [
                "http://example.com",
                "https://example.com:8443",
                "https://example.com.evil.org",
                "https://evil-example.com",
                "https://a.example.com",
                "null",
                "example.com",
                "https://example.com/a",
                "",
            ] {
                assert!(!admits(written, page), "{written} {page}");
            }
        }
        assert!(admits("http://localhost:08080", "http://localhost:8080"));
        assert!(admits("http://[::1]:3000", "http://[0:0:0:0:0:0:0:1]:3000"));
        assert!(admits("capacitor://localhost", "capacitor://localhost"));
        assert!(admits("http://127.0.0.1", "http://127.0.0.1:80"));
        assert!(admits("null", "null") && !admits("null", "https://a.b"));
    }

    #[test]
    fn an_asterisk_is_one_label() {
        let written = "https://*.Example.org:443/";
        assert!(admits(written, "https://a.example.org") && admits(written, "https://A.example.ORG:443"));
        for page in [
            "https://example.org",
            "https://.example.org",
            "https://a.b.example.org",
            "http://a.example.org",
            "https://a.example.org:8443",
            "https://aexample.org",
            "https://a.example.org.evil.com",
        ] {
            assert!(!admits(written, page), "{page}");
        }
        assert!(admits("http://*.localhost:3000", "http://x.localhost:3000"));
    }

    #[test]
    fn what_could_never_match_is_refused() {
        for written in [
            "",
            "*",
            "example.org",
            "//example.org",
            "https://",
            "https:///",
            "://a",
            "1a://b",
            "https://a b",
            "https://a/b",
            "https://a/?b",
            "https://a//",
            "https://u@a",
            "https://a#",
            "https://a:0",
            "https://a:65536",
            "https://a:+1",
            "https://a:b",
            "https://*",
            "https://*.",
            "https://a.*.org",
            "https://a*.org",
            "https://*.*.org",
            "https://bücher.example",
            "https://a..b",
            "http://[::g]",
            "http://::1",
            "Null",
        ] {
            let read = written.parse::<Origin>();
            assert!(read.is_err(), "{written}: {read:?}");
        }
    }

    #[test]
    fn it_is_shown_as_it_is_compared() {
        for (written, shown) in [
            ("HTTPS://A.b:443/", "https://a.b"),
            ("https://*.A.b:1", "https://*.a.b:1"),
            ("http://[::0001]", "http://[::1]"),
            ("null", "null"),
        ] {
            let origin: Origin = written.parse().unwrap();
            assert_eq!(origin.to_string(), shown);
            assert_eq!(shown.parse(), Ok(origin));
        }
    }

    #[test]
    fn the_own_host_is_told_by_the_request() {
        for (page, host, is) in [
            ("https://a.b", "a.b", true),
            ("https://a.b", "A.B:443", true),
            ("http://a.b:80", "a.b", true),
            ("https://a.b:8443", "a.b:8443", true),
            ("https://a.b", "a.b:8443", false),
            ("https://a.b.c", "a.b", false),
            ("null", "null", false),
            ("https://", "", false),
        ] {
            assert_eq!(is_own(page, host), is, "{page} {host}");
        }
    }
}
