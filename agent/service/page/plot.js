// The course of a measurement: a plot with the reference range and the cited point, by keyboard as well, and a table.

import { button, colours, el, onTheme, onWidth, quoted, safe } from "./dom.js";
import { band, marks, names } from "./plot_drawing.js";
import { t, tn } from "./texts.js";

const HEIGHT = 220;
const NAMES = ["ink", "muted", "line", "accent", "warn", "mark", "good", "paper"];

/**
 * A plot for each course; two of one unit and size (systolic, diastolic) lie in one. `cited` are references to be marked
 * beside those that the points themselves say, `own` is what is open already. `onPick` is told the reference of a point
 * that is opened.
 */
export function showPlots(series, { cited = new Set(), own = "", onPick = null } = {}) {
  const pick = onPick && ((reference) => reference !== own && onPick(reference));
  return (areTwin(series) ? [series] : series.map((one) => [one])).map((group) => plotView(group, cited, own, pick));
}

function areTwin(series) {
  const [one, other] = series.map(({ points }) => Math.abs(points.at(-1)?.value ?? 0));
  return series.length === 2 && series[0].unit === series[1].unit && one < 4 * other && other < 4 * one;
}

function plotView(group, cited, own, onPick) {
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
  if (points.length < 2 && !points[0]?.range) {
    // One number without a range is no course.
    chart.remove();
    toggle.remove();
    if (points.length) told.append(words(points[0], false));
    return view;
  }
  view.shown = () => draw(chart, told, group, points, own, onPick);
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
  const value = [point.text, flag].filter(Boolean).join(" ");
  const told = [point.when, several && point.label, value, outside, point.cited && t("evidence.plot.cited")];
  return safe(told.filter(Boolean).join(" · "));
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

async function draw(chart, told, group, points, own, onPick) {
  if (!points.length) return;
  const { default: UPlot } = await import("./vendor/uplot/dist/uPlot.esm.js");
  const xs = [...new Set(points.map((point) => point.x))];
  const state = { at: Math.max(0, points.findLastIndex((point) => point.cited)), hue: colours(chart, NAMES) };
  const data = [xs, ...group.map((_, course) => column(xs, points, course))];
  const plot = new UPlot(options(chart, group, points, state), data, chart);
  chart.dataset.ready = "true";
  const tell = () => {
    told.replaceChildren(words(points[state.at], group.length > 1));
    if (onPick && points[state.at].reference !== own) told.append(" ", button(t("evidence.plot.open"), () => onPick(points[state.at].reference), { kind: "link" }));
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
    axes: [{ ...axis, space: 70, size: 40 }, { ...axis, size: 48, values: (_, ticks) => ticks.map(String) }],
    series: [{}, ...group.map((_, at) => ({ stroke: () => state.hue.accent, width: 1.5, dash: at ? [6, 3] : [], spanGaps: true, points: { show: false } }))],
    hooks: { drawClear: [(plot) => band(plot, points, state)], draw: [(plot) => marks(plot, points, state), (plot) => names(plot, group, points, state)] },
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
