// How connections end, what either side is told about it, and how clients come back.
// The server's view is read from the `log` of the conformance contract.

import assert from "node:assert/strict";
import { onEachServer, onEachTransport, unique, until } from "./harness.mjs";
import { openSession } from "./session.mjs";

/** Waits until the server has seen the tagged socket go, and returns what it noted about that. */
function farewell(witness, tag) {
  return until(`the disconnect of ${tag}`, async () => {
    const log = await witness.call("log", tag);
    return log.some(({ ev }) => ev === "disconnect") && log.filter(({ ev }) => ev.startsWith("disconnect"));
  });
}

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
  },
  { profile: "protocol" },
);
