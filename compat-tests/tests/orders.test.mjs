// Orders to sockets wherever they live, and broadcasts that gather answers, as the official client sees them.
// On two cores the clients of a test are spread by the kernel, so every order crosses cores sooner or later.

import assert from "node:assert/strict";
import { onEachTransport, patiently, unique, upTo } from "./harness.mjs";

onEachTransport("orders", ({ test, transport }) => {
  /** So many clients in one room of their own. */
  async function crowd(connect, size) {
    const room = unique("room");
    const clients = [];
    for (const _ of upTo(size)) clients.push(await connect());
    for (const client of clients) await client.call("join", room);
    return { room, clients };
  }

  const ids = (clients) => clients.map((client) => client.id).sort();

  test("fetchSockets sees ids, rooms and data [semantics 23]", async ({ connect }) => {
    const { room, clients } = await crowd(connect, 3);
    await clients[0].call("set-data", { name: "Ada" });
    const found = await clients[1].call("fetch", { to: [room] });
    assert.deepEqual(found.map(({ id }) => id).sort(), ids(clients));
    const ada = found.find(({ id }) => id === clients[0].id);
    assert.deepEqual(ada.rooms, [clients[0].id, room].sort());
    assert.deepEqual(ada.data, { name: "Ada" });
    const others = await clients[1].call("fetch", { to: [room], except: [clients[0].id] });
    assert.deepEqual(others.map(({ id }) => id), ids(clients.slice(1)));
    assert.deepEqual(await clients[1].call("fetch", { to: [unique("nobody")] }), []);
  });

  test("socketsJoin and socketsLeave move all that are meant", async ({ connect }) => {
    const { room, clients } = await crowd(connect, 3);
    const other = unique("other");
    assert.equal(await clients[0].call("sockets-join", { to: [room], except: [clients[2].id] }, [other]), true);
    const isIn = async () => (await clients[0].call("fetch", { to: [other] })).map(({ id }) => id);
    assert.deepEqual(await isIn(), ids(clients.slice(0, 2)));
    assert.equal(await clients[0].call("sockets-leave", { to: [clients[1].id] }, other), true);
    assert.deepEqual(await isIn(), [clients[0].id]);
  });

  test("disconnectSockets ends the namespace or the connection", async ({ connect }) => {
    const { room, clients } = await crowd(connect, 3);
    const [asking, first, second] = clients;
    await asking.call("sockets-disconnect", { to: [first.id] }, false);
    assert.equal((await first.next("disconnect"))[0], "io server disconnect");
    await asking.call("sockets-disconnect", { to: [room], except: [asking.id] }, true);
    assert.equal((await second.next("disconnect"))[0], "io server disconnect");
    assert.deepEqual((await asking.call("fetch", { to: [room] })).map(({ id }) => id), [asking.id]);
  });

  test("a broadcast gathers the answers of all [semantics 14]", async ({ connect }) => {
    const { room, clients } = await crowd(connect, 4);
    clients.forEach((client, i) => client.socket.on("vote", (of, answer) => answer(of + i)));
    const relayed = await clients[0].call("relay", { from: "io", to: [room], timeout: 5000 }, "vote", 10);
    assert.equal(relayed.timedOut, false);
    assert.deepEqual(relayed.responses.sort(), [10, 11, 12, 13]);
    const others = await clients[0].call("relay", { to: [room], timeout: 5000 }, "vote", 20);
    assert.deepEqual(others.responses.sort(), [21, 22, 23]);
  });

  test("who does not answer is missing, the others are kept [semantics 14]", async ({ connect }) => {
    const { room, clients } = await crowd(connect, 3);
    clients.slice(1).forEach((client, i) => client.socket.on("vote", (answer) => answer(i)));
    await patiently(200, async (timeout) => {
      const relayed = await clients[0].call("relay", { from: "io", to: [room], timeout }, "vote");
      assert.equal(relayed.timedOut, true);
      if (relayed.responses.length < 2) return false; // one was slow; it would have answered
      assert.deepEqual(relayed.responses.sort(), [0, 1]);
      return true;
    });
  });

  test("zero receivers answer at once with an empty list [semantics 14]", async ({ connect }) => {
    const client = await connect();
    const relayed = await client.call("relay", { to: [unique("nobody")], timeout: 4000 }, "vote");
    assert.deepEqual(relayed, { timedOut: false, responses: [] });
  });

  test("local and compress change nothing for one server", async ({ connect }) => {
    const { room, clients } = await crowd(connect, 2);
    assert.equal(await clients[0].call("relay", { to: [room], local: true, compress: false }, "news", 1), true);
    assert.deepEqual(await clients[1].next("news"), [1]);
  });

  if (transport !== "polling") {
    test("a volatile packet right behind another is dropped [semantics 15]", async ({ connect }) => {
      const client = await connect();
      assert.equal(await client.call("burst", 100, { volatile: true, binary: true }), 100);
      await client.settle();
      assert.deepEqual(client.all("tick").map(([i]) => i), [0]);
      await client.call("burst", 3, { volatile: true });
      await client.settle();
      assert.deepEqual(client.all("tick").map(([i]) => i), [0, 0]);
    });
  }
});
