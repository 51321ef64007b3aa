//! Faults with much behind them, over real connections: what the server says last is read, and no reset comes before it (RFC 9112 section
//! 9.6, RFC 6455 section 7.1.1). Which ends linger and which do not is `hub/tests/lingering.rs`.

mod client;
mod stage;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use client::PATIENCE;
use stage::{Stage, on_each};

const HANDSHAKE: &[u8] =
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A reserved opcode, masked; and the close frame that it deserves.
const RESERVED: &[u8] = &[0x83, 0x80, 1, 2, 3, 4];
const CLOSE_1002: &[u8] = &[0x88, 2, 0x03, 0xea];

fn connect(stage: &Stage) -> TcpStream {
    let stream = TcpStream::connect(stage.address).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("an option");
    stream
}

/// A fault, and more than both kernels buffer in writes of its own; nothing is read before all is written.
fn say_all(stream: &mut TcpStream, fault: &[u8]) {
    stream.write_all(fault).expect("sent");
    for _ in 0..600 {
        stream.write_all(&[0; 16 * 1024]).expect("nobody has reset the connection");
    }
    stream.shutdown(Shutdown::Write).expect("connected");
}

fn all_of(mut stream: TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    stream.read_to_end(&mut received).expect("an end, not a reset");
    received
}

fn lingering(stage: &Stage) -> usize {
    stage.reports().iter().map(|report| report.gauges.connections_lingering).sum()
}

#[test]
fn a_close_code_is_read_though_much_follows_the_fault() {
    on_each(
        |_| {},
        |stage| {
            let mut stream = connect(stage);
            stream.write_all(HANDSHAKE).expect("sent");
            say_all(&mut stream, RESERVED);
            let received = all_of(stream);
            assert!(received.ends_with(CLOSE_1002), "{}", String::from_utf8_lossy(&received));
        },
    );
}

#[test]
fn an_answer_is_read_though_its_request_goes_on() {
    on_each(
        |_| {},
        |stage| {
            for fault in [
                "HELO test\r\n\r\n",
                "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\nContent-Length: 90000000\r\n\r\n",
            ] {
                let mut stream = connect(stage);
                say_all(&mut stream, fault.as_bytes());
                let received = all_of(stream);
                assert!(received.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&received));
            }
        },
    );
}

/// It is a connection until its peer's end, and a shutdown does not wait for that.
#[test]
fn who_lingers_is_counted_and_holds_no_shutdown_up() {
    on_each(
        |_| {},
        |stage| {
            let (mut ends, mut stays) = (connect(stage), connect(stage));
            for stream in [&mut ends, &mut stays] {
                stream.write_all(b"HELO test\r\n\r\n").expect("sent");
                let mut received = Vec::new();
                stream.read_to_end(&mut received).expect("the server's end");
                assert!(received.starts_with(b"HTTP/1.1 400 "));
            }
            assert_eq!(lingering(stage), 2);
            drop(ends);
            let begun = Instant::now();
            while lingering(stage) != 1 {
                assert!(begun.elapsed() < PATIENCE, "its end is not seen");
            }
            stage.stop();
            drop(stays);
        },
    );
}
