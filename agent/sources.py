"""Where charts come from: a store, or a file or folder of FHIR JSON loaded for as long as it is asked."""

from __future__ import annotations

import asyncio
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
    # In a thread, since files are opened and perhaps loaded: a server's event loop goes on meanwhile.
    async with await asyncio.to_thread(_opened, Path(place)) as store:
        yield store


def _opened(path: Path) -> LocalStore:
    path = path.expanduser()
    if not path.exists():
        raise UserError(f"there is no store at {str(path)!r}; make one with: chartline load PATH")
    if is_store(path):
        return LocalStore(path)
    store = LocalStore(":memory:")
    try:
        _fill(store, path)
    except BaseException:
        store.close()
        raise
    return store


def is_store(path: Path) -> bool:
    """Whether the file is an SQLite database."""
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except OSError:
        return False


def _fill(store: LocalStore, path: Path) -> None:
    from fhir_tools.load import load

    failed = load([path], store).errors
    if failed:
        more = f" (and {len(failed) - 1} more files)" if len(failed) > 1 else ""
        raise UserError(f"{failed[0]}{more}; nothing is answered from a chart that is not whole")
