// Events and acknowledgements in both directions, their values and their order.
// Rooms and binary arguments have their own files.

import assert from "node:assert/strict";
import { onEachTransport, unique, upTo } from "./harness.mjs";

const VALUES = [1, -0.5, 9007199254740991, 1e21, "two", "", { three: [4, { five: null }] }, [], {}, null, true, false];
const TEXTS = ["Ä ä Ü ü ß", "Я Б Г Д Ж Й", "てすと", "utf8 — string", "😀👩‍👩‍👧", "\u2028\u2029", '"\\\n\t\u0000\u001e', "\u{10ffff}"];
const MANY = 500;

onEachTransport("events", ({ test }) => {
  test("message is echoed with all its arguments [SIO Sending and receiving data]", async ({ connect }) => {
    const client = await connect();
    client.socket.emit("message", ...VALUES);
    assert.deepEqual(await client.next("message-back"), VALUES);
  });

  test("an event may have no argument [SIO Sending and receiving data]", async ({ connect }) => {
    const client = await connect();
    client.socket.emit("message");
    assert.deepEqual(await client.next("message-back"), []);
  });

  test("message-with-ack is acknowledged with its arguments [SIO Acknowledgement]", async ({ connect }) => {
    const client = await connect();
    assert.deepEqual(await client.ask("message-with-ack", ...VALUES), VALUES);
    assert.deepEqual(await client.ask("message-with-ack"), []);
  });

  test("an event that wants an acknowledgement and has none is ignored [semantics 13]", async ({ connect }) => {
    const client = await connect();
    client.socket.emit("message-with-ack", "nobody listens");
    client.socket.emit("nobody-handles-this", 1);
    assert.deepEqual(await client.ask("message-with-ack", "next"), ["next"]);
  });

  test("many open questions are answered each with its own [SIO Acknowledgement]", async ({ connect }) => {
    const client = await connect();
    const answers = await Promise.all(upTo(100).map((i) => client.call("message-with-ack", i)));
    assert.deepEqual(answers, upTo(100));
  });

  test("the server's question is answered by the client [SIO Acknowledgement]", async ({ connect }) => {
    const client = await connect();
    client.socket.on("question", (a, b, ack) => ack(a + b, { seen: [a, b] }));
    client.socket.emit("ask", 4000, 20, 3);
    assert.deepEqual(await client.next("answer"), [{ timedOut: false, args: [23, { seen: [20, 3] }] }]);
  });

  test("the server's question times out without an answer [SIO Acknowledgement; semantics 14]", async ({ connect }) => {
    const client = await connect();
    client.socket.emit("ask", 30, "anyone?");
    const [answer] = await client.next("answer");
    assert.equal(answer.timedOut, true);
    assert.deepEqual(answer.args, []);
  });

  test("an answer after the time-out counts for nothing [semantics 13]", async ({ connect }) => {
    const client = await connect();
    let answerLate;
    client.socket.on("question", (what, ack) => (answerLate = ack));
    client.socket.emit("ask", 30, "anyone?");
    assert.equal((await client.next("answer"))[0].timedOut, true);
    answerLate("sorry");
    await client.settle();
    assert.equal(client.all("answer").length, 1);
  });

  test("text comes back as it was, whatever the script [SIO Sending and receiving data]", async ({ connect }) => {
    const client = await connect();
    assert.deepEqual(await client.ask("message-with-ack", ...TEXTS), TEXTS);
    client.socket.emit("message", Object.fromEntries(TEXTS.map((text) => [text, text])));
    assert.deepEqual(await client.next("message-back"), [Object.fromEntries(TEXTS.map((text) => [text, text]))]);
  });

  test(`${MANY} events of one client are handled in order [SIO Sending and receiving data]`, async ({ connect }) => {
    const client = await connect();
    for (const i of upTo(MANY)) client.socket.emit("message", i);
    const back = await client.take("message-back", MANY);
    assert.deepEqual(back.flat(), upTo(MANY));
  });

  test(`${MANY} events of the server come in order, before the acknowledgement behind them [SIO Sending and receiving data]`, async ({ connect }) => {
    const client = await connect();
    assert.equal(await client.call("burst", MANY, {}), MANY);
    assert.deepEqual(client.all("tick").flat(), upTo(MANY));
  });

  test("volatile events may be dropped, never doubled or turned round [semantics 15]", async ({ connect }) => {
    const client = await connect();
    assert.equal(await client.call("burst", MANY, { volatile: true }), MANY);
    await client.settle();
    const ticks = client.all("tick").flat();
    assert.ok(ticks.length <= MANY);
    assert.deepEqual(ticks, [...new Set(ticks)].sort((a, b) => a - b));
  });

  test("a packet middleware rewrites names and arguments, and refuses an event [semantics 19]", async ({ connect }) => {
    const tag = unique("middleware");
    const client = await connect({ auth: { tag } });
    client.socket.emit("rewrite", "a", 1);
    assert.deepEqual(await client.next("message-back"), ["a", 1]);
    client.socket.emit("label", "a", Buffer.from([1, 2]));
    assert.deepEqual(await client.next("message-back"), [Buffer.from([1, 2]), { label: "a" }]);
    client.socket.emit("blocked");
    await client.settle();
    const errors = (await client.call("log", tag)).filter(({ ev }) => ev === "error");
    assert.deepEqual(errors.map(({ message }) => message), ["blocked event"]);
  });
});
