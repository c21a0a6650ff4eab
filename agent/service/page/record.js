// Writing an answer or a summary into the chart: asked once more, with what is written where; then what came of it.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { call } from "./api.js";
import { announce } from "./live.js";
import { nameOf } from "./patients.js";
import { problemView } from "./problem.js";
import { safe } from "./safe.js";
import { set, state } from "./store.js";
import { t } from "./texts.js";

const WHAT = { answer: "record.what.answer", summary: "record.what.summary" };
let opener = null;

/** The button, where this reader may write; where it was written, what it became. `path` is that of what was made. */
export function recordButton(path, what, title) {
  const written = state.recorded[path];
  if (written) return html`<span class="good">${t("record.written", { reference: written })}</span>`;
  if (!state.me?.writing || !path) return nothing;
  return html`<button type="button" class="link" @click=${(event) => open({ path, what, title }, event.currentTarget)}>${t("record.button")}</button>`;
}

export function recordView() {
  const { record } = state;
  return html`<dialog id="record" class="asked" aria-labelledby="record-title" @close=${closed} @cancel=${(event) => record?.working && event.preventDefault()}>
    <h2 id="record-title" tabindex="-1">${record?.outcome ? t("record.done") : t("record.title")}</h2>
    ${record ? (record.outcome ? outcomeView(record.outcome) : askedView(record)) : nothing}
  </dialog>`;
}

function askedView({ what, title, working, problem }) {
  const { type, server } = state.me.writing;
  const { id } = state.banner;
  const name = nameOf(state.banner);
  return html`<blockquote>${safe(title)}</blockquote>
    <p>${t(WHAT[what], { type })}</p>
    <p>${server ? t("record.where.server", { name, id, server }) : t("record.where.store", { name, id })}</p>
    <p class="muted">${t("record.stays")}</p>
    ${problem ? problemView(problem) : nothing}
    <p class="asked-answers">
      <button type="button" class="main" ?disabled=${working} @click=${write}>${working ? t("record.working") : t("record.yes")}</button>
      <button type="button" class="plain" ?disabled=${working} @click=${close}>${t("record.no")}</button>
    </p>`;
}

const outcomeView = ({ reference, version, created }) => html`
  <p role="status">${created ? t("record.created") : t("record.there")}</p>
  <p><code>${version ? t("record.version", { reference, version }) : reference}</code></p>
  <p class="asked-answers"><button type="button" class="main" @click=${close}>${t("record.close")}</button></p>`;

async function open(wanted, from) {
  opener = from;
  set({ record: { ...wanted, working: false, problem: null, outcome: null } });
  await Promise.resolve();
  document.getElementById("record").showModal();
  document.getElementById("record-title").focus();
}

async function write() {
  const { record } = state;
  set({ record: { ...record, working: true, problem: null } });
  try {
    const outcome = await call(`${record.path}/record`, { method: "POST", body: { confirm: true } });
    const recorded = { ...state.recorded, [record.path]: outcome.reference };
    set({ record: { ...record, working: false, problem: null, outcome }, recorded });
    announce(t("record.written", { reference: outcome.reference }));
  } catch (problem) {
    set({ record: { ...record, working: false, problem } });
  }
}

function close() {
  document.getElementById("record").close();
}

function closed() {
  const back = opener?.isConnected ? opener : document.getElementById("main");
  opener = null;
  set({ record: null });
  back?.focus();
}
