// The panel beside the answer. On a wide screen it stands in the page; on a narrow one it lies over it.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { announce } from "./live.js";
import { problemView } from "./problem.js";
import { words } from "./prose.js";
import { safe } from "./safe.js";
import { excerptOf, searchedFor } from "./searches.js";
import { set, state, today } from "./store.js";
import { t, tn } from "./texts.js";

const NARROW = matchMedia("(max-width: 52rem)");
let opener = null;
let within = true; // whether the focus is in the panel as it closes
let among = []; // the citations of the same answer
let context = {}; // whose chart it is, and what else the answer says

export function panelView() {
  const mark = state.evidence?.mark ?? "";
  const claims = context.claims?.filter((claim) => claim.marks.includes(mark)) ?? [];
  return html`<dialog id="evidence" class="panel" aria-labelledby="evidence-title" @close=${closed}>
    <div class="panel-head">
      <h2 id="evidence-title" tabindex="-1">${mark ? t("evidence_panel.title", { mark }) : t("evidence_panel.record")}</h2>
      <span class="gap"></span>
      ${among.length > 1 ? stepsView() : nothing}
      <button type="button" class="plain" @click=${closeEvidence}>${t("evidence_panel.close")}</button>
    </div>
    ${context.patient !== state.route.patient && context.who ? html`<p class="panel-who">${words(context.who)}</p>` : nothing}
    ${claims.length ? html`<p class="panel-claim small">${claims.map(({ text }) => html`<span>${words(text)}</span> `)}</p>` : nothing}
    <div id="evidence-body" class="panel-body"></div>
  </dialog>`;
}

/** From source to source of one answer, without going back to its chips. */
function stepsView() {
  const at = among.indexOf(state.evidence);
  return html`<span class="steps" role="group" aria-label=${t("evidence_panel.steps")}>
    <button type="button" class="plain" aria-label=${t("evidence_panel.before")} ?disabled=${at <= 0} @click=${() => step(at - 1)}>‹</button>
    <span class="muted small">${t("evidence_panel.of", { number: at + 1, of: among.length })}</span>
    <button type="button" class="plain" aria-label=${t("evidence_panel.next")} ?disabled=${at >= among.length - 1} @click=${() => step(at + 1)}>›</button>
  </span>`;
}

function step(at) {
  const citation = among[at];
  const near = opener?.closest("article, .criterion");
  const chip = [...(near?.querySelectorAll(".chip") ?? [])].find((one) => one.dataset.mark === citation.mark);
  announce([t("evidence_panel.title", { mark: citation.mark }), excerptOf(citation)].join(": "));
  show(citation, chip ?? opener);
}

/**
 * Show what a citation of an answer (of a summary, of a verdict) points at; `from` gets the focus back. Where no
 * patient is told, it is the open one.
 */
export async function openEvidence(citation, { citations = [], ...told }, from) {
  among = citations.includes(citation) ? citations : [];
  context = { searched: [], readings: [], patient: state.route.patient, asOf: today(), ...told };
  await show(citation, from, true);
}

async function show(citation, from, focus = false) {
  opener = from;
  set({ evidence: citation });
  await Promise.resolve();
  const dialog = document.getElementById("evidence");
  inPlace(from, () => {
    if (!dialog.open) NARROW.matches ? dialog.showModal() : dialog.show();
    document.body.classList.add("with-panel");
    if (focus) document.getElementById("evidence-title").focus({ preventScroll: !NARROW.matches });
  });
  document.querySelectorAll(".chip[aria-current]").forEach((chip) => chip.removeAttribute("aria-current"));
  from?.setAttribute("aria-current", "true");
  const body = fresh(document.getElementById("evidence-body"));
  if (citation.reference || citation.inputs.length) await resource(body, citation);
  else render(searchView(citation, context.searched), body);
}

/** Change the page's widths without moving what the reader looks at. */
function inPlace(element, change) {
  const before = element?.getBoundingClientRect().top;
  change();
  if (element?.isConnected && !NARROW.matches) scrollBy({ top: element.getBoundingClientRect().top - before, behavior: "instant" });
}

/** An empty element for each opening of a place: what a slower, earlier one brings is not shown in it. */
export function fresh(place) {
  const inside = document.createElement("div");
  place.replaceChildren(inside);
  return inside;
}

async function resource(body, citation) {
  const { patient, asOf, readings } = context;
  render(html`<p class="muted">${t("evidence_panel.loading")}</p>`, body);
  const shown = document.createElement("div");
  try {
    const { showEvidence } = await import("./evidence.js");
    await showEvidence(shown, { patient, asOf, citation, readings });
  } catch (problem) {
    render(problemView(problem, () => resource(body, citation)), shown);
  }
  render(shown, body);
}

function searchView(citation, searched) {
  const row = searched.find((one) => one.query === citation.path);
  return html`<h3>${t("evidence_panel.search", { kind: searchedFor(citation.path) })}</h3>
    <p>${row ? tn("searched.found", row.found) : excerptOf(citation)}</p>
    ${row && !row.complete ? html`<p class="bad">${row.error ?? t("searched.cut")}</p>` : nothing}
    <p>${t("evidence_panel.search.why")}</p>
    <p class="muted small">${t("evidence_panel.search.query")} <code>${safe(citation.path)}</code></p>`;
}

/** The focus goes back to where the evidence was opened from, if it was in the panel. */
export function closeEvidence() {
  const dialog = document.getElementById("evidence");
  within = Boolean(dialog?.contains(document.activeElement));
  dialog?.close();
}

function closed() {
  inPlace(opener, () => document.body.classList.remove("with-panel"));
  opener?.removeAttribute("aria-current");
  if (within && opener?.isConnected) opener.focus({ preventScroll: true });
  opener = null;
  within = true;
  set({ evidence: null });
}
