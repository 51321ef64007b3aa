// The official clients of three versions, with all that they received, for cases about what such a client sees.
// Packets that no such client sends are the business of websocket.mjs.

import { io as io4 } from "socket.io-client";
import io2 from "socket.io-client-2";
import { io as io3 } from "socket.io-client-3";

const LOOKUPS = { 2: io2, 3: io3, 4: io4 };
/** For anything that a client waits for; only a failure takes this long. */
const WAIT_MS_MAX = 3000;

/** One client of one version. */
export class Official {
  /** Events with their arguments, in the order they came. */
  events = [];
  /** Why it was not admitted. */
  refused;
  /** Why it was disconnected. */
  disconnected;

  /** Connects, unless `autoConnect` is false; resolves when it is in, or refused. */
  static async connect(url, { version = 4, nsp = "", transports = ["websocket"], ...options } = {}) {
    const client = new this(LOOKUPS[version](url + nsp, { transports, reconnection: false, forceNew: true, ...options }));
    if (options.autoConnect !== false) await client.settled();
    return client;
  }

  constructor(socket) {
    this.socket = socket;
    const handle = socket.onevent; // what clients 2.x have in the place of onAny
    socket.onevent = (packet) => {
      this.events.push(packet.data);
      handle.call(socket, packet);
    };
    const refuse = (error) => (this.refused ??= error);
    socket.on("connect_error", refuse);
    if (!socket.onAny) socket.on("error", refuse);
    socket.on("disconnect", (reason) => (this.disconnected = reason));
  }

  get connected() {
    return this.socket.connected;
  }

  /** Waits until it is in or refused. */
  settled() {
    return within((done) => {
      if (this.connected || this.refused) return done();
      for (const name of ["connect", "connect_error", "error"]) this.socket.once(name, done);
    });
  }

  /** Emits and gives the arguments of the acknowledgement, or undefined if none comes in time. */
  call(...event) {
    return within((done) => this.socket.emit(...event, (...args) => done(args)));
  }

  /** Waits until events fit a test; whether they do. */
  async until(test, ms = WAIT_MS_MAX) {
    const fits = within((done) => {
      const look = () => test(this.events) && done(true);
      this.socket.on("disconnect", () => done(false));
      const { onevent } = this.socket;
      this.socket.onevent = (packet) => (onevent(packet), look());
      look();
    }, ms);
    return Boolean(await fits);
  }

  close() {
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    this.socket.io.engine?.close();
  }
}

/** What `start` calls back with, or undefined after `ms`. */
function within(start, ms = WAIT_MS_MAX) {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    start((value) => (clearTimeout(timer), done(value)));
  });
}
