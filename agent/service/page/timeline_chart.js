// The timeline drawn: lanes by kind, marks where there is room for them, density where there is not.

import { colours, el, onTheme, onWidth } from "./dom.js";
import { t, tn } from "./texts.js";

const HEAD = 26; // pixels of the axis
const ROW = 9;
const TITLE = 17; // of a lane
const REACH = 7; // how near a pointer has to be
const CROWDED = 0.5; // facts a pixel of width, above which a lane tells its density
const DAY = 86400000;
const SHORTEST = DAY; // of what can be seen at once
const STEPS = [DAY, 7 * DAY, 30.44 * DAY, 91.3 * DAY, 365.25 * DAY, 2 * 365.25 * DAY, 5 * 365.25 * DAY, 10 * 365.25 * DAY, 20 * 365.25 * DAY];
const HUES = ["ink", "muted", "line", "accent", "warn", "mark", "paper"];

export class Chart {
  /** `tell` is told the fact under the pointer or the keys (null for none), `pick` the one that is opened. */
  constructor(facts, { tell, pick }) {
    Object.assign(this, { facts, tell, pick });
    this.canvas = el("canvas", { tabindex: "0", role: "application", "aria-roledescription": t("timeline.role"), "aria-label": t("timeline.keys") });
    this.at = -1; // the fact that the keys are on
    this.hover = -1;
    this.touches = new Map();
    this.span();
    this.listen();
  }

  /** Begin to draw, once the canvas is in the page. */
  start() {
    this.hue = colours(this.canvas.parentElement, HUES);
    onTheme(() => {
      if (!this.canvas.isConnected) return;
      this.hue = colours(this.canvas.parentElement, HUES);
      this.refresh();
    });
    this.resize(this.canvas.parentElement.clientWidth);
    this.draw();
    onWidth(this.canvas.parentElement, (width) => width !== this.width && this.resize(width));
  }

  span() {
    const { first, last } = this.facts;
    const room = Math.max((last - first) * 0.02, DAY);
    this.low = first - room;
    this.high = last + room;
  }

  resize(width) {
    const lanes = this.visible();
    let top = HEAD;
    this.tops = new Map();
    for (const lane of lanes) {
      this.tops.set(lane.number, top);
      top += TITLE + lane.rows * ROW + 6;
    }
    this.width = width;
    this.height = Math.max(top + 4, 120);
    const px = devicePixelRatio;
    this.canvas.width = Math.round(width * px);
    this.canvas.height = Math.round(this.height * px);
    this.canvas.style.width = `${width}px`;
    this.canvas.style.height = `${this.height}px`;
    this.refresh();
  }

  /** The lanes that have anything to show. */
  visible() {
    const used = new Set();
    for (const at of this.facts.shown) used.add(this.facts.lane[at]);
    return this.facts.lanes.filter((lane) => used.has(lane.number));
  }

  /** What is wanted has changed. */
  filtered() {
    this.hover = -1;
    if (!this.facts.shown.includes(this.at)) this.at = -1;
    this.resize(this.width);
  }

