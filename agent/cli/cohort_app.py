"""`chartline cohort`: its commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import AsOf, Json, MinCell, NoNames, day

__all__ = ["cohort"]

cohort = typer.Typer(help="Ask many patients at once, on this machine or on a Spark cluster.", no_args_is_help=True)

Folder = Annotated[Path | None, typer.Option("--cohort", metavar="DIR", file_okay=False, help="The cohort's folder.")]
Engine = Annotated[
    str, typer.Option("--engine", metavar="ENGINE", help="duckdb, spark://host:port, or local[2] for Spark here.")
]
Sql = Annotated[bool, typer.Option("--sql", help="Show the SQL of the engine, and ask nothing.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", "-o", metavar="FILE", dir_okay=False, help="Write every row there, as JSON lines."),
]


@cohort.command("load")
def load(
    places: Annotated[
        list[str], typer.Argument(metavar="PATH|URL", help="Files or folders of FHIR, or one server with $export.")
    ],
    folder: Folder = None,
    group: Annotated[str, typer.Option("--group", metavar="ID", help="Export the patients of this Group alone.")] = "",
    views: Annotated[
        Path | None,
        typer.Option("--views", metavar="DIR", exists=True, file_okay=False, help="Further ViewDefinitions to run."),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="How many processes share the files.")] = 1,
    json: Json = False,
) -> None:
    """Make a cohort from Bulk Data, NDJSON or Bundles: all or nothing, and resumed where it was stopped."""
    from agent.cli import cohorting

    cohorting.load(places, folder, group, views, jobs, as_json=json)


@cohort.command("ask")
def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="How many …, or list …", show_default=False)],
    folder: Folder = None,
    engine: Engine = "duckdb",
    as_of: AsOf = None,
    min_cell: MinCell = 0,
    no_names: NoNames = False,
    sql: Sql = False,
    out: Out = None,
    json: Json = False,
) -> None:
    """Count or list the patients for whom everything that is asked holds."""
    from agent.cli import cohorting

    cohorting.ask(question, folder, engine, day(as_of), min_cell, out, no_names=no_names, sql=sql, as_json=json)


@cohort.command("screen")
def screen(
    trial: Annotated[str, typer.Argument(metavar="TRIAL", help="A protocol or a criteria.yaml.", show_default=False)],
    folder: Folder = None,
    engine: Engine = "duckdb",
    as_of: AsOf = None,
    min_cell: MinCell = 0,
    no_names: NoNames = False,
    sql: Sql = False,
    out: Out = None,
    read: Annotated[
        list[str] | None,
        typer.Option(
            "--read", metavar="URL|PATH", help="Let the reader of the settings read the charts of who passes."
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="FILE", dir_okay=False, help="With --read: go on where it stopped."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="With --read: use the model without asking again.")] = False,
    json: Json = False,
) -> None:
    """Hold a cohort against a trial's checks; who passes, or cannot be told, is for a reader."""
    from agent.cli import cohorting

    cohorting.screen(
        trial, folder, engine, day(as_of), min_cell, out, read or (), state,
        no_names=no_names, sql=sql, yes=yes, as_json=json,
    )  # fmt: skip
