"""The line to one model server: what is sent, retried, bounded in number, and kept from strangers."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import openai

from agent.errors import ModelError, UserError
from agent.models.openai_compatible import faults
from agent.models.openai_compatible.hearing import Hearing
from agent.models.openai_compatible.quiet import watch
from fhir_tools.auth.secret import Secret

__all__ = ["Line", "address"]

ATTEMPTS = 4
_CONNECT = 5.0
_LOOK = 10.0
_BACKOFF = 0.5
_SENT = frozenset(("host", "accept", "accept-encoding", "connection", "content-type", "content-length"))
"""Headers that go out. The client's others tell of this machine, or come from OPENAI_ variables meant for elsewhere."""


def address(base_url: str) -> str:
    """The base URL without a slash at its end, with /v1 where it has no path. Raises UserError for one of no use."""
    url = urlsplit(base_url.strip())
    try:
        fine = url.scheme in ("http", "https") and url.hostname and (url.port is None or url.port > 0)
    except ValueError:
        fine = False
    if not fine or url.username or url.password or url.query or url.fragment:
        raise UserError(
            "the model server's base URL has to be like http://127.0.0.1:8000/v1, without user, query or fragment; "
            "a key goes to CHARTLINE_MODEL_KEY"
        )
    return f"{url.scheme}://{url.netloc}{url.path.rstrip('/') or '/v1'}"


class Line:
    """A client of `base`. Proxies and OPENAI_ variables of the environment are not used, redirects not followed:
    a prompt goes to the server of the settings and to no other."""

    def __init__(self, base: str, *, key: Secret | None, ca: str | None, at_once: int) -> None:
        self.base = address(base)
        self.server = f"the model server at {urlsplit(self.base).netloc}"
        self._key = key
        self._slots = asyncio.Semaphore(at_once)
        self._usage = True  # whether stream_options is taken
        # No limit of the pool's own: the semaphore bounds what is in flight, and waiting for it counts as time.
        http = openai.DefaultAsyncHttpxClient(
            verify=_trusted(self.base, ca),
            trust_env=False,
            follow_redirects=False,
            event_hooks={"request": [self._strip]},
        )
        self._client = openai.AsyncOpenAI(api_key="-", base_url=self.base, max_retries=0, http_client=http)
        watch()

    async def aclose(self) -> None:
        """Closes its connections."""
        await self._client.close()

    async def _strip(self, request: Any) -> None:
        for name in [name for name in request.headers if name.lower() not in _SENT]:
            del request.headers[name]
        request.headers["User-Agent"] = "chartline"
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key.reveal()}"

    async def look(self, path: str, *, post: dict[str, Any] | None = None, seconds: float = _LOOK) -> Any:
        """The JSON at a path: below the base URL, or of the server where it begins with a slash. Raises ModelError."""
        url = urlsplit(self.base)._replace(path=path).geturl() if path.startswith("/") else f"{self.base}/{path}"
        try:
            async with asyncio.timeout(seconds):
                for attempt in range(ATTEMPTS):
                    found, fault = await self._got(url, post)
                    if fault is None:
                        return found
                    if not fault.again or attempt + 1 == ATTEMPTS:
                        raise fault.error
                    await asyncio.sleep(_wait(attempt) if fault.after is None else fault.after)
        except TimeoutError:
            pass
        raise ModelError(f"{self.server} did not answer within {seconds:g} s; is it overloaded?")

    async def _got(self, url: str, post: dict[str, Any] | None) -> tuple[Any, faults.Fault | None]:
        try:
            if post is not None:
                return await self._client.post(url, cast_to=object, body=post), None
            return await self._client.get(url, cast_to=object), None
        except (openai.OpenAIError, ValueError) as error:
            return None, faults.of(error, self.server)

    async def peek(self, path: str, *, post: dict[str, Any] | None = None) -> Any:
        """The JSON at a path, or None where the server has none there."""
        try:
            return await self.look(path, post=post)
        except ModelError:
            return None

    async def ask(self, body: dict[str, Any], hearing: Callable[[], Hearing], deadline: float) -> Hearing:
        """The answer to a body, streamed. `deadline` is by the loop's clock: no wait for another try goes beyond it.

        Tried again, up to `ATTEMPTS` times, while nothing of an answer has come: a completion changes nothing at
        the server. Cancelling closes the connection, by which servers know to stop. Raises ModelError.
        """
        async with self._slots:
            for attempt in range(ATTEMPTS):
                heard = hearing()
                fault = await self._once(body, heard)
                if fault is None:
                    return heard
                wait = _wait(attempt) if fault.after is None else fault.after
                if not fault.again or attempt + 1 == ATTEMPTS or asyncio.get_running_loop().time() + wait >= deadline:
                    raise fault.error
                await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, body: dict[str, Any], heard: Hearing) -> faults.Fault | None:
        fault = await self._streamed(body, heard)
        if fault and self._usage and isinstance(fault.error, faults.Refused) and fault.error.about == "stream_options":
            self._usage = False
            fault = await self._streamed(body, heard)
        if fault and heard.begun:
            return faults.Fault(error=ModelError(f"{self.server} broke off its answer; its log says why"))
        return fault

    async def _streamed(self, body: dict[str, Any], heard: Hearing) -> faults.Fault | None:
        options = {"stream_options": {"include_usage": True}} if self._usage else {}
        timeout = openai.Timeout(None, connect=_CONNECT)
        create: Any = self._client.chat.completions.create  # its overloads know no plain dict
        try:
            async with await create(**_known(body), **options, stream=True, timeout=timeout) as chunks:
                async for chunk in chunks:
                    heard.take(chunk)
        except (openai.OpenAIError, ValueError) as error:
            return faults.of(error, self.server)
        heard.end()
        if heard.finish:
            return None
        if heard.begun:
            return faults.Fault(error=ModelError(f"{self.server} broke off its answer; its log says why"))
        return await self._why(body)

    async def _why(self, body: dict[str, Any]) -> faults.Fault:
        """Why a stream ended before it began: llama-cpp-python tells a fault only where nothing is streamed."""
        _, fault = await self._got(f"{self.base}/chat/completions", {**body, "max_tokens": 1})
        words = f"{self.server} gave no answer of the OpenAI kind; is CHARTLINE_MODEL_URL its base URL?"
        return fault or faults.Fault(error=ModelError(words))


def _wait(attempt: int) -> float:
    """Seconds, longer with each attempt, and not the same for all who wait."""
    return _BACKOFF * float(2**attempt) * random.uniform(0.5, 1.0)  # noqa: S311


def _known(body: dict[str, Any]) -> dict[str, Any]:
    """The body with what OpenAI's own API does not have (`schema` beside json_object) past the client's checks."""
    form = body.get("response_format")
    if not form or "schema" not in form:
        return body
    rest = {name: value for name, value in body.items() if name != "response_format"}
    return {**rest, "extra_body": {"response_format": form}}


def _trusted(base: str, ca: str | None) -> ssl.SSLContext:
    if base.startswith("http:"):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody; reading all the authorities takes a while
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError):
        raise UserError(f"{ca!r} is no file of certificate authorities (PEM)") from None
