// What a screen reader is told without being asked: rarely, and the last thing counts.

const EVERY = 3000; // ms between stages of work that are told

let last = 0;

export function announce(text) {
  document.getElementById("live").textContent = text;
  last = Date.now();
}

/** A stage of work: told when nothing was told for a while. */
export function murmur(text) {
  if (Date.now() - last > EVERY) announce(text);
}
