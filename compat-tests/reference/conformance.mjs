// The conformance program's profiles `protocol`, `protocol-v3`, `main`, `recovery` and `msgpack` on the reference implementation (socket.io for Node.js).
// It exists to prove that the tests are right: they must pass here first. It is not part of the product.
//
//     node reference/conformance.mjs PROFILE PORT [cores=N] [driver=NAME]
//
// The reference has one core and one driver, so both options are accepted and do nothing.

import { createServer } from "node:http";
import { Server as EngineServer } from "engine.io";
import { Server } from "socket.io";
import msgpack from "socket.io-msgpack-parser";
import { WebSocketServer } from "ws";
import { serveNamespace, admitByToken } from "./handlers.mjs";

/** Engine.IO options of each profile; times in milliseconds, sizes in bytes. */
const PROFILES = {
  protocol: { pingInterval: 300, pingTimeout: 200 },
  "protocol-v3": { pingInterval: 300, pingTimeout: 200, allowEIO3: true },
  main: { pingInterval: 25_000, pingTimeout: 20_000, allowEIO3: true },
  recovery: { pingInterval: 25_000, pingTimeout: 20_000, connectionStateRecovery: { maxDisconnectionDuration: 3000 } },
  msgpack: { pingInterval: 25_000, pingTimeout: 20_000 },
};
const HTTP_BUFFER_BYTES_MAX = 1e6;
const CONNECT_TIMEOUT_MS = 1000;
/** What ours says where nobody answers; the text is nobody's contract, but so it need not be a difference. */
const NOT_HERE = "there is nothing here; the Socket.IO engine is elsewhere\n";
const ECHO_BYTES_MAX = 64 * 1024 * 1024;

const [profile, port = "0"] = process.argv.slice(2);
const timing = PROFILES[profile];
if (!timing) {
  console.error(`expected a profile (${Object.keys(PROFILES).join(", ")}), found ${profile}`);
  process.exit(2);
}

const http = createServer(answerPlain);
const engineOptions = { ...timing, maxHttpBufferSize: HTTP_BUFFER_BYTES_MAX, cors: { origin: "*" } };

serveSocketIo(http);
serveEngineEcho(http);
serveWebSocketEcho(http);

http.listen(Number(port), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${http.address().port}`);
});

function answerPlain(request, response) {
  const [status, text] = request.url === "/healthz" ? [200, "ok\n"] : [404, NOT_HERE];
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(text);
}

function serveSocketIo(server) {
  // destroyUpgrade would close the upgrades of the two other mounts.
  const io = new Server(server, {
    ...engineOptions,
    cleanupEmptyChildNamespaces: profile === "main",
    connectTimeout: CONNECT_TIMEOUT_MS,
    serveClient: false,
    ...(profile === "msgpack" && { parser: msgpack }),
    destroyUpgrade: false,
  });
  for (const name of ["/", "/custom", /^\/dyn-\d+$/]) serveNamespace(io, io.of(name));
  for (const name of ["/mw", /^\/dyn-mw-\d+$/]) serveNamespace(io, admitByToken(io.of(name)));
}

function serveEngineEcho(server) {
  const engine = new EngineServer(engineOptions);
  engine.attach(server, { path: "/engine.io/", destroyUpgrade: false });
  engine.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
}

function serveWebSocketEcho(server) {
  const echo = new WebSocketServer({ noServer: true, maxPayload: ECHO_BYTES_MAX });
  server.on("upgrade", (request, socket, head) => {
    if (request.url !== "/ws-echo") return;
    echo.handleUpgrade(request, socket, head, (peer) => {
      peer.on("error", () => {});
      peer.on("message", (data, isBinary) => peer.send(data, { binary: isBinary }));
    });
  });
}
