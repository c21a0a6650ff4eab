// The course of a measurement: a plot with the reference range and the cited point, by keyboard as well, and a table.

import { button, colours, el, onTheme, onWidth, quoted, safe } from "./dom.js";
import { t, tn } from "./texts.js";

const HEIGHT = 220;
const SHAPES = { "": circle, high: up, low: down };
const NAMES = ["ink", "muted", "line", "accent", "warn", "mark", "good", "paper"];
const FEW = 60; // points that are drawn as such, and not only as a line

/**
 * One plot for each unit: courses that share it (systolic, diastolic) lie in one. `cited` are references to be marked
 * beside those that the points themselves say. `onPick` is told the reference of a point that is opened.
 */
export function showPlots(series, { cited = new Set(), onPick = null } = {}) {
  const groups = new Map();
  for (const one of series) groups.set(one.unit, [...(groups.get(one.unit) ?? []), one]);
  return [...groups.values()].map((group) => plotView(group, cited, onPick));
}

function plotView(group, cited, onPick) {
  const points = pointsOf(group, cited);
  const told = el("output", { class: "plot-told" });
  const chart = el("div", { class: "plot-chart", tabindex: "0", role: "group", "aria-roledescription": t("evidence.plot.role") });
  chart.setAttribute("aria-label", t("evidence.plot.label", { what: titles(group), points: tn("evidence.plot.points", points.length) }));
  const table = el("div", { class: "plot-table evidence-scroll", hidden: true, tabindex: "0", role: "region", "aria-label": titles(group) });
  const toggle = button(t("evidence.plot.table"), () => {
    table.hidden = !table.hidden;
    chart.hidden = !table.hidden;
    toggle.setAttribute("aria-pressed", String(!table.hidden));
    if (!table.childElementCount) table.append(tableOf(points, group, onPick));
  }, { pressed: false });
  const view = el(
    "figure",
    { class: "plot" },
    el("figcaption", {}, el("h4", {}, quoted(titles(group)), " ", el("span", { class: "muted" }, safe(group[0].unit))), el("span", { class: "plot-note" }, captionOf(group, points)), toggle),
    chart,
    el("div", { class: "plot-readout" }, told),
    table,
  );
  view.shown = () => draw(chart, told, group, points, onPick);
  return view;
}

const titles = (group) => group.map((one) => one.label).join(", ");

function captionOf(group, points) {
  const ranges = group.map((one) => one.range?.text).filter(Boolean);
  const parts = [tn("evidence.plot.points", points.length)];
  if (points.length) parts.push(span(points[0].when, points.at(-1).when));
  if (ranges.length) parts.push(t("evidence.plot.range", { range: ranges.join(", ") }));
  if (group.some((one) => !one.complete)) parts.push(t("evidence.plot.incomplete"));
  return safe(parts.join(" · "));
}

const span = (first, last) => (first === last ? first : t("evidence.plot.span", { first, last }));

/** The points of all courses in time, each with its place and its range. */
function pointsOf(group, cited) {
  const all = group.flatMap((one, course) =>
    one.points.map((point) => ({ ...point, course, label: one.label, range: point.range ?? one.range, cited: point.cited || cited.has(point.reference), x: seconds(point.when) })),
  );
  return all.filter((point) => Number.isFinite(point.x)).sort((a, b) => a.x - b.x || a.course - b.course);
}

/** A FHIR date of any precision, at its beginning. */
const seconds = (when) => Date.UTC(...parts(when)) / 1000;
const parts = (when) => {
  const [year, month = "1", day = "1"] = when.split("-");
  return [Number(year), Number(month) - 1, Number(day)];
};

/** A point in words: date, value, what it means, and whether it is the cited one. */
function words(point, several) {
  const flag = point.flag && `(${point.flag})`;
  const outside = point.outside && t(`evidence.plot.${point.outside}`);
  const told = [point.when, several && point.label, point.text, flag, outside, point.cited && t("evidence.plot.cited")];
  return safe(told.filter(Boolean).join(" "));
}

