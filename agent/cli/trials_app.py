"""`chartline trials`: its commands and their options."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import AsOf, Fhir, Json, MinCell, NoNames, Patient, Verbose, day

__all__ = ["trials"]

trials = typer.Typer(help="Hold patients against a trial's criteria, statement by statement.", no_args_is_help=True)


class Format(StrEnum):
    """How a worklist is written."""

    TERMINAL = "terminal"
    JSON = "json"
    CSV = "csv"
    HTML = "html"
    FHIR = "fhir"


Trial = Annotated[
    str,
    typer.Argument(
        metavar="TRIAL",
        help="A protocol (ClinicalTrials.gov JSON, text, ResearchStudy), a criteria.yaml, or an NCT number.",
        show_default=False,
    ),
]  # fmt: skip
Charts = Annotated[
    Path | None,
    typer.Option("--charts", metavar="DIR", exists=True, file_okay=False, help="Folder of <patient id>.json.gz."),
]


@trials.command("compile")
def compile_(
    trial: Trial,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", dir_okay=False, help="Where the checks go.")
    ] = None,
) -> None:
    """Write a protocol's statements with their checks as YAML, to read and edit; the edited file is what runs."""
    from agent.cli import trialling

    trialling.compile_(trial, out)


@trials.command("match")
def match(
    trial: Trial,
    charts: Charts = None,
    fhir: Fhir = None,
    cohort: Annotated[
        Path | None,
        typer.Option(
            "--cohort", metavar="DIR", file_okay=False, help="Look only at whom this cohort does not exclude."
        ),
    ] = None,
    patient: Annotated[
        list[str] | None, typer.Option("--patient", "-p", metavar="ID", help="Only this one; may be repeated.")
    ] = None,
    as_of: AsOf = None,
    format_: Annotated[Format, typer.Option("--format", help="How the worklist is written.")] = Format.TERMINAL,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", dir_okay=False, help="Write to a file.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="FILE", dir_okay=False, help="Keep the run here; the next looks only at who changed."
        ),
    ] = None,
    min_cell: MinCell = 0,
    no_names: NoNames = False,
    verbose: Verbose = False,
) -> None:
    """Rank patients for a trial: eligible, possibly eligible by fewest open points, excluded with the reason."""
    from agent.cli import trialling

    raise typer.Exit(
        trialling.match(
            trial,
            charts,
            fhir or (),
            cohort,
            patient or (),
            day(as_of),
            format_.value,
            out,
            state,
            min_cell,
            no_names=no_names,
            verbose=verbose,
        )
    )


@trials.command("find")
def find(
    folder: Annotated[
        Path, typer.Option("--trials", metavar="DIR", exists=True, file_okay=False, help="Folder of protocols.")
    ],
    patient: Patient = None,
    fhir: Fhir = None,
    as_of: AsOf = None,
    json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Rank trials for one patient."""
    from agent.cli import trialling

    trialling.find(folder, patient, fhir or (), day(as_of), as_json=json, verbose=verbose)
