// A process that runs the cases it is sent, one after the other, and answers each with what was wrong.
// The runner ends it, and with it the servers it started, when a case takes too long.

import { loadCases } from "./cases.mjs";
import { Trial } from "./trial.mjs";

const cases = await loadCases();
let trial;
// What an official client throws in a callback is a fault of the case that runs.
process.on("uncaughtException", (error) => trial?.check("exception", false, error.stack));

process.on("message", async ({ name, cell }) => {
  trial = new Trial(cell);
  try {
    await cases.find((known) => known.name === name).run(trial);
  } catch (error) {
    trial.check("exception", false, error.stack.slice(0, 400));
  }
  await trial.end();
  process.send({ faults: trial.faults });
});
process.send({ ready: true });
