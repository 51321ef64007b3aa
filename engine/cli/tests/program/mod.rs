//! The program under test, and the plainest HTTP and Socket.IO clients that can ask it something.
//! Not clients for anybody else: one request a connection, answers read to their end.

#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// Guard of everything that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running `socketville`.
pub(crate) struct Program {
    child: Child,
    address: String,
    /// What it printed at start.
    pub(crate) said: String,
    /// What it prints later; closed when it ends.
    lines: Receiver<String>,
}

/// An HTTP answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Header lines, their names in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A Socket.IO client over long-polling, in one namespace.
pub(crate) struct Client<'a> {
    program: &'a Program,
    path: String,
    /// What stands between a packet's type and its content: nothing for `/`.
    scope: String,
    /// Packets that came and were not asked for yet.
    heard: Vec<String>,
}

/// Checks the program with each driver that this machine allows, on a free port.
pub(crate) fn with_each_driver(
    start: impl Fn(&[&str]) -> Result<Program, String>,
    options: &[&str],
    check: impl Fn(&Program),
) {
    for driver in ["epoll", "io_uring"] {
        let first = ["serve", "--listen", "127.0.0.1:0", "--driver", driver];
        match start(&[&first, options].concat()) {
            Ok(program) => {
                check(&program);
                assert_eq!(program.end(), Some(0), "SIGTERM ends it in order ({driver})");
            }
            Err(said) if driver == "io_uring" && said.contains("io_uring was asked for") => {
                eprintln!("not tested: {said}");
            }
            Err(said) => panic!("the program did not start: {said}"),
        }
    }
}

impl Program {
    /// Starts it and waits until it has told where to look; else what it said instead.
    pub(crate) fn start(options: &[&str]) -> Result<Self, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_socketville"));
        command.args(options);
        Self::run(command)
    }

    /// The same, where it may have so many descriptors open.
    pub(crate) fn start_within(descriptors: usize, options: &[&str]) -> Result<Self, String> {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_socketville")]).args(options);
        Self::run(command)
    }

    fn run(mut command: Command) -> Result<Self, String> {
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SOCKETVILLE_")) {
            command.env_remove(name);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built");
        let lines = lines_of(child.stdout.take().expect("piped"));
        let errors = lines_of(child.stderr.take().expect("piped"));
        let mut said = String::new();
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            said = said + &line + "\n";
            if line.starts_with("Try: ") {
                let url = said.split("http://").nth(1).expect("an address is printed");
                let address = url.split('/').next().unwrap_or_default().to_owned();
                return Ok(Self { child, address, said, lines });
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        Err(errors.iter().fold(said, |said, line| said + &line + "\n"))
    }

    pub(crate) fn signal(&self, name: &str) {
        self.signal_times(name, 1);
    }

    /// Sends a signal so many times, at once: one process sends them all.
    pub(crate) fn signal_times(&self, name: &str, times: usize) {
        let kill = format!("kill -{name}{}", format!(" {}", self.child.id()).repeat(times));
        let sent = Command::new("sh").arg("-c").arg(kill).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal was sent");
    }

    /// Ends it with SIGTERM; its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.signal("TERM");
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        let _ = self.child.kill(); // does nothing to what has ended
        self.child.wait().expect("it was started").code()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.request("GET", path, "", "")
    }

    pub(crate) fn publish(&self, key: &str, body: &str) -> Reply {
        self.request("POST", "/api/publish", &format!("authorization: Bearer {key}\r\n"), body)
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Reply {
        let length = body.len();
        let mut stream = self.send(&format!(
            "{method} {path} HTTP/1.1\r\nhost: h\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        ));
        Reply::read(&mut stream)
    }

    /// Sends text on a new connection and reads until the other side closes it.
    pub(crate) fn exchange(&self, text: &str) -> String {
        let mut answer = String::new();
        self.send(text).read_to_string(&mut answer).expect("text");
        answer
    }

    /// A connection that is kept.
    pub(crate) fn connection(&self) -> BufReader<TcpStream> {
        self.send("")
    }

    fn send(&self, text: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let _ = stream.write_all(text.as_bytes()); // a refusal may come before all is written
        BufReader::new(stream)
    }

    /// A client that has joined a namespace.
    pub(crate) fn connect(&self, namespace: &str) -> Client<'_> {
        let path = "/socket.io/?EIO=4&transport=polling";
        let open = self.get(path).body;
        let open: Value = serde_json::from_str(open.trim_start_matches('0')).expect("an open packet");
        let sid = open["sid"].as_str().expect("a session's id");
        let scope = if namespace == "/" { String::new() } else { format!("{namespace},") };
        let mut client =
            Client { program: self, path: format!("{path}&sid={sid}"), scope, heard: Vec::new() };
        client.post("0", "");
        client.wait_for("0", "{\"sid\":");
        client
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Reply {
    /// Reads as much as the head says, not to the connection's end: that may take a while after a refusal.
    pub(crate) fn read(stream: &mut impl BufRead) -> Self {
        let mut head = String::new();
        let mut length = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).expect("an answer in time");
            let line = line.trim_end();
            let Some((name, value)) = line.split_once(':') else {
                if line.is_empty() {
                    break;
                }
                head = format!("{line}\n");
                continue;
            };
            let name = name.to_ascii_lowercase();
            if name == "content-length" {
                length = value.trim().parse().expect("a length");
            }
            head += &format!("{name}:{value}\n");
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("a body as long as it was said to be");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Self { status, head, body: String::from_utf8(body).expect("text") }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Client<'_> {
    /// Emits an event that wants an answer; the answer's arguments.
    pub(crate) fn ask(&mut self, id: usize, event: &str) -> Value {
        self.post("2", &format!("{id}{event}"));
        self.wait_for("3", &format!("{id}["))
    }

    /// The next event of this name.
    pub(crate) fn hear(&mut self, event: &str) -> Value {
        self.wait_for("2", &format!("[\"{event}\""))
    }

    fn post(&self, packet_type: &str, content: &str) {
        let packet = format!("4{packet_type}{}{content}", self.scope);
        assert_eq!(self.program.request("POST", &self.path, "", &packet).status, 200, "{packet}");
    }

    /// Polls until a packet of this type begins so; its JSON.
    fn wait_for(&mut self, packet_type: &str, start: &str) -> Value {
        let start = format!("4{packet_type}{}{start}", self.scope);
        for _ in 0..POLLS_MAX {
            if let Some(index) = self.heard.iter().position(|packet| packet.starts_with(&start)) {
                let packet = self.heard.remove(index);
                let json = packet.find(['[', '{']).map_or("null", |at| &packet[at..]);
                return serde_json::from_str(json).expect("JSON");
            }
            let reply = self.program.get(&self.path);
            assert_eq!(reply.status, 200, "{}", reply.body);
            self.heard.extend(reply.body.split('\x1e').map(str::to_owned));
        }
        panic!("expected a packet that starts with {start}, heard {:?}", self.heard)
    }
}

/// Polls after which nothing more is expected: the demo says something every second.
const POLLS_MAX: usize = 30;

/// Reads lines in a thread, so that they can be waited for with a guard.
fn lines_of(source: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(source).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}
