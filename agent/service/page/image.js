// An image frame by frame: zoomed, moved, and with what a model read from it drawn as boxes that say so.

import { button, el, quoted, safe } from "./dom.js";
import { t } from "./texts.js";

const STEP = 1.25;
const MOST = 16; // times the size at which the whole fits
const KEPT = 24; // frames kept for turning pages

/** The image. `readings` are what a model read from it, with `region` in pixels of the stored image and `frame`. */
export function showImage(image, readings = []) {
  const viewer = new Viewer(image, readings);
  viewer.view.shown = () => viewer.go(readings.find((one) => one.frame)?.frame ?? 1);
  return viewer.view;
}

class Viewer {
  constructor(image, readings) {
    this.image = image;
    this.readings = readings;
    this.frame = 0;
    this.of = image.frames ?? 0;
    this.scale = 1;
    this.x = this.y = 0;
    this.kept = new Map();
    this.touches = new Map();
    this.picture = el("img", { draggable: "false", alt: "" });
    this.boxes = el("div", { class: "image-boxes", "aria-hidden": "true" });
    this.status = el("p", { class: "image-status", role: "status" }, t("evidence.image.loading"));
    this.stage = el("div", { class: "image-stage", tabindex: "0", role: "group", "aria-label": t("evidence.image.stage") }, this.picture, this.boxes);
    this.told = el("span", { class: "image-caption" });
    this.pages = el("div", { class: "image-pages", hidden: true });
    this.view = el("figure", { class: "image" }, this.tools(), this.stage, this.pages, el("figcaption", {}, this.told), this.status, this.list());
    this.listen();
  }

  tools() {
    const zoom = (by) => () => this.zoom(by);
    return el(
      "div",
      { class: "image-tools", role: "group", "aria-label": t("evidence.image.tools") },
      button("+", zoom(STEP), { label: t("evidence.image.in") }),
      button("−", zoom(1 / STEP), { label: t("evidence.image.out") }),
      button(t("evidence.image.fit"), () => this.fit()),
      button(t("evidence.image.actual"), () => this.actual()),
    );
  }

  /** What was read, in words: boxes are drawn, and nobody has to see them. */
  list() {
    if (!this.readings.length) return null;
    const rows = this.readings.map((one, at) => {
      const where = one.frame && this.readings.some((other) => other.frame !== one.frame) ? ` (${t("evidence.image.frame", { number: one.frame })})` : "";
      const words = [el("span", { class: "image-number" }, one.region ? `${at + 1} ` : ""), quoted(one.text), where];
      return el("li", {}, one.region ? button(el("span", {}, ...words), () => this.showBox(one), { kind: "link" }) : el("span", {}, ...words));
    });
    const by = [...new Set(this.readings.map((one) => one.model))].join(", ");
    return el("div", { class: "image-readings" }, el("p", { class: "image-unchecked" }, safe(t("evidence.image.unchecked", { model: by }))), el("ol", {}, rows));
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
      this.view.classList.add("image-failed");
      this.status.textContent = safe(t("evidence.image.failed", { why: error.message }));
    }
  }

  async brought(number, signal) {
    if (!this.kept.has(number)) {
      const response = await fetch(this.image.href.replace(/^\//, "").replace("{n}", number), { signal, cache: "no-store" });
      if (!response.ok) throw new Error((await response.json().catch(() => ({}))).detail ?? t("evidence.failed"));
      this.keep(number, told(response.headers, URL.createObjectURL(await response.blob())));
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
    this.shown = shown;
    this.picture.src = shown.url;
    await this.picture.decode();
    this.of = shown.of || this.of || 1;
    this.picture.alt = safe(t("evidence.image.alt", { caption: shown.caption || this.image.title, number: this.frame, of: this.of }));
    const caption = [this.image.title, shown.caption, `${shown.source[0]} × ${shown.source[1]}`];
    this.told.textContent = safe(caption.filter(Boolean).join(" · "));
    this.status.textContent = safe(shown.warning);
    this.turner();
    this.drawBoxes();
    if (first) this.fit();
    else this.place();
    this.view.dataset.ready = String(this.frame);
  }

  turner() {
    if (this.of < 2) return;
    if (!this.slider) {
      this.slider = el("input", { type: "range", min: "1", "aria-label": t("evidence.image.pages"), oninput: () => this.go(Number(this.slider.value)) });
      this.page = el("output", {});
      const step = (by) => () => this.go(Math.min(this.of, Math.max(1, this.frame + by)));
      this.pages.append(button("‹", step(-1), { label: t("evidence.image.before") }), this.slider, button("›", step(1), { label: t("evidence.image.next") }), this.page);
      this.pages.hidden = false;
    }
    this.slider.max = String(this.of);
    this.slider.value = String(this.frame);
    this.slider.setAttribute("aria-valuetext", t("evidence.image.page", { number: this.frame, of: this.of }));
    this.page.textContent = t("evidence.image.page", { number: this.frame, of: this.of });
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

  drawBoxes() {
    const own = this.readings.map((one, at) => [one, at + 1]).filter(([one]) => one.region && (one.frame ?? 1) === this.frame);
    this.boxes.replaceChildren(
      ...own.map(([one, number]) => {
        const box = el("div", { class: "image-box" }, el("span", { class: "image-label" }, `${number} `, quoted(one.text)));
        box.region = this.inPicture(one.region);
        return box;
      }),
    );
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

  listen() {
    const { stage } = this;
    stage.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    stage.addEventListener("keydown", (event) => this.key(event));
    stage.addEventListener("pointerdown", (event) => this.touch(event));
    stage.addEventListener("pointermove", (event) => this.drag(event));
    for (const name of ["pointerup", "pointercancel"]) stage.addEventListener(name, (event) => this.touches.delete(event.pointerId));
    stage.addEventListener("dblclick", (event) => this.zoom(2, this.at(event)));
    new ResizeObserver(() => this.shown && this.place()).observe(stage);
  }

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

const away = (one, other) => Math.hypot(one[0] - other[0], one[1] - other[1]);

/** What the answer says of a frame beside its pixels. */
function told(headers, url) {
  const numbers = (name) => (headers.get(name) ?? "").split(" ").map(Number);
  const words = (name) => decodeURIComponent(headers.get(name) ?? "");
  return {
    url,
    of: Number(headers.get("X-Frames")),
    source: numbers("X-Source"),
    region: numbers("X-Region"),
    caption: words("X-Caption"),
    warning: words("X-Warning"),
  };
}
