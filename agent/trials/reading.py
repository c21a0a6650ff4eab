"""Protocols in: ClinicalTrials.gov API v2 JSON, plain text, FHIR ResearchStudy; a file, a folder, or the registry.

The registry's own fields for age and sex become statements as well (number 0), where the text says nothing of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.errors import UserError
from agent.trials.checks import Age, Sex, walk
from agent.trials.grammar import compiled
from agent.trials.splitting import split
from agent.trials.types import Criterion, Statement, Trial

__all__ = ["compile_trial", "is_number", "read_file", "read_folder", "read_text", "read_trial"]

_NUMBER = re.compile(r"NCT\d{8}", re.IGNORECASE)
_SUFFIXES = (".json", ".txt", ".md")
_MOST = 5_000_000
_FIELD_AGE = re.compile(r"\s*(\d+)\s*(year|month|week|day)s?\s*", re.IGNORECASE)


def is_number(text: str) -> bool:
    """Whether it is a number of the registry, such as NCT01234567."""
    return bool(_NUMBER.fullmatch(text.strip()))


def read_file(path: Path) -> tuple[Trial, ...]:
    """The protocols of a file: JSON of one study or of several, a ResearchStudy, or text. Raises UserError."""
    try:
        if path.stat().st_size > _MOST:
            raise UserError(f"{str(path)!r} is too large for a protocol; give one file for each trial")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UserError(f"cannot read {str(path)!r}: {why}") from error
    if path.suffix.lower() != ".json":
        return (read_text(text, path.stem),)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{str(path)!r} is not JSON: {error}") from error
    return tuple(read_trial(one, path.stem) for one in _studies(data, str(path)))


def read_folder(folder: Path) -> tuple[Trial, ...]:
    """The protocols of every .json, .txt and .md file of a folder, by file name. Raises UserError."""
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())
    if not files:
        raise UserError(f"{str(folder)!r} holds no protocol; give .json of ClinicalTrials.gov or FHIR, or .txt")
    trials = tuple(t for f in files for t in read_file(f))
    twice = next((t.id for n, t in enumerate(trials) if any(t.id == o.id for o in trials[:n])), None)
    if twice:
        raise UserError(
            f"two protocols in {str(folder)!r} are called {twice!r}; their verdicts could not be told apart"
        )
    return trials


def _studies(data: Any, place: str) -> Iterator[Mapping[str, Any]]:
    rows = data.get("studies", [data]) if isinstance(data, dict) else data
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{place!r} holds no study; it should be one study of ClinicalTrials.gov's API v2, or several")
    yield from rows


def read_text(text: str, name: str) -> Trial:
    """The protocol of a plain text. Raises UserError where no statement is found in it."""
    return _trial(name, name, text)


def read_trial(data: Mapping[str, Any], name: str) -> Trial:
    """The protocol of one study's JSON (API v2, or FHIR ResearchStudy). Raises UserError that names what is missing."""
    if data.get("resourceType"):
        return _research_study(data, name)
    protocol = _object(data.get("protocolSection")) or data
    about, eligibility = (_object(protocol.get(f"{k}Module")) for k in ("identification", "eligibility"))
    text = eligibility.get("eligibilityCriteria")
    if not isinstance(text, str) or not text.strip():
        raise UserError(f"{name!r} has no protocolSection.eligibilityModule.eligibilityCriteria")
    id_ = _word(about.get("nctId")) or name
    return _trial(id_, _word(about.get("briefTitle")) or id_, text, _fields(eligibility))


def _trial(id_: str, title: str, text: str, fields: tuple[Statement, ...] = ()) -> Trial:
    statements = split(text)
    if not statements:
        raise UserError(f"{id_!r} holds no criteria; write them below 'Inclusion Criteria:' and 'Exclusion Criteria:'")
    return Trial(id=id_, title=title, source=text, statements=(*fields, *statements))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _fields(eligibility: Mapping[str, Any]) -> tuple[Statement, ...]:
    """The registry's minimum and maximum age and its sex, as statements without a place in the text."""
    low, high = (_FIELD_AGE.fullmatch(_word(eligibility.get(k))) for k in ("minimumAge", "maximumAge"))
    told = []
    if low or high:
        ends = (
            f"at least {low[1]} {low[2].lower()}s" if low else "",
            f"at most {high[1]} {high[2].lower()}s" if high else "",
        )
        told.append("Age " + " and ".join(filter(None, ends)))
    if (sex := _word(eligibility.get("sex")).lower()) in ("female", "male"):
        told.append(f"{sex.capitalize()} sex")
    return tuple(Statement(number=0, section="inclusion", text=text) for text in told)


def _research_study(study: Mapping[str, Any], name: str) -> Trial:
    """R4 has no criteria as text: they stand in `description`, or as Groups in `enrollment` that are contained."""
    if study.get("resourceType") != "ResearchStudy":
        raise UserError(f"{name!r} is a {study.get('resourceType')}; a protocol in FHIR is a ResearchStudy")
    id_ = next((_word(i.get("value")) for i in _objects(study.get("identifier"))), "") or _word(study.get("id")) or name
    title = _word(study.get("title")) or id_
    description = study.get("description")
    text = description if isinstance(description, str) and split(description) else ""
    groups = [c for c in _objects(study.get("contained")) if c.get("resourceType") == "Group"]
    listed = "\n".join(_group_lines(groups))
    whole = "\n\n".join(filter(None, (text, listed)))
    if not whole:
        raise UserError(f"{name!r} has no criteria: neither description nor a contained Group says any")
    return _trial(id_, title, whole)


def _group_lines(groups: list[Mapping[str, Any]]) -> Iterator[str]:
    """The characteristics of enrolment groups, as a text with its two headings."""
    for section, excluded in (("Inclusion", False), ("Exclusion", True)):
        lines = [
            line
            for g in groups
            for c in _objects(g.get("characteristic"))
            if bool(c.get("exclude")) == excluded and (line := _characteristic(c))
        ]
        if lines:
            yield f"{section} Criteria:"
            yield from (f"* {line}" for line in lines)


def _characteristic(item: Mapping[str, Any]) -> str:
    code, concept = _coded(item.get("code")), _coded(item.get("valueCodeableConcept"))
    if concept:
        return concept if not code else f"{code}: {concept}"
    quantity, span = _object(item.get("valueQuantity")), _object(item.get("valueRange"))
    if quantity:
        sign = _word(quantity.get("comparator")) or "="
        return f"{code} {sign} {quantity.get('value')} {_word(quantity.get('unit'))}".strip()
    if span:
        low, high = _object(span.get("low")), _object(span.get("high"))
        ends = [
            f">= {low.get('value')} {_word(low.get('unit'))}" if low else "",
            f"<= {high.get('value')} {_word(high.get('unit'))}" if high else "",
        ]
        return f"{code} {' and '.join(filter(None, ends))}".strip()
    return code if item.get("valueBoolean") is not False else f"No {code}"


def _coded(value: Any) -> str:
    concept = _object(value)
    return _word(concept.get("text")) or next(
        (_word(c.get("display")) for c in _objects(concept.get("coding")) if c.get("display")), ""
    )


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [x for x in value if isinstance(x, dict)] if isinstance(value, list) else []


def compile_trial(trial: Trial) -> tuple[Criterion, ...]:
    """Every statement with its check, by rules. A field of the registry is left out where the text says it."""
    made = tuple(Criterion(statement=s, check=compiled(s)) for s in trial.statements)
    said = {type(leaf) for c in made if c.statement.number for leaf in walk(c.check) if isinstance(leaf, Age | Sex)}
    return tuple(c for c in made if c.statement.number or type(c.check) not in said)
