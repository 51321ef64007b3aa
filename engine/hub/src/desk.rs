//! Request hooks: what is decided about a request of the engine's before it is dealt with, and what its answer will carry besides.
//!
//! Not the functions that decide: they run outside, while the hub only knows that a request waits. Not routing (that is `verdict`) and not
//! middlewares (those see sockets). Nothing is kept for a request whose answer carries nothing special.

use socketville_proto::http::{Body, Encoding, Head, Method, parse_head, write_header};

use crate::conns::{Phase, Progress};
use crate::verdict::Verdict;
use crate::{ConnId, Effect, Hub, Id};

/// Which requests of the engine's the application decides about. The hub never calls it: it hands out a request as
/// [`Effect::Consider`], and goes on with it in [`Hub::handle_considered`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Consults {
    /// Those that would open a session. Source: `allowRequest`, `generateId`, the event `initial_headers`.
    pub openings: bool,
    /// All of the engine's. Source: the event `headers`.
    pub all: bool,
    /// Whether refusals are told, as [`Effect::Refused`]. Source: the event `connection_error`.
    pub refusals: bool,
}

/// Why a request is considered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// It would open a session.
    Opening,
    /// It is another one of the engine's.
    Other,
    /// It is for a path of the application's where heads are judged before bodies are read.
    Route,
}

/// What the application decided about a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The message of a refusal, which goes to the client; `None` lets the request be what it is. Source: `allowRequest`.
    pub refusal: Option<String>,
    /// What the id of the session begins with, after the letter of its core. Source: `generateId`.
    pub name: Option<String>,
    /// Names and values that the answer gets.
    pub headers: Vec<(String, String)>,
}

/// A request of the engine's that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRequest {
    /// Its head, as it came.
    pub head: Vec<u8>,
    /// The code that the client is told.
    pub code: usize,
    /// The message.
    pub message: String,
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
    /// From now on these requests are handed out as [`Effect::Consider`].
    pub const fn consult(&mut self, consults: Consults) {
        self.consults = consults;
    }

    /// Whether the request may be what it is, and what its answer carries; or that it has to be considered first.
    pub(crate) fn receive(
        &mut self,
        head: &Head<'_>,
        verdict: Verdict,
        decision: Option<&Decision>,
    ) -> (Verdict, Option<Box<Extra>>) {
        if matches!(verdict, Verdict::OtherCore(_) | Verdict::Elsewhere | Verdict::OpenBare)
            || (verdict == Verdict::NotOurs && !self.is_client_file(head.path))
        {
            let is_guarded = verdict == Verdict::NotOurs && self.is_judged(head);
            return match decision {
                None if is_guarded => (Verdict::Consider(Occasion::Route), None),
                _ => (verdict, None),
            };
        }
        let verdict = match self.is_admitted(head, &verdict) {
            true => verdict,
            false => Verdict::Forbid("Forbidden".into()),
        };
        let verdict = match (decision, self.occasion(&verdict)) {
            (None, Some(occasion)) => return (Verdict::Consider(occasion), None),
            (Some(Decision { refusal: Some(message), .. }), _) if verdict.opens() => {
                Verdict::Forbid(message.clone())
            }
            _ => verdict,
        };
        let mut extra = Extra::default();
        self.config.cors.write(head, &mut extra.lines);
        if self.config.allows_eio3 && is_answered_in_turn(&verdict) && is_old_explorer(head) {
            write_header(&mut extra.lines, "X-XSS-Protection", "0");
        }
        for (name, value) in decision.map_or(&[][..], |decision| &decision.headers) {
            write_header(&mut extra.lines, name, value);
        }
        if matches!(verdict, Verdict::Poll(_)) && self.config.http_compression.is_some() {
            extra.encoding = Encoding::accepted(head);
        }
        let is_special = !extra.lines.is_empty() || extra.encoding.is_some();
        (verdict, is_special.then(|| Box::new(extra)))
    }

    /// Whether the application judges this head before the body is read: its route is guarded, or there is none and a body.
    fn is_judged(&self, head: &Head<'_>) -> bool {
        let has_body = !matches!(head.body, Body::None | Body::Length(0));
        let is_open = |open: &[(Method, Box<str>)]| {
            open.iter().any(|(method, path)| *method == head.method && **path == *head.path)
        };
        self.guarded_paths.iter().any(|guarded| **guarded == *head.path)
            || (has_body && self.open_routes.as_deref().is_some_and(|open| !is_open(open)))
    }

    /// Whether the page that the request comes from may have it.
    fn is_admitted(&self, head: &Head<'_>, verdict: &Verdict) -> bool {
        let is_guarded = verdict.opens() || matches!(verdict, Verdict::Upgrade(_));
        !is_guarded || self.config.cors.admits(head)
    }

    /// Why the application has to be asked, if it has.
    fn occasion(&self, verdict: &Verdict) -> Option<Occasion> {
        match verdict.opens() {
            true if self.consults.openings || self.consults.all => Some(Occasion::Opening),
            false if self.consults.all => Some(Occasion::Other),
            _ => None,
        }
    }

    /// The head of a request that the application decides about; `None` if its connection has ended.
    pub fn considered_head(&self, conn: ConnId) -> Option<&[u8]> {
        let bytes = self.held_bytes_of(conn)?;
        let (_, length) = parse_head(bytes).ok()??;
        bytes.get(..length)
    }

    /// The bytes of a request that the application has decided about, and what has come behind it since; `None` if its connection has ended.
    pub fn take_considered(&mut self, conn: ConnId) -> Option<Vec<u8>> {
        self.take_all_held(conn)
    }

    /// Reads the bytes of a request that was handed out as [`Effect::Consider`], now that it is decided; as
    /// [`Hub::handle_http`]. Nothing if the connection has ended meanwhile.
    pub fn handle_considered(
        &mut self,
        now_ms: u64,
        conn: ConnId,
        bytes: &[u8],
        decision: &Decision,
    ) -> (usize, Progress) {
        if let Some(session) = self.take_considered_behind(conn) {
            let (taken, progress) = self.handle_head_behind(now_ms, conn, session, bytes, Some(decision));
            return (taken.min(bytes.len()), progress);
        }
        if !self.conn(conn).is_some_and(|state| matches!(state.phase, Phase::Answering)) {
            return (bytes.len(), Progress::Wait);
        }
        let _asking = self.enter(now_ms, conn, Phase::Http(None));
        match parse_head(bytes) {
            Ok(Some((head, length))) => {
                let (taken, progress) =
                    self.handle_request(now_ms, conn, &head, length, bytes, Some(decision));
                (taken.min(bytes.len()), progress)
            }
            _ => (bytes.len(), Progress::Wait), // it was a whole head when it was handed out
        }
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

    /// The id of a session that a request opens: with the application's letters, if it chose some and that is possible.
    pub(crate) fn new_session_id(&mut self, letters: Option<&str>) -> Id {
        let Some(letters) = letters else { return self.new_id() };
        let named = self.ids.named(letters).filter(|id| self.session_of(id).is_none());
        named.unwrap_or_else(|| {
            self.counters.ids_refused += 1;
            self.new_id()
        })
    }

    pub(crate) fn tell_refusal(&mut self, head: &[u8], code: usize, message: &str) {
        if self.consults.refusals {
            let refused = RefusedRequest { head: head.to_vec(), code, message: message.to_owned() };
            self.effects.push_back(Effect::Refused(Box::new(refused)));
        }
    }

    pub(crate) fn take_extra(&mut self, conn: ConnId) -> Option<Box<Extra>> {
        self.conn_mut(conn)?.extra.take()
    }
}
