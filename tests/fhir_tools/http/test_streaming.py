"""A body as it comes: under the same rules as any other request."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fhir_tools.errors import ScopeError, SourceError
from fhir_tools.http import Http, Limits, stream

BASE = "https://pacs.example/dicom"
QUICK = Limits(backoff=0.001, total=5, attempts=3)


class Body(httpx.AsyncByteStream):
    """Pieces, and then perhaps a fault."""

    def __init__(self, *pieces: bytes, fault: Exception | None = None) -> None:
        self._pieces, self._fault = pieces, fault

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece
        if self._fault:
            raise self._fault


async def read(*answers: Any, limit: int = 1000, url: str = "studies/1") -> tuple[int, bytes, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        answer = answers[min(len(asked), len(answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer

    auth = httpx.BasicAuth("u", "p")
    async with (
        Http(
            BASE, auth=auth, origins=("https://other.example",), limits=QUICK, transport=httpx.MockTransport(handle)
        ) as http,
        stream(http, url, headers={"accept": "x/y"}, limit=limit, seconds=5) as answer,
    ):
        return answer.status, b"".join([chunk async for chunk in answer.chunks]), asked


def ok(*pieces: bytes, **more: Any) -> httpx.Response:
    return httpx.Response(200, stream=Body(*pieces, fault=more.pop("fault", None)), **more)


async def test_a_body_comes_whole_and_credentials_go_along() -> None:
    status, body, asked = await read(ok(b"ab", b"cd"))
    assert (status, body) == (200, b"abcd")
    assert "authorization" in asked[0].headers and asked[0].headers["accept"] == "x/y"


async def test_what_fails_before_a_body_is_tried_again() -> None:
    status, body, asked = await read(httpx.Response(503), httpx.ConnectError("x"), ok(b"a"))
    assert (status, body, len(asked)) == (200, b"a", 3)


async def test_other_answers_come_back_as_they_are() -> None:
    assert (await read(httpx.Response(404, stream=Body(b"no"))))[0] == 404


async def test_credentials_do_not_follow_to_another_origin() -> None:
    moved = httpx.Response(302, headers={"location": "https://other.example/x"})
    _, body, asked = await read(moved, ok(b"a"))
    assert body == b"a" and "authorization" not in asked[1].headers
    with pytest.raises(ScopeError):
        await read(httpx.Response(302, headers={"location": "https://evil.example/x"}), ok(b"a"))
    with pytest.raises(ScopeError):
        await read(ok(b"a"), url="https://evil.example/x")


async def test_a_body_is_bounded_also_when_it_is_compressed() -> None:
    with pytest.raises(SourceError, match="more than"):
        await read(ok(b"a" * 600, b"b" * 600))
    bomb = gzip.compress(bytes(5_000_000))
    with pytest.raises(SourceError, match="more than"):
        await read(ok(bomb, headers={"content-encoding": "gzip"}), limit=100_000)
    packed = ok(gzip.compress(b"hello"), headers={"content-encoding": "gzip"})
    assert (await read(packed))[1] == b"hello"


@pytest.mark.parametrize("fault", [httpx.ReadError("x"), httpx.ReadTimeout("x"), httpx.RemoteProtocolError("x")])
async def test_a_body_that_breaks_off_is_an_error(fault: Exception) -> None:
    with pytest.raises(SourceError, match=r"https://pacs\.example"):
        await read(ok(b"ab", fault=fault))
