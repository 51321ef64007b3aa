//! The real program on a real port, with both drivers and two cores: its doors, its answers, its end.
//! Not a test of the engine: one polling client is enough to hear what backends and clients say.

mod program;

use std::io::Write;

use program::{Program, Reply};
use serde_json::{Value, json};

/// With each driver that this machine allows.
fn with_each_driver(options: &[&str], check: impl Fn(&Program)) {
    program::with_each_driver(Program::start, &[&["--cores", "2"], options].concat(), check);
}

#[test]
fn the_doors_are_open_and_locked() {
    with_each_driver(&["--api-key", "a-key"], |program| {
        assert_eq!(program.get("/healthz").status, 200);
        let metrics = program.get("/metrics");
        assert!(metrics.head.contains("content-type: text/plain; version=0.0.4"), "{}", metrics.head);
        let series = ["connections{core=\"0\"} ", "sockets{core=\"1\"} 0", "sends_per_frame "];
        for part in series.map(|name| format!("\nsocketville_{name}")) {
            assert!(metrics.body.contains(&part), "{part} in {}", metrics.body);
        }
        let root = program.get("/");
        assert!(root.body.starts_with("Socketville ") && root.body.contains("/api/publish"), "{}", root.body);
        assert_eq!(program.get("/town.js").status, 404);
        for header in ["", "authorization: Bearer another\r\n", "authorization: Basic a-key\r\n"] {
            let refused = program.request("POST", "/api/publish", header, r#"{"event":"bell"}"#);
            assert_eq!(refused.status, 401, "{header}");
            assert!(refused.head.contains("www-authenticate: Bearer realm="), "{}", refused.head);
        }
        let other_method = program.get("/api/publish");
        assert_eq!((other_method.status, other_method.head.contains("allow: POST")), (405, true));
        assert!(!program.said.contains("a-key"), "a key that was given is not printed");
    });
}

#[test]
fn listed_origins_may_connect_and_the_clients_files_are_there() {
    let package = std::env::temp_dir().join(format!("socketville-cli-client-{}", std::process::id()));
    std::fs::create_dir_all(package.join("dist")).expect("a directory");
    std::fs::write(package.join("dist/socket.io.js"), "io();").expect("written");
    let directory = package.join("dist").to_string_lossy().into_owned();
    with_each_driver(&["--cors-origin", "https://a,https://b", "--client-dir", &directory], |program| {
        let open = "/socket.io/?EIO=4&transport=polling";
        for (origin, status) in [("https://a", 200), ("https://b", 200), ("https://c", 403)] {
            let reply = program.request("GET", open, &format!("origin: {origin}\r\n"), "");
            assert_eq!(reply.status, status, "{origin}");
        }
        assert_eq!(program.get("/socket.io/socket.io.js").body, "io();");
    });
    std::fs::remove_dir_all(&package).expect("removed");
}

#[test]
fn head_has_no_body_and_the_connection_goes_on() {
    with_each_driver(&["--demo"], |program| {
        let page = program.get("/");
        let both =
            "HEAD / HTTP/1.1\r\nhost: h\r\n\r\nGET /healthz HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
        let answers = program.exchange(both);
        let (head, rest) = answers.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("Content-Length: {}", page.body.len())), "{head}");
        assert!(rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with("\r\n\r\nok\n"), "{rest}");
    });
}

