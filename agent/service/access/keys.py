"""API keys for programs: a file that its owner alone reads, with a digest of each key and never the key itself.

A key holds 256 random bits, so one SHA-256 of it cannot be turned back by guessing; slow hashes are for passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.errors import UserError
from fhir_tools.auth.keeping import read_private, replace_file

__all__ = ["ApiKey", "KeyFile", "is_key"]

_KEY = re.compile(r"clk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_NAME = r"[^\x00-\x1f\x7f]{1,80}"


class ApiKey(BaseModel):
    """One key. `digest` is the SHA-256 of its text in hex; `patient` the id of the only patient that it may ask of."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    id: str = Field(pattern=r"^[0-9a-f]{12}$")
    name: str = Field(pattern=rf"^{_NAME}$")
    digest: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    patient: str | None = Field(default=None, pattern=r"^[A-Za-z0-9.\-]{1,64}$")
    created: datetime


class _Content(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    keys: tuple[ApiKey, ...] = ()


class KeyFile:
    """The keys of a file, read again when it has changed: a key that is removed is refused at once.

    Raises UserError, from every method, for a file that is wrong or that others can read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[ApiKey, ...] = ()

    def all(self) -> tuple[ApiKey, ...]:
        """The keys in the order they were made; none where there is no file."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return ()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp != self._seen:
            self._keys, self._seen = self._read(), stamp
        return self._keys

    def find(self, text: str) -> ApiKey | None:
        """The key that this is; None for none. The time it takes tells nothing of how near a guess is."""
        parts = _KEY.fullmatch(text)
        known = self.by_id(parts[1]) if parts else None
        digest = known.digest if known else "0" * 64
        return known if hmac.compare_digest(_digest(text), digest) and known else None

    def by_id(self, id_: str) -> ApiKey | None:
        """The key with this id, while it is there."""
        return next((key for key in self.all() if key.id == id_), None)

    def add(self, name: str, patient: str | None = None) -> tuple[ApiKey, str]:
        """Make a key and its text, which cannot be shown again. Raises UserError for a name that is taken."""
        id_ = secrets.token_hex(6)
        text = f"clk_{id_}_{secrets.token_urlsafe(32)}"
        try:
            key = ApiKey(id=id_, name=name.strip(), digest=_digest(text), patient=patient, created=datetime.now(UTC))
        except ValidationError as error:
            what = " and ".join(str(fault["loc"][0]) for fault in error.errors())
            raise UserError(
                f"a key's name has at most 80 characters, and its patient is an id; change {what}"
            ) from None
        with self._locked():
            if any(key.name == other.name for other in self.all()):
                raise UserError(f"there is a key {key.name!r}; remove it first, or choose another name")
            self._write((*self.all(), key))
        return key, text

    def remove(self, which: str) -> ApiKey:
        """Take a key back, by its name or id. Raises UserError where there is none."""
        with self._locked():
            found = next((key for key in self.all() if which in (key.name, key.id)), None)
            if found is None:
                raise UserError(f"there is no key {which!r}; see them with: chartline service key list")
            self._write(tuple(key for key in self.all() if key is not found))
        return found

    def _read(self) -> tuple[ApiKey, ...]:
        try:
            return _Content.model_validate_json(read_private(self._path, "file of API keys")).keys
        except ValidationError as error:
            where = ".".join(map(str, error.errors(include_input=False)[0]["loc"])) or "it is no JSON"
        raise UserError(f"the file of API keys {str(self._path)!r} is wrong ({where}); make it anew, or mend it")

    def _write(self, keys: tuple[ApiKey, ...]) -> None:
        try:
            replace_file(self._path, _Content(keys=keys).model_dump_json(indent=2).encode() + b"\n")
        except OSError as error:
            raise UserError(f"the file of API keys {str(self._path)!r} cannot be written: {error.strerror}") from None
        self._seen = None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time: what two commands add at once is both there."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            folder = os.open(self._path.parent, os.O_RDONLY) if os.name == "posix" else None
        except OSError as error:
            raise UserError(f"the file of API keys {str(self._path)!r} cannot be written: {error.strerror}") from None
        if folder is None:
            yield
            return
        import fcntl

        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def is_key(text: str) -> bool:
    """Whether a text has the form of a key, and so is no token of somebody else's."""
    return text.startswith("clk_")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
