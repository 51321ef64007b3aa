// The official client, in Node and in a real browser, talks to the standalone server: on two cores, with both drivers.
// Not a test of details: those run against the conformance app. Here the program is what a user starts.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { io } from "socket.io-client";
import { PATIENCE_MS, launchBrowser, publish, skip, startProgram } from "./program.mjs";

const CLIENT_FILE = fileURLToPath(import.meta.resolve("socket.io-client/dist/socket.io.js"));
const TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]];

/** Runs in Node and in the page alike: joins, speaks, and returns what was heard until a publication arrives. */
async function meet(io, url, transports, nsp, patienceMs) {
  const socket = io(url + nsp, { transports, forceNew: true, reconnection: false });
  const heard = [];
  const published = new Promise((resolve, reject) => {
    socket.onAny((name, ...args) => name !== "town" && heard.push([name, ...args]));
    socket.on("published", resolve);
    socket.on("connect_error", reject);
    setTimeout(() => reject(new Error(`heard only ${JSON.stringify(heard)}`)), patienceMs);
  });
  const joined = await socket.timeout(patienceMs).emitWithAck("join", "lobby");
  const said = await socket.timeout(patienceMs).emitWithAck("say", { room: "lobby", text: "hello" });
  const refused = await socket.timeout(patienceMs).emitWithAck("say", { room: "elsewhere", text: "hello" });
  socket.emit("ready");
  return { id: socket.id, joined, said, refused, published: published.then(() => (socket.disconnect(), heard)) };
}

for (const driver of ["io_uring", "epoll"]) {
  describe(`the official client [cores=2 driver=${driver}]`, { timeout: 120_000 }, () => {
    let server, browser;
    before(async () => (server = await startProgram({ options: ["--cores", "2", "--driver", driver] })));
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    for (const transports of TRANSPORTS) {
      const title = transports.join(" then ");
      test(`in Node, over ${title}`, async () => {
        const met = await meet(io, server.url, transports, "/", PATIENCE_MS);
        await expectMeeting(met, await tell(), met.published);
      });

      test(`in a browser, over ${title}`, { skip }, async () => {
        browser ??= await launchBrowser();
        const context = await browser.newContext({ bypassCSP: true }); // the page allows no script but its own
        const page = await context.newPage();
        await page.goto(`${server.url}/healthz`);
        await page.addScriptTag({ path: CLIENT_FILE });
        await page.evaluate(`globalThis.meet = ${meet}`);
        const met = await page.evaluate(async ([transports, patienceMs]) => {
          const { published, ...met } = await globalThis.meet(globalThis.io, location.origin, transports, "/", patienceMs);
          globalThis.published = published;
          return met;
        }, [transports, PATIENCE_MS]);
        await expectMeeting(met, await tell(), page.evaluate(() => globalThis.published));
        await context.close();
      });
    }

    /** What the publish API answers. */
    async function tell() {
      const answer = await publish(server.url, { rooms: ["lobby"], event: "published", args: [{ n: 1 }, "two"] });
      return answer.json();
    }
  });
}

async function expectMeeting(met, told, published) {
  assert.equal(met.joined.ok, true);
  assert.equal(met.said.ok, true);
  assert.match(met.refused.error, /join it first/);
  assert.ok(told.sockets >= 1, `published to ${told.sockets}`);
  assert.deepEqual(await published, [
    ["said", { room: "lobby", from: met.id.slice(0, 6), text: "hello" }],
    ["published", { n: 1 }, "two"],
  ]);
}
