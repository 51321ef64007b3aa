// The measured app on Node and socket.io: what `bench-server` does, as the documentation would have it.
// From the environment: PORT (default 3000), BIND (default 127.0.0.1), DEFLATE=1 (permessage-deflate for every message), CONTEXT_TAKEOVER=0 (each
// message compressed for itself), PING_INTERVAL_MS, PING_TIMEOUT_MS. CORES is ignored: one process of Node uses one core
// for this work.
import { createServer } from "node:http";
import { Server } from "socket.io";

const { DEFLATE, CONTEXT_TAKEOVER, PING_INTERVAL_MS, PING_TIMEOUT_MS, PORT, BIND } = process.env;
const perMessageDeflate = DEFLATE === "1" && {
  threshold: 0,
  ...(CONTEXT_TAKEOVER === "0" && { serverNoContextTakeover: true, clientNoContextTakeover: true }),
};

const server = createServer();
const io = new Server(server, {
  transports: ["websocket", "polling"],
  perMessageDeflate,
  serveClient: false,
  ...(PING_INTERVAL_MS && { pingInterval: Number(PING_INTERVAL_MS) }),
  ...(PING_TIMEOUT_MS && { pingTimeout: Number(PING_TIMEOUT_MS) }),
});

const to = (room) => (room ? io.to(room) : io);
const turn = () => new Promise((resolve) => setImmediate(resolve));

io.on("connection", (socket) => {
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack("ok");
  });
  socket.on("pub", ({ room, p }) => to(room).emit("msg", p));
  socket.on("burst", async ({ room, count, every, rest }) => {
    for (let index = 0; index < count; index += 1) {
      to(room).emit("msg", String(index).padStart(10, "0") + rest);
      if ((index + 1) % every === 0) await turn();
    }
  });
  socket.on("echo", (data, ack) => ack(data));
});

const port = Number(PORT ?? 3000);
server.listen(port, BIND ?? "127.0.0.1", 4096, () => console.log(`node listens on port ${port}`));
