"""`chartline service`: who may ask the service, and the cards that it shows in EHRs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import AsOf, Fhir, Json, day

__all__ = ["service"]

service = typer.Typer(
    help="Beside the service (chartline serve): who may ask it, and the cards that EHRs show.", no_args_is_help=True
)
key = typer.Typer(help="API keys, each for one program.", no_args_is_help=True)
service.add_typer(key, name="key")


@key.command("add")
def key_add(
    name: Annotated[str, typer.Argument(help="What the program is called on record.", show_default=False)],
    patient: Annotated[
        str | None, typer.Option("--patient", "-p", metavar="ID", help="The only patient that it may ask about.")
    ] = None,
) -> None:
    """Make a key and print it, once."""
    from agent.cli import keeping_keys

    raise typer.Exit(keeping_keys.add(name, patient))


@key.command("list")
def key_list(json: Json = False) -> None:
    """List the keys, without the keys themselves."""
    from agent.cli import keeping_keys

    raise typer.Exit(keeping_keys.show(as_json=json))


@key.command("remove")
def key_remove(
    which: Annotated[str, typer.Argument(metavar="NAME|ID", help="The key's name or id.", show_default=False)],
) -> None:
    """Take a key back; it is refused from now on, and whoever signed in with it is signed out."""
    from agent.cli import keeping_keys

    raise typer.Exit(keeping_keys.remove(which))


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
