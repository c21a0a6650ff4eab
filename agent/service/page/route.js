// Where the reader is: patient, conversation, job, view and day. It stands in the fragment alone, which no server is sent.

import { state } from "./store.js";

const VIEWS = ["questions", "timeline", "summaries", "trials", "contents"];

export function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const view = given.get("view");
  const day = given.get("as_of");
  return {
    patient: given.get("patient") || null,
    thread: given.get("thread") || null,
    job: given.get("job") || null,
    view: VIEWS.includes(view) ? view : "questions",
    asOf: isDay(day) ? day : null,
  };
}

/** Whether a text is a day of the calendar, as ISO 8601 writes it. */
export function isDay(text) {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text ?? "") ? new Date(`${text}T00:00:00Z`) : null;
  return Boolean(time && !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text));
}

/** The fragment of a place, told as what differs from the present one. */
export function href(change = {}) {
  const to = { ...state.route, ...change };
  const told = new URLSearchParams();
  if (to.patient) told.set("patient", to.patient);
  if (to.thread) told.set("thread", to.thread);
  if (to.job) told.set("job", to.job);
  if (to.view !== "questions") told.set("view", to.view);
  if (to.asOf) told.set("as_of", to.asOf);
  return `#${told}`;
}

export function go(change) {
  location.hash = href(change);
}

/** A place that takes the present one's step in the history: going back does not stop there. */
export function stay(change) {
  history.replaceState(null, "", href(change));
  state.route = read();
}
