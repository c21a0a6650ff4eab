// An image frame by frame: zoomed, moved, and with what a model read from it drawn as boxes that say so.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { quoted, safe } from "./safe.js";
import { t } from "./texts.js";

const STEP = 1.25;
const MOST = 16; // times the size at which the whole fits
const KEPT = 24; // frames kept for turning pages

/** The image. `readings` are what a model read from it, with `region` in pixels of the stored image and `frame`. */
export const imageView = (image, readings = []) => html`<chart-image .image=${image} .readings=${readings}></chart-image>`;

class Viewer extends HTMLElement {
  connectedCallback() {
    if (this.stage) return; // it comes back as it was left
    this.of = this.image.frames ?? 0;
    this.scale = 1;
    this.x = this.y = 0;
    this.kept = new Map();
    this.touches = new Map();
    this.status = t("evidence.image.loading");
    this.update();
    this.stage = this.querySelector(".image-stage");
    this.picture = this.querySelector("img");
    this.boxes = this.querySelector(".image-boxes");
    new ResizeObserver(() => this.shown && this.place()).observe(this.stage);
    this.go(this.readings.find((one) => one.frame)?.frame ?? 1);
  }

  update() {
    const { shown, failed } = this;
    const caption = [this.image.title, shown?.caption, shown?.source.join(" × ")].filter(Boolean).join(" · ");
    const alt = shown ? t("evidence.image.alt", { caption: shown.caption || this.image.title, number: shown.number, of: this.of }) : "";
    render(
      html`<figure class=${failed ? "image image-failed" : "image"} data-ready=${shown?.number ?? nothing}>
        ${this.tools()}
        <div class="image-stage" tabindex="0" role="group" aria-label=${t("evidence.image.stage")}
          @keydown=${this.key} @wheel=${this.wheel} @dblclick=${(event) => this.zoom(2, this.at(event))}
          @pointerdown=${this.touch} @pointermove=${this.drag} @pointerup=${this.release} @pointercancel=${this.release}>
          <img draggable="false" alt=${safe(alt)}>
          <div class="image-boxes" aria-hidden="true">${shown ? this.drawnBoxes() : nothing}</div>
        </div>
        ${shown && this.of > 1 ? this.pages() : nothing}
        <figcaption class="image-caption">${shown ? safe(caption) : nothing}</figcaption>
        <p class="image-status" role="status">${safe(this.status)}</p>
        ${this.readings.length ? this.list() : nothing}
      </figure>`,
      this,
      { host: this },
    );
  }

  tools() {
    return html`<div class="image-tools" role="group" aria-label=${t("evidence.image.tools")}>
      <button type="button" class="plain" aria-label=${t("evidence.image.in")} @click=${() => this.zoom(STEP)}>+</button>
      <button type="button" class="plain" aria-label=${t("evidence.image.out")} @click=${() => this.zoom(1 / STEP)}>−</button>
      <button type="button" class="plain" @click=${() => this.fit()}>${t("evidence.image.fit")}</button>
      <button type="button" class="plain" @click=${() => this.actual()}>${t("evidence.image.actual")}</button>
    </div>`;
  }

  pages() {
    const { frame, of } = this;
    const page = t("evidence.image.page", { number: frame, of });
    return html`<div class="image-pages">
      <button type="button" class="plain" aria-label=${t("evidence.image.before")} @click=${() => this.go(Math.max(1, this.frame - 1))}>‹</button>
      <input type="range" min="1" max=${of} .value=${String(frame)} aria-label=${t("evidence.image.pages")} aria-valuetext=${page}
        @input=${(event) => this.go(Number(event.target.value))}>
      <button type="button" class="plain" aria-label=${t("evidence.image.next")} @click=${() => this.go(Math.min(of, this.frame + 1))}>›</button>
      <output>${page}</output>
    </div>`;
  }

