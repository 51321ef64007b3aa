// The demo page in a real browser: people meet in a clubhouse, speak, hear a backend, over both transports.
// Not a test of the protocol, nor of the page's looks: it asks whether a visitor sees what happened.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PATIENCE_MS, launchBrowser, publish, skip, startProgram } from "./program.mjs";

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
      server = await startProgram();
      browser = await launchBrowser();
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
      server = await startProgram({ port: new URL(server.url).port });
      await inRoom(page, "bakery");
      await say(page, "Still warm.");
      await heard(page, "Still warm.").waitFor();
      await page.context().close();
    });

    it("had no fault, and loaded nothing from elsewhere", () => assert.deepEqual(faults, []));
  });
}
