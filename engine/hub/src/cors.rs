//! Cross-origin requests: who may, and what answers say about it.
//!
//! Not the routing of requests. The headers are those of the reference's `cors` module. Beyond it, an allow-list is also a check: browsers send
//! WebSockets across origins unasked, so a handshake from an origin that is not on the list is refused, whatever its transport.

use socketville_proto::http::{Head, Method, write_header};

use crate::origin::{Origin, OriginError, is_own};

/// Cross-origin requests. Source: `cors`, default off.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Cors {
    /// Which origins may read answers. Source: `cors.origin`.
    pub origins: Origins,
    /// Whether cookies and other credentials may come along, said to origins that are named. Source: `cors.credentials`, default no.
    pub credentials: bool,
    /// Methods that a preflight allows; default `GET,HEAD,PUT,PATCH,POST,DELETE`. Source: `cors.methods`.
    pub methods: Vec<String>,
    /// Request headers that a preflight allows; default those it asks for. Source: `cors.allowedHeaders`.
    pub allowed_headers: Vec<String>,
    /// Response headers that scripts may read; default none. Source: `cors.exposedHeaders`.
    pub exposed_headers: Vec<String>,
    /// Seconds for which a preflight's answer holds; default unsaid. Source: `cors.maxAge`.
    pub max_age_s: Option<u32>,
}

/// Which origins may read answers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Origins {
    /// None but the own: no header at all, and no check.
    #[default]
    Off,
    /// Any, as `*`.
    Any,
    /// Any, named back to it: the only form that works with credentials. Source: `origin: true`.
    Reflected,
    /// These alone; handshakes of others are refused.
    These(Vec<Origin>),
}

const METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE";

impl Cors {
    /// Any origin, without credentials. Source: `origin: "*"`.
    pub fn any() -> Self {
        Self { origins: Origins::Any, ..Self::default() }
    }

    /// These origins alone, such as `https://example.com`, `https://*.example.org` for one label, or `null`. Source: `origin: [..]`.
    ///
    /// # Errors
    /// [`OriginError`] for the first that is none, and so could never match.
    pub fn these<S: TryInto<Origin, Error = OriginError>>(
        origins: impl IntoIterator<Item = S>,
    ) -> Result<Self, OriginError> {
        let origins = origins.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?;
        Ok(Self { origins: Origins::These(origins), ..Self::default() })
    }

    /// Also with credentials. Source: `credentials: true`.
    #[must_use]
    pub const fn with_credentials(mut self) -> Self {
        self.credentials = true;
        self
    }

    pub(crate) fn is_on(&self) -> bool {
        self.origins != Origins::Off
    }

    /// Whether a handshake may come from where it comes: without `Origin`, from the own host, or from the list.
    pub(crate) fn admits(&self, head: &Head<'_>) -> bool {
        let (Origins::These(origins), Some(origin)) = (&self.origins, head.header("origin")) else {
            return true;
        };
        origins.iter().any(|allowed| allowed.admits(origin))
            || head.host().is_some_and(|host| is_own(origin, host))
    }

    /// Writes the headers that the answer to this request carries.
    pub(crate) fn write(&self, head: &Head<'_>, out: &mut Vec<u8>) {
        let named = head.header("origin").filter(|origin| self.names(origin));
        match &self.origins {
            Origins::Off => return,
            Origins::Any => write_header(out, "Access-Control-Allow-Origin", "*"),
            Origins::Reflected | Origins::These(_) => {
                if let Some(origin) = named {
                    write_header(out, "Access-Control-Allow-Origin", origin);
                }
                write_header(out, "Vary", "Origin");
            }
        }
        if self.credentials && (named.is_some() || self.origins == Origins::Any) {
            write_header(out, "Access-Control-Allow-Credentials", "true");
        }
        if head.method == Method::Options {
            self.write_preflight(head, out);
        }
        if !self.exposed_headers.is_empty() {
            write_header(out, "Access-Control-Expose-Headers", &self.exposed_headers.join(","));
        }
    }

    fn names(&self, origin: &str) -> bool {
        match &self.origins {
            Origins::These(origins) => origins.iter().any(|allowed| allowed.admits(origin)),
            Origins::Reflected => true,
            Origins::Off | Origins::Any => false,
        }
    }

    fn write_preflight(&self, head: &Head<'_>, out: &mut Vec<u8>) {
        let methods = if self.methods.is_empty() { METHODS.to_owned() } else { self.methods.join(",") };
        write_header(out, "Access-Control-Allow-Methods", &methods);
        if self.allowed_headers.is_empty() {
            write_header(out, "Vary", "Access-Control-Request-Headers");
            if let Some(asked) = head.header("access-control-request-headers") {
                write_header(out, "Access-Control-Allow-Headers", asked);
            }
        } else {
            write_header(out, "Access-Control-Allow-Headers", &self.allowed_headers.join(","));
        }
        if let Some(max_age_s) = self.max_age_s {
            write_header(out, "Access-Control-Max-Age", &max_age_s.to_string());
        }
    }
}
