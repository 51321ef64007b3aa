// Dynamic namespaces with the official client: made by the first client, shared by all, gone with the last.
// Static ones are in connect.test.mjs.

import assert from "node:assert/strict";
import { onEachTransport, unique, until, upTo } from "./harness.mjs";

let number = process.pid * 1000;
/** A name that no other test uses. */
const fresh = (pattern = "dyn") => `/${pattern}-${++number}`;

onEachTransport("namespaces", ({ test }) => {
  test("a namespace of the pattern is made for its first client and shared [semantics 18]", async ({ connect }) => {
    const nsp = fresh();
    const clients = await Promise.all(upTo(4).map(() => connect({ nsp })));
    const [a, b] = clients;
    assert.equal((await a.call("whoami")).nsp, nsp);
    assert.equal((await a.call("fetch", {})).length, 4);
    assert.equal((await b.call("namespaces")).filter((name) => name === nsp).length, 1);
    await a.call("relay", { from: "io" }, "news", 1);
    for (const client of clients) assert.deepEqual(await client.next("news"), [1]);
  });

  test("namespaces of one pattern are apart [semantics 18]", async ({ connect }) => {
    const [a, b] = [await connect({ nsp: fresh() }), await connect({ nsp: fresh() })];
    await a.call("join", "room");
    await b.call("join", "room");
    await a.call("relay", { from: "io", to: ["room"] }, "news", "a");
    await b.settle();
    assert.deepEqual([a.all("news").length, b.all("news").length], [1, 0]);
  });

  test("what does not match is invalid", async ({ connect }) => {
    for (const nsp of ["/dyn-", "/dyn-x", "/dynamic", "/x/dyn-1"]) {
      const client = await connect({ nsp, ready: false });
      const [error] = await client.next("connect_error");
      assert.equal(error.message, "Invalid namespace", nsp);
    }
  });

  test("an empty one goes, a static one stays [semantics 18]", async ({ connect }) => {
    const [nsp, watcher] = [fresh(), await connect()];
    const [a, b] = [await connect({ nsp }), await connect({ nsp })];
    const exists = async () => (await watcher.call("namespaces")).includes(nsp);
    a.socket.disconnect();
    await b.settle();
    assert.equal(await exists(), true);
    b.socket.emit("disconnect-me", false);
    await b.next("disconnect");
    await until(`the end of ${nsp}`, async () => !(await exists()));
    const names = await watcher.call("namespaces");
    for (const name of ["/", "/custom", "/mw"]) assert.ok(names.includes(name), name);
    const again = await connect({ nsp });
    assert.equal((await again.call("fetch", {})).length, 1);
  });

  test("an empty one goes after a refusal, one with others in it stays [semantics 18]", async ({ connect }) => {
    const [nsp, watcher] = [fresh("dyn-mw"), await connect()];
    const exists = async () => (await watcher.call("namespaces")).includes(nsp);
    const refused = async () => (await (await connect({ nsp, ready: false })).next("connect_error"))[0].message;
    assert.equal(await refused(), "not authorized");
    await until(`the end of ${nsp}`, async () => !(await exists()));
    const guest = await connect({ nsp, auth: { token: "ok" } });
    assert.equal(await refused(), "not authorized");
    assert.equal(await exists(), true);
    assert.equal(await guest.call("message-with-ack", "still here"), "still here");
  });

  test("what the parent says reaches all children, and nobody else [semantics 18]", async ({ connect }) => {
    const main = await connect();
    const clients = [await connect({ nsp: fresh() }), await connect({ nsp: fresh() }), await connect({ nsp: fresh() })];
    const what = unique("what");
    assert.equal(await clients[0].call("relay-to-children", what, 1, "two"), true);
    for (const client of clients) assert.deepEqual(await client.next(what), [1, "two"]);
    await main.settle();
    for (const client of clients) await client.settle();
    assert.deepEqual([...clients, main].map((client) => client.all(what).length), [1, 1, 1, 0]);
  });
});
