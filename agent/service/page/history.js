// The conversations about the open patient: reopen one, begin another, delete one.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { deleteThread, listThreads } from "./conversation.js";
import { problemView } from "./problem.js";
import { href } from "./route.js";
import { set, state } from "./store.js";
import { moment, t } from "./texts.js";

export function historyView() {
  const { list, complete, problem } = state.threads;
  return html`<nav class="history" aria-labelledby="history-title">
    <div class="history-head">
      <h2 id="history-title">${t("history.title")}</h2>
      <a href=${href({ thread: null, view: "questions" })} class="plain" aria-label=${t("history.new.label")}>${t("history.new")}</a>
    </div>
    ${problem ? problemView(problem, listThreads) : nothing}
    ${list.length || problem ? nothing : html`<p class="muted small">${t("history.none")}</p>`}
    <ul>${repeat(list, (thread) => thread.id, threadView)}</ul>
    ${complete ? nothing : html`<p class="muted small">${t("history.more")}</p>`}
  </nav>`;
}

function threadView(thread) {
  const here = thread.id === state.route.thread && state.route.view === "questions";
  const title = thread.title || t("history.untitled");
  if (state.deleting === thread.id) return confirmView(thread, title);
  return html`<li>
    <a href=${href({ thread: thread.id, view: "questions", asOf: dayOf(thread) })} aria-current=${here ? "page" : nothing}>
      <span class="thread-title">${title}</span>
      <time class="muted small" datetime=${thread.updated}>${moment(thread.updated)}</time>
    </a>
    <button type="button" class="icon" aria-label=${t("history.delete", { title })} title=${t("history.delete.short")}
      data-thread=${thread.id} @click=${() => sure(thread.id)}>×</button>
  </li>`;
}

// What was pressed is gone from the screen then: the focus goes on to what stands in its place.
function sure(id) {
  set({ deleting: id });
  focusOn(".confirm .plain");
}

function keep(id) {
  set({ deleting: null });
  focusOn(`[data-thread="${CSS.escape(id)}"]`);
}

async function gone(id) {
  await deleteThread(id);
  focusOn(".history-head a");
}

const focusOn = (selector) => requestAnimationFrame(() => document.querySelector(selector)?.focus());

/** A conversation goes on as of its own day. */
const dayOf = (thread) => (thread.as_of === state.me.today ? null : (thread.as_of ?? null));

function confirmView(thread, title) {
  return html`<li class="confirm">
    <p>${t("history.delete.sure", { title })}</p>
    <button type="button" class="danger" @click=${() => gone(thread.id)}>${t("history.delete.yes")}</button>
    <button type="button" class="plain" @click=${() => keep(thread.id)}>${t("history.delete.no")}</button>
  </li>`;
}
