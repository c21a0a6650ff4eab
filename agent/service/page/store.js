// What the page knows, in one object: views are functions of it, and `set` draws them anew.

export const state = {
  me: null, // GET v1/me
  signIn: null, // the ways in, when the server asks who this is
  ended: null, // whose session has ended
  trouble: null, // a problem that keeps the whole page from working
  route: { patient: null, thread: null, job: null, view: "questions", asOf: null },
  search: { text: "", people: null, complete: true, problem: null },
  banner: null,
  bannerProblem: null,
  wrongDay: false, // whether what was typed as the day is none
  examples: [], // suggested questions for an empty conversation
  threads: { list: [], complete: true, problem: null },
  record: null, // what is to be written into the chart, while that is asked
  recorded: {}, // what was written, by the path of what it was made of
  copied: null, // what was copied a moment ago
  deleting: null, // the thread that waits for a yes
  turns: [],
  threadProblem: null,
  box: { text: "", open: false, options: [], active: -1 },
  evidence: null, // the citation that is open beside the answer
  summary: { kind: null, data: null, problem: null, working: false },
  protocol: { text: "", name: "", read: null, problem: null, working: false }, // of a trial, and how it was understood
  matched: null, // the open patient held against it
  screening: { jobs: [], job: null, work: null, problem: null, only: "", beginning: false, shown: 50, open: [] },
  contents: { data: null, problem: null, filter: "", whole: [] },
};

let draw = () => {};
let waiting = false;

/** Change some of the state; the views follow before the next frame. */
export function set(patch) {
  Object.assign(state, patch);
  if (waiting) return;
  waiting = true;
  queueMicrotask(() => {
    waiting = false;
    draw();
  });
}

export function onChange(drawing) {
  draw = drawing;
}

/** Whether what was asked for at a place is still what the reader looks at. */
export const still = ({ patient, asOf }) => state.route.patient === patient && state.route.asOf === asOf;

export const today = () => state.route.asOf ?? state.banner?.as_of ?? state.me?.today ?? "";
