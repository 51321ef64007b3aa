// Heartbeats: a client that has answered in time is not late, whatever the server was doing when the answer came.

import { fault, sleep, until } from "../trial.mjs";
import { RawClient, crowd } from "../websocket.mjs";

/** Stops a process for a time, as a suspended machine does. */
async function pause(server, ms) {
  server.child.kill("SIGSTOP");
  await sleep(ms);
  server.child.kill("SIGCONT");
}

/** Stops it when its first pings have arrived and are not yet answered; they are answered as soon as it stands still. */
async function pauseWithPings(server, clients, ms) {
  for (const client of clients) Object.assign(client, { pongs: false, pings: 0 });
  await until(() => clients.some(({ pings }) => pings > 0), 5000, 1);
  await sleep(20); // those that are due with them; the shortest time-out is 200 ms
  server.child.kill("SIGSTOP");
  for (const client of clients) {
    client.pongs = true;
    if (client.pings) client.send("3");
  }
  await sleep(ms);
  server.child.kill("SIGCONT");
}

const cutOf = (clients) => clients.filter(({ end, closeCode }) => end || closeCode).length;

/** Pings go out, the server stands still, all clients answer: nobody is cut when it goes on. */
async function longPause(t) {
  const [interval, timeout] = [2000, 1500];
  for (const [what, stops] of Object.entries({ "one pause": [4000], "two pauses": [2500, 2500], "a pause of ten rounds": [9000] })) {
    const server = await t.bench({ PING_INTERVAL_MS: String(interval), PING_TIMEOUT_MS: String(timeout) });
    const clients = await crowd(server.port, 200);
    for (const ms of stops) {
      await pauseWithPings(server, clients, ms);
      await sleep(1000);
      t.check(`${what}: ${cutOf(clients)} of ${clients.length} clients that had answered were cut`, cutOf(clients) === 0);
    }
    await server.stop("SIGKILL");
  }
}

/** The same with a heartbeat of 300 ms, in which the server pings. */
async function shortPause(t) {
  const server = await t.conformance("protocol");
  const clients = await crowd(server.port, 50);
  for (const round of ["first", "second"]) {
    await pauseWithPings(server, clients, 700);
    await sleep(150);
    t.check(`${round} pause: ${cutOf(clients)} of 50 were cut`, cutOf(clients) === 0);
  }
}

/** The same in Engine.IO 3, in which the client pings. */
async function shortPauseOfOldClients(t) {
  const server = await t.conformance("protocol-v3");
  const path = "/socket.io/?EIO=3&transport=websocket";
  const clients = await crowd(server.port, 20, { connect: null, path, pongs: false });
  const timer = setInterval(() => clients.forEach((client) => client.send("2")), 100);
  await sleep(200);
  await pause(server, 900);
  await sleep(200);
  clearInterval(timer);
  t.check(`${cutOf(clients)} of 20 were cut`, cutOf(clients) === 0);
}

/** engine.io 6.6.11: a packet that is no pong renews the time-out, once for each ping. */
async function renewedTimeout(t) {
  const server = await t.conformance("protocol");
  const packets = {
    "an event": ['42["message",1]'],
    "an acknowledgement": ['431["x"]'],
    "a packet in two": [`451-["message",{"_placeholder":true,"num":0}]`, Buffer.of(1)],
  };
  for (const [what, pieces] of Object.entries(packets)) {
    const client = await RawClient.join(server.port, { pongs: false });
    await until(() => client.pings > 0, 2000, 2);
    await sleep(100);
    for (const piece of pieces) client.send(piece);
    await sleep(150); // 250 ms after the ping: late without the renewal, in time with it
    client.send("3");
    t.check(`${what} 100 ms after the ping: still open`, await client.call(1, '["message-with-ack",1]', 1000), client.end);
    client.close();
  }
  const client = await RawClient.join(server.port, { pongs: false });
  await until(() => client.pings > 0, 2000, 2);
  const timer = setInterval(() => client.send('42["message",1]'), 50);
  t.check("packets without a pong renew it for ever", await client.closed(2000));
  clearInterval(timer);
}

export default [
  fault("long-pause", { alone: true, seconds: 60 }, longPause),
  fault("short-pause", { quick: true, alone: true }, shortPause),
  fault("short-pause-of-old-clients", { quick: true, alone: true }, shortPauseOfOldClients),
  fault("renewed-timeout", { quick: true, alone: true }, renewedTimeout),
];
