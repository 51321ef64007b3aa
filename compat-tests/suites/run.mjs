// Runs the official protocol suites, from a checkout outside the project, against a conformance server.
// Nothing of the checkout enters the project: a suite is copied to a temporary folder, pointed at the server, run, removed.
//
//     node suites/run.mjs CHECKOUT [engine|engine3|socket]...
//
// Servers are those of the tests: SOCKETVILLE_CONFORMANCE, SOCKETVILLE_CORES, SOCKETVILLE_DRIVERS.

import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { conformanceCommand, startServer } from "../tests/server.mjs";
import { serverCells } from "../tests/cells.mjs";

/** Where a suite is in the checkout, and how many tests it has; another number means another version of the suite. */
const SUITES = {
  engine: { title: "Engine.IO v4", folder: "docs/engine.io-protocol/v4-test-suite", tests: 25, profile: "protocol" },
  engine3: { title: "Engine.IO v3", folder: "docs/engine.io-protocol/v3-test-suite", tests: 23, profile: "protocol-v3" },
  socket: { title: "Socket.IO v5", folder: "docs/socket.io-protocol/v5-test-suite", tests: 32, profile: "protocol" },
};
const URL_CONSTANT = /const URL = "http:\/\/localhost:3000";/;
/** A suite takes some ten seconds; one that hangs must not hang its caller. */
const SUITE_MS_MAX = 120_000;

const [checkout, ...chosen] = process.argv.slice(2);
if (!checkout || !existsSync(checkout) || chosen.some((name) => !SUITES[name])) {
  console.error(`usage: node suites/run.mjs CHECKOUT [${Object.keys(SUITES).join("|")}]...`);
  process.exit(2);
}

conformanceCommand();
const totals = { passed: 0, failed: 0 };
for (const name of chosen.length ? chosen : Object.keys(SUITES)) await runSuite(SUITES[name]);
console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed ? 1 : 0;

async function runSuite(suite) {
  const folder = install(join(checkout, suite.folder));
  try {
    for (const options of serverCells()) await runOnServer(suite, folder, options);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Copies the suite, installs what its manifest and lock file name, and returns the copy's folder. */
function install(source) {
  const folder = mkdtempSync(join(tmpdir(), "socketville-suite-"));
  cpSync(source, folder, { recursive: true });
  const installed = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], { cwd: folder, encoding: "utf8" });
  if (installed.status !== 0) throw new Error(`npm ci failed in ${source}:\n${installed.stderr}`);
  return folder;
}

async function runOnServer(suite, folder, options) {
  const server = await startServer({ profile: suite.profile, options });
  try {
    pointAt(folder, server.url);
    report(suite, options, runMocha(folder));
  } finally {
    await server.stop();
  }
}

/** Writes `aimed.js`: the suite with the server's address in the place of its constant. */
function pointAt(folder, url) {
  const text = readFileSync(join(folder, "test-suite.js"), "utf8");
  if (!URL_CONSTANT.test(text)) throw new Error("expected the constant URL in the suite, found none");
  writeFileSync(join(folder, "aimed.js"), text.replace(URL_CONSTANT, `const URL = "${url}";`));
}

function runMocha(folder) {
  const mocha = join(folder, "node_modules", ".bin", "mocha");
  const run = spawnSync(mocha, ["--exit", "--reporter", "json", "aimed.js"], {
    cwd: folder,
    encoding: "utf8",
    timeout: SUITE_MS_MAX,
  });
  const start = run.stdout.indexOf("{");
  if (start < 0) throw new Error(`mocha reported nothing:\n${run.stdout}${run.stderr}`);
  return JSON.parse(run.stdout.slice(start));
}

function report({ title, tests }, options, { stats, failures }) {
  console.log(`${title} [${options.join(" ")}]: ${stats.passes} of ${tests}`);
  for (const { fullTitle, err } of failures) console.log(`  failed: ${fullTitle}: ${err.message}`);
  totals.passed += stats.passes;
  totals.failed += Math.max(tests - stats.passes, stats.failures);
}
