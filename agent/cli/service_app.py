"""`chartline service`: who may ask the service."""

from __future__ import annotations

from typing import Annotated

import typer

from agent.cli.options import Json

__all__ = ["service"]

service = typer.Typer(help="Who may ask the service (chartline serve).", no_args_is_help=True)
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
