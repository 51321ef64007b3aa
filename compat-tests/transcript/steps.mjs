// The words that transcript scripts are written in: each makes one step, or a list of steps, as plain data.
// Not their meaning: that is player.mjs. A text may name ids as {sid1}, {sid2} … in the order they were told, and as {ack} that of the
// server's last question; bytes that can only be made then are functions of what puts the ids in.

import { frame, request, upgradeRequest } from "../tests/wire.mjs";

export const POLLING = "/socket.io/?EIO=4&transport=polling";
export const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
/** The first session of a script, over polling. */
export const SESSION = `${POLLING}&sid={sid1}`;
export const LIMIT = 1_000_000;
/** First bytes of whole frames. */
export const [TEXT, BINARY, CLOSE, PING, PONG] = [0x81, 0x82, 0x88, 0x89, 0x8a];
/** What no message begins with: hear everything until the server closes. */
export const THE_CLOSE = "the close";

/** Sends bytes on the connection `on`, which its first step opens; `at` says where to cut them into several writes. */
export const send = (on, bytes, at = []) => ({ does: "send", on, bytes, at });
/** Notes one whole HTTP response. */
export const answer = (on) => ({ does: "answer", on });
/** Notes frames until one that begins with `until`, a close frame or the end of the connection. */
export const hear = (on, until) => ({ does: "hear", on, until });
/** Notes that the server ends the connection, and what it still says before. */
export const end = (on) => ({ does: "end", on });
/** Ends the connection from here, and waits for nothing. */
export const leave = (on) => ({ does: "leave", on });

export const get = (path, headers) => request("GET", path, undefined, headers);
export const post = (path, body, headers) => request("POST", path, body, { "Content-Type": "text/plain", ...headers });
export const text = (payload) => frame(TEXT, payload);
export const binary = (payload) => frame(BINARY, payload);

/** Says a text over WebSocket. */
export const say = (on, payload) => send(on, (named) => frame(TEXT, named(payload)));

/** One request and its answer. */
export const ask = (on, bytes, at) => [send(on, bytes, at), answer(on)];

/** A session over polling. */
export const polling = (on) => ask(on, get(POLLING));
/** One POST to the first session. */
export const posts = (on, payload, headers) => ask(on, (named) => named(post(SESSION, named(payload), headers)));
/** One GET of the first session. */
export const polls = (on) => ask(on, get(SESSION));
/** A session over polling that has joined the main namespace. */
export const joinedPolling = (on) => [...polling(on), ...posts(on, "40"), ...polls(on)];

/** A session over WebSocket. */
export const websocket = (on, path = WEBSOCKET) => [...ask(on, upgradeRequest(path)), hear(on, "text 0")];
/** A session over WebSocket that has joined the main namespace. */
export const joined = (on, connect = "40") => [...websocket(on), send(on, text(connect)), hear(on, 'text 42["auth"')];

/** A question behind which nothing is left to come: its answer ends what came before. */
export const question = (n) => `42${n}["message-with-ack","marker"]`;
/** Asks the marker question over WebSocket and notes what comes until it is answered, or the connection closed. */
export const marker = (on, n = 77) => [send(on, text(question(n))), hear(on, `text 43${n}`)];
/** Whether the first session still lives: a POST, and a GET that has something to bring if it does. */
export const isAlive = (on) => [...posts(`${on}, POST`, question(77)), ...polls(`${on}, GET`)];
/** Whether the server still serves the connection after an answer. */
export const isKept = (on) => ask(on, get("/healthz"));
