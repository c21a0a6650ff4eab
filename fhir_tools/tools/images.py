"""The tool `look_at_image`: declared, so that its place is known, and answered when pictures can be read."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from fhir_tools.errors import NeedError
from fhir_tools.tools.arguments import Arguments
from fhir_tools.tools.bench import Bench
from fhir_tools.tools.notes import Record
from fhir_tools.tools.types import Show, Tool

__all__ = ["LOOK_AT_IMAGE"]


class _Look(Arguments):
    record: Record
    question: Annotated[str, StringConstraints(max_length=200)] = ""


async def _look(bench: Bench, asked: _Look) -> Show:
    bench.record(asked.record)
    raise NeedError("images are not available here; read the report instead: find with kind report")


LOOK_AT_IMAGE = Tool(
    name="look_at_image",
    description="Ask about the pixels of an image in the chart. Not available yet: use the reports.",
    arguments=_Look,
    reader=_look,
)
