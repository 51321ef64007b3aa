// What all clients share and one must not use up: tasks, rooms, the namespaces of a connection.

import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Manager } from "socket.io-client";
import { KEY, fault, sleep, until } from "../trial.mjs";
import { Official } from "../clients.mjs";
import { exchange, get, publishRequest } from "../tcp.mjs";
import { RawClient, crowd, frame } from "../websocket.mjs";

const FLOODER = fileURLToPath(new URL("../flooder.mjs", import.meta.url));

/** Starts a process with clients that flood; resolves `ended` when it is over. */
export function flood(port, { clients, seconds, text }) {
  const child = spawn(process.execPath, [FLOODER, port, clients, seconds, text], { stdio: "ignore" });
  return new Promise((done) => child.once("exit", done));
}

/** While some flood, others and the operator are served as ever, and the log stays small. */
async function taskFlood(t) {
  const events = { joins: '421["join","a"]', "joins and leaves": '422["leave","a"]', "events that nobody handles": '423["nope",1]' };
  for (const [what, text] of Object.entries(events)) {
    const server = await t.serve();
    const flooding = flood(server.port, { clients: 10, seconds: 4, text });
    await sleep(400);
    let [rounds, health, publications, joins] = [0, 0, 0, 0];
    for (const end = Date.now() + 3000; Date.now() < end; rounds++) {
      health += (await get(server.port, "/healthz", { ms: 2000 })).status === 200;
      publications += (await exchange(server.port, publishRequest({ event: "x" }, { key: KEY }), 2000)).status === 200;
      const client = await RawClient.join(server.port).catch(() => undefined);
      joins += Boolean(await client?.call(1, '["join","mine"]', 2000));
      client?.close();
      await sleep(20);
    }
    t.check(`${what}: /healthz was fine in ${health} of ${rounds}`, health === rounds);
    t.check(`${what}: publish was fine in ${publications} of ${rounds}`, publications === rounds);
    t.check(`${what}: others' joins were answered in ${joins} of ${rounds}`, joins === rounds);
    t.check(`${what}: ${server.outputBytes()} bytes of log`, server.outputBytes() < 1e6);
    await flooding;
    await server.stop("SIGKILL");
  }
}

/** The clients of one address cannot use up the rooms that all share. */
async function roomsExhausted(t) {
  const names = {
    "short names": (i, j) => `${i}.${j}`,
    "long names": (i, j) => `${i}.${j}.`.padEnd(200, "x"),
    "one name with many endings": (i, j) => `${"room-".repeat(8)}${i * 1024 + j}`,
  };
  for (const [what, name] of Object.entries(names)) {
    const server = await t.serve();
    const victims = await crowd(server.port, 4);
    for (let i = 0; i < 1030 * t.cell.cores && server.alive; i++) {
      const client = await RawClient.join(server.port);
      await client.write(Buffer.concat(Array.from({ length: 1024 }, (_, j) => frame(`42["join","${name(i, j)}"]`))));
    }
    for (const [n, victim] of victims.entries()) {
      const answer = await victim.call(1, `["join","new-room-${n}"]`, 8000);
      t.check(`${what}: another client's join of a new room`, answer?.includes('"ok":true'), answer ?? "no answer");
    }
    t.survived(server, what);
    await server.stop("SIGKILL");
  }
}

/** A namespace too many is refused alone: CONNECT_ERROR, and the others stay (Socket.IO protocol, connection to a namespace). */
async function manyNamespaces(t) {
  const { url, port } = await t.conformance();
  for (const [transport, count] of [["websocket", 80], ["polling", 80], ["websocket", 66]]) {
    const manager = new Manager(url, { transports: [transport], reconnection: false, forceNew: true });
    let refused = 0;
    const refuse = () => refused++;
    const sockets = Array.from({ length: count }, (_, n) => manager.socket(`/dyn-${n}`).on("connect_error", refuse));
    const joined = () => sockets.filter(({ connected }) => connected).length;
    await until(() => joined() + refused === count, 4000, 20);
    t.check(`${transport}: of ${count} ${joined()} are in, ${refused} refused`, joined() >= 64 && joined() + refused === count);
    manager._close?.();
    manager.engine?.close();
  }
  const old = await Official.connect(url, { version: 2 });
  const sockets = Array.from({ length: 80 }, (_, n) => old.socket.io.socket(`/dyn-${n}`));
  await until(() => sockets.filter(({ connected }) => connected).length >= 63, 4000, 20);
  t.check("a client 2.x stays in /", old.connected, old.disconnected);
  t.check("a client 2.x is answered", (await old.call("message-with-ack", 1))?.[0] === 1);
  old.close();
  t.check("/healthz", (await get(port, "/healthz")).status === 200);
}

export default [
  fault("task-flood", { alone: true, seconds: 60 }, taskFlood),
  fault("rooms-exhausted", { alone: true, seconds: 120, cores: [1] }, roomsExhausted),
  fault("many-namespaces", { quick: true }, manyNamespaces),
];
