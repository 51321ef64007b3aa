// From polling to WebSocket: nothing is lost, doubled or turned round, whenever it was sent.
// The official client's upgrade and one held by hand, packet by packet.

import assert from "node:assert/strict";
import { onEachServer, unique, upTo } from "./harness.mjs";
import { openSession } from "./session.mjs";

const EVENTS = 200;
/** The events are asked for in this many bursts, at different moments of the upgrade. */
const PHASES = 4;
const UPGRADING_AT_ONCE = 8;

onEachServer("upgrade", ({ test }) => {
  test(`${EVENTS} events while and after the official client upgrades arrive once and in order [EIO Upgrade; semantics 5]`, async ({ connect }) => {
    const client = await connect({ transport: "upgrade", ready: false });
    // Asked before the namespace is joined, so answered as soon as it is: in the middle of the upgrade.
    const bursts = upTo(PHASES - 1).map(() => client.call("burst", EVENTS / PHASES, {}));
    await client.next("connect");
    await client.upgraded();
    bursts.push(client.call("burst", EVENTS / PHASES, {}));
    await Promise.all(bursts);
    assert.deepEqual(client.all("tick").flat(), upTo(PHASES).flatMap(() => upTo(EVENTS / PHASES)));
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

  test(`packet by packet, ${EVENTS} events before, while and after [EIO Upgrade; semantics 4, 5]`, async ({ server }) => {
    const session = await openSession(server, "polling");
    await session.join();
    const burst = `["burst",${EVENTS / PHASES},{}]`;
    assert.equal(await session.post(`420${burst}`), 200);
    const over = await session.upgrade();
    assert.equal(await session.post(`421${burst}`), 200);
    over.send("2probe");
    await over.next((packet) => packet === "3probe");

    // Probed, not upgraded: what is emitted now may still leave over polling, or wait for the WebSocket.
    assert.equal(await session.post(`422${burst}`), 200);
    while (!session.packets.includes("6")) assert.equal(await session.poll(), 200);
    over.send("5");
    over.send(`423${burst}`);
    over.send('424["message-with-ack","over"]');
    await over.next((packet) => packet === '434["over"]');

    const seen = [...session.packets, ...over.packets].filter((packet) => packet.startsWith('42["tick"'));
    const ticks = upTo(EVENTS / PHASES).map((i) => `42["tick",${i}]`);
    assert.deepEqual(seen, upTo(PHASES).flatMap(() => ticks));
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
