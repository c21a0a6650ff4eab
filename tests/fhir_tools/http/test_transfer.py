"""Decoding bodies by pieces, and reading Retry-After."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.http.transfer import Gzip, UnknownEncoding, decoder_of, rest_of

ROOM = 10**6


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3), st.integers(1, 50), st.booleans())
def test_pieces_give_the_whole(members: list[bytes], size: int, zipped: bool) -> None:
    packed = b"".join(map(gzip.compress, members)) if zipped else zlib.compress(members[0])
    decoder = Gzip()
    out = b"".join(decoder.decode(packed[n : n + size], ROOM) for n in range(0, len(packed), size))
    assert out == (b"".join(members) if zipped else members[0]) and decoder.done


@given(st.binary(min_size=1, max_size=300), st.integers(1, 20))
def test_what_is_cut_off_is_not_done(body: bytes, missing: int) -> None:
    packed = gzip.compress(body)
    decoder = Gzip()
    assert body.startswith(decoder.decode(packed[: len(packed) - missing], ROOM)) and not decoder.done


@given(st.binary(max_size=50))
def test_any_bytes_are_decoded_or_refused(noise: bytes) -> None:
    with suppress(ValueError):
        assert len(Gzip().decode(noise, ROOM)) <= ROOM


def test_no_more_than_the_room_is_decoded() -> None:
    assert len(Gzip().decode(gzip.compress(b"0" * 10**7), 1000)) == 1000


def test_encodings() -> None:
    assert decoder_of("") is None and decoder_of(" Identity ") is None
    assert isinstance(decoder_of("GZIP"), Gzip)
    for name in ("br", "zstd", "gzip, gzip"):
        with pytest.raises(UnknownEncoding):
            decoder_of(name)


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_retry_after_is_seconds_or_none(text: str, now: str) -> None:
    found = rest_of({"retry-after": text, "date": now})
    assert found is None or found >= 0


def test_retry_after() -> None:
    at = "Mon, 01 Jan 2001 00:00:00 GMT"
    assert rest_of({"retry-after": "7"}) == 7
    assert rest_of({"retry-after": "Mon, 01 Jan 2001 00:01:00 GMT", "date": at}) == 60
    assert rest_of({"retry-after": at, "date": "Mon, 01 Jan 2001 00:01:00 GMT"}) == 0
    assert rest_of({}) is None
