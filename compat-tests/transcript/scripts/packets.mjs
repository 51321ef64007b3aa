// Engine.IO and Socket.IO packets, one row each, over WebSocket and, with the same payloads, over polling.
// How they travel is in polling.mjs and websocket.mjs.

import { THE_CLOSE, binary, hear, isAlive, joined, joinedPolling, marker, polls, posts, question, say, send, text, websocket } from "../steps.mjs";

const HEADER = (count, num, id = 1) => `45${count}-${id}["message-with-ack",{"_placeholder":true,"num":${num}}]`;
const one = [1, 2, 3];
/** Here an answer is waited for, a message that begins like this; over polling it comes with the next poll. */
const ANSWERED = (until) => ({ until });

/** Packets sent once joined, a list of bytes being an attachment: each ends the connection, cleanly. */
const FAULTS = {
  "an unknown type": ["8"],
  "a letter": ["x"],
  "nothing": [""],
  "a client's ping": ["2"],
  "a probe": ["2probe"],
  "an empty message": ["4"],
  "Socket.IO type 7": ["47"],
  "Socket.IO type 9": ["49"],
  "a Socket.IO letter": ["4x"],
  "a second CONNECT": ["40"],
  "a second CONNECT with auth": ['40{"a":1}'],
  "CONNECT with an array": ["40/custom,[]"],
  "CONNECT with a string": ['40/custom,"a"'],
  "CONNECT with broken JSON": ["40/custom,{"],
  "a client's CONNECT_ERROR": ['44{"message":"no"}'],
  "a client's CONNECT_ERROR as a string": ['44"no"'],
  "DISCONNECT with a payload": ["41{}"],
  "EVENT with an object": ['42{"a":1}'],
  "EVENT with a string": ['42"a"'],
  "EVENT with an empty array": ["42[]"],
  "EVENT named null": ["42[null]"],
  "EVENT named true": ["42[true]"],
  "EVENT named by an object": ['42[{"toString":"a"}]'],
  "EVENT named by an array": ['42[["a"]]'],
  "EVENT named connect": ['42["connect"]'],
  "EVENT named connect_error": ['42["connect_error"]'],
  "EVENT named disconnect": ['42["disconnect"]'],
  "EVENT named disconnecting": ['42["disconnecting"]'],
  "EVENT named newListener": ['42["newListener"]'],
  "EVENT named removeListener": ['42["removeListener"]'],
  "EVENT with trailing junk": ['42["a"]x'],
  "EVENT with broken JSON": ['42["a"'],
  "EVENT for a namespace that is not joined": ['42/custom,["a"]'],
  "EVENT for an unknown namespace": ['42/nope,["a"]'],
  "ACK for a namespace that is not joined": ["43/custom,1[]"],
  "DISCONNECT of a namespace that is not joined": ["41/custom,"],
  "ACK with an object": ['431{"a":1}'],
  "ACK with a string": ['431"a"'],
  "ACK with broken JSON": ["431["],
  "zero attachments": ['450-["a"]'],
  "eleven attachments": ['4511-["a"]'],
  "minus one attachment": ['45-1-["a"]'],
  "one and a half attachments": ['451.5-["a"]'],
  "very many attachments": ['4599999999999999999999-["a"]'],
  "no dash behind the attachments": ['451["a"]'],
  "no number of attachments": ['45["a"]'],
  "text while an attachment is due": [HEADER(1, 0), question(2)],
  "a second header while an attachment is due": [HEADER(1, 0), HEADER(1, 0)],
  "binary that nobody waits for": [one],
  "a placeholder out of range": [HEADER(1, 1), one],
  "a placeholder below zero": [HEADER(1, -1), one],
  "a placeholder that is a string": [HEADER(1, '"0"'), one],
  "a placeholder that names a method": [HEADER(1, '"splice"'), one],
  "a placeholder without a number": ['451-1["message-with-ack",{"_placeholder":true}]', one],
  "a binary event without a name": ["451-[]", one],
  "a binary event with an object": ['451-{"a":{"_placeholder":true,"num":0}}', one],
};

/** Packets that the reference takes and ours refuses: what they bring there comes before the marker. */
const STRICTER = {
  "one attachment written 1e0": ['451e0-1["message-with-ack",{"_placeholder":true,"num":0}]', one],
  "one attachment written 0x1": ['450x1-1["message-with-ack",{"_placeholder":true,"num":0}]', one],
  "one attachment written with a space": ['45 1-1["message-with-ack",{"_placeholder":true,"num":0}]', one],
  "a placeholder that is no integer": [HEADER(1, 0.5), one],
  "an id of 20 digits": ['4212345678901234567890["message-with-ack"]'],
  "an id of 400 digits": [`42${"9".repeat(400)}["message-with-ack"]`],
  "JSON of 200 levels": [`421["message-with-ack",${"[".repeat(200)}${"]".repeat(200)}]`],
  "a close packet": ["1"],
};

