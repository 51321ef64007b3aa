//! Why an item is where it is: one sentence for each that was among the largest when the profiles were read. Who
//! reads new profiles and finds a large item without a reason looks for one, and writes it here.

/// The reason for an item, or nothing.
pub(super) fn reason(name: &str) -> &'static str {
    REASONS.iter().find(|(known, _)| name == *known).map_or("", |(_, reason)| reason)
}

const REASONS: &[(&str, &str)] = &[
    (
        "hub::delivery::deliver_by",
        "each recipient's route is read, 8 bytes of a table that the sends have pushed out of the cache",
    ),
    (
        "hub::outbox::append",
        "the range goes into the recipient's lane, 24 bytes that the sends have pushed out of the cache",
    ),
    ("hub::outbox::take", "each dirty lane is read once more, to become an entry of a batch"),
    ("hub::outbox::slices", "each entry of a batch finds its bytes in the arena"),
    ("server::turn::flush_batch", "each entry of a batch gets its connection's token beside its bytes"),
    ("sys::ring::gate::push_entry", "64 bytes of a send are written into the submission queue"),
    ("sys::ring::gate::enter", "the way into the kernel and back, once for 256 sends"),
    (
        "sys::slots::is",
        "each token's generation is compared before it is sent to: one load, out of the cache by then",
    ),
    (
        "calls into the kernel",
        "the call itself: most of its samples came due while the kernel had interrupts off",
    ),
    (
        "hub::namespaces::room",
        "the room is found by its name: hash, comparison and two loads for ten deliveries",
    ),
    ("copies of memory", "text on its way: out of the receive buffer, into the arena, into answers of polls"),
    ("memory set to zero", "the compressor begins anew for each message: its table of hashes is cleared"),
    ("the allocator", "handlers' arguments and futures; sessions and sockets of those who come"),
    (
        "server::extract::has_lone_surrogate",
        "the publisher's text is searched for backslashes, byte by byte, once a message",
    ),
    (
        "proto::sio::json::text::specials",
        "text is searched for what JSON must escape, 16 bytes at a time, once a message",
    ),
    ("proto::sio::json::text::plain_end_far", "the steps of the same search"),
    ("proto::sio::json::flat::scan", "the elements of an array are found, once an event"),
    ("proto::sio::packet::decode_id", "the id of an acknowledgement is read, all digits at once"),
    ("proto::sio::packet::decode_event", "a packet's parts are put together, once an event"),
    ("proto::ws::mask::apply", "every client masks what it says"),
    ("proto::encode::write", "an answer's header, type and id, and one copy of its arguments into the arena"),
    (
        "server::core::with_scratch",
        "an answer's arguments are written before their length is known, and copied once",
    ),
    (
        "simdutf8::implementation::x86::avx2::validate_utf8_basic",
        "every text message must be UTF-8, and nobody else checks it",
    ),
    (
        "simd_json::Deserializer::find_structural_bits::find_structural_bits_avx2",
        "arguments become the handler's types: the first of two passes",
    ),
    ("build_tape", "arguments become the handler's types: the second of two passes"),
    (
        "server::dispatch::handle_event",
        "the handler is found, and what it is given is put together, once an event",
    ),
    ("hub::packets::handle_text", "the packet's namespace, socket and event are found, once an event"),
    ("hub::register::insert", "the id of who came goes into the map; as it grows it hashes all ids anew"),
    (
        "hub::register::find",
        "the session is found by the id that each poll brings: hash, comparison and two loads",
    ),
    ("__memcmp_evex_movbe", "names are compared: of rooms and events, of headers"),
    ("hub::table::at", "the table's slot of who came, new memory each time"),
    ("server::core::add_socket", "the handle for handlers is made, new memory each time"),
    ("proto::http::parse::parse_head", "the request's lines are checked and split, once a request"),
    ("proto::http::head::values", "the headers are walked for each of the few that decide, once a request"),
    (
        "zlib_rs::deflate::algorithm::fast::deflate_fast",
        "the search for repetitions: one compression for all clients",
    ),
    (
        "zlib_rs::deflate::Heap::pqdownheap",
        "Huffman codes of each message's own: one compression for all clients",
    ),
    (
        "zlib_rs::deflate::flush_block_only",
        "the compressed block is written out: one compression for all clients",
    ),
    ("hub::forms::of", "which form of a message a recipient gets, compressed or not: a comparison for each"),
    ("hub::ids::parse", "each poll names its session"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_given_once_and_to_its_item_alone() {
        for (index, (name, _)) in REASONS.iter().enumerate() {
            assert!(REASONS[..index].iter().all(|(other, _)| other != name), "{name} twice");
        }
        assert!(reason("hub::outbox::append").contains("lane"));
        assert_eq!(reason("hub::outbox::append_scattered"), "");
    }
}
