// The timeline of a chart: drawn, filtered by kind and words, and as a list.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { call, query } from "./api.js";
import { quoted, safe } from "./safe.js";
import { number, t, tn } from "./texts.js";
import "./timeline_chart.js";
import { Facts } from "./timeline_facts.js";

const PAGE = 50;
const TOUCH = matchMedia("(pointer: coarse)");

/** Show the timeline of a patient's chart. `onPick` is told the reference of a fact that is opened. */
export async function showTimeline(container, { patient, asOf, onPick }) {
  container.classList.add("timeline");
  const told = await call(`v1/patients/${encodeURIComponent(patient)}/timeline?${query({ as_of: asOf })}`);
  const facts = new Facts(told);
  await frame(); // of a large chart each of these takes a while: the page can react between them
  new View(container, facts, onPick).update();
  await frame();
  performance.mark("timeline-usable");
  container.dataset.ready = "true";
}

const frame = () => new Promise(requestAnimationFrame);

class View {
  constructor(container, facts, onPick) {
    Object.assign(this, { container, facts, counts: facts.counts() });
    this.pick = (at) => onPick?.(facts.told.reference[at]);
    this.hidden = new Set();
    this.words = "";
    this.listed = false;
    this.page = 0;
    this.tell = this.tell.bind(this);
    this.tell(null);
  }

  update() {
    const { facts, container, listed, told } = this;
    const drawn = html`<output class="timeline-told" aria-live="polite" ?hidden=${listed}>${told}</output>
      <chart-timeline class="timeline-drawn" ?hidden=${listed} .facts=${facts} .tell=${this.tell} .pick=${this.pick}></chart-timeline>`;
    render(
      html`${facts.count ? html`${this.tools()}${drawn}${listed ? this.list() : nothing}` : html`<p class="muted">${t("timeline.empty")}</p>`}${this.rest()}`,
      container,
    );
  }

  tools() {
    const { chart, listed } = this;
    return html`<div class="timeline-tools" role="group" aria-label=${t("timeline.tools")}>
      <input type="search" autocomplete="off" aria-label=${t("timeline.words")} placeholder=${t("timeline.words")} @input=${(event) => this.filter({ words: event.target.value })}>
      ${this.kinds()}
      <span class="timeline-zooms" ?hidden=${listed}>
        <button type="button" class="plain" aria-label=${t("timeline.in")} @click=${() => this.chart.zoom(1.5)}>+</button>
        <button type="button" class="plain" aria-label=${t("timeline.out")} @click=${() => this.chart.zoom(1 / 1.5)}>−</button>
        <button type="button" class="plain" @click=${() => this.chart.fit()}>${t("timeline.fit")}</button>
      </span>
      <button type="button" class="plain" aria-pressed=${listed ? "true" : "false"} @click=${() => this.toggle()}>${t("timeline.list")}</button>
      <p class="timeline-count" role="status">${this.counted()}</p>
    </div>`;
  }

  /** Which kinds are shown: folded away, since there are up to seventeen. It closes by Escape, and when the focus leaves it. */
  kinds() {
    const { hidden, counts } = this;
    const { lanes } = this.facts;
    const shown = lanes.length - hidden.size;
    const choose = (kind) => this.filter({ hidden: hidden.symmetricDifference(new Set([kind])) });
    return html`<details class="timeline-kinds" @keydown=${escaped} @focusout=${left}>
      <summary class="plain">${hidden.size ? t("timeline.kinds.some", { shown: number(shown), all: number(lanes.length) }) : t("timeline.kinds.all")}</summary>
      <div class="timeline-choice" role="group" aria-label=${t("timeline.kinds")} tabindex="-1">
        <p>
          <button type="button" class="plain" @click=${() => this.filter({ hidden: new Set() })}>${t("timeline.kinds.all")}</button>
          <button type="button" class="plain" @click=${() => this.filter({ hidden: new Set(lanes.map(({ kind }) => kind)) })}>${t("timeline.kinds.none")}</button>
        </p>
        ${lanes.map(
          ({ kind, number: lane }) => html`<label>
            <input type="checkbox" .checked=${!hidden.has(kind)} @change=${() => choose(kind)}>
            <span>${t(`timeline.kind.${kind}`)}</span> <span class="muted">${number(counts[lane])}</span>
          </label>`,
        )}
      </div>
    </details>`;
  }

