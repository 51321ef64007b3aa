//! Routes that judge heads before bodies are read, and what is kept of what clients say when they connect.

mod client;
mod stage;

use socketville::{Ack, Builder, EngineRequest, HttpRequest, HttpResponse, Method, Socket};

use client::Client;
use stage::on_each;

const PATH: &str = "/upload";

fn guarded(io: &Builder) {
    let guard = |head: &EngineRequest<'_, '_>| match head.header("authorization") {
        Some("Bearer secret") => Ok(()),
        Some("panic") => panic!("a guard panics"),
        _ => Err(HttpResponse::text(401, "a key is needed\n").with_header("WWW-Authenticate", "Bearer")),
    };
    io.guarded_route(Method::Post, PATH, guard, async |request: HttpRequest| {
        HttpResponse::text(200, request.body().len().to_string())
    });
}

fn head(key: &str, more: &str) -> String {
    format!("POST {PATH} HTTP/1.1\r\nHost: test\r\nAuthorization: {key}\r\nContent-Length: 9\r\n{more}\r\n")
}

/// RFC 9110 section 10.1.1: a final status instead of 100 when the head is enough to refuse.
#[test]
fn a_head_is_judged_before_its_body_is_there() {
    on_each(guarded, |stage| {
        for more in ["", "Expect: 100-continue\r\n"] {
            let mut http = stage.http();
            http.send(&head("Bearer other", more));
            let reply = http.reply().expect("an answer");
            assert_eq!((reply.status, reply.body.as_str()), (401, "a key is needed\n"));
            assert!(reply.head.contains("www-authenticate: bearer"), "{}", reply.head);
            assert!(http.reply().is_none(), "what follows cannot be read");
        }
        let mut http = stage.http();
        http.send(&head("Bearer secret", "Expect: 100-continue\r\n"));
        assert_eq!(http.reply().expect("an answer").status, 100);
        http.send("123456789");
        assert_eq!(http.reply().expect("an answer").body, "9");
    });
}

#[test]
fn a_guard_judges_every_request_of_a_connection() {
    on_each(guarded, |stage| {
        let mut http = stage.http();
        let both = head("Bearer secret", "") + "123456789" + &head("Bearer secret", "") + "abcdefghi";
        http.send(&(both + &head("", "")));
        assert_eq!([http.reply(), http.reply()].map(|reply| reply.expect("an answer").status), [200, 200]);
        assert_eq!(http.reply().expect("an answer").status, 401);
    });
}

/// What no route takes is answered by its head, and its body is not read.
#[test]
fn a_body_that_no_route_takes_is_not_read() {
    on_each(guarded, |stage| {
        for (method, path, status) in [("POST", "/nowhere", 404), ("PUT", PATH, 405)] {
            let mut http = stage.http();
            http.send(&format!("{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 999999\r\n\r\nx"));
            assert_eq!(http.reply().expect("an answer").status, status);
        }
    });
}

#[test]
fn a_guard_that_panics_costs_its_request_alone() {
    on_each(guarded, |stage| {
        let (mut other, mut http) = (stage.client(), stage.http());
        http.send(&head("panic", ""));
        assert_eq!(http.reply().expect("an answer").status, 500);
        assert_eq!(other.ask(1, r#"["fence"]"#), serde_json::json!([]));
    });
}

/// `keep_auth`: the connection handler has all of it; afterwards what is short is there, and what is long is let go.
#[test]
fn a_long_auth_is_let_go_after_the_connection_handlers() {
    let build = |io: &Builder| {
        io.keep_auth(100)
            .on_connect(|socket: Socket, auth: serde_json::Value| {
                socket.emit("came", auth["t"].as_str().map_or(0, str::len));
            })
            .on("later", |socket: Socket, ack: Ack| {
                let auth: serde_json::Value = socket.handshake().auth().unwrap_or_default();
                ack.send(auth["t"].as_str().map_or(0, str::len));
            });
    };
    on_each(build, |stage| {
        for (letters, kept) in [(50, 50), (5_000, 0)] {
            let mut client = Client::open(stage.address);
            client.join("/", &format!(r#"{{"t":"{}"}}"#, "x".repeat(letters)));
            assert_eq!(client.event("came"), serde_json::json!([letters]));
            assert_eq!(client.ask(1, r#"["later"]"#), serde_json::json!([kept]));
        }
    });
}
