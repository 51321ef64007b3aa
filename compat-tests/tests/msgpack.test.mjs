// The official clients with socket.io-msgpack-parser: what they say and hear is the same as in JSON, attachments inline.
// Values that the parser itself loses (integers beyond 64 bits) are not the server's business; what JSON has no word for
// (dates, undefined) is, and stands in the decoder's vectors.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { onEachServer, onEachTransport, unique, upTo } from "./harness.mjs";
import { openSession } from "./session.mjs";

const require = createRequire(import.meta.url);
const { Decoder, Encoder, PacketType } = require("socket.io-msgpack-parser");

const PROFILE = { profile: "msgpack" };
const VALUES = [1, -0.5, 9007199254740991, -2147483649, 1e-7, "two", "", { three: [4, { five: null }] }, [], {}, null, true, false];
const TEXTS = ["Ä ä Ü ü ß", "てすと", "😀👩‍👩‍👧", "\u2028\u2029", '"\\\n\t\u0000\u001e', "a".repeat(300)];
const MANY = 300;
/** What bad input does to a server with several cores may depend on the core. */
const TIMES = 4;

const toBytes = (packet) => new Encoder().encode(packet)[0];
const toHex = (text) => Buffer.from(text, "hex");

onEachTransport("msgpack", ({ test }) => {
  test("events and acknowledgements carry their values [SIO Sending and receiving data]", async ({ connect }) => {
    const client = await connect({ auth: { token: "x", n: [1] } });
    assert.deepEqual(await client.next("auth"), [{ token: "x", n: [1] }]);
    client.socket.emit("message", ...VALUES);
    assert.deepEqual(await client.next("message-back"), VALUES);
    assert.deepEqual(await client.ask("message-with-ack", ...TEXTS), TEXTS);
    assert.deepEqual(await client.ask("message-with-ack"), []);
    const kinds = ["number", "array", "object", "null", "bin:3", "string", "boolean"];
    assert.deepEqual(await client.call("describe", 1, [2], { a: 1 }, null, Buffer.of(1, 2, 3), "x", true), kinds);
  });

  test("the server's questions are answered, with binary, or time out [SIO Acknowledgement]", async ({ connect }) => {
    const client = await connect();
    client.socket.once("question", (a, bytes, ack) => ack(a + 1, { bytes }));
    client.socket.emit("ask", 4000, 20, Buffer.of(7, 8));
    const [answer] = await client.next("answer");
    assert.deepEqual(answer, { timedOut: false, args: [21, { bytes: Buffer.of(7, 8) }] });
    client.socket.emit("ask", 30, "anyone?");
    assert.equal((await client.next("answer"))[0].timedOut, true);
  });

  test("binary comes back from anywhere, in any number, beside maps like placeholders [SIO Packet encoding]", async ({ connect }) => {
    const client = await connect();
    const lookalike = { _placeholder: true, num: 0 };
    const args = [Buffer.alloc(0), { deep: [{ x: Buffer.alloc(70_000, 7) }, lookalike] }, lookalike, ...upTo(20).map((i) => Buffer.of(i))];
    assert.deepEqual(await client.ask("message-with-ack", ...args), args);
    client.socket.emit("message", ...args);
    assert.deepEqual(await client.next("message-back"), args);
    assert.deepEqual(await client.ask("message-with-ack", lookalike), [lookalike]);
    assert.deepEqual(await client.call("bytes", 100_000), Buffer.alloc(100_000, 0xa5));
  });

  test("broadcasts reach rooms, but not the sender nor the excepted [semantics 17]", async ({ connect }) => {
    const [a, b, c] = [await connect(), await connect(), await connect()];
    const [room, away] = [unique("room"), unique("away")];
    for (const client of [a, b, c]) await client.call("join", room);
    await c.call("join", away);
    const news = [1, Buffer.of(1, 2), { x: [Buffer.of(3)] }];
    await a.call("relay", { to: [room], except: [away] }, "news", ...news);
    assert.deepEqual(await b.next("news"), news);
    await a.call("relay", { from: "io", to: [room] }, "all", ...news);
    for (const client of [a, b, c]) assert.deepEqual(await client.next("all"), news);
    await a.call("relay", { to: [b.id] }, "private", "hello");
    assert.deepEqual(await b.next("private"), ["hello"]);
    for (const client of [a, c]) {
      await client.settle();
      assert.deepEqual([client.all("news"), client.all("private")], [[], []]);
    }
  });

  test("a broadcast collects acknowledgements [SIO Acknowledgement]", async ({ connect }) => {
    const room = unique("room");
    const others = [await connect(), await connect()];
    for (const [i, other] of others.entries()) {
      await other.call("join", room);
      other.socket.on("how many", (ack) => ack({ i }));
    }
    const asker = await connect();
    const { timedOut, responses } = await asker.call("relay", { to: [room], timeout: 4000 }, "how many");
    assert.equal(timedOut, false);
    assert.deepEqual(responses.sort((a, b) => a.i - b.i), upTo(2).map((i) => ({ i })));
  });

  test(`${MANY} events come in order, some with binary, volatile ones at most once [semantics 15]`, async ({ connect }) => {
    const client = await connect();
    assert.equal(await client.call("burst", MANY, { binary: true }), MANY);
    assert.deepEqual(client.all("tick"), upTo(MANY).map((i) => [i, Buffer.of(i & 0xff)]));
    const second = await connect();
    assert.equal(await second.call("burst", MANY, { volatile: true }), MANY);
    await second.settle();
    const ticks = second.all("tick").flat();
    assert.deepEqual(ticks, [...new Set(ticks)].sort((a, b) => a - b));
  });

  test("namespaces: static, dynamic, unknown; middlewares admit and refuse with data [semantics 19]", async ({ connect }) => {
    for (const nsp of ["/custom", "/dyn-12"]) {
      const client = await connect({ nsp });
      assert.equal((await client.call("whoami")).nsp, nsp);
      client.socket.emit("disconnect-me", false);
      assert.equal((await client.next("disconnect"))[0], "io server disconnect");
    }
    const unknown = await connect({ nsp: "/nope", ready: false });
    assert.equal((await unknown.next("connect_error"))[0].message, "Invalid namespace");
    const refused = await connect({ nsp: "/mw", auth: { token: "wrong" }, ready: false });
    const [error] = await refused.next("connect_error");
    assert.deepEqual([error.message, error.data], ["not authorized", { code: "E_AUTH", retry: false }]);
    const admitted = await connect({ nsp: "/mw", auth: { token: "ok", delay: 20 } });
    assert.deepEqual((await admitted.call("whoami")).data, { user: "ok" });
  });

  test("a client that leaves is gone, for its own reason [semantics 16]", async ({ connect }) => {
    const tag = unique("leaver");
    const [leaver, witness] = [await connect({ auth: { tag } }), await connect()];
    leaver.socket.disconnect();
    const ended = async () => (await witness.call("log", tag)).find(({ ev }) => ev === "disconnect");
    let end;
    while (!(end = await ended()));
    assert.equal(end.reason, "client namespace disconnect");
  });
}, undefined, PROFILE);