#[test]
fn bad_bodies_are_told_what_is_wrong_and_where() {
    with_each_driver(&["--api-key", "a-key"], |program| {
        for (body, path, message) in [
            ("", json!(null), "not JSON: EOF while parsing a value"),
            ("[{\"event\":\"a\"},{\"event\":5}]", json!("[1].event"), "expected a string"),
            (r#"{"event":"disconnect"}"#, json!("event"), "not reserved"),
            (
                r#"{"event":"a","namespace":"/moon"}"#,
                json!("namespace"),
                "expected one of the namespaces /, found",
            ),
        ] {
            let refused = program.publish("a-key", body);
            assert_eq!(refused.status, 400, "{body}");
            let error = &refused.json()["error"];
            assert_eq!(error["path"], path, "{body}: {error}");
            assert!(error["message"].as_str().is_some_and(|text| text.contains(message)), "{body}: {error}");
        }
        assert_eq!(program.publish("a-key", &"[".repeat(900_000)).status, 400);
        assert_eq!(program.publish("a-key", &" ".repeat(1_000_001)).status, 413);
        assert_eq!(program.get("/healthz").status, 200);
    });
}

#[test]
fn the_demo_shows_its_page_and_prints_its_key() {
    with_each_driver(&["--demo"], |program| {
        for (path, content_type) in [
            ("/", "text/html"),
            ("/style.css", "text/css"),
            ("/town.js", "text/javascript"),
            ("/client.js", "text/javascript"),
        ] {
            let Reply { status, head, body } = program.get(path);
            assert_eq!(status, 200, "{path}");
            assert!(head.contains(&format!("content-type: {content_type}")), "{path}: {head}");
            assert!(head.contains("cache-control: no-cache"), "{path}: {head}");
            assert!(head.contains("content-security-policy: default-src 'self'"), "{path}: {head}");
            assert!(!body.is_empty(), "{path}");
        }
        let key = program.said.lines().find_map(|line| line.trim().strip_prefix("key ")).expect("printed");
        let key = key.split_whitespace().next().expect("a key");
        assert_eq!(key.len(), 32);
        let body = r#"[{"event":"a"},{"namespace":"/harbour","event":"b","args":[1,"x"]}]"#;
        let published = program.publish(key, body);
        assert_eq!((published.status, published.json()), (200, json!({"ok": true, "sockets": [0, 0]})));
    });
}

#[test]
fn clients_join_speak_and_hear_in_the_demo() {
    with_each_driver(&["--demo", "--api-key", "a-key"], |program| {
        let mut client = program.connect("/market");
        let joined = client.ask(1, r#"["join","bakery"]"#);
        assert_eq!(joined, json!([{"ok": true, "room": "bakery"}]));
        let spoke = client.ask(2, r#"["say",{"room":"bakery","text":"Good morning"}]"#);
        assert_eq!(spoke, json!([{"ok": true}]));
        let said = client.hear("said");
        assert_eq!((&said[1]["room"], &said[1]["text"]), (&json!("bakery"), &json!("Good morning")));
        assert!(said[1]["from"].as_str().is_some_and(|from| from.len() == 6), "{said}");

        let body = r#"{"namespace":"market","rooms":"bakery","event":"bell","args":["Bread!",{"b":1,"a":2.50},null]}"#;
        let published = program.publish("a-key", body);
        assert_eq!(published.json(), json!({"ok": true, "sockets": 1}));
        assert_eq!(client.hear("bell"), json!(["bell", "Bread!", {"b": 1, "a": 2.5}, null]));
        let elsewhere =
            program.publish("a-key", r#"{"namespace":"/market","except":["bakery"],"event":"bell"}"#);
        assert_eq!(elsewhere.json(), json!({"ok": true, "sockets": 0}));

        let town = client.hear("town");
        for (field, expected) in [("cores", json!(2)), ("rooms", json!([{"name": "bakery", "members": 1}]))] {
            assert_eq!(town[1][field], expected, "{town}");
        }
        assert!(town[1]["deliveries_per_second"].is_u64() && town[1]["sends_per_frame"].is_f64(), "{town}");
        let left = client.ask(3, r#"["leave","bakery"]"#);
        assert_eq!(left, json!([{"ok": true, "room": "bakery"}]));
    });
}

#[test]
fn refusals_are_said_in_the_acknowledgement() {
    let is_refused = |answer: &Value, part: &str| {
        assert_eq!(answer[0]["ok"], false, "{answer}");
        assert!(answer[0]["error"].as_str().is_some_and(|error| error.contains(part)), "{part} in {answer}");
    };
    with_each_driver(&["--demo"], |program| {
        let mut client = program.connect("/");
        let long = format!(r#"["say",{{"room":"lobby","text":"{}"}}]"#, "é".repeat(501));
        for (id, (event, part)) in [
            (r#"["join",5]"#, "argument 1: expected a string, found 5"),
            (r#"["join"]"#, "expected a string, found nothing"),
            (r#"["join",""]"#, "expected a room's name"),
            (r#"["leave",["lobby"]]"#, "expected a string"),
            (r#"["say","hello"]"#, "expected an object {room, text} of two strings, found \"hello\""),
            (r#"["say",{"room":"lobby","text":"hello"}]"#, "you are not in \"lobby\""),
        ]
        .into_iter()
        .enumerate()
        {
            is_refused(&client.ask(id, event), part);
        }
        client.ask(10, r#"["join","lobby"]"#);
        is_refused(&client.ask(11, r#"["say",{"room":"lobby","text":""}]"#), "found an empty one");
        is_refused(&client.ask(12, &long), "at most 500 characters, found 501");
        let name = "r".repeat(257);
        is_refused(&client.ask(13, &format!(r#"["join","{name}"]"#)), "at most 256 bytes");
    });
    with_each_driver(&[], |program| {
        let mut client = program.connect("/");
        client.ask(0, r#"["join","lobby"]"#);
        is_refused(&client.ask(1, r#"["say",{"room":"lobby","text":"hello"}]"#), "backends do");
    });
}

/// SIGHUP changes nothing; after SIGTERM a connection that is there hears that no more are taken, and what it asked for is answered.
#[test]
fn signals_end_it_in_order() {
    with_each_driver(&["--api-key", "a-key"], |program| {
        assert_eq!((program.get("/readyz").status, program.get("/readyz").body), (200, "ready\n".into()));
        program.signal("HUP");
        assert_eq!(program.get("/healthz").status, 200);
    });
}

/// As `timeout` says it, to the process and to its group. What was begun before is answered all the same.
#[test]
fn a_stop_that_is_said_twice_is_one_stop() {
    let body = r#"{"event":"bell"}"#;
    with_each_driver(&["--api-key", "a-key"], |program| {
        let mut connection = program.connection();
        let length = body.len();
        let head = format!(
            "POST /api/publish HTTP/1.1\r\nhost: h\r\nauthorization: Bearer a-key\r\nexpect: 100-continue\r\n\
             content-length: {length}\r\n\r\n"
        );
        connection.get_mut().write_all(head.as_bytes()).expect("it listens");
        assert_eq!(Reply::read(&mut connection).status, 100, "the body is awaited");
        program.signal_times("TERM", 2);
        connection.get_mut().write_all(body.as_bytes()).expect("it reads");
        let reply = Reply::read(&mut connection);
        assert_ne!(reply.status, 408, "{}", reply.head);
    });
}

#[test]
fn a_port_in_use_is_said_and_can_be_shared() {
    with_each_driver(&[], |program| {
        let address = program.said.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.expect("an address is printed");
        let said = Program::start(&["serve", "--listen", address]).err().expect("fails");
        assert!(said.contains("which is in use by another server"), "{said}");
    });
    let first = Program::start(&["serve", "--listen", "127.0.0.1:0", "--reuse-port"]).expect("starts");
    let address = first.said.split("http://").nth(1).and_then(|rest| rest.split('/').next());
    let second = Program::start(&["serve", "--listen", address.expect("an address"), "--reuse-port"]);
    assert_eq!(second.expect("it shares").end(), Some(0));
    assert_eq!(first.end(), Some(0));
}

#[test]
fn a_start_that_fails_says_why() {
    let said = Program::start(&["serve", "--listen", "nowhere"]).err().expect("fails");
    assert!(said.contains("error: expected an address like 0.0.0.0:3000, found \"nowhere\""), "{said}");
}
