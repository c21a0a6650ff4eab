"""The bytes of a file → its text, and pictures of its pages where only a picture is there.

What a file is goes by its content. Plain text and small HTML are read here; everything else is read in a process of
its own that cannot write, cannot reach the network, and is ended when it takes too much memory or time (decision 0014).
"""

from __future__ import annotations

from fhir_tools.parsing.kinds import declared, kind_of
from fhir_tools.parsing.ocr import Tesseract, tesseract
from fhir_tools.parsing.pool import Parsers, parsers
from fhir_tools.parsing.types import Limits, Parsed, Scan

__all__ = [
    "Limits",
    "Parsed",
    "Parsers",
    "Scan",
    "Tesseract",
    "declared",
    "kind_of",
    "parsers",
    "tesseract",
]