  /** What was read, in words: boxes are drawn, and nobody has to see them. */
  list() {
    const { readings } = this;
    const several = new Set(readings.map((one) => one.frame)).size > 1;
    const model = [...new Set(readings.map((one) => one.model))].join(", ");
    const where = ({ frame }) => (several && frame ? ` (${t("evidence.image.frame", { number: frame })})` : "");
    const words = (one, at) => html`<span><span class="image-number">${one.region ? `${at + 1} ` : ""}</span>${quoted(one.text)}${where(one)}</span>`;
    const row = (one, at) => (one.region ? html`<button type="button" class="link" @click=${() => this.showBox(one)}>${words(one, at)}</button>` : words(one, at));
    return html`<div class="image-readings">
      <p class="image-unchecked">${safe(t("evidence.image.unchecked", { model }))}</p>
      <ol>${readings.map((one, at) => html`<li>${row(one, at)}</li>`)}</ol>
    </div>`;
  }

  // Frames.

  async go(number) {
    this.frame = number;
    this.turning?.abort();
    this.turning = new AbortController();
    try {
      const shown = await this.brought(number, this.turning.signal);
      if (number === this.frame) await this.show(shown);
    } catch (error) {
      if (error.name === "AbortError" || number !== this.frame) return;
      this.failed = true;
      this.status = t("evidence.image.failed", { why: error.message });
      this.update();
    }
  }

