// A small Socket.IO client for browsers: text events, acks, namespaces, two transports, reconnection.
// It is not the official client: no binary, no upgrade from polling, no recovery. It is here to be read.
//
// Engine.IO 4 keeps a session alive and carries strings. The first character of a packet is its type:
//
//   0 open     server to client, first: {"sid":…,"pingInterval":…,"pingTimeout":…,"maxPayload":…}
//   1 close    either side
//   2 ping     server to client, every pingInterval; the client answers with 3 pong
//   4 message  either side: a Socket.IO packet follows
//   6 noop     means nothing: it sets a waiting poll free
//
// Over WebSocket a packet is one text frame. Over long-polling a GET waits for whatever the server has to
// say and a POST carries what the client has to say; packets that travel together are separated by U+001E.
//
// Socket.IO 5 lives in the messages: a type, then "/namespace," unless it is "/", then an ack id if an
// answer is wanted or given, then JSON:
//
//   40/harbour,                    connect to a namespace; answered by 40/harbour,{"sid":"…"} or by 44…
//   41/harbour,                    disconnect from it
//   42["bell","Tea is ready"]      an event in "/"
//   42/harbour,7["join","pier"]    an event that wants an answer …
//   43/harbour,7[{"ok":true}]      … and the answer

const EIO = { open: "0", close: "1", ping: "2", pong: "3", message: "4" };
const SIO = { connect: "0", disconnect: "1", event: "2", ack: "3", connectError: "4" };
const SIO_PACKET = /^([0-4])(?:(\/[^,]*),)?(\d+)?(.*)$/s; // types 5 and 6 are binary: not ours
const OWN_EVENTS = new Set(["connect", "disconnect", "connect_error", "any"]); // a server's event never passes for one
const SEPARATOR = "\x1e";
const OPEN_TIMEOUT_MS = 5_000; // a proxy may swallow a WebSocket without a word
const ACK_TIMEOUT_MS = 5_000; // an answer that takes longer is as good as none to a person
const BACKOFF_MIN_MS = 500; // doubles with every failure …
const BACKOFF_MAX_MS = 20_000; // … up to here, so that a town that comes back is not stormed

/** Transport: one text frame per packet. Calls `hear(packet)` for each that arrives, `end(reason)` at the end. */
function openWebSocket(url, hear, end) {
  const ws = new WebSocket(`${url.replace(/^http/, "ws")}?EIO=4&transport=websocket`);
  ws.onmessage = ({ data }) => typeof data === "string" && hear(data);
  ws.onclose = () => end("transport close");
  return { name: "websocket", send: (packet) => ws.send(packet), close: () => ws.close() };
}

/** Transport: always one GET waiting, and at most one POST on its way, so that packets stay in order. */
function openPolling(url, hear, end) {
  const abort = new AbortController();
  let address = `${url}?EIO=4&transport=polling`;
  let payloadMax = Infinity;
  let posting = false;
  let queue = [];

  async function request(options) {
    const response = await fetch(address, { cache: "no-store", signal: abort.signal, ...options });
    if (!response.ok) throw new Error(`expected status 200, found ${response.status}`);
    return response.text();
  }
  async function receive() {
    while (!abort.signal.aborted) {
      for (const packet of (await request()).split(SEPARATOR)) {
        if (packet[0] === EIO.open) {
          const { sid, maxPayload } = JSON.parse(packet.slice(1));
          address += `&sid=${sid}`;
          payloadMax = maxPayload;
        }
        hear(packet);
      }
    }
  }
  async function flush() {
    if (posting) return;
    posting = true;
    while (queue.length > 0) {
      let body = queue.shift(); // a UTF-16 unit is at most 3 bytes of UTF-8, hence the 3
      while (queue.length > 0 && (body.length + queue[0].length + 1) * 3 <= payloadMax) body += SEPARATOR + queue.shift();
      await request({ method: "POST", body });
    }
    posting = false;
  }
  receive().catch(() => end("transport error"));
  return {
    name: "polling",
    send: (packet) => (queue.push(packet), flush().catch(() => end("transport error"))),
    close() {
      abort.abort(); // then a goodbye that outlives the page, so that nobody counts us for another minute
      if (payloadMax < Infinity) fetch(address, { method: "POST", body: EIO.close, keepalive: true }).catch(() => {});
    },
  };
}

class Listeners {
  #listeners = new Map();
  /** Calls `listener` with the arguments of every `event`. */
  on(event, listener) {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener]);
    return this;
  }
  fire(event, ...args) {
    for (const listener of this.#listeners.get(event) ?? []) {
      try {
        listener(...args);
      } catch (error) {
        reportError(error); // a listener's mistake is not the connection's
      }
    }
  }
}

/**
 * One connection that many namespaces share. It opens itself, and reopens itself whenever it breaks.
 * Event `status`: `{state: "connecting" | "open" | "waiting", transport?, retryMs?}`.
 */
export class Client extends Listeners {
  #url;
  #sockets = new Map(); // by namespace
  #link = null; // the transport in use; what an older one still says is not listened to
  #timer; // of the next thing that must not be late: the open packet, a ping, or our own retry
  #failures = 0;

