"""The image that a question asks to look at, the one before it, and its reports: as cards with marks, and as texts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agent.retrieve.gather import Gather
from agent.types import IN_REPORTS, Ask, Target, View
from agent.vision.terms import term_of
from fhir_tools import compute
from fhir_tools.cards import event_card
from fhir_tools.dates import Window
from fhir_tools.documents import Document, find, sections, sentences
from fhir_tools.imaging import find as find_images
from fhir_tools.imaging import priors
from fhir_tools.imaging.types import Image, Images
from fhir_tools.records import usable, within
from fhir_tools.types import Card, Concept, Fact, Query, Reference, SearchResult, Span

__all__ = ["image_fact", "looked_at", "reports_of"]

_QUOTES = 4
_SUMMED = ("impression", "conclusion")
_FILMS = ("CR", "DX", "RG")
"""Modalities of plain films: one and the same to whoever asks for an x-ray (PS3.3 C.7.3.1.1.1)."""


async def looked_at(gather: Gather, ask: Ask, window: Window | None) -> tuple[tuple[Card, ...], View | None]:
    """The cards of the image and of its reports, and what is to be looked at; an absence where there is none."""
    found = await find_images(_Kept(gather), as_of=gather.chart.as_of)
    gather.warnings.extend(found.warnings)
    target = ask.targets[0] if ask.targets else None
    facts = await _facts(gather, found)
    meant = [i for i in found.images if i.reference in facts and _meant(i, facts[i.reference], target)]
    kept = {f.reference for f in within(usable(facts[i.reference] for i in meant), window)}
    image = _which([i for i in meant if i.reference in kept], ask)
    if image is None:
        await _absent(gather, target, window)
        return (), None
    prior = next(iter(priors(image, found.images)), None) if ask.look and ask.look.prior else None
    if ask.look and ask.look.prior and prior is None:
        gather.warnings.append("no earlier image of the same kind and body site was found to compare with")
    shown = [image, prior] if prior else [image]
    card = event_card(gather.marks, compute.in_order(tuple(facts[i.reference] for i in shown)))
    reports = await reports_of(gather, image)
    finding = ask.look.finding if ask.look else ""
    view = View(
        image=image,
        mark=gather.marks.fact(facts[image.reference]).id,
        prior=prior,
        prior_mark=gather.marks.fact(facts[prior.reference]).id if prior else "",
        reports=reports,
    )
    return (card, *_report_cards(gather, reports, finding)), view


class _Kept:
    """The chart's scoped source, whose searches are kept as rows of proof and in the sitting's memory."""

    def __init__(self, gather: Gather) -> None:
        source = gather.chart.source
        self._gather = gather
        self.read, self.fetch, self.capabilities = source.read, source.fetch, source.capabilities

    async def search(self, query: Query) -> SearchResult:
        return await self._gather.search(query)


async def _facts(gather: Gather, found: Images) -> Mapping[Reference, Fact]:
    """The fact that each image is: the study's own, or for a single picture one made of what the image says."""
    studies = {f.reference: f for f in await gather.facts("imaging")}
    return {image.reference: studies.get(image.reference) or image_fact(image) for image in found.images}


def image_fact(image: Image) -> Fact:
    """A picture that is no ImagingStudy (a Media, an attachment) as a fact, so that it can be cited."""
    label = image.title or (image.site.label if image.site else "") or "picture"
    modality = ", ".join(image.modalities)
    made = " of ".join(filter(None, (modality, image.site.label.lower() if image.site else "")))
    details = {"modality": modality, "modality_codes": image.modalities, "made": made}
    if image.site:
        details["body_site"] = image.site.label
    return Fact(
        kind="imaging",
        concept=Concept(label=label),
        reference=image.reference,
        path=image.path,
        standing=image.standing,
        status=image.status,
        when=image.when,
        version=image.version,
        encounter=image.encounter,
        details={name: value for name, value in details.items() if value},
    )


