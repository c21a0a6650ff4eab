"""A body read as it comes, for what is too large to hold: pixels of an archive. The rules are those of `Http`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import httpx

from fhir_tools.errors import SourceError
from fhir_tools.http.client import _REDIRECTS, _RETRIED, Http, _Call, _Fault, _named
from fhir_tools.http.silence import silence
from fhir_tools.http.transfer import UnknownEncoding, decoder_of

__all__ = ["Streamed", "stream"]

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """An answer whose body is still to come. `chunks` are its bytes in pieces of up to about a megabyte, once."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    chunks: AsyncIterator[bytes] = field(repr=False)


@asynccontextmanager
async def stream(
    http: Http, url: str, *, headers: Mapping[str, str], limit: int, seconds: float
) -> AsyncIterator[Streamed]:
    """GET; `url` as for `Http.send`, retried like there until a body begins to come; a body is not begun anew.

    `limit` bounds the body in bytes, decoded; `seconds` the whole. Raises SourceError, also while it is read;
    ScopeError for an origin that is not allowed.
    """
    sent = {"accept-encoding": "identity", **headers}
    call = _Call(method="GET", url=http._target(http._base, url), headers=sent, body=None, safe=True, check=None)
    end = asyncio.get_running_loop().time() + seconds
    found: httpx.Response | _Fault
    with silence():
        try:
            async with asyncio.timeout(min(http.limits.total, seconds)):
                found = await http._retried(call, partial(_attempt, http))
        except TimeoutError:
            found = _Fault(f"did not answer within {http.limits.total:g} s")
    if isinstance(found, _Fault):
        raise http._error(found)
    try:
        yield Streamed(status=found.status_code, headers=found.headers, chunks=_chunks(http, found, limit, end))
    finally:
        with silence():
            await found.aclose()


async def _attempt(http: Http, call: _Call) -> httpx.Response:
    """An answer to read, behind its redirects. Raises _Fault."""
    url = call.url
    async with http._slots:
        for _ in range(http.limits.redirects + 1):
            try:
                response = await http._begun(call.method, url, call.headers)
            except httpx.HTTPError as error:
                fault = http._fault(error)
            else:
                place = response.headers.get("location")
                if response.status_code in _REDIRECTS and place is not None:
                    await response.aclose()
                    url = http._target(url, place)
                    continue
                if response.status_code not in _RETRIED:
                    return response
                await response.aclose()
                fault = _Fault(f"answered {_named(response.status_code)}")
            raise fault  # outside of the handler: httpx's errors hold the request with its URL and credentials
    raise _Fault(f"redirects more than {http.limits.redirects} times: check the address", again=False)


async def _chunks(http: Http, response: httpx.Response, limit: int, end: float) -> AsyncIterator[bytes]:
    if response.is_stream_consumed:  # the auth flow has read it, or a transport that had it whole
        if len(response.content) > limit:
            raise http._error(_beyond(limit))
        yield response.content
        return
    size, loop = 0, asyncio.get_running_loop()
    try:
        decoder = decoder_of(response.headers.get("content-encoding", ""))
    except UnknownEncoding:
        raise http._error(_Fault("sent a content encoding that was not asked for")) from None
    raw = response.aiter_raw(_PIECE)
    while True:
        try:
            with silence():
                chunk = await anext(raw, None)
            if chunk is None:
                break
            piece = decoder.decode(chunk, limit + 1 - size) if decoder else chunk
        except httpx.HTTPError as error:
            fault: SourceError | None = http._error(http._fault(error))
        except ValueError:
            fault = http._error(_Fault("sent a body that cannot be decompressed"))
        else:
            size += len(piece)
            fault = None
            if size > limit:
                fault = http._error(_beyond(limit))
            elif loop.time() > end:
                fault = http._error(_Fault("did not send all of the body in time"))
        if fault:
            raise fault
        yield piece


def _beyond(limit: int) -> _Fault:
    return _Fault(f"sent a body of more than {limit / 1e6:g} MB")
