"""Grade the rules reasoner on questions about notes whose answers were written down beforehand.

    python -m benchmarks.bench_notes QUESTIONS.jsonl --charts FOLDER [--wrong N]

A row has `id, patient, as_of, question, expected`. `expected.kind` is `quote` (`any`: one of these stands in a quoted
span, whatever its case and blanks; `assertion`: how the span means it, where that is judged) or `absent` (the notes
do not hold it). Right is a quote with such a phrase that is told as it is meant, or `not_found`. A cited span is right
when the document, read anew, holds the quote at its offset and one of the quotes holds the phrase. Fails (exit 1)
below the targets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from agent.evals.runner import chart_path
from agent.settings import Settings
from agent.sources import open_source
from agent.types import Answer
from agent.wire import Agent
from fhir_tools.documents import read_document
from fhir_tools.facts import facts_of
from fhir_tools.source import Source
from fhir_tools.types import Reference

__all__ = ["Graded", "grade", "main", "quotes_of"]

TARGETS = {"right": 0.85, "cited": 0.95, "told": 0.02}
_MEANT = ("negated", "uncertain", "family")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One answer: whether it is right, its spans stand and hold the phrase, and it tells as a finding what is none."""

    row: Row
    answer: Answer
    right: bool
    cited: bool
    told: bool

    @property
    def quotes(self) -> bool:
        """Whether the row asks for a quote, and the answer gives one."""
        return self.row["expected"]["kind"] == "quote" and bool(quotes_of(self.answer))


def quotes_of(answer: Answer) -> list[tuple[str, str]]:
    """(quote, how it is meant) of every claim that quotes a document; affirmed where nothing else is said."""
    spans = {c.mark: c.span.quote for c in answer.citations if c.span}
    out = []
    for claim in answer.claims:
        quotes = [spans[m] for m in claim.marks if m in spans and " ".join(spans[m].split()) in claim.text]
        out += [(q, _meant(claim.text)) for q in quotes]
    return out


def _meant(text: str) -> str:
    tail = text.rsplit('"', 1)[-1]
    return next((word for word in (*_MEANT, "historical") if word in tail), "affirmed")


def grade(row: Row, answer: Answer, stands: bool) -> Graded:
    """The grade of one answer; `stands` is whether every quote stands in its document at its offset."""
    expected = row["expected"]
    if expected["kind"] == "absent":
        return Graded(row=row, answer=answer, right=answer.status == "not_found", cited=True, told=False)
    quotes = quotes_of(answer)
    holding = [(q, how) for q, how in quotes if any(_flat(p) in _flat(q) for p in expected["any"])]
    wanted = expected.get("assertion")
    right = answer.status == "answered" and any(_is_meant(how, wanted) for _, how in holding)
    told = wanted in _MEANT and any(how not in _MEANT for _, how in holding)
    return Graded(row=row, answer=answer, right=right, cited=stands and bool(holding), told=told)


def _is_meant(how: str, wanted: str | None) -> bool:
    if wanted is None:
        return True
    return how in ("affirmed", "historical") if wanted == "affirmed" else how == wanted


def _flat(text: str) -> str:
    return " ".join(text.split()).casefold()


async def _stand(answer: Answer, source: Source) -> bool:
    """Whether the documents, read anew, hold every quote at its offset, character for character."""
    for citation in answer.citations:
        if citation.span is None:
            continue
        resource = await source.read(Reference.parse(citation.reference))
        document = await read_document(resource, facts_of(resource)[0], source)
        if document.text[citation.span.start : citation.span.end] != citation.span.quote:
            return False
    return True


async def _graded(rows: Iterable[Row], charts: Path) -> list[Graded]:
    by_patient: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_patient[row["patient"]].append(row)
    out = []
    settings = Settings(audit=None)
    for patient, asked in by_patient.items():
        async with open_source(chart_path(charts, patient), settings) as source:
            agent = Agent(source, patient, as_of=date.fromisoformat(asked[0]["as_of"]), settings=settings)
            for row in asked:
                answer = await agent.ask(row["question"])
                out.append(grade(row, answer, await _stand(answer, source)))
    return out


def figures(graded: list[Graded]) -> dict[str, float]:
    """The shares that the targets are about."""
    quoting = [g for g in graded if g.quotes]
    meant = [g for g in graded if g.row["expected"].get("assertion") in _MEANT]
    return {
        "right": sum(g.right for g in graded) / len(graded),
        "cited": sum(g.cited for g in quoting) / max(1, len(quoting)),
        "told": sum(g.told for g in meant) / max(1, len(meant)),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("questions", type=Path, nargs="?")
    parser.add_argument("--charts", type=Path, help="folder of <patient id>.json.gz")
    parser.add_argument("--wrong", type=int, default=0, help="show up to N answers that are not right")
    arguments = parser.parse_args()
    if arguments.questions is None or arguments.charts is None:
        print("no questions given: name the file of questions and --charts")
        return 0
    rows = [json.loads(line) for line in arguments.questions.read_text(encoding="utf-8").splitlines() if line.strip()]
    graded = asyncio.run(_graded(rows, arguments.charts))
    for g in [g for g in graded if g.told or not (g.right and g.cited)][: arguments.wrong]:
        print(
            f"\n{g.row['id']} {g.row['question']}\n  wanted {g.row['expected']}\n  {g.answer.status}: {g.answer.text}"
        )
    found = figures(graded)
    print(f"\n{'figure':<58}{'target':>9}{'measured':>11}")
    print(f"{f'right, of {len(graded)} questions':<58}{'≥ 0.85':>9}{found['right']:>11.3f}")
    print(f"{'answers with quotes whose span is right':<58}{'≥ 0.95':>9}{found['cited']:>11.3f}")
    print(f"{'negated, uncertain, family told as findings':<58}{'< 0.02':>9}{found['told']:>11.3f}")
    met = found["right"] >= TARGETS["right"] and found["cited"] >= TARGETS["cited"] and found["told"] < TARGETS["told"]
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
