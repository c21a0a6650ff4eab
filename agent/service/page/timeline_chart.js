// What a timeline shows of a chart: which stretch of time, which lanes, which fact is where, and which one the reader is at.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { Drawn } from "./drawn.js";
import { t } from "./texts.js";
import { DAY, draw, HEAD, HUES, NAMED, ROW, TITLE } from "./timeline_drawing.js";
import { Hands } from "./timeline_hands.js";

const REACH = 7; // pixels: how near a pointer has to be
const SHORTEST = DAY; // of what can be seen at once

/** Of its `facts`; `tell` is told the one under the pointer or the keys (null for none), `pick` the one that is opened. */
class Chart extends Drawn {
  static hues = HUES;
  at = -1; // the fact that the keys are on
  hover = -1;
  bins = []; // by lane, of the last drawing: how many facts begin at each pixel of a crowded one
  names = []; // of the last drawing: which facts are told by name, and where

  connectedCallback() {
    if (!this.canvas) {
      render(canvasView(new Hands(this)), this);
      this.canvas = this.querySelector("canvas");
      this.span();
    }
    super.connectedCallback();
  }

  /** First with the next frame; what is there already is drawn anew at once, since a canvas of another size is blank. */
  paint(width) {
    const first = !this.width;
    this.resize(width);
    if (!first) draw(this);
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
      top += TITLE + lane.rows * this.rowOf(lane.number) + 6;
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
      draw(this);
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

  y(at) {
    const lane = this.facts.lane[at];
    return this.tops.get(lane) + TITLE + this.facts.row[at] * this.rowOf(lane);
  }

  /** The height of the rows of a lane. */
  rowOf(lane) {
    return this.facts.lanes[lane].named ? NAMED : ROW;
  }

  // Which fact is where.

  under(x, y) {
    const { facts } = this;
    const [from, to] = [facts.from(this.time(x - REACH) - facts.longest), facts.from(this.time(x + REACH))];
    let best = -1;
    let least = REACH + 1;
    for (let n = from; n < to; n += 1) {
      const at = facts.shown[n];
      if (this.bins[facts.lane[at]]) continue;
      const left = this.x(facts.start[at]);
      const right = facts.lasts[at] ? Math.max(left + 4, this.x(facts.end[at])) : left;
      const across = Math.max(left - x, 0, x - right);
      const half = this.rowOf(facts.lane[at]) / 2;
      const along = Math.abs(this.y(at) + half - y);
      if (across <= REACH && along <= half + 1 && across + along / 10 <= least) [best, least] = [at, across + along / 10];
    }
    return best < 0 ? this.named(x, y) : best;
  }

  named(x, y) {
    return this.names.find((one) => x >= one.left && x <= one.right && y >= one.y && y < one.y + NAMED)?.at ?? -1;
  }

  /** The crowded lane at a place, and how many facts begin within reach of it. */
  crowd(x, y) {
    for (const [lane, top] of this.tops) {
      const bottom = top + TITLE + this.facts.lanes[lane].rows * this.rowOf(lane);
      const bins = this.bins[lane];
      if (!bins || y < top || y > bottom) continue;
      const near = bins.subarray(Math.max(0, Math.floor(x - REACH)), Math.floor(x + REACH) + 1);
      return { lane, count: near.reduce((a, b) => a + b, 0) };
    }
    return null;
  }

  /** Where the reader is: at the fact that the keys are on, where that is in sight. */
  here() {
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

customElements.define("chart-timeline", Chart);

const canvasView = (hands) => html`<canvas tabindex="0" role="application" aria-roledescription=${t("timeline.role")} aria-label=${t("timeline.keys")}
  @wheel=${(event) => hands.wheel(event)} @keydown=${(event) => hands.key(event)} @focus=${() => hands.begin()}
  @pointerdown=${(event) => hands.press(event)} @pointermove=${(event) => hands.move(event)} @pointerup=${(event) => hands.release(event)}
  @pointercancel=${(event) => hands.touches.delete(event.pointerId)} @pointerleave=${() => hands.point(-1)}></canvas>`;
