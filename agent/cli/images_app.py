"""`chartline images`: its commands and their options."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import AsOf, Fhir, Json, Patient, day

__all__ = ["images"]

images = typer.Typer(
    help="What pictures a chart has, one of them as a PNG, and what models make of them.", no_args_is_help=True
)


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


Image = Annotated[str, typer.Argument(help="Type/id, as the list has it.", show_default=False)]


@images.command("triage")
def images_triage(
    patients: Annotated[
        list[str] | None, typer.Option("--patient", "-p", help="A patient; may be given again. None: all there are.")
    ] = None,
    worklist: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", dir_okay=False, help="Lines of: patient, or patient and image."),
    ] = None,
    modality: Annotated[str, typer.Option("--modality", metavar="CODE", help="Only this: DX, CT, …")] = "",
    since: Annotated[
        datetime | None,
        typer.Option("--since", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="All since then, not the newest."),
    ] = None,
    as_of: AsOf = None,
    fhir: Fhir = None,
    json: Json = False,
) -> None:
    """Put studies in an order to read them in, by what the vision model sees; no verdict about any of them."""
    from agent.cli import reporting

    code = reporting.triage(patients or (), worklist, modality, day(since), day(as_of), fhir or (), as_json=json)
    raise typer.Exit(code)


@images.command("similar")
def images_similar(
    reference: Image,
    patient: Patient = None,
    others: Annotated[
        list[str] | None, typer.Option("--with", metavar="PATIENT", help="Also among this patient's images.")
    ] = None,
    everyone: Annotated[bool, typer.Option("--all-patients", help="Among the images of every patient.")] = False,
    count: Annotated[int, typer.Option("--count", min=1, max=1000, help="How many to show.")] = 10,
    fhir: Fhir = None,
    json: Json = False,
) -> None:
    """Find the images that are most like one, in the same chart unless told otherwise; keeps an index of them."""
    from agent.cli import embedding

    raise typer.Exit(
        embedding.similar_images(reference, patient, others or (), everyone, count, fhir or (), as_json=json)
    )


@images.command("label")
def images_label(
    reference: Image,
    labels: Annotated[list[str], typer.Option("--label", "-l", help="A few words; may be given again.")],
    patient: Patient = None,
    fhir: Fhir = None,
    json: Json = False,
) -> None:
    """Tell how well labels fit an image (zero-shot), the likeliest first."""
    from agent.cli import embedding

    raise typer.Exit(embedding.label_image(reference, patient, labels, fhir or (), as_json=json))


@images.command("calibrate")
def images_calibrate(
    file: Annotated[Path, typer.Argument(help="CSV: patient,image,label,present.", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.json", help="Where it goes.", dir_okay=False)],
    fhir: Fhir = None,
) -> None:
    """Fit how likely labels are to images whose labels are known."""
    from agent.cli import embedding

    raise typer.Exit(embedding.calibrate(file, out, fhir or ()))
