"""Whether an answer is right, and whether it rests on what it should. No model judges.

Where an answer row has a `value` it decides, and the text must say the same; otherwise the text is read.
A text that lists half the chart is not an answer: see `_DUMP`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from agent.evals.cases import AnswerRow, Case, Expected
from fhir_tools import units
from fhir_tools.types import Quantity

__all__ = ["Score", "dates_in", "numbers_in", "score"]

_DUMP = (600, 8, 6)
"""An answer to a one-value question has at most so many characters, numbers and dates."""
_SET_F1 = 0.8
_MANY = 0.9
"""The share of its support that an answer which rests on many resources must cite."""

_MONTHS = {name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})[a-z]*\.?"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DATES = (
    re.compile(r"\b(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2})?)?"),
    re.compile(r"\b(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})\b"),
    re.compile(rf"\b{_MONTH}\s+{_DAY},?\s+(?P<year>\d{{4}})\b", re.IGNORECASE),
    re.compile(rf"\b{_DAY}\s+{_MONTH},?\s+(?P<year>\d{{4}})\b", re.IGNORECASE),
)
_REFERENCE = re.compile(r"\b[A-Z][A-Za-z]+/[A-Za-z0-9.\-]+")
_MARKS = re.compile(r"\[[a-z]?\d+(?:\s*,\s*[a-z]?\d+)*\]")
_NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:,\d{3})*(?:\.\d+)?")
_DENIAL = re.compile(r"\b(?:no|not|none|never|without|nothing|cannot|zero)\b|n't\b", re.IGNORECASE)
_LESS = re.compile(r"[<≤]|\b(?:less|lower) than\b|\bbelow\b|\bunder\b", re.IGNORECASE)
_FALLEN = re.compile(r"\b(?:stopped|discontinued|lower|decreased|fell|dropped)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one answer did. `told_wrong`: not right, yet told as fact. `cited` is None where nothing could be cited."""

    right: bool
    told_wrong: bool
    abstained: bool
    cited: bool | None
    cited_good: int
    cited_total: int
    recall: float | None


def score(case: Case, row: AnswerRow) -> Score:
    """Grade one row. Raises ValueError when the case has no `expected`."""
    if case.expected is None:
        raise ValueError(f"case {case.id!r} has no 'expected' to grade by")
    right = _right(case.expected, row)
    support, cited = set(case.support), set(row.citations)
    hit = len(support & cited)
    needed = _MANY * len(support) if _rests_on_many(case) else 1
    answerable = bool(support) and case.expected.kind != "abstain"
    return Score(
        right=right,
        told_wrong=not right and row.status == "answered",
        abstained=row.abstained,
        cited=(hit >= needed and len(cited) <= 3 * len(support) + 5) if answerable else None,
        cited_good=hit if answerable else 0,
        cited_total=len(cited) if answerable else 0,
        recall=hit / len(support) if answerable else None,
    )


def _rests_on_many(case: Case) -> bool:
    """Sets, and counts and means, which nothing but all of their resources holds."""
    kind = case.expected.kind if case.expected else ""
    return kind in ("set", "dates") or (kind == "number" and len(case.support) > 2)


def _right(expected: Expected, row: AnswerRow) -> bool:
    if row.status in ("refused", "failed"):
        return False
    if expected.kind == "abstain" or (expected.absent and row.abstained):
        return _denies(row)
    if expected.absent:
        return _yes_or_no(row) is False
    if row.abstained or not row.answer.strip():
        return False
    return (expected.kind in _LISTS or not _dumps(row.answer)) and _KINDS[expected.kind](expected, row)


def _denies(row: AnswerRow) -> bool:
    return row.abstained or (bool(_DENIAL.search(row.answer)) and not numbers_in(row.answer))


def _dumps(text: str) -> bool:
    return any(n > most for n, most in zip((len(text), len(numbers_in(text)), len(dates_in(text))), _DUMP, strict=True))


def dates_in(text: str) -> set[str]:
    """The calendar dates written in the text in any usual form, as YYYY-MM-DD."""
    found = (match for pattern in _DATES for match in pattern.finditer(text))
    return {f"{m['year']}-{_month(m['month']):02d}-{int(m['day']):02d}" for m in found}


def _month(text: str) -> int:
    return int(text) if text.isdigit() else _MONTHS[text[:3].lower()]


def numbers_in(text: str) -> list[str]:
    """The numbers of the text as written, less those of dates, references and marks."""
    for pattern in (_REFERENCE, *_DATES, _MARKS):
        text = pattern.sub(" ", text)
    return [number.replace(",", "") for number in _NUMBER.findall(text)]


