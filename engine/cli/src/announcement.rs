//! What is printed at start: where to look.
//!
//! Not a log: it is for the person or script that started the server, and goes to standard output.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::key::ApiKey;

/// Where everything is.
pub(crate) struct Announcement {
    /// What is listened on.
    pub(crate) address: SocketAddr,
    /// All namespaces.
    pub(crate) namespaces: Vec<String>,
    /// The key, if it was made here; one that was given is known.
    pub(crate) new_key: Option<ApiKey>,
    /// Whether `/` is the town's page.
    pub(crate) has_page: bool,
    /// The number of cores.
    pub(crate) cores: usize,
    /// The driver and why it was chosen.
    pub(crate) driver: String,
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = format!("http://{}", reachable(self.address));
        let page = if self.has_page { "the town: open it in a browser" } else { "what is here" };
        let key = self.new_key.as_ref().map_or("KEY", ApiKey::reveal);
        writeln!(f, "Socketville {} listens on {}\n", env!("CARGO_PKG_VERSION"), self.address)?;
        writeln!(f, "  page       {url}/   {page}")?;
        writeln!(f, "  Socket.IO  {url}/socket.io/   namespaces {}", self.namespaces.join(" "))?;
        writeln!(f, "  publish    {url}/api/publish   POST with `Authorization: Bearer KEY`")?;
        match &self.new_key {
            Some(key) => writeln!(
                f,
                "  key        {}   made now; SOCKETVILLE_API_KEY sets a lasting one",
                key.reveal()
            )?,
            None => writeln!(f, "  key        the one that was given")?,
        }
        writeln!(f, "  health     {url}/healthz")?;
        writeln!(f, "  metrics    {url}/metrics")?;
        writeln!(f, "  cores      {}", self.cores)?;
        writeln!(f, "  driver     {}\n", self.driver)?;
        writeln!(f, "Try: curl {url}/api/publish -H 'Authorization: Bearer {key}' -d '{EXAMPLE}'\n")
    }
}

/// An address that a browser on this machine can open: "all interfaces" is none.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

const EXAMPLE: &str = r#"{"rooms":["lobby"],"event":"bell","args":["Tea is ready"]}"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(address: &str, new_key: Option<ApiKey>) -> String {
        Announcement {
            address: address.parse().expect("valid"),
            namespaces: vec!["/".into(), "/chat".into()],
            new_key,
            has_page: true,
            cores: 2,
            driver: "epoll, since it was asked for".into(),
        }
        .to_string()
    }

    #[test]
    fn all_interfaces_are_shown_as_one_that_can_be_opened() {
        assert!(announced("0.0.0.0:3000", None).contains(" http://127.0.0.1:3000/ "));
        assert!(announced("[::]:3000", None).contains(" http://[::1]:3000/ "));
        assert!(announced("10.1.2.3:80", None).contains(" http://10.1.2.3:80/ "));
    }

    #[test]
    fn every_door_has_its_line() {
        let text = announced("127.0.0.1:3000", None);
        for part in [
            "/socket.io/   namespaces / /chat",
            "/api/publish",
            "/healthz",
            "/metrics",
            "cores      2",
            "epoll, since",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }

    #[test]
    fn a_key_is_printed_only_if_it_was_made_here() {
        let key: ApiKey = "made-here".parse().expect("valid");
        assert!(announced("127.0.0.1:3000", Some(key)).contains("made-here"));
        assert!(announced("127.0.0.1:3000", None).contains("the one that was given"));
    }
}
