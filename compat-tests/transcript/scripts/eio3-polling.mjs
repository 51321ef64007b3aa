// Engine.IO 3 over HTTP: who is let in, the headers that clients see, payloads in their three forms, right and wrong, two requests at once.
// What the packets mean is in eio3-packets.mjs.

import { upgradeRequest } from "../../tests/wire.mjs";
import { BASE64, FORMS, POLLING_3, SCRIPT, SESSION_3, asForm, isAlive3, joinedPolling3, lengths, octets, polls3, postsForm, postsOctets, postsText, waiting3 } from "../eio3.mjs";
import { POLLING, SESSION, answer, ask, end, get, hear, isAlive, isKept, joinedPolling, polling, polls, post, question, say } from "../steps.mjs";

const ORIGIN = { Origin: "http://somewhere.example" };
const OLD_EXPLORER = { "User-Agent": "Mozilla/5.0 (compatible; MSIE 10.0; Trident/6.0)" };
const refused = (path) => [...ask("a", get(path)), ...isKept("a")];
/** An answer of so many characters, or bytes in binary, in a form. */
const long = (query, form, ...packets) => [...joinedPolling3("s", query), ...FORMS[form]("s", ...packets), ...ask("a", get(SESSION_3, { "Accept-Encoding": "gzip" }))];
const ask3 = '421["message-with-ack",';
const [LONG_TEXT, LONG_BINARY] = [`${ask3}"${"x".repeat(2000)}"]`, ['421["bytes",2000]']];
const BINARY_ASK = `451-1["message-with-ack",{"_placeholder":true,"num":0}]`;

/** Clients 3.x have scripts, too, with the payload of the fourth revision. */
const postsForm4 = (payload) => ask("s", (named) => named(post(SESSION, asForm(payload))));
const script4 = () => [...ask("s", get(`${POLLING}&j=0`)), ...postsForm4("40"), ...polls("s")];

