"""A value that never shows: not in reprs, logs or tracebacks, and not in pickles."""

from __future__ import annotations

from typing import NoReturn

from pydantic import SecretStr

from fhir_tools.errors import UserError

__all__ = ["Secret"]

_PRINTABLE = range(0x20, 0x7F)


class Secret:
    """A token, password or client secret. `reveal()` gives its text to the one line that sends it.

    Raises UserError for one that is empty or could not stand in a header (RFC 6749 A: printable ASCII): a client
    library would otherwise tell the whole header in its error.
    """

    __slots__ = ("_text",)

    def __init__(self, secret: str | SecretStr, name: str = "the secret") -> None:
        self._text = (secret.get_secret_value() if isinstance(secret, SecretStr) else secret).strip()
        del secret  # a traceback of what is raised here may show locals
        if not self._text:
            raise UserError(f"{name} is empty")
        if any(ord(c) not in _PRINTABLE for c in self._text):
            raise UserError(f"{name} holds characters that no header may have; was the whole file pasted?")

    def reveal(self) -> str:
        """The text. Keep it out of local variables: tracebacks may show those."""
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(**********)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written to pickles or copied to other processes")
