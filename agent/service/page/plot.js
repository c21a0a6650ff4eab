// The course of a measurement: a plot with the reference range and the cited point, by keyboard as well, and a table.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { Drawn } from "./drawn.js";
import { band, marks, names } from "./plot_drawing.js";
import { words } from "./prose.js";
import { quoted, safe } from "./safe.js";
import { t, tn } from "./texts.js";

const HEIGHT = 220;

/**
 * A plot for each course; two of one unit and size (systolic, diastolic) lie in one. `cited` are references to be marked
 * beside those that the points themselves say, `own` is what is open already. `onPick` is told the reference of a point
 * that is opened.
 */
export function plotViews(series, { cited = new Set(), own = "", onPick = null } = {}) {
  const pick = onPick && ((reference) => reference !== own && onPick(reference));
  const groups = areTwin(series) ? [series] : series.map((one) => [one]);
  return groups.map((group) => html`<chart-plot .group=${group} .points=${pointsOf(group, cited)} .own=${own} .pick=${pick}></chart-plot>`);
}

function areTwin(series) {
  const [one, other] = series.map(({ points }) => Math.abs(points.at(-1)?.value ?? 0));
  return series.length === 2 && series[0].unit === series[1].unit && one < 4 * other && other < 4 * one;
}

class Plot extends Drawn {
  static hues = ["ink", "muted", "line", "accent", "warn", "mark", "good", "paper"];

  connectedCallback() {
    this.at ??= Math.max(0, this.points.findLastIndex((point) => point.cited));
    this.update();
    super.connectedCallback();
  }

  /** One number without a range is no course. */
  get single() {
    return this.points.length < 2 && !this.points[0]?.range;
  }

  update() {
    const { group, points, single, listed } = this;
    const what = titles(group);
    const label = t("evidence.plot.label", { what, points: tn("evidence.plot.points", points.length) });
    render(
      html`<figure class="plot">
        <figcaption>
          <h4>${quoted(what)} <span class="muted">${safe(group[0].unit)}</span></h4>
          <p class="plot-note">${words(captionOf(group, points))}</p>
        </figcaption>
        ${single ? nothing : html`<button type="button" class="plain" aria-pressed=${listed ? "true" : "false"} @click=${() => this.toggle()}>${t("evidence.plot.table")}</button>`}
        ${single
          ? nothing
          : html`<div class="plot-chart" tabindex="0" role="group" aria-roledescription=${t("evidence.plot.role")} aria-label=${label}
              ?hidden=${listed} @keydown=${(event) => this.key(event)}></div>`}
        <div class="plot-readout">${points.length ? this.told(points[this.at]) : nothing}</div>
        ${listed ? html`<div class="plot-table evidence-scroll" tabindex="0" role="region" aria-label=${what}>${tableView(this)}</div>` : nothing}
      </figure>`,
      this,
    );
  }

  /** The point that is walked to, in words, and the one before it. */
  told(point) {
    const several = this.group.length > 1;
    const earlier = this.points.findLast(({ course, x }) => course === point.course && x < point.x);
    const other = this.pick && point.reference !== this.own;
    return html`<output class="plot-told">${words(inWords(point, several))}
      ${other ? html`<button type="button" class="link" @click=${() => this.pick(point.reference)}>${t("evidence.plot.open")}</button>` : nothing}</output>
      ${earlier ? html`<p class="muted">${words(t("evidence.plot.earlier", { told: inWords(earlier, several) }))}</p>` : nothing}
      <span class="unreachable"></span>`;
  }

  toggle() {
    this.listed = !this.listed;
    this.update();
  }

  go(to) {
    this.at = Math.min(this.points.length - 1, Math.max(0, to));
    this.update();
    this.drawing?.redraw(false);
  }

  key(event) {
    const { at, points, pick } = this;
    const to = { ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at - 1, ArrowDown: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: points.length - 1 };
    if (event.key === "Enter" && pick) pick(points[at].reference);
    else if (event.key in to) this.go(to[event.key]);
    else return;
    event.preventDefault();
  }

