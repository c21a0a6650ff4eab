// What the page's shell does, as far as the modules of evidence and timeline need it.
import { loadTexts } from "./page/texts.js";
import { showEvidence } from "./page/evidence.js";
import { showImage } from "./page/image.js";
import { showNote } from "./page/note.js";
import { showPlots } from "./page/plot.js";
import { showTimeline } from "./page/timeline.js";

await loadTexts();
window.picked = [];
const shown = document.getElementById("shown");
const fresh = () => {
  shown.replaceChildren(document.createElement("div"));
  return shown.firstChild;
};
window.evidence = (given) => showEvidence(fresh(), given);
window.timeline = (given) => showTimeline(fresh(), { onPick: (reference) => window.picked.push(reference), ...given });
const put = (view) => {
  const place = fresh();
  place.className = "evidence";
  place.append(view);
  view.shown?.();
};
window.note = (note, spans) => put(showNote(note, spans));
window.image = (image, readings) => put(showImage(image, readings));
window.plots = (series) => put(showPlots(series, { onPick: (reference) => window.picked.push(reference) })[0]);
document.documentElement.dataset.loaded = "true";
