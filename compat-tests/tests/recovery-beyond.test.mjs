// Connection state recovery where the reference gives up: not run against it, for it fails here.
// What both do is in recovery.test.mjs.

import assert from "node:assert/strict";
import { onEachTransport } from "./harness.mjs";
import { away, pair } from "./away.mjs";

onEachTransport(
  "recovery beyond the reference",
  ({ test }) => {
    test("a client that has heard nothing recovers too [semantics 21]", async ({ connect }) => {
      const { a, b, room } = await pair(connect);
      await away(a);
      assert.equal(a.socket.recovered, true);
      await away(a, () => b.call("relay", { to: [room] }, "news", 1));
      assert.equal(a.socket.recovered, true);
      assert.equal((await a.next("news"))[0], 1);
    });

    for (const offset of ["rubbish", "0.zzzzzz", 7, null]) {
      test(`an offset that cannot be read begins anew, and nothing comes twice: ${offset} [semantics 21]`, async ({ connect }) => {
        const { a } = await pair(connect);
        a.socket._lastOffset = offset;
        await away(a);
        assert.equal(a.socket.recovered, false);
      });
    }
  },
  undefined,
  { profile: "recovery" },
);
