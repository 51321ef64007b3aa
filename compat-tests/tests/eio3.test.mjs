// Engine.IO 3 below the official client: payloads as text, bytes and scripts, the client's heartbeat, which session is whose.
// What the client 2.x makes of it is in old-clients.test.mjs. Sections are those of the Engine.IO v3 protocol document.

import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { onEachServer, until, upTo, within } from "./harness.mjs";

const PING_INTERVAL_MS = 300;
const EVENTS = 100;
const BINARY_ASK = '451-["message",{"_placeholder":true,"num":0}]';
const BINARY_BACK = '451-["message-back",{"_placeholder":true,"num":0}]';

/** A session of Engine.IO 3 over polling; `query` is what else its first request says. */
async function openPolling({ url }, path = "/socket.io/", query = "") {
  const address = `${url}${path}?EIO=3&transport=polling${query}`;
  const text = await (await fetch(address)).text();
  const handshake = JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1).replaceAll('\\"', '"'));
  const session = `${url}${path}?EIO=3&transport=polling&sid=${handshake.sid}`;
  return {
    first: text,
    handshake,
    sid: handshake.sid,
    url: session,
    poll: () => fetch(session),
    text: async () => (await fetch(session)).text(),
    post: async (body, headers = {}) => {
      const response = await fetch(session, { method: "POST", body, headers });
      return [response.status, await response.text()];
    },
  };
}

/** A WebSocket that remembers what came. */
function openWebSocket({ url }, path, query = "") {
  const ws = new WebSocket(`${url.replace("http", "ws")}${path}?EIO=3&transport=websocket${query}`);
  const packets = [];
  ws.on("message", (data, isBinary) => packets.push(isBinary ? data : data.toString()));
  ws.on("error", () => {});
  const closed = new Promise((resolve) => ws.once("close", resolve));
  return {
    ws,
    packets,
    open: () => within("the WebSocket", (resolve) => (ws.readyState === WebSocket.OPEN ? resolve() : ws.once("open", resolve))),
    until: (isWanted) => until(`the packet ${isWanted}`, () => packets.find(isWanted)),
    closed: () => within("the close", (resolve) => closed.then(resolve)),
  };
}

/** Polls until a packet has come, and returns all text. */
async function pollUntil(session, part) {
  let all = "";
  while (!all.includes(part)) all += await session.text();
  return all;
}

