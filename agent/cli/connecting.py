"""`chartline mcp`: one patient's chart to one MCP client, over standard input and output."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import date

from agent import settings
from agent.errors import MissingExtra

__all__ = ["mcp"]


def mcp(patient: str | None, fhir: Sequence[str], as_of: date | None) -> None:
    """Serve until the client is done. Raises UserError for an unknown patient; MissingExtra."""
    try:
        from agent.service.mcp_server.stdio import serve_stdio
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in ("fastapi", "starlette", "sqlalchemy", "mcp", "mcp_types"):
            raise
        raise MissingExtra("mcp", "service") from missing
    with suppress(KeyboardInterrupt):
        asyncio.run(serve_stdio(settings.read(), fhir, patient, as_of))
