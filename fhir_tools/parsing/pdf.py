"""The text layer of a PDF, and pictures of the pages that have none."""

from __future__ import annotations

import io
from typing import Any

from fhir_tools.parsing.characters import plain
from fhir_tools.parsing.types import Limits, Parsed, Scan, Unreadable

__all__ = ["read_pdf"]

_DPI = 200
"""What Tesseract wants at least for print of ten points is 300; at 200 it reads as well here, in half the time."""
_FEW = 25
"""Characters of text under which a page with something drawn on it is taken for a scan with a stamp."""
_FORMS = (2, 3)
"""AcroForm and foreground XFA forms have fields whose values are annotations, no page text (FPDF_GetFormType)."""


def read_pdf(body: bytes, limits: Limits) -> Parsed:
    """Raises Unreadable for what is broken, encrypted or has no pages."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(body)
    except pypdfium2.PdfiumError as fault:
        secret = "password" in str(fault).lower() or "security" in str(fault).lower()
        raise Unreadable("the PDF is encrypted" if secret else "the PDF is broken") from None
    pages = len(document)
    if pages == 0:
        raise Unreadable("the PDF has no pages")
    if document.get_formtype() in _FORMS:
        document.init_forms()
    reader = _Reader(document, limits)
    for number in range(1, min(pages, limits.pages) + 1):
        reader.read(number)
        if reader.full:
            break
    if not reader.full and pages > limits.pages:
        reader.notes.append(f"{pages - limits.pages} of {pages} pages of the PDF are past the limit")
    return Parsed(pieces=tuple(reader.pieces), notes=tuple(dict.fromkeys(reader.notes)))


class _Reader:
    """Reads page after page until a limit is met."""

    def __init__(self, document: Any, limits: Limits) -> None:
        self._document, self._limits = document, limits
        self.pieces: list[str | Scan] = []
        self.notes: list[str] = []
        self._text = self._pictures = 0
        self.full = False

    def read(self, number: int) -> None:
        """One page: its text, its picture, or a note."""
        try:
            self._page(number)
        except Exception:  # noqa: BLE001  pypdfium2 raises its own and bare errors for one broken page: the others count
            self.notes.append(f"page {number} of the PDF is broken")

    def _page(self, number: int) -> None:
        page = self._document[number - 1]
        if self._document.formenv:
            page.flatten()
            page = self._document[number - 1]
        text = plain(page.get_textpage().get_text_bounded()).replace("\x02", "").replace("\ufffe", "-").strip()
        drawn = _has_picture(page) if len(text) < _FEW else False
        if text and not drawn:
            self._text += len(text)
            self.pieces.append(text)
        elif drawn and (png := self._picture(page)):
            self._pictures += len(png)
            self.pieces.append(Scan(page=number, png=png))
        page.close()
        if self._text > self._limits.text or self._pictures > self._limits.pictures:
            self.full = True
            self.notes.append(f"the PDF is too long: pages after {number} were not read")

    def _picture(self, page: Any) -> bytes:
        """The page as a grey PNG; empty for a blank one."""
        width, height = page.get_size()
        if width <= 0 or height <= 0:
            return b""
        scale = min(_DPI / 72, (self._limits.pixels / (width * height)) ** 0.5)
        image = page.render(scale=scale, grayscale=True).to_pil()
        low, high = image.convert("L").getextrema()
        if high - low < 32:
            return b""
        out = io.BytesIO()
        image.save(out, "PNG")
        return out.getvalue()


def _has_picture(page: Any) -> bool:
    """Whether anything but text is drawn on the page."""
    import pypdfium2.raw as raw

    return any(found.type != raw.FPDF_PAGEOBJ_TEXT for found in page.get_objects(max_depth=3))