/** The door: revisions, forms, headers. */
export const doors3 = {
  "a handshake": ask("a", get(POLLING_3)),
  "a handshake without binary": ask("a", get(POLLING_3 + BASE64)),
  "a handshake of a script": ask("a", get(`${POLLING_3}&j=0`)),
  "a handshake of a script without binary": ask("a", get(`${POLLING_3}&j=12&b64=1`)),
  "a script without a number": refused(`${POLLING_3}&j=`),
  "a script with a letter": refused(`${POLLING_3}&j=x`),
  "a script with letters behind its number": refused(`${POLLING_3}&j=1x2`),
  "a script with a script for its number": refused(`${POLLING_3}&j=1%29%3Balert%281`),
  "a script below zero": refused(`${POLLING_3}&j=-1`),
  "a script with a large number": refused(`${POLLING_3}&j=99999999999`),
  "a script in the fourth revision": [...script4(), ...postsForm4('42["message","é\\n\u2028"]\x1e421["bytes",2]'), ...polls("s")],
  "a script in the fourth revision, bytes": [...script4(), ...ask("s", post(SESSION, "40", { "Content-Type": "application/octet-stream" }))],
  "a script in the fourth revision, upgraded": [...script4(), ...postsForm4('421["bytes",2]'), ...ask("w", upgradeRequest("/socket.io/?EIO=4&transport=websocket&sid={sid1}")), say("w", "2probe"), hear("w", "text 3probe"), say("w", "5"), hear("w", "binary")],
  "a letter for a script in the fourth revision": ask("a", get(`${POLLING}&j=x`)),
  "EIO missing": ask("a", get("/socket.io/?transport=polling")),
  "EIO 5": ask("a", get("/socket.io/?EIO=5&transport=polling")),
  "EIO 2": ask("a", get("/socket.io/?EIO=2&transport=polling")),
  "EIO empty": ask("a", get("/socket.io/?EIO=&transport=polling")),
  "transport unknown": refused("/socket.io/?EIO=3&transport=abc"),
  "sid unknown": refused(`${POLLING_3}&sid=nobody`),
  "sid unknown, script": refused(`${POLLING_3}&j=0&sid=nobody`),
  "POST without a sid": [...ask("a", post(POLLING_3, "1:2")), ...isKept("a")],
  "WebSocket without an upgrade": refused("/socket.io/?EIO=3&transport=websocket"),
  "a session of EIO 3 polled with EIO 4": [...ask("s", get(POLLING_3)), ...polls("b")],
  "a session of EIO 4 polled with EIO 3": [...polling("s"), ...ask("s", post(SESSION, "40")), ...polls3("b")],
  "a POST of EIO 4 to a session of EIO 3": [...joinedPolling3("s"), ...ask("b", post(SESSION, lengths(question(1)))), ...isAlive3("c")],
  "a POST of EIO 3 to a session of EIO 4": [...joinedPolling("s"), ...ask("b", post(SESSION_3, question(1))), ...isAlive("c")],
  "a session of EIO 3 polled without EIO": [...ask("s", get(POLLING_3)), ...ask("b", get("/socket.io/?transport=polling&sid={sid1}"))],
  "a WebSocket of EIO 4 for a session of EIO 3": [...joinedPolling3("s"), ...ask("w", upgradeRequest("/socket.io/?EIO=4&transport=websocket&sid={sid1}")), say("w", "2probe"), hear("w", "text 3probe")],
  "a WebSocket of EIO 3 for a session of EIO 4": [...joinedPolling("s"), ...ask("w", upgradeRequest("/socket.io/?EIO=3&transport=websocket&sid={sid1}")), say("w", "2probe"), hear("w", "text 3probe")],

  "CORS on a handshake": ask("a", get(POLLING_3, ORIGIN)),
  "CORS on a script's handshake": ask("a", get(`${POLLING_3}&j=0`, ORIGIN)),
  "CORS on an error": ask("a", get(`${POLLING_3}&sid=nobody`, ORIGIN)),
  "CORS on a POST": [...joinedPolling3("s"), ...postsText("s", "1:2", ORIGIN)],
  "CORS on a POST of bytes": [...joinedPolling3("s"), ...postsOctets("s", octets("2"), ORIGIN)],
  "CORS on a poll": [...ask("s", get(POLLING_3)), ...ask("a", get(SESSION_3, ORIGIN))],
  "CORS on a poll of bytes": [...joinedPolling3("s"), ...FORMS.text("s", BINARY_ASK, [1]), ...ask("a", get(SESSION_3, ORIGIN))],
  "an old browser's handshake": ask("a", get(POLLING_3, OLD_EXPLORER)),
  "an old browser's POST and poll": [...joinedPolling3("s"), ...postsText("s", "1:2", OLD_EXPLORER), ...ask("s", get(SESSION_3, OLD_EXPLORER))],
  "an old browser's script": ask("a", get(`${POLLING_3}&j=0`, OLD_EXPLORER)),
  "a long answer of text": long("", "text", LONG_TEXT),
  "a long answer of bytes": long("", "text", ...LONG_BINARY),
  "a long answer in base64": long(BASE64, "text", ...LONG_BINARY),
  "a long script": long(SCRIPT, "script", LONG_TEXT),
};

/** Payloads posted as text that are none, or are odd. */
const TEXTS = {
  "no length": "abc",
  "an empty body": "",
  "a separator of the fourth revision": "4hello\x1e2",
  "a length too long": "9:4hello",
  "a length too short": "3:4hello",
  "a length too short by a packet": "1:21:2x",
  "a length of zero": "0:",
  "a length of zero before a packet": "0:1:2",
  "a length without a packet": "5",
  "a colon alone": ":",
  "a length with a sign": "+1:2",
  "a length below zero": "-1:2",
  "a length with a fraction": "1.0:2",
  "a length with an exponent": "1e0:2",
  "a length in hexadecimal": "0x1:2",
  "a length with a space": " 1:2",
  "a length with a leading zero": "01:2",
  "a length that is no number": "NaN:2",
  "a length without end": "Infinity:2",
  "a length of 400 digits": `${"1".repeat(400)}:2`,
  "a length of 10 digits": "1000000000:2",
  "a length in bytes": "3:4é",
  "a length that divides a character": "2:4😀",
  "an unknown packet type": "1:9",
  "a packet type that is a letter": "1:x",
  "a pong": "1:3",
  "a close packet": "1:1",
  "packets behind a close packet": lengths("1", question(1)),
  "an open packet": "3:0{}",
  "an upgrade packet": "1:5",
  "a noop": "1:6",
  "a noop with a text": "2:6x",
  "a ping": "1:2",
  "a ping with a text": "6:2probe",
  "1000 pings": "1:2".repeat(1000),
  "an empty message": "1:4",
  "rubbish behind a good packet": `${lengths(question(1))}rubbish`,
  "a good packet behind rubbish": `rubbish${lengths(question(1))}`,
  "a wrong packet behind a good one": lengths(question(1), "9"),
  "binary of another type": "6:b2AQI=",
  "binary without a type": "1:b",
  "binary that nobody waits for": lengths([1]),
  "binary that is no base64": `${lengths(BINARY_ASK)}6:b4!!!!`,
  "binary without its padding": `${lengths(BINARY_ASK)}5:b4AQI`,
  "bytes": octets(question(1)).toString("latin1"),
  "text while an attachment is due": lengths('451-["message",{"_placeholder":true,"num":0}]', question(1)),
};

