"""Where charts come from: a store, or a file or folder of FHIR JSON loaded for as long as it is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agent.errors import OperatorError, UserError
from fhir_tools.local import LocalStore

__all__ = ["is_store", "open_source"]

_SQLITE = b"SQLite format 3\x00"


@asynccontextmanager
async def open_source(place: str | Path) -> AsyncIterator[LocalStore]:
    """The source at `place`: the path of a store, or FHIR JSON, which is loaded into memory.

    Raises UserError where nothing is there or a file does not load, OperatorError for a URL.
    """
    if "://" in str(place):
        raise OperatorError(f"{str(place)!r}: remote FHIR servers are not there yet; give a store, a file or a folder")
    path = Path(place).expanduser()  # noqa: ASYNC240  once, before anything else runs
    if not path.exists():
        raise UserError(f"there is no store at {str(path)!r}; make one with: chartline load PATH")
    async with LocalStore(path if is_store(path) else ":memory:") as store:
        if not is_store(path):
            await _fill(store, path)
        yield store


def is_store(path: Path) -> bool:
    """Whether the file is an SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


async def _fill(store: LocalStore, path: Path) -> None:
    from fhir_tools.load import load

    failed = load([path], store).errors
    if failed:
        more = f" (and {len(failed) - 1} more files)" if len(failed) > 1 else ""
        raise UserError(f"{failed[0]}{more}; nothing is answered from a chart that is not whole")
