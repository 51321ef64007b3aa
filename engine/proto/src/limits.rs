//! Every bound on what a peer may make the decoders hold or do, with its reason and what happens when it is
//! met.
//!
//! Not configuration: limits that an application chooses (the size of a message, say) are arguments of the
//! decoders. These are the ones nobody has a reason to change.

// HTTP ------------------------------------------------------------------------------------------------------

/// Bytes of a request head, including the empty line that ends it. More answers 431.
///
/// Browsers and proxies stay below 8 KiB with large cookies; the reference server draws the line here too.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Header lines in a request head. More answers 431.
///
/// A browser sends about 15, a chain of proxies adds as many; lookups walk the list, so it stays short.
pub const HEADERS_MAX: usize = 100;

/// Hexadecimal digits of one chunk size. More answers 400.
///
/// Sixteen digits hold every 64-bit size; leading zeros beyond them are only a way to make us work.
pub const CHUNK_DIGITS_MAX: u32 = 16;

/// Bytes of all chunk extensions of one body together. More answers 400.
///
/// Nobody uses extensions; without a bound, one-byte chunks with long extensions are work without a body.
pub const CHUNK_EXTENSION_BYTES_MAX: u32 = 4 * 1024;

/// Bytes of all trailer lines of one body together, line ends included. More answers 400. They are skipped,
/// never stored.
pub const TRAILER_BYTES_MAX: u32 = 4 * 1024;

// WebSocket -------------------------------------------------------------------------------------------------

/// Bytes of a control frame's payload (RFC 6455 section 5.5). More closes with 1002.
pub const CONTROL_PAYLOAD_MAX: usize = 125;

/// Bytes of the reason in a close frame: what its two-byte code leaves of a control payload.
pub const CLOSE_REASON_BYTES_MAX: usize = CONTROL_PAYLOAD_MAX - 2;

/// Bytes of the longest frame header a client can send: 2, an 8-byte length, a 4-byte masking key.
pub const FRAME_HEADER_BYTES_MAX: usize = 14;

/// Frames of one fragmented message, empty ones included, unless the limit of a message is so large that
/// [`FRAGMENT_BYTES_MIN`] allows more. More closes with 1008.
///
/// Each costs the peer 6 bytes and us one pass through the decoder, whatever it carries; the reference server
/// draws the line here. Fragments go into one buffer, so the number bounds work, not memory.
pub const FRAGMENTS_MAX: u32 = 16_384;

/// Bytes that the frames of a longest message have on average, at least: a megabyte may come in about
/// [`FRAGMENTS_MAX`] frames, 64 MiB in 64 times as many. Clients that fragment at all do so by the buffer, not by the
/// line.
pub const FRAGMENT_BYTES_MIN: usize = 64;

/// Frames that a message of at most `message_max` bytes may have.
pub fn fragments_max(message_max: usize) -> u32 {
    u32::try_from(message_max / FRAGMENT_BYTES_MIN).unwrap_or(u32::MAX).max(FRAGMENTS_MAX)
}

// Engine.IO -------------------------------------------------------------------------------------------------

/// Digits of a packet's length in a payload of Engine.IO 3. More ends the session with a parse error.
///
/// Nine digits are more than any body may have; the reference reads 310 before it gives up.
pub const PAYLOAD_LENGTH_DIGITS_MAX: usize = 9;

// Socket.IO -------------------------------------------------------------------------------------------------

/// Levels of nesting in a packet's JSON, unless the application wants fewer. More closes the connection.
///
/// Handlers read arguments with readers that recurse or stop at this depth; 200,000 levels would be fatal to
/// them.
pub const JSON_DEPTH_MAX: u32 = 128;

/// Elements of an event's or acknowledgement's array. More closes the connection.
///
/// Each is two bytes on the wire and eight of span here; this many are half a mebibyte, while the packet is
/// read.
pub const ARGUMENTS_MAX: usize = 65_536;

/// Binary attachments of one packet (CVE-2026-33151), unless the application says otherwise. More closes the connection. The reference's default.
pub const ATTACHMENTS_MAX: u8 = 10;

/// The most attachments that an application may allow: a count has two digits.
pub const ATTACHMENTS_LIMIT: u8 = 99;

/// Pieces of binary in one packet of MessagePack. More closes the connection, and is not sent either.
///
/// The reference sets no limit there, as its decoder builds nothing for them; here each is two bytes on the wire, and 24 and an
/// allocation of ours.
pub const BINARIES_MAX: usize = 1024;

/// The largest acknowledgement id. A larger one closes the connection.
///
/// The largest integer that the clients' numbers hold exactly.
pub const ACK_ID_MAX: u64 = (1 << 53) - 1;

/// Digits of an acknowledgement id, leading zeros included (CVE-2020-36049). More closes the connection.
pub const ACK_ID_DIGITS_MAX: usize = 16;

/// Bytes of a namespace's name. More closes the connection.
///
/// A refusal echoes the name, so its length is our output too; the reference echoes 100 KB.
pub const NAMESPACE_BYTES_MAX: usize = 256;

/// Bytes of the query behind a namespace's name, which Engine.IO 3 has in the place of `auth`. More closes the
/// connection.
///
/// Tokens of a kilobyte or two are common, and all of it becomes an object for handlers to read.
pub const NAMESPACE_QUERY_BYTES_MAX: usize = 8 * 1024;

const _: () = assert!(HEADERS_MAX * 4 < HEAD_BYTES_MAX, "a head of the shortest header lines fits");
const _: () = assert!(CONTROL_PAYLOAD_MAX < 126, "a control frame's length needs no extension");
const _: () = assert!(ACK_ID_MAX < 10_u64.pow(ACK_ID_DIGITS_MAX as u32), "every id fits into its digits");
const _: () =
    assert!(ATTACHMENTS_MAX <= ATTACHMENTS_LIMIT && ATTACHMENTS_LIMIT < 100, "a count has two digits");
