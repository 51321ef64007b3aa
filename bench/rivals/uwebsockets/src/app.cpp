// The measured app on uWebSockets: just enough of Socket.IO's text to face the same swarm, by search instead of a parser, broadcasts by
// its own publish(). No rival can do less for an event: what it skips (names of namespaces, JSON, heartbeats, acks of its
// own) is what a Socket.IO server is for.
//
// `BIND` (default 127.0.0.1) and `PORT` (default 3000) come from the environment. It has one thread.

#include "App.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace {

using std::string;
using std::string_view;

struct Nothing {};
using Socket = uWS::WebSocket<false, true, Nothing>;

constexpr string_view OPEN =
    R"(0{"sid":"uws","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000})";
constexpr string_view CONNECTED = R"(40{"sid":"uws"})";
/// The topic of everybody; rooms have theirs, which begin otherwise.
constexpr string_view ALL = "all";
constexpr string_view ROOM = "room/";
/// Bytes of one message, as `maxPayload` has it.
constexpr unsigned MESSAGE_MAX = 1'000'000;

uWS::App *app;

/// A burst that is under way: it yields to the loop between its parts.
struct Burst {
    string topic;
    string rest;
    unsigned count;
    unsigned every;
    unsigned next;
};

void send(Socket *socket, string_view packet) {
    socket->send(packet, uWS::OpCode::TEXT);
}

/// `text` is what stands between the quotes of a JSON string.
void publish(string_view topic, string_view text) {
    string packet = R"(42["msg",")";
    packet.append(text).append(R"("])");
    app->publish(topic, packet, uWS::OpCode::TEXT);
}

/// What follows `mark`, up to `end`.
std::optional<string_view> between(string_view text, string_view mark, string_view end) {
    size_t at = text.find(mark);
    if (at == string_view::npos) return std::nullopt;
    text.remove_prefix(at + mark.size());
    return text.substr(0, text.find(end));
}

/// The last key's string: `p` and `rest` come last, so that nobody has to parse what precedes them.
std::optional<string_view> last(string_view data, string_view mark) {
    size_t at = data.find(mark);
    if (at == string_view::npos || !data.ends_with(R"("}])")) return std::nullopt;
    data.remove_prefix(at + mark.size());
    data.remove_suffix(3);
    return data;
}

unsigned number(string_view data, string_view mark) {
    unsigned value = 0;
    if (auto digits = between(data, mark, ",")) std::from_chars(digits->data(), digits->data() + digits->size(), value);
    return value;
}

string topic_of(string_view data) {
    auto room = between(data.substr(0, data.find(R"("p":)")), R"("room":")", R"(")");
    return room ? string(ROOM).append(*room) : string(ALL);
}

void advance(Burst burst) {
    unsigned end = std::min(burst.count, burst.next + burst.every);
    for (; burst.next < end; burst.next++) {
        char digits[11];
        std::snprintf(digits, sizeof digits, "%010u", burst.next);
        publish(burst.topic, string(digits, 10).append(burst.rest));
    }
    if (end < burst.count) uWS::Loop::get()->defer([burst = std::move(burst)]() mutable { advance(std::move(burst)); });
}

/// `id` is the ack's, `data` what follows the event's name and a comma, with the bracket that closes the array.
void handle(Socket *socket, string_view id, string_view name, string_view data) {
    if (name == "echo") {
        send(socket, string("43").append(id).append("[").append(data));
    } else if (name == "join") {
        if (auto room = between(data, R"(")", R"(")")) socket->subscribe(string(ROOM).append(*room));
        send(socket, string("43").append(id).append(R"(["ok"])"));
    } else if (name == "pub") {
        if (auto text = last(data, R"("p":")")) publish(topic_of(data), *text);
    } else if (name == "burst") {
        unsigned count = number(data, R"("count":)"), every = std::max(1u, number(data, R"("every":)"));
        if (auto rest = last(data, R"("rest":")")) advance({topic_of(data), string(*rest), count, every, 0});
    }
}

void receive(Socket *socket, string_view packet) {
    if (packet == "40") {
        socket->subscribe(ALL);
        send(socket, CONNECTED);
    } else if (packet.starts_with("42")) {
        size_t array = packet.find(R"([")"), name_end = packet.find(R"(",)");
        if (array == string_view::npos || name_end == string_view::npos) return;
        handle(socket, packet.substr(2, array - 2), packet.substr(array + 2, name_end - array - 2), packet.substr(name_end + 2));
    }
}

string from_environment(const char *name, const char *otherwise) {
    const char *value = std::getenv(name);
    return value ? value : otherwise;
}

} // namespace

int main() {
    uWS::App town;
    app = &town;
    town.ws<Nothing>("/*", {
        .compression = uWS::DISABLED,
        .maxPayloadLength = MESSAGE_MAX,
        .idleTimeout = 0,
        .maxBackpressure = 0, // None: nothing is to be lost.
        .sendPingsAutomatically = false,
        .open = [](Socket *socket) { send(socket, OPEN); },
        .message = [](Socket *socket, string_view packet, uWS::OpCode) { receive(socket, packet); },
    });
    int port = std::atoi(from_environment("PORT", "3000").c_str());
    town.listen(from_environment("BIND", "127.0.0.1"), port, [port](us_listen_socket_t *socket) {
        std::printf(socket ? "uWebSockets listens on port %d\n" : "port %d cannot be listened on\n", port);
    });
    town.run();
    return EXIT_FAILURE;
}
