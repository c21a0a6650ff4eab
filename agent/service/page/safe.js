// Text of a chart as it may be shown: it is only ever text, and never markup, style or script.

import { html } from "./vendor/lit-html/lit-html.js";

const HOSTILE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}]/gu;
const HARMLESS = new Set(["\n", "\t", "\r", "\u00ad", "\u200c", "\u200d"]);

/**
 * Characters that turn the direction of writing or cannot be seen become a box.
 * It keeps its length in UTF-16 units, so that places in it stay where they are.
 */
export function safe(text) {
  return String(text).replace(HOSTILE, (found) => (HARMLESS.has(found) ? found : "\u25a1".repeat(found.length)));
}

/** A piece of chart text that keeps its direction of writing to itself. */
export const quoted = (text) => html`<bdi>${safe(text)}</bdi>`;
