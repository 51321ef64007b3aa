// Inside a polling session: two requests at once, packets that are none, payloads of several packets, binary in base64, the close.
// Each packet's meaning is the same as over WebSocket and is in packets.mjs.

import { request } from "../../tests/wire.mjs";
import { POLLING, SESSION, answer, ask, end, get, isAlive, isKept, joinedPolling, polling, polls, post, posts, question, send } from "../steps.mjs";

const SEPARATOR = "\x1e";
const payload = (...packets) => packets.join(SEPARATOR);
/** A payload posted into a session that has joined, and whether the session outlives it. */
const fault = (...packets) => [...joinedPolling("s"), ...posts("s", payload(...packets)), ...isAlive("b")];
/** A payload posted into a session that has joined, and what the next GET brings. */
const good = (...packets) => [...joinedPolling("s"), ...posts("s", payload(...packets)), ...polls("s")];
/**
 * A session that has joined and a GET of it that waits, on the connection "s". That it does is known from an answer on "b", which went to
 * the session's core, too, and whose bytes came later.
 */
const waiting = () => [...polling("s"), ...posts("b", "40"), ...polls("s"), send("s", get(SESSION)), ...ask("b", get(`${POLLING}&sid=nobody`))];
const bytes = (...numbers) => `b${Buffer.of(...numbers).toString("base64")}`;

export const pollingSessions = {
  "a session that joins": joinedPolling("s"),
  "a second GET at once": [...waiting(), ...ask("b", get(SESSION)), answer("s"), ...isKept("s"), ...isKept("b"), ...polls("c")],
  "a second POST at once": [...joinedPolling("s"), ...ask("s", request("POST", SESSION, undefined, { "Content-Length": 10, Expect: "100-continue" })), ...ask("b", post(SESSION, question(1))), end("s"), ...polls("c")],
  "a GET waits while a POST is served": [...waiting(), ...posts("b", question(1)), answer("s")],
  "a poll before joining": [...polling("s"), send("s", get(SESSION)), ...posts("b", "40"), answer("s")],

  "a garbage packet": fault("rubbish"),
  "an empty body": fault(""),
  "an unknown packet type": fault("9"),
  "a client's ping": fault("2"),
  "a client's probe": fault("2probe"),
  "a client's open packet": fault("0{}"),
  "an upgrade packet": fault("5"),
  "a noop": fault("6"),
  "a stray pong": fault("3"),
  "1000 stray pongs": fault(...Array(1000).fill("3")),
  "an empty packet between two": fault("6", "", "6"),
  "a separator at the end": fault("6", ""),
  "garbage behind a good packet": fault(question(1), "rubbish"),
  "a good packet behind garbage": fault("rubbish", question(1)),
  "a close packet": [...joinedPolling("s"), ...posts("s", "1"), ...polls("b")],
  "a close packet while a GET waits": [...waiting(), ...posts("b", "1"), answer("s"), ...polls("b")],
  "packets behind a close packet": [...joinedPolling("s"), ...posts("s", payload("1", question(1))), ...polls("b")],
  "volatile events while a GET waits": [...waiting(), ...posts("b", '421["burst",2,{"volatile":true}]'), answer("s"), ...posts("b", question(2)), ...polls("s")],
  "the server disconnects": [...joinedPolling("s"), ...posts("s", '42["disconnect-me",false]'), ...polls("s"), ...isAlive("b")],
  "the server closes": [...joinedPolling("s"), ...posts("s", '42["disconnect-me",true]'), ...polls("s"), ...polls("b")],
  "the server closes while a GET waits": [...waiting(), ...posts("b", '42["disconnect-me",true]'), answer("s"), ...polls("b")],
  "an event before joining": [...polling("s"), ...posts("s", '42["message"]'), ...polls("b")],

  "several packets in one payload": good(question(1), question(2), '42["message",{"a":[1,null]}]', question(3)),
  "several answers in one poll": good('421["burst",3,{}]', '422["burst",2,{"binary":true}]'),
  "joining twice in two payloads": [...joinedPolling("s"), ...posts("s", "40"), ...polls("b")],
  "joining and speaking in one payload": [...polling("s"), ...posts("s", payload("40", question(1))), ...polls("s")],
  "text of several bytes a character": good('421["message-with-ack","ünï ✓ 😀"]'),
  "binary": good('451-1["message-with-ack",{"_placeholder":true,"num":0}]', bytes(1, 2, 255)),
  "empty binary": good('451-1["message-with-ack",{"_placeholder":true,"num":0}]', "b"),
  "binary in a later POST": [...joinedPolling("s"), ...posts("s", '452-1["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'), ...posts("s", bytes(1)), ...posts("s", bytes(2)), ...polls("s")],
  "binary without its padding": good('451-1["message-with-ack",{"_placeholder":true,"num":0}]', "bAQ"),
  "binary in the URL's alphabet": good('451-1["message-with-ack",{"_placeholder":true,"num":0}]', "b-_8="),
  "binary that is no base64": fault('451-1["message-with-ack",{"_placeholder":true,"num":0}]', "b!!!!"),
  "binary with spaces": fault('451-1["message-with-ack",{"_placeholder":true,"num":0}]', "bAQ ID"),
  "binary that nobody waits for": fault(bytes(1)),
  "text while an attachment is due": fault('451-["message",{"_placeholder":true,"num":0}]', question(1)),
  "a pong between header and attachment": good('451-1["message-with-ack",{"_placeholder":true,"num":0}]', "3", bytes(7)),
};
