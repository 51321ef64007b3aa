//! Networks of addresses: which proxies an operator trusts, and which client a proxy forwards.
//!
//! Not names: an address is written as one, and nothing is looked up.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use socketville_proto::http::Head;

/// An address, `192.0.2.7` or `2001:db8::7`, or all that begin as it does: `10.0.0.0/8`, `2001:db8::/32`. An address of version 4 is the same as the
/// one of version 6 that maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    bits: u128,
    /// Bits that count, of 128.
    len: u8,
}

/// Why a text is no network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NetworkError {
    /// What was found.
    pub found: String,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected an address or a network such as 10.0.0.0/8 or 2001:db8::/32, found {:?}",
            self.found
        )
    }
}

impl std::error::Error for NetworkError {}

impl Network {
    /// Whether an address is one of these.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differ = bits_of(address) ^ self.bits;
        differ.checked_shr(128 - u32::from(self.len)).is_none_or(|differ| differ == 0)
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, len) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len.parse::<u8>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let len_max = if address.is_ipv4() { 32 } else { 128 };
        let len = len.unwrap_or(len_max);
        (len <= len_max).then(|| Self { bits: bits_of(address), len: 128 - (len_max - len) })
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Self::parse(text.trim()).ok_or_else(|| NetworkError { found: text.to_owned() })
    }
}

impl TryFrom<&str> for Network {
    type Error = NetworkError;

    fn try_from(text: &str) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        Self { bits: bits_of(address), len: 128 }
    }
}

fn bits_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().to_bits(),
        IpAddr::V6(six) => six.to_bits(),
    }
}

/// Whether one of these networks has an address.
pub(crate) fn is_one_of(networks: &[Network], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// The client that a trusted proxy forwards a request for, if the request says so: the last address of `X-Forwarded-For` that is no trusted proxy's itself, for only what
/// those have appended is known; without that header, of `Forwarded` (RFC 7239 section 4).
pub(crate) fn forwarded_for(head: &Head<'_>, proxies: &[Network]) -> Option<IpAddr> {
    let lines = |name: &'static str| {
        head.headers()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
    };
    let named: Vec<&str> = lines("x-forwarded-for").flat_map(|line| line.split(',')).collect();
    let named = match named.is_empty() {
        false => named,
        true => lines("forwarded").flat_map(|line| line.split(',')).map(for_of).collect(),
    };
    let mut first = None;
    for text in named.into_iter().rev() {
        let Some(address) = node(text) else { break };
        first = Some(address);
        if !is_one_of(proxies, address) {
            break;
        }
    }
    first
}

/// The value of `for` in an element of `Forwarded`.
fn for_of(element: &str) -> &str {
    let mut pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let named = pairs.find(|(name, _)| name.eq_ignore_ascii_case("for"));
    named.map_or("", |(_, value)| value.trim_matches('"'))
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']')?.0.parse().ok();
    }
    text.parse().ok().or_else(|| text.rsplit_once(':')?.0.parse().ok())
}

#[cfg(test)]
mod tests {
    use socketville_proto::http::parse_head;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().expect("a network")
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_network_is_all_that_begin_as_it_does() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.1.2.3/8", "10.9.9.9", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.0/31", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
            ("::1", "::1", "::2"),
            ("0.0.0.0/0", "255.1.2.3", "2001:db8::1"),
        ] {
            let network = network(text);
            assert!(network.contains(ip(inside)) && !network.contains(ip(outside)), "{text}");
        }
        assert!(network("::/0").contains(ip("1.2.3.4")) && network("::/0").contains(ip("2001:db8::1")));
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "host", "10.0.0.0/x", "1.2.3.4:80"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_stranger_is_the_client() {
        let proxies = [network("10.0.0.0/8"), network("2001:db8:ff::/48")];
        for (lines, client) in [
            ("X-Forwarded-For: 192.0.2.1", Some("192.0.2.1")),
            ("X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.9", Some("192.0.2.1")),
            ("X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: 192.0.2.1 ,10.0.0.9", Some("192.0.2.1")),
            ("X-Forwarded-For: 10.0.0.7, 10.0.0.9", Some("10.0.0.7")),
            ("X-Forwarded-For: 192.0.2.1, rubbish", None),
            ("X-Forwarded-For: rubbish, 10.0.0.9", Some("10.0.0.9")),
            ("X-Forwarded-For: 192.0.2.1:4711", Some("192.0.2.1")),
            ("X-Forwarded-For: [2001:db8::7]:4711", Some("2001:db8::7")),
            ("X-Forwarded-For: 2001:db8::7, 2001:db8:ff::1", Some("2001:db8::7")),
            ("Forwarded: for=6.6.6.6, For=\"[2001:db8::7]:1\";proto=https;by=10.0.0.1", Some("2001:db8::7")),
            ("Forwarded: proto=https;for=192.0.2.1", Some("192.0.2.1")),
            ("Forwarded: for=_hidden", None),
            ("Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 192.0.2.1", Some("192.0.2.1")),
            ("Accept: */*", None),
        ] {
            let bytes = format!("GET / HTTP/1.1\r\nHost: h\r\n{lines}\r\n\r\n");
            let (head, _) = parse_head(bytes.as_bytes()).expect("valid").expect("whole");
            assert_eq!(forwarded_for(&head, &proxies), client.map(ip), "{lines}");
        }
    }
}
