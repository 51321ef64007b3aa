// Who is in a room, and who is meant by to, except and the sender's own place in it.
// Selection is a union of rooms minus exceptions, each socket at most once.

import assert from "node:assert/strict";
import { onEachTransport, unique } from "./harness.mjs";

onEachTransport("rooms", ({ test }) => {
  /** Three clients a, b, c in rooms of their own making: a and b in `left`, b and c in `right`. */
  async function threeInTwoRooms(connect) {
    const [left, right] = [unique("left"), unique("right")];
    const [a, b, c] = [await connect(), await connect(), await connect()];
    await a.call("join", left);
    await b.call("join", [left, right]);
    await c.call("join", right);
    return { a, b, c, left, right };
  }

  /** Emits `news` from `sender` and tells which of the clients heard it, and how often. */
  async function whoHears(sender, options, clients) {
    const what = unique("what");
    assert.equal(await sender.call("relay", options, "news", what), true);
    for (const client of clients) await client.settle();
    return clients.map((client) => client.all("news").filter(([heard]) => heard === what).length);
  }

  test("join, leave and rooms tell the rooms a socket is in [semantics 17]", async ({ connect }) => {
    const client = await connect();
    const [one, two, three] = [unique("a"), unique("b"), unique("c")];
    const sorted = (...rooms) => [client.id, ...rooms].sort();
    assert.deepEqual(await client.call("rooms"), sorted());
    assert.deepEqual(await client.call("join", one), sorted(one));
    assert.deepEqual(await client.call("join", [two, three]), sorted(one, two, three));
    assert.deepEqual(await client.call("join", one), sorted(one, two, three));
    assert.deepEqual(await client.call("leave", two), sorted(one, three));
    assert.deepEqual(await client.call("leave", "never-joined"), sorted(one, three));
    assert.deepEqual(await client.call("rooms"), sorted(one, three));
  });

  test("socket.to leaves the sender out, io.to does not [semantics 17]", async ({ connect }) => {
    const { a, b, c, left } = await threeInTwoRooms(connect);
    assert.deepEqual(await whoHears(a, { to: [left] }, [a, b, c]), [0, 1, 0]);
    assert.deepEqual(await whoHears(a, { from: "io", to: [left] }, [a, b, c]), [1, 1, 0]);
    assert.deepEqual(await whoHears(c, { from: "broadcast", to: [left] }, [a, b, c]), [1, 1, 0]);
  });

  test("several rooms deliver once [semantics 17]", async ({ connect }) => {
    const { a, b, c, left, right } = await threeInTwoRooms(connect);
    assert.deepEqual(await whoHears(a, { from: "io", to: [left, right] }, [a, b, c]), [1, 1, 1]);
    assert.deepEqual(await whoHears(a, { to: [left, right, left] }, [a, b, c]), [0, 1, 1]);
  });

  test("except works with rooms and ids [semantics 17]", async ({ connect }) => {
    const { a, b, c, left, right } = await threeInTwoRooms(connect);
    assert.deepEqual(await whoHears(a, { from: "io", to: [left], except: [right] }, [a, b, c]), [1, 0, 0]);
    assert.deepEqual(await whoHears(a, { from: "io", to: [left, right], except: [b.id] }, [a, b, c]), [1, 0, 1]);
    assert.deepEqual(await whoHears(a, { from: "broadcast", except: [right] }, [a, b, c]), [0, 0, 0]);
    assert.deepEqual(await whoHears(a, { from: "io", except: [left] }, [a, b, c]), [0, 0, 1]);
    assert.deepEqual(await whoHears(a, { from: "io", to: [left], except: ["no-such-room"] }, [a, b, c]), [1, 1, 0]);
  });

  test("without rooms everybody is meant, or everybody else [semantics 17]", async ({ connect }) => {
    const { a, b, c } = await threeInTwoRooms(connect);
    assert.deepEqual(await whoHears(b, { from: "io" }, [a, b, c]), [1, 1, 1]);
    assert.deepEqual(await whoHears(b, { from: "broadcast" }, [a, b, c]), [1, 0, 1]);
  });

  test("the own id is a room [semantics 17]", async ({ connect }) => {
    const { a, b, c } = await threeInTwoRooms(connect);
    assert.deepEqual(await whoHears(a, { to: [c.id] }, [a, b, c]), [0, 0, 1]);
    assert.deepEqual(await whoHears(a, { to: [a.id] }, [a, b, c]), [0, 0, 0]);
    assert.deepEqual(await whoHears(a, { from: "io", to: [a.id] }, [a, b, c]), [1, 0, 0]);
  });

  test("an unknown room means nobody [semantics 17]", async ({ connect }) => {
    const { a, b, c, left } = await threeInTwoRooms(connect);
    assert.deepEqual(await whoHears(a, { from: "io", to: [unique("nobody")] }, [a, b, c]), [0, 0, 0]);
    assert.deepEqual(await whoHears(a, { from: "io", to: [unique("nobody"), left] }, [a, b, c]), [1, 1, 0]);
  });

  test("a room that was left, by will or by leaving the server, is no longer heard [semantics 17]", async ({ connect }) => {
    const { a, b, c, left, right } = await threeInTwoRooms(connect);
    await b.call("leave", left);
    assert.deepEqual(await whoHears(a, { from: "io", to: [left] }, [a, b, c]), [1, 0, 0]);
    c.socket.disconnect();
    c.socket.connect();
    await c.ready();
    assert.deepEqual(await whoHears(a, { from: "io", to: [right] }, [a, b, c]), [0, 1, 0]);
  });

  test("a join is before the next broadcast, a leave too [order on a socket is the order of calls]", async ({ connect }) => {
    const client = await connect();
    const room = unique("room");
    const ask = (...event) => client.call(...event);
    await Promise.all([
      ask("relay", { from: "io", to: [room] }, "news", "before"),
      ask("join", room),
      ask("relay", { from: "io", to: [room] }, "news", "inside"),
      ask("leave", room),
      ask("relay", { from: "io", to: [room] }, "news", "after"),
    ]);
    await client.settle();
    assert.deepEqual(client.all("news"), [["inside"]]);
  });

  test("names are any text, also those that other languages reserve", async ({ connect }) => {
    const [a, b] = [await connect(), await connect()];
    for (const room of ["__proto__", "constructor", "ünï ✓", "a,b", "x".repeat(200)]) {
      assert.ok((await a.call("join", room)).includes(room));
      assert.deepEqual(await whoHears(b, { to: [room] }, [a, b]), [1, 0]);
      await a.call("leave", room);
      assert.deepEqual(await whoHears(b, { to: [room] }, [a, b]), [0, 0]);
    }
  });
});
