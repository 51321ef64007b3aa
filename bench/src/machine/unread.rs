//! What lies in receive buffers, unread, of all who are connected to an address: the kernel's own table of connections.
//! Nothing is taken from a socket, nor asked of it.

use std::fs;
use std::net::SocketAddr;

/// Bytes that wait at each client of `server` on this machine, in no order; `None` where the kernel has no such table.
#[must_use]
pub fn unread_of(server: SocketAddr) -> Option<Vec<usize>> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    Some(table.lines().filter_map(|line| unread_in(line, server.port())).collect())
}

/// Of the clients' end of one established connection to that port.
fn unread_in(line: &str, port: u16) -> Option<usize> {
    let mut words = line.split_ascii_whitespace().skip(2);
    let (remote, state, queues) = (words.next()?, words.next()?, words.next()?);
    let (_, remote_port) = remote.split_once(':')?;
    let is_client = state == ESTABLISHED && u16::from_str_radix(remote_port, 16).ok()? == port;
    let (_, unread) = queues.split_once(':').filter(|_| is_client)?;
    usize::from_str_radix(unread, 16).ok()
}

/// As the kernel numbers the states of TCP.
const ESTABLISHED: &str = "01";

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_was_sent_and_not_read_is_seen_at_the_client() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let _client = TcpStream::connect(address).expect("a client");
        let (mut served, _) = listener.accept().expect("it came");
        assert_eq!(unread_of(address), Some(vec![0]));
        served.write_all(b"hello").expect("taken");
        assert_eq!(unread_of(address), Some(vec![5]));
    }

    #[test]
    fn others_and_what_is_no_connection_do_not_count() {
        let line =
            "   2: 0100007F:C38E 0100007F:1F90 01 00000000:0000000A 00:00000000 00000000     0 0 1 1 0";
        assert_eq!(unread_in(line, 8080), Some(10));
        assert_eq!(unread_in(line, 8081), None);
        assert_eq!(unread_in(&line.replace(" 01 ", " 06 "), 8080), None);
        assert_eq!(unread_in("  sl  local_address rem_address   st tx_queue rx_queue", 8080), None);
    }
}