/** Packets sent once joined that do no harm; what they bring comes before the marker. */
const GOOD = {
  "an open packet": ["0{}"],
  "an upgrade packet": ["5"],
  "a noop": ["6"],
  "a stray pong": ["3"],
  "a pong with a text": ["3probe"],
  "a noop with a text": ["6x"],
  "1000 stray pongs": Array(1000).fill("3"),
  "an event nobody handles": ['42["nobody"]'],
  "an event that wants an answer and gets none": ['421["nobody"]'],
  "an event with a number for its name": ['421[7,"a"]'],
  "an event named error": ['421["error"]'],
  "an event named __proto__": ['421["__proto__"]'],
  "an event named toString": ['421["toString"]'],
  "an event without a payload": ["42"],
  "an event without a payload that wants an answer": ["421"],
  "an event with id 0": ['420["message-with-ack"]'],
  "an event with leading zeros in its id": ['42007["message-with-ack"]'],
  "an event with the largest id": ['429007199254740991["message-with-ack"]'],
  "JSON with spaces": ['421 ["message-with-ack", 1 , {"a" : [ ] }]'],
  "JSON with escapes": ['421["message-with-ack","\\u00e9\\n\\"\\\\"]'],
  "numbers of all kinds": ['421["message-with-ack",0,-1,1.5,1e21,-0.0,1E2,123456789012345678901234567890]'],
  "an object with a key twice": ['421["message-with-ack",{"a":1,"a":2}]'],
  "an object with __proto__": ['421["message-with-ack",{"__proto__":{"a":1}}]'],
  "JSON of 100 levels": [`421["message-with-ack",${"[".repeat(100)}${"]".repeat(100)}]`],
  "a lone surrogate": ['421["message-with-ack","\\ud800"]'],
  "an acknowledgement nobody waits for": ["4399[]"],
  "an acknowledgement without an id": ["43[]"],
  "an acknowledgement without a payload": ["431"],
  "the server's question": ['42["ask",4000,"why"]', ANSWERED("42"), '43{ack}["because",{"a":1}]', ANSWERED('42["answer"')],
  "the server's question answered twice": ['42["ask",4000,"why"]', ANSWERED("42"), '43{ack}["first"]', '43{ack}["second"]', ANSWERED('42["answer"')],
  "the server's question answered in another namespace": ["40/custom,", ANSWERED("42/custom"), '42["ask",4000,"why"]', ANSWERED("42"), '43/custom,{ack}["not there"]', '43{ack}["here"]', ANSWERED('42["answer"')],
  "the server's question answered with binary": ['42["ask",4000]', ANSWERED("42"), '461-{ack}[{"_placeholder":true,"num":0}]', one, ANSWERED("451-")],
  "one attachment written 01": ['4501-1["message-with-ack",{"_placeholder":true,"num":0}]', one],
  "several attachments": ['452-1["message-with-ack",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]', one, [4]],
  "ten attachments": [HEADER(10, 9), ...Array(10).fill(one)],
  "an attachment named twice": ['451-1["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]', one],
  "an attachment never named": ['451-1["message-with-ack"]', one],
  "an empty attachment": [HEADER(1, 0), []],
  "an attachment deep inside": ['451-1["message-with-ack",{"a":[{"b":{"_placeholder":true,"num":0}}]}]', one],
  "a placeholder with more keys": ['451-1["message-with-ack",{"_placeholder":true,"num":0,"x":1}]', one],
  "a placeholder whose mark is no true": ['451-1["message-with-ack",{"_placeholder":1,"num":7}]', one],
  "a placeholder in an event without attachments": ['421["message-with-ack",{"_placeholder":true,"num":0}]'],
  "a pong between header and attachment": [HEADER(1, 0), "3", one],
  "a noop between header and attachment": [HEADER(1, 0), "6", one],
  "binary out": ['421["bytes",5]'],
  "volatile events right behind each other": ['421["burst",3,{"volatile":true}]'],
  "volatile events with attachments": ['421["burst",3,{"volatile":true,"binary":true}]'],
  "several events out": ['421["burst",3,{"binary":true}]'],
  "an unknown namespace": ["40/nope,", ANSWERED("44/nope")],
  "an unknown namespace with auth": ['40/nope,{"a":1}', ANSWERED("44/nope")],
  "an unknown namespace without its comma": ["40/nope", ANSWERED("44/nope")],
  "a namespace without its comma": ["40/custom", ANSWERED("42/custom")],
  "a namespace without its slash": ["40custom"],
  "a namespace with a query": ["40/custom?a=b,", ANSWERED("4")],
  "a second namespace": ['40/custom,{"a":1}', ANSWERED("42/custom"), '42/custom,2["message-with-ack","x"]'],
  "a second namespace left": ["40/custom,", ANSWERED("42/custom"), "41/custom,"],
  "a dynamic namespace": ["40/dyn-{n},", ANSWERED("42/dyn"), '42/dyn-{n},2["message-with-ack","x"]'],
  "a namespace refused by its middleware": ["40/mw,", ANSWERED("44/mw")],
  "a namespace refused with data": ['40/mw,{"token":"wrong"}', ANSWERED("44/mw")],
  "DISCONNECT by the server": ["40/custom,", ANSWERED("42/custom"), '42/custom,["disconnect-me",false]'],
};

