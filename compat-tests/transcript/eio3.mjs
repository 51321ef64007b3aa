// The words of transcript scripts that speak Engine.IO 3: its addresses, its three forms of a payload, its sessions.
// What is the same in both revisions is in steps.mjs; sections are those of the Engine.IO v3 protocol document.

import { frame, upgradeRequest } from "../tests/wire.mjs";
import { BINARY, ask, get, hear, post, question, send } from "./steps.mjs";

export const POLLING_3 = "/socket.io/?EIO=3&transport=polling";
export const WEBSOCKET_3 = "/socket.io/?EIO=3&transport=websocket";
/** The first session of a script, over polling; its form is that of its handshake, whatever later requests say. */
export const SESSION_3 = `${POLLING_3}&sid={sid1}`;
/** What old browsers cannot do: bytes in answers; reading across origins at all, which is said with both. */
export const [BASE64, SCRIPT] = ["&b64=1", "&j=7&b64=1"];

const OCTETS = { "Content-Type": "application/octet-stream" };
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };
const TYPE_OF_MESSAGE = 4;

/** A list of bytes is a binary message, a text any packet. */
const asText = (packet) => (typeof packet === "string" ? packet : `b4${Buffer.from(packet).toString("base64")}`);
/** A payload of text: each packet behind its length in UTF-16 units. */
export const lengths = (...packets) => packets.map(asText).map((packet) => `${packet.length}:${packet}`).join("");
/** A payload of bytes: kind, a byte a digit, 255, packet. */
export const octets = (...packets) => Buffer.concat(packets.map(asOctets));
function asOctets(packet) {
  const bytes = Buffer.from(typeof packet === "string" ? packet : [TYPE_OF_MESSAGE, ...packet]);
  return Buffer.concat([Buffer.of(typeof packet === "string" ? 0 : 1, ...[...String(bytes.length)].map(Number), 255), bytes]);
}

/** A POST of text, letter for letter. */
export const postsText = (on, body, headers) => ask(on, (named) => named(post(SESSION_3, named(body), headers)));
/** A POST of bytes. */
export const postsOctets = (on, bytes, headers) =>
  ask(on, (named) => Buffer.concat([Buffer.from(named(post(SESSION_3, "", { ...OCTETS, "Content-Length": bytes.length, ...headers }))), bytes]));
/** A POST of a form, letter for letter. */
export const postsForm = (on, body) => postsText(on, body, FORM);
/** The form of a script's client: an escaped line feed gets one more backslash, a real one becomes an escaped one. */
export const asForm = (payload) => `d=${encodeURIComponent(payload.replaceAll("\\n", "\\\n").replaceAll("\n", "\\n"))}`;
const postsNamed = (made) => (on, ...packets) => ask(on, (named) => made(packets.map((packet) => (typeof packet === "string" ? named(packet) : packet)), named));

/** One POST of these packets, in each form. */
export const FORMS = {
  text: postsNamed((packets, named) => named(post(SESSION_3, lengths(...packets)))),
  octets: (on, ...packets) => postsOctets(on, octets(...packets)),
  script: postsNamed((packets, named) => named(post(SESSION_3, asForm(lengths(...packets)), FORM))),
};
export const polls3 = (on) => ask(on, get(SESSION_3));

/** A session over polling: the main namespace is joined unasked, and told with the next poll. */
export const joinedPolling3 = (on, query = "") => [...ask(on, get(`${POLLING_3}${query}`)), ...polls3(on)];
/** A session over WebSocket, the same. */
export const joined3 = (on, query = "") => [...ask(on, upgradeRequest(`${WEBSOCKET_3}${query}`)), hear(on, 'text 42["auth"')];
export const typed = (bytes, type = TYPE_OF_MESSAGE) => frame(BINARY, [type, ...bytes]);

/** Whether the first session still lives: a POST, and a GET that has something to bring if it does. */
export const isAlive3 = (on, form = "text") => [...FORMS[form](`${on}, POST`, question(77)), ...polls3(`${on}, GET`)];
/** A session that has joined and a GET of it that waits, on the connection "s"; that it does is known from an answer on "b". */
export const waiting3 = (query = "", form = "text") => [
  ...joinedPolling3("s", query),
  ...FORMS[form]("b", question(1)),
  ...polls3("s"),
  send("s", get(SESSION_3)),
  ...ask("b", get(`${POLLING_3}&sid=nobody`)),
];
