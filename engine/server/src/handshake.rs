//! What a client said when it connected.
//!
//! Not checked by anyone: it is what the peer claims, but for the address and the time.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use socketville_hub::Greeting;
use socketville_proto::http::{self, Head};

use crate::extract::{ArgumentError, read_text};

/// What a client said when it connected. Source: `socket.handshake`.
///
/// But for `auth` it is empty if the server does not [keep handshakes](crate::Builder::keep_handshakes).
#[derive(Debug, Clone)]
pub struct Handshake {
    /// Shared by its clones.
    head: Arc<[u8]>,
    auth: Option<Arc<String>>,
    address: Option<IpAddr>,
    issued: Option<SystemTime>,
}

impl Handshake {
    /// `now_ms` is the present in the greeting's milliseconds.
    pub(crate) fn new(greeting: Option<Greeting>, auth: Option<Arc<String>>, now_ms: u64) -> Self {
        let age = |greeting: &Greeting| Duration::from_millis(now_ms.saturating_sub(greeting.at_ms));
        Self {
            auth,
            address: greeting.as_ref().and_then(|greeting| greeting.address),
            issued: greeting.as_ref().and_then(|greeting| SystemTime::now().checked_sub(age(greeting))),
            head: greeting.map(|greeting| greeting.head.into()).unwrap_or_default(),
        }
    }

    /// Of a request that has not opened a session yet.
    pub(crate) fn of_request(head: &[u8]) -> Self {
        Self { head: head.into(), auth: None, address: None, issued: None }
    }

    /// The namespace's `auth`; `{}` if the client gave none. Source: `auth`.
    ///
    /// # Errors
    /// [`ArgumentError`] if it is not a `T`.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ArgumentError> {
        read_text(self.auth.as_ref().map_or("{}", |auth| auth.as_str()))
    }

    /// The first header of this name of the request that opened the session, ASCII case ignored. Source: `headers`.
    pub fn header(&self, name: &str) -> Option<String> {
        self.head()?.header(name).map(str::to_owned)
    }

    /// All headers of that request, names in small letters; what is not UTF-8 is left out. Source: `headers`.
    pub fn headers(&self) -> Vec<(String, String)> {
        let Some(head) = self.head() else { return Vec::new() };
        let text = |value: &[u8]| std::str::from_utf8(value).ok().map(str::to_owned);
        head.headers().filter_map(|(name, value)| Some((name.to_ascii_lowercase(), text(value)?))).collect()
    }

    /// The first value of a parameter of the connection's query, decoded. Source: `query`.
    pub fn query(&self, key: &str) -> Option<String> {
        self.head()?.query_value(key).map(Cow::into_owned)
    }

    /// All parameters of the query in their order, decoded. Source: `query`.
    pub fn queries(&self) -> Vec<(String, String)> {
        let Some(head) = self.head() else { return Vec::new() };
        http::query_pairs(head.query).map(|(key, value)| (key.into_owned(), value.into_owned())).collect()
    }

    /// Path and query as they came. Source: `url`.
    pub fn url(&self) -> String {
        self.head().map_or_else(String::new, |head| head.target.to_owned())
    }

    /// The address of the connection's other end; behind a proxy that is the proxy's, but for
    /// [trusted](crate::Builder::trusted_proxies) ones, whose client it is. Source: `address`.
    pub const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// When the session was opened. Source: `issued`.
    pub const fn issued(&self) -> Option<SystemTime> {
        self.issued
    }

    /// The same as JavaScript writes it: `Mon Nov 23 2026 08:00:00 GMT+0000 (Coordinated Universal Time)`. Source: `time`.
    pub fn time(&self) -> String {
        let since = self.issued.and_then(|issued| issued.duration_since(UNIX_EPOCH).ok());
        since.map_or_else(String::new, |since| javascript_date(since.as_secs()))
    }

    /// Whether the request came from another origin, or said so: it had an `Origin`. Source: `xdomain`.
    pub fn is_xdomain(&self) -> bool {
        self.header("origin").is_some()
    }

    /// Whether the connection is encrypted: never, TLS is a proxy's. Source: `secure`.
    pub const fn is_secure(&self) -> bool {
        false
    }

    fn head(&self) -> Option<Head<'_>> {
        http::parse_head(&self.head).ok().flatten().map(|(head, _)| head)
    }
}

/// Seconds since 1970 as a date of UTC in JavaScript's `toString` form.
fn javascript_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (weekday, month) = (DAYS[(days % 7) as usize], MONTHS[month]);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!(
        "{weekday} {month} {day:02} {year} {hour:02}:{minute:02}:{second:02} GMT+0000 (Coordinated Universal Time)"
    )
}

/// Year, month from 0 and day from 1 of a day since 1970, in the Gregorian calendar.
fn civil(mut days: u64) -> (u64, usize, u64) {
    let is_leap =
        |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 0;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_javascripts() {
        for (seconds, date) in [
            (0, "Thu Jan 01 1970 00:00:00"),
            (951_782_399, "Mon Feb 28 2000 23:59:59"),
            (951_782_400, "Tue Feb 29 2000 00:00:00"),
            (951_868_800, "Wed Mar 01 2000 00:00:00"),
            (1_798_761_599, "Thu Dec 31 2026 23:59:59"),
            (4_107_542_400, "Mon Mar 01 2100 00:00:00"),
        ] {
            assert_eq!(javascript_date(seconds), format!("{date} GMT+0000 (Coordinated Universal Time)"));
        }
    }
}
