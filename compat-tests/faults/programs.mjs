// The three programs under test as child processes: started with options and limits, their memory, output and metrics.
// What is sent to them is in tcp.mjs, websocket.mjs and clients.mjs.

import { spawn } from "node:child_process";
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { get } from "./tcp.mjs";

/** The key of the publish API, of every server that is started here. */
export const KEY = "secret";
/** A server that does not listen after this long never will. */
const START_MS_MAX = 10_000;
/** Between two looks at a process that is held to a limit: 10 ms at 1 GB/s are 10 MB. */
const LOOK_MS = 10;
/** Ports for programs whose output cannot be read; below those that the kernel gives to connections. */
const [PORT_MIN, PORT_MAX] = [10_000, 32_000];

const release = (name) => fileURLToPath(new URL(`../../target/release/${name}`, import.meta.url));
const PROGRAMS = {
  socketville: process.env.SOCKETVILLE_BIN ?? release("socketville"),
  conformance: process.env.SOCKETVILLE_CONFORMANCE ?? release("conformance"),
  "bench-server": process.env.SOCKETVILLE_BENCH_SERVER ?? release("bench-server"),
};

/** The path of a program by its name; throws if there is none. */
export function programPath(name) {
  if (existsSync(PROGRAMS[name])) return PROGRAMS[name];
  throw new Error(`no program ${name} at ${PROGRAMS[name]}: build it, or see SOCKETVILLE_… in compat-tests/README.md`);
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Looks until `test` gives something true, at most so long; its last value. */
export async function until(test, ms, everyMs = LOOK_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await test();
    if (value || Date.now() >= end) return value;
    await sleep(everyMs);
  }
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort() {
  for (;;) {
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    const free = await new Promise((done) => {
      const probe = net.createServer().once("error", () => done(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => done(true)));
    });
    if (free) return port;
  }
}

/** A process that listens on `port`. Its output goes to a file of its own, or to the descriptor `output`. */
export class Program {
  /** The exit status or the name of the signal, once it has ended. */
  ended;
  /** What it held, in MiB, when it was killed for passing its limit. */
  killedAt;
  #output;
  #folder;

  /**
   * `limits` are arguments of `ulimit` such as `-n 256`; `uid` is the user it runs as; `port` is known before only if the output
   * is not read.
   */
  constructor(command, { env = {}, limits = [], uid, output, port } = {}) {
    this.#folder = mkdtempSync(join(tmpdir(), "fault-"));
    this.#output = openSync(join(this.#folder, "output"), "w+");
    const out = output ?? this.#output;
    const shell = ["sh", "-c", [...limits.map((limit) => `ulimit ${limit}`), 'exec "$0" "$@"'].join(" && ")];
    const [program, ...words] = limits.length ? [...shell, ...command] : command;
    const user = uid === undefined ? {} : { uid, gid: uid };
    this.child = spawn(program, words, { env: { ...process.env, ...env }, stdio: ["ignore", out, out], ...user });
    this.pid = this.child.pid;
    this.port = port;
    this.exit = new Promise((done) => {
      this.child.once("error", (error) => done((this.ended = error.message)));
      this.child.once("exit", (code, signal) => done((this.ended = signal ?? code)));
    });
  }

  get alive() {
    return this.ended === undefined;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Waits until it accepts connections; false if it ended, or never did. */
  async listens(ms = START_MS_MAX) {
    const open = () => !this.alive || (this.port ? accepts(this.port) : this.#announced());
    return Boolean(await until(open, ms)) && this.alive;
  }

  /** Reads the port from the line that says where it listens. */
  #announced() {
    const found = this.output().match(/listen(?:ing|s) on (?:http:\/\/)?[\d.]+:(\d+)/);
    if (found) this.port = Number(found[1]);
    return found;
  }

  /** Its output so far. */
  output() {
    const text = Buffer.alloc(Math.min(this.outputBytes(), 1 << 20));
    readSync(this.#output, text, 0, text.length, 0);
    return text.toString();
  }

  outputBytes() {
    return fstatSync(this.#output).size;
  }

  #status(field) {
    try {
      const found = readFileSync(`/proc/${this.pid}/status`, "utf8").match(new RegExp(`^${field}:\\s*(\\d+) kB`, "m"));
      return found ? Number(found[1]) / 1024 : 0;
    } catch {
      return 0;
    }
  }

  /** Resident MiB now. */
  memory() {
    return this.#status("VmRSS");
  }

  /** Resident MiB at the most so far. */
  peak() {
    return this.#status("VmHWM");
  }

  /** Kills it once it has held more than so many MiB, as a container would. */
  limit(mib) {
    const timer = setInterval(() => {
      if (!this.alive) return clearInterval(timer);
      const peak = this.peak();
      if (peak <= mib) return;
      this.killedAt = Math.round(peak);
      this.child.kill("SIGKILL");
      clearInterval(timer);
    }, LOOK_MS).unref();
  }

  /** Sends a signal and waits; the exit status, or undefined if it is still there. */
  async stop(signal = "SIGTERM", ms = 10_000) {
    if (this.alive) this.child.kill(signal);
    return Promise.race([this.exit, sleep(ms)]);
  }

  /** Every metric, its labels added up. */
  async metrics() {
    const sums = {};
    for (const line of (await get(this.port, "/metrics", { ms: 10_000 })).body.split("\n")) {
      const [, name, value] = line.match(/^(\w+)(?:\{.*\})? (\S+)$/) ?? [];
      if (name) sums[name] = (sums[name] ?? 0) + Number(value);
    }
    return sums;
  }

  /** Ends it and removes its files. */
  async remove() {
    await this.stop("SIGKILL");
    closeSync(this.#output);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function accepts(port) {
  return new Promise((done) => {
    const probe = net.connect(port, "127.0.0.1", () => (probe.destroy(), done(true)));
    probe.on("error", () => done(false));
  });
}
