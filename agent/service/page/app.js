// The page: what is on the screen for a place, and what is read when the place changes.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { call, onUnknown, useToken } from "./api.js";
import { boxView, choose, focusBox, toBox } from "./box.js";
import { contentsView, openContents } from "./contents.js";
import { listThreads, openThread } from "./conversation.js";
import { closeEvidence, fresh, openEvidence, panelView } from "./evidence_panel.js";
import { historyView } from "./history.js";
import { bannerView, chooserView, findPatients, nameOf, openBanner, shortBannerView } from "./patients.js";
import { problemView } from "./problem.js";
import { recordView } from "./record.js";
import { href, read, stay } from "./route.js";
import { safe } from "./safe.js";
import { openScreenings } from "./screenings.js";
import { returned, signInView, signOut } from "./sign_in.js";
import { onChange, set, state, still, today } from "./store.js";
import { offersView, suggested } from "./suggestions.js";
import { openSummary, summariesView } from "./summaries.js";
import { loadTexts, now, t } from "./texts.js";
import { trialsView } from "./trials.js";
import { turnView } from "./turn.js";

const VIEWS = {
  questions: "nav.questions",
  timeline: "nav.timeline",
  summaries: "nav.summaries",
  trials: "nav.trials",
  contents: "nav.contents",
};
const EMPTY = { text: "", open: false, options: [], active: -1 }; // the question box
const THEMES = { auto: "theme.auto", light: "theme.light", dark: "theme.dark" };

function pageView() {
  if (state.trouble) return bare(troubleView(state.trouble, start));
  if (state.signIn) return bare(signInView(start));
  if (!state.me) return bare(html`<p class="muted loading">${t("page.loading")}</p>`);
  if (!state.route.patient) return state.route.view === "trials" ? populationView() : bare(chooserView());
  if (state.bannerProblem) return bare(troubleView(state.bannerProblem, openBanner));
  return html`<a class="skip" href="#main" @click=${skip}>${t("skip")}</a>
    ${topView()}${printHead()}
    ${bannerView()}
    ${navView()}
    <div class=${state.route.view === "questions" ? "shell" : "shell whole"}>
      ${state.route.view === "questions" ? historyView() : nothing}
      <main id="main" class="page" tabindex="-1">${VIEW[state.route.view]()}</main>
      ${panelView()}
    </div>
    ${endView()}${recordView()}`;
}

const bare = (content) => html`${topView()}<main id="main" class="page narrow">${content}</main>${state.me ? endView() : nothing}`;

/** Trials before any one patient: the protocol, and several patients held against it. */
const populationView = () => html`${topView()}
  <div class="shell whole alone"><main id="main" class="page" tabindex="-1">
    <h1 class="unseen">${t("trials.title")}</h1>${trialsView()}
  </main>${panelView()}</div>${endView()}`;

const troubleView = (problem, again) => html`<h1 class="unseen">${t("page.title")}</h1>${problemView(problem, again)}`;

const VIEW = {
  questions: questionsView,
  timeline: () => html`<section aria-labelledby="timeline-title">
    <h2 id="timeline-title" class="unseen">${t("nav.timeline")}</h2>
    <div id="timeline"></div>
  </section>`,
  summaries: summariesView,
  trials: trialsView,
  contents: contentsView,
};

function topView() {
  const { me } = state;
  const change = me && !me.patient && (state.route.patient || state.route.view === "trials");
  return html`<header class="top">
    <a class="wordmark" href="#" aria-label=${t("top.home")}>chartline</a>
    ${me ? html`<span class="reasoner" title=${t("top.reasoner.title")}>${t("top.reasoner", { reasoner: me.reasoner })}</span>` : nothing}
    <span class="gap"></span>
    ${change ? html`<a class="plain" href=${href({ patient: null, thread: null, job: null, view: "questions" })}>${t("top.change")}</a>` : nothing}
    ${me && me.via !== "local" ? html`<span class="muted user">${me.name}</span><button type="button" class="plain" @click=${signOut}>${t("top.sign_out")}</button>` : nothing}
  </header>`;
}

const endView = () => html`<footer class="end">
  <label>${t("theme.label")}
    <select @change=${(event) => useTheme(event.target.value)}>
      ${Object.entries(THEMES).map(([name, key]) => html`<option value=${name} ?selected=${name === theme()}>${t(key)}</option>`)}
    </select>
  </label>
  <span>${t("end.version", { version: state.me.version })}</span>
</footer>`;

const navView = () => html`<div class="bar">
  <nav class="views" aria-label=${t("nav.label")}>
    ${Object.entries(VIEWS).map(
      ([view, key]) => html`<a href=${href({ view })} aria-current=${view === state.route.view ? "page" : nothing}>${t(key)}</a>`,
    )}
  </nav>
  ${state.banner ? shortBannerView(state.banner) : nothing}
</div>`;

function questionsView() {
  const { turns, threadProblem } = state;
  return html`<section class="questions" aria-labelledby="questions-title">
    <div class="view-head">
      <h2 id="questions-title">${turns.length ? t("questions.title") : t("questions.ask", { name: state.banner ? nameOf(state.banner) : "" })}</h2>
      ${turns.length ? html`<button type="button" class="plain" @click=${() => print()}>${t("print")}</button>` : nothing}
    </div>
    ${threadProblem ? problemView(threadProblem, openThread) : nothing}
    ${turns.length || threadProblem || state.route.thread ? nothing : offersView(state.examples, choose)}
    <div class="turns">${turns.map(turnView)}</div>
    ${boxView()}
  </section>`;
}

