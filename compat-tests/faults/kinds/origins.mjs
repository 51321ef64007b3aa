// Whose pages may connect: origins as operators write them, and the cookies that a page may bring.

import { fault } from "../trial.mjs";
import { exchange, get, polling, request } from "../tcp.mjs";
import { upgradeRequest } from "../websocket.mjs";

/** RFC 6454 section 4: an origin is scheme, host and port; case, the default port and a slash do not count. */
async function originsAsWritten(t) {
  const pairs = [
    ["https://Example.com", "https://example.com"],
    ["https://example.com:443", "https://example.com"],
    ["https://example.com/", "https://example.com"],
    ["HTTP://example.com:80/", "http://example.com"],
    ["http://example.com:8080", "http://EXAMPLE.com:8080"],
  ];
  const strangers = ["https://example.com:444", "https://sub.example.com", "https://example.com.evil.test", "ftp://example.com"];
  const written = pairs.map(([origin]) => origin);
  const together = await t.serve(["--cors-origin", written.join(",")]);
  for (const origin of strangers) {
    const { status } = await get(together.port, polling(), { headers: [`Origin: ${origin}`] });
    t.check(`a page of ${origin}`, status === 403, status);
  }
  for (const [origin, page] of pairs) {
    const { port } = await t.serve(["--cors-origin", origin]);
    const { status } = await get(port, polling(), { headers: [`Origin: ${page}`] });
    t.check(`--cors-origin ${origin}: a page of ${page}`, status === 200, status);
    const upgraded = await exchange(port, upgradeRequest("/socket.io/?EIO=4&transport=websocket").replace("\r\n", `\r\nOrigin: ${page}\r\n`));
    t.check(`--cors-origin ${origin}: a WebSocket of ${page}`, upgraded.status === 101, upgraded.status);
  }
}

/** What is taken at start matches some page; what matches none is refused at start. */
async function originsThatMatchNothing(t) {
  const pairs = [
    ["https://*.example.org", "https://a.example.org"],
    ["null", "null"],
    ["example.org", "https://example.org"],
    ["https://example.org/path", "https://example.org"],
    ["https://*.*.org", "https://a.b.org"],
    ["https://exa mple.org", "https://example.org"],
  ];
  for (const [written, page] of pairs) {
    const server = await t.tryServe(["--cors-origin", written]);
    if (server.alive) {
      const { status } = await get(server.port, polling(), { headers: [`Origin: ${page}`] });
      t.check(`--cors-origin ${written} is taken, and a page of ${page}`, status === 200, status);
    } else {
      t.check(`--cors-origin ${written} is refused and named`, server.output().includes(written), server.output().slice(0, 200));
    }
    await server.stop("SIGKILL");
  }
}

/** A page of an allowed origin brings cookies: Fetch standard, CORS check, and the preflight before it. */
async function credentials(t) {
  const { port } = await t.serve(["--cors-origin", "https://app.example,https://other.example"]);
  for (const page of ["https://app.example", "https://other.example"]) {
    const headers = [`Origin: ${page}`];
    const answers = {
      "the handshake": await get(port, polling(), { headers }),
      "an error": await get(port, `${polling()}&sid=unknown`, { headers }),
      "the preflight": await exchange(port, request("OPTIONS", polling(), { headers: [...headers, "Access-Control-Request-Method: POST"] })),
    };
    for (const [what, { head }] of Object.entries(answers)) {
      t.check(`${what} of ${page}: credentials`, /access-control-allow-credentials: *true/i.test(head), head);
      t.check(`${what} of ${page}: its origin`, head.toLowerCase().includes(`access-control-allow-origin: ${page}`), head);
    }
  }
}

export default [
  fault("origins-as-written", { quick: true }, originsAsWritten),
  fault("origins-that-match-nothing", { quick: true }, originsThatMatchNothing),
  fault("credentials", { quick: true }, credentials),
];
