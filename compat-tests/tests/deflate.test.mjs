// permessage-deflate with the official client: what is compressed once arrives everywhere, what is not asked for is not
// compressed, and a message that would inflate without end ends its own connection only.

import assert from "node:assert/strict";
import { constants, deflateRawSync } from "node:zlib";
import { serverCells } from "./cells.mjs";
import { onEachServer, unique, upTo } from "./harness.mjs";
import { closeCode, frame, openWire, upgradeRequest } from "./wire.mjs";

const BROADCASTS = 100;
/** Clients of each kind; so many that each of two cores has some, but for one chance in a million. */
const CLIENTS = 20;
/** Bytes of an event's text, above the threshold of 1024. */
const TEXT_BYTES = 2048;
const [TEXT, RSV1] = [0x81, 0x40];
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
const COMPRESSING = { perMessageDeflate: true };
/** The official client offers compression unless told otherwise. */
const PLAIN = { perMessageDeflate: false };

const cells = serverCells().map((options) => [...options, "deflate=everywhere"]);

onEachServer(
  "deflate",
  ({ test }) => {
    test(`${BROADCASTS} different events reach clients with and without compression once and in order, compressed once a core [RFC 7692 section 7.2.1]`, async ({ connect, server }) => {
      const room = unique("room");
      const kinds = [COMPRESSING, PLAIN, { ...PLAIN, transport: "polling" }, { transport: "upgrade", ...COMPRESSING }];
      const crowd = [];
      for (const kind of kinds) {
        crowd.push(...(await Promise.all(upTo(CLIENTS).map(() => connect(kind)))));
      }
      for (const client of crowd) await client.call("join", room);
      const asked = kinds.flatMap(({ perMessageDeflate }) => Array(CLIENTS).fill(perMessageDeflate));
      assert.deepEqual(crowd.map(isCompressing), asked);
      const speaker = await connect(COMPRESSING);

      const events = upTo(BROADCASTS).map(eventOf);
      const before = await metrics(server);
      await Promise.all(events.map((event) => speaker.call("relay", { to: [room] }, "news", event)));
      for (const client of crowd) await client.take("news", BROADCASTS);
      await Promise.all(crowd.map((client) => client.settle()));
      for (const client of crowd) assert.deepEqual(client.all("news").flat(), events);

      const after = await metrics(server);
      const cores = after.deflates_total.length;
      for (const core of upTo(cores)) {
        assert.equal(after.deflates_total[core] - before.deflates_total[core], BROADCASTS, `core ${core}`);
      }
      const ratio = sum(after.deflate_bytes_in_total) / sum(after.deflate_bytes_out_total);
      assert.ok(ratio > 2, `compressed by ${ratio}`);
    });

    test("what a client compresses arrives, and so does its answer [RFC 7692 section 7.2.2]", async ({ connect }) => {
      const client = await connect(COMPRESSING);
      const event = eventOf(7);
      const bytes = Buffer.from("binary, ".repeat(1000));
      assert.deepEqual(await client.ask("message-with-ack", event, bytes), [event, bytes]);
    });

    test("a compression bomb ends with 1009, and nobody else notices [RFC 6455 section 10.4]", async ({ connect, server }) => {
      const bystander = await connect(COMPRESSING);
      const wire = await openWire(server);
      await wire.send(offer(WEBSOCKET));
      await wire.until("the open packet", (bytes) => bytes.includes("0{"));
      await wire.send(frame(TEXT | RSV1, bomb()));
      assert.equal(closeCode(await wire.ended()), 1009);
      assert.equal(await bystander.call("message-with-ack", "still here"), "still here");
    });

    test("what cannot be inflated ends with 1007 [RFC 7692 section 7.2.2]", async ({ server }) => {
      const wire = await openWire(server);
      await wire.send(offer(WEBSOCKET));
      await wire.until("the open packet", (bytes) => bytes.includes("0{"));
      await wire.send(frame(TEXT | RSV1, [0xff, 0xff, 0xff]));
      assert.equal(closeCode(await wire.ended()), 1007);
    });

    test("the answer names what was agreed upon; an offer that cannot be met is not answered [RFC 7692 section 5.1]", async ({ server }) => {
      const both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
      for (const [offered, answer] of [
        ["permessage-deflate; client_max_window_bits", both],
        ["permessage-deflate; server_max_window_bits=10", `${both}; server_max_window_bits=9`],
        ["permessage-deflate; server_max_window_bits=8", undefined],
        ["x-webkit-deflate-frame", undefined],
      ]) {
        const wire = await openWire(server);
        await wire.send(offer(WEBSOCKET, offered));
        const { status, headers } = await wire.response();
        wire.close();
        assert.equal(status, 101);
        assert.equal(headers["sec-websocket-extensions"], answer, offered);
      }
    });
  },
  { cells },
);

/** Some 2 KiB of JSON that no other event has. */
function eventOf(i) {
  const items = upTo(30).map((k) => ({ id: i * 1000 + k, name: `item ${(i * 7919 + k * 104_729) % 10_007}`, on: k % 2 === 0 }));
  const text = JSON.stringify(items).slice(0, TEXT_BYTES);
  return { i, text: text.padEnd(TEXT_BYTES, `${i} `) };
}

function isCompressing(client) {
  const { ws } = client.manager.engine.transport;
  return ws !== undefined && ws.extensions.includes("permessage-deflate");
}

/** Every metric's values, one a core. */
async function metrics({ url }) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = {};
  for (const [, name, value] of text.matchAll(/^socketville_(\w+)\{core="\d+"\} (\S+)$/gm)) {
    (found[name] ??= []).push(Number(value));
  }
  return found;
}

function sum(numbers) {
  return numbers.reduce((all, number) => all + number, 0);
}

/** An upgrade request that offers compression. */
function offer(path, extensions = "permessage-deflate") {
  return upgradeRequest(path).replace("\r\n\r\n", `\r\nSec-WebSocket-Extensions: ${extensions}\r\n\r\n`);
}

/** Under a megabyte that would become almost a gigabyte. */
function bomb() {
  const unit = deflateRawSync(Buffer.alloc(1 << 20), { finishFlush: constants.Z_FULL_FLUSH });
  return Buffer.concat(Array(Math.floor(900_000 / unit.length)).fill(unit));
}
