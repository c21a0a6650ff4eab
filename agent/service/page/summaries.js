// Summaries of the chart for the screen and for paper.

import { html, nothing, svg } from "./vendor/lit-html/lit-html.js";
import { call } from "./api.js";
import { openEvidence } from "./evidence_panel.js";
import { announce } from "./live.js";
import { problemView } from "./problem.js";
import { marked, sources, words } from "./prose.js";
import { recordButton } from "./record.js";
import { set, state, still } from "./store.js";
import { t, tn } from "./texts.js";
import { searchedView } from "./turn.js";

const KINDS = {
  snapshot: "summary.snapshot",
  problems: "summary.problems",
  medications: "summary.medications",
  labs: "summary.labs",
  "since-last-visit": "summary.since-last-visit",
  "for-patient": "summary.for-patient",
};

export async function openSummary(kind) {
  const { patient, asOf } = state.route;
  set({ summary: { kind, data: null, problem: null, working: true } });
  announce(t("summary.working"));
  let made;
  try {
    const data = await call("v1/summaries", { method: "POST", body: { patient, kind, ...(asOf ? { as_of: asOf } : {}) } });
    made = { kind, data, problem: null, working: false };
  } catch (problem) {
    made = { kind, data: null, problem, working: false };
  }
  if (!still({ patient, asOf }) || state.summary.kind !== kind) return;
  set({ summary: made });
  if (made.data) announce(t("summary.ready", { title: made.data.title }));
}

export function summariesView() {
  const { kind, data, problem, working } = state.summary;
  return html`<section class="summaries" aria-labelledby="summaries-title">
    <div class="view-head">
      <h2 id="summaries-title">${t("summary.title")}</h2>
      ${data ? html`<button type="button" class="plain" @click=${() => print()}>${t("print")}</button>` : nothing}
    </div>
    <ul class="kinds">
      ${Object.entries(KINDS).map(
        ([one, key]) => html`<li><button type="button" class="plain" aria-pressed=${one === kind ? "true" : "false"}
          @click=${() => openSummary(one)}>${t(key)}</button></li>`,
      )}
    </ul>
    ${working ? html`<p class="stage"><span class="pulse" aria-hidden="true"></span>${t("summary.working")}</p>` : nothing}
    ${problem ? problemView(problem, () => openSummary(kind)) : nothing}
    ${data ? summaryView(data) : nothing}
  </section>`;
}

function summaryView(data) {
  const cited = new Map(data.citations.map((one) => [one.mark, citationOf(one)]));
  const open = (citation, from) => openEvidence(citation, { searched: data.searched, citations: [...cited.values()] }, from);
  return html`<article class="summary" aria-labelledby="summary-name">
    <h3 id="summary-name">${words(data.title)}</h3>
    ${data.warnings.length ? html`<ul class="warnings">${data.warnings.map((text) => html`<li>${text}</li>`)}</ul>` : nothing}
    ${data.sections.map((section) => sectionView(section, cited, open))}
    ${data.closing ? html`<p class="closing">${data.closing}</p>` : nothing}
    <footer class="more">
      <details><summary>${tn("answer.sources", data.citations.length)}</summary>${sources([...cited.values()], open)}</details>
      ${searchedView(data.searched)}
      ${recordButton(data.id && `v1/summaries/${data.id}`, "summary", data.title)}
    </footer>
    <section class="print-only"><h4>${t("summary.sources")}</h4>${sources([...cited.values()])}</section>
  </article>`;
}

/** A summary's citation in the shape of an answer's. */
const citationOf = ({ mark, text, references, path, version }) => ({
  mark,
  reference: references.length === 1 ? references[0] : "",
  inputs: references.length > 1 ? references : [],
  path,
  version,
  excerpt: text,
  span: null,
});

function sectionView(section, cited, open) {
  const told = [
    ...section.notes.map((note) => html`<li class="muted"><span class="line">${lineView(note, cited, open)}</span></li>`),
    ...(section.hidden ? [html`<li class="muted">${tn("summary.hidden", section.hidden)}</li>`] : []),
    ...section.removed.map((row) => html`<li class="removed">${t("summary.removed", { reason: row.reason })}</li>`),
  ];
  if (!section.lines.length && !told.length) return nothing;
  return html`<section>
    <h4>${section.title}</h4>
    <ul>
      ${section.lines.map(
        (line) => html`<li class=${line.flagged ? "flagged" : ""}>
          <span class="line">
            ${line.flagged ? html`<span class="unseen">${t("summary.flagged")}</span>` : nothing}${lineView(line, cited, open)}
          </span>
          ${line.course ? courseView(line.course) : nothing}
        </li>`,
      )}
      ${told}
    </ul>
  </section>`;
}

const lineView = ({ text, marks }, cited, open) => marked([text, ...marks.map((mark) => `[${mark}]`)].join(" "), (mark) => cited.get(mark), open);

const WIDE = 120;
const HIGH = 24;

/** The course of a result as a line without axes: its shape, beside the words that tell its values. */
function courseView({ points, low, high }) {
  const first = points.filter((point) => point.series === points[0].series);
  if (first.length < 2) return nothing;
  const times = first.map((point) => Date.parse(point.when));
  const values = first.map((point) => point.value);
  const bounds = [...values, low, high].filter((value) => value != null);
  const x = scale(Math.min(...times), Math.max(...times), 2, WIDE - 4);
  const y = scale(Math.max(...bounds), Math.min(...bounds), 2, HIGH - 2);
  const line = first.map((_, i) => `${x(times[i]).toFixed(1)},${y(values[i]).toFixed(1)}`).join(" ");
  const top = high == null ? 0 : y(high);
  const bottom = low == null ? HIGH : y(low);
  const band = low == null && high == null ? nothing : svg`<rect x="0" y=${top} width=${WIDE} height=${Math.max(1, bottom - top)}/>`;
  const [endX, endY] = line.split(" ").at(-1).split(",");
  return html`<svg class="course" viewBox="0 0 ${WIDE} ${HIGH}" width=${WIDE} height=${HIGH} aria-hidden="true">
    ${band}<polyline points=${line}/><circle cx=${endX} cy=${endY} r="2"/>
  </svg>`;
}

function scale(from, to, start, end) {
  const span = to - from || 1;
  return (value) => start + ((value - from) / span) * (end - start);
}
