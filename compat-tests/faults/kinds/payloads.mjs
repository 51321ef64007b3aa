// A polling client's backlog: as many packets in a payload as `maxPayload` allows, however small, all of them handled.

import { fault, until } from "../trial.mjs";
import { Official } from "../clients.mjs";
import { pollingSession, post } from "../tcp.mjs";

/** More than any limit by number has been, and less than 1 MB of `42["message",12345]`. */
const EVENTS = 20_000;

/** Events that a client kept while it was offline come back, each once. */
async function pollerBacklog(t, version) {
  const { url } = await t.conformance();
  const client = await Official.connect(url, { version, transports: ["polling"], autoConnect: false });
  for (let n = 0; n < EVENTS; n++) client.socket.emit("message", n);
  let answered = 0;
  for (let n = 0; n < 500; n++) client.socket.emit("message-with-ack", n, () => answered++);
  client.socket.connect();
  const events = () => client.events.filter(([name]) => name === "message-back").length;
  await until(() => (events() === EVENTS && answered === 500) || client.disconnected, 15_000, 50);
  t.check(`${version}.x: ${events()} of ${EVENTS} came back`, events() === EVENTS, client.disconnected);
  t.check(`${version}.x: ${answered} of 500 were acknowledged`, answered === 500);
  client.close();
}

/** The smallest packets there are, in a payload as large as is allowed. */
async function smallestPackets(t) {
  const { port } = await t.conformance();
  const kinds = {
    "noops": Array(400_000).fill("6"),
    "stray pongs": Array(400_000).fill("3"),
    "short events": Array(90_000).fill('42["nope"]'),
  };
  for (const [what, packets] of Object.entries(kinds)) {
    const path = await pollingSession(port);
    const sent = await post(port, path, packets.join("\x1e"), { ms: 10_000 });
    t.check(`${what}: the POST`, sent.status === 200, sent.status);
    const asked = await post(port, path, '421["message-with-ack","still here"]');
    t.check(`${what}: the session goes on`, asked.status === 200, asked.status);
  }
}

export default [
  fault("poller-backlog", { quick: true }, (t) => pollerBacklog(t, 4)),
  fault("poller-backlog-3", {}, (t) => pollerBacklog(t, 3)),
  fault("poller-backlog-2", { quick: true }, (t) => pollerBacklog(t, 2)),
  fault("smallest-packets", { quick: true }, smallestPackets),
];
