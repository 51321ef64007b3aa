// Binary arguments in both directions, and payloads near and beyond the limits.
// The limit counts what comes in, in bytes as transported; nothing limits what goes out.

import assert from "node:assert/strict";
import { onEachTransport, upTo } from "./harness.mjs";

const OUT_BYTES = 3_000_000;
const IN_CHARS = 900_000;
/** Over polling binary travels as base64, a third longer, and must still fit into 1 000 000. */
const IN_BYTES = { websocket: 900_000, upgrade: 900_000, polling: 700_000 };

onEachTransport("payloads", ({ test, transport }) => {
  const bytes = (n, seed = 0) => Buffer.from(upTo(n).map((i) => (i + seed) & 0xff));

  test("binary is echoed, in any place of the arguments [SIO Sending and receiving data: BINARY_EVENT]", async ({ connect }) => {
    const client = await connect();
    const args = [bytes(256), "between", { deep: [{ er: bytes(3, 7) }, bytes(0)] }, [bytes(1, 255)]];
    client.socket.emit("message", ...args);
    assert.deepEqual(await client.next("message-back"), args);
  });

  test("binary is acknowledged [SIO Acknowledgement: BINARY_ACK]", async ({ connect }) => {
    const client = await connect();
    const args = upTo(10).map((i) => bytes(i * 100, i));
    assert.deepEqual(await client.ask("message-with-ack", ...args), args);
  });

  test("the server sees binary as binary, and the rest as it is [SIO Sending and receiving data]", async ({ connect }) => {
    const client = await connect();
    assert.deepEqual(
      await client.call("describe", bytes(5), { a: bytes(1) }, [bytes(2)], null, "s", 1, true),
      ["bin:5", "object", "array", "null", "string", "number", "boolean"],
    );
  });

  test("the client's answer to a question may be binary [SIO Acknowledgement: BINARY_ACK]", async ({ connect }) => {
    const client = await connect();
    client.socket.on("question", (data, ack) => ack({ back: data }, bytes(4)));
    client.socket.emit("ask", 4000, bytes(9));
    assert.deepEqual(await client.next("answer"), [{ timedOut: false, args: [{ back: bytes(9) }, bytes(4)] }]);
  });

  test("binary broadcasts keep their attachments and their order [SIO Sending and receiving data: BINARY_EVENT]", async ({ connect }) => {
    const [from, to] = [await connect(), await connect()];
    for (const i of upTo(20)) {
      const args = i % 2 ? [i, { two: [bytes(i, i), bytes(1000, i)] }] : [i];
      from.socket.emit("relay", { to: [to.id] }, "news", ...args, () => {});
    }
    const news = await to.take("news", 20);
    assert.deepEqual(news.map(([i]) => i), upTo(20));
    assert.deepEqual(news[19][1], { two: [bytes(19, 19), bytes(1000, 19)] });
  });

  test("a burst of binary events comes whole and in order [SIO Sending and receiving data: BINARY_EVENT]", async ({ connect }) => {
    const client = await connect();
    await client.call("burst", 200, { binary: true });
    assert.deepEqual(client.all("tick"), upTo(200).map((i) => [i, Buffer.of(i)]));
  });

  test(`${OUT_BYTES} bytes out [semantics 2]`, async ({ connect }) => {
    const client = await connect();
    const answer = await client.call("bytes", OUT_BYTES);
    assert.ok(Buffer.alloc(OUT_BYTES, 0xa5).equals(answer));
    assert.equal(await client.call("message-with-ack", "still here"), "still here");
  });

  test(`${IN_CHARS} characters in and out [EIO Handshake: maxPayload]`, async ({ connect }) => {
    const client = await connect();
    const text = "0123456789".repeat(IN_CHARS / 10);
    assert.equal(await client.call("message-with-ack", text), text);
  });

  test(`${IN_BYTES[transport]} bytes in [EIO Handshake: maxPayload]`, async ({ connect }) => {
    const client = await connect();
    assert.deepEqual(await client.call("describe", Buffer.alloc(IN_BYTES[transport], 1)), [`bin:${IN_BYTES[transport]}`]);
  });

  test("more than the limit in ends that client alone [EIO Handshake: maxPayload]", async ({ connect }) => {
    const [client, bystander] = [await connect(), await connect()];
    client.socket.emit("message", "x".repeat(1_000_001));
    const [reason] = await client.next("disconnect");
    assert.match(reason, /^transport (close|error)$/);
    assert.equal(await bystander.call("message-with-ack", "still here"), "still here");
  });
});
