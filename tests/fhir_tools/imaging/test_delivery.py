"""A series as one answer: files in whatever order they are wanted, and what it does not bring is not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

pytest.importorskip("pydicom")

from fhir_tools.errors import SourceError
from fhir_tools.imaging import delivery as module
from fhir_tools.imaging.delivery import Delivery, instance_of


def meta(uid: str) -> bytes:
    """The beginning of a DICOM file as far as it names the instance."""
    padded = uid.encode() + b"\0" * (len(uid) % 2)
    version = b"\x02\x00\x01\x00OB\0\0\x02\0\0\0\0\x01"
    return bytes(128) + b"DICM" + version + b"\x02\x00\x03\x00UI" + len(padded).to_bytes(2, "little") + padded


class Answer:
    """An answer with the files of some instances; `read` counts those that it was read for."""

    def __init__(self, folder: Path, uids: list[str], fault: Exception | None = None) -> None:
        self._folder, self._uids, self._fault = folder, uids, fault
        self.read = 0
        self.closed = False

    async def files(self) -> AsyncGenerator[Path, None]:
        try:
            for uid in self._uids:
                await asyncio.sleep(0)
                self.read += 1
                path = self._folder / f"{self.read}"
                path.write_bytes(meta(uid))
                yield path
            if self._fault:
                raise self._fault
        finally:
            self.closed = True


def left(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def uids(count: int) -> list[str]:
    return [f"1.2.{at}" for at in range(count)]


async def taken(delivery: Delivery, wanted: list[str]) -> list[str | None]:
    found = []
    for uid in wanted:
        path = await delivery.take(uid)
        found.append(path and instance_of(path))
        if path:
            path.unlink()
    return found


@pytest.mark.parametrize("turned", [1, -1])
async def test_files_are_had_in_any_order(tmp_path: Path, turned: int) -> None:
    answer = Answer(tmp_path, uids(100)[::turned])
    delivery = Delivery(answer.files(), uids(100))
    assert await taken(delivery, uids(100)) == uids(100)
    await delivery.close()
    assert answer.closed and left(tmp_path) == []


async def test_it_rests_while_enough_lies_ready(tmp_path: Path) -> None:
    answer = Answer(tmp_path, uids(500))
    delivery = Delivery(answer.files(), uids(500))
    assert await taken(delivery, uids(2)) == uids(2)
    await asyncio.sleep(0.05)
    assert answer.read <= module._READY + 3
    await delivery.close()
    assert answer.closed and left(tmp_path) == []


async def test_what_it_does_not_bring_is_none(tmp_path: Path) -> None:
    """One that is missing, one that comes twice, one that nobody wants, and a file that says of itself nothing."""
    answer = Answer(tmp_path, ["1.2.0", "1.2.0", "9.9", "x", "1.2.2"])
    delivery = Delivery(answer.files(), uids(3))
    assert await taken(delivery, uids(3)) == ["1.2.0", None, "1.2.2"]
    await delivery.close()
    assert left(tmp_path) == []


async def test_an_answer_that_breaks_off_leaves_the_rest_to_be_asked_for(tmp_path: Path) -> None:
    answer = Answer(tmp_path, uids(2), SourceError("broke off"))
    delivery = Delivery(answer.files(), uids(4))
    assert await taken(delivery, uids(4)) == ["1.2.0", "1.2.1", None, None]
    await delivery.close()


async def test_it_is_not_read_beyond_what_is_wanted(tmp_path: Path) -> None:
    answer = Answer(tmp_path, uids(50))
    delivery = Delivery(answer.files(), ["1.2.3", "1.2.1"])
    assert await taken(delivery, ["1.2.3", "1.2.1"]) == ["1.2.3", "1.2.1"]
    await asyncio.sleep(0.02)
    assert answer.read == 4 and answer.closed and left(tmp_path) == []
    await delivery.close()


def hostile_heads() -> Iterator[bytes]:
    good = meta("1.2.3")
    yield from (good[:at] for at in range(len(good) - 7))
    yield bytes(128) + b"DICM" + b"\x02\x00\x01\x00OB\0\0\xff\xff\xff\xff" + good
    yield bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x00\x00" * 2000
    yield bytes(5000)


def test_a_head_that_is_none_names_no_instance(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for head in hostile_heads():
        path.write_bytes(head)
        assert instance_of(path) in ("", "1.2", "1.2.")
    path.write_bytes(meta("1.2.3"))
    assert instance_of(path) == "1.2.3"
