// The matrix of servers and transports that every test runs over, and clients that remember all they heard.
// Nothing here sleeps: every wait is for an event, and bounded.

import { after, before, describe, test as nodeTest } from "node:test";
import { io as io4 } from "socket.io-client";
import io2 from "socket.io-client-2";
import { io as io3 } from "socket.io-client-3";
import msgpack from "socket.io-msgpack-parser";
import { serverCells } from "./cells.mjs";
import { conformanceCommand, startServer } from "./server.mjs";

/** The longest wait for one event; only a failure ever takes this long. */
export const WAIT_MS_MAX = 5000;
/** The longest one test may take, whatever it waits for. */
const TEST_MS_MAX = 30_000;
/** Time between two looks at something that announces itself by no event. */
const LOOK_MS = 10;

/**
 * The profiles of the conformance contract in use. `main` waits long for pongs, so that a busy machine ends nobody;
 * `protocol` is for tests about heartbeats (pingInterval 300 ms, pingTimeout 200 ms) and about Engine.IO 4 alone.
 */
const PROFILE = process.env.SOCKETVILLE_PROFILE ?? "main";

/** What clients of a profile are told about packets; nothing means JSON. */
const PARSERS = { msgpack: { parser: msgpack } };

/** What a client is told about transports; `upgrade` starts with polling and is handed out once upgraded. */
export const TRANSPORTS = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
};
export const ALL_TRANSPORTS = Object.keys(TRANSPORTS);

/** The official clients, by their major version; 2 speaks Engine.IO 3. */
const LOOKUPS = { 2: io2, 3: io3, 4: io4 };

/** Describes `name` once per server of the matrix; `body({ test })` registers the tests. */
export function onEachServer(name, body, { cells = serverCells(), profile = PROFILE } = {}) {
  conformanceCommand(); // a missing program fails the file once, not each of its tests
  for (const options of cells) {
    describe(`${name} [${options.join(" ")}]`, () => {
      const held = {};
      before(async () => (held.server = await startServer({ profile, options })));
      after(() => held.server?.stop());
      body({ test: testWith(held, PARSERS[profile]) });
    });
  }
}

/** Like `onEachServer`, and for each of the transports; clients of a test use that transport unless they ask for another. */
export function onEachTransport(name, body, transports = ALL_TRANSPORTS, matrix = {}) {
  onEachServer(name, ({ test }) => {
    for (const transport of transports) {
      body({ test: (what, run) => test(`${transport}: ${what}`, run, transport), transport });
    }
  }, matrix);
}

function testWith(held, parser) {
  return (name, run, transport = "websocket") =>
    nodeTest(name, { timeout: TEST_MS_MAX }, async (t) => {
      const clients = [];
      t.after(() => clients.forEach((client) => client.close()));
      const connect = async (options = {}) => {
        const client = new Client(held.server.url, { transport, ...parser, ...options });
        clients.push(client);
        if (options.ready !== false) await client.ready();
        return client;
      };
      await run({ connect, server: held.server, t });
    });
}

/** An official client together with everything it was sent, in order. */
export class Client {
  #heard = [];
  #waiting = [];
  #transport;

