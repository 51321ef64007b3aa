// The demo page in a real browser: people meet in a clubhouse, speak, hear a backend, over both transports.
// Not a test of the protocol, nor of the page's looks: it asks whether a visitor sees what happened.
//
// SOCKETVILLE_BIN is the program to start (default: the release build); Chromium must be in /usr/bin/chromium.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const CHROMIUM = "/usr/bin/chromium";
const PROGRAM = process.env.SOCKETVILLE_BIN ?? fileURLToPath(new URL("../../target/release/socketville", import.meta.url));
const API_KEY = "page-test-key";
const PATIENCE_MS = 10_000; // for anything that a visitor waits for
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"].concat(
  ["--disable-background-networking", "--disable-component-update", "--disable-sync"],
);
const skip = existsSync(CHROMIUM) ? false : `no browser: ${CHROMIUM} is missing (package chromium)`;

/** Starts the server and waits for the line that tells its address. */
async function startServer(port = 0) {
  assert.ok(existsSync(PROGRAM), `no server: expected a program at ${PROGRAM} (build it, or set SOCKETVILLE_BIN)`);
  const args = ["serve", "--demo", "--listen", `127.0.0.1:${port}`, "--api-key", API_KEY];
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
function publish(url, body, key = API_KEY) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  return fetch(`${url}/api/publish`, { method: "POST", headers, body: JSON.stringify(body) });
}

/** A WebSocket behind a proxy that lets none through: it closes before it has opened. */
function breakWebSocket() {
  window.WebSocket = class {
    constructor() {
      setTimeout(() => this.onclose?.(), 5);
    }
    close() {}
  };
}

for (const { transport, words, prepare } of [
  { transport: "websocket", words: "WebSocket", prepare: () => {} },
  { transport: "polling, where WebSocket fails", words: "long-polling", prepare: (context) => context.addInitScript(breakWebSocket) },
]) {
  describe(`the page over ${transport}`, { skip, timeout: 90_000 }, () => {
    let browser, server;
    const faults = []; // what the pages complained of

    before(async () => {
      server = await startServer();
      const { chromium } = await import("playwright-core");
      browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    /** A visitor of their own: another browser context, another connection. */
    async function visit(address = "", options = {}) {
      const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
      context.setDefaultTimeout(PATIENCE_MS);
      await prepare(context);
      const page = await context.newPage();
      page.on("pageerror", (error) => faults.push(error.message));
      page.on("request", (request) => {
        const isOurs = request.url().startsWith(server.url) || request.url().startsWith("data:");
        if (!isOurs) faults.push(`loaded from elsewhere: ${request.url()}`);
      });
      await page.goto(`${server.url}/${address}`);
      await page.getByText(words, { exact: true }).waitFor();
      return page;
    }
    const inRoom = (page, room) => page.getByRole("heading", { name: room, exact: true }).waitFor();
    const house = (page, room) => page.getByRole("button", { name: new RegExp(`^${room}, `) });
    const heard = (page, text) => page.locator("#words li", { hasText: text }).first();
    async function say(page, text) {
      await page.getByLabel("Say something to the clubhouse").fill(text);
      await page.keyboard.press("Enter");
    }

    it("takes a visitor into the lobby, and into another clubhouse by a click", async () => {
      const page = await visit();
      await inRoom(page, "lobby");
      await house(page, "library").locator(".name").click();
      await inRoom(page, "library");
      assert.equal(new URL(page.url()).hash, "#town/library");
      await page.context().close();
    });

    it("shows what one visitor says to another in the same clubhouse, and to nobody elsewhere", async () => {
      const [speaker, listener, stranger] = [await visit(), await visit("#town/library"), await visit("#town/garden")];
      await inRoom(speaker, "lobby");
      await house(speaker, "library").locator(".name").click();
      await Promise.all([inRoom(speaker, "library"), inRoom(listener, "library"), inRoom(stranger, "garden")]);
      await say(speaker, "Is <b>anybody</b> reading?");
      await heard(listener, "Is <b>anybody</b> reading?").waitFor(); // as text: nothing a peer says is markup
      await heard(speaker, "Is <b>anybody</b> reading?").waitFor();
      assert.match(await heard(speaker, "reading?").textContent(), /^you/);
      await say(stranger, "Roses, at least.");
      await heard(stranger, "Roses, at least.").waitFor();
      assert.equal(await heard(stranger, "reading?").count(), 0);
      assert.equal(await heard(listener, "Roses").count(), 0);
      await house(listener, "library").getByText("2 in").waitFor(); // the town tells it within a second or so
      for (const page of [speaker, listener, stranger]) await page.context().close();
    });

    it("shows what a backend publishes, in the clubhouse and in the neighbourhood it is for", async () => {
      const [lobby, harbour] = [await visit(), await visit("#harbour/pier", { reducedMotion: "reduce" })];
      await Promise.all([inRoom(lobby, "lobby"), inRoom(harbour, "pier")]);
      assert.equal((await publish(server.url, { event: "bell", args: [] }, "wrong")).status, 401);
      const bell = { namespace: "/", rooms: ["lobby"], event: "bell", args: ["Tea is ready", { cups: 4 }] };
      assert.equal((await publish(server.url, bell)).status, 200);
      await heard(lobby, 'Tea is ready {"cups":4}').waitFor();
      assert.equal((await publish(server.url, { namespace: "/harbour", event: "tide", args: ["high"] })).status, 200);
      await heard(harbour, "tide").waitFor();
      assert.equal(await heard(harbour, "Tea is ready").count(), 0);
      assert.equal(await heard(lobby, "tide").count(), 0);
      for (const page of [lobby, harbour]) await page.context().close();
    });

    it("opens a clubhouse by name, changes the neighbourhood, and steps outside", async () => {
      const page = await visit("", { viewport: { width: 390, height: 844 } });
      await inRoom(page, "lobby");
      await page.getByLabel("Name of a clubhouse").fill("knitters' <i>den</i>");
      await page.keyboard.press("Enter");
      await inRoom(page, "knitters' <i>den</i>");
      await page.getByText("Try it from your backend").click();
      assert.ok((await page.locator("#curl").textContent()).includes("knitters'\\'' <i>den</i>"), "quoted for a shell");
      await page.getByRole("button", { name: "Harbour" }).click();
      await inRoom(page, "pier");
      await page.getByRole("button", { name: "Step outside" }).click();
      await inRoom(page, "On the street");
      assert.ok(await page.getByLabel("Say something to the clubhouse").isDisabled());
      await page.context().close();
    });

    it("shows the live figures of the server", async () => {
      const page = await visit();
      await page.waitForFunction(() => Number(document.getElementById("connections").textContent) >= 1);
      await page.waitForFunction(() => /on \d+ cores?, up/.test(document.getElementById("machine").textContent));
      await page.context().close();
    });

    it("comes back to the same clubhouse when the server was away", async () => {
      const page = await visit("#market/bakery");
      await inRoom(page, "bakery");
      await server.stop();
      await page.getByText(/the lights are out/).waitFor();
      server = await startServer(new URL(server.url).port);
      await inRoom(page, "bakery");
      await say(page, "Still warm.");
      await heard(page, "Still warm.").waitFor();
      await page.context().close();
    });

    it("had no fault, and loaded nothing from elsewhere", () => assert.deepEqual(faults, []));
  });
}
