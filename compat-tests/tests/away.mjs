// Official clients that lose their transport and come back when it is time.
// What they find then is the business of the tests.

import { unique } from "./harness.mjs";

/** Options of a client that comes back. */
export const AGAIN = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 20 };

/** Breaks the transport, lets others speak, and resolves when the client is back. */
export async function away(client, speak = async () => {}) {
  client.manager.reconnection(false);
  const engine = client.manager.engine;
  const closed = new Promise((done) => engine.once("close", done));
  engine.close();
  await closed;
  await speak();
  client.manager.reconnection(true);
  const back = client.next("connect");
  client.socket.connect();
  await back;
}

/** Two clients that come back, in a room of their own. */
export async function pair(connect) {
  const [a, b] = [await connect(AGAIN), await connect(AGAIN)];
  const room = unique("room");
  await a.call("join", room);
  await b.call("join", room);
  return { a, b, room };
}
