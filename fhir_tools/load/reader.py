"""Files as streams of entries: Bundles, NDJSON and single resources, plain or gzipped, in bounded memory."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import ijson
import orjson

from fhir_tools.errors import LoadError

__all__ = ["BUNDLE_TYPES", "Entry", "entries", "find_files"]

BUNDLE_TYPES = frozenset(("transaction", "collection", "searchset", "batch", "document", "history"))
_SUFFIXES = (".json", ".ndjson", ".jsonl")
_SMALL = 16_000_000  # bytes that are parsed at once, in about ten times as much memory; larger files are streamed
_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}

Tick = Callable[[int], None]
"""Told how many bytes of the file, as it lies on the disk, have been read so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One resource with what its Bundle says about it; `where` is `line 3` or `entry 3`, counted from 1."""

    where: str
    resource: Any
    full_url: str | None = None
    request: Mapping[str, Any] | None = None


def find_files(path: Path) -> list[Path]:
    """The file itself, or the FHIR files below a folder, sorted. Raises LoadError if there is none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise LoadError("no such file or folder; check the path", path=str(path))
    shown = (p for p in path.rglob("*") if not any(x.startswith(".") for x in p.relative_to(path).parts))
    files = sorted(p for p in shown if _suffix(p) in _SUFFIXES and p.is_file())
    if not files:
        raise LoadError(
            f"no FHIR files in the folder; they end in {', '.join(_SUFFIXES)}, or these with .gz", path=str(path)
        )
    return files


def _suffix(path: Path) -> str:
    return Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()


def entries(path: Path, tick: Tick | None = None) -> Iterator[Entry]:
    """The entries of one file, one at a time. Raises LoadError, also after some were given."""
    with _faults(path):
        with _opened(path, tick) as stream:
            start = stream.read(_SMALL + 1)
        _refuse_start(path, start)
        ndjson = _is_ndjson(path, start)
        if ndjson and len(start) <= _SMALL:
            yield from _lines(path, io.BytesIO(start))
        elif ndjson:
            with _opened(path, tick) as stream:
                yield from _lines(path, stream)
        else:
            # What cannot be parsed at once is streamed too: the stream knows after which entry it breaks.
            found = _loads(start) if len(start) <= _SMALL else None
            del start
            yield from _large(path, tick) if found is None else _document(found)


# Opening.


@contextmanager
def _opened(path: Path, tick: Tick | None = None) -> Iterator[IO[bytes]]:
    with path.open("rb") as raw:
        zipped = raw.peek(2)[:2] == b"\x1f\x8b"
        counted = io.BufferedReader(_Counted(raw, tick), 1 << 18) if tick else raw
        stream: Any = gzip.GzipFile(fileobj=counted) if zipped else counted
        start = stream.peek(4)[:4]
        if start.startswith(codecs.BOM_UTF8):
            stream.read(3)
        yield stream


class _Counted(io.RawIOBase):
    """A file that tells how far it has been read."""

    def __init__(self, raw: IO[bytes], tick: Tick) -> None:
        self._raw, self._tick, self._done = raw, tick, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._raw.readinto(buffer)  # type: ignore[attr-defined]
        self._done += count
        self._tick(self._done)
        return count


@contextmanager
def _faults(path: Path) -> Iterator[None]:
    """What reading and decoding raise, as LoadError with the remedy."""
    try:
        yield
    except EOFError as fault:
        raise LoadError("the gzip file is cut off; fetch it again", path=str(path)) from fault
    except (zlib.error, gzip.BadGzipFile) as fault:
        raise LoadError("the gzip file is damaged; fetch it again", path=str(path)) from fault
    except OSError as fault:
        raise LoadError(f"cannot be read ({fault.strerror or fault}); check its permissions", path=str(path)) from fault


# NDJSON.


def _is_ndjson(path: Path, start: bytes) -> bool:
    """By its name, or because its first line is a whole JSON object with more after it."""
    if _suffix(path) in (".ndjson", ".jsonl"):
        return True
    line, end, rest = start.partition(b"\n")
    return bool(end and rest.strip()) and _loads(line) is not None


def _refuse_start(path: Path, start: bytes) -> None:
    for bom, name in _ENCODINGS.items():
        if start.startswith(bom):
            raise LoadError(f"the file is {name}; convert it to UTF-8 (iconv -f {name} -t UTF-8)", path=str(path))
    text = start.lstrip()
    if not text:
        raise LoadError("the file is empty", path=str(path))
    if text.startswith(b"["):
        raise LoadError("a JSON array; write its resources as NDJSON (jq -c '.[]') or in a Bundle", path=str(path))
    if text.startswith(b"<"):
        raise LoadError("XML; export it as FHIR JSON", path=str(path))
    if not text.startswith(b"{"):
        raise LoadError("not JSON; FHIR files are JSON or NDJSON, plain or gzipped", path=str(path))


