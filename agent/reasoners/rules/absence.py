"""What rules say when the chart does not hold it: the kinds searched, whether notes were, and the closest things."""

from __future__ import annotations

from agent.reasoners.rules import say
from agent.types import Absence, Ask, Claim, Draft, Evidence, Status
from fhir_tools import wording
from fhir_tools.types import Card, Fact

__all__ = ["draft", "notes", "standings"]


def draft(ask: Ask, evidence: Evidence) -> Draft | None:
    """`not_found` with what was searched, or `incomplete` where the search or the records cannot show it."""
    if not evidence.absent:
        return None
    told = notes(evidence)
    complete = evidence.complete and all(a.complete for a in evidence.absent)
    opaque = sum(a.opaque for a in evidence.absent)
    status: Status = "not_found" if complete and not opaque else "incomplete"
    if opaque:
        told += f" {opaque} entries there have neither a code nor a readable name, so it could be among them."
    return Draft(status=status, note=told, claims=_closest(evidence))


def _note(absence: Absence) -> str:
    places = ", ".join(dict.fromkeys(wording.KIND_WORDS.get(k, k) for k in absence.kinds)) or "the chart"
    where = f" {absence.window}" if absence.window else ""
    marks = " " + "".join(f"[{s}]" for s in absence.searched) if absence.searched else ""
    read = "" if "document" in absence.kinds else f"; {absence.notes or 'notes were not searched'}"
    near = f" The closest there: {'; '.join(absence.near)}." if absence.near else ""
    return f"{absence.label[:1].upper()}{absence.label[1:]} is not documented in {places}{where}{marks}{read}.{near}"


def _closest(evidence: Evidence) -> tuple[Claim, ...]:
    """The closest things the chart does have, told as such and cited."""
    return tuple(c for card in evidence.cards if card.role == "also" for c in _also(card))


def _also(card: Card) -> tuple[Claim, ...]:
    marks = [m for m in card.marks if m.fact]
    return tuple(say.claim(f"Also in the chart: {wording.describe(m.fact)}.", m) for m in marks[-1:] if m.fact)


def notes(evidence: Evidence) -> str:
    """What is told of the subjects that the chart does not hold, beside claims or alone."""
    told = " ".join(_note(a) for a in evidence.absent)
    if told and not (evidence.complete and all(a.complete for a in evidence.absent)):
        told += " The search was not complete, so this does not show that there is none."
    return told


_STANDING = {
    "error": "stands only in a record that was entered in error",
    "refuted": "is recorded as refuted",
    "planned": "is only planned",
    "cancelled": "was cancelled",
    "not-done": "was not done",
    "unconfirmed": "is recorded only as unconfirmed",
}


def standings(ask: Ask, card: Card) -> tuple[Claim, ...]:
    """Records that are no facts, told as what they are; "no" also to who asks when or why it was."""
    newest: dict[str, Fact] = {f.standing: f for f in card.facts}
    out: list[Claim] = []
    for standing, fact in newest.items():
        denied = ask.expects == "bool" or (standing in ("refuted", "error") and ask.expects != "set")
        lead = "No: " if denied and not out and standing != "unconfirmed" else ""
        value = say.truth(False) if lead and ask.expects == "bool" else None
        out.append(
            say.claim(
                f"{lead}{say.name(fact)} {_STANDING[standing]}{say.on(fact) if fact.when else ''}.",
                say.mark_of(card, fact),
                value=value,
            )
        )
    return tuple(out)