def _agrees(written: str, value: float, tolerance: float | None) -> bool:
    """Whether a written number is the value rounded as it is written (to two digits or more) or within tolerance."""
    number = float(written)
    if tolerance is not None:
        return abs(number - value) <= tolerance
    decimals = len(written.partition(".")[2])
    digits = len(written.replace(".", "").lstrip("-+0"))
    rounded = (decimals > 0 or digits > 1) and abs(abs(number) - abs(value)) <= 0.5 * 10**-decimals + 1e-9
    return rounded or abs(abs(number) - abs(value)) < 1e-9


def _number(expected: Expected, row: AnswerRow) -> bool:
    value = float(expected.value or 0)
    said = any(_agrees(n, value, expected.tolerance) for n in numbers_in(row.answer))
    given = _value(row, "number")
    if given is None:
        return said
    if isinstance(given, bool) or not isinstance(given, int | float):
        return False
    unit = (row.value or {}).get("unit")
    if not _same_unit(unit, expected.unit):
        return _agrees(f"{_in_unit(float(given), unit, expected.unit):.6g}", value, expected.tolerance)
    # In the text a sign may be a word ("fell by 0.8"). "By how much" expects a magnitude; a minus is always meant.
    return said and (value >= 0 or given <= 0) and _agrees(f"{given:.6g}", value, expected.tolerance)


def _same_unit(a: str | None, b: str | None) -> bool:
    return not a or not b or a == b or units.canonical(a, None) == units.canonical(b, None)


def _in_unit(value: float, unit: str | None, wanted: str | None) -> float:
    """The value in another unit, NaN (which agrees with nothing) where the two cannot be compared."""
    try:
        return units.convert(Quantity(value=value, unit=unit, code=unit), wanted or "").value
    except units.UnitError:
        return float("nan")


def _numbers(expected: Expected, row: AnswerRow) -> bool:
    written = numbers_in(row.answer)
    return all(any(_agrees(n, value, expected.tolerance) for n in written) for value in expected.values)


def _comparator(expected: Expected, row: AnswerRow) -> bool:
    value = float(expected.value or 0)
    return bool(_LESS.search(row.answer)) and any(_agrees(n, value, expected.tolerance) for n in numbers_in(row.answer))


def _date(expected: Expected, row: AnswerRow) -> bool:
    given = _value(row, "date")
    return expected.date in dates_in(row.answer) and (given is None or str(given)[:10] == expected.date)


def _bool(expected: Expected, row: AnswerRow) -> bool:
    given = _value(row, "bool")
    return (given if given is not None else _yes_or_no(row)) is expected.value


def _yes_or_no(row: AnswerRow) -> bool | None:
    """The answer's value where it has one, else its first "yes" or "no", else whether it denies."""
    if row.value and row.value.get("kind") == "bool":
        return bool(row.value["value"])
    head = row.answer[:400].lower()
    said = re.search(r"\b(yes|no)\b", head)
    if said:
        return said[1] == "yes"
    return not (_DENIAL.search(head) or _FALLEN.search(head)) if head.strip() else None


def _dates(expected: Expected, row: AnswerRow) -> bool:
    return _f1(dates_in(row.answer), set(expected.dates)) >= _SET_F1


def _text(expected: Expected, row: AnswerRow) -> bool:
    return _plain(str(expected.value)) in _plain(row.answer)


def _set(expected: Expected, row: AnswerRow) -> bool:
    said = _plain(row.answer)
    hit = {item for item in expected.items if _plain(item) in said}
    # A name within a name that is rightly told ("asthma" in "childhood asthma") is no mistake.
    inside = " | ".join(_plain(item) for item in hit)
    wrong = {x for x in expected.universe if x not in expected.items and _plain(x) in said and _plain(x) not in inside}
    return _f1(hit | wrong, set(expected.items)) >= _SET_F1


def _f1(got: set[str], wanted: set[str]) -> float:
    return 2 * len(got & wanted) / (len(got) + len(wanted)) if got or wanted else 1.0


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", _MARKS.sub(" ", text.lower())).strip()


def _value(row: AnswerRow, kind: str) -> object:
    """The row's value; None where it has none. One of another kind is False, which is never right."""
    if row.value is None:
        return None
    return row.value.get("value") if row.value.get("kind") == kind else ""


_LISTS = ("set", "dates", "text")
_KINDS: dict[str, Callable[[Expected, AnswerRow], bool]] = {
    "number": _number,
    "numbers": _numbers,
    "comparator": _comparator,
    "date": _date,
    "dates": _dates,
    "bool": _bool,
    "text": _text,
    "set": _set,
}
