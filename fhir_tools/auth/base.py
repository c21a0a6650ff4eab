"""What every way of authentication here shares: it is bound to one FHIR server and never shows or copies itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import NoReturn
from urllib.parse import urlsplit

import httpx

from fhir_tools.auth.scopes import Scopes
from fhir_tools.errors import UserError
from fhir_tools.loopback import is_loopback

__all__ = ["FhirAuth", "is_safe", "origin_of"]

_PORTS = {"http": 80, "https": 443}


class FhirAuth(httpx.Auth):
    """Authentication at the FHIR server under `base`. `granted` are the scopes its token has, None while (or where)
    they are not known.

    A request to any other origin goes out as it is, without credentials. Credentials travel over TLS or on this
    machine only (RFC 6750 5.3), unless `cleartext` allows otherwise.
    """

    kind = "none"

    def __init__(self, base: str, *, cleartext: bool = False) -> None:
        self.base, self.granted, self._cleartext = base.rstrip("/"), None, cleartext
        self._check(base, "the FHIR server")

    granted: Scopes | None

    @property
    def patient(self) -> str | None:
        """The id of the one patient that the credentials are for; None where they are not bound to one."""
        return None

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """One request with its credentials (httpx's contract)."""
        flow = self.flow(request) if origin_of(str(request.url)) == origin_of(self.base) else _plain(request)
        try:
            request = await anext(flow)
            while True:
                response = yield request
                request = await flow.asend(response)
        except StopAsyncIteration:
            return
        finally:
            await flow.aclose()

    def flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """The requests that authenticate this one, and it, for a request to the server's own origin."""
        raise NotImplementedError

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        raise RuntimeError(f"{type(self).__name__} is for asynchronous clients")

    def _check(self, url: str, what: str) -> None:
        if not (self._cleartext and urlsplit(url).scheme == "http") and not is_safe(url):
            where = urlsplit(url).hostname or "?"
            raise UserError(
                f"credentials would travel unencrypted to {what} at {where!r}: give its https address, "
                "or set cleartext = true in the credentials file if that network is trusted"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not written to pickles or copied to other processes")


async def _plain(request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
    yield request


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port (RFC 6454 4). Raises ValueError for a port that is no number."""
    parts = urlsplit(url)
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme.lower())


def is_safe(url: str) -> bool:
    """Whether what is sent there cannot be read on the way: https, or this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host)))
