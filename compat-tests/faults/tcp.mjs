// A TCP connection by hand, and HTTP requests over it: byte for byte what a case wants to send, and how the connection ended.
// WebSocket frames are in websocket.mjs.

import net from "node:net";

const HEAD_END = "\r\n\r\n";

/** A connection that keeps what comes. */
export class Peer {
  received = Buffer.alloc(0);
  /** Bytes that came, kept or not. */
  bytes = 0;
  /** How the other side ended: FIN, or the code of the error. */
  end;
  #waiters = new Set();
  #brake = () => {};

  /** Connects. `paused`: nothing is read until `resume`; `kept: false`: what is read is only counted. */
  static async open(port, { paused = false, kept = true } = {}) {
    const peer = new this(net.connect({ host: "127.0.0.1", port, noDelay: true, allowHalfOpen: true }), kept);
    if (paused) peer.pause();
    const opened = new Promise((done) => peer.socket.once("connect", () => done(true)));
    if (!(await Promise.race([opened, peer.closed(5000).then(() => false)]))) throw new Error(`no connection: ${peer.end}`);
    return peer;
  }

  constructor(socket, kept = true) {
    this.socket = socket;
    socket.on("data", (piece) => {
      this.bytes += piece.length;
      if (kept) this.take(piece);
      this.#wake();
    });
    socket.on("end", () => this.#ended("FIN"));
    socket.on("error", (error) => this.#ended(error.code));
    socket.on("close", () => this.#ended("closed"));
  }

  /** What is done with bytes that came. */
  take(piece) {
    this.received = Buffer.concat([this.received, piece]);
  }

  #ended(how) {
    this.end ??= how;
    this.#wake();
  }

  #wake() {
    for (const waiter of this.#waiters) waiter();
  }

  /** Waits until `test` gives something else than undefined, and gives that; undefined after `ms`. */
  wait(test, ms = 3000) {
    return new Promise((done) => {
      const waiter = () => {
        const value = test();
        if (value !== undefined) finish(value);
      };
      const finish = (value) => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        done(value);
      };
      const timer = setTimeout(finish, ms);
      this.#waiters.add(waiter);
      waiter();
    });
  }

  /** Waits for the other side's end; undefined if it does not come. */
  closed(ms) {
    return this.wait(() => this.end, ms);
  }

  /** Writes; resolves when the kernel has the bytes, true, or the connection is gone. */
  write(data) {
    return new Promise((done) => this.socket.write(data, (error) => done(!error)));
  }

  pause() {
    this.socket.pause();
  }

  resume() {
    this.socket.resume();
  }

  /** Reads so many bytes a second from now on, as over a slow link; 0 ends that. */
  readAt(rate) {
    const [began, start] = [Date.now(), this.bytes];
    this.socket.off("data", this.#brake);
    this.#brake = () => {
      const early = ((this.bytes - start) / rate) * 1000 - (Date.now() - began);
      if (early < 5) return;
      this.pause();
      setTimeout(() => this.resume(), early);
    };
    if (rate) this.socket.on("data", this.#brake);
  }

  close() {
    this.socket.destroy();
  }

  /** Takes one HTTP answer; status 0 if the connection ends before, or `ms` pass. */
  async response(ms = 3000) {
    const answer = await this.wait(() => parseResponse(this.received, this.end), ms);
    if (!answer) return { status: 0, head: this.received.toString("latin1"), body: "" };
    this.received = this.received.subarray(answer.size);
    return answer;
  }
}

/** The first answer of `bytes`, or undefined if it is not whole. */
function parseResponse(bytes, end) {
  const text = bytes.toString("latin1");
  const at = text.indexOf(HEAD_END);
  if (at < 0) return end && { status: 0, head: text, body: "", size: bytes.length };
  const head = text.slice(0, at);
  const status = Number(head.split(" ")[1]);
  const start = at + HEAD_END.length;
  const length = head.match(/content-length: *(\d+)/i);
  const answer = (stop) => ({ status, head, body: bytes.subarray(start, stop).toString(), size: stop });
  if (status < 200 || status === 204) return answer(start);
  if (length) return bytes.length < start + Number(length[1]) ? end && answer(bytes.length) : answer(start + Number(length[1]));
  const last = text.indexOf("0\r\n\r\n", start);
  return last < 0 ? end && answer(bytes.length) : answer(last + 5);
}

/** A request's bytes. `headers` are lines; a body brings its length unless a header says how long it is. */
export function request(method, path, { headers = [], body } = {}) {
  const framed = headers.some((line) => /^(content-length|transfer-encoding):/i.test(line));
  const length = body === undefined || framed ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  return `${[`${method} ${path} HTTP/1.1`, "Host: x", ...length, ...headers].join("\r\n")}${HEAD_END}${body ?? ""}`;
}

/** Sends bytes over a connection of their own and takes the answer. */
export async function exchange(port, bytes, ms) {
  let peer;
  try {
    peer = await Peer.open(port);
  } catch (error) {
    return { status: 0, head: error.message, body: "" };
  }
  peer.write(bytes);
  const answer = await peer.response(ms);
  peer.close();
  return answer;
}

export const get = (port, path, { headers, ms } = {}) => exchange(port, request("GET", path, { headers }), ms);
export const post = (port, path, body, { headers, ms } = {}) => exchange(port, request("POST", path, { headers, body }), ms);

/** The bytes of a request to the publish API. */
export function publishRequest(body, { key, headers = [] }) {
  return request("POST", "/api/publish", { headers: [`Authorization: Bearer ${key}`, ...headers], body: JSON.stringify(body) });
}

/** The beginning of the path of polling requests, by the revision of Engine.IO. */
export const polling = (revision = 4) => `/socket.io/?EIO=${revision}&transport=polling`;

/** Opens a polling session that has joined `/`; the path of its requests. */
export async function pollingSession(port, { revision = 4, connected = true } = {}) {
  const opened = await get(port, polling(revision));
  const sid = opened.body.match(/"sid":"([^"]+)"/)?.[1];
  if (!sid) throw new Error(`no session: ${opened.status} ${opened.body.slice(0, 100)}`);
  const path = `${polling(revision)}&sid=${sid}`;
  if (!connected) return path;
  if (revision === 4) await post(port, path, "40");
  await get(port, path);
  return path;
}
