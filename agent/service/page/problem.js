// What went wrong, what the reader can do about it, and the number that the operator finds it by.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { Lost } from "./api.js";
import { t, tn } from "./texts.js";

const TITLES = {
  401: "problem.title.401",
  403: "problem.title.403",
  404: "problem.title.404",
  422: "problem.title.422",
  429: "problem.title.429",
};
const REMEDIES = {
  401: "problem.do.401",
  403: "problem.do.403",
  404: "problem.do.404",
  422: "problem.do.422",
  429: "problem.do.429",
};

const KINDS = {
  csrf: ["problem.title.csrf", "problem.do.csrf"],
  "no-thread": ["problem.title.thread", "problem.do.thread"],
  "no-registry": ["problem.title.registry", "problem.do.registry"],
  "unknown-patient": ["problem.title.patient", "problem.do.patient"],
};

/** `again` is what a button offers to do once more, where that can help. */
export function problemView(problem, again = null) {
  if (problem instanceof Lost) {
    return shown(t("problem.lost.title"), t("problem.lost.do"), "", null, again);
  }
  if (KINDS[problem.kind]) return shown(...KINDS[problem.kind].map((key) => t(key)), "", problem.request, null);
  const broken = problem.status >= 500 || !problem.status;
  const title = t(TITLES[problem.status] ?? (broken ? "problem.title.5xx" : "problem.title.4xx"));
  const remedy = problem.wait
    ? tn("problem.wait", problem.wait)
    : t(REMEDIES[problem.status] ?? (broken ? "problem.do.5xx" : "problem.do.4xx"));
  return shown(title, remedy, problem.message, problem.request, again);
}

function shown(title, remedy, detail = "", request = null, again = null) {
  return html`<div class="problem" role="alert">
    <p class="problem-title">${title}</p>
    ${detail ? html`<p>${detail}</p>` : nothing}
    <p>${remedy}</p>
    ${request ? html`<p class="muted small">${t("problem.request")} <code>${request}</code></p>` : nothing}
    ${again ? html`<p><button type="button" class="plain" @click=${again}>${t("problem.again")}</button></p>` : nothing}
  </div>`;
}
