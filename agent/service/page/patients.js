// Who it is about: the search for a patient, and the banner above everything that is said of one.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { call, query } from "./api.js";
import { problemView } from "./problem.js";
import { words } from "./prose.js";
import { go, href } from "./route.js";
import { set, state, today } from "./store.js";
import { t, tn } from "./texts.js";

const PAUSE = 200;
const SEX = { female: "sex.female", male: "sex.male", other: "sex.other", unknown: "sex.unknown" };
let timer = 0;

export async function findPatients() {
  const { text } = state.search;
  try {
    const found = await call(`v1/patients?${query({ search: text.trim() })}`);
    if (state.search.text !== text) return;
    set({ search: { text, people: found.patients, complete: found.complete, problem: null } });
  } catch (problem) {
    if (state.search.text === text) set({ search: { ...state.search, people: null, problem } });
  }
}

function typed(event) {
  set({ search: { ...state.search, text: event.target.value } });
  clearTimeout(timer);
  timer = setTimeout(findPatients, PAUSE);
}

export function chooserView() {
  const { text, people, complete, problem } = state.search;
  return html`<section class="chooser" aria-labelledby="chooser-title">
    <h1 id="chooser-title" tabindex="-1">${t("patients.title")}</h1>
    <form role="search" @submit=${(event) => event.preventDefault()}>
      <label for="patient-search">${t("patients.label")}</label>
      <input id="patient-search" type="search" .value=${text} @input=${typed} autocomplete="off" spellcheck="false">
    </form>
    ${problem ? problemView(problem, findPatients) : nothing}
    <p class="muted small" role="status">${people ? tn("patients.found", people.length) : problem ? nothing : t("patients.searching")}
      ${people && !complete ? t("patients.more") : nothing}</p>
    <ul class="people">
      ${(people ?? []).map(personView)}
    </ul>
  </section>`;
}

const personView = (person) => html`<li>
  <a href=${href({ patient: person.id, thread: null, view: "questions" })}>
    <span class="person-name">${person.name || person.id}</span>
    <span class="person-facts">
      ${person.birth_date ? html`<span>${t("banner.born", { day: person.birth_date })}</span>` : nothing}
      ${person.sex ? html`<span>${sexText(person.sex)}</span>` : nothing}
      <span>${person.id}</span>
      ${person.resources == null ? nothing : html`<span>${tn("patients.records", person.resources)}</span>`}
    </span>
  </a>
</li>`;

const sexText = (sex) => (SEX[sex] ? t(SEX[sex]) : sex);

export async function openBanner() {
  const { patient, asOf } = state.route;
  set({ banner: null, bannerProblem: null });
  try {
    const banner = await call(`v1/patients/${encodeURIComponent(patient)}?${query({ as_of: asOf })}`);
    if (state.route.patient === patient) set({ banner });
  } catch (problem) {
    if (state.route.patient === patient) set({ bannerProblem: problem });
  }
}

export function bannerView() {
  const { banner } = state;
  if (!banner) return html`<div class="banner" aria-busy="true"><p class="muted">${t("banner.loading")}</p></div>`;
  return html`<section class="banner" aria-label=${t("banner.title")}>
    <div class="who">
      <h1 id="patient-name" tabindex="-1">${banner.name || banner.id}</h1>
      <dl class="facts">
        ${banner.age ? fact("banner.age", banner.age) : nothing}
        ${banner.sex ? fact("banner.sex", sexText(banner.sex)) : nothing}
        ${banner.birth_date ? fact("banner.birth_date", banner.birth_date) : nothing}
        ${banner.identifiers.map((one) => pair(one.label || t("banner.identifier"), one.value))}
        ${banner.deceased ? html`<div class="bad"><dt>${t("banner.deceased")}</dt><dd>${banner.deceased === true ? t("value.yes") : banner.deceased}</dd></div>` : nothing}
      </dl>
    </div>
    ${allergiesView(banner.allergies)}
    ${dayView()}
    ${banner.warnings.length ? html`<ul class="warnings">${banner.warnings.map((text) => html`<li>${text}</li>`)}</ul>` : nothing}
  </section>`;
}

const fact = (key, value) => pair(t(key), value);
const pair = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

/** Three outcomes that must never look alike, and a fourth: it could not be read. */
const ALLERGIES = {
  listed: "allergies.listed",
  none_known: "allergies.none_known",
  not_recorded: "allergies.not_recorded",
  not_read: "allergies.not_read",
};

function allergiesView({ state: known, items, complete }) {
  return html`<div class="allergies" data-state=${known}>
    <h2>${t("allergies.title")}</h2>
    ${known === "listed" ? nothing : html`<p>${t(ALLERGIES[known])}</p>`}
    ${items.length
      ? html`<ul>${items.map((item) => html`<li><strong>${item.text}</strong>${item.detail ? html` <span>${words(item.detail)}</span>` : nothing}</li>`)}</ul>`
      : nothing}
    ${known === "listed" && !complete ? html`<p class="bad">${t("allergies.cut")}</p>` : nothing}
  </div>`;
}

function dayView() {
  return html`<div class="day">
    <label for="as-of">${t("banner.as_of")}</label>
    <input id="as-of" type="date" .value=${today()} @change=${(event) => go({ asOf: event.target.value || null, thread: null })}>
  </div>`;
}

