// What a reader takes along: an answer with its sources, or its value alone.

import { html } from "./vendor/lit-html/lit-html.js";
import { announce } from "./live.js";
import { nameOf } from "./patients.js";
import { safe } from "./safe.js";
import { set, state } from "./store.js";
import { t, tn } from "./texts.js";

const SEEN = 2000; // ms that a button says what it did

/** A button that copies what `made` gives, and says so; `said` is what a screen reader is told. */
export function copyButton(key, made, said = null) {
  const now = state.copied?.key === key && state.copied.text === made() ? state.copied.outcome : t(key);
  return html`<button type="button" class="link" @click=${() => copy(key, made(), said)}>${now}</button>`;
}

/** Whether a text could be put on the clipboard: browsers allow it where the page came by HTTPS or from this machine. */
export async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

async function copy(key, text, said) {
  const done = await toClipboard(text);
  const copied = { key, text, outcome: done ? t("copy.done") : t("copy.failed") };
  set({ copied });
  announce(done ? (said ?? t("copied", { text })) : t("copy.failed"));
  setTimeout(() => state.copied === copied && set({ copied: null }), SEEN);
}

export function valueText({ value, unit }) {
  if (Array.isArray(value)) return value.join("\n");
  if (typeof value === "boolean") return value ? t("value.yes") : t("value.no");
  return unit ? `${value} ${unit}` : String(value);
}

/** Nothing that limits an answer is left behind: its status, its warnings, what was removed and what was not read. */
export function answerText(answer, { question }) {
  const { banner, me } = state;
  const unread = answer.searched.filter((row) => !row.complete).length;
  const limits = [
    ...answer.warnings,
    answer.removed.length ? tn("answer.removed", answer.removed.length) : "",
    unread ? tn("answer.unread", unread) : "",
  ];
  const status = { not_found: t("status.not_found"), incomplete: t("status.incomplete") }[answer.status] ?? "";
  const sources = answer.citations.map(({ mark, excerpt, reference, inputs }) => `[${mark}] ${excerpt} (${reference || inputs.join(", ")})`.replace(" ()", ""));
  const who = { name: banner ? nameOf(banner) : answer.patient, numbers: banner?.identifiers.map((one) => one.value).join(", ") ?? "" };
  const foot = t("answer.copy.foot", { ...who, day: answer.as_of, reasoner: answer.reasoner, version: me.version });
  const told = [question, status, answer.text, ...limits].filter(Boolean).join("\n");
  return safe([told, sources.join("\n"), foot].join("\n\n"));
}
