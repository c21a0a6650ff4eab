"""MCP over standard input and output, for a client on this machine that starts chartline itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from mcp.server.stdio import stdio_server

from agent.patients import choose
from agent.service.callers import Caller
from agent.service.desk import Desk
from agent.service.mcp_server.seats import Seat, Seats
from agent.service.mcp_server.server import serving
from agent.settings import Settings

__all__ = ["serve_stdio"]


async def serve_stdio(settings: Settings, fhir: Sequence[str], patient: str | None, as_of: date | None) -> None:
    """Serve until the client closes its end. `patient` is an id, exact name or record number; None is the only one.

    Raises UserError where that is not one patient, before anything is served; SourceError.
    """
    caller = Caller(id="local", name=settings.user, via="local")
    async with Desk(settings, fhir=tuple(fhir)) as desk:
        async with desk.source(caller) as source:
            chosen = await choose(source, patient)
        seat = Seat(caller=caller, patient=chosen.id, as_of=as_of)
        server = serving(Seats(desk), lambda _: seat)
        async with stdio_server() as (requests, answers):
            await server.run(requests, answers, server.create_initialization_options())
