"""Operations on a chart: `$everything`, `$lastn`, and the store's own `$chartline-catalogue`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain

from fhir_tools.errors import NotFound
from fhir_tools.local import LocalStore
from fhir_tools.search.elements import FUTURE, PAST, TimeSpan, time_range
from fhir_tools.search.query import R4_TYPES
from fhir_tools.serve import rows
from fhir_tools.serve.compartment import SUPPORTING, chart, supporting, within
from fhir_tools.serve.links import counted, encoded, link
from fhir_tools.serve.messages import Answer, Ask, Params, Refusal, Resource
from fhir_tools.serve.reading import instant, reference_of
from fhir_tools.serve.searching import bundle_of, with_form
from fhir_tools.source import CATALOGUE_OPERATION
from fhir_tools.types import Query, SearchResult

__all__ = ["catalogue", "everything", "lastn", "typed"]

_EVERYTHING = frozenset(("_since", "_type", "_count", "_page", "start", "end", "_format", "_pretty"))


def typed(ask: Ask) -> frozenset[str]:
    """The types of `_type`; empty where it is not given. Raises Refusal (400) for what is none."""
    named = frozenset(type_ for name, value in ask.params if name == "_type" for type_ in value.split(","))
    if wrong := sorted(named - R4_TYPES):
        raise Refusal(400, f"_type: {wrong[0]!r} is not a FHIR R4 resource type")
    return named


async def everything(store: LocalStore, ask: Ask, patient: str) -> Answer:
    """`Patient/[id]/$everything` (R4 Patient operations): the chart, then what it refers to, in pages if asked.

    Raises Refusal (400, 404, 410).
    """
    if unknown := sorted({name for name, _ in ask.params} - _EVERYTHING):
        raise Refusal(400, f"$everything has no parameter {unknown[0]!r}", code="not-supported")
    await _known(store, patient)
    offset, newest = _place(store, ask)
    count = counted(ask) if ask.last("_count") else None
    found = list(_chosen(store, ask, patient, newest))
    page = found[offset:] if count is None else found[offset : offset + count]
    path = f"Patient/{patient}/$everything"
    links = [link(ask.base, path, ask.params, "self")]
    if count and offset + count < len(found):
        rest = tuple(pair for pair in ask.params if pair[0] not in ("_page", "_count"))
        on = (("_count", str(count)), ("_page", f"{offset + count}.{newest}"))
        links.append(link(ask.base, path, (*rest, *on), "next"))
    result = SearchResult(query=Query(type="Patient"), matches=tuple(page), total=len(found))
    return Answer(resource=bundle_of(ask.base, result, links))


async def _known(store: LocalStore, patient: str) -> None:
    try:
        await store.read(reference_of("Patient", patient))
    except NotFound as fault:
        raise Refusal(fault.status or 404, str(fault)) from fault


def _place(store: LocalStore, ask: Ask) -> tuple[int, int]:
    """Where the page begins, and the newest key that its first page saw: later data does not shift the pages."""
    text = ask.last("_page")
    if not text:
        return 0, rows.newest(store)
    offset, _, newest = text.partition(".")
    if not (offset.isascii() and offset.isdigit() and newest.isascii() and newest.isdigit() and len(text) <= 30):
        raise Refusal(400, f"not a page of this server: {text!r}")
    return int(offset), int(newest)


def _chosen(store: LocalStore, ask: Ask, patient: str, newest: int) -> Iterator[Resource]:
    since, types, care = _since(ask), typed(ask), _care(ask)
    own = [r for r in chart(store, patient, newest) if care == (PAST, FUTURE) or within(r, care)]
    seen = {f"{r['resourceType']}/{r['id']}" for r in own}
    # What is only referred to is looked for in all that is in time, whether or not that is shown itself.
    more = supporting(store, own, patient, seen) if not types or types & SUPPORTING else []
    for resource in chain(own, more):
        if types and resource["resourceType"] not in types:
            continue
        if since is None or _is_since(resource, since):
            yield resource


def _is_since(resource: Resource, since: datetime) -> bool:
    updated = instant(resource["meta"]["lastUpdated"])
    return updated is None or updated >= since


def _since(ask: Ask) -> datetime | None:
    text = ask.last("_since")
    moment = instant(text) if text else None
    if text and moment is None:
        raise Refusal(400, f"_since is not an instant: {text!r}; write it as YYYY-MM-DDThh:mm:ss+zz:zz")
    return moment


def _care(ask: Ask) -> TimeSpan:
    ends = []
    for name, part, open_end in (("start", 0, PAST), ("end", 1, FUTURE)):
        text = ask.last(name)
        span = time_range(text.replace(" ", "+")) if text else None
        if text and span is None:
            raise Refusal(400, f"{name} is not a date: {text!r}; write it as YYYY-MM-DD")
        ends.append(span[part] if span else open_end)
    return ends[0], ends[1]


async def lastn(store: LocalStore, ask: Ask) -> Answer:
    """`Observation/$lastn` (R4 Observation operations): the `max` newest of each code, default one.

    Two observations are of one code where any coding of theirs is the same, or else their text.
    """
    given = with_form(ask) if ask.method == "POST" else ask.params
    names = {name.partition(":")[0].partition(".")[0] for name, _ in given}
    if not names & {"patient", "subject"} or not names & {"category", "code"}:
        raise Refusal(400, "$lastn needs patient or subject, and category or code", code="required")
    text = next((value for name, value in given if name == "max"), "1")
    if not (text.isascii() and text.isdigit() and 0 < len(text) <= 6 and int(text)):
        raise Refusal(400, f"max is not a positive number: {text!r}")
    own = ("max", "_count", "_sort", "_format", "_pretty", "_page")
    params: Params = (*(pair for pair in given if pair[0] not in own), ("_sort", "-date"))
    found = await store.search(Query(type="Observation", params=params))
    kept = tuple(_newest(found.matches, int(text)))
    links = [link(ask.base, "Observation/$lastn", given, "self")]
    result = SearchResult(query=found.query, matches=kept, included=found.included, total=len(kept))
    return Answer(resource=bundle_of(ask.base, result, links))


def _newest(observations: tuple[Resource, ...], most: int) -> Iterator[Resource]:
    group_of: dict[str, int] = {}
    alias: list[int] = []
    keys = [_keys(r) for r in observations]
    for names in keys:
        # A code that carries translations joins the groups of all of them.
        met = sorted({_root(alias, group_of[n]) for n in names if n in group_of})
        group = met[0] if met else len(alias)
        if not met:
            alias.append(group)
        for other in met:
            alias[other] = group
        group_of.update(dict.fromkeys(names, group))
    counts: dict[int, int] = {}
    for resource, names in zip(observations, keys, strict=True):
        group = _root(alias, group_of[names[0]])
        counts[group] = counts.get(group, 0) + 1
        if counts[group] <= most:
            yield resource


def _root(alias: list[int], group: int) -> int:
    while alias[group] != group:
        group = alias[group]
    return group


def _keys(resource: Resource) -> list[str]:
    code = resource.get("code")
    code = code if isinstance(code, dict) else {}
    codings = code.get("coding")
    listed = [c for c in codings if isinstance(c, dict)] if isinstance(codings, list) else []
    names = [f"{c.get('system', '')}|{c['code']}" for c in listed if c.get("code")]
    return names or [f"text|{str(code.get('text', '')).casefold()}"]


async def catalogue(store: LocalStore, ask: Ask, patient: str) -> Answer:
    """`Patient/[id]/$chartline-catalogue` (`fhir_tools.source`). Raises Refusal, QueryError."""
    reference = reference_of("Patient", patient)
    asked = tuple(pair for pair in ask.params if pair[0] not in ("_format", "_pretty"))
    url = f"{reference}/{CATALOGUE_OPERATION}"
    try:
        fetched = await store.fetch(f"{url}?{encoded(asked)}" if asked else url)
    except NotFound as fault:
        raise Refusal(fault.status or 404, str(fault)) from fault
    return Answer(body=fetched.body, content_type=fetched.content_type)
