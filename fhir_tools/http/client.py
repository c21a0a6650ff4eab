"""The one HTTP client: allowed origins, credentials for one origin only, time-outs, retries within a total budget.

Everything that leaves the machine goes through it: FHIR servers, token endpoints, DICOMweb, Bulk Data, JWKS.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import orjson
import tenacity

from fhir_tools.errors import ScopeError, SourceError, UserError
from fhir_tools.http.silence import silence
from fhir_tools.http.transfer import UnknownEncoding, decoder_of, rest_of
from fhir_tools.http.trust import authorities

__all__ = ["Check", "Http", "Limits", "Response", "issue_codes"]

_SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
_RETRIED = frozenset((429, 500, 502, 503, 504))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_PORTS = {"http": 80, "https": 443}
_PERSONAL = frozenset(("authorization", "cookie", "proxy-authorization"))
_T = TypeVar("_T")
_CODE = re.compile(r"[a-z][a-z-]{1,30}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one client, in seconds. `total` is for one call with all its retries and waits.

    `backoff` is the longest first wait before a retry; it doubles with each. `body` is in bytes, decompressed.
    """

    connect: float = 5.0
    read: float = 30.0
    total: float = 60.0
    attempts: int = 5
    backoff: float = 0.5
    concurrency: int = 8
    redirects: int = 5
    body: int = 200_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A whole answer: the body read and decoded from its transfer encoding. `url` is where it finally came from.

    Its repr tells the status alone: a URL, a header and a body can hold what a patient or a key is known by.
    """

    url: str = field(repr=False)
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def outcome(self) -> Mapping[str, Any] | None:
        """The body as an OperationOutcome, if it is one."""
        if b"OperationOutcome" not in self.body[:1_000_000]:
            return None
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None
        return found if isinstance(found, dict) and found.get("resourceType") == "OperationOutcome" else None


Check = Callable[[Response], str | None]
"""Looks at an answer of 200 to 299: None, or in words why it cannot be used. Such an answer is a fault and retried."""


def issue_codes(outcome: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The issue codes of an OperationOutcome (R4 issue-type), each once. Its other texts may be about a patient."""
    issues = outcome.get("issue") if outcome else None
    codes = (issue.get("code") for issue in issues if isinstance(issue, dict)) if isinstance(issues, list) else ()
    return tuple(dict.fromkeys(code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)))


