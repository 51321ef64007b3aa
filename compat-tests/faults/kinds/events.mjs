// Events and acknowledgements at their edges: reserved names, ids, events that want an answer, what a middleware emits.

import { KEY, fault, until } from "../trial.mjs";
import { Official } from "../clients.mjs";
import { post } from "../tcp.mjs";
import { RawClient } from "../websocket.mjs";

const RESERVED = ["disconnect", "connect", "connect_error", "disconnecting", "newListener", "removeListener"];

/** A reserved name is an error to who emits it, and nothing is sent: nobody's connection ends. */
async function reservedNames(t) {
  const { url } = await t.conformance();
  const ways = { "to all": { from: "io" }, "to others": {}, "with answers": { from: "io", timeout: 200 }, "to a room": { to: ["r"] } };
  for (const name of RESERVED) {
    const all = await Promise.all([4, 4, 3, 2].map((version) => Official.connect(url, { version })));
    for (const client of all) await client.call("join", "r");
    for (const how of Object.values(ways)) {
      all[0].socket.emit("relay", how, name, 1, () => {});
      await until(() => all.some(({ disconnected }) => disconnected), 60, 5);
    }
    await Promise.all(all.map((client) => client.connected && client.call("message-with-ack", 1)));
    const reasons = all.map(({ disconnected }) => disconnected).filter(Boolean);
    t.check(`${name}: clients are disconnected`, reasons.length === 0, reasons);
    const seen = all.flatMap(({ events }) => events).filter(([event]) => event === name);
    t.check(`${name}: an event of this name came`, seen.length === 0, seen);
    for (const client of all) client.close();
  }
}

/** The publish API says 400 to the same. */
async function reservedNamesPublished(t) {
  const { port } = await t.serve();
  const headers = [`Authorization: Bearer ${KEY}`];
  for (const event of RESERVED) {
    for (const body of [{ event }, [{ event: "fine" }, { event }], { rooms: ["a"], event, args: [1] }]) {
      const { status } = await post(port, "/api/publish", JSON.stringify(body), { headers });
      t.check(`publishing ${event}`, status === 400, status);
    }
  }
}

/** Ids of acknowledgements fit 31 bits: many clients keep no more. */
async function acknowledgementIds(t) {
  const { port } = await t.conformance();
  const [asker, asked] = [await RawClient.join(port), await RawClient.join(port)];
  const ways = {
    "a broadcast": '["relay",{"from":"broadcast","timeout":100},"q"]',
    "a broadcast to all": '["relay",{"from":"io","timeout":100},"q"]',
    "a broadcast to a room": '["relay",{"to":["r"],"timeout":100},"q"]',
  };
  await asked.call(1, '["join","r"]');
  for (const [what, event] of Object.entries(ways)) {
    for (let n = 0; n < 5; n++) {
      asker.send(`42${event.replace("[", `${n}[`)}`);
      const packet = await asked.message(/^42\d*\["q"/);
      const id = Number(packet?.match(/^42(\d+)\[/)?.[1]);
      t.check(`${what}: the question's id`, id < 2 ** 31, packet);
    }
  }
  asked.send('42["ask",1000,"x"]');
  const packet = await asked.message(/^42\d+\["question"/);
  t.check("a socket's own question", Number(packet?.match(/^42(\d+)/)?.[1]) < 2 ** 31, packet);
}

/** The contract: an event that wants an acknowledgement and comes without one is ignored. */
async function withoutAcknowledgement(t) {
  const { port } = await t.conformance();
  const [client, other] = [await RawClient.join(port), await RawClient.join(port)];
  for (const event of ['["burst",3,{}]', '["relay",{"from":"io"},"news",1]', '["join","r"]', '["sockets-join",{},"r"]']) {
    client.send(`42${event}`);
  }
  await client.call(1, '["message-with-ack",1]');
  await other.call(1, '["message-with-ack",1]');
  for (const [who, { messages }] of Object.entries({ client, other })) {
    const events = messages.filter((message) => /"(tick|news)"/.test(message));
    t.check(`events that came to the ${who}`, events.length === 0, events);
  }
  const rooms = await client.call(2, '["rooms"]');
  t.check("rooms that were joined", rooms && !rooms.includes('"r"'), rooms);
}

/** What a middleware emits is received once the client is in, in its order. */
async function emitInMiddleware(t) {
  const { url } = await t.conformance("faults");
  for (const [version, transport] of [[4, "websocket"], [4, "polling"], [3, "websocket"], [2, "websocket"]]) {
    const client = await Official.connect(url, { version, nsp: "/emits-early", transports: [transport] });
    const what = `${version}.x over ${transport}`;
    t.check(`${what}: admitted`, client.connected, client.refused?.message);
    await client.until((events) => events.some(([name]) => name === "connected"));
    const names = client.events.map(([name]) => name).join(" ");
    t.check(`${what}: events`, names === "before-waiting after-waiting connected", names);
    client.close();
  }
}

export default [
  fault("reserved-names", { quick: true, cores: [2] }, reservedNames),
  fault("reserved-names-published", { quick: true }, reservedNamesPublished),
  fault("acknowledgement-ids", { quick: true }, acknowledgementIds),
  fault("without-acknowledgement", { quick: true }, withoutAcknowledgement),
  fault("emit-in-middleware", { quick: true }, emitInMiddleware),
];
