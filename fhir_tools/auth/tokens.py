"""Token responses: what was granted and until when, or what was refused and what helps (RFC 6749 5)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from fhir_tools.auth.discovery import body_of
from fhir_tools.auth.scopes import Context, Scopes
from fhir_tools.auth.secret import Secret
from fhir_tools.errors import SourceError, UserError

__all__ = ["Token", "read_token"]

_UNSAID = 300.0
"""Seconds that a token is taken to live where the server does not say: what SMART recommends for backend services."""
_LONGEST = 366 * 24 * 3600.0
"""Seconds of the longest life that is believed; a token that is refused before is renewed all the same."""
_MARGIN, _SHARE = 30.0, 5
_SKEW = 30.0

_REMEDIES: Mapping[str, str] = {
    "invalid_client": "check that the client id and its public key (or secret) are registered with the server, under "
    "this kid and algorithm, and that this machine's clock is right",
    "invalid_grant": "the launch has ended or was withdrawn: launch the app again",
    "invalid_scope": "ask for scopes that are registered for this client, by scopes in the credentials file",
    "unauthorized_client": "the client is registered, but not for this kind of grant; have the registration changed",
    "unsupported_grant_type": "the server does not have this kind of grant; use another kind of credentials",
    "invalid_request": "the server could not read the request; check token_url and the kind of the credentials",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token. `renew_at` and `ends_at` are seconds of the monotonic clock; None is not known.

    `refresh` is the refresh token, `scope` the words of the token response, `patient` its launch context.
    """

    access: Secret
    renew_at: float | None = None
    ends_at: float | None = None
    refresh: Secret | None = None
    scope: str | None = None
    patient: str | None = None

    def stale(self) -> bool:
        """Whether it has ended or shortly will: a fifth of its life before, at most 30 s."""
        return self.renew_at is not None and time.monotonic() >= self.renew_at

    def ended(self) -> bool:
        """Whether it has ended."""
        return self.ends_at is not None and time.monotonic() >= self.ends_at

    def granted(self, context: Context) -> Scopes | None:
        """Its scopes, as far as the server has told them."""
        return Scopes.granted(self.scope, context)


def read_token(response: httpx.Response, asked_at: float) -> Token:
    """From the response to a request sent at `asked_at` (monotonic seconds).

    Raises SourceError for anything but a token, with the remedy.
    """
    if response.status_code != httpx.codes.OK:
        raise _refused(response)
    document = body_of(response)
    access = _secret(document, "access_token")
    if document is None or access is None:
        raise SourceError("the token endpoint answered 200 without a token; check token_url")
    if str(document.get("token_type", "bearer")).lower() != "bearer":
        raise SourceError("the token endpoint gave a token that is no bearer token; chartline has no use for it")
    lives = _seconds(document.get("expires_in"))
    scope, patient = document.get("scope"), document.get("patient")
    return Token(
        access=access,
        renew_at=asked_at + lives - min(_MARGIN, lives / _SHARE),
        ends_at=asked_at + lives,
        refresh=_secret(document, "refresh_token"),
        scope=scope if isinstance(scope, str) else None,
        patient=patient if isinstance(patient, str) else None,
    )


def _secret(document: Mapping[str, Any] | None, name: str) -> Secret | None:
    if not document or not isinstance(document.get(name), str):
        return None
    try:
        return Secret(document[name], f"the {name} of the token response")
    except UserError as error:
        raise SourceError(str(error)) from None


def _seconds(value: object) -> float:
    """`expires_in`: a number by RFC 6749, text from some servers."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) else _UNSAID
    except (ValueError, OverflowError):
        return _UNSAID
    return min(max(0.0, seconds), _LONGEST)


def _refused(response: httpx.Response) -> SourceError:
    """The refusal as an error: the server's error code and the remedy; its own words could repeat what was sent.

    It has no status: that would be taken for one of the FHIR server's.
    """
    status = response.status_code
    if response.is_redirect:
        return SourceError(f"the token endpoint redirects ({status}), which is not followed; correct token_url")
    code = (body_of(response) or {}).get("error")
    if not isinstance(code, str) or code not in _REMEDIES:
        code = "invalid_client" if status == httpx.codes.UNAUTHORIZED else ""
    if code:
        return SourceError(f"the token endpoint refused ({status}, {code}): {_REMEDIES[code]}{_skew(response)}")
    return SourceError(f"the token endpoint failed ({status}); see the server's log, or try again later")


def _skew(response: httpx.Response) -> str:
    """How far this machine's clock is from the server's (Date header), where that is far enough to matter."""
    try:
        apart = time.time() - parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return ""
    if abs(apart) < _SKEW:
        return ""
    return f" (it is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} the server's)"