  refresh() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.draw();
    });
  }

  // Time and pixels.

  x(time) {
    return ((time - this.low) / (this.high - this.low)) * this.width;
  }

  time(x) {
    return this.low + (x / this.width) * (this.high - this.low);
  }

  zoom(by, x = this.width / 2) {
    const anchor = this.time(x);
    const whole = this.facts.last - this.facts.first + 2 * DAY;
    const length = Math.min(Math.max((this.high - this.low) / by, SHORTEST), whole * 1.5);
    this.low = anchor - (length * x) / this.width;
    this.high = this.low + length;
    this.inside();
  }

  pan(pixels) {
    const by = (pixels / this.width) * (this.high - this.low);
    this.low += by;
    this.high += by;
    this.inside();
  }

  /** Something of the chart always stays in sight. */
  inside() {
    const length = this.high - this.low;
    const middle = Math.min(Math.max((this.low + this.high) / 2, this.facts.first), this.facts.last);
    this.low = middle - length / 2;
    this.high = middle + length / 2;
    this.refresh();
  }

  fit() {
    this.span();
    this.refresh();
  }

  // Drawing.

  draw() {
    const ctx = this.canvas.getContext("2d");
    ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    ctx.clearRect(0, 0, this.width, this.height);
    ctx.font = "12px system-ui, sans-serif";
    ctx.textBaseline = "middle";
    this.axis(ctx);
    const counts = this.countLanes();
    this.crowded = new Map([...this.tops.keys()].map((lane) => [lane, counts[lane] > this.width * CROWDED]));
    this.density(ctx);
    this.marks(ctx);
    this.titles(ctx, counts);
    this.rings(ctx);
  }

  /** The facts shown that may be in sight: those that begin before the right edge, and may not have ended. */
  range() {
    return [this.facts.from(this.low - this.facts.longest), this.facts.from(this.high)];
  }

  countLanes() {
    const { facts } = this;
    const counts = new Uint32Array(facts.lanes.length);
    const [from, to] = this.range();
    for (let n = from; n < to; n += 1) {
      const at = facts.shown[n];
      if (facts.end[at] >= this.low) counts[facts.lane[at]] += 1;
    }
    return counts;
  }

  axis(ctx) {
    const pixel = (this.high - this.low) / this.width;
    const step = STEPS.find((one) => one / pixel >= 64) ?? STEPS.at(-1);
    ctx.fillStyle = this.hue.muted;
    ctx.strokeStyle = this.hue.line;
    ctx.lineWidth = 1;
    for (const [time, text] of ticks(this.low, this.high, step)) {
      const x = Math.round(this.x(time)) + 0.5;
      line(ctx, x, HEAD - 4, x, this.height);
      ctx.fillText(text, x + 4, HEAD / 2);
    }
    const now = Math.round(this.x(this.facts.now)) + 0.5;
    ctx.strokeStyle = this.hue.warn;
    ctx.setLineDash([4, 3]);
    line(ctx, now, HEAD - 4, now, this.height);
    ctx.setLineDash([]);
  }

  titles(ctx, counts) {
    ctx.textAlign = "left";
    for (const [number, top] of this.tops) {
      const { kind } = this.facts.lanes[number];
      const text = `${t(`timeline.kind.${kind}`)}  ${counts[number]}`;
      ctx.globalAlpha = 0.85;
      ctx.fillStyle = this.hue.paper;
      ctx.fillRect(0, top, ctx.measureText(text).width + 14, TITLE);
      ctx.globalAlpha = 1;
      ctx.fillStyle = this.hue.muted;
      ctx.fillText(text, 6, top + TITLE / 2);
      ctx.strokeStyle = this.hue.line;
      line(ctx, 0, top - 2.5, this.width, top - 2.5);
    }
  }

  /** Crowded lanes: a column a pixel, as high as the root of how many there are. */
  density(ctx) {
    const { facts } = this;
    const wide = Math.ceil(this.width);
    const bins = new Map();
    for (const [lane, crowded] of this.crowded) if (crowded) bins.set(lane, new Uint16Array(wide));
    if (bins.size) {
      const [from, to] = [facts.from(this.low), facts.from(this.high)];
      for (let n = from; n < to; n += 1) {
        const at = facts.shown[n];
        const own = bins.get(facts.lane[at]);
        if (own) own[Math.min(wide - 1, Math.max(0, Math.floor(this.x(facts.start[at]))))] += 1;
      }
    }
    ctx.fillStyle = this.hue.accent;
    for (const [lane, own] of bins) {
      const most = Math.sqrt(own.reduce((a, b) => Math.max(a, b), 1));
      const tall = facts.lanes[lane].rows * ROW;
      const bottom = this.tops.get(lane) + TITLE + tall;
      for (let x = 0; x < wide; x += 1) {
        if (!own[x]) continue;
        const height = Math.max(2, (Math.sqrt(own[x]) / most) * tall);
        ctx.fillRect(x, bottom - height, 1, height);
      }
    }
    this.bins = bins;
  }

  marks(ctx) {
    const { facts, hue } = this;
    const [from, to] = this.range();
    for (let n = from; n < to; n += 1) {
      const at = facts.shown[n];
      if (this.crowded.get(facts.lane[at]) || facts.end[at] < this.low) continue;
      const y = this.y(at);
      const x = this.x(facts.start[at]);
      if (facts.lasts[at]) this.bar(ctx, at, x, y);
      else {
        ctx.fillStyle = hue.accent;
        ctx.fillRect(x - 1.5, y + 1, 4, ROW - 2);
      }
    }
  }

  /** What lasts as a bar with its edge, a partial date as where it may lie. */
  bar(ctx, at, x, y) {
    const wide = Math.max(4, this.x(this.facts.end[at]) - x);
    const partial = this.facts.lasts[at] === 2;
    ctx.globalAlpha = partial ? 0.35 : 0.55;
    ctx.fillStyle = this.hue.accent;
    ctx.fillRect(x, y + (partial ? 3 : 1), wide, ROW - (partial ? 6 : 2));
    ctx.globalAlpha = 1;
    if (!partial) ctx.fillRect(x, y + 1, 2, ROW - 2);
  }

  rings(ctx) {
    for (const [at, colour] of [[this.hover, this.hue.ink], [this.at, this.hue.warn]]) {
      if (at < 0 || !this.tops.has(this.facts.lane[at])) continue;
      const x = this.x(this.facts.start[at]);
      const wide = this.facts.lasts[at] ? Math.max(4, this.x(this.facts.end[at]) - x) : 3;
      ctx.strokeStyle = colour;
      ctx.lineWidth = 2;
      ctx.strokeRect(x - 4, this.y(at) - 2, wide + 8, ROW + 4);
    }
  }

  y(at) {
    return this.tops.get(this.facts.lane[at]) + TITLE + this.facts.row[at] * ROW;
  }

  // Which fact is where.

  under(x, y) {
    const { facts } = this;
    const [from, to] = [facts.from(this.time(x - REACH) - facts.longest), facts.from(this.time(x + REACH))];
    let best = -1;
    let least = REACH + 1;
    for (let n = from; n < to; n += 1) {
      const at = facts.shown[n];
      if (this.crowded.get(facts.lane[at])) continue;
      const left = this.x(facts.start[at]);
      const right = facts.lasts[at] ? Math.max(left + 4, this.x(facts.end[at])) : left;
      const across = Math.max(left - x, 0, x - right);
      const along = Math.abs(this.y(at) + ROW / 2 - y);
      if (across <= REACH && along <= ROW / 2 + 1 && across + along / 10 <= least) [best, least] = [at, across + along / 10];
    }
    return best;
  }

  /** The crowded lane at a place, and how many facts begin within reach of it. */
  crowd(x, y) {
    for (const [lane, top] of this.tops) {
      const bottom = top + TITLE + this.facts.lanes[lane].rows * ROW;
      const bins = this.bins.get(lane);
      if (!bins || y < top || y > bottom) continue;
      const near = bins.subarray(Math.max(0, Math.floor(x - REACH)), Math.floor(x + REACH) + 1);
      return { lane, count: near.reduce((a, b) => a + b, 0) };
    }
    return null;
  }

  // Hands.

  listen() {
    const { canvas } = this;
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", (event) => this.touches.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.point(-1));
    canvas.addEventListener("focus", () => this.at < 0 && this.walkTo(this.nearMiddle()));
  }

  wheel(event) {
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(event.deltaX || event.deltaY);
    else this.zoom(1.0015 ** -event.deltaY, event.offsetX);
  }

  press(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.touches.set(event.pointerId, { x: event.offsetX, y: event.offsetY });
    this.moved = 0;
  }

  move(event) {
    const before = this.touches.get(event.pointerId);
    const now = { x: event.offsetX, y: event.offsetY };
    if (!before) return this.look(now);
    const other = [...this.touches].find(([id]) => id !== event.pointerId)?.[1];
    this.touches.set(event.pointerId, now);
    this.moved += Math.abs(now.x - before.x);
    if (other) this.zoom(Math.abs(now.x - other.x) / Math.max(1, Math.abs(before.x - other.x)), (now.x + other.x) / 2);
    else this.pan(before.x - now.x);
  }

  release(event) {
    this.touches.delete(event.pointerId);
    if (this.moved > 4) return;
    const at = this.under(event.offsetX, event.offsetY);
    const crowd = at < 0 && this.crowd(event.offsetX, event.offsetY);
    if (crowd?.count) return this.zoom(4, event.offsetX);
    if (at < 0) return;
    this.at = at;
    this.refresh();
    this.tell(at);
    this.pick(at);
  }

  look({ x, y }) {
    const at = this.under(x, y);
    this.point(at);
    this.canvas.style.cursor = at < 0 ? "grab" : "pointer";
    const crowd = at < 0 ? this.crowd(x, y) : null;
    if (crowd?.count) this.tell(null, t("timeline.crowd", { facts: tn("timeline.facts", crowd.count), kind: t(`timeline.kind.${this.facts.lanes[crowd.lane].kind}`), when: day(this.time(x)) }));
  }

  point(at) {
    if (at === this.hover) return;
    this.hover = at;
    this.refresh();
    this.tell(at < 0 ? (this.at < 0 ? null : this.at) : at);
  }

  key(event) {
    const keys = {
      ArrowRight: () => this.step(1),
      ArrowLeft: () => this.step(-1),
      ArrowDown: () => this.change(1),
      ArrowUp: () => this.change(-1),
      PageDown: () => this.pan(this.width / 2),
      PageUp: () => this.pan(-this.width / 2),
      Home: () => this.walkTo(this.facts.shown[0] ?? -1),
      End: () => this.walkTo(this.facts.shown.at(-1) ?? -1),
      "+": () => this.zoom(1.5, this.focus()),
      "=": () => this.zoom(1.5, this.focus()),
      "-": () => this.zoom(1 / 1.5, this.focus()),
      0: () => this.fit(),
      Enter: () => this.at >= 0 && this.pick(this.at),
      " ": () => this.at >= 0 && this.pick(this.at),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }

  focus() {
    const x = this.at < 0 ? -1 : this.x(this.facts.start[this.at]);
    return x >= 0 && x <= this.width ? x : this.width / 2;
  }

  /** To the next or the previous fact of the lane. */
  step(by) {
    const { shown, lane } = this.facts;
    let n = shown.indexOf(this.at);
    if (n < 0) return this.walkTo(this.nearMiddle());
    for (n += by; n >= 0 && n < shown.length; n += by) if (lane[shown[n]] === lane[this.at]) return this.walkTo(shown[n]);
  }

  /** To the fact of the next lane that is nearest in time. */
  change(by) {
    const lanes = [...this.tops.keys()];
    const next = lanes[lanes.indexOf(this.facts.lane[this.at]) + by];
    if (this.at < 0 || next === undefined) return;
    const when = this.facts.start[this.at];
    this.walkTo(this.nearest(when, next));
  }

  nearMiddle() {
    return this.nearest((this.low + this.high) / 2);
  }

  nearest(when, lane = null) {
    let best = -1;
    for (const at of this.facts.shown) {
      if (lane !== null && this.facts.lane[at] !== lane) continue;
      if (best < 0 || Math.abs(this.facts.start[at] - when) < Math.abs(this.facts.start[best] - when)) best = at;
    }
    return best;
  }

  walkTo(at) {
    if (at < 0) return;
    this.at = at;
    const x = this.x(this.facts.start[at]);
    if (x < 20 || x > this.width - 20) this.pan(x - this.width / 2);
    this.refresh();
    this.tell(at);
  }
}

function line(ctx, x, y, right, bottom) {
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(right, bottom);
  ctx.stroke();
}

const day = (time) => new Date(time).toISOString().slice(0, 10);

/** The beginnings of years, months or days between two times, with what is written at each. */
function* ticks(low, high, step) {
  const years = Math.round(step / (365.25 * DAY));
  const months = years ? 0 : Math.round(step / (30.44 * DAY));
  const date = new Date(low);
  date.setUTCHours(0, 0, 0, 0);
  if (years) date.setUTCMonth(0, 1);
  else if (months) date.setUTCDate(1);
  if (years) date.setUTCFullYear(Math.floor(date.getUTCFullYear() / years) * years);
  else if (months) date.setUTCMonth(Math.floor(date.getUTCMonth() / months) * months);
  while (date.getTime() <= high) {
    const text = day(date.getTime());
    if (date.getTime() >= low) yield [date.getTime(), years ? text.slice(0, 4) : months ? text.slice(0, 7) : text];
    if (years) date.setUTCFullYear(date.getUTCFullYear() + years);
    else if (months) date.setUTCMonth(date.getUTCMonth() + months);
    else date.setUTCDate(date.getUTCDate() + Math.max(1, Math.round(step / DAY)));
  }
}
