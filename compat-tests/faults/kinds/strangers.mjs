// Memory that anybody can make the server hold, without a key: bodies, `auth`, attachments, and answers and events that nobody reads.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fault, sleep, until } from "../trial.mjs";
import { Peer, exchange, get, polling, pollingSession, post, request } from "../tcp.mjs";
import { RawClient, crowd } from "../websocket.mjs";

/** What a container of the small kind allows. */
const CONTAINER_MIB = 512;

/** RFC 9110 section 10.1.1: a head that is enough to refuse is answered before its body is read. */
async function bodiesWithoutKey(t) {
  const server = await t.serve();
  const before = server.memory();
  const heads = { "no key": [], "another key": ["Authorization: Bearer wrong"], "another scheme": ["Authorization: Basic c2VjcmV0"] };
  const peers = [];
  for (const [what, headers] of Object.entries(heads)) {
    const head = request("POST", "/api/publish", { headers: ["Content-Length: 999999", ...headers] });
    for (let n = 0; n < 30; n++) {
      const peer = await Peer.open(server.port);
      peer.write(head + "x".repeat(999_998));
      peers.push(peer);
    }
    const { status } = await peers.at(-1).response();
    t.check(`a body with ${what}`, status === 401, status);
    for (const extra of [["Content-Length: 999999"], ["Transfer-Encoding: chunked"]]) {
      const asking = request("POST", "/api/publish", { headers: [...extra, "Expect: 100-continue", ...headers] });
      const { status } = await exchange(server.port, asking, 1500);
      t.check(`Expect: 100-continue with ${what}, ${extra}`, status === 401, status);
    }
  }
  await sleep(300);
  const held = server.memory() - before;
  t.check(`90 strangers make the server hold ${held.toFixed(0)} MiB of bodies`, held < 24);
  for (const peer of peers) peer.close();
}

/** What a client said in `auth` is let go after its connection handlers, unless the application keeps it. */
async function authKept(t) {
  const ways = {
    "in /": (client, auth) => client.send(`40${auth}`),
    "in another namespace": (client, auth) => client.send(`40/a,${auth}`),
    "in two": (client, auth) => (client.send(`40${auth}`), client.send(`40/a,${auth}`)),
  };
  for (const [what, say] of Object.entries(ways)) {
    const server = await t.serve(["--namespace", "a"]);
    const before = server.memory();
    const clients = await crowd(server.port, 60, { connect: null });
    for (const [n, client] of clients.entries()) say(client, JSON.stringify({ t: n + "x".repeat(900_000) }));
    const answers = await Promise.all(clients.map((client) => client.message(/^40/, 5000)));
    t.check(`${what}: all are in`, answers.every(Boolean), answers.filter(Boolean).length);
    const held = () => server.memory() - before;
    await until(() => held() < 24, 5000);
    t.check(`auth ${what}: 60 clients cost ${held().toFixed(0)} MiB while they stay`, held() < 24);
    await server.stop("SIGKILL");
  }
}

/** Attachments that are announced have a deadline, as heads and bodies have; pongs do not put it off. */
async function attachmentsNeverCompleted(t) {
  const holes = (count) => Array.from({ length: count }, (_, num) => `{"_placeholder":true,"num":${num}}`).join(",");
  const kinds = [
    { what: "nine of ten", event: `4510-["echo",${holes(10)}]`, sizes: Array(9).fill(110_000) },
    { what: "one of two", event: `452-["echo",${holes(2)}]`, sizes: [900_000] },
    { what: "an answer's", event: `462-7[${holes(2)}]`, sizes: [900_000] },
  ];
  const server = await t.bench({ PING_INTERVAL_MS: "1000", PING_TIMEOUT_MS: "2000" });
  const before = server.memory();
  for (const { event, sizes } of kinds) {
    for (const client of await crowd(server.port, 20)) {
      client.send(event);
      for (const size of sizes) client.send(Buffer.alloc(size, "a"));
    }
  }
  const sessions = async () => (await server.metrics()).socketville_sessions ?? 0;
  const held = () => server.memory() - before;
  await until(async () => held() < 12 || (await sessions()) < 10, 20_000, 500);
  const open = await sessions();
  t.check(`after 20 s ${open} of 60 are open and hold ${held().toFixed(0)} MiB`, held() < 12 || open < 10);
}

