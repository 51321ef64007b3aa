// Memory that broadcasts take: readers that have stopped, batches that are gathered in one turn, and readers that are slow but read on.

import { KEY, fault, sleep, until } from "../trial.mjs";
import { Peer, publishRequest } from "../tcp.mjs";
import { RawClient, crowd } from "../websocket.mjs";

/** Sends all requests but their last byte, then those of all: they are whole within one turn. */
async function sendTogether(server, requests, ms) {
  const peers = [];
  for (const bytes of requests) {
    const peer = await Peer.open(server.port);
    await peer.write(bytes.slice(0, -1));
    peers.push(peer);
  }
  await sleep(300); // what was written is read
  for (const [n, peer] of peers.entries()) peer.write(requests[n].slice(-1));
  const answers = await Promise.all(peers.map((peer) => peer.response(ms)));
  for (const peer of peers) peer.close();
  return answers.map(({ status }) => status);
}

const publication = (rooms, bytes) => ({ ...(rooms && { rooms }), event: "e", args: ["x".repeat(bytes)] });

/** A reader whose backlog passes its bound is cut and counted, within a turn too. */
async function stoppedReaders(t) {
  const bodies = {
    "small events for their room": Array(60).fill(publication(["a"], 16_000)),
    "large events for their room": Array(3).fill(publication(["a"], 320_000)),
    "events for everybody": Array(60).fill(publication(undefined, 16_000)),
  };
  for (const [what, body] of Object.entries(bodies)) {
    const server = await t.serve();
    await crowd(server.port, 100, { room: "a", paused: true });
    server.limit(600);
    await sendTogether(server, Array(10).fill(publishRequest(body, { key: KEY })), 8000);
    const cut = async () => (await server.metrics()).socketville_slow_cut_total ?? 0;
    if (!t.survived(server, `${what}: 10 MB for each of 100 stopped readers`)) continue;
    const all = await until(async () => (await cut()) === 100, 8000, 100);
    t.check(`${what}: stopped readers are cut at their bound`, all, await cut());
    await server.stop("SIGKILL");
  }
}

/** A batch of sends is gathered up to a bound, whatever is published in one turn. */
async function gatheredBatches(t) {
  const [a, b] = [publication(["a"], 16_000), publication(["b"], 1)];
  const bodies = {
    "alternately to two rooms": Array(20).fill([a, a, a, b]).flat(),
    "a room and everybody": Array(20).fill([a, publication(undefined, 1), a, a]).flat(),
    "three rooms and more": Array(20).fill([publication(["a", "b"], 16_000), a, b, a]).flat(),
  };
  for (const [what, body] of Object.entries(bodies)) {
    const server = await t.serve();
    for (const client of [...(await crowd(server.port, 260, { room: "a" })), ...(await crowd(server.port, 1, { room: "b" }))]) {
      client.keeps = false;
    }
    server.limit(1024);
    const statuses = await sendTogether(server, Array(20).fill(publishRequest(body, { key: KEY })), 15_000);
    t.survived(server, `${what}: 20 MB published to 260 clients`);
    t.check(`${what}: every request is answered`, statuses.every((status) => [200, 429, 503].includes(status)), statuses);
    await server.stop("SIGKILL");
  }
}

/** Who reads on is served through a burst, or gets a close frame with a code (RFC 6455 section 7.4). */
async function slowReaders(t) {
  const bursts = { "of 16 KB": [15_980, 750], "of 200 bytes": [200, 60_000], "of 600 KB": [600_000, 20] };
  for (const [what, [bytes, count]] of Object.entries(bursts)) {
    const server = await t.bench();
    const reader = await (await RawClient.join(server.port)).joinRoom("r");
    const speaker = await RawClient.join(server.port);
    reader.keeps = false;
    reader.readAt(4_000_000);
    const text = "x".repeat(bytes);
    for (let n = 0; n < count; n++) speaker.send(`42["pub",{"room":"r","p":"${text}"}]`);
    await until(() => reader.events === count || reader.end, 12_000, 50);
    const isFine = reader.events === count || reader.closeCode >= 1000;
    t.check(`events ${what}: cut after ${reader.events} of ${count} without a close frame`, isFine, reader.end);
    await server.stop("SIGKILL");
  }
}

export default [
  fault("stopped-readers", { seconds: 45 }, stoppedReaders),
  fault("gathered-batches", { seconds: 60, alone: true, cores: [1] }, gatheredBatches),
  fault("slow-readers", { seconds: 45, alone: true }, slowReaders),
];
