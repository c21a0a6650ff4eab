"""The file of SMART App Launch registrations: at which FHIR servers chartline is known, and as whom.

    [[server]]
    iss = "https://ehr.example/fhir"
    name = "Example Hospital"
    client_id = "chartline"
    key = "private-key.pem"          # or client_secret = "…", or neither for a public client

It is TOML that only its owner can read. A launch from any other `iss` is refused.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, ValidationError, field_validator

from fhir_tools.auth.base import is_safe
from fhir_tools.auth.keeping import read_document, read_private
from fhir_tools.auth.keys import Algorithm, SigningKey
from fhir_tools.auth.secret import Secret
from fhir_tools.auth.smart import Client
from fhir_tools.errors import UserError

__all__ = ["Registration", "registrations"]

_CONTEXT = ("launch", "launch/patient")


class Registration(BaseModel):
    """One server. `scopes` are asked for in both kinds of launch, with `launch` or `launch/patient` put in;
    `standalone_scopes` in place of them, as they are, where a user starts chartline alone.

    `standalone` False takes launches from the EHR only.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    iss: str
    name: str = ""
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    key: Path | None = None
    key_id: str | None = None
    key_password: SecretStr | None = None
    algorithm: Algorithm | None = None
    jku: str | None = None
    scopes: str = "openid fhirUser patient/*.rs"
    standalone: bool = True
    standalone_scopes: str | None = None
    cleartext: bool = False
    _folder: Path = PrivateAttr(default=Path())

    @field_validator("iss")
    @classmethod
    def _address(cls, iss: str) -> str:
        parts = urlsplit(iss)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or "@" in parts.netloc:
            raise ValueError("iss is the FHIR server's base URL, https://host/path")
        return iss.rstrip("/")

    @property
    def title(self) -> str:
        """What a reader calls the server."""
        return self.name or urlsplit(self.iss).hostname or self.iss

    def asked(self, *, ehr: bool) -> str:
        """The scopes that a launch asks for."""
        if not ehr and self.standalone_scopes is not None:
            return self.standalone_scopes
        words = [word for word in self.scopes.split() if word not in _CONTEXT]
        return " ".join(["launch" if ehr else "launch/patient", *words])

    def client(self) -> Client:
        """Who chartline is at that server. Raises UserError for a key that cannot be used."""
        secret = Secret(self.client_secret, "client_secret") if self.client_secret else None
        return Client(self.client_id, key=self._signing(), secret=secret)

    def _signing(self) -> SigningKey | None:
        if self.key is None:
            return None
        return SigningKey.parse(
            read_private(self._folder / self.key.expanduser(), "key file"),
            password=Secret(self.key_password, "key_password") if self.key_password else None,
            kid=self.key_id,
            algorithm=self.algorithm,
            jku=self.jku,
        )


def registrations(path: Path) -> tuple[Registration, ...]:
    """The servers of a file. Raises UserError for one that is missing, wrong, or readable by others; no value of it
    is told."""
    document = read_document(path, "file of SMART servers")
    rows = document.get("server")
    if not isinstance(rows, list) or len(document) != 1:
        raise UserError(f"the file of SMART servers {str(path)!r} has a [[server]] table for each, and nothing else")
    found = tuple(_row(row, path, number) for number, row in enumerate(rows, 1))
    if len({one.iss for one in found}) != len(found):
        raise UserError(f"the file of SMART servers {str(path)!r} names one iss twice")
    return found


def _row(row: object, path: Path, number: int) -> Registration:
    try:
        one = Registration.model_validate(row)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, f['loc']))}: {f['msg']}" for f in error.errors(include_input=False))
    else:
        one._folder = path.parent
        if not (one.cleartext or is_safe(one.iss)):
            faults = "iss: not https; set cleartext = true if that network is trusted"
        elif one.client_secret and one.key:
            faults = "client_secret, key: give one of them"
        else:
            one.client()
            return one
    raise UserError(f"the file of SMART servers {str(path)!r} is wrong at its server {number}: {faults}")
