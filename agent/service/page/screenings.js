// Several patients held against a trial: a job with its progress, and the ranked worklist that it makes.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { call, events, fetchAs, query } from "./api.js";
import { announce, murmur } from "./live.js";
import { problemView } from "./problem.js";
import { words } from "./prose.js";
import { go, href } from "./route.js";
import { safe } from "./safe.js";
import { set, state } from "./store.js";
import { moment, number, t, tn } from "./texts.js";
import { outcomeView, verdictView } from "./verdicts.js";

const KIND = "trial-screening";
const LISTED = 20; // earlier jobs
const PAGE = 50; // rows of a worklist
const ENDED = ["done", "failed", "cancelled"];
const FORMS = { csv: "text/csv", html: "text/html", fhir: "application/fhir+json" };
const ENDINGS = { csv: "csv", html: "html", fhir: "json" };
const EMPTY = { job: null, work: null, problem: null, shown: PAGE, open: [] };

let following = null;

function change(patch) {
  set({ screening: { ...state.screening, ...patch } });
}

/** The jobs of this reader, and the one that the fragment names. */
export async function openScreenings() {
  following?.abort();
  const { job: id } = state.route;
  change({ ...EMPTY });
  try {
    change({ jobs: (await call(`v1/jobs?${query({ kind: KIND, limit: LISTED })}`)).jobs });
    const job = id && (await call(`v1/jobs/${encodeURIComponent(id)}`));
    if (job && state.route.job === id) await follow(job);
  } catch (problem) {
    if (state.route.job === id) change({ problem });
  }
}

/** Show a job until it has ended, then what came of it. */
async function follow(job) {
  const mine = (following = new AbortController());
  told(job);
  try {
    if (!ENDED.includes(job.state)) {
      for await (const [name, now] of events(`v1/jobs/${encodeURIComponent(job.id)}/events`, { signal: mine.signal })) {
        if (name === "job") told(now);
        if (ENDED.includes(now.state)) break;
      }
    }
    if (state.screening.job.state !== "done") return;
    const work = await call(`v1/trials/worklists/${encodeURIComponent(job.id)}`, { signal: mine.signal });
    change({ work });
    requestAnimationFrame(() => document.getElementById("worklist-title")?.focus());
    announce(t("worklist.ready", { title: titleOf(work), patients: tn("patients.found", work.rows.length) }));
  } catch (problem) {
    if (problem.name !== "AbortError") change({ problem });
  } finally {
    mine.abort(); // the stream of a job that has ended is not read to its end
  }
}

function told(job) {
  const jobs = state.screening.jobs.map((one) => (one.id === job.id ? job : one));
  change({ job, jobs: jobs.some((one) => one.id === job.id) ? jobs : [job, ...jobs] });
  murmur(t("job.told", { state: t(`job.${job.state}`), progress: progress(job) }));
}

const progress = ({ done, total }) => (total === null ? "" : tn("job.progress", total, { done: number(done) }));

