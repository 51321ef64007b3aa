// What a server sent on one connection, read as HTTP responses and, behind a 101, as WebSocket frames; each becomes lines of text.
// It judges nothing and waits for nothing: player.mjs asks it again when more bytes have come.

import { gunzipSync, inflateSync } from "node:zlib";

const HEAD_END = "\r\n\r\n";
/** How to read a body again that was compressed. */
const DECODERS = { gzip: gunzipSync, deflate: inflateSync };
/** Lines longer than this are told by their beginning and their length. */
const LINE_CHARS_MAX = 160;

/**
 * Headers that are not compared: the date; for how long an idle connection is kept, a hint that only one of many servers
 * gives; how the body was framed, for the body itself is compared.
 */
const IGNORED = new Set(["date", "keep-alive", "content-length", "transfer-encoding"]);
/** That a connection is kept is the rule, whether it is said or not. */
const isCompared = ([name, value]) => !IGNORED.has(name) && !(name === "connection" && value === "keep-alive");

/** The lines of the response at the beginning of `bytes` and its length, or undefined if it is not whole. */
export function readResponse(bytes, { hasEnded, isHead }) {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const [first, ...rest] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const headers = rest.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]);
  const status = Number(first.split(" ")[1]);
  const bodyStart = headEnd + HEAD_END.length;
  const hasBody = status >= 200 && status !== 204 && !isHead;
  const body = hasBody ? readBody(bytes.subarray(bodyStart), Object.fromEntries(headers), hasEnded) : { text: "", length: 0 };
  if (!body) return undefined;
  const compared = headers.filter(isCompared).map(([name, value]) => `${name}: ${value}`);
  const lines = [String(status), ...compared.sort(), ...(body.text ? [short(body.text)] : [])];
  return { lines, length: bodyStart + body.length, raw: body.text };
}

function readBody(bytes, headers, hasEnded) {
  if (headers["transfer-encoding"] === "chunked") return readChunks(bytes, headers);
  const length = headers["content-length"] === undefined && hasEnded ? bytes.length : Number(headers["content-length"]);
  return bytes.length >= length ? { text: textOf(bytes.subarray(0, length), headers), length } : undefined;
}

function textOf(body, headers) {
  const plain = DECODERS[headers["content-encoding"]]?.(body) ?? body;
  return plain.toString(headers["content-type"] === "application/octet-stream" ? "hex" : "utf8");
}

function readChunks(bytes, headers) {
  const parts = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at);
    const size = lineEnd < 0 ? NaN : parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (Number.isNaN(size) || bytes.length < next) return undefined;
    if (size === 0) return { text: textOf(Buffer.concat(parts), headers), length: next };
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}

const OPCODES = { 0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong" };

/** The frame at the beginning of `bytes` as a line, and its length, or undefined if it is not whole. */
export function readFrame(bytes) {
  if (bytes.length < 2) return undefined;
  const [short7, head] = [bytes[1] & 0x7f, { 126: 4, 127: 10 }[bytes[1] & 0x7f] ?? 2];
  if (bytes.length < head) return undefined;
  const size = short7 === 126 ? bytes.readUInt16BE(2) : short7 === 127 ? Number(bytes.readBigUInt64BE(2)) : short7;
  if (bytes.length < head + size) return undefined;
  const payload = bytes.subarray(head, head + size);
  const kind = OPCODES[bytes[0] & 0x0f] ?? `opcode ${bytes[0] & 0x0f}`;
  const raw = payloadText(kind, payload);
  const flags = (bytes[0] & 0xf0) === 0x80 ? "" : ` (flags ${bytes[0] >> 4})`;
  return { line: `${kind}${flags} ${short(raw)}`.trim(), length: head + size, raw, isClose: kind === "close" };
}

function payloadText(kind, payload) {
  if (kind === "binary") return payload.toString("hex");
  if (kind !== "close" || payload.length < 2) return payload.toString();
  return String(payload.readUInt16BE(0)); // reasons are for people, so they are not compared
}

function short(line) {
  return line.length <= LINE_CHARS_MAX ? line : `${line.slice(0, 60)} … (${line.length} characters)`;
}
