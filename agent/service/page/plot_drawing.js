// What is drawn on a plot beside its curves: the reference range, the points, and which curve is which.

import { safe } from "./safe.js";

const SHAPES = { "": circle, high: up, low: down };
const FEW = 60; // points that are drawn as such, and not only as a line
const MANY = 8; // cited points, above which each is marked more lightly

/** The reference range behind the curve: as wide as the plot where it is one, in steps where it changes. */
export function band(plot, points, { hue }) {
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
export function marks(plot, points, { at, hue }) {
  const { ctx } = plot;
  const px = devicePixelRatio;
  const many = points.filter((point) => point.cited).length > MANY;
  ctx.save();
  ctx.setLineDash([]);
  points.forEach((point, number) => {
    const current = number === at;
    if (points.length > FEW && !point.cited && !current && !point.outside) return;
    const x = plot.valToPos(point.x, "x", true);
    const y = plot.valToPos(point.value, "y", true);
    if (point.cited && !many) upright(ctx, plot, x, hue, px);
    ctx.lineWidth = 1.5 * px;
    ctx.strokeStyle = point.outside ? hue.warn : hue.accent;
    ctx.fillStyle = point.comparator ? hue.paper : ctx.strokeStyle;
    ctx.beginPath();
    SHAPES[point.outside ?? ""](ctx, x, y, (point.cited && !many ? 5.5 : 3.5) * px);
    ctx.fill();
    ctx.stroke();
    if (point.cited) ring(ctx, x, y, (many ? 6.5 : 10) * px, hue.ink, (many ? 1 : 2) * px);
    if (current) ring(ctx, x, y, 13 * px, hue.accent, 1 * px);
  });
  ctx.restore();
}

/** What the curves are, above where each begins, where there are two. */
export function names(plot, group, points, { hue }) {
  if (group.length < 2) return;
  const { ctx } = plot;
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.fillStyle = hue.ink;
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  group.forEach((one, course) => {
    const first = points.find((point) => point.course === course);
    if (first) ctx.fillText(safe(one.label), plot.valToPos(first.x, "x", true), plot.valToPos(first.value, "y", true) - 8);
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
