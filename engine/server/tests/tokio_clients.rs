//! Async handlers wait for the engine's own timers and for clients built on tokio, on the socket's core, and hold nobody up.
//! Not tests of those clients: one plain TCP stream and one real Redis stand for all of them.

mod client;
mod stage;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use serde_json::json;
use socketville::{Ack, Builder, Socket, sleep};
use socketville_proto::ws::Opcode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use client::PATIENCE;
use stage::{on_cores, on_each};

/// An HTTP server on a thread of its own, as slow as the test wants.
struct Backend {
    address: SocketAddr,
    /// The paths that were asked for; the answer waits until the test lets it go.
    asked: Receiver<String>,
    go: Sender<()>,
}

impl Backend {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (ask, asked) = channel();
        let (go, may_go) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut head = String::new();
                let mut lines = BufReader::new(&stream);
                while lines.read_line(&mut head).is_ok_and(|count| count > 2) {}
                let path = head.split(' ').nth(1).expect("a path").to_owned();
                if ask.send(path.clone()).is_err() || may_go.recv().is_err() {
                    return;
                }
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len());
                stream.write_all(answer.as_bytes()).expect("sent");
            }
        });
        Self { address, asked, go }
    }

    fn asked(&self) -> String {
        self.asked.recv_timeout(PATIENCE).expect("the handler asked")
    }
}

/// A client as users would have one: a stream of tokio's.
async fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or(ErrorKind::InvalidData)?;
    Ok(body.to_owned())
}

