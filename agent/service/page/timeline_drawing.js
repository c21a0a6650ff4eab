// The timeline drawn: lanes by kind, a mark for each fact where there is room, how many there are where there is not.

import { number, t } from "./texts.js";

export const DAY = 86400000;
export const HEAD = 26; // pixels of the axis
export const ROW = 9; // of a lane
export const NAMED = 16; // where names are written
export const TITLE = 17; // of a lane
export const HUES = ["ink", "muted", "line", "accent", "warn", "paper"];

const CROWDED = 0.5; // facts a pixel of width, above which a lane tells its density
const MONTH = 30.44 * DAY;
const YEAR = 365.25 * DAY;
const STEPS = [DAY, 7 * DAY, MONTH, 3 * MONTH, YEAR, 2 * YEAR, 5 * YEAR, 10 * YEAR, 20 * YEAR];
const LABEL = 64; // pixels that a date on the axis takes
const SHORTEST = 32; // pixels that a name needs
const LETTER = 7; // pixels of a letter of it

/** Draw what a chart shows at the moment. What is crowded is kept with it (`bins`), for the hands. */
export function draw(chart) {
  const ctx = chart.canvas.getContext("2d", { alpha: false });
  ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
  ctx.fillStyle = chart.hue.paper;
  ctx.fillRect(0, 0, chart.width, chart.height);
  ctx.font = "12px system-ui, sans-serif";
  ctx.textBaseline = "middle";
  axis(ctx, chart);
  const counts = inSight(chart);
  chart.bins = density(chart, counts);
  columns(ctx, chart);
  marks(ctx, chart);
  names(ctx, chart);
  titles(ctx, chart, counts);
  rings(ctx, chart);
}

function axis(ctx, chart) {
  const { low, high, width, height, hue } = chart;
  const step = STEPS.find((one) => (one / (high - low)) * width >= LABEL) ?? STEPS.at(-1);
  ctx.fillStyle = hue.muted;
  ctx.strokeStyle = hue.line;
  ctx.lineWidth = 1;
  for (const [time, text] of ticks(low, high, step)) {
    const x = Math.round(chart.x(time)) + 0.5;
    line(ctx, x, HEAD - 4, x, height);
    ctx.fillText(text, x + 4, HEAD / 2);
  }
  const now = Math.round(chart.x(chart.facts.now)) + 0.5;
  ctx.strokeStyle = hue.warn;
  ctx.setLineDash([4, 3]);
  line(ctx, now, HEAD - 4, now, height);
  ctx.setLineDash([]);
}

/** How many facts of each lane lie in the stretch of time that is shown. */
function inSight({ facts, low, high }) {
  const { shown, end, lane } = facts;
  const counts = new Uint32Array(facts.lanes.length);
  const to = facts.from(high);
  for (let n = facts.from(low - facts.longest); n < to; n += 1) if (end[shown[n]] >= low) counts[lane[shown[n]]] += 1;
  return counts;
}

/** By lane, how many facts begin at each pixel; null for a lane that has room for its marks. */
function density({ facts, low, high, width }, counts) {
  const { shown, start, lane } = facts;
  const wide = Math.ceil(width);
  const bins = Array.from(counts, (count) => (count > width * CROWDED ? new Uint16Array(wide) : null));
  if (!bins.some(Boolean)) return bins;
  const scale = width / (high - low);
  const to = facts.from(high);
  for (let n = facts.from(low); n < to; n += 1) {
    const own = bins[lane[shown[n]]];
    if (own) own[Math.min(wide - 1, ((start[shown[n]] - low) * scale) | 0)] += 1;
  }
  return bins;
}

/** Crowded lanes: a column a pixel, as high as the root of how many there are; a shape for each lane. */
function columns(ctx, chart) {
  const { facts, bins, tops, hue } = chart;
  ctx.fillStyle = hue.accent;
  for (const [lane, top] of tops) {
    const own = bins[lane];
    if (!own) continue;
    const tall = facts.lanes[lane].rows * chart.rowOf(lane);
    const bottom = top + TITLE + tall;
    const scale = tall / Math.sqrt(own.reduce((a, b) => Math.max(a, b), 1));
    for (let x = 0; x < own.length; x += 1) {
      const height = own[x] && Math.max(2, Math.round(Math.sqrt(own[x]) * scale));
      if (height) ctx.fillRect(x, bottom - height, 1, height);
    }
  }
}

function marks(ctx, chart) {
  const { facts, bins, low, high } = chart;
  const { shown, start, end, lane, lasts } = facts;
  if ([...chart.tops.keys()].every((one) => bins[one])) return;
  ctx.fillStyle = chart.hue.accent;
  const to = facts.from(high);
  for (let n = facts.from(low - facts.longest); n < to; n += 1) {
    const at = shown[n];
    if (bins[lane[at]] || end[at] < low) continue;
    if (lasts[at]) bar(ctx, chart, at);
    else ctx.fillRect(Math.round(chart.x(start[at])) - 1, chart.y(at) + (chart.rowOf(lane[at]) - 7) / 2, 4, 7);
  }
}

