// The machine: descriptors and locked memory that do not suffice, and a port that is taken.

import { chmodSync, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KEY, fault, freePort, programPath, until } from "../trial.mjs";
import { Peer, exchange, get, publishRequest, request } from "../tcp.mjs";
import { RawClient } from "../websocket.mjs";

/** At the limit of descriptors a newcomer is answered or refused, never left hanging, and the log says so. */
async function descriptorsExhausted(t) {
  const kinds = {
    WebSockets: (port) => RawClient.join(port),
    "idle connections": (port) => Peer.open(port),
    "half a head": async (port) => (await Peer.open(port)).write("GET / HTTP/1.1\r\n"),
  };
  for (const [what, open] of Object.entries(kinds)) {
    const server = await t.serve([], { limits: ["-n 256"] });
    // Where each core has a table of its own, all of them are filled.
    for (let n = 0; n < 280 * t.cell.cores; n++) await open(server.port).catch(() => {});
    const heads = { "/healthz": request("GET", "/healthz"), publish: publishRequest({ event: "e" }, { key: KEY }) };
    for (const [name, bytes] of Object.entries(heads)) {
      const peer = await Peer.open(server.port).catch(() => undefined);
      peer?.write(bytes);
      const hangs = peer && !(await peer.wait(() => (peer.received.length || peer.end ? true : undefined)));
      t.check(`${what}: ${name} hangs at the limit, neither answered nor refused`, !hangs);
      peer?.close();
    }
    const isLogged = await until(() => /WARN|ERROR/.test(server.output()), 2000);
    t.check(`${what}: the log says nothing of it`, isLogged);
    t.check(`${what}: it has ended`, server.alive, server.ended);
    await server.stop("SIGKILL");
  }
}

/** An unprivileged user with little locked memory: it starts, by whatever means, or says that this limit is too low. */
async function lockedMemory(t) {
  const folder = mkdtempSync(join(tmpdir(), "server-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  chmodSync(folder, 0o755);
  const program = join(folder, "server"); // readable for all, wherever the original is
  copyFileSync(programPath("socketville"), program);
  chmodSync(program, 0o755);
  const isRoot = process.getuid() === 0;
  const cases = [["auto", 64, 1], ["auto", 8192, 16], ["auto", 0, 2], ["io_uring", 64, 1]];
  for (const [n, [driver, kib, cores]] of cases.entries()) {
    const uid = isRoot ? 64_321 + process.pid % 1000 + n * 1000 : undefined; // nobody else's locked memory counts
    const options = ["--driver", driver, "--cores", String(cores)];
    const server = await t.tryServe(options, { program, limits: [`-l ${kib}`], uid });
    const what = `${kib} KiB, ${cores} cores, ${driver}`;
    if (server.alive) t.check(`${what}: /healthz`, (await get(server.port, "/healthz")).status === 200);
    else t.check(`${what}: it says why`, /memlock|locked memory/i.test(server.output()), server.output().slice(-200));
    await server.stop("SIGKILL");
  }
}

/** A port in use is an error, unless sharing was asked for. */
async function takenPort(t) {
  const port = await freePort();
  const first = await t.serve(["--listen", `127.0.0.1:${port}`]);
  const others = {
    "the same options": ["--listen", `127.0.0.1:${port}`],
    "all addresses": ["--listen", `0.0.0.0:${port}`],
    "the other driver": ["--listen", `127.0.0.1:${port}`, "--driver", t.cell.driver === "epoll" ? "auto" : "epoll"],
    "two cores": ["--listen", `127.0.0.1:${port}`, "--cores", "2"],
  };
  for (const [what, options] of Object.entries(others)) {
    const second = await t.tryServe(options);
    if (!t.check(`${what}: a second server runs beside the first`, !second.alive)) {
      await second.stop("SIGKILL");
      continue;
    }
    t.check(`${what}: it ends as if all were well`, second.ended !== 0, second.ended);
    t.check(`${what}: it says why`, /in use/.test(second.output()), second.output().slice(-200));
  }
  const statuses = [];
  for (let n = 0; n < 10; n++) {
    statuses.push((await exchange(first.port, publishRequest({ event: "e" }, { key: KEY }))).status);
  }
  t.check("the first one serves on", statuses.every((status) => status === 200), statuses);
}

export default [
  fault("descriptors-exhausted", { quick: true }, descriptorsExhausted),
  fault("locked-memory", { quick: true, drivers: ["io_uring"], cores: [1] }, lockedMemory),
  fault("taken-port", { quick: true }, takenPort),
];
