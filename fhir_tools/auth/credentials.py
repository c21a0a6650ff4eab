"""The credentials file: who chartline is at a FHIR server, as TOML or JSON that only its owner can read.

    kind = "backend"                 # or bearer, basic, launch
    client_id = "chartline"
    key = "private-key.pem"          # PEM, JWK or JWKS; relative to this file
    scopes = "system/*.rs"

With several servers, a `[[server]]` table for each, and in each `fhir`, the base URL that it is for: credentials are
never sent to a server that they are not for.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, TypeAdapter, ValidationError

from fhir_tools.auth.base import FhirAuth
from fhir_tools.auth.keeping import read_document, read_private, write_back
from fhir_tools.auth.keys import Algorithm, SigningKey
from fhir_tools.auth.secret import Secret
from fhir_tools.auth.smart import Backend, Client, Launched
from fhir_tools.auth.static import Basic, Bearer
from fhir_tools.auth.tokens import Token
from fhir_tools.errors import UserError

__all__ = [
    "BackendCredentials",
    "BasicCredentials",
    "BearerCredentials",
    "Credentials",
    "LaunchCredentials",
    "load",
    "make",
    "open_auth",
    "servers",
]


class _Common(BaseModel):
    """What all kinds have. `fhir` is the base URL of the server that they are for; `cleartext` allows http."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    fhir: str | None = None
    cleartext: bool = False
    _path: Path | None = PrivateAttr(default=None)

    @property
    def path(self) -> Path | None:
        """The file they were read from."""
        return self._path

    def beside(self, name: Path) -> Path:
        """A path of the file, which is relative to where the file is."""
        return (self._path.parent if self._path else Path()) / name.expanduser()

    def __getstate__(self) -> NoReturn:
        raise TypeError("credentials are not written to pickles or copied to other processes")


class BearerCredentials(_Common):
    """A static bearer token."""

    kind: Literal["bearer"]
    token: SecretStr
    scope: str | None = None


class BasicCredentials(_Common):
    """A user name and password."""

    kind: Literal["basic"]
    username: str
    password: SecretStr


class _ClientCredentials(_Common):
    """A registered client. `key` is a file; `key_id` the `kid` it is registered under; `jku` where its JWKS lies."""

    client_id: str = Field(min_length=1)
    key: Path | None = None
    key_id: str | None = None
    key_password: SecretStr | None = None
    algorithm: Algorithm | None = None
    jku: str | None = None
    token_url: str | None = None


class BackendCredentials(_ClientCredentials):
    """SMART Backend Services."""

    kind: Literal["backend"]
    key: Path
    scopes: str | tuple[str, ...] = "system/*.rs"


class LaunchCredentials(_ClientCredentials):
    """What a SMART App Launch gave, a JSON file; a renewed token is written back to it."""

    kind: Literal["launch"]
    client_secret: SecretStr | None = None
    access_token: SecretStr
    refresh_token: SecretStr | None = None
    expires_at: datetime | None = None
    scope: str | None = None
    patient: str | None = None


Credentials = BearerCredentials | BasicCredentials | BackendCredentials | LaunchCredentials
_ADAPTER: TypeAdapter[Credentials] = TypeAdapter(Annotated[Credentials, Field(discriminator="kind")])


def load(path: Path, base: str | None = None) -> Credentials:
    """The credentials of a file; with several, those whose `fhir` is `base`.

    Raises UserError for a file that is missing, readable by others than its owner and group, or wrong; it names the
    fields and never their values.
    """
    path = path.expanduser()
    document = read_document(path, "credentials file")
    rows = document.get("server")
    row = _row(rows, path, base) if isinstance(rows, list) and len(document) == 1 else document
    try:
        credentials = _ADAPTER.validate_python(row)
    except ValidationError as error:
        faults = "; ".join(map(_fault, error.errors(include_input=False)))
    else:
        credentials._path = path
        return credentials
    raise UserError(f"the credentials file {str(path)!r} is wrong: {faults}")


def servers(path: Path) -> tuple[str, ...]:
    """The base URLs that a file says it has credentials for (`fhir`). Raises UserError as `load` does."""
    document = read_document(path.expanduser(), "credentials file")
    rows = document.get("server")
    told = [row.get("fhir") for row in (rows if isinstance(rows, list) else [document]) if isinstance(row, dict)]
    return tuple(base for base in told if isinstance(base, str))