#[test]
fn timers_of_both_kinds() {
    let build = |io: &Builder| {
        io.on("ours", async |ms: u64, ack: Ack| {
            sleep(Duration::from_millis(ms)).await;
            ack.send(ms);
        })
        .on("tokio's", async |ms: u64, ack: Ack| {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            ack.send(ms);
        })
        .on("elsewhere", async |ms: u64, ack: Ack| {
            let work = tokio::spawn(async move { 2 * ms });
            ack.send(work.await.ok());
        })
        .on("too late", async |socket: Socket, ack: Ack| {
            let never = std::future::pending::<()>();
            let limited = tokio::time::timeout(Duration::from_millis(5), never).await;
            socket.emit("given up", limited.is_err());
            ack.send(());
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        let begun = Instant::now();
        assert_eq!(client.ask(1, r#"["tokio's",30]"#), json!([30]));
        assert!(begun.elapsed() >= Duration::from_millis(30), "{:?}", begun.elapsed());
        assert_eq!(client.ask(1, r#"["ours",30]"#), json!([30]));
        assert_eq!(client.ask(2, r#"["elsewhere",21]"#), json!([42]));
        client.ask(3, r#"["too late"]"#);
        assert_eq!(client.event("given up"), json!([true]));
        // In one segment, so in one turn: sleeps count from its beginning.
        let texts = [(10, 60), (11, 40), (12, 20)].map(|(id, ms)| format!("42{id}[\"ours\",{ms}]"));
        client.send_all(&texts.each_ref().map(|text| (Opcode::Text, text.as_bytes())));
        let ids: Vec<_> = (0..3).map(|_| client.packet().id).collect();
        assert_eq!(ids, [Some(12), Some(11), Some(10)], "shorter sleeps end first");
    });
}

/// While a handler waits for a slow backend, the others of its core, and its own socket, are served.
#[test]
fn a_slow_backend_holds_nobody_up() {
    let backend = Backend::start();
    let address = backend.address;
    let build = move |io: &Builder| {
        io.on("fetch", async move |path: String, ack: Ack| ack.send(get(address, &path).await.ok()))
            .on("echo", |number: u64, ack: Ack| ack.send(number));
    };
    on_cores(&[1, 2], build, |stage| {
        for core in 0..stage.cores {
            let (mut waiting, mut other) = (stage.client_on(core), stage.client_on(core));
            waiting.send_text(r#"427["fetch","/slow"]"#);
            assert_eq!(backend.asked(), "/slow");
            for number in 0..200_u64 {
                let event = json!(["echo", number]).to_string();
                assert_eq!(other.ask(number, &event), json!([number]));
            }
            assert_eq!(waiting.before_fence(), [], "not answered yet, and not stalled");
            stage.emitter.emit("broadcast", 1);
            assert_eq!(waiting.event("broadcast"), json!([1]));
            assert_eq!(other.event("broadcast"), json!([1]));
            backend.go.send(()).expect("it waits");
            assert_eq!(waiting.answer(7), json!(["/slow"]));
        }
    });
}

#[test]
fn a_backend_that_is_not_there_is_an_error_of_the_client() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let build = move |io: &Builder| {
        io.on("fetch", async move |ack: Ack| ack.send(get(closed, "/").await.is_err()));
    };
    on_each(build, |stage| {
        assert_eq!(stage.client().ask(1, r#"["fetch"]"#), json!([true]));
    });
}

/// A handler whose client has left goes on to its end; what it emits then goes nowhere.
#[test]
fn a_client_that_leaves_does_not_end_its_handlers() {
    let backend = Backend::start();
    let address = backend.address;
    let (done, finished) = channel();
    let done = Mutex::new(done);
    let done: &'static Mutex<Sender<bool>> = Box::leak(Box::new(done));
    let build = move |io: &Builder| {
        io.on("fetch", async move |socket: Socket, ack: Ack| {
            let body = get(address, "/late").await;
            ack.send(body.is_ok());
            socket.broadcast().emit("fetched", body.ok());
            let _ = done.lock().unwrap_or_else(PoisonError::into_inner).send(socket.is_connected());
        });
    };
    on_each(build, |stage| {
        let mut client = stage.client();
        let mut other = stage.client();
        client.send_text(r#"421["fetch"]"#);
        backend.asked();
        client.send_text("41");
        client.finish();
        client.until_closed();
        backend.go.send(()).expect("it waits");
        assert_eq!(finished.recv_timeout(PATIENCE), Ok(false));
        assert_eq!(other.event("fetched"), json!(["/late"]));
    });
}

/// A Redis of the test's own, on a socket in a folder of its own.
struct Redis {
    process: Child,
    folder: PathBuf,
}

impl Redis {
    fn start() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("socketville-redis-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]);
        command.arg(folder.join("redis.sock")).arg("--dir").arg(&folder).stdout(Stdio::piped());
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("this test needs a real Redis; install it: apt-get install redis-server")
            }
            Err(error) => panic!("redis-server does not start: {error}"),
        };
        let mut log = BufReader::new(process.stdout.take().expect("piped"));
        let mut said = String::new();
        while !said.contains("eady to accept connections") {
            assert!(log.read_line(&mut said).is_ok_and(|count| count > 0), "redis-server ended: {said}");
        }
        thread::spawn(move || log.read_to_string(&mut String::new()));
        Self { process, folder }
    }

    fn client(&self) -> redis::Client {
        let url = format!("unix://{}", self.folder.join("redis.sock").display());
        redis::Client::open(url).expect("an address")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

async fn remember(connection: &mut MultiplexedConnection, room: &str, text: &str) -> redis::RedisResult<()> {
    connection.rpush(room, text).await
}

#[test]
fn a_real_redis_in_a_handler() {
    let redis = Redis::start();
    let build = |io: &Builder| {
        let (say, history, slow) = (redis.client(), redis.client(), redis.client());
        io.on_connect(|socket: Socket| socket.join("lobby"))
            .on("say", async move |socket: Socket, text: String, ack: Ack| -> redis::RedisResult<()> {
                let mut connection = say.get_multiplexed_async_connection().await?;
                remember(&mut connection, "lobby", &text).await?;
                socket.to("lobby").emit("said", &text);
                ack.send(());
                Ok(())
            })
            .on("history", async move |ack: Ack| -> redis::RedisResult<()> {
                let mut connection = history.get_multiplexed_async_connection().await?;
                ack.send(connection.lrange::<_, Vec<String>>("lobby", 0, -1).await?);
                Ok(())
            })
            .on("next", async move |ack: Ack| -> redis::RedisResult<()> {
                let mut connection = slow.get_multiplexed_async_connection().await?;
                let next: Option<(String, String)> = connection.blpop("queue", 0.0).await?;
                ack.send(next.map(|(_, value)| value));
                Ok(())
            })
            .on("echo", |number: u64, ack: Ack| ack.send(number));
    };
    on_each(build, |stage| {
        let mut blocking = redis.client().get_connection().expect("Redis answers");
        redis::cmd("FLUSHALL").exec(&mut blocking).expect("emptied");
        let mut clients = stage.clients_per_core(2);
        for text in ["a", "é", "\n"] {
            clients[0].ask(1, &json!(["say", text]).to_string());
        }
        for client in &mut clients[1..] {
            for text in ["a", "é", "\n"] {
                assert_eq!(client.event("said"), json!([text]));
            }
            assert_eq!(client.ask(2, r#"["history"]"#), json!([["a", "é", "\n"]]));
        }
        for client in &mut clients {
            client.send_text(r#"423["next"]"#);
        }
        for client in &mut clients {
            assert_eq!(client.ask(4, r#"["echo",4]"#), json!([4]), "a blocked command blocks nobody");
        }
        let values: Vec<_> = (0..clients.len()).map(|number| number.to_string()).collect();
        redis::cmd("RPUSH").arg("queue").arg(&values).exec(&mut blocking).expect("pushed");
        let mut popped: Vec<_> = clients
            .iter_mut()
            .map(|client| client.answer(3)[0].as_str().expect("a value").to_owned())
            .collect();
        popped.sort();
        assert_eq!(popped, values, "each to one");
    });
}
