// Questions and answers about the open patient: threads, and the turns of the one that is open.

import { call, events, Lost, Problem, query } from "./api.js";
import { announce, murmur } from "./live.js";
import { stay } from "./route.js";
import { set, state } from "./store.js";
import { suggested } from "./suggestions.js";
import { t } from "./texts.js";

const MOST = 50;
let asking = null;

export async function listThreads() {
  const patient = state.route.patient;
  let threads;
  try {
    const found = await call(`v1/threads?${query({ patient, limit: MOST })}`);
    threads = { list: found.threads, complete: found.complete, problem: null };
  } catch (problem) {
    threads = { list: [], complete: true, problem };
  }
  if (patient === state.route.patient) set({ threads });
}

/** Show the turns of the thread in the fragment; none is a new conversation. */
export async function openThread() {
  asking?.abort();
  const { thread } = state.route;
  set({ turns: [], threadProblem: null });
  if (!thread) return;
  try {
    const found = await call(`v1/threads/${encodeURIComponent(thread)}`);
    if (state.route.thread !== thread) return;
    const turns = found.turns.map(kept);
    set({ turns });
    const last = turns.at(-1);
    if (last?.lost) fetchAgain(last);
  } catch (problem) {
    if (state.route.thread === thread) set({ threadProblem: problem });
  }
}

const kept = (turn) => ({
  id: turn.id,
  key: turn.id,
  question: turn.question,
  asked: turn.asked,
  claims: [],
  stage: "",
  answer: turn.answer,
  working: false,
  problem: turn.state === "failed" ? new Problem(turn.error?.status ?? 0, turn.error ?? { detail: t("turn.failed") }) : null,
  lost: turn.state === "working",
});

export async function deleteThread(id) {
  try {
    await call(`v1/threads/${encodeURIComponent(id)}`, { method: "DELETE" });
  } catch (problem) {
    set({ threads: { ...state.threads, problem }, deleting: null });
    return;
  }
  const list = state.threads.list.filter((thread) => thread.id !== id);
  set({ threads: { ...state.threads, list, problem: null }, deleting: null });
  announce(t("history.deleted"));
  if (state.route.thread !== id) return;
  stay({ thread: null });
  openThread();
}

/** Ask in the open thread, or in a new one. */
export async function ask(question) {
  const turn = { key: newKey(), question, asked: new Date().toISOString(), claims: [], stage: "", working: true };
  const first = !state.turns.length;
  set({ turns: [...state.turns, turn] });
  announce(t("turn.working"));
  offer(turn);
  await attempt(turn, async (signal) => {
    await send(turn, signal);
  });
  if (first || !state.threads.list.some((thread) => thread.id === state.route.thread)) listThreads();
}

async function send(turn, signal) {
  if (!state.route.thread) stay({ thread: await begun() });
  const { patient, asOf, thread } = state.route;
  const body = { question: turn.question, patient, thread, ...(asOf ? { as_of: asOf } : {}) };
  await follow(turn, events("v1/ask", { method: "POST", body, headers: { "Idempotency-Key": turn.key }, signal }));
}

async function begun() {
  const { patient, asOf } = state.route;
  return (await call("v1/threads", { method: "POST", body: { patient, as_of: asOf } })).id;
}

async function follow(turn, told) {
  for await (const [name, data] of told) {
    if (name === "question") change(turn, { id: data.id });
    if (name === "progress") {
      change(turn, { stage: data.text });
      murmur(data.text);
    }
    if (name === "claim") change(turn, { claims: [...turn.claims, data] });
    if (name === "answer") finish(turn, data);
  }
}

function finish(turn, answer) {
  change(turn, { answer });
  announce(t("turn.answer", { text: answer.text.replace(/\s*\[[a-z]?\d+\]/g, "") }));
}

/** What could be asked next, or in its place: looked up at once, so that nothing moves once the answer is there. */
async function offer(turn) {
  const offers = await suggested(turn.question).catch(() => []);
  change(turn, { offers });
}

/** The same question under the same key: the server tells the answer that it has, or goes on with it. One that ended
 * in a problem is asked anew. */
export async function fetchAgain(turn) {
  if (turn.problem) change(turn, { key: newKey(), id: null });
  change(turn, { working: true, lost: false, stopped: false, problem: null, claims: [] });
  announce(t("turn.working"));
  await attempt(turn, async (signal) => {
    if (turn.id) await follow(turn, events(`v1/questions/${encodeURIComponent(turn.id)}`, { signal }));
    else await send(turn, signal);
  });
}

export function stop() {
  asking?.abort();
}

async function attempt(turn, doing) {
  asking?.abort();
  const mine = (asking = new AbortController());
  try {
    await doing(mine.signal);
  } catch (error) {
    if (error.name === "AbortError") change(turn, { lost: true, stopped: true });
    else if (error instanceof Lost) {
      change(turn, { lost: true });
      announce(t("turn.lost"));
    } else failed(turn, error);
  } finally {
    change(turn, { working: false });
    if (asking === mine) asking = null;
  }
}

/** A question that found nobody signed in is asked again from the box, where it is not lost meanwhile. */
function failed(turn, error) {
  if (error.status === 401) set({ box: { ...state.box, text: turn.question } });
  change(turn, { problem: error });
}

function change(turn, patch) {
  Object.assign(turn, patch);
  set({ turns: state.turns });
}

/** A key that no other question has (no randomUUID: it is not there on plain HTTP). */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
