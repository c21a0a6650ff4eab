"""Tokens of a criterion as segments: what stands between connectors, with the cues that hold for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from agent.trials.lexing import Token
from agent.trials.types import Section
from agent.trials.vocabulary import NO_CHART, Cue

__all__ = ["Joint", "Role", "Segment", "segments"]

Joint = Literal["", ",", "and", "or", "with"]
"""How a segment joins the one before; a comma is settled before anybody reads it."""
Role = Literal["", "apart", "unless", "example", "means"]


@dataclass(kw_only=True)
class Segment:
    """One piece. `joint` joins it to the one before; `kind`, `then`, `state` are of cues, its own or inherited."""

    joint: Joint
    start: int
    end: int
    tokens: list[Token] = field(default_factory=list)
    negated: bool = False
    kind: str = ""
    then: str = ""
    state: str = ""
    own: bool = False
    role: Role = ""
    no_chart: bool = False

    def of(self, *kinds: str) -> list[Token]:
        """Its tokens of some kinds."""
        return [t for t in self.tokens if t.kind in kinds]


def segments(text: str, tokens: Sequence[Token], section: Section) -> list[Segment]:
    """The segments of a statement in order, with their joints settled: a comma is what ends its list, else "and" in an
    inclusion and "or" in an exclusion."""
    made = [s for s in _pieces(text, tokens) if s.tokens or s.no_chart]
    _settle_commas(made, section)
    _inherit(made)
    return made


def _pieces(text: str, tokens: Sequence[Token]) -> Iterator[Segment]:
    current = Segment(joint="", start=0, end=len(text))
    role: Role = ""
    for token in tokens:
        joint, begins = _joint(token)
        if joint is None and _turns(token, current):
            current.end = token.start
            yield _told(current, text)
            current = Segment(joint="with", start=token.start, end=len(text), role=role)
        if joint is None:
            current.tokens.append(token)
            continue
        current.end = token.start
        yield _told(current, text)
        role = begins or (
            role
            if (role in ("apart", "example") and joint != "and") or role in ("unless", "means")
            else ""
            if joint == "with"
            else role
        )
        current = Segment(joint=joint, start=token.end, end=len(text), role=role)
    yield _told(current, text)


def _turns(token: Token, current: Segment) -> bool:
    """Whether a negation begins something new: "hyperlipidemia not treated with a statin"."""
    return token.kind == "cue" and token.value.tag == "no" and bool(current.of("name", "limit", "smoking"))


def _joint(token: Token) -> tuple[Joint | None, Role]:
    """The joint that a token is (None: it is none), and the role of what it begins."""
    if token.kind == "comma":
        return ",", ""
    if token.kind == "colon":
        return "with", "means"
    if token.kind != "cue":
        return None, ""
    match token.value.tag:
        case "and" | "or" | "with" as tag:
            return tag, ""
        case "apart" | "unless" | "example" | "means" as tag:
            return "with", tag
    return None, ""


def _told(segment: Segment, text: str) -> Segment:
    """The segment with what its cues say."""
    for token in segment.of("cue"):
        cue: Cue = token.value
        segment.own = segment.own or cue.tag != "kind" or cue.kind != "medication" or bool(cue.then)
        match cue.tag:
            case "no":
                segment.negated = not segment.negated
                segment.then = segment.then or cue.then
            case "ever":
                segment.then = segment.then or "ever"
            case "active" | "resolved":
                segment.state = cue.tag
            case "kind":
                given = cue.kind == "immunization" and segment.kind == "medication"  # "received a booster"
                segment.kind = cue.kind if given else segment.kind or cue.kind
                segment.then = cue.then if cue.then and segment.then != "ever" else segment.then
    said = list(text[segment.start : segment.end])
    for token in segment.of("latest", "time"):
        said[token.start - segment.start : token.end - segment.start] = " " * (token.end - token.start)
    segment.no_chart = bool(NO_CHART.search("".join(said)))
    return segment


def _settle_commas(made: list[Segment], section: Section) -> None:
    """Each comma becomes the connector that its list ends with. "A, B and C" as exclusions are three reasons."""
    made_of_three = sum(s.joint == "," for s in made)
    for at, segment in enumerate(made):
        if segment.joint == ",":
            ends: Joint = next((s.joint for s in made[at:] if s.joint in ("and", "or")), "")
            if section == "exclusion" and ends == "and" and made_of_three:
                _either(made, at)
                ends = "or"
            segment.joint = ends or ("or" if section == "exclusion" else "and")
        if section == "exclusion" and segment.joint == "and" and segment.of("sex") and not segment.of("limit", "age"):
            segment.joint = "or" if any(s.of("sex") for s in made[:at]) else "and"  # "pregnant women and women who …"


def _either(made: list[Segment], at: int) -> None:
    """The "and" that ends an exclusion's list of names, as "or"."""
    last = next(s for s in made[at:] if s.joint == "and")
    if not last.of("limit", "age"):
        last.joint = "or"


def _inherit(made: list[Segment]) -> None:
    """Cues hold for the rest of a list: "history of A or B", "no A, B or C"; cues of its own end that."""
    before: Segment | None = None
    for segment in made:
        if before is not None and segment.role in ("", "example", "apart"):
            goes_on = not segment.own and segment.joint in ("and", "or")
            if goes_on:
                segment.kind, segment.then, segment.state = before.kind, before.then, before.state
            elif segment.joint == "or" and before.kind in ("allergy", "family") and _names_only(segment):
                segment.kind = before.kind
            if before.negated and _stays_negated(before, segment):
                segment.negated = True
        before = segment


def _names_only(segment: Segment) -> bool:
    """Whether its cues are no more than nouns: "any vaccine component"."""
    return segment.own and not segment.state and not segment.then and segment.kind in ("", "immunization", "medication")


def _stays_negated(before: Segment, segment: Segment) -> bool:
    if any(t.value.tag == "no" for t in segment.of("cue")):
        return segment.negated
    if segment.joint == "or":
        return True
    return segment.joint == "and" and not segment.own and not segment.of("limit", "age", "smoking", "sex")
