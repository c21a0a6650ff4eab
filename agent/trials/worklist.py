"""The worklist: patients in the order in which to look at them, counts that may be masked, and what changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from agent.trials.types import Outcome, Screened, Verdict, VerdictWord

__all__ = ["Change", "Failed", "Worklist", "changes_of", "masked", "ranked", "worklist"]

_ORDER: Mapping[Outcome, int] = {"eligible": 0, "possibly eligible": 1, "excluded": 2}
MASKED = "masked"


class _Out(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Change(_Out):
    """What a new screening tells otherwise than the one before: a verdict, or (number None) the outcome."""

    patient: str
    number: int | None = None
    text: str = ""
    before: str
    after: str
    reason: str = ""


class Failed(_Out):
    """A patient who could not be screened, and why; never one who is passed over."""

    patient: str
    error: str


class Criterion_(_Out):  # noqa: N801  beside agent.trials.types.Criterion
    """How one statement came out. Counts under the threshold are told as `<N`."""

    number: int
    section: str
    text: str
    verdicts: Mapping[str, int | str]


class Worklist(_Out):
    """A trial's patients, ranked. `looked` of them were looked at this time; the others had not changed."""

    trial: str
    title: str
    as_of: str
    checks: str
    counts: Mapping[str, int | str]
    criteria: tuple[Criterion_, ...]
    rows: tuple[Screened, ...]
    looked: int | str
    changes: tuple[Change, ...] = ()
    failed: tuple[Failed, ...] = ()
    warnings: tuple[str, ...] = ()


def ranked(rows: Iterable[Screened]) -> tuple[Screened, ...]:
    """Eligible, then possibly eligible with the fewest open points (unknown ones count first), then excluded."""
    return tuple(sorted(rows, key=lambda s: (_ORDER[s.outcome], _unknown(s), len(s.open), s.trial, s.patient)))


def _unknown(screened: Screened) -> int:
    return sum(v.verdict == "unknown" for v in screened.verdicts)


def worklist(
    trial: str, title: str, as_of: str, checks: str, rows: Sequence[Screened], *, looked: int, min_cell: int = 0,
    changes: Sequence[Change] = (), failed: Sequence[Failed] = (), warnings: Sequence[str] = (),
) -> Worklist:  # fmt: skip
    """The worklist of screened patients. `min_cell` masks counts from 1 to below it, in all tables of counts."""
    counts = Counter(row.outcome for row in rows)
    outcomes: dict[str, int] = {name: counts.get(name, 0) for name in _ORDER}
    return Worklist(
        trial=trial, title=title, as_of=as_of, checks=checks, counts=masked(outcomes, min_cell),
        criteria=tuple(_criteria(rows, min_cell)), rows=ranked(rows),
        looked=looked if not 0 < looked < min_cell else f"<{min_cell}",
        changes=tuple(changes), failed=tuple(failed), warnings=tuple(warnings),
    )  # fmt: skip


def _criteria(rows: Sequence[Screened], min_cell: int) -> Iterable[Criterion_]:
    words: tuple[VerdictWord, ...] = ("met", "not_met", "unknown")
    for at, first in enumerate(rows[0].verdicts if rows else ()):
        counts = Counter(row.verdicts[at].verdict for row in rows)
        told = masked({word: counts.get(word, 0) for word in words}, min_cell)
        yield Criterion_(number=first.number, section=first.section, text=first.text, verdicts=told)


def masked(counts: Mapping[str, int], least: int) -> dict[str, int | str]:
    """The counts, those from 1 to below `least` as `<least`. Where one alone is hidden, the next smallest is too:
    the total would give it away."""
    hidden = {name for name, n in counts.items() if 0 < n < least}
    also = (
        min((n for name, n in counts.items() if n and name not in hidden), default=None) if len(hidden) == 1 else None
    )
    second = next((name for name, n in counts.items() if n == also and name not in hidden), None) if also else None
    return {name: f"<{least}" if name in hidden else MASKED if name == second else n for name, n in counts.items()}


def changes_of(before: Screened, after: Screened) -> tuple[Change, ...]:
    """What is otherwise than before: the outcome first, then each statement's verdict."""
    old = {v.number: v for v in before.verdicts if v.number}
    told = []
    if before.outcome != after.outcome:
        told.append(Change(patient=after.patient, before=before.outcome, after=after.outcome, reason=after.why))
    told += [
        _change(after.patient, old[v.number], v)
        for v in after.verdicts
        if v.number in old and old[v.number].verdict != v.verdict
    ]
    return tuple(told)


def _change(patient: str, before: Verdict, after: Verdict) -> Change:
    return Change(
        patient=patient,
        number=after.number,
        text=after.text,
        before=before.verdict,
        after=after.verdict,
        reason=after.reason,
    )
