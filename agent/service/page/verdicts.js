// A patient held against a trial: what it comes to, and each criterion's verdict with what it rests on.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { openEvidence } from "./evidence_panel.js";
import { marked, sources, words } from "./prose.js";
import { t, tn } from "./texts.js";

/** What all verdicts come to. */
export const outcomeView = ({ outcome, why, open, as_of: day, warnings }) => html`<p class="outcome" data-outcome=${outcome}>
    <strong>${t(`outcome.${outcome}`)}</strong> <span class="muted">${t("answer.as_of", { day })}</span>
  </p>
  ${why ? html`<p>${words(why)}</p>` : nothing}
  ${open.length ? html`<p class="open-point">${tn("verdict.open", open.length, { numbers: open.join(", ") })}</p>` : nothing}
  ${warnings.length ? html`<ul class="warnings">${warnings.map((text) => html`<li>${words(text)}</li>`)}</ul>` : nothing}`;

/** Whether a verdict speaks for the patient's taking part: an exclusion that is not met does. */
const sense = ({ section, verdict }) => (verdict === "unknown" ? "unknown" : (verdict === "met") === (section === "inclusion") ? "for" : "against");

/** How many verdicts speak for taking part, against it, and for neither. */
export function countsView(verdicts) {
  const counts = Object.groupBy(verdicts, sense);
  return html`<p class="muted small">${["for", "against", "unknown"].map((one) => tn(`verdict.count.${one}`, counts[one]?.length ?? 0)).join(", ")}</p>`;
}

/** A criterion with its verdict, if there is one; `understood` is how it was read. */
export const verdictView = (one, screened, understood = nothing) => html`<li class="criterion" data-sense=${one.verdict ? sense(one) : nothing}>
  <span class="criterion-number muted">${one.number || ""}</span>
  <div>
    <p class="criterion-text">${words(one.text)}</p>
    ${one.verdict ? reasonView(one, screened) : nothing}
    ${understood}
  </div>
  ${one.verdict ? html`<span class="verdict">${t(`verdict.${one.section}.${one.verdict}`)}</span>` : nothing}
</li>`;

function reasonView({ reason, missing, citations, searched, documented, verdict, by }, screened) {
  const cite = (mark) => citations.find((one) => one.mark === mark);
  const patient = screened.patient.split("/").pop();
  const open = (citation, from) => openEvidence(citation, { searched, citations, patient, asOf: screened.as_of, who: screened.name || patient }, from);
  return html`<p class="reason">${marked([reason, ...citations.map(({ mark }) => `[${mark}]`)].join(" "), cite, open)}</p>
    ${documented || verdict === "unknown" ? nothing : html`<p class="muted small">${t("verdict.undocumented")}</p>`}
    ${missing ? html`<p class="open-point">${t("verdict.missing", { missing })}</p>` : nothing}
    ${by === "rules" ? nothing : html`<p class="muted small">${t("verdict.by", { by })}</p>`}
    <div class="print-only">${sources(citations)}</div>
    ${searched.some((row) => !row.complete) ? html`<p class="bad small">${t("verdict.unread")}</p>` : nothing}`;
}
