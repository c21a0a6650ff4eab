"""`chartline service`: its commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import AsOf, Fhir, Json, day

__all__ = ["service"]

service = typer.Typer(help="Work beside the service: answers computed ahead, cards for EHRs.", no_args_is_help=True)

Cards = Annotated[
    Path | None,
    typer.Option("--cards", metavar="FILE", dir_okay=False, help="The file of cards, instead of CHARTLINE_CDS_CARDS."),
]


@service.command("ahead")
def ahead(
    patients: Annotated[
        Path | None,
        typer.Option(
            "--patients",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Ids of patients, one a line; - for standard input. Without it: those with an appointment today.",
            allow_dash=True,
        ),
    ] = None,
    cards: Cards = None,
    fhir: Fhir = None,
    as_of: AsOf = None,
    json: Json = False,
) -> None:
    """Answer the questions of the cards ahead, so that an EHR need not wait for them."""
    from agent.cli import preparing

    raise typer.Exit(preparing.ahead(patients, cards, fhir or (), day(as_of), as_json=json))


@service.command("cards")
def cards_(cards: Cards = None) -> None:
    """Check the file of cards, and tell what each does."""
    from agent.cli import preparing

    raise typer.Exit(preparing.cards(cards))


@service.command("feedback")
def feedback(json: Json = False) -> None:
    """How often each card was shown, taken and dismissed, and why."""
    from agent.cli import preparing

    raise typer.Exit(preparing.feedback(as_json=json))
