// permessage-deflate with clients 2.x beside 4.x: text is compressed once for both, binary once for each revision of Engine.IO.
// What compression is in itself is in deflate.test.mjs.

import assert from "node:assert/strict";
import { serverCells } from "./cells.mjs";
import { onEachServer, unique } from "./harness.mjs";

onEachServer(
  "old clients, compressed",
  ({ test }) => {
    test("2.x and 4.x share what is compressed where their frames are the same [RFC 7692; Issue 3]", async ({ connect, server }) => {
      const room = unique("room");
      const crowd = await Promise.all([2, 2, 4, 4].map((version) => connect({ version, perMessageDeflate: true })));
      for (const client of crowd) await client.call("join", room);
      const text = "text, ".repeat(500);
      const bytes = Buffer.from("bytes, ".repeat(500));
      const before = await metrics(server);
      await crowd[0].call("relay", { from: "io", to: [room] }, "text", text);
      await crowd[3].call("relay", { from: "io", to: [room] }, "bytes", bytes);
      for (const client of crowd) {
        assert.deepEqual(await client.next("text"), [text]);
        assert.deepEqual(Buffer.from((await client.next("bytes"))[0]), bytes);
      }
      const after = await metrics(server);
      // Once for the text, once for the bytes of each revision; fewer on a core that has clients of one revision only.
      for (const [core, deflates] of after.deflates_total.entries()) {
        assert.ok(deflates - before.deflates_total[core] <= 3, `core ${core}: ${deflates}`);
        assert.ok(after.encodes_v3_total[core] - before.encodes_v3_total[core] <= 1, `core ${core}`);
      }
      assert.ok(after.encodes_v3_total.some((encodes, core) => encodes > before.encodes_v3_total[core]));
      assert.equal(after.sessions_v3.reduce((sum, sessions) => sum + sessions), 2);
    });
  },
  { cells: serverCells().map((options) => [...options, "deflate=everywhere"]), profile: "main" },
);

/** The figures of all cores, by name without the prefix. */
async function metrics({ url }) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = {};
  for (const [, name, value] of text.matchAll(/^socketville_(\w+)\{core="\d+"\} (\S+)$/gm)) (found[name] ??= []).push(Number(value));
  return found;
}
