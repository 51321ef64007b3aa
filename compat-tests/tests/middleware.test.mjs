// Middlewares of a namespace: who is let in, with what, and what a refused client learns.
// Not packet middlewares, which are with the events.

import assert from "node:assert/strict";
import { onEachTransport } from "./harness.mjs";

onEachTransport("middleware", ({ test }) => {
  test("who is admitted finds the rooms and the data of its middlewares [semantics 19]", async ({ connect }) => {
    const client = await connect({ nsp: "/mw", auth: { token: "ok", delay: 20 } });
    const who = await client.call("whoami");
    assert.deepEqual(who.rooms, [client.id, "joined-in-middleware"].sort());
    assert.deepEqual(who.data, { user: "ok" });
  });

  test("who is refused learns why, with data, and is in no room [semantics 19]", async ({ connect }) => {
    const client = await connect({ nsp: "/mw", auth: { token: "wrong" }, ready: false });
    const [error] = await client.next("connect_error");
    assert.equal(error.message, "not authorized");
    assert.deepEqual(error.data, { code: "E_AUTH", retry: false });
    const witness = await connect({ nsp: "/mw", auth: { token: "ok" } });
    assert.equal(await witness.call("relay", { to: ["joined-in-middleware"] }, "hey"), true);
    await witness.settle();
    assert.deepEqual(client.all("hey"), []);
  });

  test("a client that leaves while it is examined never connects [semantics 19]", async ({ connect }) => {
    const tag = `leaver-${process.pid}-${Math.random()}`;
    const client = await connect({ nsp: "/mw", auth: { token: "ok", delay: 60, tag }, ready: false });
    await new Promise((resolve) => client.manager.once("open", resolve)); // CONNECT is on its way
    client.close();
    const witness = await connect({ nsp: "/mw", auth: { token: "ok", delay: 120 } });
    assert.deepEqual(await witness.call("log", tag), []);
  });
});
