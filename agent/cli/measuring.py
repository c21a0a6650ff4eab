"""`chartline eval`: answers, evidence and grades over a file of questions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import get_args

from agent import settings
from agent.cli.output import clean, console, is_terminal, tell_note
from agent.errors import EXIT_OK, EXIT_OPERATOR, UserError
from agent.evals.cases import AnswerRow, Case, read_rows, write_rows
from agent.evals.report import grade as grade_rows
from agent.evals.report import table
from agent.settings import Settings

__all__ = ["answers", "evidence", "grade", "trials"]


def answers(questions: Path, charts: Path, out: Path, reasoner: str, limit: int, jobs: int) -> int:
    """Write an answer row for every question; the exit code is 3 when the program failed on some."""
    from agent.evals.runner import run

    given = settings.read()
    known = get_args(Settings.model_fields["reasoner"].annotation)
    if reasoner not in known:
        raise UserError(f"no reasoner {reasoner!r}; there are {', '.join(known)}")
    cases = _cases(questions, limit)
    start = time.perf_counter()
    with _progress(len(cases)) as tell:
        rows = run(cases, charts, "answers", given.model_copy(update={"reasoner": reasoner}), jobs=jobs, progress=tell)
    write_rows(out, rows)
    failed = sum(isinstance(row, AnswerRow) and row.status == "failed" for row in rows)
    tell_note(f"{len(rows)} answers in {time.perf_counter() - start:.1f} s, written to {out}")
    if any(case.expected for case in cases):
        report, _ = grade_rows(cases, [row for row in rows if isinstance(row, AnswerRow)])
        print(table(report))
    if failed:
        tell_note(f"{failed} questions failed; their rows have status failed and say why")
    return EXIT_OPERATOR if failed else EXIT_OK


def evidence(questions: Path, charts: Path, out: Path, limit: int, jobs: int) -> int:
    """Write an evidence row for every question."""
    from agent.evals.runner import run

    cases = _cases(questions, limit)
    with _progress(len(cases)) as tell:
        rows = run(cases, charts, "evidence", settings.read(), jobs=jobs, progress=tell)
    write_rows(out, rows)
    tell_note(f"{len(rows)} prompts written to {out}")
    return EXIT_OK


def grade(questions: Path, given: Path, wrong: int, *, as_json: bool) -> None:
    """Print the report, and the first `wrong` answers that are not right."""
    cases, rows = read_rows(questions, Case), read_rows(given, AnswerRow)
    if not any(case.expected for case in cases):
        raise UserError(f"no row of {str(questions)!r} has 'expected': there is nothing to grade by")
    report, scores = grade_rows(cases, rows)
    print(report.model_dump_json(indent=2) if as_json else table(report))
    by_id = {row.id: row for row in rows}
    for case in [case for case in cases if case.id in scores and not scores[case.id].right][:wrong]:
        expected = case.expected.model_dump_json(exclude_defaults=True) if case.expected else ""
        said = by_id[case.id].answer if case.id in by_id else "(no row)"
        tell_note(clean(f"{case.id} {case.question!r}: expected {expected}, answered {said!r}"))


def trials(folder: Path, charts: Path, questions: Path, out: Path, jobs: int) -> int:
    """Write a verdict row for every statement, trial and patient; each patient as of the days of its questions."""
    from agent.evals.runner import chart_path
    from agent.trials.evaluating import Asked, verdict_rows

    asked = read_rows(questions, Asked)
    if not asked:
        raise UserError(f"{str(questions)!r} holds no questions")
    start = time.perf_counter()
    with _progress(len({(a.patient, a.as_of) for a in asked})) as tell:
        rows = verdict_rows(folder, asked, partial(chart_path, charts), settings.read(), jobs=jobs, progress=tell)
    write_rows(out, rows)
    tell_note(f"{len(rows)} verdicts in {time.perf_counter() - start:.1f} s, written to {out}")
    return EXIT_OK


def _cases(questions: Path, limit: int) -> list[Case]:
    cases = read_rows(questions, Case)
    if not cases:
        raise UserError(f"{str(questions)!r} holds no questions")
    return cases[: limit or None]


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not is_terminal():
        yield lambda number: None
        return
    from rich.progress import Progress

    with Progress(console=console(err=True), transient=True) as bar:
        task = bar.add_task("questions", total=total)
        yield lambda number: bar.advance(task, number)