/** What lasts as a bar with its edge, a partial date as where it may lie. */
function bar(ctx, chart, at) {
  const { facts, width } = chart;
  const x = chart.x(facts.start[at]);
  const y = chart.y(at);
  const left = Math.max(-4, x);
  const wide = Math.min(width + 4, Math.max(x + 4, chart.x(facts.end[at]))) - left;
  const tall = chart.rowOf(facts.lane[at]);
  const partial = facts.lasts[at] === 2;
  if (!partial) { // bars that lie on one another stay as light as one, and their names can be read
    ctx.fillStyle = chart.hue.paper;
    ctx.fillRect(left, y + 1, wide, tall - 2);
    ctx.fillStyle = chart.hue.accent;
  }
  ctx.globalAlpha = partial || tall === NAMED ? 0.35 : 0.55;
  if (partial) ctx.fillRect(left, tall === NAMED ? y + tall - 3 : y + 3, wide, 3);
  else ctx.fillRect(left, y + 1, wide, tall - 2);
  ctx.globalAlpha = 1;
  if (!partial) ctx.fillRect(x, y + 1, 2, tall - 2);
}

/** What is what, in its bar or beside its mark, as far as the next thing in the row leaves room. */
function names(ctx, chart) {
  const { facts, bins, low, high, width } = chart;
  const { shown, start, end, lane, row } = facts;
  const before = new Map(); // by row of a lane, what waits to know its room
  ctx.fillStyle = chart.hue.ink;
  ctx.textAlign = "left";
  chart.names = [];
  const to = facts.from(high);
  for (let n = facts.from(low - facts.longest); n < to; n += 1) {
    const at = shown[n];
    if (bins[lane[at]] || !facts.lanes[lane[at]].named || end[at] < low) continue;
    const place = lane[at] * 100 + row[at];
    const last = before.get(place);
    if (last !== undefined && facts.label(last) === facts.label(at) && end[last] >= start[at]) continue; // it goes on
    if (last !== undefined) name(ctx, chart, last, chart.x(start[at]));
    before.set(place, at);
  }
  for (const at of before.values()) name(ctx, chart, at, width);
}

function name(ctx, chart, at, until) {
  const left = Math.max(0, chart.x(chart.facts.start[at])) + 6;
  const room = until - left - 4;
  if (room < SHORTEST) return;
  const label = chart.facts.shownLabel(at);
  const letters = Math.floor(room / LETTER);
  const text = label.length <= letters ? label : `${label.slice(0, letters - 1)}…`;
  const y = chart.y(at);
  ctx.fillText(text, left, y + NAMED / 2 + 0.5);
  chart.names.push({ at, left, y, right: left + text.length * LETTER });
}

function titles(ctx, chart, counts) {
  const { facts, hue, tops, width } = chart;
  ctx.textAlign = "left";
  ctx.strokeStyle = hue.line;
  for (const [lane, top] of tops) {
    const text = `${t(`timeline.kind.${facts.lanes[lane].kind}`)}  ${number(counts[lane])}`;
    ctx.globalAlpha = 0.85;
    ctx.fillStyle = hue.paper;
    ctx.fillRect(0, top, ctx.measureText(text).width + 14, TITLE);
    ctx.globalAlpha = 1;
    ctx.fillStyle = hue.muted;
    ctx.fillText(text, 6, top + TITLE / 2);
    line(ctx, 0, top - 2.5, width, top - 2.5);
  }
}

/** A frame around the fact under the pointer, and around the one that the keys are on. */
function rings(ctx, chart) {
  const { facts, tops, hue } = chart;
  ctx.lineWidth = 2;
  for (const [at, colour] of [[chart.hover, hue.ink], [chart.at, hue.warn]]) {
    if (at < 0 || !tops.has(facts.lane[at])) continue;
    const x = chart.x(facts.start[at]);
    const wide = facts.lasts[at] ? Math.max(4, chart.x(facts.end[at]) - x) : 3;
    ctx.strokeStyle = colour;
    ctx.strokeRect(x - 4, chart.y(at) - 2, wide + 8, chart.rowOf(facts.lane[at]) + 4);
  }
}

function line(ctx, x, y, right, bottom) {
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(right, bottom);
  ctx.stroke();
}

/** A moment as a day (ISO 8601, UTC). */
export const day = (time) => new Date(time).toISOString().slice(0, 10);

/** The beginnings of years, months or days between two times, with what is written at each. */
function* ticks(low, high, step) {
  const years = Math.round(step / YEAR);
  const months = years ? 0 : Math.round(step / MONTH);
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
