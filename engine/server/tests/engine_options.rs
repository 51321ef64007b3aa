//! Options of the engine's HTTP side, as a browser meets them: origins, cookies, headers, refusals, compression, the client's files.
//! Not the routing of requests, which `hub` proves.

mod client;
mod stage;

use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use socketville::{Ack, Builder, Cookie, Cors, Handshake, Server, Socket};

use client::Client;
use client::http::{Http, Reply};
use stage::{Stage, on_cores};

const OPEN: &str = "/socket.io/?EIO=4&transport=polling";

/// Asks with these header lines.
fn ask(stage: &Stage, method: &str, target: &str, lines: &str) -> Reply {
    let mut http = Http::connect(stage.address);
    http.send(&format!("{method} {target} HTTP/1.1\r\nHost: here:80\r\n{lines}\r\n"));
    http.reply().expect("an answer")
}

/// Asks for a WebSocket with these header lines.
fn knock(stage: &Stage, lines: &str) -> Reply {
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    ask(stage, "GET", "/socket.io/?EIO=4&transport=websocket", &format!("{upgrade}{lines}"))
}

fn has(reply: &Reply, line: &str) -> bool {
    reply.head.lines().any(|found| found == line)
}

#[test]
fn any_origin_is_a_star_on_answers_and_errors() {
    let build = |io: &Builder| _ = io.cors(Cors::any());
    on_cores(&[1], build, |stage| {
        for (target, status) in [(OPEN, 200), ("/socket.io/?EIO=4&transport=tape", 400)] {
            let reply = ask(stage, "GET", target, "Origin: https://a\r\n");
            assert_eq!(reply.status, status);
            assert!(has(&reply, "access-control-allow-origin: *"), "{}", reply.head);
        }
        assert_eq!(knock(stage, "Origin: https://a\r\n").status, 101);
    });
}

