// The town Socketville: the demo page of the server. Namespaces are neighbourhoods, rooms are clubhouses.
// It draws the street, keeps the conversation and the figures, and takes the visitor from door to door.
// It is not a client library: how events travel is in client.js. The drawings themselves are in index.html.

import { Client } from "./client.js";

// The houses that stand even when nobody is in; every other clubhouse exists for as long as it has members.
const NEIGHBOURHOODS = [
  { key: "town", namespace: "/", title: "Town", rooms: { lobby: "hall", library: "gable", garden: "cottage", teahouse: "barn" } },
  { key: "harbour", namespace: "/harbour", title: "Harbour", rooms: { pier: "barn", lighthouse: "tower", boathouse: "hall", chandlery: "gable" } },
  { key: "market", namespace: "/market", title: "Market", rooms: { bakery: "barn", florist: "cottage", bookstall: "gable", "town hall": "hall" } },
];
const SHAPES = ["cottage", "gable", "barn", "cottage", "tower", "gable"];
const PAINTS = 6; // .paint-0 … .paint-5 in style.css
const WORDS_MAX = 200; // lines kept: a burst must not fill the memory of a phone
const FLIGHTS_MAX = 6; // letters in the air: more would be a blizzard; the rest arrive without being seen
const BUBBLE_MS = 4_500;
const SPARK_SECONDS = 60;
const GROUND = 240; // y of the pavement; the street is 300 high
const WIRE = 66; // y of the wires at a pole

const find = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const count = (n) => (n < 100_000 ? n.toLocaleString() : n.toLocaleString(undefined, { notation: "compact" }));

