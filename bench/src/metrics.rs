//! What a server says about its own sends, if it has `GET /metrics` in Prometheus' text form. Not a
//! Prometheus client: two counters are read, by the end of their names, summed over their labels.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Frames given to connections and the sends that carried them, since the server started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sends {
    /// Frames.
    pub frames: f64,
    /// Sends to the kernel.
    pub sends: f64,
}

impl Sends {
    /// Asks the server; `None` if it has no such page or not both counters.
    #[must_use]
    pub fn ask(address: SocketAddr) -> Option<Sends> {
        Sends::parse(&page(address)?)
    }

    /// What was counted between two questions.
    #[must_use]
    pub fn since(self, before: Sends) -> Sends {
        Sends { frames: self.frames - before.frames, sends: self.sends - before.sends }
    }

    /// Two counts together.
    #[must_use]
    pub fn plus(self, more: Sends) -> Sends {
        Sends { frames: self.frames + more.frames, sends: self.sends + more.sends }
    }

    /// Sends per frame; `None` if nothing was sent.
    #[must_use]
    pub fn per_frame(self) -> Option<f64> {
        (self.frames > 0.0).then(|| self.sends / self.frames)
    }

    fn parse(text: &str) -> Option<Sends> {
        Some(Sends { frames: sum(text, FRAMES)?, sends: sum(text, SENDS)? })
    }
}

/// The counters' names end like this, whatever their prefix; labels are summed.
const FRAMES: &[&str] = &["_frames_total", "_frames_sent_total", "_frames_out_total"];
const SENDS: &[&str] = &["_sends_total"];

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

fn page(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    while !is_complete(&answer)
        && let Ok(count) = stream.read(&mut chunk)
        && count > 0
    {
        answer.extend_from_slice(chunk.get(..count)?);
    }
    let answer = String::from_utf8(answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}

/// Whether head and announced body are there; without an announced length the end of the connection tells.
fn is_complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length
        .and_then(|(_, value)| value.trim().parse::<usize>().ok())
        .is_some_and(|length| body.len() >= length)
}

fn sum(text: &str, names: &[&str]) -> Option<f64> {
    let values = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (series, value) = line.trim().rsplit_once(' ')?;
        let name = series.split('{').next()?;
        names.iter().any(|end| name.ends_with(end)).then(|| value.parse::<f64>().ok())?
    });
    values.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "HTTP/1.1 200 OK\r\n\r\n# HELP x_sends_total of one\nx_sends_total{core=\"0\"} 10\nx_sends_total{core=\"1\"} 5\nx_frames_total 60\nx_other_total 9\n";

    #[test]
    fn labels_are_summed() {
        assert_eq!(Sends::parse(PAGE), Some(Sends { frames: 60.0, sends: 15.0 }));
    }

    #[test]
    fn an_answer_is_complete_with_its_announced_length() {
        assert!(is_complete(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab"));
        assert!(!is_complete(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"));
        assert!(!is_complete(b"HTTP/1.1 200 OK\r\n\r\nab"));
    }

    #[test]
    fn a_page_without_the_counters_says_nothing() {
        assert_eq!(Sends::parse("x_sends_total 1\n"), None);
    }

    #[test]
    fn the_share_is_of_the_difference() {
        let before = Sends { frames: 10.0, sends: 10.0 };
        let after = Sends { frames: 30.0, sends: 15.0 };
        assert_eq!(after.since(before).per_frame(), Some(0.25));
        assert_eq!(before.since(before).per_frame(), None);
        assert_eq!(after.since(before).plus(Sends { frames: 20.0, sends: 15.0 }).per_frame(), Some(0.5));
    }
}
