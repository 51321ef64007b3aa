//! The files of an installed socket.io-client, served as the reference serves its own.
//!
//! Not a file server: eight names, read once. Each is kept plain and compressed, so that a request costs a copy.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use brotli::enc::BrotliEncoderParams;
use socketville_proto::http::{Encoding, Method, preferred_coding};

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

/// The content codings on offer; without any preference of the client the first is taken. Source: the reference's list.
const CODINGS: [&str; 3] = ["br", "gzip", "deflate"];

/// Effort of gzip and deflate, which is made once.
const LEVEL: u32 = 9;

/// Effort of Brotli, of 11: smaller than gzip at its best, for 0.1 s at start instead of 3 s.
const BROTLI_QUALITY: i32 = 6;

/// A file, ready to be sent.
struct ClientFile {
    content_type: &'static str,
    etag: String,
    plain: Vec<u8>,
    /// In the order of [`CODINGS`].
    coded: [Vec<u8>; 3],
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
                Err(error) => {
                    self.client_dir = Some(directory.clone());
                    return Err(Error::Client(directory, error));
                }
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
            coded: [
                brotli(&plain),
                Encoding::Gzip.encode(&plain, LEVEL),
                Encoding::Deflate.encode(&plain, LEVEL),
            ],
            plain,
        }
    }

    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        if request.header("if-none-match").is_some_and(|held| self.is_held(held)) {
            return self.with_validity(HttpResponse::empty(304));
        }
        let coding = request.header("accept-encoding").and_then(|accept| preferred_coding(accept, &CODINGS));
        let body = coding.map_or(&self.plain, |place| &self.coded[place]);
        let response = self.with_validity(HttpResponse::new(200, self.content_type, body.clone()));
        match coding {
            Some(place) => response.with_header("Content-Encoding", CODINGS[place]),
            None => response,
        }
    }

    /// With what an answer says about how long it holds, and for whom; the same with and without the file (RFC 9110
    /// section 15.4.5).
    fn with_validity(&self, response: HttpResponse) -> HttpResponse {
        response
            .with_header("Cache-Control", "public, max-age=0")
            .with_header("ETag", &self.etag)
            .with_header("Vary", "Accept-Encoding")
    }

    /// Whether `If-None-Match` names this file, strongly or weakly (RFC 9110 section 13.1.2).
    fn is_held(&self, held: &str) -> bool {
        held.split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.etag)
    }
}

fn brotli(plain: &[u8]) -> Vec<u8> {
    let params = BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        size_hint: plain.len(),
        ..BrotliEncoderParams::default()
    };
    let mut coded = Vec::new();
    brotli::BrotliCompress(&mut &*plain, &mut coded, &params).expect("writing to a Vec cannot fail");
    coded
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn every_coding_can_be_read_again_and_is_smaller() {
        let plain = b"io('/namespace', { transports: ['websocket'] });\n".repeat(200);
        let file = ClientFile::new("socket.io.js", plain.clone(), Some("4.8.4"));
        let [br, gzip, deflate] = &file.coded;
        let mut texts = [Vec::new(), Vec::new(), Vec::new()];
        brotli::BrotliDecompress(&mut br.as_slice(), &mut texts[0]).expect("br");
        flate2::read::GzDecoder::new(gzip.as_slice()).read_to_end(&mut texts[1]).expect("gzip");
        flate2::read::ZlibDecoder::new(deflate.as_slice()).read_to_end(&mut texts[2]).expect("deflate");
        assert!(texts.iter().all(|text| *text == plain));
        assert!(file.coded.iter().all(|coded| coded.len() * 2 < plain.len()));
    }

    #[test]
    fn a_file_is_held_by_its_tag_strong_or_weak_alone_or_in_a_list() {
        let file = ClientFile::new("socket.io.js", Vec::new(), Some("4.8.4"));
        for held in ["\"4.8.4\"", "W/\"4.8.4\"", "\"1\", W/\"4.8.4\"", "*"] {
            assert!(file.is_held(held), "{held}");
        }
        for other in ["\"4.8.3\"", "4.8.4", "", "W/W/\"4.8.4\""] {
            assert!(!file.is_held(other), "{other}");
        }
    }
}
