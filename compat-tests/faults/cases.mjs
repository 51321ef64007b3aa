// All fault cases: what the files of `kinds/` declare, in the order of their names.

import { readdirSync } from "node:fs";

const KINDS = new URL("kinds/", import.meta.url);

/** Reads every file; throws if two cases have the same name. */
export async function loadCases() {
  const files = readdirSync(KINDS).filter((name) => name.endsWith(".mjs"));
  const lists = await Promise.all(files.sort().map((name) => import(new URL(name, KINDS))));
  const cases = lists.flatMap((list) => list.default);
  const names = new Set(cases.map(({ name }) => name));
  if (names.size !== cases.length) throw new Error("two cases have the same name");
  return cases;
}
