// Connection state recovery with the official client: what is missed while away arrives once and in order, or the client is certainly new.
// On two cores a client often comes back to another core than the one it was lost on.

import assert from "node:assert/strict";
import { farewell, onEachServer, onEachTransport, unique, upTo } from "./harness.mjs";
import { AGAIN, away, pair } from "./away.mjs";
import { openSession } from "./session.mjs";
import { serverCells } from "./cells.mjs";

onEachTransport(
  "recovery",
  ({ test }) => {
    /** All news without the offset, which handlers of the official client see as a last argument. */
    const newsOf = (client) => client.all("news").map((args) => args.slice(0, -1));

    test("all that was missed comes once, in order, with rooms and data [semantics 21]", async ({ connect }) => {
      const { a, b, room } = await pair(connect);
      await a.call("set-data", { name: "Ada" });
      await b.call("relay", { to: [room] }, "news", 0);
      assert.equal((await a.next("news"))[0], 0);
      const id = a.id;
      for (const round of upTo(3)) {
        await away(a, async () => {
          for (const i of upTo(5)) await b.call("relay", { to: [room] }, "news", round, i);
          await b.call("relay", { to: [room], except: [id] }, "news", "not for a");
          await b.call("relay", { to: [unique("elsewhere")] }, "news", "nor this");
          await b.call("relay", { to: [id] }, "news", round, Buffer.of(round));
        });
        await a.settle();
        assert.equal(a.socket.recovered, true);
        assert.equal(a.id, id);
      }
      const news = newsOf(a).slice(1);
      const expected = upTo(3).flatMap((round) => [...upTo(5).map((i) => [round, i]), [round, Buffer.of(round)]]);
      assert.deepEqual(news, expected);
      const self = await a.call("whoami");
      assert.deepEqual([self.recovered, self.data, self.rooms], [true, { name: "Ada" }, [id, room].sort()]);
      await b.call("relay", { to: [room] }, "news", "live");
      await a.settle();
      assert.deepEqual(newsOf(a).at(-1), ["live"]);
    });

    test("middlewares are skipped on the way back [semantics 21]", async ({ connect }) => {
      const [tag, witness] = [unique("tag"), await connect()];
      const client = await connect({ ...AGAIN, nsp: "/mw", auth: { token: "ok", tag } });
      const id = client.id;
      await client.next("auth");
      client.socket.auth = { token: "wrong by now" };
      await away(client, () => farewell(witness, tag)); // or the server might see it come back before it saw it go
      assert.deepEqual([client.socket.recovered, client.id], [true, id]);
      const { rooms, data } = await client.call("whoami");
      assert.deepEqual([rooms, data], [[id, "joined-in-middleware"].sort(), { user: "ok" }]);
    });

    test("after a disconnect by either side the client is new [semantics 21]", async ({ connect }) => {
      const [tag, witness] = [unique("tag"), await connect()];
      const a = await connect({ ...AGAIN, auth: { tag } });
      const id = a.id;
      a.socket.disconnect();
      await a.next("disconnect");
      await farewell(witness, tag); // a new connection may overtake the farewell, and whoever is still there comes back as what it was
      const back = a.next("connect");
      a.socket.connect();
      await back;
      assert.deepEqual([a.socket.recovered, a.id === id], [false, false]);
      const second = a.id;
      a.socket.emit("disconnect-me", false);
      await a.next("disconnect");
      const again = a.next("connect");
      a.socket.connect();
      await again;
      assert.deepEqual([a.socket.recovered, a.id === second], [false, false]);
    });

    test("an unknown private id begins anew [semantics 21]", async ({ connect }) => {
      const { a } = await pair(connect);
      const [id, pid] = [a.id, a.socket._pid];
      a.socket._pid = `${pid.slice(0, -1)}${pid.endsWith("A") ? "B" : "A"}`;
      await away(a);
      assert.deepEqual([a.socket.recovered, a.id === id], [false, false]);
    });
  },
  undefined,
  { profile: "recovery", cells: serverCells() },
);

onEachServer(
  "recovery on the wire",
  ({ test }) => {
    test("CONNECT is answered with a pid; events end with an offset, text and binary, questions do not [semantics 21]", async ({ server }) => {
      const session = await openSession(server, "websocket");
      session.send("40");
      const { sid, pid, ...rest } = JSON.parse((await session.next((packet) => packet.startsWith("40"))).slice(2));
      assert.deepEqual([typeof sid, typeof pid, rest], ["string", "string", {}]);
      assert.notEqual(pid, sid);
      const args = async (isWanted) => JSON.parse((await session.next(isWanted)).replace(/^4\d*-?\d*/, ""));
      session.send('421["relay",{"from":"io","to":["' + sid + '"]},"news",1]');
      const [, one, offset, ...more] = await args((packet) => packet.includes('"news"'));
      assert.deepEqual([one, typeof offset, more], [1, "string", []]);
      session.send('421["burst",1,{"binary":true}]');
      const [, zero, bytes, second] = await args((packet) => packet.includes('"tick"'));
      assert.deepEqual([zero, bytes, typeof second], [0, { _placeholder: true, num: 0 }, "string"]);
      assert.notEqual(offset, second);
      session.send('42["ask",4000,"why"]');
      const question = await session.next((packet) => packet.includes('"question"'));
      assert.match(question, /\["question","why"\]$/);
      await session.close();
    });
  },
  { profile: "recovery" },
);
