//! The app that the official client's own suite talks to.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use socketville::{Ack, Arguments, Binary, Builder, Handshake, Namespace, Recovery, Refusal, Socket};

use crate::handshake::handshake_of;

/// The delay before a client is let in, so that its own time-outs can be seen.
const ADMISSION: Duration = Duration::from_millis(10);

thread_local! {
    /// The parts of a sequence that have come, by socket id.
    static PARTS: RefCell<HashMap<String, Vec<&'static str>>> = RefCell::default();
}

/// Adds all namespaces.
pub fn serve(io: &Builder) {
    io.connection_state_recovery(Recovery::default());
    io.consider_request(async |_request: Handshake| {
        socketville::sleep(ADMISSION).await;
        Ok(())
    });
    let main = io.of("/").use_middleware(async |socket: Socket| match socket.handshake().query("fail") {
        Some(_) => Err(Refusal::from("Auth failed (main namespace)")),
        None => Ok(()),
    });
    sequences(binary(dates(words(main))))
        .on("getHandshake", |socket: Socket, ack: Ack| ack.send(handshake_of(&socket)))
        .on("getId", answer_id);
    io.of("/foo").on("getId", answer_id);
    io.of("/abc").on_connect(|socket: Socket| socket.emit("handshake", handshake_of(&socket)));
    for name in ["/timeout_socket", "/valid", "/asd"] {
        io.of(name);
    }
    io.of("/no").use_middleware(async |_socket: Socket| Err(Refusal::from("Auth failed (custom namespace)")));
}

fn answer_id(socket: Socket, ack: Ack) {
    ack.send(socket.id());
}

fn words(namespace: Namespace<'_>) -> Namespace<'_> {
    namespace
        .on("hi", |socket: Socket| socket.emit("hi", ()))
        .on("echo", |words: Arguments, ack: Ack| ack.send(words))
        .on("ack", async |socket: Socket| {
            let answer = socket.emit_with_ack::<Arguments>("ack", (), Duration::from_secs(10)).await;
            let Ok(answer) = answer else { return };
            let (five, test) = (answer.read::<Value>(0), answer.read::<Value>(1));
            if five.is_ok_and(|five| five == 5) && test.is_ok_and(|test| test["test"] == true) {
                socket.emit("got it", ());
            }
        })
        .on("false", |socket: Socket| socket.emit("false", false))
        .on("getUtf8", |socket: Socket| {
            for text in ["てすと", "Я Б Г Д Ж Й", "Ä ä Ü ü ß", "utf8 — string", "utf8 — string"]
            {
                socket.emit("takeUtf8", text);
            }
        })
}

fn dates(namespace: Namespace<'_>) -> Namespace<'_> {
    namespace
        .on("getAckDate", |_data: Value, ack: Ack| ack.send(iso_date()))
        .on("getDate", |socket: Socket| socket.emit("takeDate", iso_date()))
        .on("getDateObj", |socket: Socket| socket.emit("takeDateObj", json!({"date": iso_date()})))
}

fn binary(namespace: Namespace<'_>) -> Namespace<'_> {
    let bytes = || Binary(b"asdfasdf".to_vec());
    namespace
        .on("doge", move |socket: Socket| socket.emit("doge", bytes()))
        .on("getbin", move |socket: Socket| socket.emit("takebin", bytes()))
        .on("buffa", |socket: Socket, _bytes: Binary| socket.emit("buffack", ()))
        .on("blob", |socket: Socket, _bytes: Binary| socket.emit("back", ()))
        .on("jsonbuff", |socket: Socket, mixed: Mixed| mixed.answer(&socket, "jsonbuff-ack"))
        .on("jsonblob", |socket: Socket, mixed: Mixed| mixed.answer(&socket, "jsonblob-ack"))
}

/// Binary among JSON.
#[derive(serde::Deserialize)]
struct Mixed {
    hello: String,
    #[serde(rename = "message")]
    _message: Binary,
    goodbye: String,
}

impl Mixed {
    fn answer(&self, socket: &Socket, event: &str) {
        if self.hello == "lol" && self.goodbye == "gotcha" {
            socket.emit(event, ());
        }
    }
}

fn sequences(namespace: Namespace<'_>) -> Namespace<'_> {
    namespace
        .on("abuff1", |socket: Socket, _bytes: Binary| note(&socket, "abuff1"))
        .on("abuff2", |socket: Socket| finish(&socket, &["abuff1"], "abuff2-ack"))
        .on("blob1", |socket: Socket, _bytes: Binary| note(&socket, "blob1"))
        .on("blob2", |socket: Socket, text: String| {
            if text == "second" {
                note(&socket, "blob2");
            }
        })
        .on("blob3", |socket: Socket, _bytes: Binary| finish(&socket, &["blob1", "blob2"], "blob3-ack"))
        .on_disconnect(|socket: Socket| _ = PARTS.with_borrow_mut(|parts| parts.remove(socket.id())))
}

fn note(socket: &Socket, part: &'static str) {
    PARTS.with_borrow_mut(|parts| parts.entry(socket.id().to_owned()).or_default().push(part));
}

fn finish(socket: &Socket, expected: &[&str], event: &str) {
    if PARTS.with_borrow(|parts| parts.get(socket.id()).is_some_and(|found| found == expected)) {
        socket.emit(event, ());
    }
}

/// The present as JavaScript's `toJSON` writes it.
fn iso_date() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let (days, ms) = (now.as_secs() / 86_400, now.as_millis() % 86_400_000);
    let (year, month, day) = civil(days as i64);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

/// Year, month and day of a day since 1970, by counting years from March, so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, of_year - (153 * from_march + 2) / 5 + 1)
}
