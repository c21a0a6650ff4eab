"""The EHRs that may call: a YAML file of issuers with their keys, their FHIR servers and what they may be shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from agent.errors import UserError
from agent.located import read_yaml
from agent.sources import check_place, is_url
from fhir_tools.auth.base import is_safe

__all__ = ["LOCAL", "Client", "Clients", "read_clients"]


def _server(url: str) -> str:
    try:
        check_place(url)
    except UserError as error:
        raise ValueError(str(error)) from None
    if not is_url(url) or not is_safe(url):
        raise ValueError("an https address is meant, or one of this machine")
    return url.rstrip("/")


Url = Annotated[str, AfterValidator(_server)]


class Client(BaseModel):
    """One EHR. `issuer` is the `iss` of its tokens.

    Its public keys are at `jwks_url` (fetched and kept), or in the file `jwks`. `servers` are the FHIR servers that it
    may name in a request. `same_charts` says that its patients have the ids of the charts that this service reads, so
    that answers computed ahead are of them; a request whose fhirServer is the service's own needs no such word.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Annotated[str, Field(min_length=1, max_length=500)]
    jwks_url: Url | None = None
    jwks: Path | None = None
    servers: tuple[Url, ...] = ()
    tenants: tuple[str, ...] = ()
    same_charts: bool = False

    @model_validator(mode="after")
    def _keyed(self) -> Client:
        if (self.jwks_url is None) == (self.jwks is None):
            raise ValueError("give either jwks_url or jwks")
        return self

    @property
    def name(self) -> str:
        """A short name for records: the host of the issuer, or the issuer."""
        return urlsplit(self.issuer).hostname or self.issuer


LOCAL = Client.model_construct(issuer="local", jwks_url=None, jwks=None, servers=(), tenants=(), same_charts=False)
"""A program on this machine, where the settings let it in without a token."""


class Clients(BaseModel):
    """The file. `local_servers` are the FHIR servers that a program on this machine may name (`CHARTLINE_CDS_OPEN`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clients: tuple[Client, ...] = ()
    local_servers: tuple[Url, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> Clients:
        issuers = [client.issuer for client in self.clients]
        if twice := next((i for i in issuers if issuers.count(i) > 1), None):
            raise ValueError(f"two clients have the issuer {twice!r}")
        return self

    def of(self, issuer: object) -> Client | None:
        """The client of an issuer; None for one that is not known."""
        return next((client for client in self.clients if client.issuer == issuer), None)

    @property
    def local(self) -> Client:
        """The program on this machine."""
        return LOCAL.model_copy(update={"servers": self.local_servers})


def read_clients(path: Path | None) -> Clients:
    """The clients of a file; none without one. Raises UserError with the line of each fault."""
    return read_yaml(path, Clients) if path else Clients()
