"""One patient, reading only: the wrapper that every tool and model gets instead of the source itself.

A request that could reach another patient is refused before it is sent (ScopeError). A resource that
comes back for another patient all the same is dropped, and the search is told as not complete.
Resources without a subject (Medication, Practitioner, Organization, Location, …) are readable only when a
resource in scope refers to them; a body is fetched only where an attachment of the chart points to it.
An absolute URL of the source's own server counts as the relative one, and is sent as that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import orjson

from fhir_tools.errors import NotFound, QueryError, ScopeError, SourceError
from fhir_tools.scope import addresses, belonging
from fhir_tools.scope.bounds import COMPARTMENT, SHARED, Bounds
from fhir_tools.search.query import parse
from fhir_tools.source import OWN_OPERATIONS, Source
from fhir_tools.types import Fetched, Query, Reference, SearchResult

__all__ = ["COMPARTMENT", "Scoped"]

_MAYBE_SHARED = frozenset(("Binary", "Device", "List", "Provenance", "Specimen"))
"""Types whose subject may be missing (R4: 0..1); they then pass only where the chart refers to them.

Whatever is in neither table (Group, Person, Bundle, Task, …) needs a subject of its own.
"""

_FHIR_XML = re.compile(rb"""<[^<>!?]*xmlns(?::\w+)?\s*=\s*["']http://hl7\.org/fhir["']""")

_PROLOGUE = re.compile(rb"\A(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>|\s+)*", re.DOTALL | re.IGNORECASE)


class Scoped:
    """A source that knows one patient. `aliases` are further references to the same person (merges, other servers).

    They are fixed here: nothing that a resource says adds to them (`fhir_tools.scope.aliases` finds those that hold).
    `searched` are the references that a search for the patient is sent for: all of them, if it is not given.
    """

    def __init__(
        self,
        source: Source,
        patient: Reference,
        aliases: frozenset[Reference] = frozenset(),
        *,
        searched: Collection[Reference] | None = None,
    ) -> None:
        own = {patient, *aliases}
        if not own.issuperset(searched or ()):
            raise ScopeError("what is searched for must be the patient or an alias")
        self._source = source
        self.patient = patient
        asked = tuple(searched or (patient, *sorted(own - {patient}, key=str)))
        self._bounds = Bounds(patient=patient, own=frozenset(map(str, own)), searched=tuple(map(str, asked)))
        self._capabilities: Mapping[str, Any] | None = None
        self._seen: set[str] = set()
        self._linked: set[str] = set()
        self._attached: set[str] = set()
        self._unread: list[Mapping[str, Any]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None  # the source belongs to whoever opened it

    async def read(self, reference: Reference, version: str | None = None) -> Mapping[str, Any]:
        """One resource of this patient, or one that a resource in scope refers to. Raises ScopeError, NotFound."""
        bounds = await self._ready()
        name = str(reference)
        if not addresses.ID.fullmatch(reference.id) or not (version is None or addresses.ID.fullmatch(version)):
            raise ScopeError("an id that is no FHIR id was refused")
        if reference.type == "Patient" and name not in bounds.own:
            raise ScopeError("a read of another patient was refused")
        if reference.type not in COMPARTMENT and not self._is_linked(name):
            raise ScopeError(f"{reference.type!r} is readable only through a reference from this patient's chart")
        resource = await self._source.read(reference, version)
        if resource.get("resourceType") != reference.type or not await self._is_readable(resource, name):
            raise NotFound("the resource is not part of this patient's chart", status=404)
        self._keep(resource, mine=self._mine(resource))
        return resource

    async def search(self, query: Query) -> SearchResult:
        """A search within the patient's compartment; the patient parameter is added where it is missing.

        Raises ScopeError for one that could leave it. A match or an include of another patient is dropped.
        """
        bounds = await self._ready()
        result = await self._source.search(bounds.bound(query))
        mine = tuple(r for r in result.matches if self._mine(r))
        self._keep(*mine, mine=True)
        included = tuple(r for r in result.included if self._passes(r))
        self._keep(*included, mine=False)
        dropped = len(result.matches) - len(mine) + len(result.included) - len(included)
        told = f"the server sent {dropped} resources that are not this patient's; they were dropped" if dropped else ""
        if result.next and not self._may_go_on(query.type, result.next):
            told = told or "the server's next page leads out of this patient's chart; it was not followed"
        if not told:
            return result
        error = f"{result.error}; {told}" if result.error else told
        total = len(mine) if dropped else result.total
        return replace(result, matches=mine, included=included, total=total, next=None, complete=False, error=error)

    async def fetch(self, url: str) -> Fetched:
        """A body that an attachment of the chart points to, or an operation on this patient.

        Raises ScopeError for any other URL, NotFound where a FHIR resource of another patient comes back. What an
        operation sends of others is dropped from its Bundle, and an OperationOutcome entry there says how many.
        """
        bounds = await self._ready()
        rest = addresses.relative(url, bounds.bases)
        if rest and (operation := addresses.operation_on(rest, bounds.own)):
            fetched = await self._source.fetch(rest)
            return fetched if operation in OWN_OPERATIONS else self._without_others(fetched)
        body = rest if rest and addresses.is_binary(rest) else url
        if not self._is_attached(body):
            raise ScopeError("only attachments of this patient's chart and operations on this patient are fetched")
        fetched = await self._source.fetch(body)
        if _FHIR_XML.match(_start(fetched.body)) or not all(map(self._is_harmless, _resources(_json(fetched.body)))):
            raise NotFound("what came back is not part of this patient's chart", status=404)
        return fetched

    async def capabilities(self) -> Mapping[str, Any]:
        """What the source can do, without the catalogue operation where several records are one chart: it reads one."""
        if self._capabilities is None:
            self._capabilities = await self._source.capabilities()
        if self._bounds.searched == (str(self.patient),):
            return self._capabilities
        operations = [x for x in self._capabilities.get("operations") or () if x not in OWN_OPERATIONS]
        return {**self._capabilities, "operations": operations}

    async def _ready(self) -> Bounds:
        """The bounds with the server's own base. While it cannot be asked, no absolute URL is the server's own."""
        if self._capabilities is None:
            try:
                base = (await self.capabilities()).get("base")
            except SourceError:
                return self._bounds
            if isinstance(base, str) and base:
                self._bounds = replace(self._bounds, bases=(base,))
        return self._bounds

    def _may_go_on(self, kind: str, text: str) -> bool:
        """Whether the source's next page is one of this chart; its `_page` is then known for later."""
        try:
            following = parse(text)
            pages = {(kind, value) for name, value in following.params if name == "_page"}
            replace(self._bounds, pages=self._bounds.pages | pages).bound(following)
        except (QueryError, ScopeError):
            return False
        self._bounds.pages.update(pages)
        return following.type == kind

    # Resources.

    def _mine(self, resource: Mapping[str, Any]) -> bool:
        """Whether it says that it is about this patient and no other."""
        about = set(belonging.owners(resource, self._bounds.bases))
        if about or resource.get("resourceType") != "Provenance":
            return self._bounds.own.issuperset(about) and (
                bool(about) or resource.get("resourceType") == "OperationOutcome"
            )
        told = belonging.targets(resource, "target", self._bounds.bases)
        return bool(told) and self._seen.issuperset(told)

    def _passes(self, resource: Mapping[str, Any], asked: str = "") -> bool:
        """Whether it is this patient's, or nobody's and (where it could be somebody's) referred to by the chart."""
        if self._mine(resource):
            return True
        kind, name = resource.get("resourceType"), _name(resource)
        if kind not in (SHARED | _MAYBE_SHARED if isinstance(kind, str) else ()) or self._is_owned(resource):
            return False
        return kind in SHARED or (name == (asked or name) and self._is_linked(name))

    def _is_owned(self, resource: Mapping[str, Any]) -> bool:
        """Whether it is somebody's, by its subject or by what its access is governed by (Binary.securityContext)."""
        guarded = belonging.targets(resource, "securityContext", self._bounds.bases)
        return any(belonging.owners(resource, self._bounds.bases)) or not self._seen.issuperset(guarded)

    async def _is_readable(self, resource: Mapping[str, Any], name: str) -> bool:
        """As `_passes`; a Binary's securityContext that was not seen yet is read to find out whose it is."""
        guards = belonging.targets(resource, "securityContext", self._bounds.bases)
        for guard in guards if resource.get("resourceType") == "Binary" else ():
            if guard and guard.partition("/")[0] in COMPARTMENT - {"Patient"} and guard not in self._seen:
                try:
                    await self.read(Reference.parse(guard))
                except (NotFound, ScopeError):
                    return False
        return self._passes(resource, name)

    def _is_harmless(self, resource: Mapping[str, Any]) -> bool:
        if resource.get("resourceType") == "Binary" and not self._is_owned(resource):
            return True  # the envelope of the body that was asked for
        return self._passes(resource)

    def _without_others(self, fetched: Fetched) -> Fetched:
        content = _json(fetched.body)
        if not isinstance(content, dict) or not isinstance(content.get("resourceType"), str):
            raise SourceError(
                "the answer to an operation is no FHIR JSON; whose it is cannot be told, so it was dropped"
            )
        if content["resourceType"] != "Bundle":
            if not self._passes(content):
                raise NotFound("what came back is not part of this patient's chart", status=404)
            return fetched
        entries = _list(content.get("entry"))
        found = [e["resource"] for e in entries if isinstance(e, dict) and isinstance(e.get("resource"), dict)]
        self._keep(*(r for r in found if self._mine(r)), mine=True)
        passed = [e for e in entries if isinstance(e, dict) and self._passes_entry(e)]
        dropped = len(entries) - len(passed)
        if not dropped:
            return fetched
        total = {"total": max(0, content["total"] - dropped)} if isinstance(content.get("total"), int) else {}
        told = {**content, **total, "entry": [*passed, {"resource": _outcome(dropped), "search": {"mode": "outcome"}}]}
        try:
            return replace(fetched, body=orjson.dumps(told))
        except orjson.JSONEncodeError:
            raise SourceError("what came is nested too deeply to be read") from None

    def _passes_entry(self, entry: Mapping[str, Any]) -> bool:
        """Whether all that a Bundle's entry holds may be seen; one of a batch may have an outcome in place of it."""
        if "resource" not in entry:
            return not entry.keys() - {"fullUrl", "link", "search", "request"}
        return isinstance(entry["resource"], dict) and self._passes(entry["resource"])

    def _keep(self, *resources: Mapping[str, Any], mine: bool) -> None:
        self._unread += resources
        if mine:
            self._seen.update(map(_name, resources))

    # Links. They are looked through only when something is asked for by one: most charts are never asked.

    def _is_linked(self, name: str) -> bool:
        while self._unread and name not in self._linked:
            self._look_through(self._unread.pop())
        return name in self._linked

    def _is_attached(self, url: str) -> bool:
        if not addresses.is_body(url, self._bounds.bases):
            return False
        while self._unread and url not in self._attached:
            self._look_through(self._unread.pop())
        return url in self._attached or (addresses.is_binary(url) and addresses.plain(url) in self._linked)

    def _look_through(self, resource: Mapping[str, Any]) -> None:
        references, attached = addresses.links(resource, self._bounds.bases)
        self._linked |= references
        self._attached |= attached


def _name(resource: Mapping[str, Any]) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _start(body: bytes) -> bytes:
    """The beginning of an XML body at its root element: what stands before it is no part of what it is."""
    # A null byte beside an ASCII one is UTF-16 (XML 1.0, F.1): what is ASCII in it is all that is looked for.
    text = body.replace(b"\x00", b"") if b"\x00" in body[:4] else body
    text = text.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    return _PROLOGUE.sub(b"", text.lstrip())[:20_000]


def _json(body: bytes) -> Any:
    """The JSON of a body, the rows of NDJSON as a list; None for what is neither."""
    text = body.removeprefix(b"\xef\xbb\xbf").strip()
    if text[:1] not in (b"{", b"["):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        rows = text.splitlines()
    try:
        return [orjson.loads(row) for row in rows if row.strip()]
    except orjson.JSONDecodeError:
        return None


def _resources(content: Any) -> Iterator[Mapping[str, Any]]:
    """The FHIR resources that JSON is or lists, those of a Bundle one by one."""
    for item in content if isinstance(content, list) else (content,):
        if not isinstance(item, dict) or "resourceType" not in item:
            continue
        if item["resourceType"] != "Bundle":
            yield item
            continue
        for entry in _list(item.get("entry")):
            if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
                yield entry["resource"]


def _outcome(dropped: int) -> Mapping[str, Any]:
    text = f"{dropped} entries that are not this patient's were dropped: the Bundle is not complete"
    return {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "warning", "code": "suppressed", "diagnostics": text}],
    }
