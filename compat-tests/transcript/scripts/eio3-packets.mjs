// Socket.IO packets of Engine.IO 3, one row each, over WebSocket and over polling: CONNECT with a query, answers without an id, names,
// refusals, events and acknowledgements both ways. How they travel is in eio3-polling.mjs and eio3-websocket.mjs.

import { FORMS, isAlive3, joined3, joinedPolling3, polls3, typed } from "../eio3.mjs";
import { hear, question, say, send, text } from "../steps.mjs";

const one = [1, 2, 3];
const HEADER = (count, num, id = 1) => `45${count}-${id}["message-with-ack",{"_placeholder":true,"num":${num}}]`;
/** Here an answer is waited for, a message that begins like this; over polling it comes with the next poll. */
const ANSWERED = (until) => ({ until });
/** All that came before has been done. */
const BARRIER = ["2", ANSWERED("3")];

/** What comes back ends with the marker's answer, or with the close; {n} is a number of the script's own. */
const ROWS = {
  "a namespace": ["40/custom", ANSWERED("42/custom"), '42/custom,2["message-with-ack","x"]'],
  "a namespace with its comma": ["40/custom,", ANSWERED("42/custom")],
  "a namespace with a query": ["40/custom?token=x", ANSWERED("42/custom"), '42/custom,2["message-with-ack","x"]'],
  "a namespace with a query and a comma": ["40/custom?token=x,", ANSWERED("42/custom")],
  "a namespace with an empty query": ["40/custom?,", ANSWERED("42/custom")],
  "a namespace with a query of several": ["40/custom?token=x%20y&n=1&flag&q=%22", ANSWERED("42/custom")],
  "a namespace with a query that names one twice": ["40/custom?x=1&x=2", ANSWERED("42/custom")],
  "a namespace with a query with a plus": ["40/custom?a+b=c+d", ANSWERED("42/custom")],
  "a namespace with a query with broken escapes": ["40/custom?a=%zz&b=%", ANSWERED("42/custom")],
  "a namespace with a query with __proto__": ["40/custom?__proto__=1", ANSWERED("42/custom")],
  "a namespace with a query outside ASCII": ["40/custom?ü=✓", ANSWERED("42/custom")],
  "a namespace with a query not in order": ["40/custom?b=1&a=2", ANSWERED("42/custom")],
  "a namespace with an object": ['40/custom,{"a":1}', ANSWERED("4")],
  "a namespace with a query in an event": ["40/custom?token=x", ANSWERED("42/custom"), '42/custom?token=x,2["message-with-ack","x"]'],
  "a namespace with a fragment": ["40/custom#here", ANSWERED("4")],
  "a namespace with dots": ["40/x/../custom", ANSWERED("4")],
  "a namespace with a host": ["40//host/custom", ANSWERED("4")],
  "a namespace outside ASCII": ["40/cüstom", ANSWERED("44")],
  "a dynamic namespace": ["40/dyn-{n}?a=1", ANSWERED("42/dyn"), '42/dyn-{n},2["message-with-ack","x"]'],
  "a namespace twice": ["40/custom", ANSWERED("42/custom"), "40/custom"],
  "a namespace left": ["40/custom", ANSWERED("42/custom"), "41/custom,"],
  "a namespace left with its query": ["40/custom?a=1", ANSWERED("42/custom"), "41/custom?a=1,"],
  "a namespace left and joined again": ["40/custom", ANSWERED("42/custom"), "41/custom,", ...BARRIER, "40/custom", ANSWERED("42/custom")],
  "a namespace left and joined again at once": ["40/custom", ANSWERED("42/custom"), "41/custom,", "40/custom"],
  "a namespace left and spoken to": ["40/custom", ANSWERED("42/custom"), "41/custom,", ...BARRIER, '42/custom,2["message-with-ack","x"]'],
  "a namespace left and spoken to at once": ["40/custom", ANSWERED("42/custom"), "41/custom,", '42/custom,2["message-with-ack","x"]'],
  "the server disconnects from a namespace": ["40/custom", ANSWERED("42/custom"), '42/custom,["disconnect-me",false]'],
  "an unknown namespace": ["40/nope", ANSWERED("44/nope")],
  "an unknown namespace with a query": ["40/nope?x=1,", ANSWERED("44/nope")],
  "a refusal by middleware": ["40/mw", ANSWERED("44/mw")],
  "a refusal by middleware of a query": ["40/mw?token=wrong", ANSWERED("44/mw")],
  "a refusal by middleware in a dynamic namespace": ["40/dyn-mw-{n}?token=wrong", ANSWERED("44/dyn-mw")],
  "the main namespace again": ["40"],
  "the main namespace again with a query": ["40/?token=x,"],
  "the main namespace with a query without its slash": ["40?token=x"],
  "the main namespace with an object": ["40{}"],
  "the main namespace left": ["41", ...BARRIER],
  "the main namespace left and joined again": ["41", ...BARRIER, "40", ANSWERED("42"), '422["rooms"]'],
  "the main namespace left, and another one kept": ["40/custom", ANSWERED("42/custom"), "41", ...BARRIER, '42/custom,2["message-with-ack","x"]', ANSWERED("43/custom")],
  "a client's CONNECT_ERROR": ['44"no"'],
  "a client's CONNECT_ERROR elsewhere": ['44/custom,"no"'],

  "one's name": ['421["rooms"]'],
  "one's name in a namespace": ["40/custom", ANSWERED("42/custom"), '42/custom,1["rooms"]'],
  "rooms": ['421["join",["~a","~b"]]', '422["leave","~a"]'],
  "an event": ['42["message","a",{"b":[1,null]}]'],
  "an event with an answer": ['427["message-with-ack","a",1]'],
  "an event with a binary answer": ['421["bytes",5]'],
  "an event with two attachments": ['452-1["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]', one, [4]],
  "an event with an attachment, and none wanted": ['451-["message",{"_placeholder":true,"num":0}]', one],
  "an event with an attachment in a namespace": ["40/custom", ANSWERED("42/custom"), '451-/custom,1["message-with-ack",{"_placeholder":true,"num":0}]', one],
  "an event to one's own room": ['421["relay",{"from":"io","to":["{sid1}"]},"told","x"]'],
  "an event with an attachment to one's own room": ['451-1["relay",{"from":"io","to":["{sid1}"]},"told",{"_placeholder":true,"num":0}]', one],
  "an event to one's own room in a namespace": ["40/custom", ANSWERED("42/custom"), '42/custom,1["relay",{"from":"io","to":["/custom#{sid1}"]},"told","x"]'],
  "an event to a room that only looks like one's own": ["40/custom", ANSWERED("42/custom"), '42/custom,1["relay",{"from":"io","to":["{sid1}"]},"told","x"]'],
  "events with attachments out": ['421["burst",3,{"binary":true}]'],
  "an event that is blocked": ['42["blocked"]'],
  "an acknowledgement nobody waits for": ["4399[]"],
  "the server's question": ['42["ask",4000,"why"]', ANSWERED("42"), '43{ack}["because",{"a":1}]', ANSWERED('42["answer"')],
  "the server's question answered with binary": ['42["ask",4000]', ANSWERED("42"), '461-{ack}[{"_placeholder":true,"num":0}]', one, ANSWERED("451-")],
  "the server's question in a namespace": ["40/custom", ANSWERED("42/custom"), '42/custom,["ask",4000,"why"]', ANSWERED("42"), '43/custom,{ack}["here"]', ANSWERED('42/custom,["answer"')],
  "an event for a namespace that is not joined": ['42/custom,["a"]'],
  "an event named connect": ['42["connect"]'],
  "an event with broken JSON": ['42["a"'],
  "zero attachments": ['450-["a"]'],
  "a placeholder out of range": [HEADER(1, 1), one],
  "text while an attachment is due": [HEADER(1, 0), question(2)],
};

