"""`chartline serve`: the service on this machine, until Ctrl-C. `chartline mcp`: one chart to one client."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import date

from agent import settings as settings_module
from agent.cli.output import tell_note
from agent.cli.serving import OPTIONS, is_loopback, listening, url_of
from agent.errors import EXIT_OK, MissingExtra, UserError
from agent.settings import Settings

__all__ = ["mcp", "serve"]

_EXTRA = ("uvicorn", "fastapi", "starlette", "sqlalchemy", "mcp", "mcp_types", "prometheus_client")


def serve(fhir: Sequence[str], host: str, port: int, as_of: date | None) -> int:
    """Serve until Ctrl-C. Raises UserError where others could reach it unasked; MissingExtra."""
    if not is_loopback(host):
        raise UserError(f"{host!r} can be reached from other machines, and nobody would be asked who they are")
    settings = settings_module.read()
    settings = settings.model_copy(update={"as_of": as_of or settings.as_of})
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(settings, tuple(fhir), host, port))
    finally:
        signal.signal(signal.SIGTERM, before)
    return EXIT_OK


def mcp(patient: str | None, fhir: Sequence[str], as_of: date | None) -> None:
    """Serve one patient's chart over standard input and output. Raises UserError for an unknown one; MissingExtra."""
    try:
        from agent.service.mcp_server.stdio import serve_stdio
    except ModuleNotFoundError as missing:
        raise _missing("mcp", missing) from missing
    with suppress(KeyboardInterrupt):
        asyncio.run(serve_stdio(settings_module.read(), fhir, patient, as_of))


def _missing(command: str, missing: ModuleNotFoundError) -> Exception:
    """What to say of a package that is not there: one of the extra, or else chartline's own fault."""
    return MissingExtra(command, "service") if (missing.name or "").partition(".")[0] in _EXTRA else missing


async def _serve(settings: Settings, fhir: tuple[str, ...], host: str, port: int) -> None:
    try:
        import uvicorn

        from agent.service.app import create_app
    except ModuleNotFoundError as missing:
        raise _missing("serve", missing) from missing
    app = create_app(settings, fhir=fhir)
    with listening(host.strip("[]"), port) as listener:
        tell_note(f"chartline at {url_of(listener)}; Ctrl-C stops it")
        await uvicorn.Server(uvicorn.Config(app, **OPTIONS)).serve(sockets=[listener])
