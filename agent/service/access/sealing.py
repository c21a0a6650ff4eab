"""Sealing what is kept of a sign-in: tokens lie in the database encrypted and authenticated (AES-256-GCM)."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from agent.errors import OperatorError, UserError
from fhir_tools.auth.keeping import read_private

__all__ = ["Seal"]

_KEY, _NONCE = 32, 12


class Seal:
    """Seals with the key of a file, which is made where there is none. Raises UserError for a file that is wrong.

    Several processes share the file; who has the database alone reads no token. `place` is what a sealed text is
    for: put elsewhere, it does not open.
    """

    def __init__(self, path: Path) -> None:
        self._cipher = AESGCM(_key_of(path))

    def seal(self, text: bytes, place: str) -> bytes:
        """The text sealed, for one place."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, text, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes | None:
        """The text; None for what was sealed with another key or for another place, or was changed."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
        except (InvalidTag, ValueError):
            return None

    def __repr__(self) -> str:
        return "Seal(**********)"


def _key_of(path: Path) -> bytes:
    if not path.exists():
        _make(path)
    try:
        key = base64.b64decode(read_private(path, "service's secret").strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != _KEY:
        raise UserError(
            f"the service's secret {str(path)!r} is not what chartline made; remove it, and all sign in anew"
        )
    return key


def _make(path: Path) -> None:
    """Written beside and then linked, which fails where another process was first: both then use that one's."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # for its owner alone
        try:
            with open(descriptor, "wb") as file:
                file.write(base64.b64encode(secrets.token_bytes(_KEY)) + b"\n")
            with suppress(FileExistsError):
                os.link(name, path)
        finally:
            Path(name).unlink()
    except OSError as error:
        raise OperatorError(f"CHARTLINE_SERVICE_SECRET: cannot write {str(path)!r}: {error.strerror}") from error
