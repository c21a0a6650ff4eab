"""How fast documents are opened, cut and indexed, and how long files of other kinds take.

    python -m benchmarks.bench_documents [--charts FOLDER]

The documents are those of the charts in a folder (`<patient id>.json.gz`), of the demo charts where none is given, as
often as it takes to fill two seconds. Opened: the text of each; cut: its sections and sentences; indexed: its
statements, which take the lexicon's names, what is asserted of each, and the times. Fails (exit 1) under 200 a second.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import io
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from fhir_tools.documents import Document, read_document, sections, sentences
from fhir_tools.documents.statements import statements
from fhir_tools.facts import facts_of
from fhir_tools.parsing import Parsers
from fhir_tools.source import Source

__all__ = ["documents_in", "main"]

TARGET = 200
_KINDS = ("DocumentReference", "Composition", "DiagnosticReport")
_SECONDS = 2.0


def documents_in(folder: Path) -> list[Mapping[str, Any]]:
    """The documents and reports of the charts in a folder."""
    found = []
    for path in sorted(folder.glob("*.json.gz")):
        bundle = orjson.loads(gzip.decompress(path.read_bytes()))
        found += [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] in _KINDS]
    return found


async def _opened(resources: Sequence[Mapping[str, Any]], source: Source) -> list[Document]:
    return [await read_document(r, facts_of(r)[0], source) for r in resources]


def _indexed(documents: Sequence[Document]) -> int:
    number = 0
    for document in documents:
        sections(document.text)
        sentences(document.text)
        number += len(statements(document))
    return number


class _Nowhere:
    """A source without bodies: what stands behind an URL is told as not fetched."""

    async def fetch(self, url: str) -> Any:
        raise ValueError("no bodies here")


async def _rate(resources: Sequence[Mapping[str, Any]]) -> tuple[float, int]:
    source: Any = _Nowhere()
    _indexed(await _opened(resources[:5], source))  # the lexicon is built once, and is no part of the rate
    begin, done, found = time.perf_counter(), 0, 0
    while time.perf_counter() - begin < _SECONDS or not done:
        sections.cache_clear()
        sentences.cache_clear()
        found = _indexed(await _opened(resources, source))
        done += len(resources)
    return done / (time.perf_counter() - begin), found


async def _files() -> list[tuple[str, float]]:
    """Milliseconds for files of other kinds, in a process that has been started."""
    from PIL import Image

    picture = io.BytesIO()
    Image.effect_noise((1700, 2200), 60).save(picture, "TIFF")
    files = {"RTF": b"{\\rtf1 " + b"All well. " * 5000 + b"}", "HTML": b"<html>" + b"<p>All well.</p>" * 5000,
             "TIFF page": picture.getvalue()}  # fmt: skip
    parsers = Parsers(workers=1)
    out = []
    try:
        await parsers.parse(files["RTF"])
        for name, body in files.items():
            begin = time.perf_counter()
            await parsers.parse(body)
            out.append((name, 1e3 * (time.perf_counter() - begin)))
    finally:
        parsers.close()
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    demo = Path(__file__).resolve().parents[1] / "fhir_tools" / "demo"
    parser.add_argument("--charts", type=Path, default=demo, help="folder of <patient id>.json.gz")
    resources = documents_in(parser.parse_args().charts)
    rate, found = asyncio.run(_rate(resources))
    print(f"{'figure':<58}{'target':>9}{'measured':>11}")
    print(f"{f'documents a second, of {len(resources)}':<58}{TARGET:>9}{rate:>11.0f}")
    print(f"{'  statements in them':<58}{'':>9}{found:>11}")
    for name, took in asyncio.run(_files()):
        print(f"{f'one {name}, parsed apart':<58}{'':>9}{took:>8.0f} ms")
    return 0 if rate >= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
