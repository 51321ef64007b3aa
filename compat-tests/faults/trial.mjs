// A fault case and one run of it: `fault` declares the case, a `Trial` starts servers on its cell and remembers what is wrong.
// Which cases run, and where, is decided in run.mjs.

import { KEY, Program, freePort, programPath, sleep, until } from "./programs.mjs";

export { KEY, freePort, programPath, sleep, until };
/** The longest a run of a case may take, unless it says otherwise. */
const SECONDS_MAX = 30;
/** A program that says that it listens, and ends for what it finds out then, does so within this time. */
const SECOND_THOUGHTS_MS = 400;

/**
 * Declares a case. `quick`: part of `cargo xtask test`. `alone`: it measures time, so nothing runs beside it. `cores`, `drivers`: the
 * cells where it makes sense, if not all. `seconds`: the longest it may take. `run` is called with a Trial.
 */
export function fault(name, { quick = false, alone = false, cores, drivers, seconds = SECONDS_MAX }, run) {
  return { name, quick, alone, cores, drivers, seconds, run };
}

/** One run of a case on a cell, `{ driver, cores }`. */
export class Trial {
  faults = [];
  #programs = [];
  #ends = [];

  constructor(cell) {
    this.cell = cell;
  }

  /** Remembers a fault unless `good`; the case goes on. `got` is shown with it. */
  check(what, good, got) {
    if (good) return true;
    const shown = typeof got === "string" ? got : JSON.stringify(got);
    this.faults.push(got === undefined ? what : `${what}: ${shown?.slice(0, 300)}`);
    return false;
  }

  /** `socketville serve` with these options, on the cell's driver and cores unless they name others. */
  serve(options = [], settings = {}) {
    return this.#start(this.serveCommand(options, settings), settings);
  }

  /** The same where the program may refuse to start, be it after it said that it listens: `ended` is then set. */
  async tryServe(options = [], settings = {}) {
    const program = this.#spawn(this.serveCommand(options, settings), settings);
    if (await program.listens()) await Promise.race([program.exit, sleep(SECOND_THOUGHTS_MS)]);
    return program;
  }

  /** The words that start `socketville serve`. */
  serveCommand(options = [], { port = 0, program = programPath("socketville") } = {}) {
    const { driver, cores } = this.cell;
    const given = (name) => options.includes(name);
    const words = [program, "serve", "--api-key", KEY, ...options];
    if (!given("--listen")) words.push("--listen", `127.0.0.1:${port}`);
    if (!given("--driver")) words.push("--driver", driver);
    if (!given("--cores")) words.push("--cores", String(cores));
    return words;
  }

  /** The conformance program with a profile. */
  conformance(profile = "main", options = []) {
    const { driver, cores } = this.cell;
    return this.#start([programPath("conformance"), profile, "0", `driver=${driver}`, `cores=${cores}`, ...options]);
  }

  /** The app of the benchmarks, with variables of its environment: heartbeats, and a drain at SIGTERM. */
  async bench(env = {}) {
    const { driver, cores } = this.cell;
    const port = await freePort();
    const all = { DRIVER: driver, CORES: String(cores), PORT: String(port), ...env };
    return this.#start([programPath("bench-server")], { env: all, port });
  }

  #spawn(command, settings = {}) {
    const program = new Program(command, settings);
    this.#programs.push(program);
    return program;
  }

  async #start(command, settings) {
    const program = this.#spawn(command, settings);
    if (await program.listens()) return program;
    throw new Error(`${command[0].split("/").pop()} did not start: ${program.output().slice(-300)}`);
  }

  /** Has `end` called when the run is over. */
  after(end) {
    this.#ends.push(end);
  }

  /** Checks that a program neither ended nor passed its limit. */
  survived(program, what) {
    if (program.killedAt) return this.check(`${what} took ${program.killedAt} MiB`, false);
    return this.check(`${what}: the server ended (${program.ended})`, program.alive, program.output().slice(-200));
  }

  /** Ends all that was started. */
  async end() {
    for (const end of this.#ends) await end();
    await Promise.all(this.#programs.map((program) => program.remove()));
  }
}
