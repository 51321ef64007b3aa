// node flooder.mjs PORT CLIENTS SECONDS TEXT: clients that send one message again and again, as fast as the server takes it.
// A process of its own, so that it does not slow down the one that measures.

import { RawClient, frame } from "./websocket.mjs";

/** Messages in one write. */
const BATCH = 4000;

const [port, count, seconds, text] = process.argv.slice(2);
const end = Date.now() + Number(seconds) * 1000;
const batch = Buffer.concat(Array(BATCH).fill(frame(text)));

async function flood() {
  const client = await RawClient.join(Number(port));
  client.take = () => {}; // what comes is read and forgotten
  while (Date.now() < end && !client.end) {
    await Promise.race([client.write(batch), new Promise((done) => setTimeout(done, end - Date.now()))]);
  }
  client.close();
}

await Promise.allSettled(Array.from({ length: Number(count) }, flood));
process.exit(0);
