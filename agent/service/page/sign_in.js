// Who asks: an API key, or a launch at one of the FHIR servers that this site trusts.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { call } from "./api.js";
import { problemView } from "./problem.js";
import { set, state } from "./store.js";
import { t } from "./texts.js";

const PLACE = "chartline.place";
let problem = null;

/** `entered` is done once the key is taken. */
export function signInView(entered) {
  const { key, smart } = state.signIn;
  return html`<section class="sign-in" aria-labelledby="sign-in-title">
    <h1 id="sign-in-title" tabindex="-1">${t("sign_in.title")}</h1>
    ${state.ended ? html`<p role="status">${t("sign_in.ended")}</p>` : nothing}
    ${problem ? problemView(problem) : nothing}
    ${smart.map(
      ({ iss, name }) => html`<p><a class="main wide" href="launch/standalone?iss=${encodeURIComponent(iss)}" @click=${leave}>${t("sign_in.smart", { name })}</a></p>`,
    )}
    ${key
      ? html`<form @submit=${(event) => enter(event, entered)}>
          <label for="api-key">${t("sign_in.key")}</label>
          <input id="api-key" type="password" autocomplete="current-password" required spellcheck="false">
          <button type="submit" class="main">${t("sign_in.enter")}</button>
        </form>`
      : nothing}
    ${key || smart.length ? nothing : html`<p>${t("sign_in.none")}</p>`}
  </section>`;
}

/** The way over another site loses the fragment: where a session ended, this tab keeps it. */
function leave() {
  try {
    if (state.ended) sessionStorage.setItem(PLACE, location.hash);
  } catch {
    // storage is closed to this page: the launch's own patient is shown
  }
}

/** Back from there, to where one was. */
export function returned() {
  try {
    const place = sessionStorage.getItem(PLACE);
    sessionStorage.removeItem(PLACE);
    if (place && !location.hash) history.replaceState(null, "", place);
  } catch {
    // nothing was kept
  }
}

async function enter(event, entered) {
  event.preventDefault();
  const field = event.target.querySelector("input");
  try {
    await call("v1/sign-in", { method: "POST", body: { key: field.value } });
    problem = null;
    field.value = "";
    await entered();
  } catch (error) {
    problem = error;
    set({});
    field.focus();
  }
}

export async function signOut() {
  try {
    await call("v1/sign-out", { method: "POST" });
  } finally {
    location.hash = "";
    location.reload();
  }
}