#[test]
fn a_list_of_origins_is_named_back_and_checked() {
    let build = |io: &Builder| {
        _ = io.cors(Cors::these(["https://a", "https://b"]).expect("origins").with_credentials())
    };
    on_cores(&[1], build, |stage| {
        let reply = ask(stage, "GET", OPEN, "Origin: https://b\r\n");
        assert!(has(&reply, "access-control-allow-origin: https://b"), "{}", reply.head);
        assert!(has(&reply, "access-control-allow-credentials: true") && has(&reply, "vary: origin"));
        assert_eq!(knock(stage, "Origin: https://a\r\n").status, 101);
        for own in ["", "Origin: http://here:80\r\n"] {
            assert_eq!(ask(stage, "GET", OPEN, own).status, 200, "the own origin and none pass: {own}");
            assert_eq!(knock(stage, own).status, 101);
        }
        let foreign = ask(stage, "GET", OPEN, "Origin: https://evil\r\n");
        assert_eq!((foreign.status, foreign.body.as_str()), (403, r#"{"code":4,"message":"Forbidden"}"#));
        assert!(!foreign.head.contains("allow-origin"));
        assert_eq!(knock(stage, "Origin: https://evil\r\n").status, 403, "browsers ask nobody about these");
        assert_eq!(stage.sum(|report| report.hub.requests_refused[4]), 2);
    });
}

#[test]
fn a_preflight_allows_what_it_asks_for() {
    let build = |io: &Builder| {
        _ = io.cors(Cors { max_age_s: Some(60), ..Cors::these(["https://a"]).expect("an origin") })
    };
    on_cores(&[1], build, |stage| {
        let lines = "Origin: https://a\r\nAccess-Control-Request-Headers: x-one,x-two\r\n";
        let reply = ask(stage, "OPTIONS", OPEN, lines);
        assert_eq!(reply.status, 204);
        for line in [
            "access-control-allow-origin: https://a",
            "access-control-allow-methods: get,head,put,patch,post,delete",
            "access-control-allow-headers: x-one,x-two",
            "access-control-max-age: 60",
        ] {
            assert!(has(&reply, line), "{line} in {}", reply.head);
        }
    });
}

#[test]
fn a_cookie_names_the_session_once() {
    let build = |io: &Builder| _ = io.cookie(Cookie { name: "node".into(), ..Cookie::default() });
    on_cores(&[1], build, |stage| {
        let mut http = stage.http();
        let open = http.request("GET", OPEN, "");
        let sid = open.body.split('"').nth(3).expect("a sid").to_owned();
        let cookie = format!("set-cookie: node={}; path=/; httponly; samesite=lax", sid.to_lowercase());
        assert!(has(&open, &cookie), "{}", open.head);
        let post = http.request("POST", &format!("{OPEN}&sid={sid}"), "40");
        assert_eq!(post.status, 200);
        assert!(!post.head.contains("set-cookie"));
        assert!(knock(stage, "").head.contains("set-cookie: node="), "also on the answer that switches");
    });
}

#[test]
fn hooks_refuse_and_add_headers() {
    let build = |io: &Builder| {
        io.allow_request(|request| match request.query("deny") {
            Some(_) => Err("not \"you\"".into()),
            None => Ok(()),
        })
        .initial_headers(|_, headers| headers.push(("X-First".into(), "1".into())))
        .headers(|request, headers| headers.push(("X-Each".into(), request.url().len().to_string())));
    };
    on_cores(&[1], build, |stage| {
        let refused = ask(stage, "GET", &format!("{OPEN}&deny=1"), "");
        assert_eq!((refused.status, refused.body.as_str()), (403, r#"{"code":4,"message":"not \"you\""}"#));
        assert!(refused.head.contains("x-each: ") && !refused.head.contains("x-first"));
        let mut http = stage.http();
        let open = http.request("GET", OPEN, "");
        assert!(has(&open, "x-first: 1") && has(&open, &format!("x-each: {}", OPEN.len())));
        let sid = open.body.split('"').nth(3).expect("a sid").to_owned();
        let later = http.request("POST", &format!("{OPEN}&sid={sid}"), "40");
        assert!(later.head.contains("x-each: ") && !later.head.contains("x-first"));
        assert!(knock(stage, "").head.contains("x-first: 1"));
    });
}

#[test]
fn a_request_may_be_thought_about_for_as_long_as_it_takes() {
    let build = |io: &Builder| {
        io.consider_request(async |request: Handshake| {
            socketville::sleep(Duration::from_millis(5)).await;
            match request.query("token") {
                Some(token) if token == "panic" => panic!("on purpose"),
                Some(_) => Ok(()),
                None => Err("no token".into()),
            }
        });
    };
    on_cores(&[1, 2], build, |stage| {
        let refused = ask(stage, "GET", OPEN, "");
        assert_eq!((refused.status, refused.body.as_str()), (403, r#"{"code":4,"message":"no token"}"#));
        let mut http = stage.http();
        let open = http.request("GET", &format!("{OPEN}&token=1"), "");
        assert!(open.body.starts_with("0{"), "{}", open.body);
        http.send(&format!(
            "GET {OPEN}&token=1 HTTP/1.1\r\nHost: a\r\n\r\nGET {OPEN} HTTP/1.1\r\nHost: a\r\n\r\n"
        ));
        let pipelined: Vec<_> = (0..2).map(|_| http.reply().expect("an answer").status).collect();
        assert_eq!(pipelined, [200, 403], "what follows on the connection waits its turn");
        let mut socket = Client::raw(stage.address, "/socket.io/?EIO=4&transport=websocket&token=1");
        assert!(socket.text().starts_with("0{"));
        let mut lost = stage.http();
        lost.send(&format!("GET {OPEN}&token=panic HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(lost.reply().is_none(), "a panic closes this connection alone");
        assert_eq!(ask(stage, "GET", &format!("{OPEN}&token=1"), "").status, 200);
    });
}

#[test]
fn long_answers_to_polls_are_compressed_if_the_client_wants() {
    let build = |io: &Builder| {
        io.on("long", |socket: Socket| socket.emit("long", "again ".repeat(500)));
    };
    on_cores(&[1], build, |stage| {
        let open = ask(stage, "GET", OPEN, "");
        let sid = open.body.split('"').nth(3).expect("a sid").to_owned();
        let target = format!("{OPEN}&sid={sid}");
        stage.http().request("POST", &target, "40");
        assert!(!ask(stage, "GET", &target, "Accept-Encoding: gzip\r\n").head.contains("content-encoding"));
        stage.http().request("POST", &target, r#"42["long"]"#);
        let mut http = Http::connect(stage.address);
        http.send(&format!("GET {target} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n"));
        let (head, body) = http.raw_reply();
        assert!(head.contains("content-encoding: gzip"), "{head}");
        assert!(body.starts_with(&[0x1f, 0x8b]) && body.len() < 200, "{} bytes", body.len());
    });
}

#[test]
fn small_options_do_what_they_say() {
    let build = |io: &Builder| {
        io.initial_packet("welcome").add_trailing_slash(false).allow_upgrades(false);
    };
    on_cores(&[1], build, |stage| {
        let open = ask(stage, "GET", "/socket.io?EIO=4&transport=polling", "");
        assert!(
            open.body.ends_with("\x1e4welcome") && open.body.contains(r#""upgrades":[]"#),
            "{}",
            open.body
        );
        assert_eq!(ask(stage, "GET", "/socket.iox?EIO=4&transport=polling", "").status, 404);
        let sid = open.body.split('"').nth(3).expect("a sid").to_owned();
        let mut socket = Client::raw(stage.address, "/socket.io?EIO=4&transport=websocket");
        assert!(socket.text().starts_with("0{"));
        assert_eq!(socket.text(), "4welcome");
        let lines = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let target = format!("/socket.io?EIO=4&transport=websocket&sid={sid}");
        assert_eq!(ask(stage, "GET", &target, lines).status, 400);
    });
}

#[test]
fn the_clients_files_are_served_with_their_version() {
    let package = std::env::temp_dir().join(format!("socketville-client-{}", std::process::id()));
    fs::create_dir_all(package.join("dist")).expect("a directory");
    fs::write(package.join("package.json"), r#"{"version":"4.8.4"}"#).expect("written");
    fs::write(package.join("dist/socket.io.js"), "io();".repeat(300)).expect("written");
    let build = |io: &Builder| {
        io.cors(Cors::any()).serve_client(package.join("dist"));
    };
    on_cores(&[1], build, |stage| {
        let plain = ask(stage, "GET", "/socket.io/socket.io.js", "");
        assert_eq!((plain.status, plain.body.len()), (200, 1500));
        for line in [
            "etag: \"4.8.4\"",
            "cache-control: public, max-age=0",
            "content-type: application/javascript; charset=utf-8",
            "access-control-allow-origin: *",
        ] {
            assert!(has(&plain, line), "{line} in {}", plain.head);
        }
        for held in ["\"4.8.4\"", "W/\"4.8.4\""] {
            let lines = format!("If-None-Match: {held}\r\n");
            assert_eq!(ask(stage, "GET", "/socket.io/socket.io.js", &lines).status, 304);
        }
        let mut http = Http::connect(stage.address);
        http.send("GET /socket.io/socket.io.js?v=1 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: deflate\r\n\r\n");
        let (head, body) = http.raw_reply();
        assert!(head.contains("content-encoding: deflate") && body.len() < 100);
        assert_eq!(ask(stage, "GET", "/socket.io/socket.io.min.js", "").status, 400, "it is not there");
        assert_eq!(ask(stage, "GET", OPEN, "").status, 200);
    });
    fs::remove_dir_all(&package).expect("removed");
}

#[test]
fn a_directory_without_a_client_is_an_error() {
    let error = Server::builder().serve_client("/nowhere/dist").listen("127.0.0.1:0").expect_err("no server");
    assert!(error.to_string().contains("socket.io-client"), "{error}");
}

#[test]
fn a_handshake_tells_where_and_when() {
    let build = |io: &Builder| {
        io.on("who", |socket: Socket, ack: Ack| {
            let handshake = socket.handshake();
            ack.send(json!({
                "address": handshake.address(),
                "is_recent": handshake.issued().is_some_and(|at| at.elapsed().is_ok_and(|age| age.as_secs() < 60)),
                "time": handshake.time().len(),
                "queries": handshake.queries(),
                "host": handshake.headers().iter().find(|(name, _)| name == "host"),
                "flags": (handshake.is_xdomain(), handshake.is_secure()),
            }));
        });
    };
    on_cores(&[1, 2], build, |stage| {
        let told = &stage.client().ask(1, r#"["who"]"#)[0];
        assert_eq!(told["address"], "127.0.0.1");
        assert_eq!((&told["is_recent"], &told["time"]), (&json!(true), &json!(62)));
        assert_eq!(told["queries"], json!([["EIO", "4"], ["transport", "websocket"]]));
        assert_eq!((&told["host"], &told["flags"]), (&json!(["host", "test"]), &json!([false, false])));
    });
}

/// Bug: a client that polls on a new connection each time, as Node's does, had no address: its first connection was closed before it was asked.
#[test]
fn a_client_that_closes_every_connection_has_an_address() {
    let build = |io: &Builder| {
        io.on("who", |socket: Socket, ack: Ack| ack.send(socket.handshake().address()));
    };
    on_cores(&[1, 2], build, |stage| {
        let mut first = Http::connect(stage.address);
        first.send(&format!("GET {OPEN} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        let open: Value = serde_json::from_str(&first.reply().expect("an answer").body[1..]).expect("JSON");
        let target = format!("{OPEN}&sid={}", open["sid"].as_str().expect("an id"));
        let mut http = Http::connect(stage.address);
        http.request("POST", &target, "40");
        http.request("POST", &target, r#"421["who"]"#);
        let mut payload = String::new();
        while !payload.contains("431[") {
            payload = http.request("GET", &target, "").body;
        }
        assert!(payload.ends_with(r#"431["127.0.0.1"]"#), "{payload}");
    });
}

/// Source: `io.engine.generateId`.
#[test]
fn ids_of_sessions_begin_as_the_application_wants_them() {
    let build = |io: &Builder| {
        io.generate_id(|request| match request.query("as").as_deref() {
            Some("panic") => panic!("a function of the application's"),
            name => name.unwrap_or_default().to_owned(),
        });
        io.on("eid", |socket: Socket, ack: Ack| ack.send(socket.session_id()));
    };
    on_cores(&[1, 2], build, |stage| {
        let named = |name: &str| {
            let reply = ask(stage, "GET", &format!("{OPEN}&as={name}"), "");
            let open: serde_json::Value = serde_json::from_str(&reply.body[1..]).expect("an open packet");
            open["sid"].as_str().expect("an id").to_owned()
        };
        let refused = || stage.sum(|report| report.hub.ids_refused);
        assert!(named("blue-")[1..].starts_with("blue-"));
        assert_ne!(named("blue-"), named("blue-"), "what is missing is random");
        assert_eq!(refused(), 0);
        let whole = "abcdefghijklmnopqrs";
        let first = named(whole);
        assert_eq!(first[1..], *whole);
        // Taken, but on another core it is another id.
        let again: Vec<_> = (0..8).map(|_| named(whole)).filter(|id| id[1..] == *whole).collect();
        assert!(again.len() < stage.emitter.cores(), "{again:?}");
        let before = refused();
        assert!(before >= 7, "{before}");
        for unfit in ["", "no.", "abcdefghijklmnopqrst"] {
            assert_eq!(named(unfit).len(), 20);
        }
        assert_eq!(refused() - before, 3);
        assert_eq!(named("panic").len(), 20);
        let mut client = stage.client();
        assert_eq!(client.ask(1, r#"["eid"]"#)[0].as_str().expect("an id").len(), 20);
    });
}

/// Source: the engine's event `connection_error`.
#[test]
fn refused_requests_are_seen_with_their_code() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let build = |io: &Builder| {
        let seen = Arc::clone(&seen);
        io.allow_request(|request| match request.header("token") {
            Some(_) => Ok(()),
            None => Err("no token".into()),
        });
        io.on_connection_error(move |request, code, message| {
            seen.lock().unwrap().push(format!("{} {code} {message}", request.query("n").unwrap_or_default()));
            assert_ne!(code, 0, "a panic of the application's is not the client's affair");
        });
    };
    on_cores(&[1], build, |stage| {
        let refusals = [
            ("/socket.io/?EIO=4&transport=tape&n=a", "token: 1\r\n", 400, "a 0 Transport unknown"),
            ("/socket.io/?EIO=4&transport=polling&sid=x&n=b", "", 400, "b 1 Session ID unknown"),
            ("/socket.io/?EIO=4&transport=polling&n=c", "", 403, "c 4 no token"),
        ];
        for (target, lines, status, told) in refusals {
            assert_eq!(ask(stage, "GET", target, lines).status, status, "{target}");
            assert_eq!(seen.lock().unwrap().pop().as_deref(), Some(told));
        }
        assert_eq!(ask(stage, "GET", OPEN, "token: 1\r\n").status, 200);
        assert_eq!(ask(stage, "GET", "/elsewhere", "").status, 404);
        assert!(seen.lock().unwrap().is_empty(), "only refusals of the engine's");
    });
}
