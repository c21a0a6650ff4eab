// Text of answers and summaries: its marks become chips that open the evidence.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { safe } from "./safe.js";
import { excerptOf } from "./searches.js";
import { t } from "./texts.js";

const MARK = /\[([a-z]?\d+)\]/;
const JOINED = /((?:\S{1,24}\s+)?(?:\[[a-z]?\d+\] ?){1,3}[.,;:)]*)/; // marks with the word before and the stop behind
const SPECIAL = /(\((?:HH?|LL?|AA?)\)|\d{4}-\d{2}(?:-\d{2})?)/; // flags of results, and dates

/** Lines of text; those that begin with a dash are a list. `cite(mark)` gives the citation, undefined if there is none. */
export function prose(text, cite, open) {
  const blocks = [];
  for (const line of text.split("\n")) {
    const item = line.startsWith("- ");
    const last = blocks.at(-1);
    if (item && last?.items) last.items.push(line.slice(2));
    else if (item) blocks.push({ items: [line.slice(2)] });
    else if (line.trim()) blocks.push({ line });
  }
  return blocks.map((block) =>
    block.items
      ? html`<ul>
          ${block.items.map((line) => html`<li>${marked(line, cite, open)}</li>`)}
        </ul>`
      : html`<p>${marked(block.line, cite, open)}</p>`,
  );
}

/** A line with its marks as chips, which never begin a line of their own: they stay with their word. */
export function marked(line, cite, open) {
  return line.split(JOINED).map((part, i) => (i % 2 ? html`<span class="joined">${joined(part, cite, open)}</span>` : words(part)));
}

function joined(part, cite, open) {
  return part.split(MARK).map((piece, i) => {
    const citation = i % 2 ? cite(piece) : null;
    return citation ? chip(citation, open) : words(i % 2 ? `[${piece}]` : piece);
  });
}

/** Text of a chart with the flags of results marked, and dates that no line breaks. */
export const words = (text) => safe(text).split(SPECIAL).map((part, i) => (i % 2 ? special(part) : part));

const special = (part) => html`<span class=${part.startsWith("(") ? "flag" : "date"}>${part}</span>`;

/** A button with the mark on it. */
export function chip(citation, open) {
  const excerpt = excerptOf(citation);
  const label = t("chip.label", { mark: citation.mark, excerpt });
  return html`<button type="button" class="chip" aria-label=${label} title=${excerpt}
    data-mark=${citation.mark} @click=${(event) => open(citation, event.currentTarget)}>${citation.mark}</button>`;
}

/** The sources in the order of their marks. */
export function sources(citations, open) {
  if (!citations.length) return nothing;
  return html`<ol class="sources">
    ${citations.map(
      (citation) => html`<li>
        <span class="source-mark">${open ? chip(citation, open) : `[${citation.mark}]`}</span>
        <span>${words(excerptOf(citation))}${place(citation)}</span>
      </li>`,
    )}
  </ol>`;
}

/** Where it stands: the record, the records that it was worked out from, or the search. */
function place({ reference, inputs, path }) {
  const references = reference ? [reference] : inputs.length ? inputs : [path];
  return html` <span class="reference">${safe(references.join(", "))}</span>`;
}