def _meant(image: Image, fact: Fact, target: Target | None) -> bool:
    """Whether the words for the image mean this one: by the chart's own concept, else by modality and body site."""
    if target is None:
        return True
    if target.keys:
        return fact.concept.key in target.keys and (not target.labels or fact.concept.label in target.labels)
    wanted = {i for kind, i in target.lexicon if kind == "modality"}
    if wanted.intersection(_FILMS):
        wanted.update(_FILMS)
    sites = [i for kind, i in target.lexicon if kind == "body_site"]
    where = f"{image.site.label if image.site else ''} {image.title}".lower()
    fits = not wanted or bool(wanted.intersection(image.modalities))
    return bool(wanted or sites) and fits and all(site in where for site in sites)


def _which(images: Sequence[Image], ask: Ask) -> Image | None:
    """Of the images meant, newest first, the one that the question's order means."""
    if not images:
        return None
    if ask.op == "first":
        return images[-1]
    back = (ask.n or 1) if ask.op == "previous" else 0
    return images[back] if back < len(images) else None


async def _absent(gather: Gather, target: Target | None, window: Window | None) -> None:
    meant = target or Target(words="image", label="an image", kinds=("imaging",))
    await gather.absence(replace(meant, kinds=("imaging",)), window.text if window else "")


# Reports.


async def reports_of(gather: Gather, image: Image) -> tuple[Document, ...]:
    """The texts of the image's reports that stand, oldest first."""
    wanted = {r.reference for r in image.reports}
    facts = {f.reference: f for f in usable(await gather.facts("report")) if f.reference in wanted}
    result = await gather.search(gather.query("DiagnosticReport")) if facts else None
    resources = {f"DiagnosticReport/{r.get('id')}": r for r in result.matches} if result else {}
    texts = await asyncio.gather(*(_text(gather, f, resources) for f in compute.in_order(tuple(facts.values()))))
    for document in texts:
        if document.missed:
            gather.unread(Query(type="Binary"), document.missed)
        elif document.unread:
            gather.warnings.append(f"part of {document.fact.reference} could not be read ({document.unread})")
    return tuple(texts)


async def _text(gather: Gather, fact: Fact, resources: Mapping[str, Mapping[str, Any]]) -> Document:
    resource = resources.get(str(fact.reference))
    if resource is None:
        return Document(fact=fact, text=fact.value if isinstance(fact.value, str) else "")
    return await gather.chart.document(resource, fact)


def _report_cards(gather: Gather, reports: Sequence[Document], finding: str) -> tuple[Card, ...]:
    """The reports, and the sentences of them that speak of the finding; their impression where nothing is named."""
    if not reports:
        return ()
    card = event_card(gather.marks, compute.in_order(tuple(d.fact for d in reports)))
    quotes = tuple(_spoken(reports, finding) if finding else _impressions(reports))
    return (card, _quoted(gather, quotes)) if quotes else (card,)


def _spoken(reports: Sequence[Document], finding: str) -> Iterable[tuple[Document, Span, str]]:
    """What is not told already with the report's conclusion, which is its fact's own value."""
    names = dict.fromkeys((finding, *term_of(finding).names))
    found = [f for f in find(reports, tuple(names)) if f.span.quote not in str(f.document.fact.value or "")]
    return [(f.document, f.span, f.assertion) for f in found][:_QUOTES]


def _impressions(reports: Sequence[Document]) -> Iterable[tuple[Document, Span, str]]:
    """The impression of reports whose text is not in the fact itself (a presented form)."""
    for report in reports:
        if isinstance(report.fact.value, str) and report.fact.value:
            continue
        parts = [
            (a, b) for title, a, b in sections(report.text) if title.lower().startswith(("impression", "conclusion"))
        ]
        for a, b in parts[-1:]:
            lines = [(s, e) for s, e in sentences(report.text) if a <= s < b]
            for s, e in lines[:_QUOTES]:
                yield report, Span(start=s, end=e, quote=report.text[s:e]), "affirmed"


def _quoted(gather: Gather, quotes: Sequence[tuple[Document, Span, str]]) -> Card:
    marks, lines = [], []
    for document, span, assertion in quotes:
        mark = gather.marks.quote(document, span)
        marks.append(mark)
        told = "" if assertion == "affirmed" else f" ({assertion})"
        lines.append(f'[{mark.id}] "{span.quote}"{told}')
    return Card(
        title=IN_REPORTS,
        kind="document",
        lines=tuple(lines),
        marks=tuple(marks),
        facts=tuple(document.fact for document, _, _ in quotes),
    )
