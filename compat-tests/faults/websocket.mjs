// A WebSocket client by hand: sends any frame, keeps messages in order, may stop reading, and knows how it was closed.
// For what a well-behaved client does there are the official ones, in clients.mjs.

import { Peer, request } from "./tcp.mjs";

const UPGRADE = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
const KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/** The bytes of a request for a WebSocket. */
export const upgradeRequest = (path) => request("GET", path, { headers: [...UPGRADE, KEY] });

/** A masked frame; its mask is zero. */
export function frame(data, { opcode, fin = true } = {}) {
  const payload = Buffer.from(data);
  const code = opcode ?? (typeof data === "string" ? 1 : 2);
  let head = Buffer.of((fin ? 0x80 : 0) | code, 0x80 | payload.length);
  if (payload.length > 65_535) {
    head = Buffer.alloc(10);
    head.set([(fin ? 0x80 : 0) | code, 0xff]);
    head.writeBigUInt64BE(BigInt(payload.length), 2);
  } else if (payload.length > 125) {
    head = Buffer.of((fin ? 0x80 : 0) | code, 0xfe, payload.length >> 8, payload.length & 0xff);
  }
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

/** The frame at the beginning of `bytes`: opcode, payload and the bytes it takes; undefined if it is not whole. */
function parseFrame(bytes) {
  if (bytes.length < 2) return undefined;
  let [size, at] = [bytes[1] & 0x7f, 2];
  if (size === 126) {
    if (bytes.length < 4) return undefined;
    [size, at] = [bytes.readUInt16BE(2), 4];
  } else if (size === 127) {
    if (bytes.length < 10) return undefined;
    [size, at] = [Number(bytes.readBigUInt64BE(2)), 10];
  }
  if (bytes.length < at + size) return undefined;
  return { opcode: bytes[0] & 0x0f, payload: bytes.subarray(at, at + size), size: at + size };
}

/** A client of Socket.IO over a WebSocket. */
export class RawClient extends Peer {
  /** Messages that nobody has taken: texts, and buffers for binary ones. */
  messages = [];
  /** All events (`42…`) that came, taken or not. */
  events = 0;
  /** Pings that came. */
  pings = 0;
  /** The code of the server's close frame; 1005 if it has none. */
  closeCode;
  /** Whether pings are answered. */
  pongs = true;
  /** Whether events are kept; they are counted anyhow. */
  keeps = true;
  #open = false;

  /** Opens a session and joins `/`, or with `connect: null` nothing yet. */
  static async join(port, { connect = "40", path = "/socket.io/?EIO=4&transport=websocket", pongs = true } = {}) {
    const client = await this.open(port);
    client.pongs = pongs;
    client.write(upgradeRequest(path));
    if (!(await client.wait(() => client.#open || client.end)) || !client.#open) throw new Error(`no WebSocket: ${client.end}`);
    if (connect !== null) {
      client.send(connect);
      if (!(await client.message(/^40/))) throw new Error(`no CONNECT: ${client.end}`);
    }
    return client;
  }

  take(piece) {
    let bytes = this.received.length ? Buffer.concat([this.received, piece]) : piece;
    if (!this.#open) {
      const at = bytes.indexOf("\r\n\r\n");
      if (at < 0 || !bytes.subarray(9, 12).equals(Buffer.from("101"))) return (this.received = bytes);
      this.#open = true;
      bytes = bytes.subarray(at + 4);
    }
    for (let next = parseFrame(bytes); next; next = parseFrame(bytes)) {
      bytes = bytes.subarray(next.size);
      this.#handle(next);
    }
    this.received = bytes;
  }

  #handle({ opcode, payload }) {
    if (opcode === 8) this.closeCode = payload.length < 2 ? 1005 : payload.readUInt16BE(0);
    if (opcode === 2) this.messages.push(Buffer.from(payload));
    if (opcode !== 1) return;
    const isEvent = payload[0] === 0x34 && payload[1] === 0x32;
    if (isEvent) this.events++;
    if (isEvent && !this.keeps) return;
    const text = payload.toString();
    if (text !== "2") return this.messages.push(text);
    this.pings++;
    if (this.pongs) this.send("3");
  }

  /** Sends a message: a text, or binary. */
  send(data, options) {
    return this.write(frame(data, options));
  }

  /** Takes the first text message that fits the pattern; undefined after `ms`, or once the connection has ended. */
  async message(pattern, ms) {
    const found = await this.wait(() => {
      const at = this.messages.findIndex((message) => typeof message === "string" && pattern.test(message));
      return at >= 0 ? this.messages.splice(at, 1)[0] : this.end && null;
    }, ms);
    return found ?? undefined;
  }

  /** Emits an event (its JSON) with an acknowledgement; the packet that answers, or undefined. */
  async call(id, event, ms) {
    this.send(`42${id}${event}`);
    return this.message(new RegExp(`^4(3|6\\d*-)${id}\\[`), ms);
  }

  /** Joins a room of `socketville serve` or `bench-server`. */
  async joinRoom(room) {
    if (!(await this.call(1, JSON.stringify(["join", room])))) throw new Error(`the join of ${room} was not answered: ${this.end}`);
    return this;
  }
}

/** So many clients, all in a room if one is named. */
export async function crowd(port, count, { room, paused = false, ...options } = {}) {
  const clients = [];
  for (let n = 0; n < count; n++) {
    const client = await RawClient.join(port, options);
    if (room !== undefined) await client.joinRoom(room);
    if (paused) client.pause();
    clients.push(client);
  }
  return clients;
}
