// Where the reader is: patient, conversation, view and day. It stands in the fragment alone, which no server is sent.

import { state } from "./store.js";

const VIEWS = ["questions", "timeline", "summaries", "contents"];

export function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const view = given.get("view");
  const day = given.get("as_of");
  return {
    patient: given.get("patient") || null,
    thread: given.get("thread") || null,
    view: VIEWS.includes(view) ? view : "questions",
    asOf: /^\d{4}-\d{2}-\d{2}$/.test(day ?? "") ? day : null,
  };
}

/** The fragment of a place, told as what differs from the present one. */
export function href(change = {}) {
  const to = { ...state.route, ...change };
  const told = new URLSearchParams();
  if (to.patient) told.set("patient", to.patient);
  if (to.thread) told.set("thread", to.thread);
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
