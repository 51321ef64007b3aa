// The program `socketville` as a child process, and a real browser: what tests of the standalone server share.
// It knows nothing about what is tested. SOCKETVILLE_BIN is the program to start (default: the release build); Chromium must be in /usr/bin/chromium.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const CHROMIUM = "/usr/bin/chromium";
const PROGRAM = process.env.SOCKETVILLE_BIN ?? fileURLToPath(new URL("../../target/release/socketville", import.meta.url));
const API_KEY = "page-test-key";
/** For anything that a visitor waits for. */
export const PATIENCE_MS = 10_000;
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"].concat(
  ["--disable-background-networking", "--disable-component-update", "--disable-sync"],
);
/** Why tests with a browser cannot run here, or false. */
export const skip = existsSync(CHROMIUM) ? false : `no browser: ${CHROMIUM} is missing (package chromium)`;

/** Starts the browser. */
export async function launchBrowser() {
  const { chromium } = await import("playwright-core");
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

/** Starts the server and waits for the line that tells its address. */
export async function startProgram({ port = 0, options = [] } = {}) {
  assert.ok(existsSync(PROGRAM), `no server: expected a program at ${PROGRAM} (build it, or set SOCKETVILLE_BIN)`);
  const args = ["serve", "--demo", "--listen", `127.0.0.1:${port}`, "--api-key", API_KEY, ...options];
  const child = spawn(PROGRAM, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const url = await new Promise((resolve, reject) => {
    const hear = (data) => {
      output += data;
      const line = output.match(/http:\/\/127\.0\.0\.1:\d+/);
      if (line) resolve(line[0]);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`the server ended with ${code} before it told its address:\n${output}`)));
    setTimeout(() => reject(new Error(`the server told no address in time:\n${output}`)), PATIENCE_MS).unref();
  }).catch((error) => (child.kill("SIGKILL"), Promise.reject(error)));
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  };
  return { url, stop };
}

/** What any backend does. */
export function publish(url, body, key = API_KEY) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  return fetch(`${url}/api/publish`, { method: "POST", headers, body: JSON.stringify(body) });
}
