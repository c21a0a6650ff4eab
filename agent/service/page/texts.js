// Every word that a reader sees, by its key; the server chooses the language.

let texts = {};
let language = "en";

export async function loadTexts() {
  const response = await fetch("assets/texts.json");
  if (!response.ok) throw new Error(`assets/texts.json: ${response.status}`);
  ({ texts, language } = await response.json());
}

/** The text of a key, with {name} replaced by the value of that name. */
export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The text for a number of things: `key.one`, `key.other` and what else the language tells apart. */
export function tn(key, count, values = {}) {
  const form = `${key}.${new Intl.PluralRules(language).select(count)}`;
  return t(form in texts ? form : `${key}.other`, { count: number(count), ...values });
}

export const number = (value) => new Intl.NumberFormat(language).format(value);

/** A moment as the reader's own clock has it; the day where it was another. */
export function moment(iso) {
  const time = new Date(iso);
  const today = time.toDateString() === new Date().toDateString();
  return today ? clock(time) : day(time);
}

export function now() {
  const time = new Date();
  return `${day(time)}, ${clock(time)}`;
}

/** As hospitals write it, and as charts do. */
const clock = (time) => new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(time);

/** The day in the reader's own time zone, as ISO 8601 writes it: so do charts. */
const day = (time) => [time.getFullYear(), time.getMonth() + 1, time.getDate()].map((part) => String(part).padStart(2, "0")).join("-");