  async brought(number, signal) {
    if (!this.kept.has(number)) {
      const response = await fetch(this.image.href.replace(/^\//, "").replace("{n}", number), { signal, cache: "no-store" });
      if (!response.ok) throw new Error((await response.json().catch(() => ({}))).detail ?? t("evidence.failed"));
      this.keep(number, { number, ...told(response.headers), url: URL.createObjectURL(await response.blob()) });
    }
    return this.kept.get(number);
  }

  keep(number, shown) {
    this.kept.set(number, shown);
    if (this.kept.size <= KEPT) return;
    const [oldest, gone] = this.kept.entries().next().value;
    this.kept.delete(oldest);
    URL.revokeObjectURL(gone.url);
  }

  async show(shown) {
    const first = !this.shown;
    this.picture.src = shown.url;
    await this.picture.decode();
    this.shown = shown;
    this.of = shown.of || this.of || 1;
    this.status = shown.warning;
    this.update();
    if (first) this.fit();
    else this.place();
  }

  // Size and place.

  get natural() {
    return [this.picture.naturalWidth || 1, this.picture.naturalHeight || 1];
  }

  get whole() {
    const [width, height] = this.natural;
    return Math.min(this.stage.clientWidth / width, this.stage.clientHeight / height);
  }

  fit() {
    this.scale = this.whole;
    this.center();
  }

  actual() {
    this.scale = 1 / devicePixelRatio;
    this.center();
  }

  center() {
    const [width, height] = this.natural;
    this.x = (this.stage.clientWidth - width * this.scale) / 2;
    this.y = (this.stage.clientHeight - height * this.scale) / 2;
    this.place();
  }

  /** Larger or smaller round a point of the stage, its middle where none is given. */
  zoom(by, [x, y] = [this.stage.clientWidth / 2, this.stage.clientHeight / 2]) {
    const limited = Math.min(Math.max(this.scale * by, this.whole / 2), Math.max(this.whole * MOST, 4));
    const factor = limited / this.scale;
    this.x = x - (x - this.x) * factor;
    this.y = y - (y - this.y) * factor;
    this.scale = limited;
    this.place();
  }

  move(x, y) {
    this.x += x;
    this.y += y;
    this.place();
  }

  /** Put the picture and its boxes where they belong; some of it always stays in sight. */
  place() {
    const [width, height] = this.natural;
    const { clientWidth, clientHeight } = this.stage;
    this.x = Math.min(clientWidth - 40, Math.max(40 - width * this.scale, this.x));
    this.y = Math.min(clientHeight - 40, Math.max(40 - height * this.scale, this.y));
    this.picture.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.scale})`;
    this.picture.style.imageRendering = this.scale * devicePixelRatio > 2 ? "pixelated" : "auto";
    for (const box of this.boxes.children) {
      const [left, top, right, bottom] = box.region;
      box.style.transform = `translate(${this.x + left * this.scale}px, ${this.y + top * this.scale}px)`;
      box.style.width = `${(right - left) * this.scale}px`;
      box.style.height = `${(bottom - top) * this.scale}px`;
    }
  }

  // Boxes.

  drawnBoxes() {
    const own = this.readings.map((one, at) => [one, at + 1]).filter(([one]) => one.region && (one.frame ?? 1) === this.shown.number);
    return own.map(([one, number]) => html`<div class="image-box" .region=${this.inPicture(one.region)}><span class="image-label">${number} ${quoted(one.text)}</span></div>`);
  }

  /** A region of the stored image in pixels of the picture, which may be a smaller one of a part of it. */
  inPicture([left, top, right, bottom]) {
    const [width, height] = this.natural;
    const [x, y, far, low] = this.shown.region;
    const [across, along] = [width / (far - x), height / (low - y)];
    return [(left - x) * across, (top - y) * along, (right - x) * across, (bottom - y) * along];
  }

  async showBox(reading) {
    if ((reading.frame ?? 1) !== this.frame) await this.go(reading.frame ?? 1);
    const [left, top, right, bottom] = this.inPicture(reading.region);
    const room = Math.min(this.stage.clientWidth / (right - left), this.stage.clientHeight / (bottom - top)) / 2;
    this.scale = Math.min(Math.max(room, this.whole), this.whole * MOST);
    this.x = this.stage.clientWidth / 2 - ((left + right) / 2) * this.scale;
    this.y = this.stage.clientHeight / 2 - ((top + bottom) / 2) * this.scale;
    this.place();
  }

  // Hands.

  at(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  wheel(event) {
    event.preventDefault();
    this.zoom(STEP ** (-event.deltaY / 100), this.at(event));
  }

  key(event) {
    const keys = {
      "+": () => this.zoom(STEP),
      "=": () => this.zoom(STEP),
      "-": () => this.zoom(1 / STEP),
      0: () => this.fit(),
      1: () => this.actual(),
      ArrowLeft: () => this.move(40, 0),
      ArrowRight: () => this.move(-40, 0),
      ArrowUp: () => this.move(0, 40),
      ArrowDown: () => this.move(0, -40),
      PageUp: () => this.frame > 1 && this.go(this.frame - 1),
      PageDown: () => this.frame < this.of && this.go(this.frame + 1),
    };
    if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    keys[event.key]();
  }

  touch(event) {
    this.stage.setPointerCapture(event.pointerId);
    this.touches.set(event.pointerId, this.at(event));
  }

  release(event) {
    this.touches.delete(event.pointerId);
  }

  drag(event) {
    const before = this.touches.get(event.pointerId);
    if (!before) return;
    const now = this.at(event);
    const other = [...this.touches].find(([id]) => id !== event.pointerId)?.[1];
    this.touches.set(event.pointerId, now);
    if (!other) return this.move(now[0] - before[0], now[1] - before[1]);
    const middle = [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2];
    this.zoom(away(now, other) / Math.max(1, away(before, other)), middle);
  }
}

customElements.define("chart-image", Viewer);

const away = (one, other) => Math.hypot(one[0] - other[0], one[1] - other[1]);

/** What the answer says of a frame beside its pixels. */
function told(headers) {
  const numbers = (name) => (headers.get(name) ?? "").split(" ").map(Number);
  const words = (name) => decodeURIComponent(headers.get(name) ?? "");
  return {
    of: Number(headers.get("X-Frames")),
    source: numbers("X-Source"),
    region: numbers("X-Region"),
    caption: words("X-Caption"),
    warning: words("X-Warning"),
  };
}
