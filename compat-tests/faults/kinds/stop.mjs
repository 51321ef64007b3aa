// The end: what was accepted and is within the limits is sent before it, then a close that says so, within a bounded time.

import { KEY, fault, sleep } from "../trial.mjs";
import { Peer, get, pollingSession, publishRequest, request } from "../tcp.mjs";
import { RawClient } from "../websocket.mjs";

/** How many events, of how many bytes: some 3 to 4.5 MB, more than the kernel takes. */
const SIZES = { "of 10 KB": [460, 10_000], "of 500 bytes": [6000, 500], "of 300 KB": [15, 300_000] };

/** Publications in one request. */
const BATCH = 1000;

/** Publishes to a room or to all; how many events went to one socket. */
async function publishAll(server, room, count, bytes) {
  const peer = await Peer.open(server.port);
  let accepted = 0;
  const one = { ...(room && { rooms: [room] }), event: "e", args: ["x".repeat(bytes)] };
  const most = Math.min(BATCH, Math.floor(900_000 / bytes));
  const sizes = [];
  for (let left = count; left > 0; left -= most) sizes.push(Math.min(left, most));
  peer.write(sizes.map((size) => publishRequest(Array(size).fill(one), { key: KEY })).join(""));
  for (const _ of sizes) {
    const { status, body } = await peer.response();
    if (status === 200) accepted += JSON.parse(body).sockets.filter((sockets) => sockets === 1).length;
  }
  peer.close();
  return accepted;
}

/** Close code of a reader that has taken nothing of more than its bound for 750 ms. */
const SLOW = 1008;

/** Runs it for all sizes; anew, a few times, where the machine was so slow that the reader was cut as a slow one, and rightly so. */
async function forSizes(t, run) {
  for (const [what, [count, bytes]] of Object.entries(SIZES)) {
    let outcome;
    for (let tries = 0; tries < 4 && (!outcome || outcome.reader.closeCode === SLOW); tries++) outcome = await run(count, bytes);
    const { reader, accepted, server } = outcome;
    t.check(`events ${what}: ${reader.events} of ${accepted} accepted ones arrived`, reader.events === accepted, reader.end);
    t.check(`events ${what}: a close frame`, reader.closeCode !== undefined, reader.end);
    t.check(`events ${what}: it ends well`, server.ended === 0, server.ended);
  }
}

/** SIGTERM; the reader begins to read 50 ms later. All was published in a moment before. */
async function stopAndRead(server, reader) {
  server.child.kill("SIGTERM");
  await sleep(50);
  reader.resume();
  await reader.closed(8000);
  reader.close();
}

/** A member of a room that does not read yet. */
async function pausedReader(server) {
  const reader = await (await RawClient.join(server.port)).joinRoom("r");
  reader.keeps = false;
  reader.pause();
  return reader;
}

/** `socketville serve` sends what it has answered for. */
async function stopOfServe(t) {
  await forSizes(t, async (count, bytes) => {
    const server = await t.serve();
    const reader = await pausedReader(server);
    const accepted = await publishAll(server, "r", count, bytes);
    await stopAndRead(server, reader);
    await server.stop("SIGCONT", 8000);
    return { reader, accepted, server };
  });
}

/** An app that drains (`Emitter::stop`) sends what it has emitted. */
async function stopOfApp(t) {
  await forSizes(t, async (count, bytes) => {
    const server = await t.bench({ GRACEFUL: "1" });
    const reader = await pausedReader(server);
    const speaker = await RawClient.join(server.port);
    const text = "x".repeat(bytes);
    for (let n = 0; n < count; n++) speaker.send(`42["pub",{"room":"r","p":"${text}"}]`);
    t.check("the speaker is answered", await speaker.call(9, '["echo",1]', 8000));
    await stopAndRead(server, reader);
    speaker.close();
    await server.stop("SIGCONT", 8000);
    return { reader, accepted: count, server };
  });
}

/** A polling session that did not poll when the signal came gets what is due to it over the connection that it polls by. */
async function stopWithPolls(t) {
  const server = await t.serve();
  for (const count of [1, 40, 400]) {
    const sessions = [];
    for (let n = 0; n < 5; n++) {
      const path = await pollingSession(server.port, { connected: false });
      const peer = await Peer.open(server.port);
      await peer.write(request("POST", path, { body: "40" }));
      await peer.response();
      await peer.write(request("GET", path));
      await peer.response();
      sessions.push({ peer, path });
    }
    await publishAll(server, undefined, count, 1000);
    if (count < 400) continue;
    server.child.kill("SIGTERM");
    await sleep(100);
    t.check("new connections are not accepted", (await get(server.port, "/healthz", { ms: 300 })).status !== 200);
    for (const { peer, path } of sessions) {
      await peer.write(request("GET", path));
      const { body, head } = await peer.response();
      const events = body.split("\x1e").filter((packet) => packet.startsWith("42")).length;
      t.check(`${events} of ${count} events arrived`, events === count, head.slice(0, 60));
      peer.close();
    }
  }
}

export default [
  fault("stop-of-serve", { quick: true, alone: true }, stopOfServe),
  fault("stop-of-app", { quick: true, alone: true }, stopOfApp),
  fault("stop-with-polls", { quick: true }, stopWithPolls),
];
