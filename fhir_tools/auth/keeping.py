"""Keeping the renewed tokens of a launch in its credentials file, whole or not at all."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson

from fhir_tools.auth.tokens import Token

__all__ = ["write_back"]

_LOG = logging.getLogger(__name__)


def write_back(path: Path, client_id: str, fhir: str | None, token: Token) -> None:
    """Put a renewed token into the row of a client in a JSON credentials file.

    The refresh token before it may be void by now, so a file that cannot be written is told in the log.
    """
    try:
        document = orjson.loads(path.read_bytes())
        rows = document.get("server")
        for row in rows if isinstance(rows, list) else [document]:
            if isinstance(row, dict) and row.get("client_id") == client_id and row.get("fhir") == fhir:
                row.update(_written(token))
        _replace(path, orjson.dumps(document, option=orjson.OPT_INDENT_2))
    except (OSError, ValueError):
        _LOG.warning("a renewed token could not be written to the credentials file; the next session may need a launch")


def _written(token: Token) -> dict[str, str]:
    ends = None if token.ends_at is None else datetime.now(UTC) + timedelta(seconds=token.ends_at - time.monotonic())
    fields = {
        "access_token": token.access.reveal(),
        "refresh_token": token.refresh.reveal() if token.refresh else None,
        "expires_at": ends.isoformat(timespec="seconds") if ends else None,
        "scope": token.scope,
    }
    return {name: value for name, value in fields.items() if value}


def _replace(path: Path, content: bytes) -> None:
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made for its owner alone
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
