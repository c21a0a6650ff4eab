// Who it is about: the search for a patient, and the banner above everything that is said of one.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { call, query } from "./api.js";
import { problemView } from "./problem.js";
import { words } from "./prose.js";
import { go, href, isDay } from "./route.js";
import { safe } from "./safe.js";
import { set, state, still, today } from "./store.js";
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

/** Enter opens the one patient that is found, and leads to the first of several. */
async function entered(event) {
  event.preventDefault();
  clearTimeout(timer);
  await findPatients();
  const { people } = state.search;
  if (people?.length === 1) go(chartOf(people[0]));
  else document.querySelector(".people a")?.focus();
}

export function chooserView() {
  const { text, people, complete, problem } = state.search;
  return html`<section class="chooser" aria-labelledby="chooser-title">
    <h1 id="chooser-title" tabindex="-1">${t("patients.title")}</h1>
    <form role="search" @submit=${entered}>
      <label for="patient-search">${t("patients.label")}</label>
      <input id="patient-search" type="search" .value=${text} @input=${typed} autocomplete="off" spellcheck="false" aria-keyshortcuts="Control+K Meta+K">
    </form>
    ${problem ? problemView(problem, findPatients) : nothing}
    <p class="muted small" role="status">${people ? (people.length ? tn("patients.found", people.length) : t("patients.none")) : problem ? nothing : t("patients.searching")}
      ${people && !complete ? t("patients.more") : nothing}</p>
    ${people?.length ? html`<ul class="people">${people.map(personView)}</ul>` : nothing}
    ${state.me.patient ? nothing : html`<p class="elsewhere"><a href=${href({ patient: null, thread: null, view: "trials" })}>${t("trials.screen")}</a></p>`}
  </section>`;
}

const chartOf = ({ id }) => ({ patient: id, thread: null, job: null, view: "questions" });

const personView = (person) => html`<li>
  <a href=${href(chartOf(person))}>
    <span class="person-name">${nameOf(person)}</span>
    <span class="person-facts">
      ${person.birth_date ? html`<span>${t("banner.born", { day: person.birth_date })}</span>` : nothing}
      ${person.sex ? html`<span>${sexText(person.sex)}</span>` : nothing}
      <span>${t("banner.identifier")} ${person.id}</span>
      ${person.resources == null ? nothing : html`<span>${tn("patients.records", person.resources)}</span>`}
    </span>
  </a>
</li>`;

/** What a person is called: many charts have no name. */
export const nameOf = ({ name, id }) => safe(name || id);

const sexText = (sex) => (SEX[sex] ? t(SEX[sex]) : sex);

export async function openBanner() {
  const { patient, asOf } = state.route;
  set({ banner: null, bannerProblem: null });
  let found;
  try {
    found = { banner: await call(`v1/patients/${encodeURIComponent(patient)}?${query({ as_of: asOf })}`) };
  } catch (problem) {
    found = { bannerProblem: problem };
  }
  if (still({ patient, asOf })) set(found);
}

/** An EHR that shows the patient itself asks for no second banner (SMART 2.2, need_patient_banner). */
const isShownAround = () => state.me.launch?.banner === false;

export function bannerView() {
  const { banner } = state;
  if (isShownAround()) return html`<section class="banner around" aria-label=${t("banner.title")}>
    <h1 id="patient-name" class="unseen" tabindex="-1">${banner ? nameOf(banner) : nothing}</h1>
    ${dayView()}
  </section>`;
  if (!banner) return html`<div class="banner" aria-busy="true"><p class="muted">${t("banner.loading")}</p></div>`;
  return html`<section class="banner" aria-label=${t("banner.title")}>
    <div class="who">
      <h1 id="patient-name" tabindex="-1">${nameOf(banner)}</h1>
      <dl class="facts">
        ${banner.age ? fact("banner.age", banner.age) : nothing}
        ${banner.sex ? fact("banner.sex", sexText(banner.sex)) : nothing}
        ${banner.birth_date ? fact("banner.birth_date", banner.birth_date) : nothing}
        ${banner.identifiers.map((one) => pair(one.label ? safe(one.label) : t("banner.identifier"), safe(one.value)))}
        ${banner.deceased ? html`<div class="bad"><dt>${t("banner.deceased")}</dt><dd>${banner.deceased === true ? t("value.yes") : banner.deceased}</dd></div>` : nothing}
      </dl>
    </div>
    ${allergiesView(banner.allergies)}
    ${dayView()}
    ${banner.warnings.length ? html`<ul class="warnings">${banner.warnings.map((text) => html`<li>${text}</li>`)}</ul>` : nothing}
  </section>`;
}