def _loads(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _lines(path: Path, stream: Iterable[bytes]) -> Iterator[Entry]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            resource = orjson.loads(line)
        except orjson.JSONDecodeError as fault:
            why = _why(line, cut=not line.endswith(b"\n"))
            raise LoadError(why, path=str(path), where=where) from fault
        yield from _unpacked(where, resource)


def _why(text: bytes, *, cut: bool) -> str:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8; convert the file (iconv -f ISO-8859-1 -t UTF-8, if that is what it is)"
    return "the JSON is cut off; fetch the file again" if cut else "not JSON; mend or leave out what stands here"


# JSON documents.


def _document(found: Any) -> Iterator[Entry]:
    if not _is_manifest(found):
        yield from _unpacked("", found)


def _is_manifest(found: Any) -> bool:
    """Whether it is the manifest of a Bulk Data export: its files lie beside it."""
    return isinstance(found, dict) and "resourceType" not in found and "output" in found and "transactionTime" in found


def _large(path: Path, tick: Tick | None) -> Iterator[Entry]:
    head = _head(path)
    if head.get("resourceType") == "Bundle":
        yield from _bundle(path, head, tick)
    elif not _is_manifest(head):
        with _opened(path, tick) as stream:
            text = stream.read()
        yield from _document(_parsed(path, text))


def _parsed(path: Path, text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        why = _why(text, cut=not text.rstrip().endswith(b"}"))
        raise LoadError(why, path=str(path), where=f"line {fault.lineno}") from fault


def _head(path: Path) -> dict[str, Any]:
    """Top-level strings of the document, read until it is known what it is."""
    head: dict[str, Any] = {}
    names = ("resourceType", "type", "output", "transactionTime")
    with _opened(path) as stream:
        try:
            for prefix, event, value in ijson.parse(stream, use_float=True):
                if prefix in names and event in ("string", "start_array"):
                    head[prefix] = value
                if "resourceType" in head and (head["resourceType"] != "Bundle" or "type" in head):
                    break
        except ijson.JSONError as fault:
            if head.get("resourceType") != "Bundle":
                raise LoadError(_document_fault(path), path=str(path)) from fault
    return head


def _bundle(path: Path, head: Mapping[str, Any], tick: Tick | None) -> Iterator[Entry]:
    _refuse_bundle(str(path), "", head.get("type"))
    number = 0
    with _opened(path, tick) as stream:
        try:
            for number, item in enumerate(ijson.items(stream, "entry.item", use_float=True), 1):
                yield _entry(f"entry {number}", item)
        except ijson.JSONError as fault:
            raise LoadError(_document_fault(path), path=str(path), where=f"after entry {number}") from fault


def _refuse_bundle(path: str, where: str, type_: object) -> None:
    if type_ is not None and type_ not in BUNDLE_TYPES:
        kinds = ", ".join(sorted(BUNDLE_TYPES))
        raise LoadError(f"a Bundle of type {type_!r} holds no chart; these do: {kinds}", path=path, where=where)


def _document_fault(path: Path) -> str:
    """Why a document is no JSON: read once more in pieces, as only a broken file is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    last = b""
    with _opened(path) as stream:
        try:
            while piece := stream.read(1 << 20):
                decoder.decode(piece)
                last = piece.rstrip() or last
        except UnicodeDecodeError:
            return _why(b"\xff", cut=False)
    return _why(b"", cut=not last.endswith(b"}"))


def _entry(where: str, item: Any) -> Entry:
    if not isinstance(item, dict):
        return Entry(where=where, resource=item)
    full_url, request = item.get("fullUrl"), item.get("request")
    return Entry(
        where=where,
        resource=item.get("resource"),
        full_url=full_url if isinstance(full_url, str) else None,
        request=request if isinstance(request, dict) else None,
    )


def _unpacked(where: str, resource: Any) -> Sequence[Entry] | Iterator[Entry]:
    """The resource, or the entries of a Bundle that stands on one line."""
    if not isinstance(resource, dict) or resource.get("resourceType") != "Bundle":
        return [Entry(where=where, resource=resource)]
    _refuse_bundle("", where, resource.get("type"))
    items = resource.get("entry")
    place = f"{where}, entry" if where else "entry"
    return (_entry(f"{place} {n}", item) for n, item in enumerate(items if isinstance(items, list) else (), 1))
