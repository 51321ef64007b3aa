// All scripts, in groups, and the profile of the conformance contract that each group is played on.

import { packets3 } from "./scripts/eio3-packets.mjs";
import { doors3, payloads3, polling3 } from "./scripts/eio3-polling.mjs";
import { upgrades3, webSockets3 } from "./scripts/eio3-websocket.mjs";
import { http, versions } from "./scripts/http.mjs";
import { packetsOverPolling, packetsOverWebSocket } from "./scripts/packets.mjs";
import { pollingSessions } from "./scripts/polling.mjs";
import { upgrades, webSockets } from "./scripts/websocket.mjs";

/** A script is known by its group and its name: "HTTP, sid unknown". */
const group = (title, scripts, profile = "main") => ({
  title,
  profile,
  scripts: Object.entries(scripts).map(([name, steps]) => ({ name: `${title}, ${name}`, steps: steps.flat(Infinity) })),
});

export const GROUPS = [
  group("HTTP", http),
  group("version", versions, "protocol"),
  group("session", pollingSessions),
  group("frames", webSockets),
  group("upgrade", upgrades),
  group("packets", { ...packetsOverWebSocket, ...packetsOverPolling }),
  group("EIO 3 door", doors3),
  group("EIO 3 payloads", payloads3),
  group("EIO 3 session", polling3),
  group("EIO 3 frames", webSockets3),
  group("EIO 3 upgrade", upgrades3),
  group("EIO 3 packets", packets3),
];
