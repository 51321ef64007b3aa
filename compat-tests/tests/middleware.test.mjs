// Middlewares of a namespace: who is let in, with what, and what a refused client learns.
// Not packet middlewares, which are with the events.

import assert from "node:assert/strict";
import { farewell, onEachTransport, patiently, unique } from "./harness.mjs";

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
    await patiently(250, async (delay) => {
      const [seen, tag] = [unique("seen"), unique("leaver")];
      const client = await connect({ auth: { tag: seen } });
      const witness = await connect();
      const start = performance.now();
      await connect({ nsp: "/mw", manager: client.manager, auth: { token: "ok", delay, tag }, ready: false });
      await client.call("message-with-ack", "behind CONNECT"); // so the examination has begun
      client.manager.engine.close();
      await farewell(witness, seen);
      const isGoneInTime = performance.now() - start < delay;
      // Whoever is examined as long, and from now on, is let in when the leaver's time is over.
      await connect({ nsp: "/mw", manager: witness.manager, auth: { token: "ok", delay } });
      if (isGoneInTime) assert.deepEqual(await witness.call("log", tag), []);
      return isGoneInTime;
    });
  });
});
