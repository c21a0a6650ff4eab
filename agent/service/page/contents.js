// What the chart holds, by kind: the words that can be asked about.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { call, query } from "./api.js";
import { toBox } from "./box.js";
import { problemView } from "./problem.js";
import { words } from "./prose.js";
import { safe } from "./safe.js";
import { set, state, still } from "./store.js";
import { t, tn } from "./texts.js";

const SHOWN = 40; // rows of a kind before a button tells that there are more

export async function openContents() {
  const { patient, asOf } = state.route;
  set({ contents: { data: null, problem: null, filter: "", whole: [] } });
  let found;
  try {
    found = { data: await call(`v1/patients/${encodeURIComponent(patient)}/catalogue?${query({ as_of: asOf })}`) };
  } catch (problem) {
    found = { problem };
  }
  if (still({ patient, asOf })) change(found);
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
    ${data ? groupsView(data.kinds.filter((one) => one.kind !== "patient"), filter.trim().toLowerCase()) : nothing}
  </section>`;
}

function change(patch) {
  set({ contents: { ...state.contents, ...patch } });
}

function groupsView(kinds, filter) {
  const groups = kinds.map((kind) => kindView(kind, filter));
  if (groups.every((group) => group === nothing)) return html`<p class="muted" role="status">${kinds.length ? t("contents.none") : t("contents.empty")}</p>`;
  return html`<div class="groups">${groups}</div>`;
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
  <button type="button" class="concept" @click=${() => toBox(label)}>${safe(label)}</button>
  <span class="muted small" title=${first && first !== last ? t("contents.first", { day: first }) : nothing}>${words(recorded(count, last))}</span>
</li>`;

/** How often, and when last; once needs no number. */
function recorded(count, last) {
  if (!last) return tn("contents.times", count);
  return count > 1 ? tn("contents.last", count, { day: last }) : last;
}
