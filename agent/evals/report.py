"""What an evaluation came to: by family and in all, as a record, as JSON and as a table in plain text."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from agent.evals.cases import AnswerRow, Case
from agent.evals.scorers import Score, score

__all__ = ["Report", "Tally", "grade", "table"]


class Tally(BaseModel):
    """How many of a family were right."""

    model_config = ConfigDict(frozen=True)
    right: int
    asked: int

    @property
    def share(self) -> float:
        return self.right / self.asked if self.asked else 0.0


class Report(BaseModel):
    """Shares are 0 to 1, None where nothing was there to measure; medians are over the rows answered.

    `cited`: right answers whose citations hold their support. `precision`: citations that are support.
    `recall`: support that was cited, averaged over questions. `told_wrong`: told as fact and not right.
    """

    model_config = ConfigDict(frozen=True)
    asked: int
    answered: int
    ungraded: int
    accuracy: float | None
    cited: float | None
    precision: float | None
    recall: float | None
    absent: Tally
    answerable_abstained: Tally
    told_wrong: float | None
    median_seconds: float | None
    median_prompt_tokens: float | None
    families: dict[str, Tally]


def grade(cases: Iterable[Case], answers: Iterable[AnswerRow]) -> tuple[Report, dict[str, Score]]:
    """Grade rows by id; a question without an answer row counts as wrong. Also the score of each id.

    Cases without `expected` are counted as ungraded.
    """
    rows = {row.id: row for row in answers}
    everything = list(cases)
    graded = [case for case in everything if case.expected]
    scores = {case.id: score(case, rows.get(case.id, AnswerRow(id=case.id, status="failed"))) for case in graded}
    absent = [case for case in graded if case.expected and case.expected.kind == "abstain"]
    there = [case for case in graded if case not in absent]
    right = [s for s in scores.values() if s.right]
    report = Report(
        asked=len(everything),
        answered=sum(case.id in rows for case in everything),
        ungraded=len(everything) - len(graded),
        accuracy=_share(len(right), len(graded)),
        cited=_share(sum(s.cited is True for s in right), sum(s.cited is not None for s in right)),
        precision=_share(sum(s.cited_good for s in scores.values()), sum(s.cited_total for s in scores.values())),
        recall=_mean([s.recall for s in scores.values() if s.recall is not None]),
        absent=Tally(right=sum(scores[c.id].right for c in absent), asked=len(absent)),
        answerable_abstained=Tally(
            right=sum(scores[c.id].abstained and not (c.expected and c.expected.absent) for c in there),
            asked=len(there),
        ),
        told_wrong=_share(sum(s.told_wrong for s in scores.values()), len(graded)),
        median_seconds=_median([row.seconds for row in rows.values()]),
        median_prompt_tokens=_median([row.prompt_tokens for row in rows.values()]),
        families=_families(graded, scores),
    )
    return report, scores


def _families(cases: Iterable[Case], scores: Mapping[str, Score]) -> dict[str, Tally]:
    found: dict[str, list[bool]] = defaultdict(list)
    for case in cases:
        found[case.family].append(scores[case.id].right)
    return {name: Tally(right=sum(rights), asked=len(rights)) for name, rights in sorted(found.items())}


def table(report: Report) -> str:
    """The report for a terminal: the families, the weakest first, then the figures."""
    families = sorted(report.families.items(), key=lambda item: (item[1].share, item[0]))
    width = max((len(name) for name in report.families), default=0)
    lines = [f"{name:<{width}}  {t.right:>5} / {t.asked:<5} {t.share:>7.1%}" for name, t in families]
    figures = {
        "accuracy": _percent(report.accuracy),
        "right answers cited": _percent(report.cited),
        "citation precision": _percent(report.precision),
        "citation recall": _percent(report.recall),
        "absent recognised": f"{report.absent.right} / {report.absent.asked}",
        "answerable, told as absent": f"{report.answerable_abstained.right} / {report.answerable_abstained.asked}",
        "wrong, told as fact": _percent(report.told_wrong),
        "median seconds": f"{report.median_seconds:.3f}" if report.median_seconds is not None else "–",
    }
    answered = f"{report.answered} of {report.asked} answered" + (
        f", {report.ungraded} ungraded" if report.ungraded else ""
    )
    return "\n".join((*lines, "", *(f"{name:<27} {figure}" for name, figure in figures.items()), answered))


def _percent(share: float | None) -> str:
    return f"{share:.1%}" if share is not None else "–"


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _mean(values: list[float]) -> float | None:
    return round(statistics.fmean(values), 4) if values else None


def _median(values: list[float]) -> float | None:
    return round(statistics.median(values), 4) if values else None