/** Binary messages that are no packet, or one that may not come: [bytes, whether the client has joined]. */
const BAD = {
  "nothing": [Buffer.alloc(0), true],
  "no MessagePack": [toHex("c1"), true],
  "a number": [toHex("05"), true],
  "a cut packet": [toBytes({ type: 2, data: ["message"], nsp: "/" }).subarray(0, 20), true],
  "bytes behind a packet": [Buffer.concat([toBytes({ type: 2, data: ["message"], nsp: "/" }), Buffer.of(0)]), true],
  "a claimed array of 2^32-1": [toHex("83a47479706502a36e7370a12fa464617461ddffffffff"), true],
  "a deep packet": [Buffer.concat([toHex("83a47479706502a36e7370a12fa464617461"), Buffer.alloc(100_000, 0x91), toHex("c0")]), true],
  "a type of JSON's": [toBytes({ type: 5, data: ["message"], nsp: "/" }), true],
  "a refusal": [toBytes({ type: 4, data: {}, nsp: "/" }), true],
  "a packet without a namespace": [toBytes({ type: 2, data: ["message"] }), true],
  "an event that is an object": [toBytes({ type: 2, data: { message: 1 }, nsp: "/" }), true],
  "an ack id that is text": [toBytes({ type: 2, data: ["message"], nsp: "/", id: "1" }), true],
  "an event of another namespace": [toBytes({ type: 2, data: ["message"], nsp: "/custom" }), true],
  "an event before joining": [toBytes({ type: 2, data: ["message"], nsp: "/" }), false],
  "credentials that are no object": [toBytes({ type: 0, data: [], nsp: "/" }), false],
  "text": ['42["message"]', true],
  "text before joining": ["40", false],
};

