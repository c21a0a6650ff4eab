"""`chartline eval`: its commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Charts, Jobs, Json, Limit, Out, Rows

__all__ = ["evals"]

evals = typer.Typer(help="Measure answers over a file of questions.", no_args_is_help=True)


@evals.command("run")
def eval_run(
    questions: Rows,
    charts: Charts,
    out: Out,
    reasoner: Annotated[str, typer.Option("--reasoner", help="What reasons over the cards.")] = "rules",
    limit: Limit = 0,
    jobs: Jobs = 1,
) -> None:
    """Answer every question; grade them where the rows say what is expected."""
    from agent.cli import measuring

    raise typer.Exit(measuring.answers(questions, charts, out, reasoner, limit, jobs))


@evals.command("evidence")
def eval_evidence(questions: Rows, charts: Charts, out: Out, limit: Limit = 0, jobs: Jobs = 1) -> None:
    """Write what a model would be sent first for every question, and what each mark in it stands for."""
    from agent.cli import measuring

    raise typer.Exit(measuring.evidence(questions, charts, out, limit, jobs))


@evals.command("grade")
def eval_grade(
    questions: Rows,
    answers: Annotated[Path, typer.Argument(exists=True, dir_okay=False, metavar="ANSWERS.jsonl", show_default=False)],
    json: Json = False,
    wrong: Annotated[int, typer.Option("--wrong", min=0, help="Also print up to N wrong answers.")] = 0,
) -> None:
    """Grade answers against what the questions expect."""
    from agent.cli import measuring

    measuring.grade(questions, answers, wrong, as_json=json)


@evals.command("trials")
def eval_trials(
    trials: Annotated[
        Path, typer.Option("--trials", metavar="DIR", exists=True, file_okay=False, help="Folder of protocols.")
    ],
    charts: Charts,
    questions: Annotated[
        Path,
        typer.Option("--questions", metavar="FILE", exists=True, dir_okay=False, help="Whose charts, as of which day."),
    ],
    out: Out,
    jobs: Jobs = 1,
) -> None:
    """Write a verdict for every statement of every trial and every patient."""
    from agent.cli import measuring

    raise typer.Exit(measuring.trials(trials, charts, questions, out, jobs))