async function begin(event, trial) {
  event.preventDefault();
  const patients = state.screening.only.split(/[\s,;]+/).filter(Boolean).map((one) => one.replace(/^Patient\//, ""));
  const { asOf } = state.route;
  change({ problem: null, beginning: true });
  try {
    const body = { kind: KIND, input: { trial, patients, ...(asOf ? { as_of: asOf } : {}) } };
    const job = await call("v1/jobs", { method: "POST", body });
    go({ job: job.id });
  } catch (problem) {
    change({ problem });
  } finally {
    change({ beginning: false });
  }
}

/** What is cancelled stays in the list, without a result. */
async function cancel({ id }) {
  try {
    await call(`v1/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });
    following?.abort();
    told(await call(`v1/jobs/${encodeURIComponent(id)}`));
    announce(t("job.cancelled"));
  } catch (problem) {
    change({ problem });
  }
}

export function screeningsView(trial) {
  const { jobs, job, work, problem, only, beginning } = state.screening;
  if (state.me.patient) return nothing; // these credentials are for one patient
  return html`<section class="screenings" aria-labelledby="screenings-title">
    <h3 id="screenings-title">${t("screenings.title")}</h3>
    ${trial
      ? html`<form class="protocol" @submit=${(event) => begin(event, trial)}>
          <label for="only">${t("screenings.only")}</label>
          <textarea id="only" rows="2" spellcheck="false" .value=${only} @input=${(event) => change({ only: event.target.value })}></textarea>
          <div class="protocol-foot"><button type="submit" class="main" ?disabled=${beginning || (job && !ENDED.includes(job.state))}>${only.trim() ? t("screenings.begin.only") : t("screenings.begin")}</button></div>
        </form>`
      : html`<p class="muted">${t("screenings.first")}</p>`}
    ${problem ? problemView(problem, openScreenings) : nothing}
    ${job ? jobView(job) : nothing}
    ${work ? worklistView(work, job) : nothing}
    ${jobs.length ? earlierView(jobs) : nothing}
  </section>`;
}

function jobView(job) {
  if (job.state === "done") return nothing;
  return html`<div class="job">
    <p><strong>${t(`job.${job.state}`)}</strong> ${progress(job)}</p>
    ${ENDED.includes(job.state)
      ? job.error ? html`<p class="bad">${job.error.detail}</p>` : nothing
      : html`<progress aria-label=${t("job.label")} max=${job.total ?? 1} .value=${job.total ? job.done : 0}></progress>
        <button type="button" class="plain" @click=${() => cancel(job)}>${t("job.cancel")}</button>`}
  </div>`;
}

function earlierView(jobs) {
  return html`<h4>${t("screenings.earlier")}</h4>
    <ul class="jobs">${repeat(jobs, ({ id }) => id, (job) => html`<li>
      <a href=${href({ job: job.id })} aria-current=${job.id === state.route.job ? "page" : nothing}>${moment(job.created)}</a>
      <span>${t(`job.${job.state}`)}</span> <span class="muted">${progress(job)}</span>
    </li>`)}</ul>`;
}

function worklistView(work, job) {
  const { shown } = state.screening;
  return html`<article class="worklist" aria-labelledby="worklist-title">
    <div class="view-head">
      <h4 id="worklist-title" tabindex="-1">${t("worklist.title", { title: titleOf(work), day: work.as_of })}</h4>
      <span class="protocol-foot">${Object.keys(FORMS).map((form) => html`<button type="button" class="plain" @click=${() => save(job, form)}>${t(`worklist.${form}`)}</button>`)}</span>
    </div>
    <p class="counts">${Object.entries(work.counts).map(([outcome, count]) => html`<span data-outcome=${outcome}><strong>${count}</strong> ${t(`outcome.${outcome}`)}</span>`)}</p>
    ${work.warnings.length ? html`<ul class="warnings">${work.warnings.map((text) => html`<li>${text}</li>`)}</ul>` : nothing}
    ${work.failed.length ? failedView(work.failed) : nothing}
    <ol class="rows">${work.rows.slice(0, shown).map((row, rank) => rowView(row, rank + 1))}</ol>
    ${work.rows.length > shown
      ? html`<button type="button" class="plain" @click=${() => change({ shown: shown + PAGE })}>${tn("worklist.more", work.rows.length - shown)}</button>`
      : nothing}
    ${work.criteria.length ? tableView(work.criteria) : nothing}
  </article>`;
}

/** A protocol that nobody named is called so by the service. */
const titleOf = ({ title }) => (title === "protocol" ? t("worklist.untitled") : safe(title));

/** Patients whose charts could not be read are told: they are neither in nor out. */
const failedView = (failed) => html`<section class="unread">
  <p class="block-title">${tn("worklist.failed", failed.length)}</p>
  <ul>${failed.map(({ patient, error }) => html`<li><code>${patient}</code> ${error}</li>`)}</ul>
</section>`;

function rowView(row, rank) {
  const id = row.patient.split("/").pop();
  const open = state.screening.open.includes(row.patient);
  return html`<li>
    <details class="row" ?open=${open} @toggle=${(event) => toggled(row.patient, event.target.open)}>
      <summary>
        <span class="muted">${rank}</span>
        <span class="person-name">${words(row.name || id)}</span>
        <span class="outcome" data-outcome=${row.outcome}>${t(`outcome.${row.outcome}`)}</span>
        <span class="why">${row.outcome === "excluded" ? words(row.why) : row.open.length ? tn("verdict.open", row.open.length, { numbers: row.open.join(", ") }) : nothing}</span>
      </summary>
      ${open
        ? html`<div class="row-body">${outcomeView(row)}
            <p><a href=${href({ patient: id, view: "trials", job: null })}>${t("worklist.chart", { name: safe(row.name || id) })}</a></p>
            <ul class="verdicts">${row.verdicts.map((verdict) => verdictView(verdict, row))}</ul></div>`
        : nothing}
    </details>
  </li>`;
}

function toggled(patient, open) {
  const others = state.screening.open.filter((one) => one !== patient);
  if (open !== state.screening.open.includes(patient)) change({ open: open ? [...others, patient] : others });
}

const tableView = (criteria) => html`<details class="by-criterion">
  <summary>${t("worklist.criteria")}</summary>
  <div class="evidence-scroll" tabindex="0" role="region" aria-label=${t("worklist.criteria")}><table>
    <thead><tr><th scope="col">${t("worklist.criterion")}</th>${["met", "not_met", "unknown"].map((one) => html`<th scope="col">${t(`verdict.inclusion.${one}`)}</th>`)}</tr></thead>
    <tbody>${criteria.map(({ number: at, section, text, verdicts }) => html`<tr>
      <th scope="row">${at || ""} ${words(text)} ${section === "exclusion" ? html`<span class="muted">${t("trials.exclusion.short")}</span>` : nothing}</th>
      ${["met", "not_met", "unknown"].map((one) => html`<td>${verdicts[one]}</td>`)}
    </tr>`)}</tbody>
  </table></div>
</details>`;

/** A file of the worklist, as the service writes it. */
async function save(job, form) {
  try {
    const made = await fetchAs(`v1/trials/worklists/${encodeURIComponent(job.id)}`, FORMS[form]);
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(made), download: `worklist.${ENDINGS[form]}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  } catch (problem) {
    change({ problem });
  }
}
