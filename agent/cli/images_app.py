"""`chartline images`: its commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import AsOf, Fhir, Json, Patient, day

__all__ = ["images"]

images = typer.Typer(help="What pictures a chart has, and one of them as a PNG.", no_args_is_help=True)


@images.command("list")
def images_list(patient: Patient = None, as_of: AsOf = None, fhir: Fhir = None, json: Json = False) -> None:
    """List the studies and pictures of a chart, newest first, with their reports and where their pixels are."""
    from agent.cli import picturing

    raise typer.Exit(picturing.list_images(patient, day(as_of), fhir or (), as_json=json))


@images.command("show")
def images_show(
    reference: Annotated[str, typer.Argument(help="Type/id, as the list has it.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.png", help="Where the picture goes.", dir_okay=False)],
    patient: Patient = None,
    frame: Annotated[
        int | None, typer.Option("--frame", min=1, help="The slice or page, from 1; else a middle one.")
    ] = None,
    series: Annotated[
        int | None, typer.Option("--series", min=1, help="Only of this series, from 1 as listed.")
    ] = None,
    model: Annotated[
        bool, typer.Option("--model", help="As a model would get it: 896 x 896, CT in three windows.")
    ] = False,
    fhir: Fhir = None,
) -> None:
    """Write one picture, slice or page as PNG, without any tag of its file."""
    from agent.cli import picturing

    picturing.show_image(reference, patient, out, frame, series, fhir or (), as_model=model)