  async paint(width) {
    const { points, group } = this;
    if (!points.length || this.single) return;
    const { default: UPlot } = await import("./vendor/uplot/dist/uPlot.esm.js");
    if (this.drawing) {
      this.drawing.setSize({ width, height: HEIGHT });
      return this.drawing.redraw();
    }
    const chart = this.querySelector(".plot-chart");
    const xs = [...new Set(points.map((point) => point.x))];
    this.drawing = new UPlot(options(this, width), [xs, ...group.map((_, course) => column(xs, points, course))], chart);
    this.drawing.over.addEventListener("click", (event) => this.go(nearest(this.drawing, points, event.offsetX, event.offsetY)));
    chart.dataset.ready = "true";
  }
}

customElements.define("chart-plot", Plot);

const titles = (group) => group.map((one) => one.label).join(", ");

function captionOf(group, points) {
  const ranges = group.map((one) => one.range?.text).filter(Boolean);
  const parts = [tn("evidence.plot.points", points.length)];
  if (points.length) parts.push(span(points[0].when, points.at(-1).when));
  if (ranges.length) parts.push(t("evidence.plot.range", { range: ranges.join(", ") }));
  if (group.some((one) => !one.complete)) parts.push(t("evidence.plot.incomplete"));
  return parts.join(" · ");
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
function inWords(point, several) {
  const flag = point.flag && `(${point.flag})`;
  const outside = point.outside && t(`evidence.plot.${point.outside}`);
  const value = [point.text, flag].filter(Boolean).join(" ");
  const parts = [point.when, several && point.label, value, outside, point.cited && t("evidence.plot.cited")];
  return parts.filter(Boolean).join(" · ");
}

function tableView({ points, group, pick }) {
  const several = group.length > 1;
  const heads = ["evidence.plot.date", several && "evidence.plot.what", "evidence.plot.value", "evidence.plot.flag", "evidence.plot.its_range"];
  const rows = points.toReversed().map(
    (point) => html`<tr class=${point.cited ? "cited" : ""}>
      <th scope="row">${pick ? html`<button type="button" class="link" @click=${() => pick(point.reference)}>${point.when}</button>` : point.when}</th>
      ${several ? html`<td>${quoted(point.label)}</td>` : nothing}
      <td>${quoted(point.text)}${point.cited ? ` ${t("evidence.plot.cited")}` : ""}</td>
      <td>${quoted(point.flag ?? (point.outside ? t(`evidence.plot.${point.outside}`) : ""))}</td>
      <td>${quoted(point.range?.text ?? "")}</td>
    </tr>`,
  );
  return html`<table>
    <caption class="unseen">${safe(titles(group))}</caption>
    <thead><tr>${heads.filter(Boolean).map((key) => html`<th scope="col">${t(key)}</th>`)}</tr></thead>
    <tbody>${rows}</tbody>
  </table>`;
}

// The drawing.

/** The values of a course at each moment: the last where one day has several, all of which are drawn as points. */
function column(xs, points, course) {
  const at = new Map(points.filter((point) => point.course === course).map((point) => [point.x, point.value]));
  return xs.map((x) => at.get(x) ?? null);
}

function options(state, width) {
  const { group, points } = state;
  const [low, high] = bounds(points);
  const axis = { stroke: () => state.hue.muted, grid: { stroke: () => state.hue.line, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  return {
    width: Math.max(200, width),
    height: HEIGHT,
    tzDate: (ts) => UTC(ts),
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
    scales: { x: { range: (_, from, to) => widened(from, to) }, y: { range: () => [low, high] } },
    axes: [{ ...axis, space: 70, size: 26 }, { ...axis, size: 48, values: (_, ticks) => ticks.map(String) }],
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

function nearest(plot, points, x, y) {
  const away = (point) => (plot.valToPos(point.x, "x") - x) ** 2 + (plot.valToPos(point.value, "y") - y) ** 2;
  return points.reduce((best, point, at) => (away(point) < away(points[best]) ? at : best), 0);
}
