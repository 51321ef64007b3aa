// The measured app on Bun, socket.io and its engine for Bun: what `bench-server` does, as the documentation would have it.
// From the environment: PORT (default 3000), BIND (default 127.0.0.1), PING_INTERVAL_MS, PING_TIMEOUT_MS. The engine does not offer compression, and
// one process of Bun uses one core for this work.
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";

const { PING_INTERVAL_MS, PING_TIMEOUT_MS, PORT, BIND } = process.env;
const engine = new Engine({
  path: "/socket.io/",
  ...(PING_INTERVAL_MS && { pingInterval: Number(PING_INTERVAL_MS) }),
  ...(PING_TIMEOUT_MS && { pingTimeout: Number(PING_TIMEOUT_MS) }),
});
const io = new Server();
io.bind(engine);

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

export default { port: Number(PORT ?? 3000), hostname: BIND ?? "127.0.0.1", ...engine.handler() };
