"""Credentials that stay as they are: a bearer token, or a user name and password."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncGenerator

import httpx
from pydantic import SecretStr

from fhir_tools.auth.base import FhirAuth
from fhir_tools.auth.scopes import Scopes
from fhir_tools.auth.secret import Secret
from fhir_tools.errors import UserError

__all__ = ["Basic", "Bearer"]


class Bearer(FhirAuth):
    """A token that somebody else has fetched (RFC 6750). `scope` are its scopes, where they are known, and `patient`
    the id of the one patient that it is for."""

    kind = "bearer"

    def __init__(
        self,
        base: str,
        token: str | SecretStr,
        *,
        scope: str | None = None,
        patient: str | None = None,
        cleartext: bool = False,
    ) -> None:
        super().__init__(base, cleartext=cleartext)
        self._patient = patient
        self._token = Secret(token, "the bearer token")
        if " " in self._token.reveal():
            raise UserError("the bearer token holds a blank; give it without the word Bearer")
        self.granted = Scopes.granted(scope)

    @property
    def patient(self) -> str | None:
        """The id of the patient that the token is for, where that is known."""
        return self._patient

    async def flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        yield request


class Basic(FhirAuth):
    """A user name and password (RFC 7617), in UTF-8."""

    kind = "basic"

    def __init__(self, base: str, username: str, password: str | SecretStr, *, cleartext: bool = False) -> None:
        super().__init__(base, cleartext=cleartext)
        if ":" in username:
            raise UserError("a user name for basic authentication holds no colon (RFC 7617 2)")
        text = password.get_secret_value() if isinstance(password, SecretStr) else password
        self._pair = Secret(b64encode(f"{username}:{text}".encode()).decode(), "the password")

    async def flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        request.headers["Authorization"] = f"Basic {self._pair.reveal()}"
        yield request
