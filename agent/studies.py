"""Whole studies rather than questions: a draft report of one, and what is to be seen in many, for a worklist."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from agent.chart import Chart
from agent.errors import ModelError, NeedError, SourceError, UserError
from agent.retrieve import Gather
from agent.retrieve.pictures import reports_of
from agent.types import View
from agent.vision.agreement import disagreements
from agent.vision.drafting import DraftReport
from agent.vision.stage import Looking
from agent.vision.triage import Seen
from fhir_tools.imaging import find
from fhir_tools.imaging.types import Image, Images
from fhir_tools.types import Reference

__all__ = ["Wanted", "draft_report", "look_through", "parsed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which studies of a chart: of a modality (a DICOM code), taken on a day or later, or one by its reference.

    Without `since` and `reference` it is the newest one that fits.
    """

    modality: str = ""
    since: date | None = None
    reference: Reference | None = None

    def of(self, found: Images) -> tuple[Image, ...]:
        """Those of the images that are wanted, newest first."""
        fits = tuple(i for i in found.images if i.standing == "fact" and self._fits(i))
        return fits if self.since or self.reference else fits[:1]

    def _fits(self, image: Image) -> bool:
        if self.reference:
            return image.reference == self.reference
        day = image.when.day if image.when else None
        late = self.since is None or (day is not None and day >= self.since)
        return late and (not self.modality or self.modality.upper() in image.modalities)


async def draft_report(looking: Looking, chart: Chart, reference: Reference) -> DraftReport:
    """A draft report of an image of the chart, beside which reports there are already and where they disagree.

    The model is shown no report. Raises UserError for what is no image of the chart or cannot be read, SourceError,
    ModelError.
    """
    try:
        view = await looking.view(chart, reference, compare=True)
    except NeedError as error:
        raise UserError(f"{reference}: {error}") from None
    sight = await looking.sight(chart, view, "")
    reports = await reports_of(Gather(chart), view.image)
    return DraftReport(
        patient=chart.patient,
        sight=sight,
        made=datetime.now().astimezone(),
        reports=tuple(d.fact.reference for d in reports),
        against=tuple(d.text for d in disagreements(sight.findings, reports)),
    )


async def look_through(
    looking: Looking, chart: Chart, wanted: Wanted, tell: Callable[[str], object] = lambda _: None
) -> tuple[tuple[Seen, ...], bool]:
    """What the model sees in the studies wanted of one chart, and whether all of its images could be searched for.

    A study that cannot be read, or a model that fails on it, is a row with why. `tell` is told each one, by its number.
    """
    found = await find(chart.source, as_of=chart.as_of)
    images = wanted.of(found)
    rows = []
    for number, image in enumerate(images, 1):
        tell(f"study {number} of {len(images)}")
        rows.append(await _seen(looking, chart, image))
        await asyncio.sleep(0)
    return tuple(rows), found.complete


async def _seen(looking: Looking, chart: Chart, image: Image) -> Seen:
    view = View(image=image, mark="")
    try:
        return Seen(patient=chart.patient, image=image, sight=await looking.sight(chart, view, ""))
    except (UserError, SourceError, ModelError) as error:
        return Seen(patient=chart.patient, image=image, unread=str(error) or type(error).__name__)


def parsed(lines: Sequence[str]) -> tuple[tuple[str, Reference | None], ...]:
    """A worklist's lines, each a patient and perhaps an image (`123 ImagingStudy/abc`), blanks and # comments aside.

    Raises UserError for a line that is neither.
    """
    rows: list[tuple[str, Reference | None]] = []
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].replace(",", " ").split()
        if not words:
            continue
        try:
            rows.append((words[0], Reference.parse(words[1]) if len(words) == 2 else None))
        except ValueError:
            words = [*words, "", ""]
        if len(words) > 2:
            raise UserError(f"line {number} of the list is no patient with an image, as in: 123 ImagingStudy/abc")
    return tuple(rows)
