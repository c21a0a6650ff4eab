"""`chartline serve`: the service on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import date

from agent import settings as settings_module
from agent.cli.output import tell_note
from agent.cli.serving import OPTIONS, listening, url_of
from agent.errors import EXIT_OK, MissingExtra
from agent.settings import Settings

__all__ = ["serve"]


def serve(fhir: Sequence[str], host: str, port: int, as_of: date | None) -> int:
    """Serve until Ctrl-C. Raises UserError where others could reach it unasked; MissingExtra."""
    from agent.service.access.ways import check_reachable

    settings = settings_module.read()
    check_reachable(settings, host)
    settings = settings.model_copy(update={"as_of": as_of or settings.as_of})
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            asyncio.run(_serve(settings, tuple(fhir), host, port))
    finally:
        signal.signal(signal.SIGTERM, before)
    return EXIT_OK


async def _serve(settings: Settings, fhir: tuple[str, ...], host: str, port: int) -> None:
    try:
        import uvicorn

        from agent.service.app import create_app
    except ModuleNotFoundError as missing:
        if missing.name not in ("uvicorn", "fastapi", "starlette", "sqlalchemy", "mcp", "prometheus_client"):
            raise
        raise MissingExtra("serve", "service") from missing
    app = create_app(settings, fhir=fhir)
    with listening(host.strip("[]"), port) as listener:
        tell_note(f"chartline at {url_of(listener)}; Ctrl-C stops it")
        await uvicorn.Server(uvicorn.Config(app, **OPTIONS)).serve(sockets=[listener])
