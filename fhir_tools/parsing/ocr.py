"""Pictures of pages → text, by Tesseract where it is installed."""

from __future__ import annotations

import asyncio
import io
import resource
import shutil
import subprocess
from functools import lru_cache
from statistics import fmean

from fhir_tools.parsing.types import Unreadable

__all__ = ["Tesseract", "tesseract"]

_SECONDS = 60.0
_MEMORY = 2_000_000_000
_SURE = 60.0
"""Mean confidence (0 to 100) of Tesseract's words under which what it read is not to be trusted."""


class _Unclear(Unreadable):
    """It was read, and what came is nothing to rely on."""


class Tesseract:
    """The `tesseract` program. Pictures go through pipes: nothing of a patient is written to a disk.

    `name` is who is said to have read a page.
    """

    name = "Tesseract"

    def __init__(self, program: str, language: str = "eng") -> None:
        self._program, self._language = program, language

    async def read(self, png: bytes) -> str:
        """A page's text. Raises Unreadable: it failed, took more than a minute, or is not sure of what it read."""
        try:
            return await asyncio.to_thread(self._read, png)
        except _Unclear:
            return await asyncio.to_thread(self._read, await asyncio.to_thread(_without_specks, png))

    def _read(self, png: bytes) -> str:
        command = [self._program, "stdin", "stdout", "-l", self._language, "--dpi", "200", "tsv"]
        process = subprocess.Popen(  # noqa: S603  the program is the one that is installed, and no word comes from a chart
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"OMP_THREAD_LIMIT": "1", "LC_ALL": "C.UTF-8"},
            cwd="/",
        )
        with process:
            _bound(process.pid)
            try:
                out, _ = process.communicate(png, timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Unreadable("OCR takes too long") from None
        if process.returncode:
            raise Unreadable("OCR failed")
        return _text(out.decode("utf-8", errors="replace"))


def _without_specks(png: bytes) -> bytes:
    """The picture without single dots, as scanners and faxes make them; print of ten points keeps its strokes."""
    from PIL import Image, ImageFilter

    out = io.BytesIO()
    with Image.open(io.BytesIO(png), formats=("PNG",)) as page:
        page.filter(ImageFilter.MedianFilter(3)).save(out, "PNG")
    return out.getvalue()


def _bound(pid: int) -> None:
    if hasattr(resource, "prlimit"):  # Linux alone can bound another process
        try:
            resource.prlimit(pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            resource.prlimit(pid, resource.RLIMIT_CPU, (int(_SECONDS), int(_SECONDS)))
        except ProcessLookupError:
            return


def _text(table: str) -> str:
    """The words of Tesseract's table by line, with blank lines between paragraphs. Raises Unreadable if unsure."""
    lines: dict[tuple[str, ...], list[str]] = {}
    sure: list[float] = []
    for row in table.splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) == 12 and cells[0] == "5" and cells[11].strip():
            lines.setdefault(tuple(cells[2:5]), []).append(cells[11].strip())
            sure.append(float(cells[10]))
    if not sure:
        raise _Unclear("no text was found by OCR")
    if fmean(sure) < _SURE:
        raise _Unclear("it is too unclear for OCR")
    out, before = [], None
    for (block, paragraph, _), words in lines.items():
        if before not in (None, (block, paragraph)):
            out.append("")
        before = (block, paragraph)
        out.append(" ".join(words))
    return "\n".join(out)


@lru_cache(maxsize=1)
def tesseract() -> Tesseract | None:
    """Tesseract, where it is installed."""
    program = shutil.which("tesseract")
    return Tesseract(program) if program else None
