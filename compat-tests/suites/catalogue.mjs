// The suites that can be run from a checkout of the Socket.IO repository, and how a private copy of each is made.
// It starts nothing: a copy is a folder with an installed mocha in it, which `run.mjs` points at a server.

import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The published clients and what their tests import, with a lock file. */
const CLIENTS = fileURLToPath(new URL("clients", import.meta.url));

/**
 * `folder` is where a suite is in the checkout; `tests` how many it has and `skipped` how many of them skip themselves
 * (other numbers mean another version of the suite); `address` is how its sources name the server, with the place of
 * the port in it; `mocha` are the words that run it; `client` is the published package that takes the checkout's place.
 */
export const SUITES = {
  engine: {
    title: "Engine.IO v4",
    folder: "docs/engine.io-protocol/v4-test-suite",
    profile: "protocol",
    tests: 25,
    address: /http:\/\/localhost:PORT/,
    port: 3000,
    mocha: ["test-suite.js"],
  },
  engine3: {
    title: "Engine.IO v3",
    folder: "docs/engine.io-protocol/v3-test-suite",
    profile: "protocol-v3",
    tests: 24,
    skipped: 1,
    address: /http:\/\/localhost:PORT/,
    port: 3000,
    mocha: ["test-suite.js"],
  },
  socket: {
    title: "Socket.IO v5",
    folder: "docs/socket.io-protocol/v5-test-suite",
    profile: "protocol",
    tests: 32,
    address: /http:\/\/localhost:PORT/,
    port: 3000,
    mocha: ["test-suite.js"],
  },
  "socket-client": {
    title: "socket.io-client's own",
    folder: "packages/socket.io-client/test",
    client: "socket.io-client",
    profile: "sio-client",
    tests: 109,
    address: /http:\/\/localhost:PORT/,
    port: 3210,
    // Two tests of reconnection with fake clocks never reach a server, and break those that come after them.
    mocha: ["--import=tsx", "--grep", "reconnect timeout", "--invert", "test/index.ts"],
  },
  "engine-client": {
    title: "engine.io-client's own",
    folder: "packages/engine.io-client/test",
    client: "engine.io-client",
    profile: "eio-client",
    tests: 84,
    skipped: 1,
    address: /http:\/\/localhost:PORT|port: PORT/,
    port: 3000,
    mocha: ["test/index.js"],
  },
  "engine-client-fetch": {
    title: "engine.io-client's own, with fetch",
    folder: "packages/engine.io-client/test",
    client: "engine.io-client",
    profile: "eio-client",
    tests: 84,
    skipped: 2,
    address: /http:\/\/localhost:PORT|port: PORT/,
    port: 3000,
    mocha: ["test/index.js"],
    env: { USE_FETCH: "1" },
  },
};

/** Copies a suite out of the checkout, installs what it needs, and returns `{ root, folder }`: what to remove, where to run. */
export function copySuite(checkout, { folder, client }) {
  const root = mkdtempSync(join(tmpdir(), "socketville-suite-"));
  cpSync(client ? CLIENTS : join(checkout, folder), root, { recursive: true });
  const installed = spawnSync("npm", ["ci", "--no-audit", "--no-fund", "--ignore-scripts"], { cwd: root, encoding: "utf8" });
  if (installed.status !== 0) throw new Error(`npm ci failed for ${folder}:\n${installed.stderr}`);
  if (!client) return { root, folder: root };
  // The tests import the package that they stand in: beside them goes the published one, where its modules are found.
  const published = join(root, client);
  cpSync(join(root, "node_modules", client), published, { recursive: true });
  cpSync(join(checkout, folder), join(published, "test"), { recursive: true });
  return { root, folder: published };
}

/** Writes the server's port into the sources, in place of the one that `from` is now; throws if they name no server. */
export function pointAt(folder, suite, from, to) {
  const address = new RegExp(suite.address.source.replaceAll("PORT", `${from}\\b`), "g");
  let found = 0;
  for (const file of sourcesIn(folder)) {
    const text = readFileSync(file, "utf8");
    const aimed = text.replace(address, (match) => (found++, match.replace(String(from), String(to))));
    if (aimed !== text) writeFileSync(file, aimed);
  }
  if (!found) throw new Error(`expected ${address} in the sources of ${suite.title}, found none`);
}

function sourcesIn(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((name) => /(^test-suite\.js|^test\/.*\.[jt]s)$/.test(name))
    .map((name) => join(folder, name));
}
