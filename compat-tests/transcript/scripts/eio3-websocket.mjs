// Engine.IO 3 over WebSocket: the handshake, frames with and without a type, the client's heartbeat, the upgrade of a session that polls.
// What the packets mean is in eio3-packets.mjs.

import { frame, upgradeRequest } from "../../tests/wire.mjs";
import { BASE64, FORMS, SCRIPT, SESSION_3, WEBSOCKET_3, isAlive3, joined3, joinedPolling3, polls3, typed } from "../eio3.mjs";
import { PING, THE_CLOSE, answer, ask, binary, get, hear, leave, marker, question, say, send, text } from "../steps.mjs";

const BINARY_ASK = `451-1["message-with-ack",{"_placeholder":true,"num":0}]`;
const asked = (path) => [...ask("a", upgradeRequest(path)), hear("a", 'text 42["auth"')];
/** Frames sent once joined, then a question: what they bring is heard until its answer, or the end. */
const heard = (query, ...frames) => [...joined3("a", query), send("a", Buffer.concat([...frames, text(question(77))])), hear("a", "text 4377")];
/** Frames and what they do to who takes binary and who does not. */
const FRAMES = {
  "a ping": [text("2")],
  "a probe": [text("2probe")],
  "1000 pings": Array(1000).fill(text("2")),
  "a ping of WebSocket": [frame(PING, "x")],
  "a pong": [text("3")],
  "a pong with a text": [text("3probe")],
  "an open packet": [text("0{}")],
  "a close packet": [text("1")],
  "an upgrade packet": [text("5")],
  "a noop": [text("6")],
  "a noop with a text": [text("6x")],
  "an unknown packet type": [text("9")],
  "a letter": [text("x")],
  "an empty frame": [text("")],
  "an empty message": [text("4")],
  "a payload of polling": [text("1:2")],
  "binary with its type": [text(BINARY_ASK), typed([1, 2, 255])],
  "binary as base64": [text(BINARY_ASK), text("b4AQL/")],
  "binary as base64 without its padding": [text(BINARY_ASK), text("b4AQI")],
  "binary that is no base64": [text(BINARY_ASK), text("b4!!!!")],
  "base64 of another type": [text("b2AQI=")],
  "base64 without a type": [text("b")],
  "empty binary": [text(BINARY_ASK), typed([])],
  "binary without a type": [text(BINARY_ASK), binary([])],
  "binary of an unknown type": [text(BINARY_ASK), typed([1], 9)],
  "a ping of bytes": [typed([], 2)],
  "a pong of bytes": [typed([], 3)],
  "a type that is a character": [text(BINARY_ASK), typed([1], 0x34)],
  "binary that nobody waits for": [typed([1])],
  "binary in fragments": [text(BINARY_ASK), frame(0x02, [4, 1]), frame(0x80, [2])],
  "binary out": [text('421["bytes",5]')],
  "several binary events out": [text('421["burst",3,{"binary":true}]')],
  "a pong between header and attachment": [text(BINARY_ASK), text("2"), typed([7])],
};
const table = (query, prefix) => Object.fromEntries(Object.entries(FRAMES).map(([name, frames]) => [`${prefix}: ${name}`, heard(query, ...frames)]));

export const webSockets3 = {
  "a handshake": joined3("a"),
  "a handshake without binary": joined3("a", BASE64),
  "a handshake of a script": joined3("a", SCRIPT),
  "a handshake with an Origin": [...ask("a", upgradeRequest(WEBSOCKET_3).replace("\r\n\r\n", "\r\nOrigin: http://somewhere.example\r\n\r\n")), hear("a", 'text 42["auth"')],
  "EIO missing": asked("/socket.io/?transport=websocket"),
  "EIO 5": asked("/socket.io/?EIO=5&transport=websocket"),
  "frames in the same write as the request": [send("a", Buffer.concat([Buffer.from(upgradeRequest(WEBSOCKET_3)), text(question(77))])), answer("a"), hear("a", "text 4377")],
  "a ping in the same write as the request": [send("a", Buffer.concat([Buffer.from(upgradeRequest(WEBSOCKET_3)), text("2"), text(question(77))])), answer("a"), hear("a", "text 4377")],
  ...table("", "frames"),
  ...table(BASE64, "without binary"),
  "the server closes": [...joined3("a"), say("a", '42["disconnect-me",true]'), hear("a", THE_CLOSE)],
  "the server disconnects": [...joined3("a"), say("a", '42["disconnect-me",false]'), hear("a", "text 41"), ...marker("a")],
  "polling for a WebSocket session": [...joined3("a"), ...polls3("x"), ...FORMS.text("x", question(1)), ...marker("a")],
};

