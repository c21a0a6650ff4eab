// The facts of a timeline in columns: where each lies in time, in which lane and row, and which are wanted.

import { safe } from "./safe.js";

const ROWS = 6; // of a lane at most
const BARS = 12; // of a lane of what lasts
const NAMED = 40; // facts of a lane, up to which its rows are high enough for their names
const DAY = 86400000;

/** What the service tells as columns, made ready for drawing: all of it once, so that a frame only looks up. */
export class Facts {
  constructor(told) {
    this.told = told;
    const count = told.when.length;
    this.start = new Float64Array(count); // ms
    this.end = new Float64Array(count); // of what lasts; of a partial date, its own end; else the start
    this.lasts = new Uint8Array(count); // 1: has an end or goes on, 2: the date is partial
    this.row = new Uint8Array(count);
    this.lane = Uint8Array.from(told.label, (label) => told.label_kinds[label]);
    this.now = ends(told.as_of);
    for (let at = 0; at < count; at += 1) this.place(at);
    this.words = told.labels.map(folded);
    this.safe = [];
    this.lanes = told.kinds.map((kind, number) => ({ kind, number, rows: 1 }));
    this.stack();
    this.all = Uint32Array.from({ length: count }, (_, at) => at);
    this.shown = this.all;
    this.first = count ? Math.min(this.start[0], this.now - DAY) : this.now - 365 * DAY;
    this.last = count ? Math.max(this.now, this.start[count - 1]) : this.now;
    this.longest = this.all.reduce((most, at) => Math.max(most, this.end[at] - this.start[at]), 0);
  }

  get count() {
    return this.all.length;
  }

  place(at) {
    const when = this.told.when[at];
    const until = this.told.until[at];
    this.start[at] = begins(when);
    if (until !== undefined) {
      this.end[at] = until === "" ? Math.max(this.now, this.start[at]) : ends(until);
      this.lasts[at] = 1;
    } else {
      this.end[at] = when.length < 10 ? ends(when) : this.start[at];
      this.lasts[at] = when.length < 10 ? 2 : 0;
    }
  }

  /** Give each fact a row of its lane: the same thing always has the same one, so that a course reads as a line. */
  stack() {
    const rowOf = new Map();
    const most = this.lanes.map(() => ROWS);
    for (let at = 0; at < this.start.length; at += 1) if (this.lasts[at] === 1 && this.end[at] - this.start[at] > 30 * DAY) most[this.lane[at]] = BARS;
    const free = this.lanes.map(() => []); // when each row is free again
    for (let at = 0; at < this.start.length; at += 1) {
      const label = this.told.label[at];
      const own = free[this.lane[at]];
      if (!rowOf.has(label)) rowOf.set(label, freeRow(own, this.start[at], most[this.lane[at]]));
      this.row[at] = rowOf.get(label);
      own[this.row[at]] = Math.max(own[this.row[at]] ?? 0, this.end[at]);
    }
    const counts = this.counts();
    for (const lane of this.lanes) {
      lane.rows = Math.max(1, free[lane.number].length);
      lane.named = most[lane.number] === BARS || counts[lane.number] <= NAMED;
    }
  }

  /** Keep those of some kinds whose label has all the words. */
  filter(hidden, text) {
    const wanted = folded(text).split(/\s+/).filter(Boolean);
    const labels = this.words.map((words) => wanted.every((word) => words.includes(word)));
    const open = this.lanes.map(({ kind }) => !hidden.has(kind));
    this.shown = this.all.filter((at) => labels[this.told.label[at]] && open[this.lane[at]]);
  }

  counts() {
    const counts = this.lanes.map(() => 0);
    for (const lane of this.lane) counts[lane] += 1;
    return counts;
  }

  /** The place among those shown of the first that begins at a time or later. */
  from(time) {
    let low = 0;
    let high = this.shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.start[this.shown[middle]] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  label(at) {
    return this.told.labels[this.told.label[at]];
  }

  /** The same as it may be shown; worked out once, since it is drawn with every frame. */
  shownLabel(at) {
    const label = this.told.label[at];
    return (this.safe[label] ??= safe(this.told.labels[label]));
  }

  kind(at) {
    return this.told.kinds[this.lane[at]];
  }
}

/** A row for what begins: a new one, one where nothing goes on any more, else the one that is free first. */
function freeRow(free, start, most) {
  const idle = free.findIndex((end) => end < start);
  if (most === BARS && idle >= 0) return idle;
  if (free.length < most) return free.length;
  return free.indexOf(Math.min(...free));
}

/** The first moment of a FHIR date of any precision, in UTC. */
function begins(text) {
  const [year, month = "1", day = "1"] = text.split("-");
  return at(Number(year), Number(month) - 1, Number(day));
}

/** The first moment after it. */
function ends(text) {
  const [year, month, day] = text.split("-").map(Number);
  if (!month) return at(year + 1, 0, 1);
  return day ? at(year, month - 1, day + 1) : at(year, month, 1);
}

/** As Date.UTC, which takes the years 0 to 99 for others. */
function at(year, month, day) {
  const date = new Date(Date.UTC(2000, month, day));
  date.setUTCFullYear(year + date.getUTCFullYear() - 2000);
  return date.getTime();
}

const folded = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
