// Elements made by hand: what comes from a chart is only ever text, and never markup, style or script.

const HOSTILE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu;
const HARMLESS = new Set(["\n", "\t", "\r", "\u00ad", "\u200c", "\u200d"]);

/** An element with attributes (listeners as `onclick`, nothing for null and false) and children, strings as text. */
export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/**
 * Text of a chart as it may be shown: characters that turn the direction of writing or cannot be seen become a box.
 * It keeps its length in UTF-16 units, so that places in it stay where they are.
 */
export function safe(text) {
  return String(text).replace(HOSTILE, (found) => (HARMLESS.has(found) ? found : "\u25a1".repeat(found.length)));
}

/** A piece of chart text that keeps its direction of writing to itself. */
export const quoted = (text) => el("bdi", {}, safe(text));

/** A button; `pressed` for one that stays down. */
export function button(text, onclick, { pressed = null, label = null, kind = "plain" } = {}) {
  const state = pressed === null ? null : String(pressed);
  return el("button", { type: "button", class: kind, onclick, "aria-pressed": state, "aria-label": label }, text);
}

/** Whether a text could be put on the clipboard: browsers allow it where the page came by HTTPS or from this machine. */
export async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** A colour of the page as a canvas understands it: what `light-dark()` makes of it at the moment. */
export function colours(near, names) {
  const probe = near.appendChild(el("span", { hidden: true }));
  const found = {};
  for (const name of names) {
    probe.style.color = `var(--${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

/** Calls back when the colours of the page change. Gives what ends it. */
export function onTheme(changed) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const watch = new MutationObserver(changed);
  watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "class"] });
  dark.addEventListener("change", changed);
  return () => {
    watch.disconnect();
    dark.removeEventListener("change", changed);
  };
}

/** Calls back once the element is in the page: only then it has a size and colours. */
export function whenShown(element, ready, frames = 600) {
  if (element.isConnected) ready();
  else if (frames) requestAnimationFrame(() => whenShown(element, ready, frames - 1));
}

/** Calls back with the width when it changes, until the element is gone. */
export function onWidth(element, changed) {
  const watch = new ResizeObserver(([entry]) => {
    if (!element.isConnected) watch.disconnect();
    else if (entry.contentRect.width > 0) changed(entry.contentRect.width);
  });
  watch.observe(element);
}
