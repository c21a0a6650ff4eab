"""Files that hold secrets: read only where others cannot, and replaced whole or not at all."""

from __future__ import annotations

import logging
import os
import re
import stat
import tempfile
import time
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from fhir_tools.auth.tokens import Token
from fhir_tools.errors import UserError

__all__ = ["read_document", "read_private", "replace_file", "write_back"]

_LOG = logging.getLogger(__name__)
_OTHERS = stat.S_IROTH | stat.S_IWOTH


def read_private(path: Path, what: str) -> bytes:
    """The content of a file that others cannot read, as ssh asks of its keys. Raises UserError; `what` it is called."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UserError(f"the {what} {str(path)!r} is a folder")
        if os.name == "posix" and mode & _OTHERS:
            raise UserError(
                f"the {what} {str(path)!r} can be read by others: run chmod 600 on it (in a container, mount it 0440)"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"there is no {what} at {str(path)!r}") from None
    except OSError as error:
        raise UserError(f"the {what} {str(path)!r} cannot be read: {error.strerror}") from None


def read_document(path: Path, what: str) -> Mapping[str, Any]:
    """The table of a private TOML file, or the object of a JSON one. Raises UserError, without the file's content."""
    content = read_private(path, what)
    try:
        text = content.decode("utf-8-sig")
        document = orjson.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        document, where = None, _where(error)
    else:
        where = "no object"
    if isinstance(document, dict):
        return document
    kind = "JSON" if path.suffix == ".json" else "TOML"
    raise UserError(f"the {what} {str(path)!r} is not {kind} as it should be ({where})")


def _where(error: ValueError) -> str:
    """Where a file is wrong, without its content: decoders put that into their errors."""
    if isinstance(error, orjson.JSONDecodeError):
        return f"line {error.lineno}"
    found = re.search(r"at line \d+", str(error))
    return found[0] if found else "it is no UTF-8 text" if isinstance(error, UnicodeError) else "at its end"


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
        replace_file(path, orjson.dumps(document, option=orjson.OPT_INDENT_2))
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


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in place of another, for its owner alone. Raises OSError."""
    path = path.resolve()
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made for its owner alone
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
