// The end: what was accepted and is within the limits is sent before it, then a close that says so, within a bounded time.

import { KEY, fault, sleep } from "../trial.mjs";
import { Peer, get, pollingSession, publishRequest, request } from "../tcp.mjs";
import { RawClient } from "../websocket.mjs";

/** How many events, of how many bytes: some 4.5 MB, more than the kernel takes. */
const SIZES = { "of 10 KB": [460, 10_000], "of 500 bytes": [8000, 500], "of 300 KB": [15, 300_000] };

/** Publishes one by one, to a room or to all; how many went to one socket. */
async function publishAll(server, room, count, bytes) {
  const peer = await Peer.open(server.port);
  let accepted = 0;
  const body = { ...(room && { rooms: [room] }), event: "e", args: ["x".repeat(bytes)] };
  const bytesOfOne = publishRequest(body, { key: KEY });
  for (let n = 0; n < count; n++) {
    await peer.write(bytesOfOne);
    accepted += (await peer.response()).body.includes('"sockets":1');
  }
  peer.close();
  return accepted;
}

/** The one member of the room begins to read 50 ms after SIGTERM. */
async function stopOfServe(t) {
  for (const [what, [count, bytes]] of Object.entries(SIZES)) {
    const server = await t.serve();
    const reader = await (await RawClient.join(server.port)).joinRoom("r");
    reader.keeps = false;
    reader.pause();
    const accepted = await publishAll(server, "r", count, bytes);
    server.child.kill("SIGTERM");
    await sleep(50);
    reader.resume();
    await reader.closed(8000);
    t.check(`events ${what}: ${reader.events} of ${accepted} accepted ones arrived`, reader.events === accepted, reader.end);
    t.check(`events ${what}: a close frame`, reader.closeCode !== undefined, reader.end);
    reader.close();
    t.check(`events ${what}: it ends well`, (await server.stop("SIGCONT", 8000)) === 0, server.ended);
  }
}

/** An app that drains (`Emitter::stop`), and a reader that takes 1 MB/s: its backlog is within the limits since it reads on. */
async function stopOfApp(t) {
  for (const [what, [count, bytes]] of Object.entries(SIZES)) {
    const server = await t.bench({ GRACEFUL: "1" });
    const reader = await (await RawClient.join(server.port)).joinRoom("r");
    const speaker = await RawClient.join(server.port);
    reader.keeps = false;
    reader.readAt(1_000_000);
    const text = "x".repeat(bytes);
    for (let n = 0; n < count; n++) speaker.send(`42["pub",{"room":"r","p":"${text}"}]`);
    t.check("the speaker is answered", await speaker.call(9, '["echo",1]', 8000));
    server.child.kill("SIGTERM");
    await sleep(300);
    reader.readAt(0);
    await reader.closed(8000);
    t.check(`events ${what}: ${reader.events} of ${count} arrived`, reader.events === count, reader.end);
    t.check(`events ${what}: a close frame`, reader.closeCode !== undefined, reader.end);
    for (const client of [reader, speaker]) client.close();
    t.check(`events ${what}: it ends well`, (await server.stop("SIGCONT", 8000)) === 0, server.ended);
  }
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
  fault("stop-of-serve", { quick: true }, stopOfServe),
  fault("stop-of-app", { quick: true }, stopOfApp),
  fault("stop-with-polls", { quick: true }, stopWithPolls),
];