const asFrame = (packet) => (typeof packet === "string" ? text(Buffer.from(packet)) : typed(packet));
/** All up to an answer in one write; ids are only known then. */
function frames(packets) {
  const at = packets.findIndex((packet) => packet.until);
  const now = at < 0 ? [...packets, question(77)] : packets.slice(0, at);
  const sent = send("a", (named) => Buffer.concat(now.map((packet) => asFrame(typeof packet === "string" ? named(packet) : packet))));
  return at < 0 ? [sent, hear("a", "text 4377")] : [sent, hear("a", `text ${packets[at].until}`), ...frames(packets.slice(at + 1))];
}
/** One POST for the packets up to each answer, a GET for each answer. */
function payloads(packets) {
  const at = packets.findIndex((packet) => packet.until);
  const now = at < 0 ? packets : packets.slice(0, at);
  const posted = now.length ? FORMS.text("s", ...now) : [];
  return at < 0 ? posted : [...posted, ...polls3("s"), ...payloads(packets.slice(at + 1))];
}
const numbered = (packets, n) => packets.map((packet) => (typeof packet === "string" ? packet.replace("{n}", n) : packet));
/** The names of dynamic namespaces begin here, behind those of packets.mjs. */
const [FIRST_OVER_WEBSOCKET, FIRST_OVER_POLLING] = [1000, 2000];
const table = (prefix, script) => Object.fromEntries(Object.entries(ROWS).map(([name, packets], i) => [`${prefix}: ${name}`, script(packets, i)]));

export const packets3 = {
  ...table("WebSocket", (packets, i) => [...joined3("a"), ...frames(numbered(packets, FIRST_OVER_WEBSOCKET + i))]),
  ...table("polling", (packets, i) => [...joinedPolling3("s"), ...payloads(numbered(packets, FIRST_OVER_POLLING + i)), ...isAlive3("b")]),
  "WebSocket: a namespace that admits by its query": [...joined3("a"), say("a", "40/mw?token=ok"), hear("a", "text 42/mw"), say("a", '42/mw,2["rooms"]'), hear("a", "text 43/mw")],
};
