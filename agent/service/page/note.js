// The text of a note or report, with the cited passages marked and brought into view.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { safe } from "./safe.js";
import { t, tn } from "./texts.js";

const BLOCK = 4000; // characters laid out together: what is out of sight costs nothing

/** The note. `spans` count its Unicode characters; `quote` is what stands there. */
export const noteView = (note, spans) => html`<chart-note .note=${note} .spans=${spans}></chart-note>`;

class Note extends HTMLElement {
  connectedCallback() {
    this.made ??= this.make();
    this.update();
    this.marks ??= firstMarks(this);
    if (this.marks.length) this.go(0);
  }

  make() {
    const { text, scanned = [] } = this.note;
    const places = units(text, this.spans);
    const wrong = places.some(({ start, end, quote }) => quote !== undefined && text.slice(start, end) !== quote);
    this.notices = notices(this.note, wrong);
    return blocks(text, wrong ? [] : places, units(text, scanned));
  }

  /** To a passage by its place among them, round the end. */
  go(to) {
    this.at = (to + this.marks.length) % this.marks.length;
    this.update();
    bring(this.querySelector(".note-text"), this.marks[this.at]);
  }

  update() {
    render(
      html`<section class="note" aria-label=${t("evidence.note")}>
        <div class="note-head"><h4>${t("evidence.note")}</h4>${this.marks?.length > 1 ? this.walker() : nothing}</div>
        ${this.notices.map((words) => html`<p class="evidence-notice">${safe(words)}</p>`)}
        ${this.made.length ? html`<div class="note-text" tabindex="0" role="region" aria-label=${t("evidence.note.text")}>${this.made}</div>` : nothing}
      </section>`,
      this,
    );
  }

  walker() {
    const { length } = this.marks;
    const step = (by, sign, label) => html`<button type="button" class="plain" aria-label=${label} @click=${() => this.go(this.at + by)}>${sign}</button>`;
    return html`<span class="note-walk" role="group" aria-label=${tn("evidence.note.passages", length)}>
      ${step(-1, "↑", t("evidence.note.before"))}
      <span role="status">${t("evidence.note.passage", { number: this.at + 1, of: length })}</span>
      ${step(1, "↓", t("evidence.note.next"))}
    </span>`;
  }
}

customElements.define("chart-note", Note);

function notices(note, wrong) {
  const by = [...new Set((note.scanned ?? []).map((one) => one.by))].join(", ");
  return [
    wrong && t("evidence.note.moved"),
    by && t("evidence.note.scanned", { by }),
    note.unread && t("evidence.note.unread", { why: note.unread }),
  ].filter(Boolean);
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
    made.push(html`<div class="note-block">${pieces(text, start, end, places, scanned)}</div>`);
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
    const passage = own.find(covers);
    const words = safe(text.slice(from, cut));
    const plain = read.some(covers) ? html`<span class="note-scanned">${words}</span>` : words;
    return passage ? html`<mark data-span=${places.indexOf(passage)}>${plain}</mark>` : plain;
  });
}

/** The first mark of each passage. */
function firstMarks(text) {
  const found = new Map();
  for (const mark of text.querySelectorAll("mark")) if (!found.has(mark.dataset.span)) found.set(mark.dataset.span, mark);
  return [...found.values()];
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