/** Payloads posted as bytes that are none, or are odd. */
const BYTES = {
  "an empty body": Buffer.alloc(0),
  "text": Buffer.from("1:2"),
  "a length beyond the body": Buffer.of(0, 9, 255, 0x32),
  "a head without an end": Buffer.of(0, 1, 0x32),
  "a head without digits": Buffer.of(0, 255, 0x32),
  "a digit that is none": Buffer.of(0, 10, 255, 0x32),
  "a leading zero": Buffer.of(0, 0, 1, 255, 0x32),
  "an unknown kind": Buffer.from([2, 1, 255, 4]),
  "a ping": octets("2"),
  "a ping of bytes": Buffer.of(1, 1, 255, 2),
  "a pong of bytes": Buffer.of(1, 1, 255, 3),
  "an unknown type of bytes": Buffer.of(1, 1, 255, 9),
  "bytes without a type": Buffer.of(1, 0, 255),
  "binary that nobody waits for": octets([1]),
  "a packet without a type": Buffer.of(0, 0, 255),
  "text that is no UTF-8": Buffer.from([0, 3, 255, 0x34, 0xff, 0xfe]),
  "an unknown packet type": octets("9"),
  "a pong": octets("3"),
  "a close packet": octets("1"),
  "a wrong packet behind a good one": octets(question(1), "9"),
};

/** Forms posted to a script's session that are none, or are odd. */
const BODIES = {
  "a form without the field": "e=1%3A2",
  "an empty form": "",
  "a form with an empty field": "d=",
  "a form with the field twice": "d=1%3A2&d=1%3A2",
  "a form with more fields": "x=1&d=1%3A2&y=2",
  "a payload without a form": "1:2",
  "a form with a wrong length": "d=9%3A2",
  "a form with broken escapes": "d=3%3A4%zz",
  "a pong in a form": "d=1%3A3",
};

/** Right payloads, in each form. */
const GOOD = {
  "several packets": [question(1), question(2), '42["message",{"a":[1,null]}]', question(3)],
  "text outside ASCII": ['421["message-with-ack","ünï ✓ 😀"]', question(2)],
  "binary": [BINARY_ASK, [1, 2, 255]],
  "binary with text outside ASCII": ['451-1["message-with-ack","ünï ✓ 😀",{"_placeholder":true,"num":0}]', [1, 2, 255], question(2)],
  "empty binary": [BINARY_ASK, []],
  "binary of a hundred bytes": [BINARY_ASK, Array(100).fill(0x80)],
  "line separators": ['421["message-with-ack","a\\nb\\\\n\u2028\u2029"]'],
  "pings among packets": ["2", question(1), "2"],
  "several binary events out": ['421["burst",3,{"binary":true}]'],
};

const table = (rows, prefix, script) => Object.fromEntries(Object.entries(rows).map(([name, row]) => [`${prefix}: ${name}`, script(row)]));
const good = (query, form) => (packets) => [...joinedPolling3("s", query), ...FORMS[form]("s", ...packets), ...polls3("s")];

