// Requests that few clients send and RFC 9110 and 9112 allow: addresses in full, announced sizes, bodies that stop, requests behind a waiting one.

import { KEY, fault } from "../trial.mjs";
import { Peer, exchange, get, polling, pollingSession, post, request } from "../tcp.mjs";
import { RawClient, upgradeRequest } from "../websocket.mjs";

const AUTHORIZED = `Authorization: Bearer ${KEY}`;

/** RFC 9112 section 3.2.2: a server must accept the absolute form, and means the same path. */
async function absoluteForm(t) {
  const { port } = await t.serve();
  for (const base of [`http://127.0.0.1:${port}`, "HTTP://Example.COM", "https://example.com:8443"]) {
    for (const path of ["/healthz", "/metrics", "/readyz", `${polling()}`]) {
      const { status } = await get(port, base + path);
      t.check(`GET ${base}${path}`, status === 200, status);
    }
    const { status } = await post(port, `${base}/api/publish`, '{"event":"a"}', { headers: [AUTHORIZED] });
    t.check(`POST ${base}/api/publish`, status === 200, status);
    const upgraded = await exchange(port, upgradeRequest(`${base}/socket.io/?EIO=4&transport=websocket`));
    t.check(`a WebSocket at ${base}`, upgraded.status === 101, upgraded.status);
  }
  const { status } = await get(port, "http://example.com/no-such-path");
  t.check("a path that nobody serves", status === 404, status);
}

/** RFC 9110 section 15.5.14: the announced size is enough to refuse; the bytes need not come. */
async function oversizedBodies(t) {
  const { port } = await t.serve();
  const targets = { publish: () => "/api/publish", "a session": () => pollingSession(port) };
  const bodies = {
    "a chunk of 4 GB": ["Transfer-Encoding: chunked", "ffffffff\r\nxx"],
    "a chunk of 2^64 - 1": ["Transfer-Encoding: chunked", "ffffffffffffffff\r\nxx"],
    "a chunk of 16 MB": ["Transfer-Encoding: chunked", "1000000\r\nxx"],
    "a chunk beyond 2^64": ["Transfer-Encoding: chunked", "fffffffffffffffff\r\nxx"],
    "a length of 4 GB": ["Content-Length: 4294967295", "xx"],
  };
  for (const [where, target] of Object.entries(targets)) {
    for (const [what, [framing, body]] of Object.entries(bodies)) {
      const bytes = request("POST", await target(), { headers: [AUTHORIZED, framing], body });
      const { status } = await exchange(port, bytes, 2000);
      t.check(`${where}: ${what}`, status === 413, status);
    }
  }
}

/** RFC 9110 section 15.5.9: a body that stops in the middle is answered 408, so that a proxy does not blame the server. */
async function stalledBodies(t) {
  const { port } = await t.serve();
  const session = await pollingSession(port);
  const bodies = {
    "a POST of a session": request("POST", session, { headers: ["Content-Length: 1000"], body: "4" }),
    "a publication": request("POST", "/api/publish", { headers: [AUTHORIZED, "Content-Length: 1000"], body: "{" }),
    "a chunk": request("POST", "/api/publish", { headers: [AUTHORIZED, "Transfer-Encoding: chunked"], body: "ff\r\n{" }),
    "between chunks": request("POST", "/api/publish", { headers: [AUTHORIZED, "Transfer-Encoding: chunked"], body: "1\r\n{\r\n" }),
  };
  const answers = Object.entries(bodies).map(async ([what, bytes]) => [what, await exchange(port, bytes, 40_000)]);
  for (const [what, { status }] of await Promise.all(answers)) t.check(what, status === 408, status);
}

/** RFC 9112 section 9.3.2: requests behind a waiting GET are read and handled, and answered in order behind it. */
async function postBehindGet(t) {
  const { port } = await t.conformance();
  const body = '421["message-with-ack","x"]';
  const pieces = {
    "one piece": (get, post) => [get + post],
    "cut in the head": (get, post) => [get + post.slice(0, 20), post.slice(20)],
    "cut in the body": (get, post) => [get, post.slice(0, -3), post.slice(-3)],
  };
  for (const [what, cut] of Object.entries(pieces)) {
    const path = await pollingSession(port);
    await get(port, path, { ms: 200 }).catch(() => {}); // takes the `auth` event of the connection
    const peer = await Peer.open(port);
    const fresh = await pollingSession(port);
    const [waiting, posted] = [request("GET", fresh), request("POST", fresh, { body })];
    for (const piece of cut(waiting, posted)) await peer.write(piece);
    const answers = [await peer.response(4000), await peer.response(4000)];
    t.check(`${what}: the waiting GET`, answers[0].body.includes('431["x"]'), answers[0].body || answers[0].status);
    t.check(`${what}: the POST`, answers[1].body === "ok", answers[1].body);
    peer.close();
  }
  const path = await pollingSession(port);
  const peer = await Peer.open(port);
  const ask = (id) => request("POST", path, { body: `42${id}["message-with-ack","x"]` });
  await peer.write(request("GET", path) + ask(7) + ask(8));
  const answers = [await peer.response(4000), await peer.response(4000), await peer.response(4000)];
  t.check("two POSTs behind a GET", answers[0].body.includes("437") && answers[2].body === "ok", answers);
  peer.close();
}

/** The answer to a POST that ends a session is the end of the session, on any number of cores. */
async function pollAfterClose(t) {
  const { port } = await t.conformance();
  const goodbyes = { "the client's close": "1", "an event and a close": '42["message",1]\x1e1', "leaving, then a close": "41\x1e1" };
  for (const [what, body] of Object.entries(goodbyes)) {
    const statuses = [];
    for (let n = 0; n < 12; n++) {
      const path = await pollingSession(port);
      await post(port, path, body);
      statuses.push((await get(port, path)).status);
    }
    t.check(`a poll after ${what}`, statuses.every((status) => status === 400), statuses);
  }
  const statuses = [];
  for (let n = 0; n < 12; n++) {
    const path = await pollingSession(port, { revision: 3 });
    await post(port, path, "1:1");
    statuses.push((await get(port, path)).status);
  }
  t.check("a poll after a close of Engine.IO 3", statuses.every((status) => status === 400), statuses);
}

/** A session that moved to a WebSocket and ended there is unknown to later polls. */
async function pollAfterUpgradedClose(t) {
  const { port } = await t.conformance();
  for (let n = 0; n < 6; n++) {
    const path = await pollingSession(port);
    const client = await RawClient.join(port, { connect: null, path: path.replace("polling", "websocket") });
    client.send("2probe");
    await client.message(/^3probe/);
    client.send("5");
    await client.call(1, '["message-with-ack",1]');
    client.send("1");
    await client.closed();
    const { status } = await get(port, path);
    t.check("a poll of a closed WebSocket's session", status === 400, status);
  }
}

export default [
  fault("absolute-form", { quick: true }, absoluteForm),
  fault("oversized-bodies", { quick: true }, oversizedBodies),
  fault("stalled-bodies", { seconds: 45 }, stalledBodies),
  fault("post-behind-get", { quick: true }, postBehindGet),
  fault("poll-after-close", { quick: true }, pollAfterClose),
  fault("poll-after-upgraded-close", { quick: true }, pollAfterUpgradedClose),
];
