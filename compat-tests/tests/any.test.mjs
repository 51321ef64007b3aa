// Catch-all listeners: every event that comes in and goes out, handled or not, broadcasts included.

import assert from "node:assert/strict";
import { onEachTransport, unique } from "./harness.mjs";

onEachTransport("any", ({ test }) => {
  test("all events in and out are seen, broadcasts too [semantics 20]", async ({ connect }) => {
    const tag = unique("tag");
    const watched = await connect({ auth: { tag, any: true } });
    const [other, room] = [await connect(), unique("room")];
    await watched.call("join", room);
    watched.socket.emit("nobody handles this", 1, Buffer.of(2));
    await other.call("relay", { to: [room] }, "news", "a", "b", Buffer.of(3));
    await watched.next("news");
    await other.call("relay", { to: [unique("elsewhere")] }, "not for it");
    watched.socket.emit("message", "echoed");
    await watched.next("message-back");
    const log = await other.call("log", tag);
    const seen = (ev) => log.filter((entry) => entry.ev === ev).map(({ name, argc }) => [name, argc]);
    assert.deepEqual(seen("any-in"), [["join", 1], ["nobody handles this", 2], ["message", 1]]);
    assert.deepEqual(seen("any-out").filter(([name]) => name !== "auth"), [["news", 3], ["message-back", 1]]);
  });
});
