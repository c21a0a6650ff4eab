// A resource as it is: JSON that can be folded and copied.

import { button, el, safe, toClipboard } from "./dom.js";
import { t, tn } from "./texts.js";

const LONG = 2000; // characters of a string that are shown

/** The raw resource, folded away; it is made when it is opened. */
export function rawView({ resource, resource_complete: whole }) {
  const told = el("span", { role: "status", class: "raw-told" });
  const tree = el("div", { class: "raw", tabindex: "0", role: "region", "aria-label": t("evidence.raw") });
  const view = el(
    "details",
    { class: "evidence-raw" },
    el("summary", {}, t("evidence.raw")),
    el("p", { class: "raw-tools" }, button(t("evidence.raw.copy"), () => copy(resource, told)), told),
    whole ? null : el("p", { class: "evidence-notice" }, t("evidence.raw.cut")),
    tree,
  );
  view.addEventListener("toggle", () => tree.childElementCount || tree.append(branch(null, resource, true)));
  return view;
}

async function copy(resource, told) {
  told.textContent = (await toClipboard(JSON.stringify(resource, null, 2))) ? t("copy.done") : t("copy.failed");
}

function branch(name, value, open = false) {
  const key = name === null ? [] : [el("span", { class: "raw-key" }, safe(name)), ": "];
  if (value === null || typeof value !== "object") return el("div", { class: "raw-leaf" }, ...key, leaf(value));
  const entries = Object.entries(value);
  const what = Array.isArray(value) ? tn("evidence.raw.items", entries.length) : tn("evidence.raw.members", entries.length);
  const node = el("details", { open }, el("summary", {}, ...key, el("span", { class: "raw-size" }, what)));
  const fill = () => node.childElementCount > 1 || node.append(...entries.map(([k, v]) => branch(k, v, entries.length < 4)));
  if (open) fill();
  node.addEventListener("toggle", fill);
  return node;
}

function leaf(value) {
  const text = typeof value === "string" && value.length > LONG ? `${value.slice(0, LONG)}…` : value;
  return el("span", { class: `raw-${value === null ? "null" : typeof value}` }, safe(JSON.stringify(text)));
}
