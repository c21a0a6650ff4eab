"""Whether what a server claims is true: real searches for one patient, small ones, and how long pages take.

Nothing that is told here is about the patient: counts, times and names of parameters only.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import orjson

from fhir_tools.errors import ChartlineError, QueryError
from fhir_tools.facts import CATALOGUE_ELEMENTS
from fhir_tools.following import INCLUDES
from fhir_tools.http import Http
from fhir_tools.profiles import Profile
from fhir_tools.remote.findings import Finding, Level, Need, Speed
from fhir_tools.remote.plan import plan
from fhir_tools.remote.statement import Statement
from fhir_tools.search.query import parameters, to_url
from fhir_tools.types import Query

__all__ = ["Got", "Trials"]

_PAGE = 2
_NOBODY = "chartline-doctor-nobody"
_NOTHING = {"code": "urn:chartline:doctor|nothing", "category": "urn:chartline:doctor|nothing", "date": "ge2999-01-01"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Got:
    """One answer: its status, its JSON object (empty where it is none), milliseconds and bytes."""

    status: int
    document: Mapping[str, Any]
    milliseconds: float
    size: int

    @property
    def matches(self) -> list[Mapping[str, Any]]:
        """The resources that match, without those that came along and OperationOutcomes."""
        rows = self.document.get("entry")
        entries = [e for e in rows if isinstance(e, dict)] if isinstance(rows, list) else []
        found = [e.get("resource") for e in entries if _mode(e) in (None, "match")]
        return [r for r in found if isinstance(r, dict) and r.get("resourceType") != "OperationOutcome"]

    @property
    def next(self) -> str | None:
        """The link to the next page."""
        rows = self.document.get("link")
        links = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
        return next((str(x.get("url")) for x in links if x.get("relation") == "next"), None)


def _mode(entry: Mapping[str, Any]) -> object:
    search = entry.get("search")
    return search.get("mode") if isinstance(search, dict) else None


class Trials:
    """Searches for the patient `patient` (an id) at a server with this statement and profile."""

    def __init__(self, http: Http, statement: Statement, profile: Profile, patient: str) -> None:
        self._http, self._statement, self._profile, self._patient = http, statement, profile, patient

    async def get(self, url: str, **headers: str) -> Got:
        """One GET. Raises SourceError as `Http.send`."""
        start = time.perf_counter()
        answer = await self._http.send("GET", url, headers={"accept": self._profile.accept, **headers})
        spent = (time.perf_counter() - start) * 1000
        return Got(status=answer.status, document=_object(answer.body), milliseconds=spent, size=len(answer.body))

    async def run(self, needs: tuple[Need, ...], until: float) -> AsyncGenerator[Finding, None]:
        """Every trial that the server's claims call for, as long as the clock (`time.monotonic`) allows.

        One that fails is told, and the others go on.
        """
        usable = {need.type: need for need in needs if need.usable}
        trials = [self._person(), self._strangers(usable), self._unknown(usable), self._filters(usable)]
        trials += [self._elements(usable), self._paging(usable), self._counting(usable), self._includes(usable)]
        for trial in (*trials, self._batch()):
            if time.monotonic() > until:
                await trial.aclose()
                continue
            try:
                async for finding in trial:
                    yield finding
            except QueryError:
                continue  # the planner would not send it either
            except ChartlineError as error:
                yield _found("poor", f"a trial failed: {error}")

    def url(self, type_: str, *extra: tuple[str, str], patient: str | None = None) -> str:
        """The search by patient as it would be sent. Raises QueryError where it would not be."""
        who = patient or self._patient
        whose = ("_id", who) if type_ == "Patient" else ("patient", f"Patient/{who}")
        return to_url(plan(Query(type=type_, params=(whose, *extra)), self._statement, self._profile).queries[0])

    async def speeds(self, needs: tuple[Need, ...], runs: int, until: float) -> AsyncGenerator[Speed, None]:
        """One page of each usable type, timed `runs` times, as long as the clock (`time.monotonic`) allows."""
        for need in needs:
            if not need.usable or time.monotonic() > until:
                continue
            try:
                yield await self._speed(need, runs, until)
            except ChartlineError:
                continue  # told by the trials, or by an answer that is incomplete

    async def _speed(self, need: Need, runs: int, until: float) -> Speed:
        whole = await self._timed(self.url(need.type), runs, until)
        cut = None
        if need.abilities.get("_elements") == "server":
            elements = ("_elements", ",".join(CATALOGUE_ELEMENTS[need.type]))
            cut = await self._timed(self.url(need.type, elements), runs, until)
        got = whole[0]
        return Speed(
            type=need.type,
            found=len(got.matches),
            runs=len(whole),
            milliseconds=median(g.milliseconds for g in whole),
            size=got.size,
            cut_milliseconds=median(g.milliseconds for g in cut) if cut else None,
            cut_size=cut[0].size if cut else None,
        )

    async def _timed(self, url: str, runs: int, until: float) -> list[Got]:
        got = [await self.get(url)]
        while len(got) < runs and time.monotonic() < until:
            got.append(await self.get(url))
        return got

    # One claim each.

    async def _person(self) -> AsyncGenerator[Finding, None]:
        got = await self.get(f"Patient/{self._patient}")
        if got.status != 200:
            yield _found(
                "poor", f"the patient cannot be read ({got.status})", "check --patient, and the scope for Patient"
            )
        elif got.document.get("id") != self._patient:
            yield _found("note", "the patient was merged: another one comes back, whose id is asked for as well")
        else:
            yield _found("good", "the patient can be read")

    async def _strangers(self, usable: Mapping[str, Need]) -> AsyncGenerator[Finding, None]:
        """A patient who is not there must have nothing (any refusal is as good)."""
        types = [type_ for type_ in usable if type_ != "Patient"]
        broken = [type_ for type_ in types if (await self.get(self.url(type_, patient=_NOBODY))).matches]
        if broken:
            yield _found(
                "poor",
                f"the patient parameter is ignored: {', '.join(broken)} of others come back (chartline drops them)",
                "do not use this server for one patient's questions before that is mended",
            )
        else:
            yield _found("good", "a search for a patient finds that patient's resources alone")

    async def _unknown(self, usable: Mapping[str, Need]) -> AsyncGenerator[Finding, None]:
        type_ = self._sample(usable)
        url = self.url(type_) + "&chartline-unknown=1"
        if (await self.get(url)).status >= 400:
            yield _found("good", "an unknown search parameter is refused")
        elif (await self.get(url, prefer="handling=strict")).status >= 400:
            yield _found("good", "an unknown search parameter is refused where handling=strict is asked for, as it is")
        else:
            text = "an unknown search parameter is ignored silently: only those of its CapabilityStatement are sent"
            yield _found("note", text)

    async def _filters(self, usable: Mapping[str, Need]) -> AsyncGenerator[Finding, None]:
        """Values that nothing has must find nothing, for every filter that is left to the server."""
        type_ = self._sample(usable)
        for name, value in _NOTHING.items():
            if name not in parameters(type_) or usable[type_].abilities.get(name) != "server":
                continue
            got = await self.get(self.url(type_, (name, value)))
            if got.matches:
                yield _found(
                    "poor",
                    f"{type_} is not filtered by {name}, though the server says so: matches can be wrong",
                    "have it mended, or name the kind of server by CHARTLINE_FHIR_PROFILE",
                )
            elif got.status >= 400:
                yield _found(
                    "poor", f"a search of {type_} by {name} is refused ({got.status}), though the server offers it"
                )
            else:
                yield _found("good", f"{type_} is filtered by {name}")

    async def _elements(self, usable: Mapping[str, Need]) -> AsyncGenerator[Finding, None]:
        type_ = self._sample(usable)
        if usable[type_].abilities.get("_elements") != "server":
            yield _found("note", "the server is not asked for single elements (_elements): whole resources are read")
            return
        whole, cut = await self.get(self.url(type_)), await self.get(self.url(type_, ("_elements", "id,status")))
        if not whole.matches:
            yield _found("note", f"the patient has no {type_}: whether _elements is heeded was not seen")
        elif cut.matches and set(cut.matches[0]) < set(whole.matches[0]):
            yield _found("good", f"_elements is heeded: {_share(cut.size, whole.size)} of the bytes for two elements")
        else:
            yield _found("note", "_elements is not heeded: whole resources come, which is right, and slower")

    async def _paging(self, usable: Mapping[str, Need]) -> AsyncGenerator[Finding, None]:
        url = _with_count(self.url(self._sample(usable)), _PAGE)
        first = await self.get(url)
        link = first.next
        if len(first.matches) > _PAGE:
            yield _found("note", f"_count is not heeded: {len(first.matches)} came where {_PAGE} were asked for")
        if link is None:
            if len(first.matches) <= _PAGE:
                yield _found("note", "the patient's results fit on one page: paging was not seen")
            return
        own = self._http.link(link)
        if own is None:
            yield _found(
                "poor",
                "the link to the next page is of another origin: it is not followed, and long lists are incomplete",
                "have the server's public base URL set right in its configuration",
            )
            return
        second = await self.get(own)
        ids = [{r.get("id") for r in got.matches} for got in (first, second)]
        if second.status == 200 and ids[1] and not ids[0] & ids[1]:
            yield _found("good", "pages are followed, and differ")
        else:
            words = (
                f"answers {second.status}" if second.status != 200 else "repeats the first" if ids[1] else "is empty"
            )
            yield _found("poor", f"the second page {words}: long lists will be incomplete", "ask who runs the server")

    async def _counting(self, usable: Mapping[str, Need]) -> AsyncGenerator[Finding, None]:
        url = self.url(self._sample(usable), ("_summary", "count"))
        if "_summary=count" not in url:
            yield _found("note", "counts are not asked of the server: what is counted is read")
            return
        got = await self.get(url)
        if isinstance(got.document.get("total"), int) and not got.matches:
            yield _found("good", "_summary=count gives the number alone")
        else:
            yield _found("note", "_summary=count is not heeded: what is counted is read")

    async def _includes(self, usable: Mapping[str, Need]) -> AsyncGenerator[Finding, None]:
        for type_, include in INCLUDES.items():
            if type_ not in usable or usable[type_].abilities.get("_include") != "server":
                continue
            got = await self.get(self.url(type_, include))
            linked = any("medicationReference" in r and "contained" not in r for r in got.matches)
            came = b'"Medication"' in orjson.dumps(got.document)
            if linked and not came:
                yield _found("note", f"{type_} comes without its Medication, though _include is claimed: each is read")
            elif linked:
                yield _found("good", f"{type_} brings its Medication along (_include)")

    async def _batch(self) -> AsyncGenerator[Finding, None]:
        claimed = self._profile.batch if self._profile.batch is not None else "batch" in self._statement.system
        if not claimed:
            return
        row = {"request": {"method": "GET", "url": f"Patient/{self._patient}"}}
        body = orjson.dumps({"resourceType": "Bundle", "type": "batch", "entry": [row, row]})
        headers = {"accept": self._profile.accept, "content-type": "application/fhir+json"}
        answer = await self._http.send("POST", self._http.base, headers=headers, body=body, safe=True)
        rows = _object(answer.body).get("entry")
        if answer.status == 200 and isinstance(rows, list) and len(rows) == 2:
            yield _found("good", "a batch of reads is answered")
        else:
            yield _found(
                "note", f"a batch is not answered ({answer.status}), though it is claimed: searches go side by side"
            )

    def _sample(self, usable: Mapping[str, Need]) -> str:
        """The type to try: results, which most charts have most of. Raises QueryError where nothing can be searched."""
        type_ = next((t for t in ("Observation", "Condition", *usable) if t in usable and t != "Patient"), None)
        if type_ is None:
            raise QueryError("no type can be searched by patient")
        return type_


def _found(level: Level, text: str, remedy: str = "") -> Finding:
    return Finding(area="claims", level=level, text=text, remedy=remedy)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


def _with_count(url: str, count: int) -> str:
    head, _, query = url.partition("?")
    kept: Iterator[str] = (pair for pair in query.split("&") if pair and not pair.startswith("_count="))
    return f"{head}?{'&'.join((*kept, f'_count={count}'))}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.0f} %"
