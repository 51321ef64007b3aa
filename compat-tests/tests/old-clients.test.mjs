// The official clients 2.5 (Engine.IO 3) and 3.1 beside 4.x: what worked with the server they came with works with this one.
// What 2.x has of its own, such as its payloads, is in eio3.test.mjs.

import assert from "node:assert/strict";
import { ALL_TRANSPORTS, onEachServer, unique, until, upTo } from "./harness.mjs";

const VERSIONS = [2, 3];
const VALUES = [1, -0.5, "two", "😀é\u2028", { three: [4, { five: null }] }, [], {}, null, true];
/** Events of a burst: some meet in one payload or one send. */
const BURST = 50;
/** Who sits in the mixed room: each version on each transport, so often. */
const SEATS = 3;
const BROADCASTS = 40;

/** The Engine.IO revision of a client's version. */
const revision = (version) => (version === 2 ? 3 : 4);

/** How a client of this version says what later ones call auth: for `/` in the connection's query, for others behind the name. */
function saying(version, nsp, auth) {
  if (version !== 2) return { nsp, auth };
  return nsp === "/" ? { nsp, query: auth } : { nsp: `${nsp}?${new URLSearchParams(auth)}` };
}

onEachServer("old clients", ({ test }) => {
  for (const version of VERSIONS) {
    for (const transport of ALL_TRANSPORTS) {
      const title = `${version}.x over ${transport}`;

      test(`${title}: events and acknowledgements both ways [Issue 3]`, async ({ connect }) => {
        const client = await connect({ version, transport });
        client.socket.emit("message", ...VALUES);
        assert.deepEqual(await client.next("message-back"), VALUES);
        assert.deepEqual(await client.ask("message-with-ack", ...VALUES), VALUES);
        client.socket.on("question", (a, b, ack) => ack(a + b, Buffer.of(9)));
        client.socket.emit("ask", 4000, 20, 3);
        const [answer] = await client.next("answer");
        assert.deepEqual([answer.timedOut, answer.args[0], Buffer.from(answer.args[1])], [false, 23, Buffer.of(9)]);
        const who = await client.call("whoami");
        assert.deepEqual([who.id, who.protocol, who.recovered], [client.id, revision(version), false]);
        assert.equal(who.transport, transport === "polling" ? "polling" : "websocket");
        assert.equal(who.id === who.eid, version === 2, "2.x takes the session's id for its own");
      });

      test(`${title}: binary at any depth, and between text, in order [Issue 3]`, async ({ connect }) => {
        const client = await connect({ version, transport });
        const bytes = Buffer.from(upTo(256));
        client.socket.emit("message", { a: [bytes, { b: Buffer.alloc(0) }] }, "x", Buffer.of(4));
        const [nested, text, last] = await client.next("message-back");
        assert.deepEqual(Buffer.from(nested.a[0]), bytes);
        assert.deepEqual([Buffer.from(nested.a[1].b).length, text, Buffer.from(last)], [0, "x", Buffer.of(4)]);
        assert.deepEqual(await client.call("describe", bytes, [bytes], "x"), ["bin:256", "array", "string"]);
        assert.equal((await client.call("bytes", 70_000)).byteLength, 70_000);
        const bursts = [true, false, true].map((binary) => client.call("burst", BURST, { binary }));
        await Promise.all(bursts);
        const ticks = client.all("tick").map(([i, binary]) => [i, binary && Buffer.from(binary)[0]]);
        const burst = (binary) => upTo(BURST).map((i) => [i, binary ? i : undefined]);
        assert.deepEqual(ticks, [true, false, true].flatMap(burst));
      });

      test(`${title}: rooms, and the own id as one [Issue 3]`, async ({ connect }) => {
        const [a, b] = [await connect({ version, transport }), await connect({ transport: "websocket" })];
        const room = unique("room");
        assert.deepEqual(await a.call("join", room), [a.id, room].sort());
        await b.call("join", room);
        await b.call("relay", { to: [room] }, "said", "by b");
        await a.call("relay", { to: [room] }, "said", "by a");
        assert.deepEqual([await a.next("said"), await b.next("said")], [["by b"], ["by a"]]);
        await b.call("relay", { from: "io", to: [a.id] }, "alone", 1);
        await b.call("relay", { from: "io", to: [room], except: [a.id] }, "others", 2);
        await Promise.all([a.settle(), b.settle()]);
        assert.deepEqual([a.all("alone"), a.all("others"), b.all("alone"), b.all("others")], [[[1]], [], [], [[2]]]);
        await a.call("leave", room);
        assert.deepEqual(await a.call("rooms"), [a.id]);
      });

      test(`${title}: either side ends it, and each knows why [Issue 3]`, async ({ connect }) => {
        const witness = await connect();
        for (const [end, told, noted] of [
          [(client) => client.socket.disconnect(), "io client disconnect", "client namespace disconnect"],
          [(client) => client.socket.emit("disconnect-me", false), "io server disconnect", "server namespace disconnect"],
          [(client) => client.socket.emit("disconnect-me", true), "io server disconnect", "server namespace disconnect"],
          [(client) => client.manager.engine.close(), undefined, "transport close"],
        ]) {
          const tag = unique("tag");
          const client = await connect({ version, transport, ...saying(version, "/", { tag }) });
          end(client);
          const [reason] = await client.next("disconnect");
          assert.equal(reason, told ?? reason);
          const log = await until(`the end of ${tag}`, async () => {
            const entries = await witness.call("log", tag);
            return entries.some(({ ev }) => ev === "disconnect") && entries;
          });
          assert.deepEqual(log.map(({ ev }) => ev), ["connect", "disconnecting", "disconnect"]);
          assert.equal(log[2].reason, noted);
        }
      });
    }

    test(`${version}.x: namespaces, static and dynamic, with what the client says of itself [Issue 3]`, async ({ connect }) => {
      for (const nsp of ["/custom", `/dyn-${process.pid}${version}`]) {
        const client = await connect({ version, ...saying(version, nsp, { token: "a b&c", n: "1" }) });
        assert.deepEqual(await client.next("auth"), [{ token: "a b&c", n: "1" }]);
        const who = await client.call("whoami");
        assert.deepEqual([who.nsp, who.id, who.rooms], [nsp, client.id, [client.id]]);
        assert.equal(who.id === `${nsp}#${who.eid}`, version === 2);
        const other = await connect({ nsp });
        await other.call("relay", { from: "io", to: [client.id] }, "alone", Buffer.of(1));
        assert.deepEqual(Buffer.from((await client.next("alone"))[0]), Buffer.of(1));
        await client.call("relay", { from: "broadcast" }, "to the others", 2);
        assert.deepEqual(await other.next("to the others"), [2]);
        await client.settle();
        assert.deepEqual(client.all("to the others"), []);
        const found = (await other.call("fetch", {})).map(({ id }) => id);
        assert.deepEqual(found, [client.id, other.id].sort());
      }
    });

    test(`${version}.x: who is refused learns why, who is let in is in [Issue 3]`, async ({ connect }) => {
      const refused = await connect({ version, ready: false, ...saying(version, "/mw", { token: "wrong" }) });
      const data = { code: "E_AUTH", retry: false };
      const [error] = await refused.next(version === 2 ? "error" : "connect_error");
      assert.deepEqual(version === 2 ? error : error.data, data);
      const unknown = await connect({ version, ready: false, nsp: "/nowhere" });
      const [invalid] = await unknown.next(version === 2 ? "error" : "connect_error");
      assert.equal(invalid.message, "Invalid namespace");
      const admitted = await connect({ version, ...saying(version, "/mw", { token: "ok" }) });
      const who = await admitted.call("whoami");
      assert.deepEqual([who.data, who.rooms], [{ user: "ok" }, [admitted.id, "joined-in-middleware"].sort()]);
    });
  }

  test("a room of 2.x, 3.x and 4.x on all transports hears every broadcast once and in the order of its speaker [Issue 3]", async ({ connect }) => {
    const room = unique("room");
    const seats = [2, 3, 4].flatMap((version) => ALL_TRANSPORTS.map((transport) => ({ version, transport })));
    const enter = async (seat) => {
      const client = await connect({ ...seat, ready: false });
      await client.next("connect"); // those that upgrade do so while the room is spoken to
      await client.call("join", room);
      return client;
    };
    // Round by round: on a busy machine a crowd at once takes its process longer than the second in which the contract wants a CONNECT.
    const crowd = [];
    for (const _ of upTo(SEATS)) crowd.push(...(await Promise.all(seats.map(enter))));
    // Two speakers may live on two cores: what each says is heard in its order, what both say in no order between them.
    const speakers = [await connect({ version: 2 }), await connect()];
    for (const i of upTo(BROADCASTS)) {
      const what = i % 4 < 2 ? { text: i } : { bytes: Buffer.of(i) };
      await speakers[i % 2].call("relay", { to: [room] }, "news", i, what);
    }
    for (const client of crowd) {
      const news = await client.take("news", BROADCASTS);
      for (const speaker of [0, 1]) {
        const said = news.map(([i]) => i).filter((i) => i % 2 === speaker);
        assert.deepEqual(said, upTo(BROADCASTS).filter((i) => i % 2 === speaker));
      }
      for (const [i, { text, bytes }] of news) assert.equal(text ?? Buffer.from(bytes)[0], i);
    }
    await Promise.all(crowd.map((client) => client.settle()));
    for (const client of crowd) assert.equal(client.all("news").length, BROADCASTS);
  });
}, { profile: "main" });
