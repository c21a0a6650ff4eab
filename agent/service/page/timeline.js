// The timeline of a chart: drawn, filtered by kind and words, and as a list.

import { call } from "./api.js";
import { button, el, quoted, safe } from "./dom.js";
import { t, tn, number } from "./texts.js";
import { Chart } from "./timeline_chart.js";
import { Facts } from "./timeline_facts.js";

const PAGE = 50;
const TOUCH = matchMedia("(pointer: coarse)");

/** Show the timeline of a patient's chart. `onPick` is told the reference of a fact that is opened. */
export async function showTimeline(container, { patient, asOf, onPick }) {
  container.classList.add("timeline");
  const query = new URLSearchParams(asOf ? { as_of: asOf } : {});
  const told = await call(`v1/patients/${encodeURIComponent(patient)}/timeline?${query}`);
  const view = new View(container, new Facts(told), onPick);
  view.show();
  performance.mark("timeline-usable");
  container.dataset.ready = "true";
}

class View {
  constructor(container, facts, onPick) {
    Object.assign(this, { container, facts, onPick });
    this.hidden = new Set();
    this.told = el("output", { class: "timeline-told", "aria-live": "polite" });
    this.count = el("p", { class: "timeline-count", role: "status" });
    this.chart = new Chart(facts, { tell: (at, words) => this.tell(at, words), pick: (at) => this.pick(at) });
    this.drawn = el("div", { class: "timeline-drawn" }, this.chart.canvas);
    this.list = el("div", { class: "timeline-list", hidden: true });
    this.page = 0;
  }

  show() {
    this.container.replaceChildren(...[this.tools(), this.told, this.drawn, this.list, ...this.rest()].filter(Boolean));
    this.counted();
    this.tell(null);
    if (this.facts.count) this.chart.start();
    else this.container.replaceChildren(el("p", { class: "muted" }, t("timeline.empty")), ...this.rest().filter(Boolean));
  }

  tools() {
    const words = el("input", { type: "search", autocomplete: "off", "aria-label": t("timeline.words"), placeholder: t("timeline.words") });
    words.addEventListener("input", () => {
      this.words = words.value;
      this.filter();
    });
    this.words = "";
    const list = button(t("timeline.list"), () => this.toggle(list), { pressed: false });
    const zooms = [
      button("+", () => this.chart.zoom(1.5), { label: t("timeline.in") }),
      button("−", () => this.chart.zoom(1 / 1.5), { label: t("timeline.out") }),
      button(t("timeline.fit"), () => this.chart.fit()),
    ];
    this.zooms = el("span", { class: "timeline-zooms" }, zooms);
    return el("div", { class: "timeline-tools", role: "group", "aria-label": t("timeline.tools") }, words, this.kinds(), this.zooms, list, this.count);
  }

  /** Which kinds are shown: folded away, since there are up to seventeen. */
  kinds() {
    const counts = this.facts.counts();
    const summary = el("summary", { class: "plain" });
    const boxes = this.facts.lanes.map(({ kind }) => el("input", { type: "checkbox", name: kind, checked: true }));
    const rows = this.facts.lanes.map(({ kind, number: lane }, at) =>
      el("label", {}, boxes[at], el("span", {}, t(`timeline.kind.${kind}`)), el("span", { class: "muted" }, number(counts[lane]))),
    );
    const changed = () => {
      this.hidden = new Set(boxes.filter((box) => !box.checked).map((box) => box.name));
      const shown = boxes.length - this.hidden.size;
      summary.textContent = this.hidden.size ? t("timeline.kinds.some", { shown: number(shown), all: number(boxes.length) }) : t("timeline.kinds.all");
      if (this.container.childElementCount) this.filter();
    };
    const every = (checked) => () => {
      for (const box of boxes) box.checked = checked;
      changed();
    };
    const both = el("p", {}, button(t("timeline.kinds.all"), every(true)), button(t("timeline.kinds.none"), every(false)));
    const panel = el("div", { class: "timeline-choice", role: "group", "aria-label": t("timeline.kinds"), tabindex: "-1", onchange: changed }, both, rows);
    changed();
    return folding(el("details", { class: "timeline-kinds" }, summary, panel));
  }

