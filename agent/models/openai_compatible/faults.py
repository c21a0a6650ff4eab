"""What went wrong at a model server: told to its operator, and whether asking again is of use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import openai

from agent.errors import ModelError
from fhir_tools.http.transfer import rest_of

__all__ = ["Fault", "Refused", "TooLong", "of"]

_FEATURES = ("stream_options", "response_format", "image")
_AGAIN = frozenset((429, 502, 503))
_CONTEXT = re.compile(r"context[ _-]?(?:length|window|size)", re.IGNORECASE)
_LIMIT = re.compile(r"(?:context (?:length|window|size)(?: is| of)?|n_ctx\D{1,4})[ :=]*\(?(\d{2,8})", re.IGNORECASE)


class Refused(ModelError):
    """The server does not take such a request (400, 404 of a feature, 415, 422, 501). `about` is what it names."""

    def __init__(self, message: str, about: str = "") -> None:
        self.about = about
        super().__init__(message)


class TooLong(Refused):
    """The prompt and its answer do not fit the context. `context` is its length in tokens where the server told it."""

    def __init__(self, message: str, context: int = 0) -> None:
        self.context = context
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One attempt failed: the error to raise, whether another may do, and the seconds that the server wants first."""

    error: ModelError
    again: bool = False
    after: float | None = None


def of(error: Exception, server: str) -> Fault:
    """What an error of the client means. Its own words are not told on: servers repeat what they were sent."""
    if isinstance(error, openai.APITimeoutError):
        return Fault(error=ModelError(f"{server} did not answer in time; is it overloaded, or loading its weights?"))
    if isinstance(error, openai.APIConnectionError):
        cause = type(error.__cause__).__name__
        words = f"{server} cannot be reached ({cause}); is it running, and is CHARTLINE_MODEL_URL its address?"
        return Fault(error=ModelError(words), again=True)
    if isinstance(error, openai.APIStatusError):
        return _of_status(error, server)
    status = _code(error)
    told = _told(status, server) if status else f"{server} broke off its answer; its log says why"
    return Fault(error=_refused(error, status, server) or ModelError(told))


def _code(error: Exception) -> int:
    """The status that a fault within a stream names, since the stream itself began with 200; 0 where it names none."""
    body = getattr(error, "body", None)
    code = str(body.get("code")) if isinstance(body, dict) else ""
    return int(code) if re.fullmatch(r"[45]\d\d", code) else 0


def _of_status(error: openai.APIStatusError, server: str) -> Fault:
    status = error.status_code
    if status in _AGAIN:
        words = f"{server} is too busy or not ready ({status}); wait, or let it serve more at once"
        return Fault(error=ModelError(words), again=True, after=rest_of(error.response.headers))
    return Fault(error=_refused(error, status, server) or ModelError(_told(status, server)))


def _refused(error: Exception, status: int, server: str) -> Refused | None:
    said = _said(error)
    if _CONTEXT.search(said) and status not in (401, 403):
        limit = _LIMIT.search(said)
        context = int(limit[1]) if limit else 0
        told = f" of {context} tokens" if context else ""
        return TooLong(
            f"the prompt and its answer do not fit the context{told} of {server}; "
            "serve the model with a longer one, or lower CHARTLINE_TOKENS",
            context,
        )
    about = next((word for word in _FEATURES if word in said), "")
    if status in (400, 415, 422, 501) or (status == 500 and about):  # llama-cpp-python says 500 of what it lacks
        named = f" over its {about}" if about else ""
        return Refused(f"{server} refused the request ({status}){named}; `chartline doctor --model` tells more", about)
    return None


def _said(error: Exception) -> str:
    body: Any = getattr(error, "body", None)
    return f"{getattr(error, 'message', '')} {body}".lower()


def _told(status: int, server: str) -> str:
    if status in (401, 403):
        return f"{server} refused the key ({status}); set CHARTLINE_MODEL_KEY to one that it takes"
    if status == 404:
        return f"{server} has no such model or address (404); its base URL often ends in /v1, see CHARTLINE_MODEL_URL"
    if 300 <= status < 400:
        return f"{server} points to another address ({status}), which is not followed; set CHARTLINE_MODEL_URL to it"
    return f"{server} failed ({status}); its log says why"
