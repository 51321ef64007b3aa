//! The door for backends: `POST /api/publish`, from the key to the answer.
//!
//! Not what a body may be: that is `publication`. All of an array is checked before any of it is published; then all of it becomes due
//! in the same turn, in its order, so that its frames leave together.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use serde::Serialize;
use serde_json::json;
use socketville::{EmitError, Emitter, HttpRequest, HttpResponse, Spread};

use crate::key::ApiKey;
use crate::publication::{Body, Publication};

/// Who may publish, and where.
pub(crate) struct Door {
    /// What backends must show.
    pub(crate) key: ApiKey,
    /// The namespaces that are served.
    pub(crate) namespaces: Vec<String>,
}

/// How many sockets of this machine publications were for, without those of a core that stands still.
#[derive(Serialize)]
struct Published<T> {
    ok: bool,
    sockets: T,
}

impl Door {
    /// Answers a request that was admitted.
    pub(crate) async fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let emitter = request.emitter();
        match Body::read(request.body(), &self.namespaces) {
            Err(fault) => HttpResponse::json(400, &json!({ "error": fault })),
            Ok(Body::One(publication)) => match publish(&emitter, publication).await {
                Ok(sockets) => HttpResponse::json(200, &Published { ok: true, sockets }),
                Err(error) => unpublished(&error, None),
            },
            Ok(Body::Many(publications)) => publish_all(&emitter, publications).await,
        }
    }

    /// Whether the header shows the key (RFC 6750 section 2.1).
    pub(crate) fn admit(&self, authorization: Option<&str>) -> Result<(), HttpResponse> {
        let bearer = authorization.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        match bearer {
            None => Err(unauthorized("expected a header `Authorization: Bearer KEY`", CHALLENGE)),
            Some(token) if self.key.is(token) => Ok(()),
            Some(_) => Err(unauthorized("expected the key of this server, found another", CHALLENGE_AGAIN)),
        }
    }
}

fn unauthorized(message: &str, challenge: &str) -> HttpResponse {
    HttpResponse::json(401, &json!({ "error": { "message": message } }))
        .with_header("WWW-Authenticate", challenge)
}

async fn publish(emitter: &Emitter, publication: Publication<'_>) -> Result<usize, EmitError> {
    let Publication { namespace, rooms, except, event, args } = publication;
    let mut posting = emitter.of(&namespace);
    if let Some(rooms) = rooms {
        posting = posting.to(rooms);
    }
    match posting.except(except).emit_counted(&event, Spread(args)).await {
        // It is published, and must not come twice: those of the core that stands still are not counted.
        Err(EmitError::Uncounted(sockets)) => Ok(sockets),
        counted => counted,
    }
}

/// Begins all in their order until one is refused, then waits for those that were begun. A refusal says how many were published: the backend sends
/// the rest again.
async fn publish_all(emitter: &Emitter, publications: Vec<Publication<'_>>) -> HttpResponse {
    let mut begun = Vec::with_capacity(publications.len());
    for publication in publications {
        let mut publishing = Box::pin(publish(emitter, publication));
        let early = poll_fn(|context| Poll::Ready(publishing.as_mut().poll(context))).await;
        let is_refused = matches!(early, Poll::Ready(Err(_)));
        begun.push((publishing, early));
        if is_refused {
            break;
        }
    }
    let mut counts = Vec::with_capacity(begun.len());
    for (publishing, early) in begun {
        match finish(publishing, early).await {
            Ok(sockets) => counts.push(sockets),
            Err(error) => return unpublished(&error, Some(counts.len())),
        }
    }
    HttpResponse::json(200, &Published { ok: true, sockets: counts })
}

/// The output of a future that has been polled once; what is ready must not be polled again.
async fn finish<F: Future>(future: Pin<Box<F>>, early: Poll<F::Output>) -> F::Output {
    match early {
        Poll::Ready(output) => output,
        Poll::Pending => future.await,
    }
}

/// A body that was in order, but a core is too far behind to take more; of a list, this many were published before it.
fn unpublished(error: &EmitError, published: Option<usize>) -> HttpResponse {
    HttpResponse::json(503, &refusal(error, published)).with_header("Retry-After", "1")
}

fn refusal(error: &EmitError, published: Option<usize>) -> serde_json::Value {
    let mut body = json!({ "error": { "message": error.to_string() } });
    if let Some(published) = published {
        body["error"]["path"] = json!(format!("[{published}]"));
        body["published"] = json!(published);
    }
    body
}

/// What is asked for (RFC 6750 section 3).
const CHALLENGE: &str = "Bearer realm=\"socketville\"";
/// The same, when something else came.
const CHALLENGE_AGAIN: &str = "Bearer realm=\"socketville\", error=\"invalid_token\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_list_says_how_much_of_it_was_published() {
        let body = refusal(&EmitError::Full, Some(2));
        assert_eq!((&body["published"], &body["error"]["path"]), (&json!(2), &json!("[2]")));
        assert_eq!(refusal(&EmitError::Full, None).get("published"), None);
    }

    #[test]
    fn only_a_bearer_with_the_key_is_admitted() {
        let door = Door { key: "secret".parse().expect("valid"), namespaces: Vec::new() };
        for header in ["Bearer secret", "bearer secret", "BEARER  secret"] {
            assert!(door.admit(Some(header)).is_ok(), "{header}");
        }
        for header in ["secret", "Basic secret", "Bearer", "Bearer ", "Bearer secre", "Bearersecret"] {
            assert!(door.admit(Some(header)).is_err(), "{header}");
        }
        assert!(door.admit(None).is_err());
    }
}
