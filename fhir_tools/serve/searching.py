"""Searches over HTTP: of a type, of the whole server, and of one patient's compartment (R4 search, 3.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from fhir_tools.local import LocalStore
from fhir_tools.search.control import RESULT
from fhir_tools.search.query import R4_TYPES, parameters
from fhir_tools.serve.links import LongSearches, counted, link
from fhir_tools.serve.messages import Answer, Ask, Params, Refusal, Resource, outcome
from fhir_tools.serve.reading import reference_of
from fhir_tools.types import Query, SearchResult

__all__ = ["bundle_of", "page_of", "pairs", "search_compartment", "search_system", "search_type", "with_form"]

_FORM = "application/x-www-form-urlencoded"
_FIELDS = 2_000
_PAGE = 256


def pairs(text: bytes) -> Params:
    """The parameters of a query string or a form. Raises Refusal (400) for what is not UTF-8, or too many."""
    try:
        found = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except UnicodeError as fault:
        raise Refusal(400, "the parameters are not percent-encoded UTF-8 (RFC 3986)") from fault
    except ValueError as fault:
        raise Refusal(400, f"more than {_FIELDS} parameters", code="too-costly") from fault
    return tuple(found)


def with_form(ask: Ask) -> Params:
    """Parameters of the URL and of the form of a POST `_search` (R4 3.1.1.1.2). Raises Refusal (415)."""
    kind = ask.headers.get("content-type", "").partition(";")[0].strip().lower()
    if ask.body and kind != _FORM:
        raise Refusal(415, f"_search by POST takes a form ({_FORM}), not {kind or 'a body without a content type'!r}")
    return (*ask.params, *pairs(ask.body))


async def search_type(store: LocalStore, long: LongSearches, ask: Ask, type_: str) -> Answer:
    """One page of a search of a type, as a searchset Bundle. Raises QueryError, Refusal."""
    reference_of(type_, "x")
    return await _search(store, long, ask, type_, type_, ())


async def search_compartment(store: LocalStore, long: LongSearches, ask: Ask, patient: str, type_: str) -> Answer:
    """`Patient/[id]/[type]?…`: within the patient's compartment (R4 3.1.1.1.1, 2.34)."""
    whole = reference_of("Patient", patient)
    reference_of(type_, "x")
    if "patient" not in parameters(type_):
        raise Refusal(404, f"{type_} is not searched within a patient's compartment", code="not-supported")
    return await _search(store, long, ask, type_, f"{whole}/{type_}", (("patient", str(whole)),))


async def search_system(store: LocalStore, long: LongSearches, ask: Ask) -> Answer:
    """`[base]?_type=A,B&…`: by parameters that each of the types has (R4 3.1.1.1.1)."""
    return await _search(store, long, ask, "", "", ())


async def _search(store: LocalStore, long: LongSearches, ask: Ask, type_: str, path: str, bound: Params) -> Answer:
    given = long.whole(with_form(ask) if ask.method == "POST" else ask.params)
    kept, ignored = _known(type_, given, lenient=ask.prefers("handling") == "lenient")
    count = _page_size(kept)
    result = await store.search(_query(type_, (*bound, *kept), count))
    shown = long.shorten(_with(kept, "_count", str(count)) if count is not None else kept)
    links = [link(ask.base, path, shown, "self")]
    if result.next:
        links.append(link(ask.base, path, _with(shown, "_page", page_of(result.next)), "next"))
    told = [f"ignored, since it is not known here: {name!r}" for name in ignored]
    return Answer(resource=bundle_of(ask.base, result, links, [*told, *([result.error] if result.error else [])]))


def _query(type_: str, params: Params, count: int | None) -> Query:
    asked = tuple(pair for pair in params if pair[0] not in ("_count", "_format", "_pretty"))
    return Query(type=type_, params=asked if count is None else (*asked, ("_count", str(count))))


def _known(type_: str, params: Params, *, lenient: bool) -> tuple[Params, tuple[str, ...]]:
    """The parameters to search by, and the names that are left out: those not known, if the client allows it.

    Else the store refuses what it does not know (`Prefer: handling=strict`, R4 3.1.1.3): a parameter that is
    ignored in silence finds more than was asked for.
    """
    if any(name == "_page" and len(value) > _PAGE for name, value in params):
        raise Refusal(400, "not a page of this server")
    if not lenient:
        return params, ()
    types = () if type_ else (t for name, value in params if name == "_type" for t in value.split(","))
    of = (type_,) if type_ else tuple(t for t in types if t in R4_TYPES) or ("*",)
    own = "" if type_ else "_type"
    ignored = {name for name, _ in params if name != own and not all(_is_known(t, name) for t in of)}
    return tuple(pair for pair in params if pair[0] not in ignored), tuple(sorted(ignored))


def _is_known(type_: str, name: str) -> bool:
    bare = name.partition(":")[0].partition(".")[0]
    return bare in RESULT or bare == "_has" or bare in parameters(type_)


def _page_size(params: Params) -> int | None:
    """What to ask the store for; None where only the count is wanted."""
    if ("_summary", "count") in params:
        return None
    return counted(Ask(method="GET", path=(), base="", params=params))


def _with(params: Params, name: str, value: str) -> Params:
    return (*(pair for pair in params if pair[0] != name), (name, value))


def page_of(text: str) -> str:
    """The place in the store's `next`: the value of its `_page`."""
    return text.rpartition("_page=")[2].partition("&")[0]


def bundle_of(
    base: str,
    result: SearchResult,
    links: list[dict[str, str]],
    told: Sequence[str] = (),
) -> dict[str, Any]:
    """A searchset Bundle: matches, what is included, and what the client is told."""
    entries = [_entry(base, r, "match") for r in result.matches] + [_entry(base, r, "include") for r in result.included]
    if told:
        # What the client should know of its search comes as an entry of the Bundle (R4 3.1.1.3).
        issues = [outcome(text, code="not-supported", severity="warning")["issue"][0] for text in told]
        entries.append(
            {"resource": {"resourceType": "OperationOutcome", "issue": issues}, "search": {"mode": "outcome"}}
        )
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if result.total is not None:
        bundle["total"] = result.total
    return {**bundle, "link": links, **({"entry": entries} if entries else {})}


def _entry(base: str, resource: Resource, mode: str) -> dict[str, Any]:
    url = f"{base}/{resource['resourceType']}/{resource['id']}"
    return {"fullUrl": url, "resource": resource, "search": {"mode": mode}}
