// Questions that this chart can answer: while one is typed, at the start, and where one was refused.

import { html } from "./vendor/lit-html/lit-html.js";
import { call, query } from "./api.js";
import { state } from "./store.js";
import { t } from "./texts.js";

/** Those that fit the text; the best known of the chart where it is empty. */
export async function suggested(text, signal) {
  const { patient, asOf } = state.route;
  const asked = query({ text, as_of: asOf });
  return (await call(`v1/patients/${encodeURIComponent(patient)}/suggestions?${asked}`, { signal })).suggestions;
}

/** As buttons that ask them. */
export const offersView = (questions, ask) => html`<ul class="examples" aria-label=${t("box.options")}>
  ${questions.map((question) => html`<li><button type="button" @click=${() => ask(question)}>${question}</button></li>`)}
</ul>`;