  constructor(url = `${location.origin}/socket.io/`) {
    super();
    this.#url = url;
    addEventListener("pagehide", () => this.#link?.end("page hidden"));
    addEventListener("pageshow", ({ persisted }) => persisted && this.#open());
    queueMicrotask(() => this.#open()); // after the caller has set its listeners
  }

  /** The socket of a namespace, connected as soon as the connection is. */
  of(namespace) {
    if (!this.#sockets.has(namespace)) {
      const send = (type, rest) => {
        const scope = namespace === "/" ? "" : `${namespace},`;
        if (this.#link?.opened) this.#link.transport.send(EIO.message + type + scope + rest);
      };
      const socket = new Socket(namespace, send, () => this.#sockets.delete(namespace));
      this.#sockets.set(namespace, socket);
      socket.handleOpen();
    }
    return this.#sockets.get(namespace);
  }

  #open(openTransport = openWebSocket) {
    const link = { opened: false, transport: null };
    link.end = (reason) => {
      if (this.#link !== link) return; // it has ended before
      this.#link = null;
      clearTimeout(this.#timer);
      link.transport?.close();
      for (const socket of this.#sockets.values()) socket.handleClose(reason);
      if (reason === "page hidden") return;
      if (!link.opened && openTransport === openWebSocket) this.#open(openPolling);
      else this.#retry();
    };
    this.#link = link;
    this.#expect(OPEN_TIMEOUT_MS);
    this.fire("status", { state: "connecting" });
    const hear = (packet) => {
      try {
        if (this.#link === link) this.#hear(packet);
      } catch {
        link.end("parse error");
      }
    };
    try {
      link.transport = openTransport(this.#url, hear, link.end);
    } catch {
      link.end("transport unavailable");
    }
  }

  /** What we wait for must come in `ms`, or the connection is dead, whatever the operating system believes. */
  #expect(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#link.end("ping timeout"), ms);
  }

  #retry() {
    const ceilingMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.#failures++);
    const retryMs = ceilingMs * (0.5 + Math.random() / 2); // jitter: not everybody at the same moment
    this.#timer = setTimeout(() => this.#open(), retryMs);
    this.fire("status", { state: "waiting", retryMs });
  }

  #hear(packet) {
    const link = this.#link;
    if (packet[0] === EIO.open) {
      const { pingInterval, pingTimeout } = JSON.parse(packet.slice(1));
      Object.assign(link, { opened: true, patienceMs: pingInterval + pingTimeout });
      this.#failures = 0;
      this.#expect(link.patienceMs);
      this.fire("status", { state: "open", transport: link.transport.name });
      for (const socket of this.#sockets.values()) socket.handleOpen();
    } else if (packet[0] === EIO.ping) {
      this.#expect(link.patienceMs);
      link.transport.send(EIO.pong);
    } else if (packet[0] === EIO.close) {
      link.end("server closed");
    } else if (packet[0] === EIO.message) {
      const [, type, namespace = "/", id, json] = packet.slice(1).match(SIO_PACKET) ?? [];
      if (type) this.#sockets.get(namespace)?.handlePacket(type, id, json && JSON.parse(json));
    }
  }
}

/**
 * A client in one namespace. Own events: `connect`, `disconnect` (reason), `connect_error` (`{message}`), and
 * `any` (event, ...args) for every event that the server sends.
 */
class Socket extends Listeners {
  #send;
  #forget;
  #acks = new Map(); // by ack id: the promise that waits
  #nextAckId = 0;
  /** The id that the server gave us in this namespace; null while not connected. */
  id = null;

  constructor(namespace, send, forget) {
    super();
    this.namespace = namespace;
    this.#send = send;
    this.#forget = forget;
  }

  /** Sends an event and forgets it; nothing is kept for later while not connected. */
  emit(event, ...args) {
    if (this.id) this.#send(SIO.event, JSON.stringify([event, ...args]));
  }

  /** Sends an event; the promise is of the first argument of the answer, and fails if none comes in time. */
  emitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      if (!this.id) return reject(new Error("not connected"));
      const id = String(this.#nextAckId++);
      const timer = setTimeout(() => this.#settle(id)?.reject(new Error("no answer in time")), ACK_TIMEOUT_MS);
      this.#acks.set(id, { resolve, reject, timer });
      this.#send(SIO.event, id + JSON.stringify([event, ...args]));
    });
  }

  /** Leaves the namespace for good; the connection stays. */
  disconnect() {
    this.#send(SIO.disconnect, "");
    this.#forget();
    this.handleClose("client left");
  }

  handleOpen() {
    this.#send(SIO.connect, "");
  }

  handleClose(reason) {
    for (const id of [...this.#acks.keys()]) this.#settle(id).reject(new Error(reason));
    if (!this.id) return;
    this.id = null;
    this.fire("disconnect", reason);
  }

  handlePacket(type, id, data) {
    if (type === SIO.connect) {
      this.id = data.sid;
      this.fire("connect");
    } else if (type === SIO.event) {
      if (id) data.push((...answer) => this.#send(SIO.ack, id + JSON.stringify(answer)));
      if (!OWN_EVENTS.has(data[0])) this.fire(...data);
      this.fire("any", ...data);
    } else if (type === SIO.ack) {
      this.#settle(id)?.resolve(data[0]);
    } else if (type === SIO.disconnect) {
      this.handleClose("server disconnected us");
    } else if (type === SIO.connectError) {
      this.fire("connect_error", data);
    }
  }

  #settle(id) {
    const ack = this.#acks.get(id);
    clearTimeout(ack?.timer);
    this.#acks.delete(id);
    return ack;
  }
}