onEachServer("Engine.IO 3", ({ test }) => {
  test("the main namespace is joined unasked, behind the handshake [Handshake]", async ({ server }) => {
    const session = await openPolling(server);
    const [length, packet] = [Number(session.first.split(":")[0]), session.first.slice(session.first.indexOf(":") + 1)];
    assert.equal(length, packet.length);
    assert.deepEqual(Object.keys(session.handshake), ["sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"]);
    assert.ok((await pollUntil(session, "auth")).startsWith("2:40"));
    const ask = '420["message-with-ack","😀"]';
    assert.deepEqual(await session.post(`${ask.length}:${ask}`), [200, "ok"]);
    assert.equal(await session.text(), '9:430["😀"]');
  });

  test("binary is bytes for who takes them, else base64 [Payload]", async ({ server }) => {
    for (const [query, isBinary] of [["", true], ["&b64=1", false]]) {
      const session = await openPolling(server, "/socket.io/", query);
      await pollUntil(session, "auth");
      assert.deepEqual(await session.post(`${BINARY_ASK.length}:${BINARY_ASK}10:b4AQIDBA==`), [200, "ok"]);
      const response = await session.poll();
      const body = Buffer.from(await response.arrayBuffer());
      if (isBinary) {
        const digits = [...String(BINARY_BACK.length)].map(Number);
        assert.equal(response.headers.get("content-type"), "application/octet-stream");
        assert.deepEqual(body, Buffer.concat([Buffer.of(0, ...digits, 255), Buffer.from(BINARY_BACK), Buffer.of(1, 5, 255, 4, 1, 2, 3, 4)]));
        const asked = Buffer.concat([Buffer.of(0, 4, 5, 255), Buffer.from(BINARY_ASK), Buffer.of(1, 5, 255, 4, 1, 2, 3, 4)]);
        assert.equal(BINARY_ASK.length, 45);
        assert.deepEqual(await session.post(asked, { "content-type": "application/octet-stream" }), [200, "ok"]);
        assert.deepEqual(Buffer.from(await (await session.poll()).arrayBuffer()), body);
      } else {
        assert.equal(response.headers.get("content-type"), "text/plain; charset=UTF-8");
        assert.equal(body.toString(), `${BINARY_BACK.length}:${BINARY_BACK}10:b4AQIDBA==`);
      }
    }
  });

  test("JSONP: answers are scripts, requests are forms [Transports, jsonp]", async ({ server }) => {
    const called = (script, index) => {
      const heard = [];
      new Function("___eio", script)({ [index]: (payload) => heard.push(payload) });
      return heard.join("");
    };
    const session = await openPolling(server, "/socket.io/", "&j=12&b64=1");
    assert.match(called(session.first, 12), /^\d+:0\{"sid":"/);
    const poll = async () => {
      const response = await session.poll();
      assert.equal(response.headers.get("content-type"), "text/plain; charset=UTF-8");
      return called(await response.text(), 12);
    };
    let joined = "";
    while (!joined.includes("auth")) joined += await poll();
    assert.ok(joined.startsWith("2:40"));
    // As the client writes them: an escaped line feed gets a backslash more, a real one becomes an escaped one.
    const event = '420["message-with-ack","a\\nb\\\\n\u2028é"]';
    const written = `${event.length}:${event}`.replaceAll("\\n", "\\\n").replaceAll("\n", "\\n");
    const form = { "content-type": "application/x-www-form-urlencoded" };
    assert.deepEqual(await session.post(`d=${encodeURIComponent(written)}`, form), [200, "ok"]);
    const back = '430["a\\nb\\\\n\u2028é"]';
    assert.equal(await poll(), `${back.length}:${back}`);
    const binary = `${BINARY_ASK.length}:${BINARY_ASK}10:b4AQIDBA==`;
    assert.deepEqual(await session.post(`d=${encodeURIComponent(binary)}`, form), [200, "ok"]);
    assert.equal(await poll(), `${BINARY_BACK.length}:${BINARY_BACK}10:b4AQIDBA==`);
  });

  test("a WebSocket without binary gets base64 [Transports]", async ({ server }) => {
    const peer = openWebSocket(server, "/engine.io/", "&b64=1");
    await peer.until((packet) => packet[0] === "0");
    peer.ws.send("b4AQIDBA==");
    peer.ws.send(Buffer.of(4, 1, 2, 3, 4));
    await until("both", () => peer.packets.length === 3);
    assert.deepEqual(peer.packets.slice(1), ["b4AQIDBA==", "b4AQIDBA=="]);
    peer.ws.close();
  });

  test(`${EVENTS} events, text and binary, before, while and after an upgrade, in order [Upgrading]`, async ({ server }) => {
    const session = await openPolling(server, "/engine.io/", "&b64=1");
    const messages = upTo(EVENTS).map((i) => (i % 3 ? `4text ${i}` : `b4${Buffer.of(4, i).toString("base64")}`));
    const [before, probed, after] = [messages.slice(0, 40), messages.slice(40, 70), messages.slice(70)];
    const payload = (packets) => packets.map((packet) => `${packet.length}:${packet}`).join("");
    assert.deepEqual(await session.post(payload(before)), [200, "ok"]);
    assert.equal(await session.text(), payload(before));
    const over = openWebSocket(server, "/engine.io/", `&sid=${session.sid}`);
    await over.open();
    over.ws.send("2probe");
    await over.until((packet) => packet === "3probe");
    // A poll waits, is let go, and what comes then waits for the WebSocket.
    assert.equal(await session.text(), "1:6");
    assert.deepEqual(await session.post(payload(probed)), [200, "ok"]);
    over.ws.send("5");
    for (const packet of after) over.ws.send(packet);
    await until("the last", () => over.packets.length > probed.length + after.length);
    const heard = over.packets.slice(1).map((packet) => (typeof packet === "string" ? packet : `b4${packet.subarray(1).toString("base64")}`));
    assert.deepEqual(heard, [...probed, ...after]);
    assert.ok(over.packets.every((packet) => typeof packet === "string" || packet[0] === 4));
    assert.equal((await session.poll()).status, 400);
    over.ws.close();
  });

  test("a session is spoken to in its own revision only [reliability]", async ({ server }) => {
    const bad = { code: 3, message: "Bad request" };
    const three = await openPolling(server);
    assert.deepEqual(await (await fetch(three.url.replace("EIO=3", "EIO=4"))).json(), bad);
    const four = await (await fetch(`${server.url}/socket.io/?EIO=4&transport=polling`)).text();
    const { sid } = JSON.parse(four.slice(1));
    assert.deepEqual(await (await fetch(`${server.url}/socket.io/?EIO=3&transport=polling&sid=${sid}`)).json(), bad);
    const unknown = await fetch(`${server.url}/socket.io/?EIO=3&transport=polling&sid=abc`);
    assert.deepEqual([unknown.status, (await unknown.json()).code], [400, 1]);
  });
}, { profile: "main" });

onEachServer(
  "Engine.IO 3 heartbeat",
  ({ test }) => {
    test("the client pings and the server answers; silence ends the session [Heartbeat]", async ({ server, connect }) => {
      const [peer, silent] = [openWebSocket(server, "/engine.io/"), openWebSocket(server, "/engine.io/")];
      await Promise.all([peer, silent].map((one) => one.until((packet) => packet[0] === "0")));
      const polling = await openPolling(server, "/engine.io/");
      for (const i of upTo(4)) {
        await new Promise((resolve) => setTimeout(resolve, PING_INTERVAL_MS / 2));
        peer.ws.send("2");
        assert.deepEqual(await polling.post("1:2"), [200, "ok"]);
        assert.equal(await polling.text(), "1:3");
        await until("the pong", () => peer.packets.length === i + 2);
      }
      assert.deepEqual(peer.packets.slice(1), ["3", "3", "3", "3"], "pongs, and no pings");
      await silent.closed();
      assert.equal(silent.packets.length, 1);
      const client = await connect({ version: 2 });
      for (const _ of upTo(3)) await within("a pong", (resolve) => client.socket.once("pong", resolve));
      await peer.closed();
      await until("the end of the silent one that polls", async () => (await polling.post("1:2"))[0] === 400);
    });
  },
  { profile: "protocol-v3" },
);

onEachServer(
  "Engine.IO 3 not allowed",
  ({ test }) => {
    test("revision 3 is unsupported without the option [Handshake]", async ({ server }) => {
      for (const query of ["EIO=3&", ""]) {
        const response = await fetch(`${server.url}/socket.io/?${query}transport=polling`);
        assert.deepEqual([response.status, await response.json()], [400, { code: 5, message: "Unsupported protocol version" }]);
      }
      await openWebSocket(server, "/socket.io/").closed();
    });
  },
  { profile: "protocol" },
);
