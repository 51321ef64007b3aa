// Answers that occur again and again, and the words that differences are listed with.
// What differs and why is in differences.mjs and differences-eio3.mjs.

export const CORS = "access-control-allow-origin: *";
export const NO_STORE = "cache-control: no-store";
export const CLOSE = "connection: close";
export const HTML = "content-type: text/html";
export const JSON_TYPE = "content-type: application/json";
export const PAYLOAD = "content-type: text/plain; charset=UTF-8";
export const UPGRADE = "connection: Upgrade";
export const WEBSOCKET = "upgrade: websocket";
export const ACCEPT = "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
export const GONE = '{"code":1,"message":"Session ID unknown"}';
export const BAD_REQUEST = '{"code":3,"message":"Bad request"}';
export const MARKER = 'text 4377["marker"]';
export const OPEN = '0{"sid":"{sid1}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}';
/** Answers that occur again and again, without what makes them different. */
export const POLL = ["200", CORS, NO_STORE, PAYLOAD];
export const POST_OK = ["200", CORS, NO_STORE, HTML, "ok"];
export const REFUSED = ["400", CORS, JSON_TYPE, BAD_REQUEST];
export const SESSION_GONE = ["400", CORS, JSON_TYPE, GONE];
export const SWITCHED = ["101", CORS, UPGRADE, ACCEPT, WEBSOCKET];
/** A WebSocket that is refused, by the reference and by ours. */
export const REFUSAL = ["400", CLOSE, HTML];
export const OUR_REFUSAL = ["400", CORS, CLOSE, HTML];

export const at = (script, step, reference, ours) => ({ script, step, reference, ours });
/** What ours says depends on time or on the number of cores. */
export const either = (...ours) => ({ either: ours });
export const because = (why, ...entries) => entries.map((entry) => ({ ...entry, why }));