/** Requests in one piece whose answers nobody reads: the answers are not made in advance. */
async function sendPipelines(t, server, bytes, count, what) {
  server.limit(CONTAINER_MIB);
  const peers = [];
  for (let n = 0; n < count && server.alive; n++) {
    const peer = await Peer.open(server.port, { paused: true }).catch(() => undefined);
    if (!peer) break;
    peer.write(bytes);
    peers.push(peer);
  }
  await until(() => !server.alive, 2500);
  if (t.survived(server, `${peers.length} connections that read no answer to ${what}`)) {
    const { status } = await get(server.port, "/healthz");
    t.check(`after ${what}: /healthz`, status === 200, status);
  }
  for (const peer of peers) peer.close();
  await server.stop("SIGKILL");
}

async function unreadAnswers(t) {
  const requests = {
    "/metrics": request("GET", "/metrics").repeat(4000),
    "the page": request("GET", "/").repeat(1000),
    "/metrics behind a POST": (request("POST", "/api/publish", { body: "{}" }) + request("GET", "/metrics").repeat(20)).repeat(200),
  };
  for (const [what, bytes] of Object.entries(requests)) await sendPipelines(t, await t.serve(["--demo"]), bytes, 100, what);
}

async function unreadFiles(t) {
  const folder = mkdtempSync(join(tmpdir(), "client-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const files = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"];
  for (const name of files) writeFileSync(join(folder, name), "// a script\n".repeat(12_000));
  for (const name of files) {
    const server = await t.serve(["--client-dir", folder]);
    const path = `/socket.io/${name}`;
    const { status } = await get(server.port, path);
    t.check(`${path} is served`, status === 200, status);
    await sendPipelines(t, server, request("GET", path).repeat(1300), 60, path);
  }
}

/** A poll that waits, or events that nobody polls, behind requests that go on: bounded the same. */
async function unpolledEvents(t) {
  const server = await t.conformance();
  server.limit(CONTAINER_MIB);
  const sender = await RawClient.join(server.port);
  for (let n = 0; n < 60; n++) await pollingSession(server.port);
  const text = "x".repeat(100_000);
  for (let n = 0; n < 200 && server.alive; n++) await sender.send(`42["relay",{"from":"io"},"x","${text}"]`);
  await sender.call(1, '["message-with-ack",1]', 5000);
  t.survived(server, "60 sessions that nobody polls, with 20 MB for each,");
  const { status } = await post(server.port, polling(), "40");
  t.check("it answers", status === 400, status);
}

/** Readers that stop while large publishes go on: the largest debts are given up, their memory goes back, and the publisher and a client that reads are served. */
async function readersAndPublisher(t) {
  const server = await t.serve(["--memory-max-mib", "128"]);
  server.limit(240);
  await crowd(server.port, 300, { room: "r", paused: true });
  const [bystander] = await crowd(server.port, 1, { room: "r" });
  const body = JSON.stringify({ rooms: ["r"], event: "e", args: ["x".repeat(900_000)] });
  const asking = request("POST", "/api/publish", { headers: ["Authorization: Bearer secret"], body });
  for (let n = 0; n < 10 && server.alive; n++) {
    const { status } = await exchange(server.port, asking, 10_000);
    t.check(`publish ${n}`, status === 200, status);
    t.check(`publish ${n} at a reader`, await bystander.message(/^42\["e"/, 5000));
  }
  t.survived(server, "300 readers that stop");
}

export default [
  fault("bodies-without-key", { quick: true }, bodiesWithoutKey),
  fault("auth-kept", { quick: true, cores: [1] }, authKept),
  fault("attachments-never-completed", { seconds: 40 }, attachmentsNeverCompleted),
  fault("unread-answers", { seconds: 60 }, unreadAnswers),
  fault("unread-files", { seconds: 60 }, unreadFiles),
  fault("unpolled-events", { quick: true }, unpolledEvents),
  fault("readers-and-publisher", { seconds: 30 }, readersAndPublisher),
];