  /** What is not on the timeline, and what could not be read. */
  rest() {
    const { left_out: left, unread } = this.facts.told;
    const parts = Object.entries(left).map(([why, count]) => t("timeline.left.one", { count: number(count), why: t(`timeline.left.${why}`) }));
    const failed = unread.map((one) => el("li", {}, quoted(t("timeline.unread.one", { query: one.query, why: one.error ?? "" }))));
    return [
      parts.length ? el("p", { class: "muted small" }, t("timeline.left", { parts: parts.join(", ") })) : null,
      failed.length ? el("div", { class: "evidence-notice", role: "alert" }, el("p", {}, t("timeline.unread")), el("ul", {}, failed)) : null,
    ];
  }

  filter() {
    this.facts.filter(this.hidden, this.words);
    this.page = 0;
    this.counted();
    if (!this.list.hidden) this.tellPage();
    else this.chart.filtered();
  }

  counted() {
    const [shown, all] = [this.facts.shown.length, this.facts.count];
    this.count.textContent = shown === all ? tn("timeline.facts", all) : t("timeline.some", { shown: number(shown), facts: tn("timeline.facts", all) });
  }

  tell(at, words = null) {
    this.told.textContent = at === null || at < 0 ? (words ?? t(TOUCH.matches ? "timeline.hint.touch" : "timeline.hint")) : this.line(at);
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

  pick(at) {
    this.onPick?.(this.facts.told.reference[at]);
  }

  // The list.

  toggle(pressed) {
    this.list.hidden = !this.list.hidden;
    const listed = !this.list.hidden;
    this.drawn.hidden = this.told.hidden = this.zooms.hidden = listed;
    pressed.setAttribute("aria-pressed", String(listed));
    if (listed) this.tellPage();
    else this.chart.filtered();
  }

  /** A page of the list, the newest first. */
  tellPage() {
    const { shown } = this.facts;
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    this.page = Math.min(Math.max(0, this.page), pages - 1);
    const end = shown.length - this.page * PAGE;
    const rows = [...shown.slice(Math.max(0, end - PAGE), end)].reverse().map((at) => this.rowOf(at));
    const heads = ["timeline.when", "timeline.what"].map((key) => el("th", { scope: "col" }, t(key)));
    const table = el("table", {}, el("caption", { class: "unseen" }, t("timeline.list")), el("thead", {}, el("tr", {}, heads)), el("tbody", {}, rows));
    this.list.replaceChildren(this.pager(pages), el("div", { class: "evidence-scroll", tabindex: "0", role: "region", "aria-label": t("timeline.list") }, table));
  }

  pager(pages) {
    const go = (by, name) => () => {
      this.page += by;
      this.tellPage();
      const again = this.list.querySelector(`[data-go="${name}"]`);
      (again.disabled ? this.list.querySelector("[data-go]:not(:disabled)") : again)?.focus();
    };
    const [newer, older] = [button(t("timeline.newer"), go(-1, "newer")), button(t("timeline.older"), go(1, "older"))];
    newer.dataset.go = "newer";
    older.dataset.go = "older";
    newer.disabled = this.page === 0;
    older.disabled = this.page >= pages - 1;
    const where = el("span", { role: "status" }, t("timeline.page", { page: number(this.page + 1), pages: number(pages) }));
    return el("div", { class: "timeline-pager", role: "group", "aria-label": t("timeline.pages") }, newer, where, older);
  }

  rowOf(at) {
    const label = button(quoted(this.facts.label(at)), () => this.pick(at), { kind: "link" });
    const kind = el("span", { class: "muted" }, t(`timeline.kind.${this.facts.kind(at)}`));
    return el("tr", {}, el("td", { class: "timeline-date" }, this.when(at)), el("th", { scope: "row" }, label, kind));
  }
}

/** A `details` that lies over the page: it closes by Escape, and when the focus leaves it. */
function folding(details) {
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    event.preventDefault();
    details.open = false;
    details.firstChild.focus();
  });
  details.addEventListener("focusout", ({ relatedTarget }) => {
    if (!details.contains(relatedTarget)) details.open = false;
  });
  return details;
}
