// The timeline under a mouse, fingers and keys.

import { t, tn } from "./texts.js";
import { day } from "./timeline_drawing.js";

const STILL = 4; // pixels that a press may move and be no drag
const CLOSER = 1.5;

/** What a chart does when it is pointed at, dragged, pinched and walked. */
export class Hands {
  constructor(chart) {
    this.chart = chart;
    this.touches = new Map();
    this.moved = 0;
  }

  /** The keys arrive. */
  begin() {
    const { chart } = this;
    if (chart.at < 0) chart.walkTo(chart.nearMiddle());
  }

  /** Sideways it moves; with Ctrl, as a pinch on a touchpad comes, it changes the scale; else the page scrolls. */
  wheel(event) {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.ctrlKey || event.metaKey) this.chart.zoom(1.0015 ** -event.deltaY, event.offsetX);
    else if (sideways) this.chart.pan(event.deltaX || event.deltaY);
    else return;
    event.preventDefault();
  }

  press(event) {
    this.chart.canvas.setPointerCapture(event.pointerId);
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
    if (other) this.chart.zoom(Math.abs(now.x - other.x) / Math.max(1, Math.abs(before.x - other.x)), (now.x + other.x) / 2);
    else this.chart.pan(before.x - now.x);
  }

  release(event) {
    const { chart } = this;
    this.touches.delete(event.pointerId);
    if (this.moved > STILL) return;
    const at = chart.under(event.offsetX, event.offsetY);
    const crowd = at < 0 && chart.crowd(event.offsetX, event.offsetY);
    if (crowd?.count) return chart.zoom(4, event.offsetX);
    if (at < 0) return;
    chart.at = at;
    chart.refresh();
    chart.tell(at);
    chart.pick(at);
  }

  look({ x, y }) {
    const { chart } = this;
    const at = chart.under(x, y);
    this.point(at);
    chart.canvas.style.cursor = at < 0 ? "grab" : "pointer";
    const crowd = at < 0 ? chart.crowd(x, y) : null;
    if (crowd?.count) chart.tell(null, crowdText(crowd, chart, x));
  }

  point(at) {
    const { chart } = this;
    if (at === chart.hover) return;
    chart.hover = at;
    chart.refresh();
    chart.tell(at < 0 ? (chart.at < 0 ? null : chart.at) : at);
  }

  key(event) {
    const { chart } = this;
    const keys = {
      ArrowRight: () => chart.step(1),
      ArrowLeft: () => chart.step(-1),
      ArrowDown: () => chart.change(1),
      ArrowUp: () => chart.change(-1),
      PageDown: () => chart.pan(chart.width / 2),
      PageUp: () => chart.pan(-chart.width / 2),
      Home: () => chart.walkTo(chart.facts.shown[0] ?? -1),
      End: () => chart.walkTo(chart.facts.shown.at(-1) ?? -1),
      "+": () => chart.zoom(CLOSER, chart.here()),
      "=": () => chart.zoom(CLOSER, chart.here()),
      "-": () => chart.zoom(1 / CLOSER, chart.here()),
      0: () => chart.fit(),
      Enter: () => chart.at >= 0 && chart.pick(chart.at),
      " ": () => chart.at >= 0 && chart.pick(chart.at),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }
}

function crowdText({ lane, count }, chart, x) {
  const kind = t(`timeline.kind.${chart.facts.lanes[lane].kind}`);
  return t("timeline.crowd", { facts: tn("timeline.facts", count), kind, when: day(chart.time(x)) });
}
