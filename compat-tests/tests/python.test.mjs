// python-socketio, a client of other hands: its async and its sync client over every transport.
// What they do and expect is written in `python/scenarios.py`.

import assert from "node:assert/strict";
import { before, test as nodeTest } from "node:test";
import { onEachServer } from "./harness.mjs";
import { makeEnvironment, runScenarios, skipPython } from "./python.mjs";

const CLIENTS = 2;
const TRANSPORTS = 3;
const SCENARIOS = 10;

const skip = skipPython();
if (skip) {
  nodeTest("python-socketio", { skip }, () => {});
} else {
  let python;
  before(() => (python = makeEnvironment()));
  onEachServer("python-socketio", ({ test }) => {
    test("its two clients over every transport", async ({ server, t }) => {
      const results = await runScenarios(python, server.url);
      for (const { name, error } of results) await t.test(name, () => assert.equal(error, null));
      assert.equal(results.length, CLIENTS * TRANSPORTS * SCENARIOS);
    });
  }, { profile: "main" });
}
