// What a citation rests on: the resource in words, the cited element, its course, its text, its images, and as it is.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { call } from "./api.js";
import { imageView } from "./image.js";
import { announce } from "./live.js";
import { noteView } from "./note.js";
import { plotViews } from "./plot.js";
import { rawView } from "./raw.js";
import { quoted, safe } from "./safe.js";
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
    const step = { shown: [...this.container.childNodes], focused: document.activeElement };
    try {
      this.behind.push(step);
      await this.resource({ reference: link, path: "" });
    } catch (error) {
      this.behind.pop();
      unreachable(step.focused, error.message || t("evidence.failed"));
      return;
    }
    this.container.querySelector("button").focus();
  }

  back() {
    const { shown, focused } = this.behind.pop();
    this.container.replaceChildren(...shown);
    focused?.focus?.();
  }

  /** Made apart from the container, since what it replaces may come back as it is now. */
  show(view) {
    const back = html`<p><button type="button" class="plain" @click=${() => this.back()}>${t("evidence.back")}</button></p>`;
    const made = document.createDocumentFragment();
    render(html`${this.behind.length ? back : nothing}${view}`, made);
    this.container.replaceChildren(made);
  }

  get(path, more) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...this.asked, ...more })) {
      for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== undefined) query.append(name, one);
    }
    return call(`${path}?${query}`);
  }
}

/** Why what was pressed leads nowhere, beside it. */
function unreachable(pressed, why) {
  const beside = pressed?.closest("td, li, figure")?.querySelector(".unreachable");
  if (beside) beside.textContent = ` ${why}`;
  announce(why);
}

const isElement = (path) => /^[A-Z][A-Za-z]+\./.test(path ?? "");

/** `Type/id` as it is; what names its server as one step of the path. */
const encoded = (reference) => (reference.includes("://") ? encodeURIComponent(reference) : reference);

/** What a link leads to; why not, where it cannot be read. */
const linkView = (text, link, follow) => html`<button type="button" class="link" @click=${() => follow(link)}>${quoted(text)}</button><span class="unreachable"></span>`;

// A resource.

function resourceView(found, { span, readings, follow }) {
  // A picture holds no text to be read, and is shown itself.
  const note = found.note && (found.note.text || !found.images.length);
  return html`${headingView(found.title, found.lines, [found.reference, found.version && t("evidence.version", { version: found.version })])}
    ${found.edition === "current" ? nothing : editionView(found)}
    ${found.element && !span ? html`<blockquote class="evidence-cited">${unseenCited()}${quoted(found.element.text)}</blockquote>` : nothing}
    ${note ? noteView(found.note, span ? [span] : []) : nothing}
    ${found.images.map((image) => imageView(image, boxesOf(image, found.images, readings)))}
    ${plotViews(found.series, { own: found.reference, onPick: follow })}
    ${rowsView(found, follow)}${rawView(found)}`;
}

/** What is marked by its colour, for those who hear it. */
const unseenCited = () => html`<span class="unseen">${t("evidence.cited")}</span>`;

/** Readings of the image; where a resource holds several images, those of the first. */
const boxesOf = (image, all, readings) => (image === all[0] ? readings : []);

const headingView = (title, [first, ...lines], where) => html`<div class="evidence-head">
  <h3>${quoted(title)}</h3>
  ${first ? html`<p>${quoted(first)}</p>` : nothing}
  ${lines.length ? html`<ul class="evidence-lines">${lines.map((line) => html`<li>${quoted(line)}</li>`)}</ul>` : nothing}
  <p class="evidence-where">${quoted(where.filter(Boolean).join(" · "))}</p>
</div>`;

const editionView = ({ edition, version, current_version: current }) => html`<p class="evidence-notice">${t(`evidence.edition.${edition}`, { version: version ?? "?", current: current ?? "?" })}</p>`;

const rowsView = ({ rows, note, images }, follow) => html`<details class="evidence-rows" ?open=${!note && !images.length}>
  <summary>${t("evidence.rows")}</summary>
  <div class="evidence-scroll"><table>
    <caption class="unseen">${t("evidence.rows")}</caption>
    <tbody>${rows.map((row) => rowView(row, follow))}</tbody>
  </table></div>
</details>`;

const rowView = ({ label, value, link, cited }, follow) => html`<tr class=${cited ? "cited" : nothing}>
  <th scope="row">${safe(label)}</th>
  <td>${cited ? unseenCited() : nothing}${link && !link.startsWith("#") ? linkView(value, link, follow) : quoted(value)}</td>
</tr>`;

// A computation.

function computationView({ inputs, path, excerpt }, first, { lines, follow }) {
  const series = first?.series.slice(0, 1) ?? [];
  const known = new Map(series.flatMap(({ points }) => points.map((point) => [point.reference, `${point.when} ${point.text}`])));
  const why = t("evidence.computed.why", { operation: path.replaceAll("_", " ") });
  return html`${headingView(t("evidence.computed"), [excerpt], [why])}
    ${plotViews(series, { cited: new Set(inputs), onPick: follow })}
    <h4>${tn("evidence.inputs", inputs.length)}</h4>
    <chart-inputs .inputs=${inputs} .known=${known} .lines=${lines} .follow=${follow}></chart-inputs>`;
}

/** What was computed with, a page at a time; of what is not known yet, `lines` are asked for. */
class Inputs extends HTMLElement {
  told = 0;

  connectedCallback() {
    if (!this.told) this.more();
  }

  async more() {
    const next = this.inputs.slice(this.told, this.told + PAGE);
    this.told += next.length;
    const unknown = next.filter((one) => !this.known.has(one));
    const { items } = unknown.length ? await this.lines(unknown).catch((error) => failed(unknown, error)) : { items: [] };
    for (const { reference, error, lines, title } of items) this.known.set(reference, error ?? lines[0] ?? title);
    this.update();
  }

  update() {
    const { inputs, told, known, follow } = this;
    const left = inputs.length - told;
    render(
      html`<ol class="evidence-inputs">${inputs.slice(0, told).map((one) => html`<li>${linkView(known.get(one) ?? one, one, follow)}</li>`)}</ol>
        ${left ? html`<button type="button" class="plain" @click=${() => this.more()}>${tn("evidence.inputs.more", left)}</button>` : nothing}`,
      this,
    );
  }
}

customElements.define("chart-inputs", Inputs);

const failed = (references, error) => ({ items: references.map((reference) => ({ reference, error: error.message, lines: [] })) });
