// WebSocket: requests for one that are wrong, frames that are wrong and with which code they close, fragments, the upgrade of a session.
// What the messages mean is in packets.mjs.

import { frame, upgradeRequest } from "../../tests/wire.mjs";
import { BINARY, CLOSE, LIMIT, PING, PONG, SESSION, TEXT, THE_CLOSE, WEBSOCKET, answer, ask, binary, end, get, hear, isAlive, joined, joinedPolling, leave, marker, polls, posts, question, send, text, websocket } from "../steps.mjs";

const FIN = 0x80;
const closing = (...payload) => frame(CLOSE, Buffer.from(payload));
const code = (number, reason = "") => closing(number >> 8, number & 0xff, ...Buffer.from(reason));
/** Frames sent once joined, and the close frame they bring. */
const fault = (...frames) => [...joined("a"), send("a", Buffer.concat(frames)), hear("a", THE_CLOSE)];
/** Frames sent once joined that do no harm. */
const good = (...frames) => [...joined("a"), send("a", Buffer.concat(frames)), ...marker("a")];
const fragments = (payload, ...cuts) => {
  const [whole, at] = [Buffer.from(payload), [0, ...cuts, payload.length]];
  return at.slice(1).map((to, i) => frame((i ? 0 : 1) | (to === payload.length ? FIN : 0), whole.subarray(at[i], to)));
};
/** A question in so many fragments, all of them with the same payload but for the first and the last. */
const manyFragments = (payload) => [
  ...joined("a"),
  send("a", Buffer.concat([frame(0x01, '421["message-with-ack","'), ...Array(16_500).fill(frame(0, payload)), frame(FIN, '"]')])),
  hear("a", "text 431"),
];
/** An upgrade request with one header line changed. */
const asking = (from, to) => [...ask("a", upgradeRequest(WEBSOCKET).replace(from, to))];
const upgraded = `${WEBSOCKET}&sid={sid1}`;
/** A session that has joined over polling, and a WebSocket beside it. */
const beside = () => [...joinedPolling("s"), ...ask("w", upgradeRequest(upgraded))];
const probed = () => [...beside(), send("w", text("2probe")), hear("w", "text 3probe")];