/** Connects of the main namespace and what they bring. */
const CONNECTS = {
  "CONNECT": "40",
  "CONNECT with auth": '40{"n":[1],"token":"a"}',
  "CONNECT with the namespace": "40/",
  "CONNECT with the namespace and a comma": "40/,",
  "CONNECT with null": "40null",
  "CONNECT with an array": "40[]",
  "CONNECT with a string": '40"a"',
  "CONNECT with broken JSON": "40{",
  "CONNECT with an id": "401",
  "an event before it": '42["message"]',
  "an acknowledgement before it": "431[]",
  "DISCONNECT before it": "41",
  "binary before it": [1],
  "CONNECT_ERROR before it": '44{"message":"no"}',
};

const asFrame = (packet) => (typeof packet === "string" ? say("a", packet) : send("a", binary(packet)));
const asPacket = (packet) => (typeof packet === "string" ? packet : `b${Buffer.from(packet).toString("base64")}`);
const frames = (packets) => packets.map((packet) => (packet.until ? hear("a", `text ${packet.until}`) : asFrame(packet)));
/** A write each. */
const oneByOne = (packets) => packets.map(asFrame);
/** All in one write, for the packet behind a fault to be there when the fault is read. */
const atOnce = (packets) => send("a", Buffer.concat(packets.map((packet) => (typeof packet === "string" ? text(packet) : binary(packet)))));
/** One POST for the packets up to each answer, a GET for each answer. */
function payloads(packets) {
  const at = packets.findIndex((packet) => packet.until);
  const now = at < 0 ? packets : packets.slice(0, at);
  const posted = now.length ? posts("s", now.map(asPacket).join("\x1e")) : [];
  return at < 0 ? posted : [...posted, ...polls("s"), ...payloads(packets.slice(at + 1))];
}
const named = (table, prefix, script) =>
  Object.fromEntries(Object.entries(table).map(([name, packets], i) => [`${prefix}: ${name}`, script(packets, i)]));
const numbered = (packets, n) => packets.map((packet) => (typeof packet === "string" ? packet.replace("{n}", n) : packet));

export const packetsOverWebSocket = {
  ...named(FAULTS, "WebSocket", (packets) => [...joined("a"), ...oneByOne(packets), hear("a", THE_CLOSE)]),
  ...named(STRICTER, "WebSocket", (packets) => [...joined("a"), ...oneByOne([...packets, question(77)]), hear("a", "text 4377")]),
  ...named(GOOD, "WebSocket", (packets, i) => [...joined("a"), ...frames(numbered(packets, i)), ...marker("a")]),
  ...named(CONNECTS, "WebSocket, first", (packet) => [...websocket("a"), atOnce([packet, "40/custom,"]), hear("a", "text 40/custom")]),
  "WebSocket: CONNECT with a number": [...joined("a"), say("a", "40/custom,1"), hear("a", "text 42/custom")],
  "WebSocket: a namespace that admits": [...joined("a"), say("a", '40/mw,{"token":"ok"}'), hear("a", "text 42/mw"), ...marker("a")],
};

export const packetsOverPolling = {
  ...named({ ...FAULTS, ...STRICTER }, "polling", (packets) => [...joinedPolling("s"), ...payloads(packets), ...isAlive("b")]),
  ...named(GOOD, "polling", (packets, i) => [...joinedPolling("s"), ...payloads(numbered(packets, 100 + i)), ...isAlive("b")]),
};
