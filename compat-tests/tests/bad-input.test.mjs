// Bad input on every door gets its proper answer, and a bystander misses nothing while it comes.
// Each case is sent several times, so that with several cores the bystander's own core meets it, too.

import assert from "node:assert/strict";
import { setImmediate as turnOfEvents } from "node:timers/promises";
import { onEachServer, unique, upTo } from "./harness.mjs";
import { openSession } from "./session.mjs";
import { closeCode, exchange, frame, openWire, parseResponse, request, upgradeRequest } from "./wire.mjs";

const TIMES = 4;
const LIMIT = 1_000_000;
const POLLING = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
const [TEXT, BINARY, PING] = [0x81, 0x82, 0x89];

/** Requests that are HTTP and wrong: the answer is JSON with Engine.IO's code. */
const REFUSED = {
  "an unknown transport": ["GET", "/socket.io/?EIO=4&transport=abc", 0, "Transport unknown"],
  "no transport": ["GET", "/socket.io/?EIO=4", 0, "Transport unknown"],
  "a transport named __proto__": ["GET", "/socket.io/?EIO=4&transport=__proto__", 0, "Transport unknown"],
  "an unknown sid": ["GET", `${POLLING}&sid=nobody`, 1, "Session ID unknown"],
  "a POST to an unknown sid": ["POST", `${POLLING}&sid=nobody`, 1, "Session ID unknown"],
  "a sid named __proto__": ["GET", `${POLLING}&sid=__proto__`, 1, "Session ID unknown"],
  "a POST without a sid": ["POST", POLLING, 2, "Bad handshake method"],
  "a WebSocket without an upgrade": ["GET", WEBSOCKET, 3, "Bad request"],
};

/** Requests of another version than the one of the profile `protocol`. */
const WRONG_VERSION = {
  "version 3": ["GET", "/socket.io/?EIO=3&transport=polling", 5, "Unsupported protocol version"],
  "no version": ["GET", "/socket.io/?transport=polling", 5, "Unsupported protocol version"],
  "a version that is no number": ["GET", "/socket.io/?EIO=abc&transport=polling", 5, "Unsupported protocol version"],
};

