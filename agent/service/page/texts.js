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

/** A moment as the reader's own calendar and clock have it. */
export function moment(iso) {
  const time = new Date(iso);
  const today = time.toDateString() === new Date().toDateString();
  const shape = today ? { timeStyle: "short" } : { dateStyle: "medium" };
  return new Intl.DateTimeFormat(language, shape).format(time);
}

export const now = () => new Intl.DateTimeFormat(language, { dateStyle: "long", timeStyle: "short" }).format(new Date());