function tableOf(points, group, onPick) {
  const several = group.length > 1;
  const heads = ["evidence.plot.date", several && "evidence.plot.what", "evidence.plot.value", "evidence.plot.flag", "evidence.plot.its_range"];
  const rows = [...points].reverse().map((point) =>
    el(
      "tr",
      { class: point.cited ? "cited" : null },
      el("th", { scope: "row" }, onPick ? button(point.when, () => onPick(point.reference), { kind: "link" }) : point.when),
      several ? el("td", {}, quoted(point.label)) : null,
      el("td", {}, quoted(point.text), point.cited ? ` ${t("evidence.plot.cited")}` : ""),
      el("td", {}, quoted(point.flag ?? (point.outside ? t(`evidence.plot.${point.outside}`) : ""))),
      el("td", {}, quoted(point.range?.text ?? "")),
    ),
  );
  const head = el("tr", {}, heads.filter(Boolean).map((key) => el("th", { scope: "col" }, t(key))));
  return el("table", {}, el("caption", { class: "unseen" }, safe(titles(group))), el("thead", {}, head), el("tbody", {}, rows));
}

// The drawing.

async function draw(chart, told, group, points, onPick) {
  if (!points.length) return;
  const { default: UPlot } = await import("./vendor/uplot/uPlot.esm.js");
  const xs = [...new Set(points.map((point) => point.x))];
  const state = { at: Math.max(0, points.findLastIndex((point) => point.cited)), hue: colours(chart, NAMES) };
  const data = [xs, ...group.map((_, course) => column(xs, points, course))];
  const plot = new UPlot(options(chart, group, points, state), data, chart);
  chart.dataset.ready = "true";
  const tell = () => {
    told.replaceChildren(words(points[state.at], group.length > 1));
    if (onPick) told.append(" ", button(t("evidence.plot.open"), () => onPick(points[state.at].reference), { kind: "link" }));
    plot.redraw(false);
  };
  tell();
  onWidth(chart, (width) => plot.setSize({ width, height: HEIGHT }));
  onTheme(() => {
    if (!chart.isConnected) return;
    state.hue = colours(chart, NAMES);
    plot.redraw();
  });
  walk(chart, points, state, tell, onPick);
  plot.over.addEventListener("click", (event) => {
    state.at = nearest(plot, points, event.offsetX, event.offsetY);
    tell();
  });
}

/** The values of a course at each moment: the last where one day has several, all of which are drawn as points. */
function column(xs, points, course) {
  const at = new Map(points.filter((point) => point.course === course).map((point) => [point.x, point.value]));
  return xs.map((x) => at.get(x) ?? null);
}

function options(chart, group, points, state) {
  const [low, high] = bounds(points);
  const axis = { stroke: () => state.hue.muted, grid: { stroke: () => state.hue.line, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  return {
    width: Math.max(200, chart.clientWidth),
    height: HEIGHT,
    tzDate: (ts) => UTC(ts),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { range: (_, from, to) => widened(from, to) }, y: { range: () => [low, high] } },
    axes: [{ ...axis, space: 70 }, { ...axis, size: 48, values: (_, ticks) => ticks.map(String) }],
    series: [{}, ...group.map((_, at) => ({ stroke: () => state.hue.accent, width: 1.5, dash: at ? [6, 3] : [], spanGaps: true, points: { show: false } }))],
    hooks: { drawClear: [(plot) => band(plot, points, state)], draw: [(plot) => marks(plot, points, state)] },
    padding: [14, 12, 0, 0],
  };
}

/** A date whose local parts are those of UTC: days are shown as the chart has them, wherever the reader is. */
function UTC(ts) {
  const date = new Date(ts * 1000);
  return new Date(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate());
}

const DAY = 86400;
const widened = (from, to) => {
  const room = Math.max((to - from) * 0.03, DAY * 3);
  return [from - room, to + room];
};

/** The lowest and highest value or end of a range, with some room. */
function bounds(points) {
  const values = points.flatMap((point) => [point.value, point.range?.low, point.range?.high]).filter((x) => typeof x === "number");
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low || Math.abs(high) || 1) * 0.1;
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}

