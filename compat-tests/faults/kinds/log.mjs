// Where the output goes: a pipe that nobody reads, one whose reader is gone, a full disk, nowhere. None stops serving or signals.

import { spawnSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fault, freePort, sleep } from "../trial.mjs";
import { get, post, request, exchange } from "../tcp.mjs";
import { RawClient } from "../websocket.mjs";
import { flood } from "./shares.mjs";

/** A pipe: descriptors for reading and for writing. */
function pipe(t) {
  const folder = mkdtempSync(join(tmpdir(), "pipe-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "pipe");
  spawnSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(path, constants.O_WRONLY) };
}

/** A server whose output goes to a descriptor, which is closed here once it has it. */
async function serveTo(t, output) {
  const server = await t.serve([], { output, port: await freePort() });
  closeSync(output);
  return server;
}

const OUTPUTS = {
  "a pipe whose reader is gone": (t) => {
    const { reader, writer } = pipe(t);
    return { output: writer, started: () => closeSync(reader) };
  },
  "a full disk": () => ({ output: openSync("/dev/full", "w"), started: () => {} }),
  "a pipe that is full": (t) => {
    const { reader, writer } = pipe(t);
    spawnSync("dd", ["if=/dev/zero", "bs=65536", "count=1", "status=none"], { stdio: ["ignore", writer, "ignore"] });
    return { output: writer, started: () => t.after(() => closeSync(reader)) };
  },
};

/** A log that cannot be written stops neither the start, nor serving, nor a signal. */
async function unwritableLog(t) {
  for (const [what, make] of Object.entries(OUTPUTS)) {
    for (const signal of ["SIGTERM", "SIGINT"]) {
      const { output, started } = make(t);
      const server = await serveTo(t, output);
      started();
      await exchange(server.port, "rubbish\r\n\r\n", 300); // something to log
      t.check(`${what}: /healthz`, (await get(server.port, "/healthz", { ms: 2000 })).status === 200);
      const status = await server.stop(signal, 3000);
      t.check(`${what}: still there 3 s after ${signal}`, status !== undefined);
      // One core answers while the other still starts: a signal in that moment ends the process as it ends any.
      t.check(`${what}: ends well after ${signal}`, [undefined, 0, signal].includes(status), status);
    }
  }
}

/** The same while clients flood it with what is worth a line of log. */
async function stalledLog(t) {
  const texts = { joins: '421["join","a"]', "arguments of a wrong type": '42["say",1]', "unknown events": '42["nope"]' };
  for (const [what, text] of Object.entries(texts)) {
    const { reader, writer } = pipe(t);
    const server = await serveTo(t, writer);
    const client = await RawClient.join(server.port);
    for (let n = 0; n < 50; n++) await post(server.port, "/api/publish", "{}"); // refusals
    await flood(server.port, { clients: 20, seconds: 2, text });
    await sleep(1500);
    t.check(`${what}: /healthz after the flood`, (await get(server.port, "/healthz")).status === 200);
    t.check(`${what}: a join after the flood`, await client.call(5, '["join","x"]'));
    t.check(`${what}: SIGTERM has not ended it after 6 s`, (await server.stop("SIGTERM", 6000)) !== undefined);
    closeSync(reader);
  }
}

/** SIGHUP, which a closed terminal sends, is ignored; a second SIGTERM ends it at once. */
async function signals(t) {
  const server = await t.serve();
  server.child.kill("SIGHUP");
  await sleep(200);
  t.check("SIGHUP has ended it", server.alive, server.ended);
  if (!server.alive) return;
  const reader = await RawClient.join(server.port);
  await reader.joinRoom("r");
  reader.pause();
  const body = JSON.stringify({ rooms: ["r"], event: "e", args: ["x".repeat(900_000)] });
  for (let n = 0; n < 8; n++) {
    await exchange(server.port, request("POST", "/api/publish", { headers: ["Authorization: Bearer secret"], body }));
  }
  const began = Date.now();
  server.child.kill("SIGTERM");
  await sleep(300);
  t.check("a second SIGTERM ends it", (await server.stop("SIGTERM", 3000)) !== undefined, `${Date.now() - began} ms`);
}

export default [
  fault("unwritable-log", { quick: true }, unwritableLog),
  fault("stalled-log", { alone: true, seconds: 60 }, stalledLog),
  fault("signals", { quick: true }, signals),
];
