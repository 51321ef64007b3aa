// Many clients on several cores in one room: every broadcast reaches each of them, once and in order.
// The crowd is mixed: most on WebSocket, some on polling.

import assert from "node:assert/strict";
import { serverCells } from "./cells.mjs";
import { onEachServer, unique, upTo } from "./harness.mjs";

const WEBSOCKETS = 150;
const POLLERS = 50;
const BROADCASTS = 100;
/** Broadcasts sent back to back, so that some meet in one flush and the crowd is spoken to over many. */
const BURST = 10;
/** Clients that connect at the same time; more would stall this process's own pongs. */
const WAVE = 25;

const cells = serverCells();
const ownCells = cells.filter((options) => options.includes("cores=2"));

onEachServer(
  "crowd",
  ({ test }) => {
    test(`${WEBSOCKETS} clients on WebSocket and ${POLLERS} on polling each hear ${BROADCASTS} broadcasts once and in order [semantics 17]`, async ({ connect }) => {
      const room = unique("room");
      const crowd = await gather(connect, room);
      const speaker = await connect();
      for (const first of upTo(BROADCASTS / BURST)) {
        const burst = upTo(BURST).map((i) => first * BURST + i);
        await Promise.all(burst.map((i) => speaker.call("relay", { to: [room] }, "news", i)));
      }
      for (const client of crowd) await client.take("news", BROADCASTS);
      await Promise.all(crowd.map((client) => client.settle()));
      for (const client of crowd) assert.deepEqual(client.all("news").flat(), upTo(BROADCASTS));
    });

    test(`everyone of a crowd speaks once, everyone else hears it once [semantics 17]`, async ({ connect }) => {
      const room = unique("room");
      const crowd = await gather(connect, room, 30, 10);
      await Promise.all(crowd.map((client, i) => client.call("relay", { to: [room] }, "said", i)));
      await Promise.all(crowd.map((client) => client.settle()));
      for (const [i, client] of crowd.entries()) {
        const heard = client.all("said").flat().sort((a, b) => a - b);
        assert.deepEqual(heard, upTo(crowd.length).filter((j) => j !== i));
      }
    });
  },
  { cells: ownCells.length ? ownCells : cells },
);

/** Connects and seats the crowd in waves. */
async function gather(connect, room, websockets = WEBSOCKETS, pollers = POLLERS) {
  const transports = upTo(websockets + pollers).map((i) => (i < websockets ? "websocket" : "polling"));
  const crowd = [];
  while (transports.length) {
    const wave = transports.splice(0, WAVE).map(async (transport) => {
      const client = await connect({ transport });
      await client.call("join", room);
      return client;
    });
    crowd.push(...(await Promise.all(wave)));
  }
  return crowd;
}