/** The reference range behind the curve: as wide as the plot where it is one, in steps where it changes. */
function band(plot, points, { hue }) {
  const ranged = points.filter((point) => point.range && (point.range.low !== null || point.range.high !== null));
  if (!ranged.length) return;
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = hue.good;
  const firsts = ranged.filter((point, at) => at === 0 || !same(point.range, ranged[at - 1].range));
  firsts.forEach((point, at) => {
    const left = at ? plot.valToPos(point.x, "x", true) : bbox.left;
    const right = at + 1 < firsts.length ? plot.valToPos(firsts[at + 1].x, "x", true) : bbox.left + bbox.width;
    const top = point.range.high === null ? bbox.top : plot.valToPos(point.range.high, "y", true);
    const bottom = point.range.low === null ? bbox.top + bbox.height : plot.valToPos(point.range.low, "y", true);
    ctx.globalAlpha = 0.14;
    ctx.fillRect(left, top, right - left, bottom - top);
    ctx.globalAlpha = 0.6;
    for (const [edge, y] of [[point.range.high, top], [point.range.low, bottom]]) if (edge !== null) ctx.fillRect(left, y, right - left, devicePixelRatio);
  });
  ctx.restore();
}

const same = (one, other) => one.low === other.low && one.high === other.high;

/** The points: their shape says on which side of the range they lie, a ring which one is cited or walked to. */
function marks(plot, points, { at, hue }) {
  const { ctx } = plot;
  const px = devicePixelRatio;
  ctx.save();
  points.forEach((point, number) => {
    const current = number === at;
    if (points.length > FEW && !point.cited && !current && !point.outside) return;
    const x = plot.valToPos(point.x, "x", true);
    const y = plot.valToPos(point.value, "y", true);
    if (point.cited) upright(ctx, plot, x, hue, px);
    ctx.lineWidth = 1.5 * px;
    ctx.strokeStyle = point.outside ? hue.warn : hue.accent;
    ctx.fillStyle = point.comparator ? hue.paper : ctx.strokeStyle;
    ctx.beginPath();
    SHAPES[point.outside ?? ""](ctx, x, y, (point.cited ? 5.5 : 3.5) * px);
    ctx.fill();
    ctx.stroke();
    if (point.cited) ring(ctx, x, y, 10 * px, hue.ink, 2 * px);
    if (current) ring(ctx, x, y, 13 * px, hue.accent, 1 * px);
  });
  ctx.restore();
}

function upright(ctx, plot, x, hue, px) {
  ctx.save();
  ctx.strokeStyle = hue.muted;
  ctx.setLineDash([3 * px, 3 * px]);
  ctx.lineWidth = px;
  ctx.beginPath();
  ctx.moveTo(x, plot.bbox.top);
  ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
  ctx.stroke();
  ctx.restore();
}

function ring(ctx, x, y, radius, stroke, width) {
  ctx.strokeStyle = stroke;
  ctx.lineWidth = width;
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.stroke();
}

function circle(ctx, x, y, size) {
  ctx.arc(x, y, size, 0, 2 * Math.PI);
}

function up(ctx, x, y, size) {
  ctx.moveTo(x, y - size * 1.2);
  ctx.lineTo(x + size * 1.15, y + size * 0.9);
  ctx.lineTo(x - size * 1.15, y + size * 0.9);
  ctx.closePath();
}

function down(ctx, x, y, size) {
  up(ctx, x, y, -size);
}

// Walking.

function walk(chart, points, state, tell, onPick) {
  const to = {
    ArrowRight: () => state.at + 1,
    ArrowLeft: () => state.at - 1,
    ArrowUp: () => state.at + 1,
    ArrowDown: () => state.at - 1,
    PageDown: () => state.at + 10,
    PageUp: () => state.at - 10,
    Home: () => 0,
    End: () => points.length - 1,
  };
  chart.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && onPick && event.target === chart) onPick(points[state.at].reference);
    else if (to[event.key]) state.at = Math.min(points.length - 1, Math.max(0, to[event.key]()));
    else return;
    event.preventDefault();
    tell();
  });
}

function nearest(plot, points, x, y) {
  const away = (point) => (plot.valToPos(point.x, "x") - x) ** 2 + (plot.valToPos(point.value, "y") - y) ** 2;
  return points.reduce((best, point, at) => (away(point) < away(points[best]) ? at : best), 0);
}
