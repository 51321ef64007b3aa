//! The reception desk: what is decided about a request of the engine's before it is dealt with, and what its answer will carry besides.
//!
//! Not routing (that is `verdict`) and not middlewares (those see sockets). Nothing is kept for a request whose answer carries nothing special.

use socketville_proto::http::{Encoding, Head, parse_head, write_header};

use crate::conns::{Phase, Progress};
use crate::verdict::Verdict;
use crate::{ConnId, Hub, Id};

/// What the application decides about requests of the engine's; every core asks the same one, in the middle of a turn: it must not wait.
pub trait Desk: Send + Sync {
    /// Whether this request may open a session; the message of a refusal goes to the client. Source: `allowRequest`.
    fn allow(&self, _head: &Head<'_>) -> Permission {
        Permission::Granted
    }

    /// Whether [`Desk::name`] is to be asked: requests are not read once more for nothing.
    fn names_sessions(&self) -> bool {
        false
    }

    /// What the id of a session begins with, after the letter of its core. Source: `generateId`.
    fn name(&self, _head: &Head<'_>) -> Option<String> {
        None
    }

    /// A request of the engine's is refused, with this code and message. Source: the event `connection_error`.
    fn refused(&self, _head: &Head<'_>, _code: usize, _message: &str) {}

    /// Headers that the answer gets. Source: the events `initial_headers`, for the answer that opens a session, and `headers`.
    fn headers(&self, _head: &Head<'_>, _is_initial: bool, _add: &mut dyn FnMut(&str, &str)) {}
}

/// An answer to a request that would open a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It may.
    Granted,
    /// It may not; the message goes to the client.
    Refused(String),
    /// That takes longer: [`Effect::Consider`](crate::Effect::Consider), then [`Hub::handle_considered`].
    Pending,
}

/// The cookie that names the session, on the answer that opens it. Source: `cookie`, default none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name. Source: `cookie.name`, default `io`.
    pub name: String,
    /// Its path. Source: `cookie.path`, default `/`.
    pub path: String,
    /// Whether scripts cannot read it. Source: `cookie.httpOnly`, default yes.
    pub http_only: bool,
    /// Source: `cookie.sameSite`, default `Lax`.
    pub same_site: SameSite,
    /// Whether it travels over TLS only. Source: `cookie.secure`, default no.
    pub secure: bool,
    /// Seconds that it lives; without, as long as the browser. Source: `cookie.maxAge`.
    pub max_age_s: Option<u32>,
    /// Source: `cookie.domain`, default the host's own.
    pub domain: Option<String>,
}

/// To which sites a cookie goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// The own only.
    Strict,
    /// The own, and links to it.
    Lax,
    /// All; browsers ask for `secure` then.
    None,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: "io".into(),
            path: "/".into(),
            http_only: true,
            same_site: SameSite::Lax,
            secure: false,
            max_age_s: None,
            domain: None,
        }
    }
}

impl Cookie {
    fn render(&self, id: &Id) -> String {
        let mut text = format!("{}={}", self.name, id.as_str());
        if let Some(max_age_s) = self.max_age_s {
            text += &format!("; Max-Age={max_age_s}");
        }
        if let Some(domain) = &self.domain {
            text += &format!("; Domain={domain}");
        }
        text += &format!("; Path={}", self.path);
        text += if self.http_only { "; HttpOnly" } else { "" };
        text += if self.secure { "; Secure" } else { "" };
        text += match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        };
        text
    }
}

/// What the answer to a connection's request carries besides.
#[derive(Default)]
pub(crate) struct Extra {
    /// Header lines, each with its end.
    pub(crate) lines: Vec<u8>,
    /// How a body that is long enough may be compressed.
    pub(crate) encoding: Option<Encoding>,
}

/// Whether a request gets packets or an `ok`.
const fn is_answered_in_turn(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::OpenPolling(..) | Verdict::Poll(_) | Verdict::Post(_))
}

/// Browsers that take the script of an answer for an attack: their users are told otherwise. Source: engine.io `Polling.headers`.
fn is_old_explorer(head: &Head<'_>) -> bool {
    head.header("user-agent").is_some_and(|agent| agent.contains(";MSIE") || agent.contains("Trident/"))
}

impl Hub {
    /// From now on requests are shown to this desk.
    pub fn set_desk(&mut self, desk: std::sync::Arc<dyn Desk>) {
        self.desk = Some(desk);
    }