  /** What is not on the timeline, and what could not be read. */
  rest() {
    const { left_out: left, unread } = this.facts.told;
    const parts = Object.entries(left).map(([why, count]) => t("timeline.left.one", { count: number(count), why: t(`timeline.left.${why}`) }));
    const failed = unread.map((one) => html`<li>${quoted(t("timeline.unread.one", { query: one.query, why: one.error ?? "" }))}</li>`);
    return html`${parts.length ? html`<p class="muted small">${t("timeline.left", { parts: parts.join(", ") })}</p>` : nothing}
      ${failed.length ? html`<div class="evidence-notice" role="alert"><p>${t("timeline.unread")}</p><ul>${failed}</ul></div>` : nothing}`;
  }

  get chart() {
    return this.container.querySelector("chart-timeline");
  }

  /** Other kinds or words are wanted. */
  filter(wanted) {
    Object.assign(this, wanted, { page: 0 });
    this.facts.filter(this.hidden, this.words);
    this.update();
    if (!this.listed) this.chart.filtered();
  }

  counted() {
    const [shown, all] = [this.facts.shown.length, this.facts.count];
    return shown === all ? tn("timeline.facts", all) : t("timeline.some", { shown: number(shown), facts: tn("timeline.facts", all) });
  }

  tell(at, words = null) {
    this.told = at === null || at < 0 ? (words ?? t(TOUCH.matches ? "timeline.hint.touch" : "timeline.hint", { day: this.facts.told.as_of })) : this.line(at);
    if (this.chart) this.update();
  }

  /** A fact in words. */
  line(at) {
    return safe(`${this.when(at)} · ${t(`timeline.kind.${this.facts.kind(at)}`)} · ${this.facts.label(at)}`);
  }

  when(at) {
    const { told } = this.facts;
    const [from, to] = [told.when[at], told.until[at]];
    if (to === undefined) return from;
    return to === "" ? t("timeline.since", { when: from }) : t("timeline.from_to", { from, to });
  }

  // The list.

  toggle() {
    this.listed = !this.listed;
    this.update();
    if (!this.listed) this.chart.filtered();
  }

  get pages() {
    return Math.max(1, Math.ceil(this.facts.shown.length / PAGE));
  }

  /** A page of the list, the newest first. */
  list() {
    const { page, pages } = this;
    const { shown } = this.facts;
    const end = shown.length - page * PAGE;
    const rows = [...shown.slice(Math.max(0, end - PAGE), end)].reverse();
    return html`<div class="timeline-list">
      <div class="timeline-pager" role="group" aria-label=${t("timeline.pages")}>
        <button type="button" class="plain" ?disabled=${page === 0} @click=${(event) => this.turn(-1, event)}>${t("timeline.newer")}</button>
        <span role="status">${t("timeline.page", { page: number(page + 1), pages: number(pages) })}</span>
        <button type="button" class="plain" ?disabled=${page >= pages - 1} @click=${(event) => this.turn(1, event)}>${t("timeline.older")}</button>
      </div>
      <div class="evidence-scroll" tabindex="0" role="region" aria-label=${t("timeline.list")}><table>
        <caption class="unseen">${t("timeline.list")}</caption>
        <thead><tr><th scope="col">${t("timeline.when")}</th><th scope="col">${t("timeline.what")}</th><th scope="col">${t("timeline.which")}</th></tr></thead>
        <tbody>${rows.map((at) => this.row(at))}</tbody>
      </table></div>
    </div>`;
  }

  /** To another page; a button that leads no further gives the focus to the other one. */
  turn(by, { currentTarget: pressed }) {
    this.page += by;
    this.update();
    if (pressed.disabled) pressed.parentElement.querySelector("button:not(:disabled)")?.focus();
  }

  row(at) {
    return html`<tr>
      <td class="timeline-date">${this.when(at)}</td>
      <th scope="row"><button type="button" class="link" @click=${() => this.pick(at)}>${quoted(this.facts.label(at))}</button></th>
      <td class="muted">${t(`timeline.kind.${this.facts.kind(at)}`)}</td>
    </tr>`;
  }
}

function escaped(event) {
  const { currentTarget: details } = event;
  if (event.key !== "Escape" || !details.open) return;
  event.preventDefault();
  details.open = false;
  details.querySelector("summary").focus();
}

function left({ currentTarget: details, relatedTarget }) {
  if (!details.contains(relatedTarget)) details.open = false;
}
