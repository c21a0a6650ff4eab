// The text of a note or report, with the cited passages marked and brought into view.

import { button, el, safe } from "./dom.js";
import { t, tn } from "./texts.js";

const BLOCK = 4000; // characters laid out together: what is out of sight costs nothing

/** The note. `spans` count its Unicode characters; `quote` is what stands there. */
export function showNote(note, spans) {
  const places = units(note.text, spans);
  const wrong = places.some(({ start, end, quote }) => quote !== undefined && note.text.slice(start, end) !== quote);
  const text = el("div", { class: "note-text", tabindex: "0", role: "region", "aria-label": t("evidence.note.text") });
  text.append(...blocks(note.text, wrong ? [] : places, units(note.text, note.scanned ?? [])));
  const marks = firstMarks(text);
  const view = el(
    "section",
    { class: "note", "aria-label": t("evidence.note") },
    el("div", { class: "note-head" }, el("h4", {}, t("evidence.note")), marks.length > 1 ? walker(marks) : null),
    ...notices(note, wrong),
    note.text ? text : null,
  );
  view.shown = () => marks.length && bring(text, marks[0]);
  return view;
}

function notices(note, wrong) {
  const by = [...new Set((note.scanned ?? []).map((one) => one.by))].join(", ");
  const told = [
    wrong && t("evidence.note.moved"),
    by && t("evidence.note.scanned", { by }),
    note.unread && t("evidence.note.unread", { why: note.unread }),
  ];
  return told.filter(Boolean).map((words) => el("p", { class: "evidence-notice" }, safe(words)));
}

/** Spans in UTF-16 units, which strings of this language count in, in order. */
function units(text, spans) {
  const sorted = [...spans].sort((a, b) => a.start - b.start);
  if (!/[\ud800-\udfff]/.test(text)) return sorted.map((span) => ({ ...span, end: Math.min(span.end, text.length) }));
  const wanted = [...new Set(sorted.flatMap(({ start, end }) => [start, end]))].sort((a, b) => a - b);
  const at = new Map();
  let point = 0;
  let unit = 0;
  for (const character of text) {
    while (wanted.length && wanted[0] <= point) at.set(wanted.shift(), unit);
    if (!wanted.length) break;
    point += 1;
    unit += character.length;
  }
  for (const rest of wanted) at.set(rest, text.length);
  return sorted.map((span) => ({ ...span, start: at.get(span.start), end: at.get(span.end) }));
}

/** The text in blocks of whole lines; a passage is a <mark>, in each block that it is in. */
function blocks(text, places, scanned) {
  const made = [];
  for (let start = 0; start < text.length; ) {
    const line = text.indexOf("\n", start + BLOCK);
    const end = line < 0 ? text.length : line + 1;
    made.push(el("div", { class: "note-block" }, pieces(text, start, end, places, scanned)));
    start = end;
  }
  return made;
}

function pieces(text, start, end, places, scanned) {
  const inside = (one) => one.start < end && one.end > start;
  const own = places.filter(inside);
  const read = scanned.filter(inside);
  const edges = new Set([start, end]);
  for (const one of [...own, ...read]) for (const edge of [one.start, one.end]) if (edge > start && edge < end) edges.add(edge);
  const cuts = [...edges].sort((a, b) => a - b);
  return cuts.slice(1).map((cut, at) => {
    const from = cuts[at];
    const covers = (one) => one.start <= from && one.end >= cut;
    const number = own.findIndex(covers);
    const words = safe(text.slice(from, cut));
    const plain = read.some(covers) ? el("span", { class: "note-scanned" }, words) : words;
    return number < 0 ? plain : el("mark", { "data-span": String(places.indexOf(own[number])) }, plain);
  });
}

/** The first mark of each passage. */
function firstMarks(text) {
  const found = new Map();
  for (const mark of text.querySelectorAll("mark")) if (!found.has(mark.dataset.span)) found.set(mark.dataset.span, mark);
  return [...found.values()];
}

function walker(marks) {
  const told = el("span", { role: "status" });
  let at = 0;
  const go = (step) => {
    at = (at + step + marks.length) % marks.length;
    told.textContent = t("evidence.note.passage", { number: at + 1, of: marks.length });
    bring(marks[at].closest(".note-text"), marks[at]);
  };
  go(0);
  const label = tn("evidence.note.passages", marks.length);
  return el("span", { class: "note-walk", role: "group", "aria-label": label }, button("↑", () => go(-1), { label: t("evidence.note.before") }), told, button("↓", () => go(1), { label: t("evidence.note.next") }));
}

/** Scroll the text, and not the page, so that a mark stands in its upper third. */
function bring(text, mark) {
  const place = () => {
    const gap = mark.getBoundingClientRect().top - text.getBoundingClientRect().top;
    text.scrollTop += gap - text.clientHeight / 3;
  };
  place();
  requestAnimationFrame(place); // blocks above that were laid out only now have their true height
}
