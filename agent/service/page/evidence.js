// What a citation rests on: the resource in words, the cited element, its course, its text, its images, and as it is.

import { call } from "./api.js";
import { button, el, quoted, safe } from "./dom.js";
import { showImage } from "./image.js";
import { showNote } from "./note.js";
import { showPlots } from "./plot.js";
import { rawView } from "./raw.js";
import { t, tn } from "./texts.js";

const PAGE = 20; // inputs of a computation told at once

/**
 * Show what a citation points at. `readings` are those of the answer: what a model read from the image is drawn on it.
 * Rejects with what `call` rejects with where the resource itself cannot be had.
 */
export async function showEvidence(container, { patient, asOf, citation, readings = [] }) {
  container.classList.add("evidence");
  const place = new Place(container, { patient, as_of: asOf });
  if (citation.reference) await place.resource(citation, readings.filter((one) => one.image === citation.mark));
  else await place.computation(citation);
}

/** The evidence of one resource by its reference, as a timeline picks it. */
export async function showResource(container, { patient, asOf, reference }) {
  await showEvidence(container, { patient, asOf, citation: { mark: "", reference, path: "", inputs: [] } });
}

/** Where evidence is shown: it follows references and comes back. */
class Place {
  constructor(container, asked) {
    this.container = container;
    this.asked = asked;
    this.behind = [];
  }

  async resource(citation, readings = []) {
    const { reference, path, version, span } = citation;
    const found = await this.get(`v1/evidence/${encoded(reference)}`, { path: isElement(path) ? path : null, version });
    this.show(resourceView(found, { span, readings, follow: (link) => this.follow(link) }));
  }

  async computation(citation) {
    const first = citation.inputs[0];
    const found = first ? await this.get(`v1/evidence/${encoded(first)}`, {}) : null;
    const lines = (references) => this.get("v1/evidence", { reference: references });
    this.show(computationView(citation, found, { lines, follow: (link) => this.follow(link) }));
  }

  async follow(link) {
    const before = [...this.container.childNodes];
    const focused = document.activeElement;
    try {
      this.behind.push({ before, focused });
      await this.resource({ reference: link, path: "" });
    } catch (error) {
      this.behind.pop();
      tell(focused, error.message || t("evidence.failed"));
      return;
    }
    this.container.prepend(button(t("evidence.back"), () => this.back()));
    this.container.firstChild.focus();
  }

  back() {
    const { before, focused } = this.behind.pop();
    this.container.replaceChildren(...before);
    focused?.focus?.();
  }

  show(parts) {
    this.container.replaceChildren(...parts.filter(Boolean));
    for (const part of parts) part?.shown?.();
  }

  get(path, more) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...this.asked, ...more })) {
      for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== undefined) query.append(name, one);
    }
    return call(`${path}?${query}`);
  }
}

const isElement = (path) => /^[A-Z][A-Za-z]+\./.test(path ?? "");

/** `Type/id` as it is; what names its server as one step of the path. */
const encoded = (reference) => (reference.includes("://") ? encodeURIComponent(reference) : reference);

function tell(near, text) {
  near?.parentElement?.querySelector(".unreachable")?.remove();
  near?.after(el("span", { class: "unreachable", role: "status" }, ` ${text}`));
}

// A resource.

function resourceView(found, { span, readings, follow }) {
  const note = found.note && showNote(found.note, span ? [span] : []);
  const plots = showPlots(found.series, { onPick: follow });
  const images = found.images.map((image) => showImage(image, boxesOf(image, found.images, readings)));
  return [
    heading(found),
    edition(found),
    span ? null : cited(found),
    note,
    ...images,
    ...plots,
    rowsView(found, follow),
    rawView(found),
  ];
}

/** Readings of the image; where a resource holds several images, those of the first. */
const boxesOf = (image, all, readings) => (image === all[0] ? readings : []);

function heading(found) {
  const where = [found.reference, found.version && t("evidence.version", { version: found.version })];
  return el(
    "header",
    { class: "evidence-head" },
    el("h3", {}, quoted(found.title)),
    found.lines.length ? el("p", {}, quoted(found.lines[0])) : null,
    found.lines.length > 1 ? el("ul", { class: "evidence-lines" }, found.lines.slice(1).map((line) => el("li", {}, quoted(line)))) : null,
    el("p", { class: "evidence-where" }, quoted(where.filter(Boolean).join(" · "))),
  );
}

function edition(found) {
  if (found.edition === "current") return null;
  const words = t(`evidence.edition.${found.edition}`, { version: found.version ?? "?", current: found.current_version ?? "?" });
  return el("p", { class: "evidence-notice" }, words);
}

function cited(found) {
  if (!found.element) return null;
  return el("blockquote", { class: "evidence-cited" }, el("span", { class: "unseen" }, t("evidence.cited")), quoted(found.element.text));
}

function rowsView(found, follow) {
  const rows = found.rows.map((row) =>
    el(
      "tr",
      { class: row.cited ? "cited" : null },
      el("th", { scope: "row" }, safe(row.label)),
      el("td", {}, row.cited ? el("span", { class: "unseen" }, t("evidence.cited")) : null, valueView(row, follow)),
    ),
  );
  const open = !found.note && !found.images.length;
  return el(
    "details",
    { class: "evidence-rows", open },
    el("summary", {}, t("evidence.rows")),
    el("div", { class: "evidence-scroll" }, el("table", {}, el("caption", { class: "unseen" }, t("evidence.rows")), el("tbody", {}, rows))),
  );
}

function valueView(row, follow) {
  if (!row.link || row.link.startsWith("#")) return quoted(row.value);
  return button(quoted(row.value), () => follow(row.link), { kind: "link" });
}

// A computation.

function computationView(citation, first, { lines, follow }) {
  const inputs = citation.inputs;
  const plots = first ? showPlots(first.series.slice(0, 1), { cited: new Set(inputs), onPick: follow }) : [];
  const list = el("ol", { class: "evidence-inputs" });
  const more = button("", () => tellMore());
  let told = 0;
  const known = new Map((first?.series[0]?.points ?? []).map((point) => [point.reference, `${point.when} ${point.text}`]));
  async function tellMore() {
    const next = inputs.slice(told, told + PAGE);
    told += next.length;
    const unknown = next.filter((one) => !known.has(one));
    const read = unknown.length ? await lines(unknown).catch((error) => failed(unknown, error)) : { items: [] };
    for (const item of read.items) known.set(item.reference, item.error ?? item.lines[0] ?? item.title);
    list.append(...next.map((one) => el("li", {}, button(quoted(known.get(one) ?? one), () => follow(one), { kind: "link" }))));
    more.hidden = told >= inputs.length;
    more.textContent = tn("evidence.inputs.more", inputs.length - told);
  }
  tellMore();
  return [
    el(
      "header",
      { class: "evidence-head" },
      el("h3", {}, t("evidence.computed")),
      el("p", {}, quoted(citation.excerpt)),
      el("p", { class: "evidence-where" }, t("evidence.computed.why", { operation: operation(citation.path) })),
    ),
    ...plots,
    el("h4", {}, tn("evidence.inputs", inputs.length)),
    list,
    more,
  ];
}

const failed = (references, error) => ({ items: references.map((reference) => ({ reference, error: error.message, lines: [] })) });

const operation = (name) => safe(name).replaceAll("_", " ");
