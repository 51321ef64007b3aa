// HTTP at the door: what is refused with which code, bytes that are no HTTP, the headers that clients see.
// What happens inside a polling session is in polling.mjs.

import { upgradeRequest } from "../../tests/wire.mjs";
import { LIMIT, POLLING, SESSION, WEBSOCKET, answer, ask, end, get, isAlive, isKept, joinedPolling, leave, polling, polls, post, posts, send } from "../steps.mjs";

const HOST = "Host: 127.0.0.1";
const raw = (...lines) => lines.join("\r\n") + "\r\n\r\n";
const rawPost = (...headers) => raw(`POST ${SESSION} HTTP/1.1`, HOST, ...headers);
const origin = (headers = {}) => ({ Origin: "http://somewhere.example", ...headers });
const request = (method, path, headers = {}) => raw(`${method} ${path} HTTP/1.1`, HOST, ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`));

/** Each refusal is an answer, and the connection is good for another request. */
const refused = (bytes) => [...ask("a", bytes), ...isKept("a")];
/** An answer if there is one, then the end. */
const fatal = (bytes, at) => [send("a", bytes, at), answer("a"), end("a")];
/** The same behind a session's opening, so that the address is a good one. */
const fatalInSession = (bytes, at) => [...polling("s"), fatal(bytes, at)];
/** The same, where it is the body that cannot be read; ours waits for its sender to close. */
const unreadable = (bytes) => [...polling("s"), ...ask("a", bytes)];
/** A poll by a client that reads these encodings, answered with so many characters and more. */
const accepts = (encodings, length) => [
  ...joinedPolling("s"),
  ...posts("s", `421["message-with-ack","${"x".repeat(length)}"]`),
  ...ask("a", get(SESSION, { "Accept-Encoding": encodings })),
];

export const http = {
  "transport missing": refused(get("/socket.io/?EIO=4")),
  "transport unknown": refused(get("/socket.io/?EIO=4&transport=abc")),
  "transport __proto__": refused(get("/socket.io/?EIO=4&transport=__proto__")),
  "transport constructor": refused(get("/socket.io/?EIO=4&transport=constructor")),
  "transport of two values": refused(get("/socket.io/?EIO=4&transport=polling&transport=websocket")),
  "transport in percent escapes": refused(get("/socket.io/?EIO=4&transport=%61bc")),
  "an unknown query key": refused(get("/socket.io/?EIO=4&transport=abc&t=x%zz")),
  "sid unknown": refused(get(`${POLLING}&sid=nobody`)),
  "sid empty": ask("a", get(`${POLLING}&sid=`)),
  "sid __proto__": refused(get(`${POLLING}&sid=__proto__`)),
  "sid unknown, POST": refused(post(`${POLLING}&sid=nobody`, "40")),
  "sid unknown, WebSocket": fatal(upgradeRequest(`${WEBSOCKET}&sid=nobody`)),
  "POST without a sid": refused(post(POLLING, "40")),
  "PUT without a sid": refused(request("PUT", POLLING)),
  "DELETE without a sid": refused(request("DELETE", POLLING)),
  "HEAD without a sid": refused(request("HEAD", POLLING)),
  "WebSocket without an upgrade": refused(get(WEBSOCKET)),
  "WebSocket without an upgrade, with a sid": [...polling("s"), ...refused(get(`${WEBSOCKET}&sid={sid1}`))],
  "PUT in a session": [...polling("s"), ...refused(request("PUT", SESSION))],
  "DELETE in a session": [...polling("s"), ...refused(request("DELETE", SESSION))],
  "polling over an upgrade request": ask("a", upgradeRequest(POLLING)),
  "an upgrade to h2c": [...ask("a", request("GET", POLLING, { Connection: "Upgrade", Upgrade: "h2c" }))],
  "a transport unknown, WebSocket": fatal(upgradeRequest("/socket.io/?EIO=4&transport=abc")),
  "a transport __proto__, WebSocket": fatal(upgradeRequest("/socket.io/?EIO=4&transport=__proto__")),
  "below the mount": ask("a", get(POLLING.replace("/socket.io/", "/socket.io/anything/at/all"))),
  "the mount without its slash": refused(get(POLLING.replace("/socket.io/", "/socket.io"))),
  "a path that only begins like the mount": refused(get(POLLING.replace("/socket.io/", "/socket.iox/"))),
  "nobody's path": refused(get("/nothing-here")),
  "two requests at once on one connection": [send("a", get(`${POLLING}&sid=nobody`) + get("/socket.io/?EIO=4&transport=abc")), answer("a"), answer("a")],
  "HTTP/1.0": ask("a", raw(`GET ${POLLING} HTTP/1.0`, HOST)),
  "a request byte by byte": ask("a", get(`${POLLING}&sid=nobody`), Array.from({ length: get(`${POLLING}&sid=nobody`).length - 1 }, (_, i) => i + 1)),
  "Connection: close": fatal(get(POLLING, { Connection: "close" })),

  "a session whose client closes every connection": [...joinedPolling("s"), ...posts("a", '421["message-with-ack"]', { Connection: "close" }), ...ask("b", get(SESSION, { Connection: "close" })), ...isAlive("c")],

  "headers over 16 KiB": fatal(get(POLLING, { "X-Filler": "x".repeat(17_000) })),
  "a URL over 16 KiB": fatal(get(`${POLLING}&x=${"x".repeat(17_000)}`)),
  "101 headers": ask("a", get("/socket.io/?EIO=4&transport=abc", Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`X-${i}`, "1"])))),
  "60 headers": ask("a", get("/socket.io/?EIO=4&transport=abc", Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`X-${i}`, "1"])))),
  "words": fatal("HELO example\r\n\r\n"),
  "a TLS hello": fatal(Buffer.from("1603010200010001fc0303", "hex")),
  "zeros": fatal(Buffer.alloc(64)),
  "HTTP/2.0": ask("a", raw(`GET ${POLLING} HTTP/2.0`, HOST)),
  "HTTP/3.7": fatal(raw(`GET ${POLLING} HTTP/3.7`, HOST)),
  "an unknown method": refused(raw(`BREW ${POLLING} HTTP/1.1`, HOST)),
  "no Host": fatal(raw(`GET ${POLLING} HTTP/1.1`)),
  "two Hosts": refused(raw(`GET ${POLLING} HTTP/1.1`, HOST, "Host: elsewhere")),
  "Transfer-Encoding and Content-Length": fatalInSession(rawPost("Content-Length: 6", "Transfer-Encoding: chunked") + "0\r\n\r\n"),
  "two Content-Lengths": fatalInSession(rawPost("Content-Length: 1", "Content-Length: 2") + "11"),
  "two equal Content-Lengths": fatalInSession(rawPost("Content-Length: 2", "Content-Length: 2") + "11"),
  "Content-Length with a sign": fatalInSession(rawPost("Content-Length: +2") + "40"),
  "Content-Length below zero": fatalInSession(rawPost("Content-Length: -1")),
  "Content-Length that is no number": fatalInSession(rawPost("Content-Length: 2x") + "40"),
  "Transfer-Encoding unknown": fatalInSession(rawPost("Transfer-Encoding: rot13") + "40"),
  "a chunk size that is no number": unreadable(rawPost("Transfer-Encoding: chunked") + "zz\r\n40\r\n0\r\n\r\n"),
  "a chunk longer than it says": unreadable(rawPost("Transfer-Encoding: chunked") + "2\r\n4040\r\n0\r\n\r\n"),
  "a chunk size of 2^64": unreadable(rawPost("Transfer-Encoding: chunked") + "10000000000000000\r\n40"),
  "a folded header": fatal(raw(`GET ${POLLING} HTTP/1.1`, HOST, "X-A: 1", "  2")),
  "a bare line feed after the request line": fatal(`GET ${POLLING} HTTP/1.1\nHost: 127.0.0.1\r\n\r\n`),
  "a bare line feed after a header": fatal(`GET ${POLLING} HTTP/1.1\r\nHost: 127.0.0.1\nX-A: 1\r\n\r\n`),
  "a bare carriage return in a header": fatal(raw(`GET ${POLLING} HTTP/1.1`, HOST, "X-A: 1\r2")),
  "a zero byte in a header": fatal(raw(`GET ${POLLING} HTTP/1.1`, HOST, "X-A: 1\x002")),
  "a space before a colon": fatal(raw(`GET ${POLLING} HTTP/1.1`, HOST, "X-A : 1")),
  "a header without a colon": fatal(raw(`GET ${POLLING} HTTP/1.1`, HOST, "X-A")),
  "a header without a name": fatal(raw(`GET ${POLLING} HTTP/1.1`, HOST, ": 1")),

  "a chunked body": [...polling("s"), ...ask("a", rawPost("Transfer-Encoding: chunked") + "1\r\n4\r\n1;x=y\r\n0\r\n0\r\n\r\n"), ...polls("a")],
  "a chunked body in pieces": [...polling("s"), send("a", rawPost("Transfer-Encoding: chunked")), send("a", "1\r\n4\r\n1\r\n0\r\n0\r\n\r\n", [1, 3, 4, 8, 11]), answer("a"), ...polls("a")],
  "Expect: 100-continue": [...polling("s"), ...ask("a", rawPost("Content-Length: 2", "Expect: 100-continue")), send("a", "40"), answer("a")],
  "application/octet-stream": [...joinedPolling("s"), ...posts("a", "\x04", { "Content-Type": "application/octet-stream" }), ...isAlive("b")],
  "another content type": [...joinedPolling("s"), ...posts("a", "41", { "Content-Type": "application/json" }), ...isAlive("b")],
  "a body over the limit": [...joinedPolling("s"), send("a", rawPost(`Content-Length: ${LIMIT + 1}`) + "4".repeat(LIMIT + 1)), answer("a"), ...isAlive("b")],
  "a body of the limit": [...joinedPolling("s"), ...posts("a", `42["x","${"x".repeat(LIMIT - 10)}"]`), ...isAlive("b")],
  "a chunked body over the limit": [...joinedPolling("s"), send("a", rawPost("Transfer-Encoding: chunked") + `f4241\r\n${"4".repeat(LIMIT + 1)}\r\n0\r\n\r\n`), answer("a"), ...isAlive("b")],
  "a limit counted in bytes": [...joinedPolling("s"), ...posts("a", `42["x","${"é".repeat((LIMIT - 10) / 2)}"]`), ...isAlive("b")],

  "a long answer to who reads gzip": accepts("gzip, deflate", 2000),
  "a long answer to who reads deflate": accepts("deflate", 2000),
  "a long answer to who reads something else": accepts("identity", 2000),
  "a short answer to who reads gzip": accepts("gzip", 10),
  "CORS on a handshake": ask("a", get(POLLING, origin())),
  "CORS on an error": ask("a", get(`${POLLING}&sid=nobody`, origin())),
  "CORS on a POST": [...polling("s"), ...ask("a", post(SESSION, "40", origin()))],
  "CORS on a poll": [...polling("s"), ...posts("s", "40"), ...ask("a", get(SESSION, origin()))],
  "CORS on nobody's path": ask("a", get("/nothing-here", origin())),
  "a preflight": refused(request("OPTIONS", POLLING, origin({ "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type, x-mine" }))),
  "a preflight that asks for no header": refused(request("OPTIONS", POLLING, origin({ "Access-Control-Request-Method": "GET" }))),
  "a preflight in a session": [...polling("s"), ...refused(request("OPTIONS", SESSION, origin({ "Access-Control-Request-Method": "GET" })))],
  "a preflight of an unknown transport": refused(request("OPTIONS", "/socket.io/?EIO=4&transport=abc", origin({ "Access-Control-Request-Method": "GET" }))),
  "OPTIONS from nowhere": refused(request("OPTIONS", POLLING)),
  "the User-Agent of an old browser": ask("a", get(POLLING, { "User-Agent": "Mozilla/5.0 (compatible; MSIE 10.0; Trident/6.0)" })),
};

/** On the profile that speaks Engine.IO 4 alone. */
export const versions = {
  "EIO 3": refused(get("/socket.io/?EIO=3&transport=polling")),
  "EIO missing": refused(get("/socket.io/?transport=polling")),
  "EIO that is no number": refused(get("/socket.io/?EIO=abc&transport=polling")),
  "EIO 5": ask("a", get("/socket.io/?EIO=5&transport=polling")),
  "EIO missing and transport unknown": refused(get("/socket.io/?transport=abc")),
  "EIO 3, WebSocket": fatal(upgradeRequest("/socket.io/?EIO=3&transport=websocket")),
  "EIO missing, WebSocket": fatal(upgradeRequest("/socket.io/?transport=websocket")),
  "EIO 3 for a session of EIO 4": [...polling("s"), ...ask("a", get(SESSION.replace("EIO=4", "EIO=3"))), leave("s")],
};
