"""multipart/related cut anywhere, and what is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_tools.imaging.multipart import Broken, Multipart, boundary_of

BOUNDARY = b"b-1"
content = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"b", b"1", b"\r\n--b", b"--", b"\x00\xff"]), max_size=12).map(
    b"".join
)
parts = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["content-type", "content-location"]), st.just("a/b; c=d")),
        content.filter(lambda body: b"\r\n--" + BOUNDARY not in b"\r\n" + body + b"\r\n--b-"),
    ),
    min_size=1,
    max_size=4,
)
Part = tuple[dict[str, str], bytes]


def written(told: list[Part]) -> bytes:
    out = b""
    for headers, body in told:
        head = b"".join(f"{name.title()}: {value}\r\n".encode() for name, value in headers.items())
        out += b"--" + BOUNDARY + b"\r\n" + head + b"\r\n" + body + b"\r\n"
    return out + b"--" + BOUNDARY + b"--\r\n"


def read(pieces: list[bytes]) -> list[Part]:
    parser, found, ended = Multipart(BOUNDARY), list[list[object]](), 0
    for piece in pieces:
        for event in parser.feed(piece):
            if isinstance(event, bytes):
                found[-1][1] = bytes(found[-1][1]) + event  # type: ignore[call-overload]
            elif event is None:
                ended += 1
            else:
                found.append([dict(event), b""])
    parser.close()
    assert ended == len(found)
    return [(headers, body) for headers, body in found]  # type: ignore[misc]


@given(parts, st.lists(st.integers(1, 9), min_size=1, max_size=30), st.sampled_from([b"", b"preamble\r\n"]))
def test_parts_come_back_however_the_body_is_cut(told: list[Part], cuts: list[int], preamble: bytes) -> None:
    body, pieces, at = preamble + written(told) + b"epilogue", list[bytes](), 0
    while body:
        size = cuts[at % len(cuts)]
        pieces.append(body[:size])
        body, at = body[size:], at + 1
    assert read(pieces) == told


@given(parts, st.data())
def test_a_body_that_ends_early_is_never_taken_for_whole(told: list[Part], data: st.DataObject) -> None:
    body = written(told)
    end = data.draw(st.integers(0, len(body) - 5))
    with pytest.raises(Broken):
        read([body[:end]])


@given(st.binary(max_size=300))
def test_anything_else_is_told_as_broken(body: bytes) -> None:
    with pytest.raises(Broken):
        read([body])


def test_a_head_without_an_end_is_not_collected() -> None:
    parser = Multipart(BOUNDARY)
    list(parser.feed(b"--" + BOUNDARY + b"\r\n"))
    with pytest.raises(Broken):
        list(parser.feed(b"x" * 20_000))


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary=abc', b"abc"),
        ('Multipart/Related; boundary="a b:c"; type=x', b"a b:c"),
        ("application/dicom", None),
        ("", None),
    ],
)
def test_the_boundary_is_found(content_type: str, boundary: bytes | None) -> None:
    assert boundary_of(content_type) == boundary


@pytest.mark.parametrize("content_type", ["multipart/related", 'multipart/related; boundary=""'])
def test_multipart_without_a_boundary_is_broken(content_type: str) -> None:
    with pytest.raises(Broken):
        boundary_of(content_type)