export const webSockets = {
  "an upgrade": websocket("a"),
  "an upgrade with an Origin": ask("a", upgradeRequest(WEBSOCKET).replace("\r\n\r\n", "\r\nOrigin: http://somewhere.example\r\n\r\n")),
  "an upgrade with unknown extensions": asking("\r\n\r\n", "\r\nSec-WebSocket-Extensions: constructor\r\n\r\n"),
  "an upgrade that offers compression": asking("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"),
  "an upgrade that offers protocols": asking("\r\n\r\n", "\r\nSec-WebSocket-Protocol: chat, superchat\r\n\r\n"),
  "an upgrade with many spaces among protocols": asking("\r\n\r\n", `\r\nSec-WebSocket-Protocol: b${" ".repeat(8000)}x\r\n\r\n`),
  "a wrong version": asking("Version: 13", "Version: 12"),
  "an old version": asking("Version: 13", "Version: 8"),
  "no version": asking("Sec-WebSocket-Version: 13\r\n", ""),
  "no key": asking("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""),
  "a short key": asking("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"),
  "a key that is no base64": asking("dGhlIHNhbXBsZSBub25jZQ==", "!!!!IHNhbXBsZSBub25jZQ=="),
  "an upgrade to something else": asking("Upgrade: websocket", "Upgrade: websocketx"),
  "Upgrade in capitals": asking("Upgrade: websocket", "Upgrade: WebSocket"),
  "Connection with several words": asking("Connection: Upgrade", "Connection: keep-alive, Upgrade"),
  "an upgrade by POST": asking("GET ", "POST "),

  "an unmasked frame": fault(frame(TEXT, "6", { isMasked: false })),
  "RSV1": fault(frame(TEXT | 0x40, "6")),
  "RSV2": fault(frame(TEXT | 0x20, "6")),
  "RSV3": fault(frame(TEXT | 0x10, "6")),
  "RSV1 on a ping": fault(frame(PING | 0x40, "6")),
  "opcode 3": fault(frame(0x83, "6")),
  "opcode 11": fault(frame(0x8b, "6")),
  "opcode 15": fault(frame(0x8f, "6")),
  "a continuation of nothing": fault(frame(FIN, "6")),
  "a new message inside a message": fault(frame(0x01, "4"), frame(TEXT, "6")),
  "a fragmented ping": fault(frame(0x09, "x")),
  "a ping over 125 bytes": fault(frame(PING, "x".repeat(126))),
  "a pong over 125 bytes": fault(frame(PONG, "x".repeat(126))),
  "a close over 125 bytes": fault(frame(CLOSE, Buffer.concat([Buffer.of(3, 232), Buffer.alloc(124, 120)]))),
  "a close of one byte": fault(closing(3)),
  "close 999": fault(code(999)),
  "close 1004": fault(code(1004)),
  "close 1005": fault(code(1005)),
  "close 1006": fault(code(1006)),
  "close 1015": fault(code(1015)),
  "close 1016": fault(code(1016)),
  "close 2999": fault(code(2999)),
  "close 5000": fault(code(5000)),
  "close with a reason that is no UTF-8": fault(closing(3, 232, 0xff)),
  "close 1000": fault(code(1000, "bye")),
  "close 1001": fault(code(1001)),
  "close 1014": fault(code(1014)),
  "close 3000": fault(code(3000, "mine")),
  "close 4999": fault(code(4999)),
  "close without a code": fault(closing()),
  "close, and the end of the connection": [...fault(code(1000)), end("a")],
  "invalid UTF-8": fault(frame(TEXT, [0x34, 0xff, 0xfe])),
  "invalid UTF-8 split over fragments": fault(frame(0x01, [0x34, 0xc3]), frame(FIN, [0x28])),
  "UTF-8 cut short": fault(frame(TEXT, [0x34, 0xe2, 0x82])),
  "UTF-8 of a surrogate": fault(frame(TEXT, [0x34, 0xed, 0xa0, 0x80])),
  "UTF-8 longer than needed": fault(frame(TEXT, [0x34, 0xc0, 0xaf])),
  "UTF-8 beyond Unicode": fault(frame(TEXT, [0x34, 0xf4, 0x90, 0x80, 0x80])),
  "more than the limit declared": fault(frame(TEXT, "4", { length: LIMIT + 1 })),
  "2^53 bytes declared": fault(frame(BINARY, "4", { length: 2 ** 53 })),
  "2^63 bytes declared": fault(Buffer.from("82ff8000000000000000", "hex"), Buffer.of(1, 2, 3, 4)),
  "more than the limit in fragments": fault(frame(0x01, "4".repeat(LIMIT)), frame(FIN, "44")),
  "the limit in one frame": [...joined("a"), send("a", text(`421["message-with-ack","${"x".repeat(LIMIT - 25)}"]`.slice(0, LIMIT - 2) + '"]')), hear("a", "text 431")],
  "16 500 fragments of one byte": manyFragments("x"),
  "16 500 empty fragments": manyFragments(""),

  "a message in fragments": good(...fragments(question(1), 1, 5, 20)),
  "a message in fragments between characters' bytes": good(...fragments('421["message-with-ack","é✓"]', 24, 26, 27)),
  "a message with empty fragments": good(frame(0x01, ""), frame(0, question(1)), frame(FIN, "")),
  "a ping": good(frame(PING, "hello")),
  "an empty ping": good(frame(PING, "")),
  "a ping of 125 bytes": good(frame(PING, "x".repeat(125))),
  "a ping between fragments": good(frame(0x01, '421["message-'), frame(PING, "p"), frame(FIN, 'with-ack"]')),
  "a pong that nobody asked for": good(frame(PONG, "x")),
  "three messages in one write": good(text(question(1)), text(question(2)), text(question(3))),
  "a message byte by byte": [...joined("a"), send("a", text(question(1)), [1, 2, 3, 4, 5, 6, 7, 8, 12, 20]), hear("a", "text 431")],
  "a message of 126 bytes": good(text(`421["message-with-ack","${"x".repeat(126 - 26)}"]`)),
  "a message of 65536 bytes": good(text(`421["message-with-ack","${"x".repeat(65_536 - 26)}"]`)),
  "binary in fragments": good(text('451-1["message-with-ack",{"_placeholder":true,"num":0}]'), frame(0x02, [1, 2]), frame(FIN, [3])),
  "frames in the same write as the request": [send("a", Buffer.concat([Buffer.from(upgradeRequest(WEBSOCKET)), text("40")])), answer("a"), hear("a", "text 0"), ...marker("a")],
  "an illegal frame in the same write as the request": [send("a", Buffer.concat([Buffer.from(upgradeRequest(WEBSOCKET)), frame(TEXT | 0x30, "6")])), answer("a"), hear("a", "text 0"), send("a", text("40")), hear("a", "text 40")],
};

export const upgrades = {
  "the probe and its answer": [...probed(), ...isAlive("s")],
  "the whole dance": [...probed(), send("w", text("5")), ...marker("w"), ...polls("s")],
  "a GET that waits gets a noop": [...joinedPolling("s"), send("s", get(SESSION)), ...ask("w", upgradeRequest(upgraded)), send("w", text("2probe")), hear("w", "text 3probe"), answer("s"), send("w", text("5")), ...marker("w"), ...polls("b")],
  "what was due over polling comes over WebSocket": [...probed(), ...posts("s", question(1)), send("w", text("5")), hear("w", "text 431")],
  "a POST after the upgrade": [...probed(), send("w", text("5")), ...marker("w"), ...posts("s", question(1)), ...marker("w")],
  "a probe of another text": [...beside(), send("w", text("2other")), hear("w", THE_CLOSE), ...isAlive("s")],
  "an event in the place of the probe": [...beside(), send("w", text(question(1))), hear("w", THE_CLOSE), ...isAlive("s")],
  "the upgrade without a probe": [...beside(), send("w", Buffer.concat([text("5"), text(question(77))])), hear("w", "text 4377"), ...posts("s", question(1))],
  "binary in the place of the probe": [...beside(), send("w", binary([1])), hear("w", THE_CLOSE), ...isAlive("s")],
  "rubbish behind the probe": [...probed(), send("w", text("rubbish")), hear("w", THE_CLOSE), ...isAlive("s")],
  "an event between probe and upgrade": [...probed(), send("w", text(question(1))), hear("w", THE_CLOSE), ...isAlive("s")],
  "a session that ends while it upgrades": [...probed(), ...posts("s", "1"), hear("w", THE_CLOSE)],
  "two probes": [...probed(), send("w", text("2probe")), hear("w", "text 3probe"), send("w", text("5")), ...marker("w")],
  "a WebSocket that leaves before its probe": [...beside(), leave("w"), ...isAlive("s")],
  "a WebSocket that leaves behind its probe": [...probed(), leave("w"), ...isAlive("s")],
  "a second WebSocket beside the first": [...probed(), ...ask("x", upgradeRequest(upgraded)), hear("x", THE_CLOSE), send("w", text("5")), ...marker("w")],
  "a WebSocket for an upgraded session": [...probed(), send("w", text("5")), ...marker("w"), ...ask("x", upgradeRequest(upgraded)), hear("x", THE_CLOSE), ...marker("w")],
  "a WebSocket for a WebSocket session": [...joined("a"), ...ask("x", upgradeRequest(upgraded)), send("x", frame(PING, "")), hear("x", "pong"), ...marker("a")],
  "polling for a WebSocket session": [...joined("a"), ...polls("x"), ...posts("x", question(1)), ...marker("a")],
  "the second session of one client": [...websocket("a"), ...websocket("b"), send("a", text("40")), hear("a", "text 42"), send("b", text("40")), hear("b", "text 42")],
};
