// From polling to WebSocket: nothing is lost, doubled or turned round, whenever it was sent.
// The official client's upgrade and one held by hand, packet by packet.

import assert from "node:assert/strict";
import { onEachServer, unique, upTo } from "./harness.mjs";
import { openSession } from "./session.mjs";

const EVENTS = 200;
const UPGRADING_AT_ONCE = 8;

onEachServer("upgrade", ({ test }) => {
  test(`${EVENTS} events before, while and after upgrading arrive once and in order [EIO Upgrade; semantics 5]`, async ({ connect }) => {
    const client = await connect({ transport: "upgrade", ready: false });
    const { manager } = client;
    const phases = ["before", "while", "after"];
    const ask = (phase) => client.ask("burst", EVENTS / 4, {}).then(() => phases.splice(phases.indexOf(phase), 1));
    const asked = [];
    manager.once("open", () => manager.engine.once("upgrading", () => asked.push(ask("while"))));
    await client.next("connect");
    asked.push(ask("before"));
    await client.upgraded();
    asked.push(ask("after"));
    await Promise.all(asked);
    await client.ask("burst", EVENTS / 4, {});

    assert.deepEqual(phases, []);
    assert.deepEqual(client.all("tick").flat(), upTo(4).flatMap(() => upTo(EVENTS / 4)));
    assert.equal((await client.call("whoami")).transport, "websocket");
  });

  test(`${UPGRADING_AT_ONCE} clients upgrade while a room is spoken to [EIO Upgrade; semantics 5]`, async ({ connect }) => {
    const speaker = await connect();
    const room = unique("room");
    const clients = await Promise.all(
      upTo(UPGRADING_AT_ONCE).map(async () => {
        const client = await connect({ transport: "upgrade", ready: false });
        await client.next("connect");
        await client.call("join", room);
        return client;
      }),
    );
    // The speaker's turn: all are members, and most are still upgrading.
    const upgraded = clients.map((client) => client.upgraded());
    for (const i of upTo(EVENTS)) speaker.socket.emit("relay", { from: "io", to: [room] }, "news", i, () => {});
    await Promise.all(upgraded);
    await speaker.call("relay", { from: "io", to: [room] }, "news", EVENTS);
    for (const client of clients) {
      const news = await client.take("news", EVENTS + 1);
      await client.settle();
      assert.deepEqual(news.flat(), upTo(EVENTS + 1));
      assert.equal(client.all("news").length, EVENTS + 1);
    }
  });

  test("events of the client sent while it upgrades are handled once and in order [EIO Upgrade]", async ({ connect }) => {
    const client = await connect({ transport: "upgrade", ready: false });
    await client.next("connect");
    for (const i of upTo(EVENTS)) {
      client.socket.emit("message", i);
      if (i % 20 === 0) await new Promise(setImmediate);
    }
    assert.deepEqual((await client.take("message-back", EVENTS)).flat(), upTo(EVENTS));
  });

  test("packet by packet: probe, noop, upgrade, then only WebSocket [EIO Upgrade; semantics 4, 5]", async ({ server }) => {
    const session = await openSession(server, "polling");
    await session.join();
    const over = await session.upgrade();
    over.send("2probe");
    await over.next((packet) => packet === "3probe");

    // Probed, not upgraded: what is emitted now may still leave over polling, or wait for the WebSocket.
    assert.equal(await session.post(`420["burst",${EVENTS},{}]`), 200);
    while (!session.packets.includes("6")) assert.equal(await session.poll(), 200);
    over.send("5");
    over.send('421["message-with-ack","over"]');
    await over.next((packet) => packet === '431["over"]');

    const seen = [...session.packets, ...over.packets].filter((packet) => packet.startsWith('42["tick"'));
    assert.deepEqual(seen, upTo(EVENTS).map((i) => `42["tick",${i}]`));
    assert.equal(await session.poll(), 400);
    await over.close();
  });

  test("a WebSocket that leaves without upgrading leaves polling alive [semantics 5]", async ({ server }) => {
    const session = await openSession(server, "polling");
    await session.join();
    const over = await session.upgrade();
    over.send("2probe");
    await over.next((packet) => packet === "3probe");
    over.tear();
    assert.equal(await session.post('427["message-with-ack","still here"]'), 200);
    const isAnswer = (packet) => packet === '437["still here"]';
    while (!session.packets.some(isAnswer)) assert.equal(await session.poll(), 200);
  });
});
