// Plays a script of steps.mjs against a server and writes down what came back: one list of lines for each step that listens.
// Every wait is for bytes or for the end of a connection; one that is in vain is written down as silence.

import { connect } from "node:net";
import { readFrame, readResponse } from "./reader.mjs";

/** Only a failure waits for so long. */
const SILENCE_MS = 5000;
/** A question of the server in the conformance contract, and its id. */
const QUESTION = /(?<=4[25](?:\d+-)?(?:\/custom,)?)(\d+)\["question"/;

/** The id in an open packet or an answer to CONNECT, which may be quoted in a script. */
const SESSION_ID = /"sid\\?":\\?"([^"\\]+)/g;

/** The transcript: for each listening step its name ("a answer 2") and the lines that came. */
export async function play(server, steps) {
  const player = new Player(server);
  try {
    for (const step of steps) await player[step.does](step);
    return player.transcript;
  } finally {
    player.conns.forEach((conn) => conn.socket.destroy());
  }
}

/** The names of a script's listening steps. */
export function stepNames(steps) {
  const counts = new Map();
  const listening = steps.filter(({ does }) => ["answer", "hear", "end"].includes(does));
  return listening.map((step) => nameOf(step, counts));
}

function nameOf({ on, does }, counts) {
  const name = `${on} ${does}`;
  counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts.get(name) === 1 ? name : `${name} ${counts.get(name)}`;
}

class Player {
  transcript = [];
  conns = new Map();
  #counts = new Map();
  /** Ids of sessions and sockets in the order they were told; {sid1} is the first. */
  #ids = [];
  /** The id of the server's last question. */
  #question = "";

  constructor(server) {
    this.server = server;
  }

  async send({ on, bytes, at }) {
    const conn = await this.#conn(on);
    const made = typeof bytes === "function" ? bytes((text) => this.#named(text)) : bytes;
    const whole = typeof made === "string" ? Buffer.from(this.#named(made)) : made;
    conn.isHead = whole.subarray(0, 5).toString() === "HEAD ";
    const cuts = [0, ...at, whole.length];
    for (const [i, from] of cuts.slice(0, -1).entries()) await conn.write(whole.subarray(from, cuts[i + 1]));
  }

  async answer(step) {
    const conn = await this.#conn(step.on);
    const found = await conn.wait(() => {
      const response = readResponse(conn.unread, conn);
      if (response) conn.skip(response.length);
      return response ?? (conn.hasEnded && { lines: ["end"], raw: "" });
    });
    this.#note(step, found?.lines ?? ["silence"], found?.raw);
  }

  async hear(step) {
    const conn = await this.#conn(step.on);
    const lines = [];
    for (;;) {
      const frame = await conn.wait(() => conn.frame() ?? (conn.hasEnded && { line: "end", isClose: true }));
      lines.push(this.#anonymous(frame?.line ?? "silence", frame?.raw));
      if (!frame || frame.isClose || frame.line.startsWith(step.until)) return this.#note(step, lines);
    }
  }

  async end(step) {
    const conn = await this.#conn(step.on);
    const hasEnded = await conn.wait(() => conn.hasEnded);
    const rest = conn.unread.length ? [conn.unread.toString("latin1")] : [];
    this.#note(step, [...rest, hasEnded ? "end" : "silence"]);
  }

  async leave({ on }) {
    this.conns.get(on)?.socket.destroy();
    this.conns.delete(on);
  }

  async #conn(name) {
    if (!this.conns.has(name)) this.conns.set(name, await Conn.open(this.server));
    return this.conns.get(name);
  }

  #note(step, lines, raw) {
    this.transcript.push({ step: nameOf(step, this.#counts), lines: lines.map((line) => this.#anonymous(line, raw)) });
  }

  /** The line with ids replaced by their names; new ones are learnt from `raw`, the whole of what the line tells. */
  #anonymous(line, raw = "") {
    for (const [, id] of raw.matchAll(SESSION_ID)) if (!this.#ids.includes(id)) this.#ids.push(id);
    this.#question = raw.match(QUESTION)?.[1] ?? this.#question;
    const named = this.#ids.reduce((text, id, i) => text.replaceAll(id, `{sid${i + 1}}`), line);
    return named.replace(QUESTION, '{ack}["question"');
  }

  #named(text) {
    const named = text.replace(/\{sid(\d+)\}/g, (all, n) => this.#ids[n - 1] ?? all);
    return named.replaceAll("{ack}", this.#question);
  }
}

/** One connection and the bytes of it that were not read yet. */
class Conn {
  unread = Buffer.alloc(0);
  hasEnded = false;
  #wake = () => {};

  static async open({ port }) {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Conn(socket);
  }

  constructor(socket) {
    this.socket = socket;
    const isOver = () => ((this.hasEnded = true), this.#wake());
    socket.on("error", () => {}); // a reset is an end like any other
    socket.on("end", isOver);
    socket.on("close", isOver);
    socket.on("data", (data) => {
      this.unread = Buffer.concat([this.unread, data]);
      this.#wake();
    });
  }

  /** Resolves when the kernel has the bytes, or the connection is gone. */
  write(bytes) {
    return new Promise((resolve) => (this.socket.destroyed ? resolve() : this.socket.write(bytes, resolve)));
  }

  skip(length) {
    this.unread = this.unread.subarray(length);
  }

  frame() {
    const frame = readFrame(this.unread);
    if (frame) this.skip(frame.length);
    return frame;
  }

  /** Resolves with what `look` finds, looking again after every event, or with undefined after a silence. */
  wait(look) {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), SILENCE_MS);
      this.#wake = () => {
        const found = look();
        if (!found) return;
        clearTimeout(timer);
        this.#wake = () => {};
        resolve(found);
      };
      this.#wake();
    });
  }
}
