//! The files of an installed socket.io-client, served as the reference serves its own.
//!
//! Not a file server: eight names, read once. Each is kept plain and compressed, so that a request costs a copy.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use socketville_proto::http::{Encoding, Method};

use crate::app::App;
use crate::error::{Error, Result};
use crate::http::{HttpRequest, HttpResponse, Route};

/// The names. Source: the reference's list of files that it serves.
const NAMES: [&str; 8] = [
    "socket.io.js",
    "socket.io.js.map",
    "socket.io.min.js",
    "socket.io.min.js.map",
    "socket.io.esm.min.js",
    "socket.io.esm.min.js.map",
    "socket.io.msgpack.min.js",
    "socket.io.msgpack.min.js.map",
];

/// Effort of the compression, which is done once.
const LEVEL: u32 = 9;

/// A file, ready to be sent.
struct ClientFile {
    content_type: &'static str,
    etag: String,
    plain: Vec<u8>,
    gzip: Vec<u8>,
    deflate: Vec<u8>,
}

impl App {
    /// Reads the client's files, if they are to be served: a route for each that is there.
    pub(crate) fn load_client(&mut self) -> Result<()> {
        let Some(directory) = self.client_dir.take() else { return Ok(()) };
        let version = version_of(&directory);
        for name in NAMES {
            let plain = match fs::read(directory.join(name)) {
                Ok(plain) => plain,
                Err(error) if error.kind() == io::ErrorKind::NotFound && name != NAMES[0] => continue,
                Err(error) => return Err(Error::Client(directory, error)),
            };
            let path = format!("{}{name}", self.config.path);
            let file = Arc::new(ClientFile::new(name, plain, version.as_deref()));
            self.config.client_files.push(path.clone());
            self.routes.push(Route::new(Method::Get, &path, move |request| {
                let answer = file.answer(&request);
                async move { answer }
            }));
        }
        Ok(())
    }
}

/// The version in the package's description, beside the directory.
fn version_of(directory: &Path) -> Option<String> {
    let package = fs::read(directory.join("../package.json")).ok()?;
    let package: serde_json::Value = serde_json::from_slice(&package).ok()?;
    package["version"].as_str().map(str::to_owned)
}

impl ClientFile {
    fn new(name: &str, plain: Vec<u8>, version: Option<&str>) -> Self {
        let mut hasher = DefaultHasher::new();
        plain.hash(&mut hasher);
        Self {
            content_type: if name.ends_with(".map") {
                "application/json; charset=utf-8"
            } else {
                "application/javascript; charset=utf-8"
            },
            etag: format!("\"{}\"", version.map_or_else(|| format!("{:x}", hasher.finish()), str::to_owned)),
            gzip: Encoding::Gzip.encode(&plain, LEVEL),
            deflate: Encoding::Deflate.encode(&plain, LEVEL),
            plain,
        }
    }

    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        if request.header("if-none-match").is_some_and(|held| self.is_held(held)) {
            return HttpResponse::empty(304).with_header("ETag", &self.etag);
        }
        let encoding = request.header("accept-encoding").and_then(Encoding::best);
        let body = match encoding {
            Some(Encoding::Gzip) => &self.gzip,
            Some(Encoding::Deflate) => &self.deflate,
            None => &self.plain,
        };
        let response = HttpResponse::new(200, self.content_type, body.clone())
            .with_header("Cache-Control", "public, max-age=0")
            .with_header("ETag", &self.etag)
            .with_header("Vary", "Accept-Encoding");
        match encoding {
            Some(encoding) => response.with_header("Content-Encoding", encoding.name()),
            None => response,
        }
    }

    /// Whether `If-None-Match` names this file, strongly or weakly (RFC 9110 section 13.1.2).
    fn is_held(&self, held: &str) -> bool {
        held.split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag)
    }
}