onEachServer("msgpack, bad input", ({ test }) => {
  for (const [name, [message, hasJoined]] of Object.entries(BAD)) {
    test(`${name} ends the connection, and nobody else's [semantics 11]`, async ({ connect, server }) => {
      const bystander = await connect();
      for (const _ of upTo(TIMES)) {
        await endsWebSocket(server, message, hasJoined);
        await endsPolling(server, message, hasJoined);
      }
      assert.deepEqual(await bystander.ask("message-with-ack", name), [name]);
      assert.equal(bystander.all("disconnect").length, 0);
    });
  }

  test("packets are those of the official encoder [SIO Packet encoding]", async ({ server }) => {
    const session = await openSession(server, "websocket");
    session.send(toBytes({ type: PacketType.CONNECT, data: { a: 1 }, nsp: "/" }));
    const connected = await session.next(Buffer.isBuffer);
    const { type, data, nsp } = decode(connected);
    assert.deepEqual([type, nsp, typeof data.sid], [PacketType.CONNECT, "/", "string"]);
    assert.deepEqual(toBytes(decode(connected)), connected);
    assert.deepEqual(decode(await session.next(Buffer.isBuffer)).data, ["auth", { a: 1 }]);
    const event = ["message-with-ack", 300, "x".repeat(40), Array(20).fill(0.5), Buffer.of(1)];
    session.send(toBytes({ type: PacketType.EVENT, data: event, nsp: "/", id: 3 }));
    const answer = await session.next(Buffer.isBuffer);
    assert.deepEqual(decode(answer), { type: PacketType.ACK, data: event.slice(1), nsp: "/", id: 3 });
    assert.deepEqual(toBytes(decode(answer)), answer); // members keep the order in which they came
    session.tear();
  });
}, PROFILE);

async function endsWebSocket(server, message, hasJoined) {
  const session = await openSession(server, "websocket");
  if (hasJoined) {
    session.send(toBytes({ type: PacketType.CONNECT, nsp: "/" }));
    await session.next(Buffer.isBuffer);
  }
  session.send(message);
  assert.equal(await session.closed(), 1005);
}

async function endsPolling(server, message, hasJoined) {
  const session = await openSession(server, "polling");
  const asText = (packet) => (Buffer.isBuffer(packet) ? `b${packet.toString("base64")}` : packet);
  if (hasJoined) await session.post(asText(toBytes({ type: PacketType.CONNECT, nsp: "/" })));
  await session.post(asText(message));
  // What was due comes first, then perhaps a close, then there is no session.
  let polls = 0;
  while ((await session.poll()) === 200) assert.ok(++polls <= 2, "the session has ended");
}

function decode(bytes) {
  const decoder = new Decoder();
  let packet;
  decoder.on("decoded", (decoded) => (packet = decoded));
  decoder.add(bytes);
  return packet;
}
