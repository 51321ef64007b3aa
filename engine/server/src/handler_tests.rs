//! Every shape of handler that the library's users may write, with a socket that is connected to nothing.

use std::rc::Rc;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use serde_json::Value;
use socketville_hub::{Id, NspId, SocketKey};

use super::*;
use crate::Binary;
use crate::app::App;
use crate::core::Core;
use crate::town::Town;

/// A parameter of a user's own that serde cannot read.
struct Greeting(&'static str);

impl FromEvent for Greeting {
    fn from_event(_event: &mut EventContext<'_>) -> Result<Self, ArgumentError> {
        Ok(Self("hello"))
    }
}

type Log = Arc<Mutex<Vec<String>>>;

fn note(log: &Log, text: impl ToString) {
    log.lock().unwrap().push(text.to_string());
}

/// A handle on a core that nobody runs.
fn socket() -> Socket {
    let core = Core::new(0, Town::new(App::default(), 1, [0; 32]), [0; 32]);
    let id = Id::parse("AAAAAAAAAAAAAAAAAAAA").expect("an id of ours");
    core.add_socket(SocketKey::new(0, 0), id, NspId::first(0), None)
}

/// Calls a handler with the arguments of `["e",...]`, to the end of its task, and gives what it noted.
fn run(handler: &BoxedHandler, args: &[&str], log: &Log) -> Result<Vec<String>, String> {
    let mut json = String::from("[\"e\"");
    let mut spans = vec![(1, 4)];
    for arg in args {
        json.push(',');
        let start = json.len() as u32;
        json.push_str(arg);
        spans.push((start, json.len() as u32));
    }
    let attachments = Attachments::from(vec![vec![7]]);
    let args = RawArgs::new(&json, &spans);
    let socket = socket();
    let ack = Some(Ack::new(socket.clone(), None));
    let mut event = EventContext { args, attachments: &attachments, socket: &socket, ack };
    match handler(&mut event) {
        Outcome::Done => {}
        Outcome::Task(task) => finish(task),
        Outcome::Failed(error) => return Err(error.to_string()),
    }
    Ok(std::mem::take(&mut *log.lock().unwrap()))
}

fn finish(mut task: Pin<Box<dyn Future<Output = ()>>>) {
    let mut cx = Context::from_waker(Waker::noop());
    while task.as_mut().poll(&mut cx) == Poll::Pending {}
}

fn plain_item(_socket: Socket, _text: String) {}

fn failing_item(number: i32) -> Result<(), String> {
    if number > 0 { Ok(()) } else { Err("not positive".to_owned()) }
}

async fn async_item(_socket: Socket, _room: String, _ack: Ack) {}

async fn async_failing_item(_text: String) -> Result<(), std::fmt::Error> {
    Err(std::fmt::Error)
}

#[test]
fn sync_functions_and_closures() {
    let log = Log::default();
    let noted = Arc::clone(&log);
    let say = boxed(move |_socket: Socket, text: String, count: Option<u8>| {
        note(&noted, format!("{text} {count:?}"))
    });
    assert_eq!(run(&say, &["\"hi\"", "3"], &log).unwrap(), ["hi Some(3)"]);
    assert_eq!(run(&say, &["\"hi\""], &log).unwrap(), ["hi None"]);
    let noted = Arc::clone(&log);
    let twice = boxed(move |a: Vec<i32>, _: Socket, greeting: Greeting, b: Value| {
        note(&noted, format!("{a:?} {} {b}", greeting.0));
    });
    assert_eq!(run(&twice, &["[1,2]", r#"{"x":1}"#, "4"], &log).unwrap(), ["[1, 2] hello {\"x\":1}"]);
    for handler in [boxed(|| {}), boxed(plain_item), boxed(|_: Socket| {}), boxed(|_: Ack| {})] {
        assert_eq!(run(&handler, &["\"a\""], &log), Ok(vec![]));
    }
}

#[test]
fn results_are_reported_not_propagated() {
    let log = Log::default();
    for handler in [boxed(failing_item), boxed(|n: i64| u8::try_from(n).map(drop))] {
        assert_eq!(run(&handler, &["-1"], &log), Ok(vec![]));
    }
    assert_eq!(run(&boxed(async_failing_item), &["\"a\""], &log), Ok(vec![]));
}

#[test]
fn async_functions_and_closures() {
    let log = Log::default();
    let noted = Arc::clone(&log);
    let owning = boxed(async move |_socket: Socket, room: String, _ack: Ack| {
        yield_once().await;
        note(&noted, room);
    });
    assert_eq!(run(&owning, &["\"lobby\""], &log).unwrap(), ["lobby"]);
    assert_eq!(run(&owning, &["\"again\""], &log).unwrap(), ["again"]);
    let noted = Arc::clone(&log);
    let returning = boxed(move |file: Binary| {
        let noted = Arc::clone(&noted);
        async move { note(&noted, file.len()) }
    });
    assert_eq!(run(&returning, &[r#"{"_placeholder":true,"num":0}"#], &log).unwrap(), ["1"]);
    let plain = boxed(async |_socket: Socket, _text: String| {});
    let nothing = boxed(async || {});
    let question = boxed(async |text: String| -> Result<(), std::num::ParseIntError> {
        text.parse::<u8>()?;
        Ok(())
    });
    for handler in [plain, nothing, question, boxed(async_item)] {
        assert_eq!(run(&handler, &["\"a\""], &log), Ok(vec![]));
    }
}

#[test]
fn futures_need_not_be_send() {
    let log = Log::default();
    let local = boxed(async |text: String| {
        let local = Rc::new(text);
        yield_once().await;
        assert_eq!(local.len(), 1);
    });
    assert_eq!(run(&local, &["\"a\""], &log), Ok(vec![]));
}

#[test]
fn a_task_outlives_the_handler_it_came_from() {
    let log = Log::default();
    let noted = Arc::clone(&log);
    let handler = boxed(async move || note(&noted, "done"));
    let attachments = Attachments::default();
    let args = RawArgs::new("[]", &[]);
    let socket = socket();
    let mut event = EventContext { args, attachments: &attachments, socket: &socket, ack: None };
    let Outcome::Task(task) = handler(&mut event) else { panic!("expected a task") };
    drop(handler);
    finish(task);
    assert_eq!(*log.lock().unwrap(), ["done"]);
}

#[test]
fn eight_parameters() {
    let log = Log::default();
    let noted = Arc::clone(&log);
    let sum = boxed(move |_: Socket, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, _: Ack| {
        note(&noted, a + b + c + d + e + f)
    });
    assert_eq!(run(&sum, &["1", "2", "3", "4", "5", "6"], &log).unwrap(), ["21"]);
    let noted = Arc::clone(&log);
    let sum = boxed(async move |a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8| {
        note(&noted, a + b + c + d + e + f + g + h);
    });
    assert_eq!(run(&sum, &["1"; 8], &log).unwrap(), ["8"]);
}

#[test]
fn bad_arguments_never_reach_the_handler() {
    let log = Log::default();
    let (first, second) = (Arc::clone(&log), Arc::clone(&log));
    let handlers = [
        boxed(move |_: Socket, _: u8, _: String| note(&first, "called")),
        boxed(async move |_: u8, _: Socket, _: String| note(&second, "called")),
    ];
    for handler in handlers {
        let bad = run(&handler, &["1", r#"{"a":1}"#], &log);
        assert_eq!(bad.unwrap_err(), r#"argument 2: expected a string, found {"a":1}"#);
        assert_eq!(run(&handler, &["1"], &log).unwrap_err(), "argument 2: expected a string, found nothing");
        assert_eq!(run(&handler, &[], &log).unwrap_err(), "argument 1: expected u8, found nothing");
    }
    assert!(log.lock().unwrap().is_empty());
}

/// Pending once.
async fn yield_once() {
    let mut is_second = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut is_second, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