def make(credentials: Credentials, base: str) -> FhirAuth:
    """Authentication for the FHIR server under `base`. Raises UserError for credentials that are for another server,
    for a key that cannot be used, and for a server that is neither https nor on this machine."""
    if credentials.fhir and credentials.fhir.rstrip("/") != base.rstrip("/"):
        whose = urlsplit(credentials.fhir).hostname or "another server"
        raise UserError(
            f"the credentials are for {whose!r}, not for this server and base URL: change fhir in their file"
        )
    cleartext = credentials.cleartext
    if isinstance(credentials, BearerCredentials):
        return Bearer(base, credentials.token, scope=credentials.scope, cleartext=cleartext)
    if isinstance(credentials, BasicCredentials):
        return Basic(base, credentials.username, credentials.password, cleartext=cleartext)
    if isinstance(credentials, LaunchCredentials):
        return _launched(credentials, base)
    key = _key(credentials, credentials.key)
    url = credentials.token_url
    return Backend(base, credentials.client_id, key, scopes=credentials.scopes, token_url=url, cleartext=cleartext)


def open_auth(
    base: str, *, file: Path | None = None, token: SecretStr | None = None, alone: bool = True
) -> FhirAuth | None:
    """Authentication from the settings; None where they have none. `alone`: there is no other FHIR server.

    Raises UserError also where it is not said which of several servers the credentials are for.
    """
    if file and token:
        raise UserError(
            "both a credentials file and a token are set: set one of CHARTLINE_FHIR_AUTH, CHARTLINE_FHIR_TOKEN"
        )
    if token:
        if not alone:
            raise UserError("CHARTLINE_FHIR_TOKEN is for one FHIR server: with several, use CHARTLINE_FHIR_AUTH")
        return Bearer(base, token)
    if file is None:
        return None
    credentials = load(file, base)
    if not (alone or credentials.fhir):
        raise UserError(
            f'the credentials file {str(file)!r} does not say which server it is for: add fhir = "https://…"'
        )
    return make(credentials, base)


def _row(rows: list[Any], path: Path, base: str | None) -> Any:
    wanted = (base or "").rstrip("/")
    found = [row for row in rows if isinstance(row, dict) and str(row.get("fhir", "")).rstrip("/") == wanted]
    if len(found) != 1:
        many = "more than one [[server]]" if found else "no [[server]]"
        raise UserError(f"the credentials file {str(path)!r} has {many} with fhir = {wanted!r}")
    return found[0]


def _fault(fault: Mapping[str, Any]) -> str:
    """A field and what is wrong with it. What stands as `kind` is not repeated: anything may have been pasted there."""
    if fault["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return "kind: it is one of bearer, basic, backend and launch"
    return f"{_place(fault['loc'])}: {fault['msg']}"


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[1:] or ("kind",))


def _key(credentials: BackendCredentials | LaunchCredentials, file: Path) -> SigningKey:
    return SigningKey.parse(
        read_private(credentials.beside(file), "key file"),
        password=_hidden(credentials.key_password, "key_password"),
        kid=credentials.key_id,
        algorithm=credentials.algorithm,
        jku=credentials.jku,
    )


def _hidden(secret: SecretStr | None, name: str) -> Secret | None:
    return Secret(secret, name) if secret else None


def _launched(credentials: LaunchCredentials, base: str) -> Launched:
    path = credentials.path
    if credentials.refresh_token and path and path.suffix != ".json":
        raise UserError(
            "the tokens of a launch are renewed and written back, so their credentials file is JSON (.json)"
        )
    key = _key(credentials, credentials.key) if credentials.key else None
    ends = _monotonic(credentials.expires_at)
    token = Token(
        access=Secret(credentials.access_token, "access_token"),
        ends_at=ends,
        renew_at=ends,
        refresh=_hidden(credentials.refresh_token, "refresh_token"),
        scope=credentials.scope,
        patient=credentials.patient,
    )
    return Launched(
        base,
        Client(credentials.client_id, key=key, secret=_hidden(credentials.client_secret, "client_secret")),
        token,
        token_url=credentials.token_url,
        on_refresh=(lambda t: write_back(path, credentials.client_id, credentials.fhir, t)) if path else None,
        cleartext=credentials.cleartext,
    )


def _monotonic(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return time.monotonic() + (aware - datetime.now(UTC)).total_seconds()
