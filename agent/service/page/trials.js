// Trials: a protocol's criteria as they were understood, and the open patient held against each of them.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { call, Problem } from "./api.js";
import { announce } from "./live.js";
import { nameOf } from "./patients.js";
import { problemView } from "./problem.js";
import { href } from "./route.js";
import { screeningsView } from "./screenings.js";
import { set, state, still } from "./store.js";
import { t, tn } from "./texts.js";
import { countsView, outcomeView, verdictView } from "./verdicts.js";

const SECTIONS = { inclusion: "trials.inclusion", exclusion: "trials.exclusion" };
const OPEN = { "no chart": "trials.asked", reader: "trials.reader" }; // kinds of check that rules cannot look up

export function trialsView() {
  const { text, problem, working, read } = state.protocol;
  return html`<section class="trials" aria-labelledby="trials-title">
    <div class="view-head"><h2 id="trials-title">${t("trials.title")}</h2></div>
    <form class="protocol" @submit=${(event) => event.preventDefault() ?? readProtocol()}>
      <label for="protocol-name">${t("trials.name")}</label>
      <input id="protocol-name" type="text" maxlength="120" autocomplete="off" .value=${state.protocol.name} @input=${(event) => change({ name: event.target.value })}>
      <label for="protocol">${t("trials.label")}</label>
      <p id="protocol-hint" class="muted small">${t("trials.label.hint")}</p>
      <textarea id="protocol" aria-describedby="protocol-hint" rows=${read ? 4 : 10} spellcheck="false" placeholder=${t("trials.example")}
        .value=${text} @input=${(event) => change({ text: event.target.value })}></textarea>
      <div class="protocol-foot">
        <button type="submit" class="main" ?disabled=${working || !text.trim()}>${working ? t("trials.reading") : t("trials.read")}</button>
        <label class="plain file">${t("trials.file")}<input type="file" class="unseen" accept=".txt,.md,.json,.yaml,.yml" @change=${fileChosen}></label>
      </div>
    </form>
    ${problem ? problemView(problem) : nothing}
    ${read ? protocolView(read) : nothing}
    ${state.route.patient ? nothing : screeningsView(read && trialOf(read))}
  </section>`;
}

function change(patch) {
  set({ protocol: { ...state.protocol, ...patch } });
}

/** A file is read as soon as it is chosen. */
async function fileChosen({ target }) {
  const [file] = target.files;
  if (!file) return;
  const [, stem, kind] = /^(.*?)(?:\.(\w+))?$/.exec(file.name);
  change({ text: await file.text(), name: /json|ya?ml/i.test(kind) ? "" : stem });
  target.value = "";
  await readProtocol();
}

async function readProtocol(given = null) {
  change({ working: true, problem: null });
  try {
    const read = await call("v1/trials/compile", { method: "POST", body: { trial: given ?? written(state.protocol) } });
    set({ protocol: { ...state.protocol, read, working: false }, matched: null });
    announce(told(read));
    requestAnimationFrame(() => document.getElementById("criteria-title")?.focus());
  } catch (problem) {
    change({ problem, working: false, read: null });
  }
}

/** What is in the box: a registry's number, a study as JSON, checks as YAML, or the criteria as they are written. */
function written({ text, name }) {
  const trimmed = text.trim();
  if (/^NCT\d{8}$/i.test(trimmed)) return { number: trimmed.toUpperCase() };
  if (/^trial:/m.test(trimmed) && /^criteria:/m.test(trimmed)) return { sheet: text };
  if (!trimmed.startsWith("{")) return { text, ...(name.trim() ? { name: name.trim() } : {}) };
  try {
    return { study: JSON.parse(trimmed) };
  } catch {
    throw new Problem(422, { detail: t("trials.not_json") });
  }
}

/** The protocol as it was read and shown; what is matched is this, and nothing that is read once more. */
const trialOf = (read) => ({ sheet: read.sheet });

const told = ({ criteria, not_understood: open }) =>
  [tn("trials.criteria", criteria.length), open.length ? tn("trials.open", open.length) : t("trials.all_understood")].join(", ");

