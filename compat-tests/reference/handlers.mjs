// The events that every namespace of the conformance contract answers, written with the reference's server API.
// Profiles, mounts and ports are the business of conformance.mjs.

/** What happened to the sockets whose auth (or query) carried a tag: tag -> entries, oldest first. */
const logs = new Map();

/** Answers the contract's events on every socket of a namespace (or of a dynamic parent). */
export function serveNamespace(io, namespace) {
  namespace.on("connection", (socket) => {
    keepLog(socket);
    socket.use(filterPacket);
    socket.on("error", () => {});
    talk(socket);
    keepRooms(socket);
    relay(socket);
    relayToChildren(socket, namespace);
    reachOthers(socket);
    describeSelf(io, socket);
    socket.emit("auth", socket.handshake.auth);
  });
  if (namespace.name !== "/" && namespace.name !== "/custom") return;
  namespace.on("sse", (...args) => {
    const ack = args.pop();
    if (typeof ack === "function") ack({ pong: args });
  });
}

/** The two middlewares of `/mw`: join and wait, then admit by token. */
export function admitByToken(namespace) {
  namespace.use((socket, next) => {
    socket.join("joined-in-middleware");
    setTimeout(next, socket.handshake.auth.delay ?? 0);
  });
  namespace.use((socket, next) => {
    if (socket.handshake.auth.token === "ok") {
      socket.data.user = "ok";
      return next();
    }
    const refusal = new Error("not authorized");
    refusal.data = { code: "E_AUTH", retry: false };
    next(refusal);
  });
  return namespace;
}

function filterPacket(event, next) {
  if (event[0] === "blocked") return next(new Error("blocked event"));
  if (event[0] === "rewrite") event[0] = "message";
  if (event[0] === "label") event.splice(0, 3, "message", event[2], { label: event[1] });
  next();
}

/** Registers a handler that answers; without an acknowledgement the event is ignored. */
function onAsk(socket, name, handler) {
  socket.on(name, (...args) => {
    const ack = args.pop();
    if (typeof ack === "function") handler(ack, ...args);
  });
}

function talk(socket) {
  socket.on("message", (...args) => socket.emit("message-back", ...args));
  onAsk(socket, "message-with-ack", (ack, ...args) => ack(...args));
  socket.on("ask", (ms, ...args) => {
    socket.timeout(ms).emit("question", ...args, (error, ...answers) => {
      socket.emit("answer", { timedOut: error !== null, args: answers });
    });
  });
  onAsk(socket, "describe", (ack, ...args) => ack(args.map(kindOf)));
  onAsk(socket, "bytes", (ack, n) => ack(Buffer.alloc(n, 0xa5)));
  onAsk(socket, "burst", (ack, n, options = {}) => {
    for (let i = 0; i < n; i++) {
      const target = options?.volatile ? socket.volatile : socket; // a flag holds for one emit
      target.emit("tick", i, ...(options?.binary ? [Buffer.of(i & 0xff)] : []));
    }
    ack(n);
  });
}

function keepRooms(socket) {
  onAsk(socket, "join", (ack, rooms) => ack(join(socket, rooms)));
  onAsk(socket, "leave", (ack, room) => {
    socket.leave(room);
    ack(roomsOf(socket));
  });
  onAsk(socket, "rooms", (ack) => ack(roomsOf(socket)));
}

function join(socket, rooms) {
  socket.join(rooms);
  return roomsOf(socket);
}

function relay(socket) {
  onAsk(socket, "relay", (ack, options, event, ...args) => {
    let target = { io: socket.nsp, broadcast: socket.broadcast }[options.from] ?? socket;
    for (const flag of ["volatile", "local"]) if (options[flag]) target = target[flag];
    if (options.compress !== undefined) target = target.compress(options.compress);
    target = select(target, options);
    if (options.timeout === undefined) {
      target.emit(event, ...args);
      return ack(true);
    }
    target.timeout(options.timeout).emit(event, ...args, (error, responses) => {
      ack({ timedOut: error !== null, responses });
    });
  });
}

/** Beyond the contract: to all children of a dynamic namespace's parent. */
function relayToChildren(socket, parent) {
  onAsk(socket, "relay-to-children", (ack, event, ...args) => {
    parent.emit(event, ...args);
    ack(true);
  });
}

function select(target, { to, except }) {
  if (to?.length) target = target.to(to);
  if (except?.length) target = target.except(except);
  return target;
}

function reachOthers(socket) {
  onAsk(socket, "fetch", async (ack, options) => {
    const found = await select(socket.nsp, options).fetchSockets();
    const seen = found.map(({ id, rooms, data }) => ({ id, rooms: [...rooms].sort(), data }));
    ack(seen.sort((a, b) => (a.id < b.id ? -1 : 1)));
  });
  onAsk(socket, "sockets-join", (ack, options, rooms) => {
    select(socket.nsp, options).socketsJoin(rooms);
    ack(true);
  });
  onAsk(socket, "sockets-leave", (ack, options, rooms) => {
    select(socket.nsp, options).socketsLeave(rooms);
    ack(true);
  });
  onAsk(socket, "sockets-disconnect", (ack, options, close) => {
    ack(true);
    select(socket.nsp, options).disconnectSockets(close);
  });
  socket.on("disconnect-me", (close) => socket.disconnect(close));
  onAsk(socket, "server-side-emit", (ack, ...args) => {
    socket.nsp.serverSideEmit("sse", ...args, (error, responses) => ack({ timedOut: error !== null, responses }));
  });
}

function describeSelf(io, socket) {
  onAsk(socket, "whoami", (ack) =>
    ack({
      id: socket.id,
      eid: socket.conn.id,
      nsp: socket.nsp.name,
      protocol: socket.conn.protocol,
      transport: socket.conn.transport.name,
      recovered: socket.recovered,
      rooms: roomsOf(socket),
      data: socket.data,
    }),
  );
  onAsk(socket, "handshake", (ack) => ack(socket.handshake));
  onAsk(socket, "set-data", (ack, data) => {
    Object.assign(socket.data, data);
    ack(true);
  });
  onAsk(socket, "namespaces", (ack) => ack([...io._nsps.keys()].sort()));
  onAsk(socket, "log", (ack, tag) => ack(logs.get(tag) ?? []));
}

function keepLog(socket) {
  const { auth, query } = socket.handshake;
  const tag = auth.tag ?? query.tag;
  if (tag === undefined) return;
  const note = (ev, rest) => {
    if (!logs.has(tag)) logs.set(tag, []);
    logs.get(tag).push({ tag, ev, nsp: socket.nsp.name, id: socket.id, ...rest });
  };
  note("connect", { recovered: socket.recovered });
  socket.on("disconnecting", (reason) => note("disconnecting", { reason, rooms: roomsOf(socket) }));
  socket.on("disconnect", (reason) => note("disconnect", { reason, rooms: roomsOf(socket) }));
  socket.on("error", (error) => note("error", { message: error.message }));
  if (!auth.any) return;
  const argc = (args) => args.filter((arg) => typeof arg !== "function").length;
  socket.onAny((name, ...args) => note("any-in", { name, argc: argc(args) }));
  socket.onAnyOutgoing((name, ...args) => note("any-out", { name, argc: argc(args) }));
}

function roomsOf(socket) {
  return [...socket.rooms].sort();
}

function kindOf(value) {
  if (Buffer.isBuffer(value)) return `bin:${value.length}`;
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}
