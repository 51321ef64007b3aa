// node faults/run.mjs [--all] [--list] [NAME…]: runs the fault cases on every driver and number of cores, and prints a line for each.
// Without a name the quick ones, with `--all` all, with names those whose names contain one of them, quick or not.

import { fork, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { serverCells } from "../tests/cells.mjs";
import { loadCases } from "./cases.mjs";
import { programPath } from "./programs.mjs";

const WORKER = fileURLToPath(new URL("worker.mjs", import.meta.url));
/** Cases that run beside each other: most of them wait most of the time. */
const WORKERS = Number(process.env.SOCKETVILLE_FAULT_WORKERS ?? 4);

/** The cells of the matrix as `{ driver, cores }`. */
function cells() {
  const words = serverCells().map((options) => Object.fromEntries(options.map((option) => option.split("="))));
  return words.map(({ driver, cores }) => ({ driver, cores: Number(cores) }));
}

/** Why this machine has no io_uring, or undefined if it has. */
function withoutRing() {
  const probe = ["serve", "--listen", "127.0.0.1:0", "--api-key", "probe", "--cores", "1", "--driver", "io_uring"];
  // A server that starts does not end by itself: the time-out ends it, and that is the good outcome.
  const { status, stderr } = spawnSync(programPath("socketville"), probe, { timeout: 1000, killSignal: "SIGKILL" });
  return status ? String(stderr).trim().split("\n").pop() : undefined;
}

/** The cases that the command line asks for. */
function select(cases, words) {
  const names = words.filter((word) => !word.startsWith("--"));
  const unknown = words.find((word) => word.startsWith("--") && !["--all", "--list"].includes(word));
  if (unknown) throw new Error(`expected --all, --list or names of cases, found ${unknown}`);
  const isWanted = ({ name, quick }) =>
    names.length ? names.some((word) => name.includes(word)) : quick || words.includes("--all");
  const selected = cases.filter(isWanted);
  if (!selected.length) throw new Error(`no case has a name with ${names.join(" or ")}`);
  return selected;
}

/** Every run: a case on a cell where it makes sense. */
function runsOf(cases) {
  const fits = ({ cores, drivers }, cell) =>
    (cores ?? [cell.cores]).includes(cell.cores) && (drivers ?? [cell.driver]).includes(cell.driver);
  return cells().flatMap((cell) => cases.filter((known) => fits(known, cell)).map((known) => ({ known, cell })));
}

/** A worker process, ready for a run. */
function startWorker() {
  const worker = fork(WORKER, { detached: true });
  return new Promise((done, failed) => {
    worker.once("message", () => done(worker));
    worker.once("exit", (code) => failed(new Error(`a worker ended with ${code}`)));
  });
}

function killGroup(worker) {
  try {
    process.kill(-worker.pid, "SIGKILL"); // its servers are in its group
  } catch {} // it has ended
}

/** Sends a run to a worker; what was wrong, and whether the worker can go on. */
function runOne(worker, { known, cell }) {
  return new Promise((done) => {
    const finish = (faults, usable) => {
      clearTimeout(timer);
      worker.removeAllListeners("message").removeAllListeners("exit");
      done({ faults, usable });
    };
    const timer = setTimeout(() => finish([`it took longer than ${known.seconds} s`], false), known.seconds * 1000);
    worker.once("message", ({ faults }) => finish(faults, true));
    worker.once("exit", (code, signal) => finish([`its process ended (${signal ?? code})`], false));
    worker.send({ name: known.name, cell });
  });
}

const workers = new Set();
process.on("exit", () => workers.forEach(killGroup));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** Takes runs from the list until it is empty; the number of those that failed. */
async function takeRuns(runs) {
  let failed = 0;
  let worker;
  for (let run = runs.shift(); run; run = runs.shift()) {
    if (!worker) workers.add((worker = await startWorker()));
    const began = Date.now();
    const { faults, usable } = await runOne(worker, run);
    if (!usable) {
      killGroup(worker);
      workers.delete(worker);
      worker = undefined;
    }
    if (faults.length) failed++;
    print(run, faults, Date.now() - began);
  }
  if (worker) {
    killGroup(worker);
    workers.delete(worker);
  }
  return failed;
}

function print({ known, cell }, faults, ms) {
  const place = `${known.name} [${cell.driver} ${cell.cores}] (${(ms / 1000).toFixed(1)} s)`;
  console.log(faults.length ? `FAIL ${place} ${faults.join("; ").slice(0, 600)}` : `ok   ${place}`);
}

const words = process.argv.slice(2);
const cases = select(await loadCases(), words);
if (words.includes("--list")) {
  for (const { name, quick, alone } of cases) console.log(`${name}${quick ? " quick" : ""}${alone ? " alone" : ""}`);
  process.exit(0);
}
let runs = runsOf(cases);
const wantsRing = runs.some(({ cell }) => cell.driver === "io_uring");
const why = wantsRing ? withoutRing() : undefined;
const skipped = why === undefined ? 0 : runs.filter(({ cell }) => cell.driver === "io_uring").length;
if (skipped) {
  console.log(`io_uring does not work here, ${skipped} runs are skipped: ${why}`);
  runs = runs.filter(({ cell }) => cell.driver !== "io_uring");
}
const total = runs.length;
const together = runs.filter(({ known }) => !known.alone);
const counts = await Promise.all(Array.from({ length: WORKERS }, () => takeRuns(together)));
const failed = counts.reduce((sum, count) => sum + count, 0) + (await takeRuns(runs.filter(({ known }) => known.alone)));
console.log(`${total - failed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
process.exit(failed || !total ? 1 : 0);
