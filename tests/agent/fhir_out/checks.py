"""What every Bundle of ours must hold to."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from fhir.resources.R4B.bundle import Bundle

_LITERAL = re.compile(r"(https?://\S+/)?[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}(/_history/[A-Za-z0-9\-.]{1,64})?")


def walk(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every JSON object in it."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def check(bundle: Mapping[str, Any]) -> None:
    """Valid, its addresses unique, its references resolvable, its narratives well-formed XHTML."""
    Bundle.model_validate(bundle)
    urls = [e["fullUrl"] for e in bundle["entry"]]
    assert len(set(urls)) == len(urls)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        inside = {f"#{c['id']}" for c in resource.get("contained", ())}
        for part in walk(resource):
            reference = part.get("reference")
            if isinstance(reference, str):
                assert reference in urls or reference in inside or _LITERAL.fullmatch(reference), reference
            if "div" in part and "status" in part:
                root = ElementTree.fromstring(part["div"])
                assert root.tag == "{http://www.w3.org/1999/xhtml}div"
                assert "".join(root.itertext()).strip()
                assert {e.tag.rpartition("}")[2] for e in root.iter()} <= {"div", "p", "b", "ul", "li"}


def of_type(bundle: Mapping[str, Any], type_: str) -> list[Mapping[str, Any]]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == type_]


def one(bundle: Mapping[str, Any], type_: str) -> Mapping[str, Any]:
    [found] = of_type(bundle, type_)
    return found


def text_of(document: Mapping[str, Any]) -> str:
    """The text that a DocumentReference has attached."""
    return base64.b64decode(document["content"][0]["attachment"]["data"]).decode()
