"""Elements of a resource: found by a FHIRPath-like path, and told one by one with labels that a reader understands.

Paths are those of citations: `Observation.component[0].valueQuantity`, `Condition.code`, with the resource's type in
front. A step without an index means every item of a list, and a choice element may be named without its type
(`Observation.value`), as in FHIRPath (http://hl7.org/fhirpath, 3 and R4 2.6.5).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fhir_tools import wording
from fhir_tools.facts.elements import quantity_of

__all__ = ["Leaf", "at", "is_below", "leaves", "text_at"]

_STEP = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?:\[(\d{1,6})\])?")
_TYPES = (
    "Address", "Age", "Annotation", "Attachment", "Base64Binary", "Boolean", "Canonical", "Code", "CodeableConcept",
    "Coding", "ContactPoint", "Count", "Date", "DateTime", "Decimal", "Distance", "Duration", "HumanName", "Id",
    "Identifier", "Instant", "Integer", "Markdown", "Money", "Oid", "Period", "PositiveInt", "Quantity", "Range",
    "Ratio", "Reference", "SampledData", "Signature", "String", "Time", "Timing", "UnsignedInt", "Uri", "Url", "Uuid",
)  # fmt: skip
"""Datatypes that a choice element's name may end with (R4 2.24, open types)."""
_CHOICE = re.compile(rf"([a-z][A-Za-z]*?)(?:{'|'.join(_TYPES)})\Z")
_CHOICES = frozenset((
    "abatement", "allowed", "asNeeded", "born", "created", "deceased", "defaultValue", "detail", "dose", "due",
    "effective", "fixed", "item", "medication", "multipleBirth", "occurred", "occurrence", "onset", "performed",
    "pattern", "product", "rate", "reported", "serviced", "start", "time", "timing", "value",
))  # fmt: skip
"""Choice elements of clinical resources and datatypes (R4): only their names lose their type in a label."""
_HIDDEN = frozenset({"resourceType", "id", "meta", "text", "contained"})
"""What tells a reader nothing: the head says the first two, and `text` repeats the rest as HTML."""
_QUANTITY = frozenset({"value", "comparator", "unit", "system", "code"})
_PLAIN = ("coding", "extension", "text")
"""Steps that a label leaves out: what they hold is what the element above them says."""
_LONG = 240
_DEEP = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One thing that a resource says. `path` has every index, `short` only those that tell items apart.

    `label` is the path in words; `link` the reference that it is, as the chart writes it, empty for anything else.
    `whole` is False where `text` was cut.
    """

    path: str
    short: str
    label: str
    text: str
    link: str = ""
    whole: bool = True


def at(resource: Mapping[str, Any], path: str) -> tuple[tuple[str, Any], ...]:
    """The elements at a path, each with its own path that has every index; none where the resource has no such element.

    Raises ValueError for what is no path.
    """
    head, *steps = _parsed(path)
    if head[0] != resource.get("resourceType") or head[1] is not None:
        return ()
    found: list[tuple[str, Any]] = [(str(head[0]), resource)]
    for name, index in steps:
        found = [item for where, value in found for item in _step(where, value, name, index)]
    return tuple(found)


def is_below(path: str, whole: str) -> bool:
    """Whether a path is that of an element or of a part of it."""
    return path == whole or path.startswith((f"{whole}.", f"{whole}["))


def text_at(value: Any) -> str:
    """An element in words, its parts one after the other."""
    return "; ".join(f"{leaf.label}: {leaf.text}" if leaf.label else leaf.text for leaf in _leaves(value, _Place()))


def leaves(resource: Mapping[str, Any]) -> Iterator[Leaf]:
    """All that the resource says, element by element in its own order, long texts cut."""
    shown = {name: value for name, value in resource.items() if name not in _HIDDEN}
    yield from _leaves(shown, _Place(path=str(resource.get("resourceType", ""))))


# Paths.


def _parsed(path: str) -> list[tuple[str, int | None]]:
    steps = [_STEP.fullmatch(step) for step in path.split(".")]
    if not all(steps) or len(steps) > _DEEP:
        raise ValueError("no path of an element, as in Observation.component[0].valueQuantity")
    return [(step[1], int(step[2]) if step[2] else None) for step in steps if step]


def _step(where: str, value: Any, name: str, index: int | None) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return
    own = name if name in value else next((key for key in value if _named(key, name)), None)
    if own is None:
        return
    inner = value[own]
    items = list(enumerate(inner)) if isinstance(inner, list) else None
    if items is None:
        if not index:
            yield f"{where}.{own}", inner
        return
    yield from ((f"{where}.{own}[{n}]", item) for n, item in items if index in (None, n))


def _named(key: str, choice: str) -> bool:
    """Whether a JSON name is that of a choice element: `valueQuantity` of `value`."""
    return key.startswith(choice) and key[len(choice) :] in _TYPES


# Leaves.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a leaf is, told in the three ways of `Leaf`."""

    path: str = ""
    short: str = ""
    words: tuple[str, ...] = ()
    depth: int = 0

    def child(self, name: str) -> _Place:
        short = self.short if name == "coding" and self.short else f"{self.short}.{name}".lstrip(".")
        words = self.words if name in _PLAIN and self.words else (*self.words, _words(name))
        return _Place(path=f"{self.path}.{name}", short=short, words=words, depth=self.depth + 1)

    def item(self, index: int, of: int) -> _Place:
        path = f"{self.path}[{index}]"
        if of == 1:
            return _Place(path=path, short=self.short, words=self.words, depth=self.depth + 1)
        words = (*self.words[:-1], f"{self.words[-1]} {index + 1}") if self.words else (str(index + 1),)
        return _Place(path=path, short=f"{self.short}[{index}]", words=words, depth=self.depth + 1)

    def leaf(self, text: str, link: str = "") -> Leaf:
        whole = len(text) <= _LONG
        told = text if whole else f"{text[:_LONG]}… ({len(text):,} characters)"
        return Leaf(path=self.path, short=self.short, label=" › ".join(self.words), text=told, link=link, whole=whole)


