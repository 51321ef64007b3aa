// Values as other writers write them: half an emoji, 5.0, 1e400, a key twice, bytes in answers, and what MessagePack has and JSON lacks.

import parser from "socket.io-msgpack-parser";
import { fault } from "../trial.mjs";
import { Official } from "../clients.mjs";
import { RawClient } from "../websocket.mjs";

/** A text cut in the middle of an emoji is delivered, its half as it came or as U+FFFD. */
async function halfAnEmoji(t) {
  const { url } = await t.conformance();
  const texts = { "its first half": "tea \ud83e", "its second half": "\udd16 tea", "halves turned round": "\udd16\ud83e", "a half in the middle": "a\ud83eb" };
  for (const [what, text] of Object.entries(texts)) {
    for (const options of [{}, { transports: ["polling"] }, { version: 3 }]) {
      const client = await Official.connect(url, { ...options, auth: { tag: text, name: "x" } });
      await client.until((events) => events.length > 0);
      const auth = client.events.find(([name]) => name === "auth")?.[1];
      t.check(`${what} in auth: the connection handler ran`, auth?.name === "x" || !client.connected, auth);
      const joined = await client.call("join", text);
      t.check(`${what}: a handler that reads a text`, Array.isArray(joined?.[0]), joined);
      const named = await client.call("set-data", { [text]: text });
      t.check(`${what}: a handler that reads an object`, named?.[0] === true, named);
      const back = await client.call("message-with-ack", [text], { text });
      t.check(`${what}: relayed`, back?.[0]?.[0]?.length === text.length, back);
      client.close();
    }
  }
}

/** What JSON.parse reads as a number or an object is one to a handler, however it is written. */
async function numbersAndKeys(t) {
  const { port } = await t.conformance();
  const client = await RawClient.join(port);
  const events = {
    "1.0 for a whole number": '["burst",1.0,{}]',
    "1e0": '["burst",1e0,{}]',
    "10E-1": '["burst",10E-1,{}]',
    "-0.0 for 0": '["burst",-0.0,{}]',
    "a key twice": '["burst",1,{"volatile":false,"volatile":false}]',
    "a key twice, written differently": '["burst",1,{"volatile":true,"vol\\u0061tile":false}]',
    "a key twice, of two types": '["relay",{"timeout":"x","timeout":null},"x"]',
    "1e400 in data": '["set-data",{"n":1e400}]',
    "-1e400 and 1e-400": '["set-data",{"n":-1e400,"m":1e-400}]',
  };
  let id = 10;
  for (const [what, event] of Object.entries(events)) {
    t.check(what, await client.call(++id, event, 500), "no answer");
  }
  for (const [what, auth] of Object.entries({ "1e400": '{"a":1e400}', "a key twice": '{"a":1,"a":2}', "5.0": '{"a":5.0}' })) {
    const fresh = await RawClient.join(port, { connect: `40${auth}` });
    t.check(`${what} in auth: the connection handler`, await fresh.message(/^42\["auth"/, 500), "it did not run");
    fresh.close();
  }
  t.check("the answer is one list", /^43\d+\[\["number"\]\]$/.test(await client.call(++id, '["describe",1e400]')));
}

/** What people choose the MessagePack parser for comes back from a handler that relays it. */
async function messagePackValues(t) {
  const { url } = await t.conformance("msgpack");
  const values = {
    NaN: [NaN, Number.isNaN],
    Infinity: [Infinity, (value) => value === Infinity],
    "-Infinity": [-Infinity, (value) => value === -Infinity],
    undefined: [undefined, (value) => value === undefined],
    "a Date": [new Date(1_700_000_000_123), (value) => value instanceof Date && value.getTime() === 1_700_000_000_123],
    "a Date of 1960": [new Date(-315_619_200_000), (value) => value instanceof Date && value.getTime() === -315_619_200_000],
    "a list of them": [[NaN, new Date(1000), [undefined]], ([a, b]) => Number.isNaN(a) && b instanceof Date && b.getTime() === 1000],
    "a key with one": [{ when: new Date(1000), n: Infinity }, ({ when, n }) => when instanceof Date && n === Infinity],
  };
  for (const transports of [["websocket"], ["polling"]]) {
    const client = await Official.connect(url, { parser, transports });
    for (const [what, [value, isSame]] of Object.entries(values)) {
      const back = await client.call("message-with-ack", value);
      t.check(`${what} over ${transports}`, back && isSame(back[0]), String(back?.[0]));
    }
    client.close();
  }
}

const bytes = (value, ...expected) => ArrayBuffer.isView(value) && Buffer.from(value).equals(Buffer.from(expected));

/** Answers to a broadcast that carry bytes reach who asked, each as it came. */
async function binaryAnswers(t) {
  const { url } = await t.conformance("faults");
  const answers = {
    "bytes and text": [[Buffer.of(9, 8), "and text"], (one) => bytes(one[0], 9, 8) && one[1] === "and text"],
    "bytes within an object": [[{ a: [Buffer.of(1)] }], (one) => bytes(one[0]?.a?.[0], 1)],
    "two of them": [[Buffer.of(1), Buffer.of(2)], (one) => bytes(one[0], 1) && bytes(one[1], 2)],
    "none at all": [["text", 5], (one) => one[0] === "text" && one[1] === 5],
  };
  for (const [what, [words, isSame]] of Object.entries(answers)) {
    const all = [await Official.connect(url), await Official.connect(url, { transports: ["polling"] }), await Official.connect(url, { version: 3 })];
    for (const { socket } of all) socket.on("q", (answer) => answer(...words));
    const gathered = (await all[0].call("gather-answers"))?.[0];
    t.check(`${what}: a list of arguments`, gathered?.length === 3 && gathered.every(isSame), gathered);
    const relayed = (await all[0].call("relay", { from: "broadcast", timeout: 1000 }, "q"))?.[0];
    t.check(`${what}: first arguments`, relayed?.responses?.length === 2 && relayed.responses.every((one) => isSame([one, ...words.slice(1)])), relayed);
    for (const client of all) client.close();
  }
}

export default [
  fault("half-an-emoji", { quick: true }, halfAnEmoji),
  fault("numbers-and-keys", { quick: true }, numbersAndKeys),
  fault("message-pack-values", { quick: true }, messagePackValues),
  fault("binary-answers", { quick: true }, binaryAnswers),
];
