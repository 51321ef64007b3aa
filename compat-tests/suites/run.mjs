// Runs the official suites, from a checkout outside the project, against a conformance server.
// Nothing of the checkout enters the project: a suite is copied to a temporary folder, pointed at the server, run, removed.
//
//     node suites/run.mjs CHECKOUT [engine|engine3|socket|socket-client|engine-client|engine-client-fetch]...
//
// Servers are those of the tests: SOCKETVILLE_CONFORMANCE, SOCKETVILLE_CORES, SOCKETVILLE_DRIVERS.

import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { serverCells } from "../tests/cells.mjs";
import { conformanceCommand, startServer } from "../tests/server.mjs";
import { SUITES, copySuite, pointAt } from "./catalogue.mjs";

/** A suite takes some ten seconds; one that hangs must not hang its caller. */
const SUITE_MS_MAX = 120_000;

const [checkout, ...chosen] = process.argv.slice(2);
if (!checkout || !existsSync(checkout) || chosen.some((name) => !SUITES[name])) {
  console.error(`usage: node suites/run.mjs CHECKOUT [${Object.keys(SUITES).join("|")}]...`);
  process.exit(2);
}

conformanceCommand();
const totals = { passed: 0, failed: 0, skipped: 0 };
for (const name of chosen.length ? chosen : Object.keys(SUITES)) await runSuite(SUITES[name]);
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`);
process.exitCode = totals.failed ? 1 : 0;

async function runSuite(suite) {
  const { root, folder } = copySuite(checkout, suite);
  try {
    let port = suite.port;
    for (const options of serverCells()) port = await runOnServer(suite, folder, options, port);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** Runs the suite, whose sources name the port `before`, on one server, and returns the port they name now. */
async function runOnServer(suite, folder, options, before) {
  const server = await startServer({ profile: suite.profile, options });
  try {
    pointAt(folder, suite, before, server.port);
    report(suite, options, runMocha(suite, folder));
    return server.port;
  } finally {
    await server.stop();
  }
}

function runMocha({ mocha, client, env }, folder) {
  const program = join(folder, client ? ".." : "", "node_modules", ".bin", "mocha");
  const run = spawnSync(program, ["--exit", "--reporter", "json", ...mocha], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: SUITE_MS_MAX,
  });
  const start = run.stdout.indexOf('{\n  "stats"');
  if (start < 0) throw new Error(`mocha reported nothing:\n${run.stdout}${run.stderr}`);
  return JSON.parse(run.stdout.slice(start));
}

/** A test that is not there, or skips itself though it should not, has failed as well. */
function report({ title, tests, skipped = 0 }, options, { stats, failures }) {
  const expected = tests - skipped;
  const note = stats.pending ? `, ${stats.pending} skipped` : "";
  console.log(`${title} [${options.join(" ")}]: ${stats.passes} of ${expected}${note}`);
  for (const { fullTitle, err } of failures) console.log(`  failed: ${fullTitle}: ${err.message}`);
  totals.passed += stats.passes;
  totals.failed += Math.max(expected - stats.passes, stats.failures);
  totals.skipped += stats.pending;
}
