// How connections end, what either side is told about it, and how clients come back.
// The server's view is read from the `log` of the conformance contract.

import assert from "node:assert/strict";
import { farewell, onEachServer, onEachTransport, unique } from "./harness.mjs";
import { openSession } from "./session.mjs";
import { openWire, request } from "./wire.mjs";

function expectFarewell(log, { id, reason, rooms }) {
  assert.deepEqual(
    log.map(({ ev, id, reason, rooms }) => ({ ev, id, reason, rooms })),
    [
      { ev: "disconnecting", id, reason, rooms: [id, ...rooms].sort() },
      { ev: "disconnect", id, reason, rooms: [] },
    ],
  );
}

onEachTransport("disconnect", ({ test, transport }) => {
  /** A client that the log knows by a tag, in a room, and a witness who may ask for the log. */
  async function taggedClient(connect, options = {}) {
    const [tag, room] = [unique("tag"), unique("room")];
    const witness = await connect({ transport: "websocket" });
    const client = await connect({ auth: { tag }, ...options });
    await client.call("join", room);
    return { client, witness, tag, id: client.id, rooms: [room] };
  }

  test("by the client: client namespace disconnect [SIO Disconnection from a namespace; semantics 16]", async ({ connect }) => {
    const { client, witness, tag, id, rooms } = await taggedClient(connect);
    client.socket.disconnect();
    assert.equal((await client.next("disconnect"))[0], "io client disconnect");
    expectFarewell(await farewell(witness, tag), { id, reason: "client namespace disconnect", rooms });
  });

  for (const close of [false, true]) {
    test(`by the server, close ${close}: server namespace disconnect [SIO Disconnection from a namespace; semantics 16]`, async ({ connect }) => {
      const { client, witness, tag, id, rooms } = await taggedClient(connect);
      client.socket.emit("disconnect-me", close);
      assert.equal((await client.next("disconnect"))[0], "io server disconnect");
      expectFarewell(await farewell(witness, tag), { id, reason: "server namespace disconnect", rooms });
    });
  }

  test("what was emitted before a disconnect arrives before it [order on a socket is the order of calls]", async ({ connect }) => {
    const client = await connect();
    client.socket.emit("message", "last words");
    client.socket.emit("disconnect-me", true);
    assert.equal((await client.next("disconnect"))[0], "io server disconnect");
    assert.deepEqual(client.all("message-back"), [["last words"]]);
  });

  test("the client closes the transport: transport close [EIO Protocol: close; semantics 16]", async ({ connect }) => {
    const { client, witness, tag, id, rooms } = await taggedClient(connect);
    client.manager.engine.close();
    await client.next("disconnect");
    expectFarewell(await farewell(witness, tag), { id, reason: "transport close", rooms });
  });

  test("rooms are empty behind the one who left [semantics 17]", async ({ connect }) => {
    const { client, witness, tag, id } = await taggedClient(connect);
    client.socket.disconnect();
    await farewell(witness, tag);
    assert.equal(await witness.call("relay", { from: "io", to: [id] }, "news", 1), true);
    await witness.settle();
  });

  test("who has reconnected by hand hears an event once [SIO Connection to a namespace]", async ({ connect }) => {
    const client = await connect();
    client.socket.disconnect();
    await client.next("disconnect");
    client.socket.connect();
    await client.ready();
    client.socket.emit("message", "once");
    await client.settle();
    assert.deepEqual(client.all("message-back"), [["once"]]);
  });

  test("after a disconnect by the server the client connects anew when it wants to [SIO Connection to a namespace]", async ({ connect }) => {
    const { client, id } = await taggedClient(connect);
    client.socket.emit("disconnect-me", true);
    assert.equal((await client.next("disconnect"))[0], "io server disconnect");
    client.socket.connect();
    await client.ready();
    assert.notEqual(client.id, id);
    assert.deepEqual(await client.call("rooms"), [client.id]);
  });

  test("after a lost transport the client comes back by itself, as somebody new [EIO Protocol: close]", async ({ connect, server }) => {
    const options = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 };
    const { client, id } = await taggedClient(connect, options);
    await loseTransport(client, transport, server);
    assert.match((await client.next("disconnect"))[0], /^transport (close|error)$/);
    await client.next("connect");
    assert.notEqual(client.id, id);
    assert.deepEqual(await client.call("rooms"), [client.id]);
    assert.equal(await client.call("message-with-ack", "again"), "again");
  });
});

