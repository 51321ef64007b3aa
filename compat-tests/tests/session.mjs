// One Engine.IO session held by hand: every packet is seen, none is answered unless it is said so.
// Good for timing and order below the official client; malformed HTTP and frames are the business of wire.mjs.

import { WebSocket } from "ws";
import { within } from "./harness.mjs";

const SEPARATOR = "\x1e";

/** Opens a session; `isSilent` leaves the server's pings without an answer. */
export async function openSession(server, transport, { isSilent = false } = {}) {
  const Kind = { websocket: WebSocketSession, polling: PollingSession }[transport];
  const session = new Kind(server);
  session.isSilent = isSilent;
  await session.open();
  return session;
}

class Session {
  /** Packets that came and were not taken, oldest first. */
  packets = [];
  #waiting = [];

  /** Joins the main namespace and resolves with the socket's id. */
  async join(auth = {}) {
    this.send(`40${JSON.stringify(auth)}`);
    return JSON.parse((await this.next(isConnect)).slice(2)).sid;
  }

  /** The next packet that is as asked for. */
  next(isWanted) {
    const at = this.packets.findIndex(isWanted);
    if (at >= 0) return Promise.resolve(this.packets.splice(at, 1)[0]);
    return within(`the packet ${isWanted}`, (resolve) => this.#waiting.push({ isWanted, resolve }));
  }

  handle(packet) {
    if (packet === "2" && !this.isSilent) this.send("3");
    const at = this.#waiting.findIndex(({ isWanted }) => isWanted(packet));
    if (at < 0) return this.packets.push(packet);
    this.#waiting.splice(at, 1)[0].resolve(packet);
  }
}

class WebSocketSession extends Session {
  constructor({ url }, query = "") {
    super();
    this.ws = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket${query}`);
    this.ws.on("message", (data, isBinary) => this.handle(isBinary ? data : data.toString()));
    this.ws.on("error", () => {});
    this.end = new Promise((resolve) => this.ws.once("close", (code) => resolve(code)));
  }

  async open() {
    this.handshake = JSON.parse((await this.next((packet) => packet[0] === "0")).slice(1));
  }

  send(packet) {
    this.ws.send(packet);
  }

  /** Resolves with the close code once the server has closed. */
  closed() {
    return within("the close", (resolve) => this.end.then(resolve));
  }

  async close() {
    this.tear();
  }

  /** Ends the TCP connection without a closing handshake. */
  tear() {
    this.ws.terminate();
  }
}

class PollingSession extends Session {
  #server;

  constructor(server) {
    super();
    this.#server = server;
    this.url = `${server.url}/socket.io/?EIO=4&transport=polling`;
  }

  async open() {
    this.handshake = JSON.parse((await (await fetch(this.url)).text()).slice(1));
    this.url += `&sid=${this.handshake.sid}`;
  }

  async join(auth = {}) {
    await this.post(`40${JSON.stringify(auth)}`);
    while (!this.packets.some(isConnect)) await this.poll();
    return JSON.parse((await this.next(isConnect)).slice(2)).sid;
  }

  send(packet) {
    return this.post(packet);
  }

  /** Sends one payload and resolves with the response's status. */
  async post(payload) {
    const response = await fetch(this.url, { method: "POST", body: payload });
    await response.text();
    return response.status;
  }

  /** One GET: its packets are handled in order. Resolves with the response's status. */
  async poll() {
    const response = await fetch(this.url);
    const body = await response.text();
    if (response.status === 200) body.split(SEPARATOR).forEach((packet) => this.handle(packet));
    return response.status;
  }

  /** A WebSocket for this session, open and not yet probed. */
  async upgrade() {
    const over = new WebSocketSession(this.#server, `&sid=${this.handshake.sid}`);
    await within("the upgrade's WebSocket", (resolve) => over.ws.once("open", resolve));
    return over;
  }

  /** Nothing to close: a session that nobody polls ends by itself. */
  async close() {}
}

function isConnect(packet) {
  return packet.startsWith("40");
}
