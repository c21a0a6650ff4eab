// A resource as it is: JSON that can be folded and copied.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { toClipboard } from "./copying.js";
import { safe } from "./safe.js";
import { t, tn } from "./texts.js";

const LONG = 2000; // characters of a string that are shown

/** The raw resource, folded away; it is made when it is opened. */
export const rawView = ({ resource, resource_complete: whole }) => html`<details class="evidence-raw" @toggle=${filled(() => branch(null, resource, true))}>
  <summary>${t("evidence.raw")}</summary>
  <p class="raw-tools">
    <button type="button" class="plain" @click=${(event) => copy(resource, event.currentTarget)}>${t("evidence.raw.copy")}</button><span role="status" class="raw-told"></span>
  </p>
  ${whole ? nothing : html`<p class="evidence-notice">${t("evidence.raw.cut")}</p>`}
  <div class="raw" tabindex="0" role="region" aria-label=${t("evidence.raw")}></div>
</details>`;

/** Puts what is made into the last element of a `details` that is opened. */
const filled = (made) => ({ currentTarget }) => currentTarget.open && render(made(), currentTarget.lastElementChild);

async function copy(resource, { nextElementSibling: told }) {
  told.textContent = (await toClipboard(JSON.stringify(resource, null, 2))) ? t("copy.done") : t("copy.failed");
}

function branch(name, value, open = false) {
  const key = name === null ? nothing : html`<span class="raw-key">${safe(name)}</span>: `;
  if (value === null || typeof value !== "object") return html`<div class="raw-leaf">${key}${leaf(value)}</div>`;
  const entries = Object.entries(value);
  const what = Array.isArray(value) ? tn("evidence.raw.items", entries.length) : tn("evidence.raw.members", entries.length);
  return html`<details ?open=${open} @toggle=${filled(() => entries.map(([k, v]) => branch(k, v, entries.length < 4)))}>
    <summary>${key}<span class="raw-size">${what}</span></summary>
    <div></div>
  </details>`;
}

function leaf(value) {
  const text = typeof value === "string" && value.length > LONG ? `${value.slice(0, LONG)}…` : value;
  return html`<span class="raw-${value === null ? "null" : typeof value}">${safe(JSON.stringify(text))}</span>`;
}
