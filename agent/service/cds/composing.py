"""Findings → cards: the most urgent first, each thing said once, every resource behind it linked."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from agent.service.cds.configuring import Cards
from agent.service.cds.findings import Finding
from agent.service.cds.markdown import escaped, linked, summary_of
from agent.service.cds.responses import Action, CardOut, Link, Reason, Source, Suggestion
from fhir_tools.types import Reference

__all__ = ["Page", "compose", "distinct", "unread"]

_URGENCY = {"critical": 0, "warning": 1, "info": 2}
_TOPICS = "urn:chartline:cds:topic"
_REASONS = "urn:chartline:cds:override"
_SHOWN = 8
"""Links to evidence on one card; the page has the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Where links of cards lead: the service's own address, as a page or as a SMART app to be launched."""

    base: str
    patient: str
    launch: bool = False

    def question(self, text: str) -> Link:
        """The page with a question and its cited answer."""
        if self.launch:
            context = json.dumps({"question": text})
            return Link(label="Open in chartline", url=f"{self.base}/launch", type="smart", appContext=context)
        query = urlencode({"patient": self.patient, "question": text})
        return Link(label="Open in chartline", url=f"{self.base}/?{query}", type="absolute")

    def evidence(self, reference: Reference) -> str:
        """The page with a resource open."""
        return f"{self.base}/?{urlencode({'patient': self.patient, 'evidence': str(reference)})}"


def distinct(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each key once, by its most urgent finding; the most urgent first, else as the file has the cards."""
    ranked = sorted(findings, key=lambda f: _URGENCY[f.indicator])
    kept: dict[tuple[str, ...], Finding] = {}
    for finding in ranked:
        kept.setdefault(finding.key or (str(id(finding)),), finding)
    return tuple(kept.values())


def compose(finding: Finding, cards: Cards, page: Page) -> CardOut:
    """The card of a finding. `detail` is GitHub Flavored Markdown; each line is a paragraph of its own list."""
    config = finding.card
    suggestions = _suggestions(finding)
    reasons = tuple(Reason(code=r.code, system=_REASONS, display=r.display) for r in config.override_reasons)
    return CardOut(
        uuid=str(uuid.uuid4()),
        summary=summary_of(finding.summary),
        detail="\n".join(f"- {line}" for line in (*finding.lines, *_evidence(finding, page))),
        indicator=finding.indicator,
        source=Source(
            label=cards.label,
            url=page.base if page.base else None,
            topic=Reason(code=config.name, system=_TOPICS, display=config.name.replace("-", " ")),
        ),
        suggestions=suggestions or None,
        selectionBehavior="at-most-one" if suggestions else None,
        overrideReasons=reasons or None,
        links=(page.question(finding.question),) if finding.question else None,
    )


def _evidence(finding: Finding, page: Page) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(finding.evidence))
    if not found:
        return ()
    links = [linked(str(reference), page.evidence(reference)) for reference in found[:_SHOWN]]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (f"Evidence: {', '.join(links)}{more}.",)


def _suggestions(finding: Finding) -> tuple[Suggestion, ...]:
    """To take out a draft: for the reader to choose and not recommended, since both may be meant."""
    if finding.remove is None:
        return ()
    what = "Remove this draft order"
    action = Action(type="delete", description=what, resourceId=str(finding.remove))
    return (Suggestion(label=what, uuid=str(uuid.uuid4()), isRecommended=False, actions=(action,)),)


def unread(missing: Mapping[str, str], names: Iterable[str], strange: Sequence[str], cards: Cards) -> CardOut:
    """The card that says what was not checked: silence would pass for "nothing found".

    `missing` says why keys could not be read, `names` are the cards that wait for them, `strange` the drugs and
    allergies that are not known here.
    """
    keys = sorted(missing)
    said = [f"{', '.join(keys)} could not be read"] if keys else []
    said += [f"not known here: {', '.join(strange)}"] if strange else []
    lines = [f"- {key}: {missing[key]}." for key in keys]
    told = "no drug is known here by that name, so that nothing was checked of it"
    lines += [f"- {escaped(drug)}: {told}." for drug in strange]
    checks = ", ".join(sorted(name.replace("-", " ") for name in names))
    head = (f"Not checked: {checks}.", "") if checks else ()
    return CardOut(
        uuid=str(uuid.uuid4()),
        summary=summary_of(f"Not everything could be checked: {'; '.join(said)}"),
        detail="\n".join((*head, *lines)),
        indicator="info",
        source=Source(label=cards.label, topic=Reason(code="not-checked", system=_TOPICS, display="not checked")),
    )