/** Makes the server end the session: rubbish over WebSocket, a second GET over polling. */
async function loseTransport(client, transport, server) {
  const { engine } = client.manager;
  if (transport !== "polling") return engine.transport.ws.send("rubbish");
  const response = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling&sid=${engine.id}`);
  // Either the client's own GET was waiting and this one is refused, or this one takes the close packet's place.
  await response.text();
}

onEachServer("disconnect reasons of raw clients", ({ test }) => {
  test("rubbish at the Engine.IO level: parse error [EIO Packet encoding; semantics 11]", async ({ connect, server }) => {
    const [witness, tag] = [await connect(), unique("tag")];
    const session = await openSession(server, "websocket");
    const id = await session.join({ tag });
    session.send("rubbish");
    expectFarewell(await farewell(witness, tag), { id, reason: "parse error", rooms: [] });
    await session.close();
  });

  for (const packet of ["4rubbish", "49", "42[", "42{}", "42[]", '42["connect"]', '40{"again":1}', '44{"message":"no"}', '43{"an":"ack"}', '42/custom,["x"]']) {
    test(`the packet ${packet} ends the connection cleanly: forced close [SIO Packet encoding; semantics 11]`, async ({ connect, server }) => {
      const [witness, tag] = [await connect(), unique("tag")];
      const session = await openSession(server, "websocket");
      const id = await session.join({ tag });
      session.send(packet);
      await session.closed();
      expectFarewell(await farewell(witness, tag), { id, reason: "forced close", rooms: [] });
    });
  }

  test("a torn WebSocket: transport close [semantics 16]", async ({ connect, server }) => {
    const [witness, tag] = [await connect(), unique("tag")];
    const session = await openSession(server, "websocket");
    const id = await session.join({ tag });
    session.tear();
    expectFarewell(await farewell(witness, tag), { id, reason: "transport close", rooms: [] });
  });

  test("who joins no namespace in time is sent away [semantics 10]", async ({ server }) => {
    const session = await openSession(server, "websocket");
    await session.closed();
  });

  test("a refused CONNECT does not lengthen that time [semantics 10]", async ({ server }) => {
    const session = await openSession(server, "websocket");
    for (const refused of ["40/nowhere,", '40/mw,{"token":"wrong"}']) session.send(refused);
    await session.next((packet) => packet.startsWith("44/nowhere,"));
    await session.next((packet) => packet.startsWith("44/mw,"));
    await session.closed();
  });

  test("leaving all namespaces does not begin that time anew [semantics 10]", async ({ server }) => {
    const session = await openSession(server, "websocket");
    await session.join();
    session.send("41");
    session.send("40/custom,");
    await session.next((packet) => packet.startsWith("40/custom,"));
    session.send("41/custom,");
    // One that came later and joins nothing is sent away: the time has passed for both.
    const idle = await openSession(server, "websocket");
    await idle.closed();
    assert.match(await session.join(), /./);
    await session.close();
  });

  for (const [method, body] of Object.entries({ GET: "", POST: "4" })) {
    test(`a ${method} that is aborted ends the session: transport error [semantics 3, 16]`, async ({ connect, server }) => {
      const [witness, tag] = [await connect(), unique("tag")];
      const session = await openSession(server, "polling");
      const id = await session.join({ tag });
      while (!session.packets.some((packet) => packet.startsWith('42["auth"'))) await session.poll();
      const wire = await openWire(server);
      const { pathname, search } = new URL(session.url);
      await wire.send(request(method, pathname + search, undefined, body && { "Content-Length": 100 }) + body);
      wire.close();
      expectFarewell(await farewell(witness, tag), { id, reason: "transport error", rooms: [] });
      assert.equal(await session.poll(), 400);
    });
  }

  test("closing the connection from one namespace ends all of them [semantics 16]", async ({ connect }) => {
    const [witness, tag] = [await connect(), unique("tag")];
    const main = await connect();
    const custom = await connect({ nsp: "/custom", manager: main.manager, auth: { tag } });
    const id = custom.id;
    main.socket.emit("disconnect-me", true);
    assert.equal((await main.next("disconnect"))[0], "io server disconnect");
    await custom.next("disconnect");
    expectFarewell(await farewell(witness, tag), { id, reason: "server namespace disconnect", rooms: [] });
  });

  test("an event for a namespace that the client has left ends the connection [semantics 11]", async ({ server }) => {
    const session = await openSession(server, "websocket");
    await session.join();
    session.send("41");
    session.send("40/custom,"); // its answer parts the two: in one batch the reference's ticks would decide
    await session.next((packet) => packet.startsWith("40/custom,"));
    session.send('42["message","too late"]');
    await session.closed();
  });
});

onEachServer(
  "heartbeat",
  ({ test }) => {
    for (const transport of ["websocket", "polling"]) {
      test(`${transport}: a silent client is gone after its ping time-out: ping timeout [EIO Heartbeat; semantics 6, 16]`, async ({ connect, server }) => {
        const [witness, tag] = [await connect(), unique("tag")];
        const session = await openSession(server, transport, { isSilent: true });
        const id = await session.join({ tag });
        expectFarewell(await farewell(witness, tag), { id, reason: "ping timeout", rooms: [] });
        await session.close();
      });
    }

    test("other packets are no sign of life: ping timeout [EIO Heartbeat; semantics 6, 16]", async ({ connect, server }) => {
      const [witness, tag] = [await connect(), unique("tag")];
      const session = await openSession(server, "websocket", { isSilent: true });
      const id = await session.join({ tag });
      await beBusyUntil(session, () => session.ws.readyState !== session.ws.OPEN);
      expectFarewell(await farewell(witness, tag), { id, reason: "ping timeout", rooms: [] });
    });

    test("a busy client is pinged like an idle one [EIO Heartbeat; semantics 6]", async ({ server }) => {
      const session = await openSession(server, "websocket");
      await session.join();
      const pings = () => session.packets.filter((packet) => packet === "2").length;
      await beBusyUntil(session, () => pings() >= 2);
      await session.close();
    });
  },
  { profile: "protocol" },
);

/** Asks one question after the other until `isOver`, or until the connection ends. */
async function beBusyUntil(session, isOver) {
  while (!isOver()) {
    session.send('421["message-with-ack"]');
    await Promise.race([session.next((packet) => packet === "431[]"), session.end]);
  }
}