const upgraded = `${WEBSOCKET_3}&sid={sid1}`;
/** A session that has joined over polling, and a WebSocket beside it. */
const beside = (query = "") => [...joinedPolling3("s", query), ...ask("w", upgradeRequest(upgraded))];
const probed = (query = "") => [...beside(query), say("w", "2probe"), hear("w", "text 3probe")];
/** The whole dance, then binary both ways. */
const dance = (query) => [...probed(query), send("w", text("5")), send("w", Buffer.concat([text(BINARY_ASK), typed([1, 2])])), ...marker("w"), ...polls3("s")];

export const upgrades3 = {
  "the probe and its answer": [...probed(), ...isAlive3("s")],
  "the whole dance": dance(""),
  "the whole dance without binary": dance(BASE64),
  "the whole dance of a script": dance(SCRIPT),
  "the whole dance where only the WebSocket is without binary": [...joinedPolling3("s"), ...ask("w", upgradeRequest(upgraded + BASE64)), say("w", "2probe"), hear("w", "text 3probe"), send("w", Buffer.concat([text("5"), text('421["bytes",5]')])), ...marker("w")],
  "a ping after the dance": [...probed(), send("w", Buffer.concat([text("5"), text("2")])), ...marker("w")],
  "a GET that waits gets a noop": [...joinedPolling3("s"), send("s", get(SESSION_3)), ...ask("w", upgradeRequest(upgraded)), say("w", "2probe"), hear("w", "text 3probe"), answer("s"), send("w", text("5")), ...marker("w"), ...polls3("b")],
  "a script's GET that waits gets a noop": [...joinedPolling3("s", SCRIPT), send("s", get(SESSION_3)), ...ask("w", upgradeRequest(upgraded)), say("w", "2probe"), hear("w", "text 3probe"), answer("s"), send("w", text("5")), ...marker("w"), ...polls3("b")],
  "what was due over polling comes over WebSocket": [...probed(), ...FORMS.text("s", question(1), BINARY_ASK, [1], question(2)), send("w", text("5")), hear("w", "text 432")],
  "a POST after the upgrade": [...probed(), send("w", text("5")), ...marker("w"), ...FORMS.text("s", question(1)), ...marker("w")],
  "a probe of another text": [...beside(), say("w", "2other"), hear("w", THE_CLOSE), ...isAlive3("s")],
  "a ping in the place of the probe": [...beside(), say("w", "2"), hear("w", THE_CLOSE), ...isAlive3("s")],
  "an event in the place of the probe": [...beside(), say("w", question(1)), hear("w", THE_CLOSE), ...isAlive3("s")],
  "the upgrade without a probe": [...beside(), send("w", Buffer.concat([text("5"), text(question(77))])), hear("w", "text 4377"), ...FORMS.text("s", question(1))],
  "binary in the place of the probe": [...beside(), send("w", typed([1])), hear("w", THE_CLOSE), ...isAlive3("s")],
  "a probe of bytes": [...beside(), send("w", typed([...Buffer.from("probe")], 2)), hear("w", THE_CLOSE), ...isAlive3("s")],
  "rubbish behind the probe": [...probed(), say("w", "rubbish"), hear("w", THE_CLOSE), ...isAlive3("s")],
  "two probes": [...probed(), say("w", "2probe"), hear("w", "text 3probe"), send("w", text("5")), ...marker("w")],
  "a session that ends while it upgrades": [...probed(), ...FORMS.text("s", "1"), hear("w", THE_CLOSE)],
  "a WebSocket that leaves behind its probe": [...probed(), leave("w"), ...isAlive3("s")],
  "a second WebSocket beside the first": [...probed(), ...ask("x", upgradeRequest(upgraded)), hear("x", THE_CLOSE), send("w", text("5")), ...marker("w")],
  "a WebSocket for an upgraded session": [...probed(), send("w", text("5")), ...marker("w"), ...ask("x", upgradeRequest(upgraded)), hear("x", THE_CLOSE), ...marker("w")],
};