/** A number that is always the same for the same text: whoever has a name keeps its looks. */
function fingerprint(text) {
  let hash = 2166136261;
  for (const unit of text) hash = Math.imul(hash ^ unit.codePointAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b); // short names differ in few bits: stir them
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** An element of the page, or of a drawing, with its attributes and children. Text stays text: no markup from peers. */
function html(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}
function svg(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}
function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const SKINS = ["#f6d3b3", "#e3ae84", "#b97f57", "#8a5a3e", "#f2c39b"];
const HATS = 5; // #hat-0 … #hat-4 in index.html
const SMILES = ["M13 24 Q17 28 21 24", "M14 25 Q17 26.5 20 24.5", "M12.5 23.5 Q17 29.5 21.5 23.5Z"];

/** The face that belongs to a socket id. */
function face(from) {
  const seed = fingerprint(from);
  return svg(
    "svg",
    { class: "face", viewBox: "0 0 34 34", "aria-hidden": "true" },
    svg("circle", { cx: 17, cy: 20, r: 11, fill: SKINS[(seed >>> 4) % SKINS.length] }),
    svg("use", { href: `#hat-${seed % HATS}`, fill: `hsl(${(seed >>> 8) % 360} 55% 60%)` }),
    svg("path", { class: "smile", d: `${SMILES[(seed >>> 20) % SMILES.length]} M13 19.5v.6 M21 19.5v.6` }),
  );
}

/** The street of one neighbourhood: houses, the wires from the exchange to them, and what travels on the wires. */
class Street {
  #walk = find("walk");
  #canvas = find("street");
  #bubbles = find("bubbles");
  #layers = {};
  #houses = new Map(); // by room
  #place = NEIGHBOURHOODS[0];
  #current = null;
  #knots = []; // the tops of the mast and the poles, from left to right
  #scale = 1; // CSS pixels per unit
  #flights = 0;
  #beats = 0;
  #outbound = Promise.resolve();
  #choose;

  constructor(choose, build) {
    this.#choose = choose;
    for (const layer of ["scenery", "wires", "decor", "houses", "letters"]) {
      this.#canvas.append((this.#layers[layer] = svg("g", { class: layer })));
    }
    const plot = svg("g", { class: "house plot", role: "button", tabindex: 0, "aria-label": "Open another clubhouse" });
    this.#press(this.#layers.houses.appendChild(plot), build);
    new ResizeObserver(() => this.#layout()).observe(this.#walk);
  }

  /** Another neighbourhood: other houses, other scenery. */
  show(place) {
    this.#place = place;
    this.#current = null;
    for (const house of this.#houses.values()) house.element.remove();
    this.#houses.clear();
    this.#bubbles.replaceChildren();
    this.update([]);
  }

  /** Who is where: `rooms` as the server counts them, each `{name, members}`. */
  update(rooms) {
    const members = new Map(Object.keys(this.#place.rooms).map((name) => [name, 0]));
    if (this.#current) members.set(this.#current, this.#houses.get(this.#current)?.members || 1);
    for (const room of rooms) members.set(String(room.name), room.members);
    let moved = false;
    for (const name of this.#houses.keys()) if (!members.has(name)) moved = this.#demolish(name);
    for (const name of members.keys()) if (!this.#houses.has(name)) moved = this.#build(name);
    if (moved) this.#layout();
    for (const [name, n] of members) this.#light(this.#houses.get(name), n);
  }

  /** The visitor is in `room` now, or on the street (null). */
  enter(room, n, from) {
    this.#current = room;
    if (room && !this.#houses.has(room)) {
      this.#build(room);
      this.#layout();
    }
    for (const house of this.#houses.values()) house.element.setAttribute("aria-current", String(house.name === room));
    const house = this.#houses.get(room);
    if (!house) return;
    const visitor = face(from);
    furnish(visitor, { x: house.width / 2 - 12, y: -44, width: 26, height: 26 }, []);
    house.you.replaceChildren(svg("path", { class: "wall", d: `M${house.width / 2 - 7} 3 q1 -22 8 -22 q7 0 8 22z` }), visitor);
    this.#light(house, n);
    const left = house.x * this.#scale - this.#walk.clientWidth / 2;
    if (house.x * this.#scale > this.#walk.clientWidth - 60 || left < this.#walk.scrollLeft) {
      this.#walk.scrollTo({ left, behavior: calm.matches ? "auto" : "smooth" });
    }
  }

  membersOf(room) {
    return this.#houses.get(room)?.members ?? 0;
  }

  /** A letter from the visitor's house to the exchange. */
  send(room) {
    this.#outbound = this.#fly(this.#route(room)?.reverse(), 420);
  }

  /** A letter from the exchange to a house, where it is read aloud. Our own waits for its way out. */
  async deliver(room, text, isOurs) {
    if (this.#flights >= FLIGHTS_MAX) return;
    if (isOurs) await this.#outbound;
    const house = this.#houses.get(room);
    await this.#fly(this.#route(room), 650);
    if (this.#houses.get(room) !== house || !house) return; // gone meanwhile
    const says = html("div", { class: "bubble" }, html("span", {}, text));
    Object.assign(says.style, { left: `${house.x * this.#scale}px`, top: `${(GROUND - house.roof - 8) * this.#scale}px` });
    house.says?.remove();
    house.says = this.#bubbles.appendChild(says);
    setTimeout(() => says.remove(), BUBBLE_MS);
    const lit = [...house.element.querySelectorAll(".window.lit")];
    lit.forEach(async (pane, i) => {
      await wait(i * 60); // one packet, many windows
      pane.classList.add("flash");
      await wait(260);
      pane.classList.remove("flash");
    });
  }

  /** The beat of the exchange: its beacon changes with each `town`, and every fifth sends a light along the wire. */
  beat() {
    this.#canvas.classList.toggle("blink", ++this.#beats % 2 === 1);
    if (this.#beats % 5 === 1 && this.#knots.length > 1) this.#fly(this.#points(this.#knots), 950, svg("circle", { class: "beat", r: 2.6 }));
  }

  #build(name) {
    const shape = this.#place.rooms[name] ?? SHAPES[fingerprint(name) % SHAPES.length];
    const drawing = find(`shape-${shape}`);
    const letters = [...name];
    const label = letters.length > 15 ? `${letters.slice(0, 14).join("")}…` : name;
    const house = { name, members: 0, width: +drawing.dataset.width, roof: +drawing.dataset.roof };
    house.span = Math.max(house.width, letters.slice(0, 15).length * 8.6); // as wide as its name, at least
    house.you = svg("g", { class: "you" });
    house.element = svg(
      "g",
      { class: `house paint-${fingerprint(this.#place.key + name) % PAINTS}`, role: "button", tabindex: 0, "aria-current": "false", "data-room": name },
      svg("rect", { class: "ring", x: -house.span / 2 - 6, y: -house.roof - 10, width: house.span + 12, height: house.roof + 62, rx: 12 }),
      svg("g", { class: "shape" }, ...[...drawing.cloneNode(true).childNodes]),
      house.you,
      svg("rect", { class: "badge", x: -label.length * 4.6 - 10, y: 9, width: label.length * 9.2 + 20, height: 23, rx: 11 }),
      svg("text", { class: "name", y: 25.5 }, label),
      svg("text", { class: "count", y: 47 }),
    );
    this.#press(house.element, () => this.#choose(name));
    this.#houses.set(name, house);
    this.#layers.houses.lastChild.before(house.element); // the plot stays last, for those who walk by keyboard
    return true;
  }

  #demolish(name) {
    const house = this.#houses.get(name);
    house.says?.remove();
    house.element.remove();
    return this.#houses.delete(name);
  }

  #press(element, action) {
    element.addEventListener("click", action);
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      action();
    });
  }

  #light(house, members) {
    house.members = members;
    house.element.classList.toggle("lived-in", members > 0);
    house.element.querySelectorAll(".window").forEach((pane, i) => pane.classList.toggle("lit", i < members));
    house.element.querySelector(".count").textContent = members === 0 ? "nobody in" : `${count(members)} in`;
    house.element.setAttribute("aria-label", `${house.name}, ${members === 0 ? "nobody" : count(members)} in`);
  }

  /** Gives every house its place; what room there is to spare becomes gaps between them. */
  #layout() {
    this.#scale = this.#canvas.clientHeight / 300;
    const houses = [...this.#houses.values()];
    const narrowest = 120 + houses.reduce((sum, house) => sum + house.span + 34, 0) + 130;
    const width = Math.max(narrowest, this.#walk.clientWidth / this.#scale);
    const gap = Math.min(34 + (width - narrowest) / (houses.length + 1), 96);
    furnish(this.#canvas, { viewBox: `0 0 ${width} 300`, width: width * this.#scale }, []);
    let x = Math.max(120, (width - narrowest - (gap - 34) * houses.length) / 2 + 60);
    const exchange = x - 54;
    this.#knots = [{ x: exchange + 1, y: WIRE + 2 }];
    for (const house of houses) {
      this.#knots.push({ x: x + gap / 2, y: WIRE });
      house.x = x + gap + house.span / 2;
      house.element.setAttribute("transform", `translate(${house.x} ${GROUND})`);
      x = house.x + house.span / 2;
      house.says?.remove();
    }
    this.#paint(width, exchange, x + 30 + gap / 2);
  }

  #paint(width, exchange, plot) {
    const { scenery, wires, decor, houses } = this.#layers;
    const use = (id, x, y, more) => svg("use", { href: `#${id}`, x, y, ...more });
    scenery.replaceChildren();
    for (let i = 0; i * 53 < width; i++) {
      const seed = fingerprint(`star ${i}`);
      const [cx, cy, r] = [i * 53 + (seed % 40), 8 + ((seed >>> 8) % 110), 0.8 + ((seed >>> 16) % 3) * 0.4];
      scenery.append(svg("circle", { class: "star", cx, cy, r }));
      if (i % 7 === 2) scenery.append(svg("path", { class: "cloud", d: `M${i * 53} ${40 + (seed % 30)} q4 -14 20 -12 q10 -16 28 -8 q16 -4 20 10 q14 0 12 10z` }));
    }
    for (let x = 0; x < width; x += 800) scenery.append(use(`backdrop-${this.#place.key}`, x, 0));
    scenery.append(svg("rect", { class: "pavement", y: GROUND, width, height: 60 }), svg("path", { class: "kerb", d: `M0 ${GROUND} H${width}` }));
    wires.replaceChildren(svg("path", { class: "wire", d: this.#curve(this.#knots) }));
    decor.replaceChildren(use("building-exchange", exchange, GROUND, { class: "paint-5" }));
    [...this.#houses.values()].forEach((house, i) => {
      const pole = this.#knots[i + 1];
      wires.append(svg("path", { class: "wire", d: this.#curve([pole, this.#roofOf(house)]) }));
      decor.append(use("pole", pole.x, GROUND), use(`decor-${this.#place.key}-${fingerprint(house.name) % 2}`, pole.x + 7, GROUND + 1));
    });
    houses.lastChild.replaceChildren(
      svg("rect", { class: "ring", x: -44, y: -74, width: 88, height: 84, rx: 12 }),
      svg("g", { class: "shape" }, use("building-plot", 0, 0)),
    );
    houses.lastChild.setAttribute("transform", `translate(${plot} ${GROUND})`);
  }

  #roofOf(house) {
    return { x: house.x - 2, y: GROUND - house.roof + 4 };
  }

  /** A wire through the knots: it sags between them. */
  #curve(knots) {
    const [start, ...rest] = knots;
    let from = start;
    let d = `M${start.x} ${start.y}`;
    for (const to of rest) {
      d += ` Q${(from.x + to.x) / 2} ${(from.y + to.y) / 2 + Math.abs(to.x - from.x) * 0.12} ${to.x} ${to.y}`;
      from = to;
    }
    return d;
  }

  #points(knots) {
    const path = svg("path", { d: this.#curve(knots) });
    const length = path.getTotalLength();
    return Array.from({ length: 61 }, (_, i) => path.getPointAtLength((length * i) / 60));
  }

  #route(room) {
    const house = this.#houses.get(room);
    const index = [...this.#houses.keys()].indexOf(room);
    return house && this.#points([...this.#knots.slice(0, index + 2), this.#roofOf(house)]);
  }

  /** Moves something along the points; resolves when it has arrived. */
  #fly(points, ms, thing = svg("use", { href: "#letter" })) {
    if (!points || calm.matches || document.hidden || this.#flights >= FLIGHTS_MAX) return Promise.resolve();
    this.#flights++;
    this.#layers.letters.append(thing);
    return new Promise((resolve) => {
      let start;
      const step = (now) => {
        const t = Math.min(1, (now - (start ??= now)) / ms);
        const eased = t < 0.5 ? 2 * t * t : 1 - (2 - 2 * t) ** 2 / 2;
        const { x, y } = points[Math.round(eased * 60)];
        thing.setAttribute("transform", `translate(${x} ${y - 3})`);
        if (t < 1) return requestAnimationFrame(step);
        this.#flights--;
        thing.remove();
        resolve();
      };
      requestAnimationFrame(step);
    });
  }
}

/** The conversation: the last lines of what was heard. Lines are put on the page once per frame, however many come. */
class Words {
  #list = find("words");
  #waiting = [];

  said(from, text, where, isOurs) {
    this.#add(() => this.#line(from, isOurs ? "you" : from, text, where, isOurs ? "mine" : ""));
  }

  published(event, args, where) {
    const text = args.map((arg) => (typeof arg === "string" ? arg : JSON.stringify(arg))).join("  ");
    this.#add(() => this.#line(event, event, text || "(no arguments)", `published · ${where}`, "published"));
  }

  /** A step of the visitor, told in passing. */
  step(text) {
    this.#add(() => html("li", { class: "step" }, text));
  }

  #line(seed, who, text, where, kind) {
    const time = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const about = html("span", { class: "who" }, html("b", {}, who), html("span", {}, where), html("time", {}, time));
    return html("li", { class: kind }, kind === "published" ? this.#stamp() : face(seed), about, html("span", { class: "text" }, text));
  }

  #stamp() {
    return svg("svg", { class: "face", viewBox: "-14 -14 28 28", "aria-hidden": "true" }, svg("use", { href: "#letter" }));
  }

  #add(line) {
    this.#waiting.push(line);
    if (this.#waiting.length > WORDS_MAX) this.#waiting.shift();
    if (this.#waiting.length === 1) setTimeout(() => this.#write(), 16);
  }

  #write() {
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 60;
    this.#list.append(...this.#waiting.splice(0).map((line) => line()));
    while (this.#list.childElementCount > WORDS_MAX) this.#list.firstElementChild.remove();
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
  }
}

/** The figures of the whole server, as it tells them once a second. */
class Exchange {
  #history = [];

  update(town) {
    find("deliveries").textContent = count(town.deliveries_per_second);
    find("connections").textContent = count(town.connections);
    find("sockets").textContent = count(town.sockets);
    find("records").textContent = count(town.records);
    const sends = Number(town.sends_per_frame) || 0;
    find("sends").textContent = sends.toFixed(2);
    find("frames").textContent = sends > 0 && sends < 1 ? `${(1 / sends).toFixed(1)} per send` : "";
    find("machine").textContent = `${town.driver} on ${town.cores} ${town.cores === 1 ? "core" : "cores"}, up ${this.#uptime(town.uptime_s)}`;
    this.#history = [...this.#history, town.deliveries_per_second].slice(-SPARK_SECONDS);
    this.#draw();
  }

  #uptime(s) {
    if (s < 120) return `${s} s`;
    return s < 7200 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  }

  #draw() {
    const highest = Math.max(1, ...this.#history);
    const first = SPARK_SECONDS - this.#history.length;
    const points = this.#history.map((n, i) => `${((first + i) * 120) / (SPARK_SECONDS - 1)} ${34 - (n * 31) / highest}`);
    const chart = find("sparkline");
    chart.querySelector(".line").setAttribute("d", `M${points.join("L")}`);
    chart.querySelector(".area").setAttribute("d", `M${(first * 120) / (SPARK_SECONDS - 1)} 36L${points.join("L")}L120 36Z`);
  }
}

/** A visitor in one neighbourhood: its socket, the clubhouse it is in, and the one it wants to be in. */
class Visit {
  room = null;
  #socket;
  #walking = false;
  #over = false;

  constructor(place, wanted) {
    Object.assign(this, { place, wanted });
    this.#socket = client.of(place.namespace);
    this.#socket.on("connect", () => this.#walk());
    this.#socket.on("disconnect", (reason) => this.#outside(reason));
    this.#socket.on("connect_error", ({ message }) => notice(`The neighbourhood is closed: ${message}`));
    this.#socket.on("any", (event, ...args) => this.#over || this.#hear(event, args.filter((arg) => typeof arg !== "function")));
  }

  get name() {
    return (this.#socket.id ?? "").slice(0, 6); // as the server names the sender of `said`
  }

  /** Goes to a clubhouse, or out on the street (null). */
  go(room) {
    this.wanted = room;
    notice("");
    this.#walk();
  }

  async say(text) {
    street.send(this.room);
    const answer = await this.#socket.emitWithAck("say", { room: this.room, text });
    if (!answer.ok) throw new Error(answer.error);
  }

  end() {
    this.#over = true;
    this.#socket.disconnect();
  }

  /** One step after the other until we are where we want to be, even if that changes on the way. */
  async #walk() {
    if (this.#walking) return;
    this.#walking = true;
    while (!this.#over && this.#socket.id && this.room !== this.wanted) {
      const to = this.wanted;
      const answer = await this.#move(to).catch((error) => ({ ok: false, error: error.message }));
      if (this.#over || !this.#socket.id) break; // the next `connect` walks on
      if (!answer.ok) {
        notice(answer.error);
        this.wanted = this.room;
      } else {
        this.room = to;
        arrived(this, street.membersOf(to) + 1); // until the server tells how many there are
      }
    }
    this.#walking = false;
  }

  async #move(to) {
    if (to === null) return this.#socket.emitWithAck("leave", this.room);
    const answer = await this.#socket.emitWithAck("join", to);
    if (answer.ok && this.room !== null) await this.#socket.emitWithAck("leave", this.room);
    return answer;
  }

  #outside(reason) {
    if (this.#over) return;
    if (reason === "server disconnected us") notice("The server has shown us out. Reload the page to come back.");
    this.room = null; // `wanted` stays: we go back in when the lights are on again
    arrived(this, 0);
  }

  #hear(event, args) {
    const [told] = args;
    if (event === "town" && Array.isArray(told?.rooms)) return tell(this, told);
    if (event === "said" && typeof told?.text === "string") {
      const room = String(told.room);
      const isOurs = told.from === this.name;
      words.said(String(told.from), told.text, `${room} · ${this.place.title}`, isOurs);
      return street.deliver(room, told.text, isOurs);
    }
    words.published(event, args, this.room ? `${this.room} · ${this.place.title}` : this.place.title);
    if (this.room) street.deliver(this.room, `${event}!`, false);
  }
}

function notice(text) {
  find("notice").textContent = text;
}

/** The server told how the town is. */
function tell(visit, town) {
  street.update(town.rooms);
  street.beat();
  exchange.update(town);
  if (visit.room) showMembers(visit.place, street.membersOf(visit.room));
}

function showMembers(place, n) {
  find("club-members").textContent = `${n === 1 ? "Only you are here" : `${count(n)} are here`} · ${place.title}`;
}

/** The visitor stands in another clubhouse, or on the street. */
function arrived(visit, members) {
  const { room, place } = visit;
  street.enter(room, members, visit.name);
  find("club-name").textContent = room ?? "On the street";
  find("club-members").textContent = "Choose a clubhouse, or open one.";
  if (room) showMembers(place, members);
  find("leave").hidden = room === null;
  for (const control of find("say").elements) control.disabled = room === null;
  find("say-text").placeholder = room ? `Say something to ${room}` : "Go into a clubhouse to speak";
  if (room) words.step(`You went into ${room}, ${place.title}.`);
  history.replaceState(null, "", `#${place.key}${visit.wanted ? `/${encodeURIComponent(visit.wanted)}` : ""}`);
  showCommand(place, room);
}

/** The command that broadcasts here, with its quotes safe for a shell. */
function showCommand(place, room) {
  const body = JSON.stringify({ namespace: place.namespace, rooms: room ? [room] : [], event: "bell", args: ["Tea is ready"] });
  find("curl").textContent = [
    `curl ${location.origin}/api/publish \\`,
    `  -H 'Authorization: Bearer <key>' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d '${body.replaceAll("'", "'\\''")}'`,
  ].join("\n");
}

/** Walks over to another neighbourhood; the connection stays, the namespace changes. */
function moveTo(place, room = Object.keys(place.rooms)[0]) {
  const previous = visit;
  for (const button of find("neighbourhoods").children) button.setAttribute("aria-current", String(button.dataset.key === place.key));
  street.show(place);
  visit = new Visit(place, room);
  previous?.end();
  notice("");
  arrived(visit, 0);
}

/** Where a link such as `#harbour/pier` leads. */
function address() {
  const [key, room] = location.hash.slice(1).split("/");
  const place = NEIGHBOURHOODS.find((candidate) => candidate.key === key);
  try {
    return [place ?? NEIGHBOURHOODS[0], (place && room && decodeURIComponent(room)) || undefined];
  } catch {
    return [NEIGHBOURHOODS[0]]; // a broken escape: start at the gate
  }
}

function showStatus({ state, transport, retryMs }) {
  document.documentElement.dataset.connection = state;
  find("status-words").textContent =
    state === "open"
      ? (transport === "websocket" ? "WebSocket" : "long-polling") // after "connected over", or "over" on a phone
      : state === "waiting"
        ? `the lights are out; trying again in ${Math.ceil(retryMs / 1000)} s`
        : "finding the way to town";
}

/** Day or night: as the device likes it, until the visitor touches the sun. */
function setLight(light) {
  document.documentElement.dataset.light = light;
  document.documentElement.style.colorScheme = light;
  find("daylight").setAttribute("aria-label", light === "dark" ? "Let it be day" : "Let it be night");
}

async function speak(event) {
  event.preventDefault();
  const text = find("say-text").value.trim();
  if (!text) return;
  find("say-text").value = "";
  notice("");
  try {
    await visit.say(text);
  } catch (error) {
    notice(`Not said: ${error.message}`);
    find("say-text").value ||= text;
  }
}

async function copyCommand() {
  await navigator.clipboard?.writeText(find("curl").textContent);
  find("copy").textContent = navigator.clipboard ? "Copied" : "Select it by hand, please";
  await wait(1500);
  find("copy").textContent = "Copy";
}

const night = matchMedia("(prefers-color-scheme: dark)");
setLight(night.matches ? "dark" : "light");
night.addEventListener("change", () => setLight(night.matches ? "dark" : "light"));
const client = new Client().on("status", showStatus);
const words = new Words();
const exchange = new Exchange();
const street = new Street((room) => visit.go(room), () => find("found-name").focus());
let visit = null;

for (const place of NEIGHBOURHOODS) {
  const button = html("button", { type: "button", "data-key": place.key }, place.title, html("code", {}, place.namespace));
  button.addEventListener("click", () => visit.place === place || moveTo(place));
  find("neighbourhoods").append(button);
}
find("daylight").addEventListener("click", () => setLight(document.documentElement.dataset.light === "dark" ? "light" : "dark"));
find("leave").addEventListener("click", () => visit.go(null));
find("say").addEventListener("submit", speak);
find("copy").addEventListener("click", copyCommand);
find("found").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = find("found-name").value.trim();
  find("found-name").value = "";
  if (name) visit.go(name);
});
addEventListener("hashchange", () => {
  const [place, room] = address();
  if (place !== visit.place) moveTo(place, room);
  else if (room) visit.go(room);
});
document.querySelector("details").open = innerWidth > 760 && innerHeight >= 1000; // where there is room for it
moveTo(...address());
