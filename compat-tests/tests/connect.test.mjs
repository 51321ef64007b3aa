// Joining namespaces: the handshake, auth, several namespaces on one connection, and who is refused.
// "SIO" and "EIO" name sections of the Socket.IO v5 and Engine.IO v4 protocol documents.

import assert from "node:assert/strict";
import { onEachServer, onEachTransport, unique } from "./harness.mjs";

onEachTransport("connect", ({ test, transport }) => {
  test("auth reaches the namespace [SIO Connection to a namespace]", async ({ connect }) => {
    const auth = { user: "ünï", nested: { n: [1, null, true] } };
    const client = await connect({ auth });
    assert.deepEqual(await client.next("auth"), [auth]);
  });

  test("without auth the handshake's auth is an empty object [SIO Connection to a namespace]", async ({ connect }) => {
    const client = await connect();
    assert.deepEqual(await client.next("auth"), [{}]);
  });

  test("the answer carries the socket's id, which is not the session's [SIO Connection to a namespace]", async ({ connect }) => {
    const client = await connect();
    const me = await client.call("whoami");
    assert.equal(me.id, client.id);
    assert.equal(me.eid, client.manager.engine.id);
    assert.notEqual(me.id, me.eid);
    assert.equal(me.nsp, "/");
    assert.equal(me.protocol, 4);
    assert.equal(me.recovered, false);
    assert.equal(me.transport, transport === "polling" ? "polling" : "websocket");
  });

  test("two namespaces share a connection and nothing else [SIO Introduction: multiplexing]", async ({ connect }) => {
    const main = await connect();
    const custom = await connect({ nsp: "/custom", manager: main.manager });
    const [inMain, inCustom] = [await main.call("whoami"), await custom.call("whoami")];
    assert.equal(inMain.eid, inCustom.eid);
    assert.notEqual(inMain.id, inCustom.id);
    assert.equal(inCustom.nsp, "/custom");

    const room = unique("room");
    await main.call("join", room);
    await custom.call("join", room);
    assert.equal(await main.call("relay", { from: "io", to: [room] }, "news", "main"), true);
    await main.settle();
    await custom.settle();
    assert.deepEqual(main.all("news"), [["main"]]);
    assert.deepEqual(custom.all("news"), []);
  });

  test("auth belongs to the namespace, query and headers to the connection [semantics 22]", async ({ connect }) => {
    const extraHeaders = { "x-compat": "yes" };
    const main = await connect({ auth: { who: "main" }, query: { q: "1 ü", r: "" }, extraHeaders });
    const custom = await connect({ nsp: "/custom", manager: main.manager, auth: { who: "custom" }, query: { q: "ignored" } });
    const [inMain, inCustom] = [await main.call("handshake"), await custom.call("handshake")];
    assert.deepEqual([inMain.auth, inCustom.auth], [{ who: "main" }, { who: "custom" }]);
    for (const { query, headers, url, address, secure, xdomain, issued, time } of [inMain, inCustom]) {
      assert.deepEqual({ ...query, t: "", transport: "" }, { ...query, EIO: "4", q: "1 ü", r: "", t: "", transport: "" });
      assert.equal(headers["x-compat"], "yes");
      assert.match(url, /^\/socket\.io\/\?.*EIO=4&transport=/);
      assert.match(address, /127\.0\.0\.1$/);
      assert.deepEqual([secure, xdomain], [false, false]);
      assert.equal(typeof issued, "number");
      assert.ok(Math.abs(new Date(time).getTime() - issued) < 1000, `${time} is not ${issued}`);
    }
  });

  test("a question mark in a namespace's name is part of it [semantics 22]", async ({ connect }) => {
    const main = await connect();
    const strange = await connect({ nsp: "/custom?a=b", manager: main.manager, ready: false });
    assert.equal((await strange.next("connect_error"))[0].message, "Invalid namespace");
    assert.equal(await main.call("message-with-ack", "still here"), "still here");
  });

  test("leaving one namespace leaves the other joined [SIO Disconnection from a namespace]", async ({ connect }) => {
    const main = await connect();
    const custom = await connect({ nsp: "/custom", manager: main.manager });
    custom.socket.emit("disconnect-me", false);
    assert.deepEqual((await custom.next("disconnect"))[0], "io server disconnect");
    assert.equal(await main.call("message-with-ack", "still here"), "still here");
  });

  test("an unknown namespace is refused, the connection stays [SIO Connection to a namespace]", async ({ connect }) => {
    const main = await connect();
    const nowhere = await connect({ nsp: "/nowhere", manager: main.manager, ready: false });
    const [error] = await nowhere.next("connect_error");
    assert.equal(error.message, "Invalid namespace");
    assert.equal(nowhere.socket.connected, false);
    assert.equal(await main.call("message-with-ack", "still here"), "still here");
  });

  test("a namespace may be joined again after it was left [SIO Connection to a namespace]", async ({ connect }) => {
    const main = await connect();
    const custom = await connect({ nsp: "/custom", manager: main.manager });
    const first = custom.id;
    custom.socket.disconnect();
    await custom.next("disconnect");
    // The reference's answer to DISCONNECT and CONNECT in one batch depends on its ticks; this question parts them.
    await main.settle();
    custom.socket.connect();
    await custom.next("connect");
    assert.notEqual(custom.id, first);
    assert.equal((await custom.call("whoami")).id, custom.id);
  });
});

onEachServer("doors", ({ test }) => {
  test("/healthz answers 200, and what is nobody's 404", async ({ server }) => {
    assert.equal((await fetch(`${server.url}/healthz`)).status, 200);
    assert.equal((await fetch(`${server.url}/nothing-here`)).status, 404);
  });

  test("clients of three transports meet in a room [EIO Transports]", async ({ connect }) => {
    const room = unique("room");
    const clients = [];
    for (const transport of ["websocket", "polling", "upgrade"]) clients.push(await connect({ transport }));
    for (const client of clients) await client.call("join", room);
    for (const [i, client] of clients.entries()) await client.call("relay", { to: [room] }, "said", i);
    for (const client of clients) await client.settle();
    assert.deepEqual(clients.map((client) => client.all("said").flat()), [[1, 2], [0, 2], [0, 1]]);
  });
});

onEachServer(
  "handshake",
  ({ test }) => {
    test("the handshake tells the contract's intervals and limits [EIO Handshake]", async ({ server }) => {
      const response = await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`);
      assert.equal(response.status, 200);
      const body = await response.text();
      assert.equal(body[0], "0");
      const { sid, ...rest } = JSON.parse(body.slice(1));
      assert.equal(typeof sid, "string");
      assert.deepEqual(rest, { upgrades: ["websocket"], pingInterval: 300, pingTimeout: 200, maxPayload: 1_000_000 });
    });
  },
  { profile: "protocol" },
);
