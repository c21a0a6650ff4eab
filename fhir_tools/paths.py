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
from functools import lru_cache
from typing import Any

from fhir_tools import wording
from fhir_tools.facts.elements import quantity_of

__all__ = ["Leaf", "at", "is_below", "leaves", "text_at", "without_indexes"]

_STEP = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)((?:\[\d{1,6}\]){0,8})")
_INDEX = re.compile(r"\d+")
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
_IDENTIFIER = frozenset({"use", "system", "value"})
_RARER = {
    "http://dicom.nema.org/resources/ontology/DCM": "DICOM",
    "urn:dicom:uid": "DICOM UID",
    "http://unitsofmeasure.org": "UCUM",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://www.cms.gov/Medicare/Coding/ICD10": "ICD-10-PCS",
    "http://www.ama-assn.org/go/cpt": "CPT",
    "http://hl7.org/fhir/sid/ndc": "NDC",
    "http://www.whocc.no/atc": "ATC",
    "http://hl7.org/fhir/sid/us-npi": "NPI",
}
"""What a reader calls further systems, by their URIs (HL7 Terminology, "Code Systems - External")."""
_STRUCTURAL = re.compile(r"http://(?:terminology\.hl7\.org/CodeSystem|hl7\.org/fhir(?!/sid/))/")
"""Systems of FHIR's own codes (a category, a flag, a status): their element says what they are about."""
_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})(?::00(?:\.0+)?|(:\d{2}(?:\.\d+)?))?(Z|[+-]\d{2}:\d{2})")
"""A dateTime with a time of day (R4 2.24.0.1), whose seconds are told where they are not zero."""
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
    if head[0] != resource.get("resourceType") or head[1]:
        return ()
    found: list[tuple[str, Any]] = [(str(head[0]), resource)]
    for name, index in steps:
        found = [item for where, value in found for item in _step(where, value, name, index)]
    return tuple(found)


def is_below(path: str, whole: str) -> bool:
    """Whether a path is that of an element or of a part of it."""
    return path == whole or path.startswith((f"{whole}.", f"{whole}["))


def without_indexes(path: str) -> str:
    """The path of an element wherever it stands in its lists."""
    return re.sub(r"\[\d+\]", "", path)


def text_at(value: Any) -> str:
    """An element in words, its parts one after the other."""
    return "; ".join(f"{leaf.label}: {leaf.text}" if leaf.label else leaf.text for leaf in _leaves(value, _Place()))


def leaves(resource: Mapping[str, Any]) -> Iterator[Leaf]:
    """All that the resource says, element by element in its own order, long texts cut."""
    shown = {name: value for name, value in resource.items() if name not in _HIDDEN}
    yield from _leaves(shown, _Place(path=str(resource.get("resourceType", ""))))


# Paths.


@lru_cache(maxsize=1024)
def _parsed(path: str) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The names of a path, each with its indexes: one, or none; several where JSON nests lists, which FHIR does not."""
    steps = [_STEP.fullmatch(step) for step in path.split(".")]
    if not all(steps) or len(steps) > _DEEP + 2:
        raise ValueError("no path of an element, as in Observation.component[0].valueQuantity")
    return tuple((step[1], tuple(map(int, _INDEX.findall(step[2])))) for step in steps if step)


def _step(where: str, value: Any, name: str, indexes: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping):
        return
    own = name if name in value else next((key for key in value if _named(key, name)), None)
    if own is not None:
        yield from _items(f"{where}.{own}", value[own], indexes)


def _items(where: str, value: Any, indexes: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    """The item at an index, every item without one; what is no list is its own first item."""
    if isinstance(value, list):
        wanted = indexes[:1]
        for number, item in enumerate(value):
            if not wanted or wanted[0] == number:
                yield from _items(f"{where}[{number}]", item, indexes[1:])
    elif not any(indexes):
        yield where, value


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
        words = self.words if name in _PLAIN else (*self.words, _words(name))
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
    elif isinstance(value, bool):
        yield place.leaf("yes" if value else "no")
    elif value is not None:
        yield place.leaf(_moment(value) if isinstance(value, str) else json.dumps(value))


def _system(uri: str) -> str:
    """A system of codes or identifiers as a reader calls it; what has no usual name by the end of its address."""
    named = wording.SYSTEMS.get(uri) or _RARER.get(uri)
    if not named and _STRUCTURAL.match(uri):
        return ""
    return named or (uri.rstrip("/").rpartition("/")[2] if uri.startswith(("http://", "https://")) else uri)


def _is_repeated(concept: Mapping[str, Any], text: Any) -> bool:
    """Whether the text of a CodeableConcept is what one of its codings says as well."""
    codings = concept.get("coding")
    return isinstance(codings, list) and any(isinstance(c, Mapping) and c.get("display") == text for c in codings)


def _told(value: Mapping[str, Any]) -> tuple[str, str] | None:
    """A datatype that reads better as a whole, with the reference that it is; None for any other."""
    keys = value.keys()
    if "code" in keys and keys <= {"system", "version", "code", "display", "userSelected"}:
        system = _system(str(value.get("system") or ""))
        return " · ".join(str(part) for part in (value.get("display"), value["code"], system) if part), ""
    if isinstance(value.get("value"), str) and "system" in keys and keys <= _IDENTIFIER:
        parts = (value["value"], _system(str(value["system"] or "")), value.get("use"))
        return " · ".join(str(part) for part in parts if part), ""
    if "value" in keys and keys <= _QUANTITY and (quantity := quantity_of(value)):
        return wording.quantity_text(quantity), ""
    if keys and keys <= {"start", "end"} and all(isinstance(value[key], str) for key in keys):
        return _period(value.get("start"), value.get("end")), ""
    if isinstance(value.get("reference"), str) and keys <= {"reference", "display", "type", "identifier"}:
        link = value["reference"]
        display = value.get("display")
        return (f"{display} ({link})" if isinstance(display, str) and display else link), link
    return None


def _moment(text: str) -> str:
    """`2023-12-20T12:55:00-05:00` as `2023-12-20 12:55 (UTC-05:00)`; any other text as it is."""
    found = _INSTANT.fullmatch(text)
    if not found:
        return text
    day, clock, seconds, zone = found.groups()
    return f"{day} {clock}{seconds or ''} (UTC{'' if zone == 'Z' else zone})"


def _period(start: Any, end: Any) -> str:
    start, end = (_moment(edge) if edge else edge for edge in (start, end))
    return f"{start} to {end}" if start and end else f"since {start}" if start else f"until {end}"