def _words(name: str) -> str:
    """`referenceRange` as `Reference range`, `valueQuantity` as `Value`."""
    choice = _CHOICE.fullmatch(name)
    plain = choice[1] if choice and choice[1] in _CHOICES else name
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", plain.lstrip("_")).lower()
    return text[:1].upper() + text[1:]


def _leaves(value: Any, place: _Place) -> Iterator[Leaf]:
    if place.depth > _DEEP:
        yield place.leaf("(nested too deeply to be shown)")
    elif isinstance(value, Mapping):
        told = _told(value)
        if told:
            yield place.leaf(*told)
        else:
            for name, inner in value.items():
                if not (name == "text" and _is_repeated(value, inner)):
                    yield from _leaves(inner, place.child(name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves(inner, place.item(index, len(value)))
    elif value is not None:
        yield place.leaf(value if isinstance(value, str) else json.dumps(value))


def _is_repeated(concept: Mapping[str, Any], text: Any) -> bool:
    """Whether the text of a CodeableConcept is what one of its codings says as well."""
    codings = concept.get("coding")
    return isinstance(codings, list) and any(isinstance(c, Mapping) and c.get("display") == text for c in codings)


def _told(value: Mapping[str, Any]) -> tuple[str, str] | None:
    """A datatype that reads better as a whole, with the reference that it is; None for any other."""
    keys = value.keys()
    if "code" in keys and keys <= {"system", "version", "code", "display", "userSelected"}:
        system = wording.SYSTEMS.get(str(value.get("system")), value.get("system"))
        return " · ".join(str(part) for part in (value.get("display"), value["code"], system) if part), ""
    if "value" in keys and keys <= _QUANTITY and (quantity := quantity_of(value)):
        return wording.quantity_text(quantity), ""
    if keys and keys <= {"start", "end"} and all(isinstance(value[key], str) for key in keys):
        return _period(value.get("start"), value.get("end")), ""
    if isinstance(value.get("reference"), str) and keys <= {"reference", "display", "type", "identifier"}:
        link = value["reference"]
        display = value.get("display")
        return (f"{display} ({link})" if isinstance(display, str) and display else link), link
    return None


def _period(start: Any, end: Any) -> str:
    return f"{start} to {end}" if start and end else f"since {start}" if start else f"until {end}"