function printHead() {
  const { banner } = state;
  if (!banner) return nothing;
  const numbers = safe(banner.identifiers.map((one) => one.value).join(", "));
  return html`<p class="print-only print-head">
    ${t("print.head", { name: nameOf(banner), born: banner.birth_date ?? "", numbers, day: today() })}
    <span id="printed"></span>
  </p>`;
}

function skip(event) {
  event.preventDefault();
  (document.getElementById("question") ?? document.getElementById("main")).focus();
}

/** Ctrl+K leads to the question (or to the search for a patient) from anywhere, Escape away from a source. */
function pressed(event) {
  if (event.defaultPrevented || document.querySelector("#record[open]")) return;
  if (event.key === "Escape") closeEvidence();
  if (event.key !== "k" || !(event.ctrlKey || event.metaKey) || !state.me) return;
  event.preventDefault();
  if (document.querySelector("#evidence:modal")) closeEvidence();
  if (state.route.patient) toBox();
  else focusBox();
}

const theme = () => document.documentElement.dataset.theme ?? "auto";

function useTheme(name) {
  const root = document.documentElement;
  if (name === "auto") delete root.dataset.theme;
  else root.dataset.theme = name;
  try {
    localStorage.setItem("chartline.theme", name);
  } catch {
    // it serves until the page is closed
  }
}

/** Read what a new place needs, and no more. */
async function arrived() {
  const before = state.route;
  const route = read();
  if (state.me?.patient && !route.patient) route.patient = state.me.patient;
  set({ route, deleting: null, wrongDay: false });
  const moved = route.view !== before.view || route.job !== before.job;
  const other = route.patient !== before.patient || route.asOf !== before.asOf;
  if (!route.patient) {
    closeEvidence();
    set({ banner: null, turns: [], box: EMPTY, search: { ...state.search, people: null } });
    document.title = t("page.title");
    if (route.view === "trials") return openScreenings();
    requestAnimationFrame(focusBox);
    return findPatients();
  }
  if (before.patient && route.patient !== before.patient) set({ box: EMPTY });
  if (other) openPatient(route.patient !== before.patient);
  if (other || route.thread !== before.thread) {
    closeEvidence();
    openThread();
  }
  if (other || moved) {
    closeEvidence();
    opened(route.view);
  }
}

async function openPatient(moved) {
  const { route } = state;
  set({ examples: [], threads: { list: [], complete: true, problem: null }, summary: { ...state.summary, kind: null, data: null } });
  await openBanner();
  if (!state.banner || !still(route)) return;
  banner.disconnect();
  requestAnimationFrame(() => document.querySelectorAll(".banner").forEach((one) => banner.observe(one)));
  document.title = `${nameOf(state.banner)} · ${t("page.title")}`;
  if (moved) requestAnimationFrame(focusBox);
  listThreads();
  const examples = await suggested("").catch(() => []); // the box serves without them
  if (still(route)) set({ examples });
}

function opened(view) {
  if (view === "contents") openContents();
  if (view === "summaries" && !state.summary.kind) openSummary("snapshot");
  if (view === "timeline") requestAnimationFrame(openTimeline);
}

async function openTimeline() {
  const container = fresh(document.getElementById("timeline"));
  const onPick = (reference) => {
    const citation = { mark: "", reference, version: null, path: "", excerpt: reference, inputs: [], span: null };
    openEvidence(citation, {}, document.activeElement);
  };
  try {
    const { showTimeline } = await import("./timeline.js");
    if (container?.isConnected) await showTimeline(container, { patient: state.route.patient, asOf: today(), onPick });
  } catch (problem) {
    render(problemView(problem, openTimeline), fresh(container));
  }
}

const whose = ({ name, via, patient }) => [via, name, patient].join(" ");

async function start() {
  try {
    const me = await call("v1/me");
    if (state.ended && state.ended !== whose(me)) return location.reload(); // nothing that another was shown stays
    useToken(me.csrf);
    set({ me, signIn: null, ended: null, trouble: null });
    if (me.patient && read().patient !== me.patient) stay({ patient: me.patient, thread: null });
    state.route = { patient: null, thread: null, job: null, view: null, asOf: null };
    await arrived();
  } catch (problem) {
    if (problem.status !== 401) set({ trouble: problem });
  }
}

onUnknown((problem) => {
  set({ me: null, ended: state.me ? whose(state.me) : state.ended, signIn: problem.signIn ?? { key: true, smart: [] } });
  requestAnimationFrame(() => (document.getElementById("api-key") ?? document.getElementById("sign-in-title"))?.focus());
});
// Whose chart it is stays on the screen: in few words, once the banner is out of it.
const banner = new IntersectionObserver((seen) => document.body.classList.toggle("scrolled", !seen.at(-1).isIntersecting));

addEventListener("hashchange", () => state.me && arrived());
addEventListener("keydown", pressed);
addEventListener("beforeprint", () => {
  const printed = document.getElementById("printed");
  if (printed) printed.textContent = t("print.when", { time: now() });
});

await loadTexts();
returned();
const app = document.getElementById("app");
app.replaceChildren();
onChange(() => render(pageView(), app));
set({});
await start();