/** The same in one line, for when the banner is scrolled away. A screen reader has the banner. */
export const shortBannerView = ({ age, allergies, ...person }) => isShownAround() ? nothing : html`<p class="who-short" aria-hidden="true">
  <strong>${nameOf(person)}</strong> ${age}
  <span class="who-allergies" data-state=${allergies.state}>${safe(bySubstance(allergies.items).map((one) => one.text).join(", ")) || t(ALLERGIES_SHORT[allergies.state])}</span>
</p>`;

const fact = (key, value) => pair(t(key), value);
const pair = (name, value) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`;

/** Three outcomes that must never look alike, and a fourth: it could not be read. */
const ALLERGIES = {
  listed: "allergies.listed",
  none_known: "allergies.none_known",
  not_recorded: "allergies.not_recorded",
  not_read: "allergies.not_read",
};

const ALLERGIES_SHORT = { ...ALLERGIES, not_recorded: "allergies.short.not_recorded", not_read: "allergies.short.not_read" };

/** Entries about one substance as one: each is told once, what differs behind it. */
function bySubstance(items) {
  const found = new Map();
  for (const { text, detail } of items) {
    const details = found.get(text) ?? new Set();
    if (detail) details.add(detail);
    found.set(text, details);
  }
  return [...found].map(([text, details]) => ({ text, details: [...details] }));
}

const substanceView = ({ text, details: [first, ...more] }) => html`<li><strong>${safe(text)}</strong>
  ${first ? html`<span>${words(first)}</span>` : nothing}
  ${more.length ? html`<details><summary>${tn("allergies.more", more.length)}</summary><ul>${more.map((one) => html`<li><span>${words(one)}</span></li>`)}</ul></details>` : nothing}
</li>`;

function allergiesView({ state: known, items, complete }) {
  return html`<div class="allergies" data-state=${known}>
    <h2>${t("allergies.title")}</h2>
    ${known === "listed" ? nothing : html`<p>${t(ALLERGIES[known])}</p>`}
    ${items.length
      ? html`<ul>${bySubstance(items).map(substanceView)}</ul>`
      : nothing}
    ${known === "listed" && !complete ? html`<p class="bad">${t("allergies.cut")}</p>` : nothing}
  </div>`;
}

function dayView() {
  return html`<div class="day">
    <label for="as-of" title=${t("banner.as_of.title")}>${t("banner.as_of")}</label>
    <input id="as-of" type="text" inputmode="numeric" size="10" maxlength="10" autocomplete="off" placeholder=${t("banner.as_of.shape")}
      aria-describedby="as-of-wrong" aria-invalid=${state.wrongDay ? "true" : "false"} .value=${today()} @change=${dayChosen}>
    <span id="as-of-wrong" class="bad small" role="alert">${state.wrongDay ? t("banner.as_of.wrong") : nothing}</span>
    ${today() === state.me.today ? nothing : html`<a href=${href({ asOf: null, thread: null })}>${t("banner.as_of.now")}</a>`}
  </div>`;
}

/** A text, since a date field writes days in the browser's own way, and charts as ISO 8601 does. */
function dayChosen({ target }) {
  const day = target.value.trim();
  set({ wrongDay: Boolean(day) && !isDay(day) });
  if (!state.wrongDay) go({ asOf: day || null, thread: null });
}

