// The service over HTTP: problem details become `Problem`, a connection that breaks becomes `Lost`.

let csrf = null;
let unknown = () => {};

/** A problem of the service (RFC 9457). */
export class Problem extends Error {
  constructor(status, problem = {}, wait = null) {
    super(problem.detail ?? "");
    this.status = status;
    this.kind = (problem.type ?? "").split(":").pop();
    this.request = problem.request ?? null;
    this.signIn = problem.sign_in ?? null;
    this.wait = wait;
  }
}

/** The connection broke, or there is none. */
export class Lost extends Error {}

export function useToken(token) {
  csrf = token;
}

/** What is to be done when the server wants to know who this is. */
export function onUnknown(doing) {
  unknown = doing;
}

async function send(path, { method = "GET", body, headers = {}, signal } = {}) {
  const sent = { Accept: "application/json", ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  if (csrf && method !== "GET") sent["X-CSRF-Token"] = csrf;
  let response;
  try {
    const json = body === undefined ? undefined : JSON.stringify(body);
    response = await fetch(path, { method, headers: sent, body: json, signal, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Lost(String(error.message));
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401 && path !== "v1/sign-in") unknown(problem);
  throw problem;
}

async function problemOf(response) {
  const wait = Number(response.headers.get("Retry-After")) || null;
  const problem = await response.json().catch(() => ({}));
  return new Problem(response.status, { request: response.headers.get("X-Request-ID"), ...problem }, wait);
}

/** JSON in, JSON out; null where there is nothing to tell. */
export async function call(path, options) {
  const response = await send(path, options);
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Lost(String(error.message));
  }
}

/** What is there in another form than JSON, as a Blob. */
export const fetchAs = async (path, media) => (await send(path, { headers: { Accept: media } })).blob();

/** The events of an answer as they come: [name, data], first `question` with the id that it is kept by, if it is.
 * Throws Lost when they stop before the end. */
export async function* events(path, options) {
  const headers = { ...options.headers, Accept: "text/event-stream" };
  const response = await send(path, { ...options, headers });
  const kept = response.headers.get("Content-Location");
  if (kept) yield ["question", { id: kept.split("/").pop() }];
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch((error) => {
      throw error.name === "AbortError" ? error : new Lost(String(error.message));
    });
    if (done) throw new Lost("");
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const event of blocks.map(eventOf).filter(Boolean)) {
      if (event[0] === "problem") throw new Problem(event[1].status, event[1]);
      yield event;
      if (event[0] === "answer") return;
    }
  }
}

/** A block of lines of the stream (HTML 9.2.6); null for a comment, which only says that somebody is there. */
function eventOf(block) {
  const fields = { event: "message", data: [] };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (name === "event") fields.event = value;
    if (name === "data") fields.data.push(value);
  }
  return fields.data.length ? [fields.event, JSON.parse(fields.data.join("\n"))] : null;
}

export const query = (values) => new URLSearchParams(Object.entries(values).filter(([, v]) => v != null && v !== ""));
