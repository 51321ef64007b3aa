// Raw bytes to and from the server's port, for what no well-behaved client would send.
// It reads HTTP heads and unmasked frames just well enough to judge answers; it is no client.

import { connect } from "node:net";
import { within } from "./harness.mjs";

const HEAD_END = "\r\n\r\n";

/** Sends the chunks one after another and resolves with all that came back until the server closed. */
export async function exchange(server, ...chunks) {
  const wire = await openWire(server);
  for (const chunk of chunks) await wire.send(chunk);
  return wire.ended();
}

/** A raw connection to the server; `options` are those of `node:net`. */
export async function openWire(server, options = {}) {
  const socket = connect({ port: server.port, host: "127.0.0.1", noDelay: true, ...options });
  const wire = new Wire(socket);
  await within("the connection", (resolve) => socket.once("connect", resolve));
  return wire;
}

class Wire {
  received = Buffer.alloc(0);
  /** How the connection broke, if it did. */
  error;
  #ended;

  constructor(socket) {
    this.socket = socket;
    // The server may close, or reset, while bytes are still on their way to it: both are an end.
    socket.on("error", (error) => (this.error ??= error));
    socket.on("data", (data) => (this.received = Buffer.concat([this.received, data])));
    this.#ended = new Promise((resolve) => {
      socket.once("end", resolve);
      socket.once("close", resolve);
    });
  }

  /** Writes, and resolves when the kernel has the bytes; once the server is gone it resolves, too. */
  send(bytes) {
    return new Promise((resolve) => this.socket.write(bytes, resolve));
  }

  /** Resolves when the received bytes are enough for `isEnough`. */
  until(what, isEnough) {
    return within(what, (resolve) => {
      const look = () => isEnough(this.received) && resolve();
      this.socket.on("data", look);
      look();
    });
  }

  /** Resolves with everything received once the server has ended the connection. */
  async ended() {
    await within("the server's end of the connection", (resolve) => this.#ended.then(resolve));
    this.socket.destroy();
    return this.received;
  }

  /** Waits for one complete HTTP response with a content-length and returns it. */
  async response() {
    await this.until("an HTTP response", (bytes) => parseResponse(bytes)?.isWhole);
    return parseResponse(this.received);
  }

  close() {
    this.socket.destroy();
  }
}

/** The parts of an HTTP response: status, headers (lower case), body as text. */
export function parseResponse(bytes) {
  const text = bytes.toString("latin1");
  const headEnd = text.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const [first, ...lines] = text.slice(0, headEnd).split("\r\n");
  const headers = Object.fromEntries(lines.map((line) => [line.split(":")[0].toLowerCase(), line.replace(/^[^:]*:\s*/, "")]));
  const body = text.slice(headEnd + HEAD_END.length);
  const isWhole = body.length >= Number(headers["content-length"] ?? 0);
  return { status: Number(first.split(" ")[1]), headers, body, isWhole };
}

/** A GET or POST with the headers every client sends. */
export function request(method, path, body, headers = {}) {
  const all = { Host: "127.0.0.1", ...headers };
  if (body !== undefined) all["Content-Length"] ??= Buffer.byteLength(body);
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, "", body ?? ""].join("\r\n");
}

/** A request that asks for a WebSocket. */
export function upgradeRequest(path) {
  return request("GET", path, undefined, {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": 13,
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  });
}

/** A client's frame: first byte (FIN, RSV, opcode) and payload, masked unless told otherwise, with any claimed length. */
export function frame(first, payload, { isMasked = true, length = payload.length } = {}) {
  const data = Buffer.from(payload);
  const mask = Buffer.of(1, 2, 3, 4);
  const bit = isMasked ? 0x80 : 0;
  let head = Buffer.of(first, bit | length);
  if (length > 125) {
    head = Buffer.alloc(10);
    head.set([first, bit | 127]);
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  if (!isMasked) return Buffer.concat([head, data]);
  return Buffer.concat([head, mask, data.map((byte, i) => byte ^ mask[i % 4])]);
}

/** The code in the close frame behind the 101 response: 1005 if it has none, undefined without such a frame. */
export function closeCode(bytes) {
  let at = bytes.indexOf(HEAD_END) + HEAD_END.length;
  while (at + 2 <= bytes.length) {
    const [opcode, short] = [bytes[at] & 0x0f, bytes[at + 1] & 0x7f];
    const [head, length] = short < 126 ? [2, short] : [4, bytes.readUInt16BE(at + 2)];
    if (opcode === 8) return length >= 2 ? bytes.readUInt16BE(at + head) : 1005;
    at += head + length;
  }
  return undefined;
}
