// One question and its answer, with everything that a reader needs to judge it.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { choose, focusBox } from "./box.js";
import { fetchAgain } from "./conversation.js";
import { answerText, copyButton, valueText } from "./copying.js";
import { openEvidence } from "./evidence_panel.js";
import { problemView } from "./problem.js";
import { prose, sources, words } from "./prose.js";
import { recordButton } from "./record.js";
import { searchedFor } from "./searches.js";
import { state } from "./store.js";
import { offersView } from "./suggestions.js";
import { moment, number, t, tn } from "./texts.js";

const STATUS = {
  not_found: "status.not_found",
  incomplete: "status.incomplete",
  refused: "status.refused",
  failed: "status.failed",
};
const OFFERED = 4;
const MEANT = /^Taken to mean "([^"]*)": /;

export function turnView(turn, place) {
  const heading = `turn-${place}`;
  const last = place === state.turns.length - 1;
  return html`<article class="turn" data-status=${turn.answer?.status ?? nothing} aria-labelledby=${heading} aria-busy=${turn.working ? "true" : "false"}>
    <header class="turn-head">
      <h3 id=${heading}>${turn.question}</h3>
      <time class="muted small" datetime=${turn.asked}>${moment(turn.asked)}</time>
    </header>
    ${turn.answer ? answerView(turn.answer, turn) : unfinished(turn)}
    ${last && turn.answer ? offered(turn) : nothing}
  </article>`;
}

function unfinished(turn) {
  if (turn.problem) return problemView(turn.problem, () => again(turn));
  if (turn.lost && !turn.working) return lostView(turn);
  return html`
    ${turn.claims.length ? html`<ul class="claims prose">${turn.claims.map((claim) => html`<li>${words(claim.text)}</li>`)}</ul>` : nothing}
    <p class="stage"><span class="pulse" aria-hidden="true"></span>${turn.stage || t("turn.working")}</p>
  `;
}

/** The button that asked for it is gone then. */
function again(turn) {
  fetchAgain(turn);
  focusBox();
}

function lostView(turn) {
  return html`<div class="problem">
    <p class="problem-title">${turn.stopped ? t("turn.stopped") : t("turn.lost")}</p>
    <p>${t("turn.lost.do")}</p>
    <p><button type="button" class="plain" @click=${() => again(turn)}>${t("turn.fetch")}</button></p>
  </div>`;
}

const firstWord = (text) => /\p{L}+/u.exec(text.toLowerCase())?.[0];

/** More questions about the same; where one was refused, others, as near to it as there are. */
function offered({ question, answer, offers = [] }) {
  const refused = answer.status === "refused";
  const same = [firstWord(question), "what"]; // what begins so says an answered question once more, in full
  const more = refused ? offers : offers.filter((one) => !same.includes(firstWord(one)));
  const questions = refused && !more.length ? state.examples : more;
  if (!questions.length) return nothing;
  return html`<div class="offers"><p class="muted">${refused ? t("turn.offers") : t("turn.next")}</p>${offersView(questions.slice(0, OFFERED), choose)}</div>`;
}

function answerView(answer, turn) {
  const meant = MEANT.exec(answer.text);
  const text = meant ? answer.text.slice(meant[0].length) : answer.text;
  const { searched, readings: read, citations, claims } = answer;
  const cite = (mark) => citations.find((citation) => citation.mark === mark);
  const open = (citation, from) => openEvidence(citation, { searched, readings: read, citations, claims }, from);
  return html`
    <div class="answer">
      ${STATUS[answer.status] ? html`<p class="status">${t(STATUS[answer.status])}</p>` : nothing}
      ${meant ? html`<p class="meant"><strong>${t("answer.meant")}</strong> ${meant[1]}</p>` : nothing}
      <div class="prose">${prose(text, cite, open)}</div>
      ${answer.readings.length ? readings(answer, cite, open) : nothing}
      ${answer.warnings.length ? warnings(answer.warnings) : nothing}
      ${answer.removed.length ? removed(answer.removed) : nothing}
      ${unread(answer.searched)}
      ${foot(answer, turn, open)}
      <section class="print-only">${sources(answer.citations)}</section>
    </div>
  `;
}

/** What a model saw is never a claim: it stands apart, with who read it. */
function readings(answer, cite, open) {
  return html`<section class="readings" aria-label=${t("reading.title")}>
    <p class="block-title">${t("reading.by", { model: answer.readings[0].model })}</p>
    <ul>
      ${answer.readings.map((reading) => html`<li>${prose(`${reading.text} [${reading.image}]`, cite, open)}</li>`)}
    </ul>
  </section>`;
}

const warnings = (texts) => html`<ul class="warnings" aria-label=${t("answer.warnings")}>
  ${texts.map((text) => html`<li>${text}</li>`)}
</ul>`;

const removed = (rows) => html`<section class="removed">
  <p class="block-title">${tn("answer.removed", rows.length)}</p>
  <ul>${rows.map((row) => html`<li><span class="kind">${row.kind}</span> ${row.reason}</li>`)}</ul>
</section>`;

function unread(searched) {
  const rows = searched.filter((row) => !row.complete);
  if (!rows.length) return nothing;
  return html`<section class="unread">
    <p class="block-title">${tn("answer.unread", rows.length)}</p>
    <ul>
      ${rows.map((row) => html`<li>${searchedFor(row.query)}: ${row.error ?? t("searched.cut")} <code class="muted">${row.query}</code></li>`)}
    </ul>
  </section>`;
}

function foot(answer, turn, open) {
  const { usage } = answer;
  return html`<footer class="answer-foot">
    <p class="by">
      <span>${byText(answer)}</span>
      ${usage.seconds < 0.01 ? nothing : html`<span>${t("answer.seconds", { seconds: number(Math.round(usage.seconds * 100) / 100) })}</span>`}
      ${usage.llm_calls ? html`<span>${tn("answer.calls", usage.llm_calls)}</span>` : nothing}
      <span>${t("answer.as_of", { day: answer.as_of })}</span>
    </p>
    <div class="more">
      ${answer.citations.length ? copyButton("answer.copy.all", () => answerText(answer, turn), t("answer.copied")) : nothing}
      ${answer.value && answer.claims.length === 1 ? copyButton("answer.copy", () => valueText(answer.value)) : nothing}
      ${answer.claims.length ? recordButton(turn.id && `v1/questions/${turn.id}`, "answer", turn.question) : nothing}
      ${answer.citations.length
        ? html`<details><summary>${tn("answer.sources", answer.citations.length)}</summary>${sources(answer.citations, open)}</details>`
        : nothing}
      ${answer.searched.length ? searchedView(answer.searched) : nothing}
    </div>
  </footer>`;
}

/** A reader wants to know whether a model was at work. */
const byText = ({ reasoner, usage, readings: read }) =>
  reasoner === "rules" && !usage.llm_calls && !read.length ? t("answer.by.rules") : t("answer.by", { reasoner });

export const searchedView = (rows) => html`<details>
  <summary>${tn("answer.searched", rows.length)}</summary>
  <ul class="searched">
    ${rows.map(
      (row) => html`<li>
        <span>${searchedFor(row.query)} <code class="muted">${row.query}</code></span>
        <span>${tn("searched.found", row.found)}${row.complete ? nothing : html`, <strong>${row.error ?? t("searched.cut")}</strong>`}</span>
      </li>`,
    )}
  </ul>
</details>`;
