//! A mounted service: what is not the engine's leaves with its connection, and what is the engine's stays.

mod client;
mod stage;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::routing::{any, get, post};
use serde_json::json;
use socketville::{Builder, Emitter, HttpRequest, HttpResponse, Method, Server, Socket};

use client::Client;
use client::http::Http;
use stage::{Stage, on_cores_with};

fn build(io: &Builder) {
    io.route(Method::Get, "/healthz", async |_request: HttpRequest| HttpResponse::text(200, "ok\n"));
    io.on("say", |socket: Socket, text: String| socket.emit("said", text));
}

fn app(emitter: Emitter) -> Router {
    Router::new()
        .route("/hello", get(async || "hello from elsewhere"))
        .route("/length", post(async |body: Bytes| body.len().to_string()))
        .route(
            "/announce",
            post(async |State(emitter): State<Emitter>, text: String| emitter.emit("announcement", text)),
        )
        .route("/echo", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)))
        .with_state(emitter)
}

async fn echo(mut socket: axum::extract::ws::WebSocket) {
    while let Some(Ok(Message::Text(text))) = socket.recv().await {
        if socket.send(Message::Text(text)).await.is_err() {
            return;
        }
    }
}

fn on_each(check: impl Fn(&Stage)) {
    let mount = |server: Server| {
        let emitter = server.emitter();
        server.mount(app(emitter))
    };
    on_cores_with(&[1, 2], build, mount, check);
}

fn handed_over(stage: &Stage) -> u64 {
    stage.sum(|report| report.turns.connections_handed_over)
}

#[test]
fn what_is_not_the_engines_is_the_services() {
    on_each(|stage| {
        let reply = Http::connect(stage.address).request("GET", "/hello", "");
        assert_eq!((reply.status, reply.body.as_str()), (200, "hello from elsewhere"));
        assert_eq!(Http::connect(stage.address).request("GET", "/nothing", "").status, 404);
        assert_eq!(handed_over(stage), 2);
        let reply = Http::connect(stage.address).request("GET", "/healthz", "");
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok\n"));
        assert_eq!(Http::connect(stage.address).request("GET", "/socket.io/?EIO=4", "").status, 400);
        assert_eq!(handed_over(stage), 2, "routes and the engine stay");
    });
}

#[test]
fn a_body_arrives_whole_whatever_was_read_with_the_head() {
    on_each(|stage| {
        let body = "x".repeat(300_000);
        let reply = Http::connect(stage.address).request("POST", "/length", &body);
        assert_eq!(reply.body, "300000");
        let mut split = Http::connect(stage.address);
        split.send("POST /length HTTP/1.1\r\nHost: a\r\nContent-Le");
        split.send("ngth: 5\r\n\r\n12");
        split.send("345");
        assert_eq!(split.reply().expect("an answer").body, "5");
    });
}

#[test]
fn an_engine_request_may_come_first_on_the_connection() {
    on_each(|stage| {
        let mut kept = Http::connect(stage.address);
        assert_eq!(kept.request("GET", "/socket.io/?EIO=4&transport=polling", "").status, 200);
        assert_eq!(kept.request("GET", "/hello", "").body, "hello from elsewhere");
        assert!(kept.reply().is_none(), "one exchange, then it closes");
    });
}

#[test]
fn a_service_speaks_to_clients_through_the_emitter() {
    on_each(|stage| {
        let mut client = stage.client();
        client.emit(r#"["say","here"]"#);
        assert_eq!(client.event("said"), json!(["here"]));
        assert_eq!(Http::connect(stage.address).request("POST", "/announce", "soon").status, 200);
        assert_eq!(client.event("announcement"), json!(["soon"]));
    });
}

#[test]
fn a_websocket_of_the_services_own_stays_open() {
    on_each(|stage| {
        let mut socket = Client::raw(stage.address, "/echo");
        for word in ["one", "two"] {
            socket.send_text(word);
            assert_eq!(socket.text(), word);
        }
    });
}