class _Fault(Exception):
    """One attempt failed. `words` go on from the server's name; `after`: the seconds that the server wants to rest."""

    def __init__(
        self, words: str, *, again: bool = True, unsent: bool = False, response: Response | None = None
    ) -> None:
        self.words, self.again, self.unsent, self.response = words, again, unsent, response
        self.after = rest_of(response.headers) if response and response.status in (429, 503) else None
        super().__init__(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    body: bytes | None
    safe: bool
    check: Check | None


class Http:
    """A client for one server. Also an async context manager; leaving it closes its connections.

    `base` is the FHIR base URL; its origin alone gets `auth`. `origins` are further origins that may be fetched,
    without credentials; any other origin is refused before a request is made, also behind a redirect.
    `transport` is for an ASGI app mounted in process, and for tests. `ca` is a PEM file of the authorities to
    trust in place of the public ones. `trust_env` lets httpx take proxies from the environment.
    There is no cookie jar, and no log line of the client's libraries leaves a call of it: they hold whole URLs.
    Raises UserError for a base URL or a CA file that cannot be used.
    """

    def __init__(
        self,
        base: str,
        *,
        auth: httpx.Auth | None = None,
        origins: Collection[str] = (),
        limits: Limits | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        ca: str | None = None,
        trust_env: bool = False,
    ) -> None:
        self.limits = limits or Limits()
        self._base = _address(base)
        self._auth = auth
        self._root = str(self._base).rstrip("/")
        self._origin = _origin(self._base)
        self._allowed = frozenset((self._origin, *(_origin(_address(other)) for other in origins)))
        self._slots = asyncio.Semaphore(self.limits.concurrency)
        times = httpx.Timeout(self.limits.read, connect=self.limits.connect, pool=None)
        self._client = httpx.AsyncClient(
            transport=transport,
            verify=authorities(ca) if transport is None else True,
            trust_env=trust_env,
            timeout=times,
            limits=httpx.Limits(max_connections=self.limits.concurrency, keepalive_expiry=30),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"user-agent": f"chartline/{version('chartline')}", "accept-encoding": "gzip"},
        )

    def __repr__(self) -> str:
        return f"Http({self.origin!r})"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with silence():
            await self._client.aclose()

    @property
    def base(self) -> str:
        """The base URL, without a slash at its end."""
        return self._root

    @property
    def origin(self) -> str:
        """Scheme, host and port of the base: what errors call the server by."""
        scheme, host, port = self._origin
        host = f"[{host}]" if ":" in host else host
        return f"{scheme}://{host}" + ("" if _PORTS[scheme] == port else f":{port}")

    def narrow(self, concurrency: int) -> None:
        """Send no more than so many requests at once from now on; what is under way goes on."""
        self._slots = asyncio.Semaphore(min(self.limits.concurrency, max(1, concurrency)))

    def link(self, url: str, place: str = "") -> str | None:
        """A link that the server wrote about itself as an absolute URL of the base's origin; None for another origin.

        A relative one is relative to the base (R4 http, 3.1.0.1.1); a query alone is one of `place`.
        A server behind a TLS proxy often writes `http://` for itself: where the base is https and the host is the
        same, the link is read as one to the base's own port.
        """
        try:
            target = self._base.join(f"{place}{url}" if url.startswith("?") else url)
            if (self._base.scheme, target.scheme) == ("https", "http") and target.port in (None, 80, self._base.port):
                target = target.copy_with(scheme="https", port=self._base.port)
            return str(target) if _origin(target) == self._origin and not target.userinfo else None
        except (httpx.InvalidURL, ValueError):
            return None

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        safe: bool | None = None,
        check: Check | None = None,
    ) -> Response:
        """Send one request, `url` relative to the base or absolute; any status but those retried comes back as it is.

        `safe` says whether it may be sent again (None: by its method, RFC 9110 9.2.1; a POST `_search` and a batch
        of reads are safe). Retried with jitter: 429 and 503 (their Retry-After kept), 500, 502, 504, connection
        faults, time-outs, truncated or undecodable bodies, and what `check` refuses. Raises SourceError that names
        the fault and the remedy when the budget is spent, ScopeError for an origin that is not allowed.
        """
        call = _Call(
            method=method,
            url=self._target(self._base, url),
            headers=headers or {},
            body=body,
            safe=method in _SAFE if safe is None else safe,
            check=check,
        )
        found: Response | _Fault
        with silence():
            try:
                async with asyncio.timeout(self.limits.total):
                    found = await self._retried(call, self._attempt)
            except TimeoutError:
                found = _Fault(f"did not answer in full within {self.limits.total:g} s")
        if isinstance(found, _Fault):
            raise self._error(found)
        return found

    # Attempts.

    async def _retried(self, call: _Call, attempt: Callable[[_Call], Awaitable[_T]]) -> _T | _Fault:
        retrying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda e: isinstance(e, _Fault) and e.again and (call.safe or e.unsent)),
            stop=tenacity.stop_after_attempt(self.limits.attempts) | tenacity.stop_before_delay(self.limits.total),
            wait=_Wait(self.limits.backoff),
            reraise=True,
        )
        try:
            return await retrying(attempt, call)
        except _Fault as fault:
            return fault

    async def _attempt(self, call: _Call) -> Response:
        async with self._slots:
            response = await self._followed(call)
        if response.status in _RETRIED:
            raise _Fault(f"answered {_named(response.status)}", response=response)
        words = call.check(response) if call.check and 200 <= response.status < 300 else None
        if words:
            raise _Fault(words, response=response)
        return response

    async def _followed(self, call: _Call) -> Response:
        method, url, body = call.method, call.url, call.body
        for _ in range(self.limits.redirects + 1):
            response = await self._exchange(method, url, call.headers, body)
            place = response.headers.get("location")
            if response.status not in _REDIRECTS or place is None:
                return response
            if response.status == 303 and method != "HEAD":
                method, body = "GET", None
            kept = method in _SAFE or (call.safe and response.status in (307, 308))
            url = self._target(url, place)
            if not kept or (method not in _SAFE and _origin(url) != self._origin):
                words = f"redirects a {method} by {response.status}: set the base URL to the server's present address"
                raise _Fault(words, again=False, response=response)
        raise _Fault(f"redirects more than {self.limits.redirects} times: check the base URL", again=False)

    async def _begun(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes | None = None
    ) -> httpx.Response:
        """The answer to one request, its body not read yet. Raises httpx.HTTPError."""
        own = _origin(url) == self._origin
        sent = {k: v for k, v in headers.items() if own or k.lower() not in _PERSONAL}
        request = self._client.build_request(method, url, headers=sent, content=body)
        return await self._client.send(request, auth=self._auth if own else None, stream=True)

    async def _exchange(self, method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes | None) -> Response:
        try:
            response = await self._begun(method, url, headers, body)
            try:
                content = await _content(response, self.limits.body)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            fault = self._fault(error)
        else:
            return Response(url=str(url), status=response.status_code, headers=response.headers, body=content)
        raise fault  # outside of the handler: httpx's errors hold the request with its URL and credentials

    def allows(self, url: str) -> bool:
        """Whether a URL may be requested: it is of the base's origin or of another that was allowed."""
        try:
            return bool(self._target(self._base, url))
        except ScopeError:
            return False

    def _target(self, base: httpx.URL, url: str) -> httpx.URL:
        """The URL to go to. Raises ScopeError where it is of another origin, or no URL, or names a user."""
        try:
            target = base.join(url)
            allowed = not target.userinfo and _origin(target) in self._allowed
        except (httpx.InvalidURL, ValueError):
            raise ScopeError("what is no http or https URL is not requested") from None
        if not allowed:
            raise ScopeError(
                f"{self.origin} is the server; a URL of another origin is not requested unless it is allowed"
            )
        return target.copy_with(fragment=None) if target.fragment else target

    # Words.

    def _fault(self, error: httpx.HTTPError) -> _Fault:
        if isinstance(error, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
            words = "has a certificate that is not trusted: name the authority's PEM file as the CA bundle"
            return _Fault(words, again=False)
        unsent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
        return _Fault(_words(error, self.limits), again=not isinstance(error, _NEVER), unsent=unsent)

    def _error(self, fault: _Fault) -> SourceError:
        response = fault.response
        outcome = response.outcome if response else None
        codes = issue_codes(outcome)
        words = f"{self.origin} {fault.words}" + (f" ({', '.join(codes)})" if codes else "")
        if fault.after is not None:
            again = datetime.fromtimestamp(datetime.now(UTC).timestamp() + fault.after, UTC)
            words += f"; it wants to be asked again in {fault.after:.0f} s (from {again:%H:%M:%S} UTC)"
        elif response and response.status in _RETRIED:
            words += "; try again later, or ask who runs the server"
        return SourceError(words, status=response.status if response else None, outcome=outcome)


class _Wait(tenacity.wait.wait_base):
    """The seconds before the next attempt: what the server asked for and a little, or full jitter that doubles."""

    def __init__(self, backoff: float) -> None:
        self._jitter = tenacity.wait_random_exponential(multiplier=backoff, max=10)
        self._spread = tenacity.wait_random(0, backoff)

    def __call__(self, retry_state: tenacity.RetryCallState) -> float:
        fault = retry_state.outcome.exception() if retry_state.outcome else None
        after = fault.after if isinstance(fault, _Fault) else None
        return self._jitter(retry_state) if after is None else after + self._spread(retry_state)


_NEVER = (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.TooManyRedirects)


def _words(error: httpx.HTTPError, limits: Limits) -> str:
    table: tuple[tuple[type[httpx.HTTPError], str], ...] = (
        (httpx.ConnectTimeout, f"did not take a connection within {limits.connect:g} s"),
        (httpx.TimeoutException, f"sent nothing for {limits.read:g} s"),
        (httpx.ProxyError, "could not be reached through the proxy"),
        (httpx.ConnectError, "cannot be reached: is it up, and the address right?"),
        (httpx.DecodingError, "sent a body that cannot be decompressed"),
        (httpx.LocalProtocolError, "could not be asked: a header or the URL is not valid in HTTP"),
        (httpx.NetworkError, "broke off the connection"),
        (httpx.ProtocolError, "broke off the answer, or does not speak HTTP"),
    )
    return next((words for kind, words in table if isinstance(error, kind)), "could not be asked")


def _named(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)


# Addresses.


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    """Scheme, host (IDNA, lower case) and effective port. Raises ValueError for what is not http or https."""
    if url.scheme not in _PORTS or not url.host:
        raise ValueError("not an http or https URL")
    return url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme]


