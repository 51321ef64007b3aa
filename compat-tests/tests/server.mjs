// One conformance server as a child process: start it on a free port, know that it is healthy, end it whatever happens.
// It knows nothing about clients or about what is tested.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const DEFAULT_PROGRAM = fileURLToPath(new URL("../../target/release/conformance", import.meta.url));
const HERE = fileURLToPath(new URL("..", import.meta.url));
/** A server that has not said where it listens after this long never will. */
const START_MS_MAX = 10_000;
/** How much of the server's own words a failure shows. */
const OUTPUT_CHARS_MAX = 4000;

const running = new Set();
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** The words of the command that starts a conformance server, from SOCKETVILLE_CONFORMANCE or the release build. */
export function conformanceCommand() {
  const words = (process.env.SOCKETVILLE_CONFORMANCE ?? DEFAULT_PROGRAM).split(" ").filter(Boolean);
  const isPath = words[0].includes("/");
  if (isPath && !existsSync(words[0])) {
    throw new Error(
      `no conformance program at ${words[0]}: run \`cargo build --release -p socketville-compat\`, ` +
        "or name another one in SOCKETVILLE_CONFORMANCE",
    );
  }
  return words;
}

/** Starts a server and resolves when it listens. `options` are words such as `cores=2`, `command` the words that start it. */
export async function startServer({ profile, options = [], command = conformanceCommand() }) {
  const [program, ...first] = command;
  const child = spawn(program, [...first, profile, "0", ...options], {
    cwd: HERE,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const server = new ConformanceServer(child);
  server.url = await server.listening();
  return server;
}

class ConformanceServer {
  #child;
  #output = "";
  #exited;

  constructor(child) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text) => (this.#output = (this.#output + text).slice(-OUTPUT_CHARS_MAX)));
    }
    this.#exited = new Promise((resolve) => {
      child.once("error", (error) => resolve(`could not start: ${error.message}`));
      child.once("exit", (code, signal) => resolve(`ended by itself (code ${code}, signal ${signal})`));
    }).finally(() => running.delete(child));
  }

  /** The port of `url`. */
  get port() {
    return Number(new URL(this.url).port);
  }

  /** Waits for the line that says where the server listens, and returns the address in it. */
  async listening() {
    let timer;
    const said = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(this.#failure(`said nothing for ${START_MS_MAX} ms`)), START_MS_MAX);
      this.#child.stdout.on("data", () => {
        const found = this.#output.match(/listening on (http:\/\/127\.0\.0\.1:\d+)/);
        if (found) resolve(found[1]);
      });
      this.#exited.then((how) => reject(this.#failure(how)));
    });
    return said.finally(() => clearTimeout(timer));
  }

  /** Ends the server. Throws if it had ended by itself, or if one of its threads panicked. */
  async stop() {
    const isGone = this.#child.exitCode !== null || this.#child.signalCode !== null;
    if (isGone) throw this.#failure(await this.#exited);
    this.#child.kill("SIGKILL");
    await this.#exited;
    if (this.#output.includes("panicked at")) throw this.#failure("panicked");
  }

  #failure(what) {
    return new Error(`the conformance server ${what}; it said:\n${this.#output || "(nothing)"}`);
  }
}
