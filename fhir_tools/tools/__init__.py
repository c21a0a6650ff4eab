"""The one list of typed read-only tools over one patient's chart: the graph, LangChain users and MCP share it."""

from __future__ import annotations

from fhir_tools.errors import NeedError
from fhir_tools.tools.bench import Bench
from fhir_tools.tools.computing import COMPUTE
from fhir_tools.tools.finding import FIND, LIST_CONCEPTS
from fhir_tools.tools.images import LOOK_AT_IMAGE
from fhir_tools.tools.ledger import Ledger
from fhir_tools.tools.notes import FIND_NOTES, READ_DOCUMENT
from fhir_tools.tools.related import RELATED
from fhir_tools.tools.types import Absent, Found, Seen, Show, Tool

__all__ = ["AVAILABLE", "TOOLS", "Absent", "Bench", "Found", "Ledger", "Seen", "Show", "Tool", "tool"]

TOOLS: tuple[Tool, ...] = (FIND, LIST_CONCEPTS, FIND_NOTES, READ_DOCUMENT, RELATED, COMPUTE, LOOK_AT_IMAGE)
"""Every tool, in the order in which a model is told of them."""
AVAILABLE = tuple(t for t in TOOLS if t is not LOOK_AT_IMAGE)
"""Those that need no model that reads images: without one, a tool that only refuses costs tokens and a step."""


def tool(name: str) -> Tool:
    """The tool of a name. Raises NeedError that names those there are."""
    found = next((t for t in TOOLS if t.name == name), None)
    if found is None:
        raise NeedError(f"there is no such tool; the tools are {', '.join(t.name for t in TOOLS)}")
    return found
