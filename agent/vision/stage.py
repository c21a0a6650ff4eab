"""Stage look: the image that a question asks about → readings beside the evidence. It says what was not seen, and why.

The model sees the pictures, the image's own card and the patient's line. It is shown no report, so that what it says is
of the pixels; its words go into readings, which no reasoner is given and no claim can rest on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from agent.chart import Chart
from agent.errors import MissingExtra, ModelError, NeedError, SourceError, UserError
from agent.prompt import patient_line
from agent.types import Ask, Evidence, Look, Reading, Usage, View
from agent.vision.agreement import disagreements
from agent.vision.eyes import Eyes
from agent.vision.pictures import is_film, shown
from agent.vision.telling import readings, warnings
from agent.vision.types import Glance, Shown, Sight
from fhir_tools.imaging import Access, find, priors
from fhir_tools.imaging.types import Image
from fhir_tools.source import Source
from fhir_tools.types import Card, Reference, Search

__all__ = ["NO_MODEL", "Looking", "OpenAccess"]

NO_MODEL = (
    "No vision model is set, so the pixels were not read; this is what the chart says of the image "
    "(CHARTLINE_VISION names a model that reads images)."
)

OpenAccess = Callable[[Source], AbstractAsyncContextManager[Access]]
"""How the bytes of a scoped source's images are reached and decoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looking:
    """Looks for questions. `eyes` None: there is no vision model, and it says so. `slices` bounds what is shown."""

    eyes: Eyes | None
    access: OpenAccess
    slices: int = 16

    async def __call__(self, chart: Chart, ask: Ask, evidence: Evidence) -> Evidence:
        """The evidence with what the model read, or with why nothing was read. Never raises for a failed reading.

        A failure is a search row that is not complete, so that the answer is told as incomplete.
        """
        view, look = evidence.view, ask.look
        if view is None or look is None or evidence.readings:
            return evidence
        if self.eyes is None:
            return replace(evidence, unseen=NO_MODEL) if look.pixels else evidence
        try:
            sight = await self.sight(chart, view, _question(look), evidence.cards)
        except (UserError, SourceError, ModelError) as error:
            return _unseen(evidence, view, error)
        return _seen(evidence, view, look, sight)

    async def tool(
        self, chart: Chart, reference: Reference, question: str
    ) -> tuple[tuple[Reading, ...], tuple[str, ...], Usage]:
        """A record's pixels as the tools take them: readings whose image is not yet a mark, warnings, what it took."""
        sight = await self.sight(chart, await self.view(chart, reference), question)
        return readings(sight, ""), warnings(sight), sight.usage

    async def view(self, chart: Chart, reference: Reference, *, compare: bool = False) -> View:
        """A record of the chart to look at; with `compare` a film comes with the one before it.

        Raises NeedError for a record that is no image, SourceError where that cannot be known.
        """
        found = await find(chart.source, as_of=chart.as_of)
        image = next((i for i in found.images if i.reference == reference and i.standing == "fact"), None)
        if image is None and not found.complete:
            why = next((row.error for row in found.searched if row.error), "the search was cut short")
            raise SourceError(f"whether the chart has that image is not known: {why}")
        if image is None:
            raise NeedError("that record is no image; give an imaging study or a photograph of this chart")
        prior = next(iter(priors(image, found.images)), None) if compare and is_film(image) else None
        return View(image=image, mark="", prior=prior)

    async def sight(self, chart: Chart, view: View, question: str, cards: Sequence[Card] = ()) -> Sight:
        """What the model makes of the image of a view. Raises UserError, MissingExtra, SourceError and ModelError."""
        if self.eyes is None:
            raise UserError(NO_MODEL)
        async with self.access(chart.source) as access:
            current = await self._shown(view.image, access)
            prior = await self._shown(view.prior, access) if view.prior else None
        shown = tuple(c for c in cards if c.kind == "imaging")
        line = patient_line(chart.person, chart.as_of)
        glance = Glance(current=current, prior=prior, patient=line, cards=shown)
        return await self.eyes.read(glance, question)

    async def _shown(self, image: Image, access: Access) -> Shown:
        if image.unreadable:
            raise UserError(f"{image.reference} cannot be read: {image.unreadable}")
        return await shown(image, access, most=self.slices)


def _question(look: Look) -> str:
    """What the model is asked, in words of code round those of the question."""
    if look.finding:
        return f"Is this to be seen: {look.finding}? Then tell what else is abnormal."
    return ""


def _unseen(evidence: Evidence, view: View, error: UserError | SourceError | ModelError) -> Evidence:
    """The evidence with why the pixels were not read: a row that is not complete, and words for the reader."""
    why = str(error) or type(error).__name__
    row = Search(query=f"the pixels of {view.image.reference}", found=0, complete=False, error=why)
    remedy = f" {why}." if isinstance(error, MissingExtra) else ""
    return replace(evidence, searched=(*evidence.searched, row), unseen=f"The pixels were not read.{remedy}")


def _seen(evidence: Evidence, view: View, look: Look, sight: Sight) -> Evidence:
    told = readings(sight, view.mark, look.finding)
    against = tuple(d.text for d in disagreements(sight.findings, view.reports))
    return replace(
        evidence,
        readings=told,
        read_by=sight.model,
        spent=sight.usage,
        unseen="" if told else f"{sight.model} was shown the image and told nothing of it.",
        warnings=tuple(dict.fromkeys((*evidence.warnings, *warnings(sight), *against))),
    )