    /// Whether the request may be what it is, and what its answer carries.
    pub(crate) fn receive(&mut self, head: &Head<'_>, verdict: Verdict) -> (Verdict, Option<Box<Extra>>) {
        let considered = self.considered.take();
        if matches!(verdict, Verdict::OtherCore(_) | Verdict::Elsewhere | Verdict::OpenBare)
            || (verdict == Verdict::NotOurs && !self.is_client_file(head.path))
        {
            return (verdict, None);
        }
        let is_initial = matches!(verdict, Verdict::OpenPolling(..) | Verdict::OpenWebSocket(..));
        let verdict = match self.admit_request(head, &verdict, is_initial, considered) {
            Permission::Granted => verdict,
            Permission::Refused(message) => Verdict::Forbid(message),
            Permission::Pending => return (Verdict::Consider, None),
        };
        let mut extra = Extra::default();
        self.config.cors.write(head, &mut extra.lines);
        if self.config.allows_eio3 && is_answered_in_turn(&verdict) && is_old_explorer(head) {
            write_header(&mut extra.lines, "X-XSS-Protection", "0");
        }
        if let Some(desk) = &self.desk {
            let is_initial = is_initial && !matches!(verdict, Verdict::Forbid(_));
            desk.headers(head, is_initial, &mut |name, value| write_header(&mut extra.lines, name, value));
        }
        if matches!(verdict, Verdict::Poll(_)) && self.config.http_compression.is_some() {
            extra.encoding = Encoding::accepted(head);
        }
        let is_special = !extra.lines.is_empty() || extra.encoding.is_some();
        (verdict, is_special.then(|| Box::new(extra)))
    }

    fn admit_request(
        &self,
        head: &Head<'_>,
        verdict: &Verdict,
        is_initial: bool,
        considered: Option<Permission>,
    ) -> Permission {
        if (is_initial || matches!(verdict, Verdict::Upgrade(_))) && !self.config.cors.admits(head) {
            return Permission::Refused("Forbidden".into());
        }
        match &self.desk {
            Some(desk) if is_initial => considered.unwrap_or_else(|| desk.allow(head)),
            _ => Permission::Granted,
        }
    }

    /// Reads bytes that were handed out as [`Effect::Consider`](crate::Effect::Consider) once more, now that it is decided; as
    /// [`Hub::handle_http`]. Nothing if the connection has ended meanwhile.
    pub fn handle_considered(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        bytes: &[u8],
        permission: Permission,
    ) -> (usize, Progress) {
        let Some(state) = self.conn_mut(conn).filter(|state| matches!(state.phase, Phase::Answering)) else {
            return (bytes.len(), Progress::Wait);
        };
        state.phase = Phase::Http;
        self.considered = Some(permission);
        self.handle_http(now_ms, conn, bytes)
    }

    /// Whether a path is a file of the client's, served below the engine's own path.
    pub(crate) fn is_client_file(&self, path: &str) -> bool {
        self.config.client_files.iter().any(|file| file == path)
    }

    /// The answer that opens this session names it in a cookie, if that is asked for.
    pub(crate) fn add_cookie(&mut self, conn: ConnId, id: &Id) {
        let Some(text) = self.config.cookie.as_ref().map(|cookie| cookie.render(id)) else { return };
        if let Some(state) = self.conn_mut(conn) {
            write_header(&mut state.extra.get_or_insert_default().lines, "Set-Cookie", &text);
        }
    }

    /// The id of a session that this request opens: as the application wants it, if it does and that is possible.
    pub(crate) fn new_session_id(&mut self, head: &[u8]) -> Id {
        let Some(desk) = self.desk.as_ref().filter(|desk| desk.names_sessions()) else {
            return self.new_id();
        };
        let parsed = parse_head(head).ok().flatten();
        let Some(letters) = parsed.and_then(|(head, _)| desk.name(&head)) else { return self.new_id() };
        let named = self.ids.named(&letters).filter(|id| self.session_of(id).is_none());
        named.unwrap_or_else(|| {
            self.counters.ids_refused += 1;
            self.new_id()
        })
    }

    pub(crate) fn tell_refusal(&self, head: &Head<'_>, code: usize, message: &str) {
        if let Some(desk) = &self.desk {
            desk.refused(head, code, message);
        }
    }

    pub(crate) fn take_extra(&mut self, conn: ConnId) -> Option<Box<Extra>> {
        self.conn_mut(conn)?.extra.take()
    }
}