function protocolView(read) {
  const { patient, asOf } = state.route;
  const matched = state.matched?.patient === patient && state.matched.asOf === asOf ? state.matched : null;
  return html`<section class="criteria" aria-labelledby="criteria-title">
    <div class="view-head">
      <h3 id="criteria-title" tabindex="-1">${matched?.data ? t("trials.matched", { name: nameOf(state.banner) }) : t("trials.understood")}</h3>
      ${patient && state.banner
        ? html`<span class="protocol-foot">${matched?.data ? html`<button type="button" class="plain" @click=${() => print()}>${t("print")}</button>` : nothing}
            <button type="button" class="main" ?disabled=${matched?.working} @click=${() => match(read)}>${matched?.working ? t("trials.matching") : t("trials.match", { name: nameOf(state.banner) })}</button></span>`
        : nothing}
    </div>
    <p class="muted small">${told(read)}${read.title && read.title !== "protocol" ? html` · ${read.title}` : nothing}</p>
    ${matched?.problem ? problemView(matched.problem, () => match(read)) : nothing}
    ${matched?.data ? html`<div class="outcome-head">${outcomeView(matched.data)}${countsView(matched.data.verdicts)}</div>` : nothing}
    ${Object.entries(SECTIONS).map(([section, key]) => sectionView(read, section, key, matched?.data))}
    ${editView(read)}
    ${patient && !state.me.patient ? html`<p class="closing"><a href=${href({ patient: null, thread: null })}>${t("trials.several")}</a></p>` : nothing}
  </section>`;
}

function sectionView({ criteria }, section, key, screened) {
  const own = criteria.filter((one) => one.section === section);
  if (!own.length) return nothing;
  return html`<h4>${t(key)}</h4>
    <ul class="verdicts">${own.map((one) => criterionView(one, screened))}</ul>`;
}

function criterionView(criterion, screened) {
  const verdict = screened?.verdicts.find(({ number, text }) => number === criterion.number && text === criterion.text);
  return verdictView(verdict ?? criterion, screened, understoodView(criterion, !verdict));
}

/** What will be looked for; what cannot be is told here as long as no verdict says it. */
function understoodView({ check, told, understood, doubts, by }, alone) {
  return html`
    ${check.type in OPEN ? nothing : html`<p class="looked"><span class="muted">${t("trials.looked")}</span> ${told.replaceAll(">=", "≥").replaceAll("<=", "≤")}</p>`}
    ${understood || !alone ? nothing : html`<p class="open-point">${t(OPEN[check.type] ?? "trials.reader.part")}</p>`}
    ${doubts.length ? html`<p class="open-point">${t("trials.doubts", { words: [...new Set(doubts)].map((word) => `“${word}”`).join(", ") })}</p>` : nothing}
    ${by === "rules" ? nothing : html`<p class="muted small">${t("trials.by", { by })}</p>`}
  `;
}

/** The checks to be mended by hand: for those whom what was understood does not satisfy. */
const editView = ({ sheet }) => html`<details class="checks">
  <summary>${t("trials.edit")}</summary>
  <label for="checks">${t("trials.edit.label")}</label>
  <textarea id="checks" rows="18" spellcheck="false" .value=${sheet}></textarea>
  <p><button type="button" class="plain" @click=${() => readProtocol({ sheet: document.getElementById("checks").value })}>${t("trials.edit.use")}</button></p>
</details>`;

async function match(read) {
  const { patient, asOf } = state.route;
  const place = { patient, asOf };
  set({ matched: { ...place, working: true } });
  announce(t("trials.matching"));
  let found;
  try {
    const body = { trial: trialOf(read), patient, ...(asOf ? { as_of: asOf } : {}) };
    found = { data: await call("v1/trials/match", { method: "POST", body }) };
    announce(t("trials.outcome", { outcome: t(`outcome.${found.data.outcome}`), why: found.data.why }));
  } catch (problem) {
    found = { problem };
  }
  if (still(place) && state.protocol.read === read) set({ matched: { ...place, ...found } });
}
