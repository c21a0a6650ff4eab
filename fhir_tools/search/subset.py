"""Parts of a resource by `_elements` and `_summary` (R4 3.1.1.5.8, 3.1.1.5.9), marked as parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fhir_tools.search.control import Control
from fhir_tools.search.definitions import Elements, elements

__all__ = ["subset", "with_elements"]

_ALWAYS = frozenset(("resourceType", "id", "meta", "modifierExtension"))
_MARK = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


def subset(resource: Mapping[str, Any], control: Control) -> dict[str, Any]:
    """The resource as the result parameters ask for it: itself, or a part with the tag SUBSETTED."""
    if control.fields:
        return with_elements(resource, control.fields)
    known = elements(str(resource.get("resourceType")))
    if control.summary == "true":
        return _marked(_summary(resource, known))
    if control.summary == "text":
        return _marked(_kept(resource, known, {*_ALWAYS, "text", *known.mandatory}))
    if control.summary == "data":
        return _marked({k: v for k, v in resource.items() if k != "text"})
    return dict(resource)


def with_elements(resource: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """The named elements of the first level and the mandatory ones, which R4 wants kept; a choice by either name."""
    known = elements(str(resource.get("resourceType")))
    return _marked(_kept(resource, known, {*fields, *_ALWAYS, *known.mandatory}))


def _kept(resource: Mapping[str, Any], known: Elements, keep: set[str]) -> dict[str, Any]:
    return {k: v for k, v in resource.items() if k.removeprefix("_") in keep or known.base(k) in keep}


def _summary(resource: Mapping[str, Any], known: Elements) -> dict[str, Any]:
    if not known.top:
        return dict(resource)
    keep = known.summary | known.mandatory
    return {
        k: _inner(v, f"{known.base(k)}.", known) for k, v in resource.items() if k in _ALWAYS or known.base(k) in keep
    }


def _inner(value: Any, parent: str, known: Elements) -> Any:
    """An element without those inside that are not in the summary; types of their own stay whole."""
    if not any(name.startswith(parent) for name in known.summary):
        return value
    if isinstance(value, list):
        return [_inner(item, parent, known) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        k: _inner(v, f"{known.base(k, parent)}.", known)
        for k, v in value.items()
        if k in ("id", "extension") or known.base(k, parent) in known.summary
    }


def _marked(part: dict[str, Any]) -> dict[str, Any]:
    meta = part.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    tags = meta.get("tag")
    return {**part, "meta": {**meta, "tag": [*(tags if isinstance(tags, list) else ()), _MARK]}}
