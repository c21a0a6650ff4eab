"""An order to read studies in, by what a model saw in them: for a reader's attention, no verdict about any of them.

First by how soon the most urgent finding wants a reader (`agent.vision.terms`), what is told as there before what may
be; then by how sure the model is, and by how many there are. A study that could not be read comes before all
that show nothing urgent: nobody knows what it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agent.vision.telling import ordered, sentence, warnings
from agent.vision.terms import UNKNOWN_URGENCY
from agent.vision.types import Finding, Sight
from fhir_tools.imaging.types import Image
from fhir_tools.types import Reference

__all__ = ["SOON", "Row", "Seen", "as_data", "ranked"]

SOON = {1: "minutes", 2: "hours", 3: "days", 4: "can wait"}
"""How soon a finding wants to be seen, in words."""
_NOTHING = 5
_NO_FINDING = "no finding told"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One study of a patient with what the model saw, or with why it could not be read (`unread`)."""

    patient: Reference
    image: Image
    sight: Sight | None = None
    unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One study in the order to read in. `reason` is why it stands there, `unsure` what makes that doubtful."""

    rank: int
    patient: Reference
    image: Image
    soon: str
    reason: str
    unsure: str
    model: str
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


def ranked(seen: Iterable[Seen]) -> tuple[Row, ...]:
    """The studies in the order to read them in; within one urgency the older study first."""
    inorder = sorted(seen, key=lambda s: (*_key(s), _day(s.image), str(s.image.reference)))
    return tuple(_row(rank, one) for rank, one in enumerate(inorder, 1))


def _key(seen: Seen) -> tuple[float, int, int]:
    """Urgency (a finding that only may be there half a step later), how unsure, and minus how many as urgent."""
    if seen.sight is None:
        return UNKNOWN_URGENCY, 0, 0
    shown = _shown(seen.sight)
    if not shown:
        return _NOTHING, 0, 0
    first = min(map(_weight, shown))
    return (*first, -sum(_weight(f)[0] == first[0] for f in shown))


def _weight(finding: Finding) -> tuple[float, int]:
    late = 0.5 if finding.presence == "uncertain" else 0.0
    return finding.term.urgency + late, ("high", "moderate", "low").index(finding.certainty)


def _shown(sight: Sight) -> tuple[Finding, ...]:
    """What is there or may be: the most urgent first."""
    return tuple(sorted((f for f in sight.findings if f.presence != "absent"), key=_weight))


def _row(rank: int, seen: Seen) -> Row:
    if seen.sight is None:
        return Row(
            rank=rank, patient=seen.patient, image=seen.image, soon="not read", reason=seen.unread,
            unsure="what it shows is not known", model="",
        )  # fmt: skip
    shown = _shown(seen.sight)
    first = shown[0] if shown else None
    return Row(
        rank=rank,
        patient=seen.patient,
        image=seen.image,
        soon=SOON[first.term.urgency] if first else "nothing told",
        reason=sentence(first) if first else _NO_FINDING,
        unsure=_doubt(seen.sight, shown),
        model=seen.sight.model,
        findings=ordered(seen.sight.findings),
        notes=warnings(seen.sight),
    )


def _doubt(sight: Sight, shown: Sequence[Finding]) -> str:
    """What makes the place of a study doubtful, in few words; empty where the model left nothing open."""
    open_ = [f.term.label.lower() for f in shown if f.presence == "uncertain"]
    low = [f.term.label.lower() for f in shown if f.presence == "present" and f.certainty == "low"]
    parts = [f"may be: {', '.join(dict.fromkeys(open_))}" if open_ else ""]
    parts.append(f"unsure: {', '.join(dict.fromkeys(low))}" if low else "")
    parts.append("not all of it was seen" if sight.missed else "")
    return "; ".join(filter(None, parts))


def _day(image: Image) -> str:
    return image.when.low.isoformat() if image.when and image.when.low else "9999"


def as_data(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as JSON data."""
    return [
        {
            "rank": row.rank,
            "patient": str(row.patient),
            "image": str(row.image.reference),
            "taken": row.image.when.text if row.image.when else None,
            "modality": row.image.modality or None,
            "soon": row.soon,
            "reason": row.reason,
            "unsure": row.unsure,
            "findings": [
                {
                    "name": f.name,
                    "presence": f.presence,
                    "certainty": f.certainty,
                    "location": f.location,
                    "urgency": SOON[f.term.urgency],
                    "frame": f.frame,
                    "regions": [list(r.box) for r in f.regions],
                }
                for f in row.findings
            ],
            "notes": list(row.notes),
            "model": row.model or None,
        }
        for row in rows
    ]
