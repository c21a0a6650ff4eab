// The panel beside the answer. On a wide screen it stands in the page; on a narrow one it lies over it.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { problemView } from "./problem.js";
import { set, state, today } from "./store.js";
import { t, tn } from "./texts.js";

const NARROW = matchMedia("(max-width: 64rem)");
let opener = null;

export function panelView() {
  const mark = state.evidence?.mark ?? "";
  return html`<dialog id="evidence" class="panel" aria-labelledby="evidence-title" @close=${closed} @keydown=${escaped}>
    <div class="panel-head">
      <h2 id="evidence-title" tabindex="-1">${t("evidence_panel.title", { mark })}</h2>
      <button type="button" class="plain" @click=${closeEvidence}>${t("evidence_panel.close")}</button>
    </div>
    <div id="evidence-body" class="panel-body"></div>
  </dialog>`;
}

/** Show what a citation of an answer (or of a summary) points at; `from` gets the focus back. */
export async function openEvidence(citation, { searched = [], readings = [] }, from) {
  opener = from;
  set({ evidence: citation });
  await Promise.resolve();
  const dialog = document.getElementById("evidence");
  if (!dialog.open) NARROW.matches ? dialog.showModal() : dialog.show();
  document.querySelectorAll(".chip[aria-current]").forEach((chip) => chip.removeAttribute("aria-current"));
  from?.setAttribute("aria-current", "true");
  document.body.classList.add("with-panel");
  document.getElementById("evidence-title").focus({ preventScroll: !NARROW.matches });
  const body = freshBody();
  if (citation.reference || citation.inputs.length) await resource(body, citation, readings);
  else render(searchView(citation, searched), body);
}

/** An element of its own for each opening: what a slower, earlier one brings is not shown in it. */
function freshBody() {
  const body = document.createElement("div");
  document.getElementById("evidence-body").replaceChildren(body);
  return body;
}

async function resource(body, citation, readings) {
  const note = document.createElement("p");
  note.className = "muted";
  note.textContent = t("evidence_panel.loading");
  body.replaceChildren(note);
  const shown = document.createElement("div");
  try {
    const { showEvidence } = await import("./evidence.js");
    await showEvidence(shown, { patient: state.route.patient, asOf: today(), citation, readings });
  } catch (problem) {
    render(problemView(problem, () => resource(body, citation, readings)), shown);
  }
  body.replaceChildren(shown);
}

function searchView(citation, searched) {
  const row = searched.find((one) => one.query === citation.path);
  return html`<h3>${t("evidence_panel.search")}</h3>
    <p>${t("evidence_panel.search.why")}</p>
    <p><code>${citation.path}</code></p>
    <p>${row ? tn("searched.found", row.found) : citation.excerpt}</p>
    ${row && !row.complete ? html`<p class="bad">${row.error ?? t("searched.cut")}</p>` : nothing}`;
}

export function closeEvidence() {
  document.getElementById("evidence")?.close();
}

function closed() {
  document.body.classList.remove("with-panel");
  opener?.removeAttribute("aria-current");
  if (opener?.isConnected) opener.focus();
  opener = null;
  set({ evidence: null });
}

function escaped(event) {
  if (event.key === "Escape" && !event.defaultPrevented) {
    event.preventDefault();
    closeEvidence();
  }
}