/** Bytes that are not HTTP, or not allowed HTTP: the connection is closed, with this status if with any. */
const NOT_HTTP = {
  "a TLS hello": [Buffer.from("1603010200010001fc0303", "hex"), 400],
  "words": ["HELO example\r\n\r\n", 400],
  "binary zeros": [Buffer.alloc(64), 400],
  "two content-lengths": [`POST ${POLLING} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
  "a signed content-length": [`POST ${POLLING} HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n`, 400],
  "headers without end": [`GET ${POLLING} HTTP/1.1\r\nHost: a\r\n${"X-Filler: 0123456789\r\n".repeat(2000)}`, 431],
};

/** Frames sent behind the 101: [bytes, close code]. */
const BAD_FRAMES = {
  "an unmasked frame": [frame(TEXT, "40", { isMasked: false }), 1002],
  "a reserved bit": [frame(TEXT | 0x40, "40"), 1002],
  "an unknown opcode": [frame(0x83, "40"), 1002],
  "a continuation of nothing": [frame(0x80, "40"), 1002],
  "a ping over 125 bytes": [frame(PING, "x".repeat(126)), 1002],
  "text that is not UTF-8": [frame(TEXT, [0x34, 0xff, 0xfe]), 1007],
  "a frame over the limit, by its length alone": [frame(TEXT, "4", { length: LIMIT + 1 }), 1009],
  "a frame of 2^53 bytes": [frame(BINARY, "4", { length: 2 ** 53 }), 1009],
  "fragments over the limit": [Buffer.concat([frame(0x01, "4".repeat(LIMIT)), frame(0x80, "44")]), 1009],
  "a garbage packet": [frame(TEXT, "rubbish"), 1005],
  "an empty packet": [frame(TEXT, ""), 1005],
  "an event before joining": [frame(TEXT, '42["message"]'), 1005],
};

/** Payloads posted into a session that has joined; afterwards it is gone. */
const BAD_PAYLOADS = {
  "a garbage packet": "rubbish",
  "an unknown packet type": "9",
  "broken JSON": '42["message"',
  "an event that is an object": '42{"message":1}',
  "text where an attachment is due": '451-["message",{"_placeholder":true,"num":0}]\x1e42["message"]',
  "a placeholder that names a method": '451-["message",{"_placeholder":true,"num":"splice"}]\x1ebAA==',
  "a placeholder out of range": '451-["message",{"_placeholder":true,"num":1}]\x1ebAA==',
  "more attachments than allowed": '4511-["message"]',
};

onEachServer("bad input", ({ test }) => {
  refuses(test, REFUSED);

  for (const [name, [bytes, status]] of Object.entries(NOT_HTTP)) {
    badInput(test, `${name} ends the connection, ${status} [EIO HTTP long-polling]`, async (server) => {
      const received = await exchange(server, bytes);
      if (received.length) assert.equal(parseResponse(received).status, status);
    });
  }

  for (const [name, [bytes, code]] of Object.entries(BAD_FRAMES)) {
    badInput(test, `${name} closes with ${code} [EIO WebSocket; RFC 6455 section 7.4.1]`, async (server) => {
      const wire = await openWire(server);
      await wire.send(upgradeRequest(WEBSOCKET));
      await wire.until("the open packet", (received) => received.includes('0{"sid"'));
      await wire.send(bytes);
      await wire.until("the close frame", (received) => closeCode(received) !== undefined);
      assert.equal(closeCode(wire.received), code);
      wire.close();
    });
  }

  badInput(test, "a close code comes though much follows the fault [RFC 6455 sections 7.1.1, 7.1.7]", async (server) => {
    const wire = await openWire(server, { allowHalfOpen: true });
    await wire.send(upgradeRequest(WEBSOCKET));
    await wire.until("the open packet", (received) => received.includes('0{"sid"'));
    await goOn(wire, frame(0x83, "40"), frame(BINARY, Buffer.alloc(10_000)));
    await wire.until("the close frame", (received) => closeCode(received) !== undefined);
    assert.equal(closeCode(wire.received), 1002);
    await isNoReset(wire);
  });

  badInput(test, "a refusal comes though its request's body follows [RFC 9112 section 9.6]", async (server) => {
    const wire = await openWire(server, { allowHalfOpen: true });
    await goOn(wire, request("POST", POLLING, undefined, { "Content-Length": 500_000 }), Buffer.alloc(10_000));
    const { status, headers } = await wire.response();
    assert.deepEqual([status, headers.connection], [400, "close"]);
    await isNoReset(wire);
  });

  badInput(test, "an answer to rubbish comes though more follows [RFC 9112 section 9.6]", async (server) => {
    const wire = await openWire(server, { allowHalfOpen: true });
    await goOn(wire, "HELO example\r\n\r\n", Buffer.alloc(10_000));
    assert.equal((await wire.response()).status, 400);
    await isNoReset(wire);
  });

  for (const [name, payload] of Object.entries(BAD_PAYLOADS)) {
    badInput(test, `${name} in a POST ends the session [EIO HTTP long-polling: Sending data; semantics 11, 12]`, async (server) => {
      const session = await openSession(server, "polling");
      await session.join();
      await session.post(payload);
      // The next GET may still bring the close packet; the one after it finds nothing.
      await session.poll();
      assert.equal(await session.poll(), 400);
    });
  }

  badInput(test, "a body over the limit is refused with 413 [EIO Handshake: maxPayload; semantics 2]", async (server) => {
    const session = await openSession(server, "polling");
    await session.join();
    const path = new URL(session.url).pathname + new URL(session.url).search;
    const wire = await openWire(server);
    await wire.send(request("POST", path, undefined, { "Content-Length": LIMIT + 1 }));
    await wire.send("4".repeat(LIMIT + 1));
    await wire.until("the response", (received) => parseResponse(received));
    assert.equal(parseResponse(wire.received).status, 413);
    wire.close();
  });

  badInput(test, "a chunked body over the limit is refused with 413 [EIO Handshake: maxPayload; semantics 2]", async (server) => {
    const session = await openSession(server, "polling");
    await session.join();
    const path = new URL(session.url).pathname + new URL(session.url).search;
    const wire = await openWire(server);
    await wire.send(request("POST", path, undefined, { "Transfer-Encoding": "chunked" }));
    const chunk = `${(250_000).toString(16)}\r\n${"4".repeat(250_000)}\r\n`;
    for (const _ of upTo(5)) await wire.send(chunk);
    await wire.until("the response", (received) => parseResponse(received));
    assert.equal(parseResponse(wire.received).status, 413);
    wire.close();
  });

  badInput(test, "a second GET at once ends the session [semantics 3]", async (server) => {
    const session = await openSession(server, "polling");
    await session.join();
    const statuses = await Promise.all([session.poll(), session.poll()]);
    assert.deepEqual(statuses.sort(), [200, 400]);
    assert.ok(session.packets.includes("1"));
    assert.equal(await session.poll(), 400);
  });

  badInput(test, "a client that leaves in the middle of a request or a frame [semantics 3]", async (server) => {
    const path = `POST ${POLLING} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n4`;
    for (const bytes of ["GET /socket", path, upgradeRequest(WEBSOCKET) + "\x81"]) {
      const wire = await openWire(server);
      await wire.send(bytes);
      wire.close();
    }
  });

  test("a request that comes byte by byte is a request [EIO HTTP long-polling]", async ({ server }) => {
    const wire = await openWire(server);
    for (const byte of request("GET", POLLING)) await wire.send(byte);
    const response = await wire.response();
    assert.equal(response.status, 200);
    assert.match(response.body, /^0\{"sid"/);
    wire.close();
  });
});

onEachServer("wrong version", ({ test }) => refuses(test, WRONG_VERSION), { profile: "protocol" });

/** A fault, and 50 writes more, as they come from a client that does not read meanwhile. */
async function goOn(wire, fault, more) {
  wire.socket.pause();
  await wire.send(fault);
  for (const _ of upTo(50)) {
    await wire.send(more);
    await turnOfEvents();
  }
  wire.socket.resume();
}

/** The server has ended its direction, and hears what else there is until we end ours. */
async function isNoReset(wire) {
  await wire.send("and more");
  await wire.ended();
  assert.equal(wire.error, undefined);
}

function refuses(test, cases) {
  for (const [name, [method, path, code, message]] of Object.entries(cases)) {
    badInput(test, `${name} is refused with code ${code} [EIO Handshake; semantics 1]`, async (server) => {
      const response = await fetch(server.url + path, { method, body: method === "POST" ? "1" : undefined });
      assert.equal(response.status, 400);
      assert.deepEqual(await response.json(), { code, message });
    });
  }
}

/** A case run several times while a bystander is told the time: the bystander stays and misses no tick. */
function badInput(test, name, run) {
  test(name, async ({ connect, server }) => {
    const [bystander, clock] = [await connect(), await connect()];
    const room = unique("bystanders");
    await bystander.call("join", room);
    let isOver = false;
    const ticking = tick(clock, room, () => isOver);
    try {
      for (const _ of upTo(TIMES)) await run(server);
    } finally {
      isOver = true;
    }
    const ticks = await ticking;
    assert.deepEqual((await bystander.take("tick", ticks)).flat(), upTo(ticks));
    await bystander.settle();
    assert.equal(bystander.all("tick").length, ticks);
  });
}

/** Broadcasts 0, 1, 2 … each after the last was acknowledged, and resolves with how many there were. */
async function tick(clock, room, isOver) {
  let ticks = 0;
  do await clock.call("relay", { from: "io", to: [room] }, "tick", ticks++);
  while (!isOver());
  return ticks;
}