_LAST_PORT = 65_535


def _address(text: str) -> httpx.URL:
    """A base URL or an origin as the operator gave it, with a slash at its end."""
    try:
        url = httpx.URL(text.strip())
        _origin(url)
        if (url.port or 0) > _LAST_PORT:
            raise ValueError("no such port")
    except (httpx.InvalidURL, ValueError):
        raise UserError("a server's address is to be written as https://host/path") from None
    if url.userinfo or url.query or url.fragment:
        raise UserError("a server's address holds no user name, password, '?' or '#': give credentials by the settings")
    return url.copy_with(raw_path=url.raw_path.rstrip(b"/") + b"/")


# Bodies.


async def _content(response: httpx.Response, limit: int) -> bytes:
    """The body, decompressed by no more than `limit` bytes: a small body can hide a very large one."""
    if response.is_stream_consumed:  # the auth flow has read it, or a transport that had it whole
        return _bounded(response.content, limit)
    body, decoder, raw = bytearray(), None, 0
    try:
        decoder = decoder_of(response.headers.get("content-encoding", ""))
        async for chunk in response.aiter_raw():
            raw += len(chunk)
            body += decoder.decode(chunk, limit + 1 - len(body)) if decoder else chunk
            _bounded(body, limit)
    except UnknownEncoding:
        raise _Fault("sent a content encoding that was not asked for", again=False) from None
    except ValueError:
        raise httpx.DecodingError("not gzip") from None
    told = response.headers.get("content-length", "")
    whole = response.request.method == "HEAD" or response.status_code == 304 or told in ("", str(raw))
    if not whole or (decoder and raw and not decoder.done):
        raise httpx.RemoteProtocolError("the body ends too early")
    return bytes(body)


def _bounded(body: bytes | bytearray, limit: int) -> bytes:
    if len(body) > limit:
        raise _Fault(f"sent a body of more than {limit / 1e6:g} MB: ask for less, or raise the limit", again=False)
    return body  # type: ignore[return-value]