  constructor(url, { transport, nsp = "/", manager, ready, version = 4, ...options }) {
    this.#transport = transport;
    this.socket = manager
      ? manager.socket(nsp, options)
      : LOOKUPS[version](url + nsp, { transports: TRANSPORTS[transport], forceNew: true, reconnection: false, ...options });
    const keep = (name) => (...args) => this.#hear({ name, args });
    hearAll(this.socket, (name, ...args) => this.#hear({ name, args }));
    this.socket.on("connect", keep("connect"));
    this.socket.on("connect_error", keep("connect_error"));
    if (version === 2) this.socket.on("error", keep("error")); // what later versions call connect_error
    this.socket.on("disconnect", keep("disconnect"));
  }

  get id() {
    return this.socket.id;
  }

  get manager() {
    return this.socket.io;
  }

  /** Resolves when the namespace is joined and, for `upgrade`, the WebSocket has taken over. */
  async ready() {
    await this.next("connect");
    if (this.#transport === "upgrade") await this.upgraded();
  }

  /** Resolves when the connection is a WebSocket. */
  async upgraded() {
    const { engine } = this.manager;
    if (engine.transport.name === "websocket") return;
    await within("the upgrade", (done) => engine.once("upgrade", done));
  }

  /** The arguments of the next event of that name that nobody has taken, waiting for it if need be. */
  next(name) {
    const at = this.#heard.findIndex((event) => event.name === name && !event.taken);
    if (at >= 0) {
      this.#heard[at].taken = true;
      return Promise.resolve(this.#heard[at].args);
    }
    return this.#wait(`"${name}"`, (resolve, waiter) => Object.assign(waiter, { name, resolve }));
  }

  /** The next `count` untaken events of that name. */
  async take(name, count) {
    const events = [];
    while (events.length < count) events.push(await this.next(name));
    return events;
  }

  /** The arguments of all events of that name so far. */
  all(name) {
    return this.#heard.filter((event) => event.name === name).map((event) => event.args);
  }

  /** Emits and resolves with all arguments of the acknowledgement. */
  ask(...event) {
    return this.#wait(`the acknowledgement of "${event[0]}"`, (resolve) => {
      this.socket.emit(...event, (...args) => resolve(args));
    });
  }

  /** Emits and resolves with the first argument of the acknowledgement. */
  async call(...event) {
    return (await this.ask(...event))[0];
  }

  /**
   * Resolves when whatever was sent to this client before has arrived. Twice, because a core collects from other cores
   * once per turn: what the first question overtakes is there before the second is answered.
   */
  async settle() {
    await this.call("message-with-ack", "settle");
    await this.call("message-with-ack", "settle");
  }

  close() {
    this.manager.reconnection(false);
    this.socket.disconnect();
    this.manager.engine?.close();
  }

  /** A bounded wait that also ends when the connection does. */
  #wait(what, start) {
    const waiter = { what };
    this.#waiting.push(waiter);
    return within(what, (resolve, reject) => {
      waiter.reject = reject;
      start(resolve, waiter);
    }).finally(() => (this.#waiting = this.#waiting.filter((other) => other !== waiter)));
  }

  #hear(event) {
    const waiter = this.#waiting.find(({ name }) => name === event.name);
    event.taken = waiter !== undefined;
    this.#heard.push(event);
    if (waiter) {
      this.#waiting = this.#waiting.filter((other) => other !== waiter);
      return waiter.resolve(event.args);
    }
    if (event.name === "disconnect") this.#giveUp(`disconnected: ${describeEnd(event.args)}`);
    if (event.name === "connect_error") this.#giveUp(`refused: ${event.args[0].message}`);
  }

  #giveUp(why) {
    for (const { what, reject } of this.#waiting.splice(0)) {
      reject(new Error(`a client waited for ${what} and was ${why}`));
    }
  }
}

/** Calls `hear` for every event; clients 2.x have no `onAny`, so it looks at their packets. */
function hearAll(socket, hear) {
  if (socket.onAny) return socket.onAny(hear);
  const handle = socket.onevent;
  socket.onevent = function (packet) {
    hear(...packet.data);
    handle.call(this, packet);
  };
}

function describeEnd([reason, details]) {
  const why = details?.context?.responseText ?? details?.context?.message ?? details?.message;
  return [reason, details?.description, why].filter(Boolean).join(", ");
}

/** A promise that fails by name when its event does not come in time. */
export function within(what, start, ms = WAIT_MS_MAX) {
  let timer;
  return new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${ms} ms`)), ms);
    start(resolve, reject);
  }).finally(() => clearTimeout(timer));
}

/** Looks again and again until `look` returns something, and resolves with it. */
export function until(what, look) {
  let isOver = false;
  return within(what, async (resolve, reject) => {
    try {
      while (!isOver) {
        const found = await look();
        if (found) return resolve(found);
        await new Promise((again) => setTimeout(again, LOOK_MS));
      }
    } catch (error) {
      reject(error);
    }
  }).finally(() => (isOver = true));
}

/** Waits until the server has seen the tagged socket go, and returns what it noted about that; the witness is any other client. */
export function farewell(witness, tag) {
  return until(`the disconnect of ${tag}`, async () => {
    const log = await witness.call("log", tag);
    return log.some(({ ev }) => ev === "disconnect") && log.filter(({ ev }) => ev.startsWith("disconnect"));
  });
}

/**
 * For what a server does after a delay that others have to beat: tries with the delay, then with twice as much, until `attempt` says that they
 * did. What it finds then is what counts; a slow machine only takes longer.
 */
export async function patiently(ms, attempt) {
  for (; ms <= WAIT_MS_MAX; ms *= 2) if (await attempt(ms)) return;
  throw new Error(`nobody was in time, not even within ${ms / 2} ms`);
}

/** The numbers 0 to n - 1. */
export function upTo(n) {
  return Array.from({ length: n }, (_, i) => i);
}

/** A name that no other test uses, for rooms and tags. */
export function unique(word) {
  return `${word}-${process.pid}-${(unique.count = (unique.count ?? 0) + 1)}`;
}
