"""Checks of search: every declared parameter, modifiers, dates, order, pages and what comes with the matches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fhir_tools.search.definitions import parameters
from fhir_tools.search.elements import TimeSpan, ranges, time_range, walk
from tools.fhir_conformance.session import (
    Failed,
    NotOffered,
    Params,
    Session,
    check,
    following,
    need,
    refused,
    resources,
)
from tools.fhir_conformance.values import searches

__all__: list[str] = []


@check("3.1.1.3", "a search is a searchset with self link, total, modes and full URLs")
async def shape(s: Session) -> None:
    bundle = await s.bundle("Observation", [*s.bound("Observation"), ("_count", "2")])
    need(bundle.get("type") == "searchset", f"a Bundle of type {bundle.get('type')!r}")
    need(any(link["relation"] == "self" for link in bundle.get("link", ())), "no self link")
    for entry in bundle.get("entry", ()):
        need(entry.get("search", {}).get("mode") in ("match", "include", "outcome"), "an entry without search.mode")
        need("fullUrl" in entry or entry["search"]["mode"] == "outcome", "an entry without fullUrl")
    need(isinstance(bundle.get("total", 0), int), "a total that is no number")


@check("3.1.1.4", "each declared parameter finds a resource that has its value")
async def declared(s: Session) -> None:
    for type_ in sorted(s.samples):
        names = [name for name in sorted(s.declared(type_)) if name in parameters(type_) and name != "_id"]
        absent = [name for name in names if not any(_tries(r, type_, name) for r in s.samples[type_])]
        for name in names:
            if name not in absent:
                await s.run("3.1.1.4", f"{type_}?{name}", _finds(s, type_, name))
        if absent:
            s.row("3.1.1.4", f"{type_}: {len(absent)} more parameters", "not offered", "no value in this chart")


def _tries(resource: dict[str, Any], type_: str, name: str) -> list[tuple[str, str]]:
    return list(searches(resource, parameters(type_)[name]))


async def _finds(s: Session, type_: str, name: str) -> None:
    resource = next(r for r in s.samples[type_] if _tries(r, type_, name))
    for modifier, value in _tries(resource, type_, name):
        bound = [] if type_ == "Patient" or name in ("patient", "subject") else s.bound(type_)
        query: Params = [(f"{name}{modifier}", value), *bound]
        if modifier in (":text", ":contains", ":exact", ":of-type") and not await _known(s, type_, query):
            continue
        need(resource["id"] in await s.ids(type_, query), f"{name}{modifier} as {_form(value)} does not find it")


async def _known(s: Session, type_: str, query: Params) -> bool:
    """Whether the server has the modifier: it must refuse one that it has not (R4 3.1.1.4.3)."""
    return (await s.get(type_, [*query, ("_count", "1")])).status_code < 400


def _form(value: str) -> str:
    """How a value was written, without the value."""
    head = value[:2] if value[:2] in ("ge", "le", "gt", "lt", "sa", "eb", "ne") else ""
    return f"{head}{'system|code' if '|' in value else 'a,b' if ',' in value else 'value'}"


@check("3.1.1.4.5", ":not and :missing part the chart in two")
async def modifiers(s: Session) -> None:
    for type_, name in (("Observation", "code"), ("Condition", "code"), ("MedicationRequest", "status")):
        if type_ in s.samples and name in s.declared(type_):
            await s.run("3.1.1.4.5", f"{type_}?{name}:not", _parted(s, type_, name, ":not"))
            await s.run("3.1.1.4.5", f"{type_}?{name}:missing", _parted(s, type_, name, ":missing"))


async def _parted(s: Session, type_: str, name: str, modifier: str) -> None:
    whole = await s.ids(type_, s.bound(type_))
    if modifier == ":missing":
        values = ((f"{name}:missing", "true"), (f"{name}:missing", "false"))
    else:
        value = next((v for r in s.samples[type_] for m, v in searches(r, parameters(type_)[name]) if not m), None)
        if value is None:
            raise NotOffered("no value in this chart")
        values = ((name, value), (f"{name}:not", value))
    if not await _known(s, type_, [*s.bound(type_), values[1]]):
        raise NotOffered("refused")
    one, other = [await s.ids(type_, [*s.bound(type_), pair]) for pair in values]
    need(not one & other, "a resource is in both halves")
    need(one | other == whole, f"{len(whole - one - other)} of {len(whole)} are in neither half")


_DATES = (("Observation", "date"), ("Encounter", "date"), ("Procedure", "date"), ("Condition", "onset-date"))
_PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")


@check("3.1.1.4.7", "date prefixes find just the resources that they mean")
async def dates(s: Session) -> None:
    for type_, name in (*_DATES, ("Immunization", "date"), ("DiagnosticReport", "date")):
        if type_ in s.samples and name in s.declared(type_):
            for prefix in _PREFIXES:
                await s.run("3.1.1.4.7", f"{type_}?{name}={prefix}…", _dated(s, type_, name, prefix))


async def _dated(s: Session, type_: str, name: str, prefix: str) -> None:
    whole = await s.all(type_, s.bound(type_))
    spans = {r["id"]: _spans(r, type_, name) for r in whole}
    starts = sorted(v[:10] for r in whole for v in _written(r, type_, name) if len(v) >= 10)
    if not starts:
        raise NotOffered("no dates in this chart")
    for value in {starts[len(starts) // 2], starts[0][:7], starts[-1][:4]}:
        asked = time_range(value)
        need(asked, "not a date in the chart")
        assert asked is not None
        wanted = {id_ for id_, found in spans.items() if any(_meets(prefix, span, asked) for span in found)}
        found_ids = await s.ids(type_, [*s.bound(type_), (name, f"{prefix}{value}")])
        more, less = len(found_ids - wanted), len(wanted - found_ids)
        precision = {4: "year", 7: "month"}.get(len(value), "day")
        need(found_ids == wanted, f"a {precision}: {less} of {len(wanted)} are not found, {more} are found wrongly")


def _written(resource: dict[str, Any], type_: str, name: str) -> Iterator[str]:
    for element in walk(resource, parameters(type_)[name].paths):
        text = element.get("start") if isinstance(element, dict) else element
        if isinstance(text, str):
            yield text


def _spans(resource: dict[str, Any], type_: str, name: str) -> list[TimeSpan]:
    return [span for element in walk(resource, parameters(type_)[name].paths) for span in ranges(element)]


def _meets(prefix: str, have: TimeSpan, asked: TimeSpan) -> bool:
    """R4 3.1.1.4.4, written out once more: what is checked here must not check itself."""
    inside = asked[0] <= have[0] and have[1] <= asked[1]
    after, before = have[1] > asked[1], have[0] < asked[0]
    table = {
        "eq": inside, "ne": not inside, "gt": after, "lt": before, "ge": after or inside, "le": before or inside,
        "sa": have[0] >= asked[1], "eb": have[1] <= asked[0],
    }  # fmt: skip
    return table[prefix]


@check("3.1.1.5.5", "pages to the end: each resource once, none lost")
async def paging(s: Session) -> None:
    type_ = max(s.samples, key=lambda t: len(s.samples[t]), default="")
    if not type_ or len(s.samples[type_]) < 4:
        raise NotOffered("too little in this chart")
    pages = await s.pages(type_, [*s.bound(type_), ("_count", "7")])
    found = [r["id"] for page in pages for r in resources(page)]
    need(len(found) == len(set(found)), "a resource comes twice")
    need(set(found) == await s.ids(type_, s.bound(type_)), "not the same as with large pages")
    need(all(len(resources(page)) <= 7 for page in pages), "a page is larger than _count")
    total = pages[0].get("total")
    need(total is None or total == len(found), f"total is {total}, {len(found)} came")
    if len(found) > 7:
        need(len(pages) > 1, "no next link although _count was less than the matches")


@check("3.1.1.5.5", "_count=0, huge and wrong")
async def counts(s: Session) -> None:
    bound = s.bound("Observation")
    for value in ("0", "99999999999999999999"):
        answer = await s.get("Observation", [*bound, ("_count", value)])
        need(answer.status_code < 500, f"status {answer.status_code} for _count={value}")
    for value in ("-1", "abc"):
        answer = await s.get("Observation", [*bound, ("_count", value)])
        need(answer.status_code < 500, f"status {answer.status_code} for _count={value}")


@check("3.1.1.5.2", "_sort by date, up and down")
async def sorting(s: Session) -> None:
    for type_, name in (("Observation", "date"), ("Encounter", "date")):
        if type_ not in s.samples or name not in s.declared(type_):
            continue
        for sign in ("", "-"):
            await s.run("3.1.1.5.2", f"{type_}?_sort={sign}{name}", _sorted(s, type_, name, sign))


async def _sorted(s: Session, type_: str, name: str, sign: str) -> None:
    found = await s.all(type_, [*s.bound(type_), ("_sort", f"{sign}{name}")])
    if sign:
        keys = [max((span[1] for span in spans), default=None) for spans in (_spans(r, type_, name) for r in found)]
        starts = [max((span[0] for span in spans), default=None) for spans in (_spans(r, type_, name) for r in found)]
    else:
        starts = [min((span[0] for span in spans), default=None) for spans in (_spans(r, type_, name) for r in found)]
        keys = starts
    for listed in (keys, starts):
        dated = [key for key in listed if key is not None]
        if dated == sorted(dated, reverse=bool(sign)):
            return
    raise Failed("not in order")


@check("3.1.1.5.3", "_include brings what the matches refer to")
async def include(s: Session) -> None:
    await _brought(s, "Observation", [("_include", "Observation:patient")], "Patient", "searchInclude")


@check("3.1.1.5.3", "_revinclude brings what refers to the matches")
async def revinclude(s: Session) -> None:
    s.some("Observation")
    await _brought(s, "Patient", [("_revinclude", "Observation:patient")], "Observation", "searchRevInclude")


async def _brought(s: Session, type_: str, asked: Params, wanted: str, listed: str) -> None:
    s.some(type_)
    told = s.types().get(type_, {}).get(listed, ())
    value = asked[0][1]
    answer = await s.get(type_, [*s.bound(type_), *asked, ("_count", "3")])
    if not {"*", value, value.replace("patient", "subject")} & set(told) and answer.status_code >= 400:
        raise NotOffered("not in the CapabilityStatement")
    need(answer.status_code == 200, f"status {answer.status_code}")
    bundle = answer.json()
    found = [r for r in resources(bundle, "include") if r["resourceType"] == wanted]
    need(found, f"no {wanted} is included")
    need(all(r["resourceType"] == type_ for r in resources(bundle)), "an included resource counts as a match")


@check("3.1.1.4.14", "_has: patients by their Observations")
async def has(s: Session) -> None:
    code = _code(s)
    query = [("_id", s.patient), ("_has:Observation:patient:code", code)]
    await _only(s, "Patient", query, {s.patient})
    await _only(s, "Patient", [("_id", s.patient), ("_has:Observation:patient:code", "no-such-code")], set())


@check("3.1.1.4.13", "chains: Observations by their patient")
async def chains(s: Session) -> None:
    code, gender = _code(s), s.some("Patient").get("gender")
    if not gender:
        raise NotOffered("the patient has no gender")
    base: Params = [*s.bound("Observation"), ("code", code)]
    whole = await s.ids("Observation", base)
    for name in ("patient.gender", "subject:Patient.gender"):
        await _only(s, "Observation", [*base, (name, gender)], whole)
        await _only(s, "Observation", [*base, (name, "no-such-gender")], set())


def _code(s: Session) -> str:
    spec = parameters("Observation")["code"]
    found = next((v for _, v in searches(s.some("Observation"), spec)), None)
    if found is None:
        raise NotOffered("no code in this chart")
    return found


async def _only(s: Session, type_: str, query: Params, wanted: set[str]) -> None:
    answer = await s.get(type_, query)
    if answer.status_code in (400, 422, 501):
        raise NotOffered(f"refused ({answer.status_code})")
    need(answer.status_code == 200, f"status {answer.status_code}")
    found = await s.ids(type_, query)
    need(found == wanted, f"{len(found - wanted)} found wrongly, {len(wanted - found)} not found")


@check("3.1.1.5.9", "_elements: only what is asked for, marked SUBSETTED")
async def elements(s: Session) -> None:
    s.some("Observation")
    bundle = await s.bundle("Observation", [*s.bound("Observation"), ("_elements", "code,status"), ("_count", "3")])
    found = resources(bundle)
    need(found, "nothing found")
    if any("subject" in r for r in found):
        raise NotOffered("the whole resource comes")
    need(all("code" in r for r in found), "without what was asked for")
    need(all(_subsetted(r) for r in found), "not marked SUBSETTED")


def _subsetted(resource: dict[str, Any]) -> bool:
    return any(tag.get("code") == "SUBSETTED" for tag in resource.get("meta", {}).get("tag", ()))


@check("3.1.1.5.8", "_summary=count gives the number alone; _summary=data leaves the narrative out")
async def summary(s: Session) -> None:
    bundle = await s.bundle("Observation", [*s.bound("Observation"), ("_summary", "count")])
    need(not bundle.get("entry"), "entries come")
    whole = await s.ids("Observation", s.bound("Observation"))
    need(bundle.get("total") == len(whole), f"total {bundle.get('total')}, there are {len(whole)}")
    data = await s.bundle("Observation", [*s.bound("Observation"), ("_summary", "data"), ("_count", "2")])
    need(all("text" not in r for r in resources(data)), "_summary=data with narrative")


@check("3.1.1.1.2", "POST _search finds what GET finds, also with a long query")
async def post(s: Session) -> None:
    code = _code(s)
    got = [r["id"] for r in resources(await s.bundle("Observation", [*s.bound("Observation"), ("code", code)]))]
    for value in (code, ",".join([code, *(f"no-such-code-{n}" for n in range(1500))])):
        form = dict([*s.bound("Observation"), ("code", value)])
        answer = await s.send("POST", "Observation/_search", data=form)
        need(answer.status_code == 200, f"status {answer.status_code} for {len(value)} characters")
        need([r["id"] for r in resources(answer.json())] == got, f"another result for {len(value)} characters")


@check("3.1.1.1.2", "next links of a long POST _search can be followed")
async def long_next(s: Session) -> None:
    value = ",".join([_code(s), *(f"no-such-code-{n}" for n in range(6000))])
    form = {**dict(s.bound("Observation")), "code": value, "_count": "1"}
    answer = await s.send("POST", "Observation/_search", data=form)
    need(answer.status_code == 200, f"status {answer.status_code}")
    url = following(answer.json())
    if url is None:
        raise NotOffered("one page only")
    try:
        again = await s.get(url)
    except ValueError:  # httpx refuses a URL that is too long to send
        raise Failed("a next link too long to be sent") from None
    need(again.status_code == 200, f"status {again.status_code}")


@check("3.1.1.3", "unknown parameters: refused when strict, told by the self link when lenient")
async def unknown(s: Session) -> None:
    query = [*s.bound("Observation"), ("no-such-parameter", "x"), ("_count", "1")]
    lenient = await s.get("Observation", query, headers={"Prefer": "handling=lenient"})
    need(lenient.status_code == 200, f"status {lenient.status_code} when lenient")
    links = {link["relation"]: link["url"] for link in lenient.json().get("link", ())}
    names = {name for name, _ in parse_qsl(urlsplit(links.get("self", "")).query)}
    need("no-such-parameter" not in names, "the self link names it as used")
    strict = await s.get("Observation", query, headers={"Prefer": "handling=strict"})
    if strict.status_code == 200:
        raise NotOffered("ignored although strict was asked for")
    refused(strict, 400, 422)


@check("3.1.1.4.3", "unknown modifiers and values that are none are refused with an OperationOutcome")
async def wrong(s: Session) -> None:
    for name, value in (
        ("code:no-such-modifier", "x"),
        ("date", "not-a-date"),
        ("date", "2020-13-45"),
        ("value-quantity", "much"),
        ("_lastUpdated", "ge"),
    ):
        answer = await s.get("Observation", [*s.bound("Observation"), (name, value)])
        need(answer.status_code < 500, f"status {answer.status_code} for {name}")
        await s.run("3.1.1.4.3", f"Observation?{name}={value} is refused", _is_refused(s, name, value))


async def _is_refused(s: Session, name: str, value: str) -> None:
    answer = await s.get("Observation", [*s.bound("Observation"), (name, value)])
    refused(answer, 400, 422)


@check("3.1.1", "odd encodings are no server error")
async def encodings(s: Session) -> None:
    odd = ("code=%zz", "code=%ff", "code=%00", "=x", "&&&", "code=a%7Cb%7Cc%7Cd", "_sort=%2C", "code=" + "x" * 4000)
    for query in odd:
        answer = await s.get(f"Observation?patient={s.patient}&{query}")
        need(answer.status_code < 500, f"status {answer.status_code} for {query[:24]!r}")


@check("3.1.1.4.1", "escaped separators are part of the value")
async def escapes(s: Session) -> None:
    found = await s.ids("Observation", [*s.bound("Observation"), ("code", f"no-such\\,{_code(s)}")])
    need(not found, "an escaped comma parts the value")


@check("3.1.1.4.2", "a parameter twice means both, a comma means either")
async def both(s: Session) -> None:
    code = _code(s)
    base, whole = s.bound("Observation"), await s.ids("Observation", [*s.bound("Observation"), ("code", code)])
    either = await s.ids("Observation", [*base, ("code", f"{code},no-such-code")])
    need(either == whole, "a comma is not either")
    need(not await s.ids("Observation", [*base, ("code", code), ("code", "no-such-code")]), "twice is not both")


@check("3.1.1.1.1", "search within a patient's compartment")
async def compartment(s: Session) -> None:
    s.some("Observation")
    answer = await s.get(f"Patient/{s.patient}/Observation", [("_count", "3")])
    if answer.status_code in (400, 404, 405, 501):
        raise NotOffered(f"refused ({answer.status_code})")
    whole = await s.ids("Observation", s.bound("Observation"))
    need(await s.ids(f"Patient/{s.patient}/Observation") == whole, "not what the search by patient finds")


@check("3.1.1.5.8", "_summary=true: marked SUBSETTED, with what is mandatory")
async def summary_true(s: Session) -> None:
    s.some("Observation")
    bundle = await s.bundle("Observation", [*s.bound("Observation"), ("_summary", "true"), ("_count", "3")])
    found = resources(bundle)
    need(found, "nothing found")
    if not any(_subsetted(r) for r in found):
        raise NotOffered("the whole resource comes")
    need(all("code" in r and "status" in r for r in found), "a mandatory element is missing")


@check("3.1.1.5.3", "_include:iterate follows what was included")
async def iterate(s: Session) -> None:
    general = s.some("Patient").get("generalPractitioner") or []
    targets = {str(g.get("reference")) for g in general if "/" in str(g.get("reference"))}
    if not targets or "general-practitioner" not in s.declared("Patient"):
        raise NotOffered("no value in this chart")
    asked = [("_include", "Observation:patient"), ("_include:iterate", "Patient:general-practitioner")]
    answer = await s.get("Observation", [*s.bound("Observation"), *asked, ("_count", "1")])
    if answer.status_code in (400, 422, 501):
        raise NotOffered(f"refused ({answer.status_code})")
    brought = {f"{r['resourceType']}/{r['id']}" for r in resources(answer.json(), "include")}
    need(targets & brought, "the practitioner of the included patient does not come")


@check("3.1.1.4.7", "_lastUpdated finds by the time of the version")
async def updated(s: Session) -> None:
    when = s.some("Observation").get("meta", {}).get("lastUpdated")
    if not when or "_lastUpdated" not in s.declared("Observation"):
        raise NotOffered("no value in this chart")
    one = s.some("Observation")["id"]
    for value, wanted in ((f"ge{when[:10]}", True), (when, True), ("lt1990", False)):
        found = await s.ids("Observation", [*s.bound("Observation"), ("_lastUpdated", value)])
        need((one in found) is wanted, f"{value[:2]}… {'does not find' if wanted else 'finds'} it")
