// What the chart holds, by kind: the words that can be asked about.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { fill } from "./box.js";
import { call, query } from "./api.js";
import { problemView } from "./problem.js";
import { go } from "./route.js";
import { set, state } from "./store.js";
import { t, tn } from "./texts.js";

const SHOWN = 40; // rows of a kind before a button tells that there are more

export async function openContents() {
  const { patient, asOf } = state.route;
  set({ contents: { data: null, problem: null, filter: "", whole: [] } });
  try {
    const data = await call(`v1/patients/${encodeURIComponent(patient)}/catalogue?${query({ as_of: asOf })}`);
    if (state.route.patient === patient) set({ contents: { ...state.contents, data } });
  } catch (problem) {
    if (state.route.patient === patient) set({ contents: { ...state.contents, problem } });
  }
}

export function contentsView() {
  const { data, problem, filter } = state.contents;
  return html`<section class="contents" aria-labelledby="contents-title">
    <div class="view-head">
      <h2 id="contents-title">${t("contents.title")}</h2>
      <label>${t("contents.filter")}
        <input type="search" id="contents-filter" .value=${filter} @input=${(event) => change({ filter: event.target.value })}>
      </label>
    </div>
    ${problem ? problemView(problem, openContents) : nothing}
    ${data || problem ? nothing : html`<p class="muted">${t("contents.loading")}</p>`}
    ${data && !data.complete ? html`<p class="bad">${t("contents.cut")}</p>` : nothing}
    <div class="groups">${(data?.kinds ?? []).filter((one) => one.kind !== "patient").map((kind) => kindView(kind, filter.trim().toLowerCase()))}</div>
  </section>`;
}

function change(patch) {
  set({ contents: { ...state.contents, ...patch } });
}

function kindView({ kind, label, concepts }, filter) {
  const fitting = filter ? concepts.filter((one) => one.label.toLowerCase().includes(filter)) : concepts;
  if (!fitting.length) return nothing;
  const whole = state.contents.whole.includes(kind);
  const shown = whole ? fitting : fitting.slice(0, SHOWN);
  return html`<section aria-labelledby="kind-${kind}">
    <h3 id="kind-${kind}">${label} <span class="muted">${tn("contents.count", fitting.length)}</span></h3>
    <ul>${shown.map(conceptView)}</ul>
    ${shown.length < fitting.length
      ? html`<button type="button" class="plain" @click=${() => change({ whole: [...state.contents.whole, kind] })}>
          ${tn("contents.all", fitting.length)}</button>`
      : nothing}
  </section>`;
}

const conceptView = ({ label, count, first, last }) => html`<li>
  <button type="button" class="concept" @click=${() => askAbout(label)}>${label}</button>
  <span class="muted small">${tn("contents.records", count)}${last ? html`, <span class="date" title=${t("contents.first", { day: first })}>${last}</span>` : nothing}</span>
</li>`;

function askAbout(label) {
  addEventListener("hashchange", () => requestAnimationFrame(() => fill(label)), { once: true }); // the box is there then
  go({ view: "questions" });
}
