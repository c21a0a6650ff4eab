"""The tool `look_at_image`: what a model reads from pixels, through a callable that is handed in; never a record."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from fhir_tools.cards import event_card
from fhir_tools.errors import NeedError, OperatorError, UserError
from fhir_tools.facts import facts_of
from fhir_tools.tools.arguments import Arguments
from fhir_tools.tools.bench import Bench
from fhir_tools.tools.ledger import Ledger
from fhir_tools.tools.notes import Record
from fhir_tools.tools.reading import Reader
from fhir_tools.tools.types import Found, Seen, Show, Tool
from fhir_tools.types import Fact

__all__ = ["LOOK_AT_IMAGE"]

_NONE = "images are not available here; read the report instead: find with kind report"
_APART = "Read from the image by {0}; no record, tell no claim from it:"


class _Look(Arguments):
    record: Record
    question: Annotated[str, StringConstraints(max_length=200)] = ""


async def _look(bench: Bench, asked: _Look) -> Show:
    """What the model saw, and the record's card to cite. An image that cannot be read is a row that is not complete."""
    reference = bench.record(asked.record)
    if bench.look is None:
        raise NeedError(_NONE)
    reader = Reader(bench)
    resource = await reader.resource(reference)
    facts = facts_of(resource)[:1] if resource else ()
    seen: tuple[Seen, ...] = ()
    try:
        seen, warnings = await bench.look(reference, asked.question)
        reader.warnings.extend(warnings)
    except (UserError, OperatorError) as error:
        reader.unread(reader.query(reference.type, ("_id", reference.id)), f"its pixels: {error}")

    def show(marks: Ledger) -> Found:
        return _shown(reader, marks, tuple(facts), seen)

    return show


def _shown(reader: Reader, marks: Ledger, facts: tuple[Fact, ...], seen: tuple[Seen, ...]) -> Found:
    told = dict.fromkeys(row.text for row in seen)
    return Found(
        cards=tuple(event_card(marks, (fact,)) for fact in facts),
        lines=(_APART.format(seen[0].model), *told) if seen else ("nothing was read from the image",),
        searched=reader.searched,
        warnings=tuple(reader.warnings),
        seen=seen,
        image=next((marks.fact(fact).id for fact in facts), ""),
    )


LOOK_AT_IMAGE = Tool(
    name="look_at_image",
    description="What a model sees in an image of the chart: a reading, never a claim.",
    arguments=_Look,
    reader=_look,
)
