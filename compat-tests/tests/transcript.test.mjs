// The same bytes, to the reference and to ours: what comes back is the same, but for the differences that are listed and explained.
// The scripts are in transcript/scripts, the differences in transcript/differences.mjs.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { serverCells } from "./cells.mjs";
import { conformanceCommand, startServer } from "./server.mjs";
import { DIFFERENCES } from "../transcript/differences.mjs";
import { play, stepNames } from "../transcript/player.mjs";
import { GROUPS } from "../transcript/scripts.mjs";

const REFERENCE = ["node", fileURLToPath(new URL("../reference/conformance.mjs", import.meta.url))];
/** Scripts that play at the same time; their connections know nothing of each other. */
const AT_ONCE = 8;

conformanceCommand(); // a missing program fails the file once
/** What the reference said, played once for all servers: name of a script -> its transcript. */
const expected = new Map();

describe("transcript: the reference", () => {
  for (const { title, profile, scripts } of GROUPS) {
    test(`${title}: ${scripts.length} scripts`, async () => {
      const server = await startServer({ profile, command: REFERENCE });
      for (const [name, transcript] of await playAll(server, scripts)) expected.set(name, transcript);
      await server.stop();
      const silent = [...expected].filter(([, steps]) => steps.some(({ lines }) => lines.includes("silence")));
      assert.deepEqual(silent, [], "a script waits for what the reference never says");
    });
  }
});

for (const options of serverCells()) {
  describe(`transcript [${options.join(" ")}]`, () => {
    const servers = {};
    const profiles = [...new Set(GROUPS.map(({ profile }) => profile))];
    before(async () => {
      for (const profile of profiles) servers[profile] = await startServer({ profile, options });
    });
    after(() => Promise.all(Object.values(servers).map((server) => server.stop())));
    for (const { title, profile, scripts } of GROUPS) {
      test(`${title}: ${scripts.length} scripts are answered as by the reference`, async () => {
        const found = [...(await playAll(servers[profile], scripts))].flatMap(([name, ours]) => compare(name, expected.get(name), ours));
        assert.ok(found.length === 0, `${found.length} steps differ:\n${found.join("\n")}`);
      });
    }
  });
}

test("every listed difference is of a step that is there, is listed once, and says why", () => {
  const scripts = GROUPS.flatMap((group) => group.scripts);
  const steps = scripts.flatMap(({ name, steps }) => stepNames(steps).map((step) => `${name}: ${step}`));
  assert.equal(new Set(steps).size, steps.length, "two scripts have one name");
  const listed = DIFFERENCES.map(({ script, step }) => `${script}: ${step}`);
  assert.deepEqual(listed.filter((place, i) => !steps.includes(place) || listed.indexOf(place) !== i), []);
  for (const { script, why } of DIFFERENCES) assert.ok(why?.length > 20, script);
});

/** Plays all scripts, some at a time; name -> transcript. */
async function playAll(server, scripts) {
  const [waiting, played] = [[...scripts], new Map()];
  const playNext = async () => {
    for (let next; (next = waiting.shift()); ) played.set(next.name, await play(server, next.steps));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, playNext));
  return played;
}

/** The steps in which ours does not say what it should: the same as the reference, or what is listed for both. */
function compare(script, reference, ours) {
  assert.equal(ours.length, reference.length, script);
  return reference.flatMap(({ step, lines }, i) => {
    const listed = DIFFERENCES.find((entry) => entry.script === script && entry.step === step);
    const allowed = listed ? (listed.ours.either ?? [listed.ours]) : [lines];
    const isAsListed = !listed || isDeepStrictEqual(lines, listed.reference);
    const isAllowed = allowed.some((one) => isDeepStrictEqual(one, ours[i].lines));
    if (isAsListed && isAllowed) return [];
    const told = { reference: lines, ours: ours[i].lines, ...(listed && { listed: { reference: listed.reference, ours: allowed } }) };
    return [`${script}: ${step}: ${JSON.stringify(told, null, 1)}`];
  });
}