export const payloads3 = {
  ...table(TEXTS, "text", (body) => [...joinedPolling3("s"), ...postsText("s", body), ...isAlive3("b")]),
  ...table(BYTES, "bytes", (body) => [...joinedPolling3("s"), ...postsOctets("s", body), ...isAlive3("b")]),
  ...table(BODIES, "form", (body) => [...joinedPolling3("s", SCRIPT), ...postsForm("s", body), ...isAlive3("b", "script")]),
  ...table(GOOD, "text to bytes", good("", "text")),
  ...table(GOOD, "bytes to bytes", good("", "octets")),
  ...table(GOOD, "text to base64", good(BASE64, "text")),
  ...table(GOOD, "bytes to base64", good(BASE64, "octets")),
  ...table(GOOD, "form to script", good(SCRIPT, "script")),
  "bytes with a parameter behind their type": [...joinedPolling3("s"), ...postsOctets("s", octets(question(1)), { "Content-Type": "application/octet-stream; charset=x" }), ...isAlive3("b")],
  "bytes with a type in capitals": [...joinedPolling3("s"), ...postsOctets("s", octets(question(1)), { "Content-Type": "Application/Octet-Stream" }), ...isAlive3("b")],
  "binary to a script that did not say it takes none": [...joinedPolling3("s", "&j=7"), ...FORMS.script("s", BINARY_ASK, [1]), ...polls3("s")],
  "a form without a script": [...joinedPolling3("s"), ...postsForm("s", asForm(lengths(question(1)))), ...isAlive3("b")],
  "bytes to a script": [...joinedPolling3("s", SCRIPT), ...postsOctets("s", octets(question(1))), ...isAlive3("b", "script")],
  "text to a script": [...joinedPolling3("s", SCRIPT), ...postsText("s", lengths(question(1))), ...isAlive3("b", "script")],
  "a form with another type": [...joinedPolling3("s", SCRIPT), ...postsText("s", asForm(lengths(question(1)))), ...polls3("s")],
  "binary in a later POST": [...joinedPolling3("s"), ...FORMS.text("s", BINARY_ASK), ...FORMS.octets("s", [1, 2]), ...polls3("s")],
};

const inEachForm = (script) => [["", "text", "polling"], [SCRIPT, "script", "script"]].map(([query, form, name]) => script(query, form, name));

/** Several requests at once, and the end of sessions. */
export const polling3 = Object.assign({}, ...inEachForm((query, form, name) => ({
  [`${name}: a second GET at once`]: [...waiting3(query, form), ...ask("b", get(SESSION_3)), answer("s"), ...polls3("c")],
  [`${name}: a GET waits while a POST is served`]: [...waiting3(query, form), ...FORMS[form]("b", question(2)), answer("s")],
  [`${name}: a ping while a GET waits`]: [...waiting3(query, form), ...FORMS[form]("b", "2"), answer("s")],
  [`${name}: binary while a GET waits`]: [...waiting3(query, form), ...FORMS[form]("b", BINARY_ASK, [7]), answer("s")],
  [`${name}: a close packet while a GET waits`]: [...waiting3(query, form), ...FORMS[form]("b", "1"), answer("s"), ...polls3("b")],
  [`${name}: a pong while a GET waits`]: [...waiting3(query, form), ...FORMS[form]("b", "3"), answer("s"), ...polls3("b")],
  [`${name}: the server closes`]: [...joinedPolling3("s", query), ...FORMS[form]("s", '42["disconnect-me",true]'), ...polls3("s"), ...polls3("b")],
  [`${name}: the server closes while a GET waits`]: [...waiting3(query, form), ...FORMS[form]("b", '42["disconnect-me",true]'), answer("s"), ...polls3("b")],
  [`${name}: the server disconnects`]: [...joinedPolling3("s", query), ...FORMS[form]("s", '42["disconnect-me",false]'), ...polls3("s"), ...isAlive3("b", form)],
  [`${name}: a second POST at once`]: [...joinedPolling3("s", query), ...ask("s", (named) => named(post(SESSION_3, "", { "Content-Length": 10, Expect: "100-continue" }))), ...FORMS[form]("b", question(1)), end("s"), ...polls3("c")],
})));
