// What the page knows, in one object: views are functions of it, and `set` draws them anew.

export const state = {
  me: null, // GET v1/me
  signIn: null, // the ways in, when the server asks who this is
  trouble: null, // a problem that keeps the whole page from working
  route: { patient: null, thread: null, view: "questions", asOf: null },
  search: { text: "", people: null, complete: true, problem: null },
  banner: null,
  bannerProblem: null,
  examples: [], // suggested questions for an empty conversation
  threads: { list: [], complete: true, problem: null },
  deleting: null, // the thread that waits for a yes
  turns: [],
  threadProblem: null,
  box: { text: "", open: false, options: [], active: -1 },
  evidence: null, // the citation that is open beside the answer
  summary: { kind: null, data: null, problem: null, working: false },
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

export const today = () => state.route.asOf ?? state.banner?.as_of ?? state.me?.today ?? "";
