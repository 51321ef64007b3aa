// The client's files under /socket.io/: the same answers as the reference's, request by request, and a browser that uses them.
// Not a test of the client; bodies are compared after decoding, for encoders may differ.

import assert from "node:assert/strict";
import { createServer, request } from "node:http";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { Server } from "socket.io";
import { PATIENCE_MS, launchBrowser, skip, startProgram } from "./program.mjs";

const DIST = fileURLToPath(new URL(".", import.meta.resolve("socket.io-client/dist/socket.io.js")));
const BUNDLES = ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js", "socket.io.msgpack.min.js"];
const FILES = BUNDLES.flatMap((name) => [name, `${name}.map`]);
const DECODERS = { br: brotliDecompressSync, gzip: gunzipSync, deflate: inflateSync };
/** The headers that say what a file is, and who may read it. */
const HEADERS = ["etag", "cache-control", "content-type", "content-encoding", "access-control-allow-origin"];
/** As browsers and programs write Accept-Encoding. */
const ACCEPTED = [
  "gzip, deflate, br, zstd", "br", "br, gzip", "deflate", "deflate, gzip", "gzip", "*", "gzip, *", "*;q=0.5, gzip;q=0.4",
  "gzip;q=0.1, identity", "gzip;q=0.2, br;q=0.8", "gzip;q=0", "identity", "GZIP", "zstd",
];
const HELD = ['"VERSION"', 'W/"VERSION"', '"1.0.0"', "unquoted"];

/** Asks and resolves with what came back, as it came. */
function ask(url, { method = "GET", headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent: false }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
    asked.on("error", reject).end();
  });
}

/** What must be equal: status, the telling headers, the decoded body. */
function essence({ status, headers, body }) {
  const encoding = headers["content-encoding"];
  const told = Object.fromEntries(HEADERS.map((name) => [name, headers[name]]));
  return { status, ...told, body: (encoding && body.length ? DECODERS[encoding](body) : body).toString() };
}

/** The reference, serving its own copy of the same files. */
async function startReference() {
  const http = createServer((_, response) => response.writeHead(404).end());
  const io = new Server(http, { cors: { origin: "*" } });
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${http.address().port}`, stop: () => io.close() };
}

for (const driver of ["io_uring", "epoll"]) {
  describe(`the client's files [driver=${driver}]`, { timeout: 90_000 }, () => {
    let ours, reference;
    before(async () => {
      reference = await startReference();
      ours = await startProgram({ options: ["--driver", driver, "--cors-origin", "*", "--client-dir", DIST] });
    });
    after(async () => {
      await ours?.stop();
      await reference?.stop();
    });

    const both = (file, options) =>
      Promise.all([reference, ours].map(({ url }) => ask(`${url}/socket.io/${file}`, options)));
    /** Asks both, expects the same, and returns our answer. */
    async function same(file, options) {
      const [theirs, answer] = await both(file, options);
      assert.deepEqual(essence(answer), essence(theirs));
      return answer;
    }
    const expectSame = (file, options) => async () => void (await same(file, options));

    for (const file of FILES) {
      test(`${file} is served as it is, and with a query`, async () => {
        assert.equal((await same(file)).status, 200);
        await same(`${file}?from=cache`);
      });
      test(`${file} is served compressed`, async () => {
        for (const encoding of Object.keys(DECODERS)) {
          const { headers, body } = await same(file, { headers: { "accept-encoding": encoding } });
          assert.equal(headers["content-encoding"], encoding);
          assert.ok(body.length * 2 < (await same(file)).body.length, `${encoding} makes it less than half`);
        }
      });
    }
    for (const accepted of ACCEPTED) {
      test(`Accept-Encoding: ${accepted}`, expectSame("socket.io.min.js", { headers: { "accept-encoding": accepted } }));
    }
    for (const held of HELD) {
      test(`If-None-Match: ${held}`, async () => {
        const { etag } = (await same("socket.io.js")).headers;
        const headers = { "if-none-match": held.replace('"VERSION"', etag) };
        const [theirs, answer] = await both("socket.io.js", { headers });
        assert.deepEqual([answer.status, answer.body], [theirs.status, theirs.body]);
        assert.equal(answer.status, held.includes('"VERSION"') ? 304 : 200);
        assert.equal(answer.headers.etag, etag); // RFC 9110 section 15.4.5, which the reference leaves out
      });
    }
    test("HEAD has the headers and no body", expectSame("socket.io.js", { method: "HEAD" }));
    test("a page of another origin may read it", expectSame("socket.io.js", { headers: { origin: "https://elsewhere.example" } }));
    test("a preflight is answered", async () => {
      const headers = { origin: "https://elsewhere.example", "access-control-request-method": "GET" };
      assert.equal((await same("socket.io.js", { method: "OPTIONS", headers })).status, 204);
    });
    for (const other of ["socket.io.other.js", "sub/socket.io.js", "socket.io.js.map.map", "package.json", "socket.io.js/"]) {
      test(`${other} is no file, but a request to the engine`, async () => {
        assert.equal((await same(other)).status, 400);
      });
    }
    test("outside the engine's path there is no such file", async () => {
      assert.equal((await ask(`${ours.url}/socket.io.js`)).status, 404);
    });

    describe("in a browser", { skip }, () => {
      let browser, page;
      before(async () => (browser = await launchBrowser()));
      after(() => browser?.close());

      /** An empty page of the server, which may run what the test puts into it. */
      async function blank() {
        const context = await browser.newContext({ bypassCSP: true });
        page = await context.newPage();
        page.setDefaultTimeout(PATIENCE_MS);
        await page.goto(`${ours.url}/healthz`);
      }
      const address = (file) => `${ours.url}/socket.io/${file}`;
      /** Runs in the page: joins a room with the client that was loaded. */
      const join = async (ms) => {
        const socket = globalThis.io({ forceNew: true, reconnection: false });
        const joined = await socket.timeout(ms).emitWithAck("join", "lobby");
        socket.disconnect();
        return joined;
      };

      for (const file of ["socket.io.js", "socket.io.min.js"]) {
        test(`${file} connects`, async () => {
          await blank();
          await page.addScriptTag({ url: address(file) });
          assert.equal((await page.evaluate(join, PATIENCE_MS)).ok, true);
          await page.context().close();
        });
      }
      test("socket.io.esm.min.js connects", async () => {
        await blank();
        await page.evaluate(async (url) => void (globalThis.io = (await import(url)).io), address("socket.io.esm.min.js"));
        assert.equal((await page.evaluate(join, PATIENCE_MS)).ok, true);
        await page.context().close();
      });
      test("socket.io.msgpack.min.js is a script", async () => {
        await blank();
        await page.addScriptTag({ url: address("socket.io.msgpack.min.js") });
        assert.equal(await page.evaluate(() => typeof globalThis.io), "function");
        await page.context().close();
      });
      test("what it holds already is not sent again", async () => {
        await blank();
        const load = () => page.evaluate(async (url) => {
          const text = await (await fetch(url)).text();
          const sizes = performance.getEntriesByName(url).map((entry) => entry.encodedBodySize && entry.transferSize);
          return { bytes: text.length, transferred: sizes.at(-1) };
        }, address("socket.io.min.js"));
        const [first, second] = [await load(), await load()];
        assert.equal(second.bytes, first.bytes);
        assert.ok(first.transferred > 10_000, `${first.transferred} bytes`);
        assert.ok(second.transferred < 1000, `${second.transferred} bytes the second time`);
        await page.context().close();
      });
    });
  });
}
