// The question box: a combobox with a list of questions that this chart can answer (ARIA APG, "editable combobox with
// list autocomplete"). Focus stays in the box; the arrows move among the options.

import { html, nothing } from "./vendor/lit-html/lit-html.js";
import { live } from "./vendor/lit-html/directives/live.js";
import { ask, stop } from "./conversation.js";
import { go } from "./route.js";
import { set, state } from "./store.js";
import { suggested } from "./suggestions.js";
import { t } from "./texts.js";

const PAUSE = 120; // ms without a key before suggestions are asked for
const LONGEST = 4000;

const KEYS = /Mac|iP/.test(navigator.platform) ? "⌘K" : "Ctrl K";

let timer = 0;
let looking = null;

export function boxView() {
  const { text, open, options, active } = state.box;
  const shown = open && options.length > 0;
  const working = state.turns.some((turn) => turn.working);
  return html`<form class="box" @submit=${submitted} autocomplete="off">
    <label for="question" class="unseen">${t("box.label")}</label>
    <div class="box-field">
      <input id="question" type="text" role="combobox" aria-autocomplete="list" aria-controls="options"
        aria-expanded=${shown ? "true" : "false"} aria-activedescendant=${shown && active >= 0 ? `option-${active}` : ""}
        aria-describedby="box-note" aria-keyshortcuts="Control+K Meta+K" maxlength=${LONGEST} enterkeyhint="send" spellcheck="false"
        placeholder=${state.turns.length ? t("box.follow") : t("box.first")}
        .value=${live(text)} @input=${typed} @keydown=${pressed} @blur=${() => close()}>
      ${working
        ? html`<button type="button" class="plain" @click=${stopped}>${t("box.stop")}</button>`
        : html`<button type="submit" class="main">${t("box.ask")}</button>`}
      <ul id="options" class="options" role="listbox" aria-label=${t("box.options")} ?hidden=${!shown}>
        ${shown ? options.map((option, i) => optionView(option, i, i === active)) : nothing}
      </ul>
    </div>
    <p class="note"><span id="box-note">${t("box.note")}</span> <span class="keys" aria-hidden="true"><kbd>${KEYS}</kbd> ${t("box.keys")}</span></p>
  </form>`;
}

// mousedown keeps the focus in the box; the click chooses.
const optionView = (option, i, active) => html`<li id="option-${i}" role="option" aria-selected=${active ? "true" : "false"}
  @mousedown=${(event) => event.preventDefault()} @click=${() => choose(option)}>${option}</li>`;

function change(patch) {
  set({ box: { ...state.box, ...patch } });
}

function close() {
  change({ open: false, active: -1 });
}

/** To the box, wherever the reader is; with a text in it, if one is given, and what can be asked about that. */
export function toBox(text = null) {
  const arrive = () => {
    document.getElementById("question")?.focus();
    if (text === null) return;
    change({ text });
    look();
  };
  if (state.route.view === "questions") return arrive();
  addEventListener("hashchange", () => requestAnimationFrame(arrive), { once: true }); // the box is there then
  go({ view: "questions" });
}

function typed(event) {
  change({ text: event.target.value, active: -1 });
  clearTimeout(timer);
  timer = setTimeout(look, PAUSE);
}

async function look() {
  looking?.abort();
  const { text } = state.box;
  if (!text.trim()) return change({ options: [], open: false });
  const mine = (looking = new AbortController());
  try {
    const options = await suggested(text, mine.signal);
    if (state.box.text === text) change({ options, open: document.activeElement?.id === "question", active: -1 });
  } catch {
    change({ options: [], open: false }); // a question can be asked without suggestions
  }
}

function pressed(event) {
  const { open, options, active } = state.box;
  const { length } = options;
  if (event.isComposing) return;
  if (event.key === "ArrowDown" && length) change({ open: true, active: (active + 1) % length });
  else if (event.key === "ArrowUp" && length) change({ open: true, active: active <= 0 ? length - 1 : active - 1 });
  else if (event.key === "ArrowRight" && open && active >= 0) change({ text: options[active], open: false, active: -1 });
  else if (event.key === "Escape" && open) close();
  else if (event.key === "Escape" && state.box.text) change({ text: "", options: [] });
  else return;
  event.preventDefault();
  requestAnimationFrame(() => document.querySelector('[role="option"][aria-selected="true"]')?.scrollIntoView({ block: "nearest" }));
}

/** What was pressed is gone then. */
function stopped() {
  stop();
  focusBox();
}

function submitted(event) {
  event.preventDefault();
  const { open, options, active, text } = state.box;
  choose(open && active >= 0 ? options[active] : text);
}

/** To where the next thing is typed. Where fingers type, focus brings the keyboard up over the page: there it is left alone. */
const TOUCH = matchMedia("(pointer: coarse)");
export const focusBox = () => TOUCH.matches || document.querySelector("#question, #patient-search")?.focus({ preventScroll: true });

/** A turn that begins low on the screen is brought to the top of it: its answer takes room. */
function bringUp(turn) {
  if (turn && turn.getBoundingClientRect().top > innerHeight / 2) turn.scrollIntoView({ block: "start" });
}

export function choose(question) {
  if (!question.trim() || state.turns.some((turn) => turn.working)) return;
  clearTimeout(timer);
  looking?.abort();
  set({ box: { text: "", open: false, options: [], active: -1 } });
  ask(question.trim());
  if (TOUCH.matches) document.activeElement?.blur();
  else focusBox();
  requestAnimationFrame(() => bringUp(document.querySelector(".turn:last-of-type")));
}
