"""`Remote`: any FHIR R4 server as a `Source`: planned by what it says, read to the end, with what failed told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import quote

from fhir_tools.errors import OperatorError, QueryError, SourceError, Unsupported
from fhir_tools.http import Http
from fhir_tools.profiles import Profile, choose
from fhir_tools.remote.answers import Answer, ask
from fhir_tools.remote.batch import Batch
from fhir_tools.remote.bodies import Bodies
from fhir_tools.remote.following import Following
from fhir_tools.remote.pages import Pages, Walk
from fhir_tools.remote.plan import Plan, plan
from fhir_tools.remote.reads import Reads
from fhir_tools.remote.reuse import Continuation, Continuations, without_page
from fhir_tools.remote.sifting import Sifted, sift
from fhir_tools.remote.statement import Statement, read_statement
from fhir_tools.remote.unite import Union, key_of
from fhir_tools.search.control import SortKey
from fhir_tools.search.order import sorted_resources
from fhir_tools.search.query import check, to_url
from fhir_tools.search.subset import with_elements
from fhir_tools.types import Fetched, Query, Reference, SearchResult

__all__ = ["Granted", "Remote"]

Resource = Mapping[str, Any]

_LONG = 1_900
"""Characters of a URL from which a search goes by POST: proxies and servers cut at 2,000 to 8,000."""
_TOO_LONG = frozenset((400, 413, 414, 431))
_NO_POST = frozenset((301, 302, 303, 307, 308, 404, 405, 406, 410, 415, 501))


class Granted(Protocol):
    """The scopes that a token has."""

    def allows(self, type_: str, action: Any, /) -> bool:
        """Whether resources of a type may be read (`r`) or searched (`s`)."""
        ...

    def missing(self, type_: str, action: Any, /) -> str:
        """The scope that would allow it."""
        ...

    def part(self, query: Query, /) -> str | None:
        """What of the type they allow, where that is not all that a search asks for; else None."""
        ...


class Remote:
    """A FHIR R4 server as a source; leaving it closes `http`.

    `profile` is chosen by the server's own statement where none is given. `granted` are the scopes of the token, or a
    call that gives them (None: not known); what they do not allow is not sent. `page_budget` pages and `seconds` are
    the most that one search reads; what is cut off is told as incomplete.
    """

    def __init__(
        self,
        http: Http,
        *,
        profile: Profile | None = None,
        granted: Granted | Callable[[], Granted | None] | None = None,
        launched: Callable[[], str | None] = lambda: None,
        page_budget: int = 200,
        seconds: float = 300.0,
    ) -> None:
        self.http = http
        self._asked_profile, self._granted, self._launched = profile, granted, launched
        self._page_budget, self._seconds = page_budget, seconds
        self._started: asyncio.Task[None] | None = None
        self._places = Continuations()
        self._posts = True
        self._doubted: set[tuple[str, str]] = set()
        self.statement = Statement()
        self.profile = profile or Profile(name="", title="")
        self._headers = {"accept": self.profile.accept}
        self._batch = Batch(http, self._headers)
        self._reads = Reads(http, self._batch)
        self._bodies = Bodies(http, self._batch, self._headers, page_budget=page_budget, seconds=seconds)
        self._following = Following(self._included, http.base)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._started:
            self._started.cancel()
            await asyncio.gather(self._started, return_exceptions=True)
        await self._batch.close()
        await self.http.__aexit__(kind, error, trace)

    @property
    def launched_for(self) -> Reference | None:
        """The patient that the credentials are for alone, as `launched` tells its id."""
        id_ = self._launched()
        return Reference(type="Patient", id=id_) if id_ else None

    # The source Protocol.

    async def read(self, reference: Reference, version: str | None = None) -> Resource:
        """One resource, current or of a version. Raises NotFound (404, 410), SourceError.

        A merged patient may come back as the one it was merged into: the caller compares the id.
        """
        await self._start()
        self._demand(reference.type, "r")
        kinds = self.statement.interactions.get(reference.type, frozenset())
        return await self._reads.read(reference, version, versions=not kinds or "vread" in kinds)

    async def search(self, query: Query) -> SearchResult:
        """Run a search to the end, or for one page where it has `_count`; `next` goes on then.

        Raises QueryError for a search that is wrong by R4. What the server cannot run, refuses or breaks off comes
        back as `complete=False` with the error and with what was read.
        """
        place = self._places.find(query)
        asked = without_page(query)
        if not query.type:
            raise QueryError("a search of the whole system is not sent to a server: name a type")
        if not self._is_started():
            check(asked)  # what is wrong by R4 is told before anything is sent; the plan checks it again
        try:
            await self._start()
            made = plan(asked, self.statement, self.profile)
            granted = self._demand(query.type, "s")
        except (Unsupported, OperatorError) as error:
            return SearchResult(query=query, complete=False, error=str(error), pages=0)
        found = replace(await self._run(query, asked, made, place), limits=made.limits)
        part = granted.part(asked) if granted else None
        if part is None:
            return found
        limited = f"the scopes of the credentials allow but a part of {query.type}: {part}"
        return replace(found, complete=False, error="; ".join(filter(None, (found.error, limited))))

    async def _run(self, query: Query, asked: Query, made: Plan, place: Continuation | None) -> SearchResult:
        if place and place.link is None:
            page = self._page(query, place, _size(asked), made.fields)
            return replace(page, complete=not place.error, error=place.error)
        if made.counts_only or _is_counting(made.queries):
            return await self._counted(query, made)
        walks = await self._walked(made, _size(asked) if made.count is None else None, place)
        return await self._finished(query, asked, made, walks, place)

    async def fetch(self, url: str) -> Fetched:
        """A Binary, an attachment or an operation by GET, on an allowed origin. Raises NotFound, SourceError.

        All pages of `$everything` come as one Bundle.
        """
        await self._start()
        return await self._bodies.fetch(url)

    async def capabilities(self) -> Mapping[str, Any]:
        """What the server says that it can do; `declared` is False where it says nothing. Raises SourceError."""
        await self._start()
        statement = self.statement
        named = {name for whole in statement.operations for name in (whole, whole.rpartition("/")[2])}
        return {
            "fhirVersion": statement.fhir_version,
            "software": {"name": statement.software, "version": statement.software_version},
            "search": {type_: sorted(names) for type_, names in sorted(statement.search.items())},
            "operations": sorted(named),
            "declared": statement.declared,
            "batch": self._batch.on,
            "elements": self.profile.elements is not False and statement.declared,
            "excludes": "not" in self.profile.modifiers and self._counts(),
            "profile": self.profile.name,
            "include": {type_: sorted(values) for type_, values in sorted(statement.includes.items())},
            "base": self.http.base,
        }

    def _counts(self) -> bool:
        return self.statement.declared and self.profile.exact_total and self.profile.summary_count is not False

    # Starting: the statement is read once, by whoever comes first.

    async def _start(self) -> None:
        """Raises SourceError where the server cannot be reached or speaks another version; asked anew next time."""
        if self._is_started():
            return
        if self._started is None or self._started.done():
            self._started = asyncio.create_task(self._read_statement())
            self._started.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._started)

    def _is_started(self) -> bool:
        task = self._started
        return task is not None and task.done() and not task.cancelled() and task.exception() is None

    async def _read_statement(self) -> None:
        try:
            answer = await ask(self.http, "GET", "metadata", headers=self._headers, what="CapabilityStatement")
        except SourceError as error:
            if error.status is None or error.status == 429 or error.status >= 500:
                raise  # it cannot be asked just now: to go on by guesses would change what is searched
            # What it keeps in that place is none, be it a refusal, a web page or nothing at all.
            statement = Statement()
        else:
            statement = read_statement(answer.resource)
        self.statement = replace(statement, base=statement.base or self.http.base)
        self.profile = self._asked_profile or choose(self.statement, self.http.base)
        self._headers["accept"] = self.profile.accept
        if statement.declared:  # else what is sent is tested here again, and more than was asked for does no harm
            self._headers["prefer"] = "handling=strict"
        self._batch.on = self.profile.batch if self.profile.batch is not None else "batch" in self.statement.system
        self.http.narrow(self.profile.concurrency)

    def _demand(self, type_: str, action: str) -> Granted | None:
        """The scopes, if they are known. Raises SourceError where they do not allow the action on any of the type."""
        granted = self._granted() if callable(self._granted) else self._granted
        if granted is not None and not granted.allows(type_, action):
            scope = granted.missing(type_, action)
            raise SourceError(f"{type_} was not asked for: the credentials lack the scope {scope}", status=403)
        return granted

    # Searching.

    async def _walked(self, made: Plan, until: int | None, place: Continuation | None) -> Sequence[Pages]:
        if place and place.link:
            walk = self._walk(made.queries[0].type, until, exact=False)
            walk.pages.matches.add(place.rest)
            return [await walk.run(partial(self._at, made.queries[0].type, place.link))]
        exact = self.profile.exact_total and not _is_counting(made.queries)
        runs = ((self._walk(one.type, until, exact=exact), partial(self._first, one)) for one in made.queries)
        return await asyncio.gather(*(walk.run(first) for walk, first in runs))

    def _walk(self, type_: str, until: int | None, *, exact: bool) -> Walk:
        return Walk(
            type_,
            partial(self._at, type_),
            partial(self.http.link, place=type_),
            budget=self._page_budget,
            seconds=self._seconds,
            until=until,
            exact=exact,
        )

    async def _at(self, type_: str, url: str) -> Answer:
        return await ask(self.http, "GET", url, headers=self._headers, what=type_)

    async def _first(self, query: Query) -> Answer:
        """The first page: by GET (together with others), by POST where the URL would be long or the profile says so."""
        url = to_url(query)
        long = len(self.http.base) + len(url) > _LONG
        if not self._posts or self.profile.post is False or not (long or self.profile.post):
            return await self._got(query, url)
        return (None if self.profile.post else await self._together(query, url)) or await self._posted_or_got(
            query, url
        )

    async def _together(self, query: Query, url: str) -> Answer | None:
        """A long search in a batch, where its length is no matter; None where it is not taken so."""
        try:
            return await self._batch.together(url, query.type)
        except SourceError as error:
            if error.status not in _TOO_LONG:
                raise
            return None

    async def _posted_or_got(self, query: Query, url: str) -> Answer:
        try:
            return await self._posted(query)
        except SourceError as error:
            if error.status not in _NO_POST and error.status != 400:
                raise
            self._posts = error.status == 400  # it may be this search alone
            return await self._got(query, url)

    async def _got(self, query: Query, url: str) -> Answer:
        try:
            return await self._batch.get(url, query.type)
        except SourceError as error:
            if error.status != 414 or not self._posts or self.profile.post is False:
                raise
            return await self._posted(query)

    async def _posted(self, query: Query) -> Answer:
        pairs = (f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query.params)
        headers = {**self._headers, "content-type": "application/x-www-form-urlencoded"}
        url, body = f"{query.type}/_search", "&".join(pairs).encode()
        return await ask(self.http, "POST", url, headers=headers, body=body, what=query.type)

    async def _counted(self, query: Query, made: Plan) -> SearchResult:
        """The total alone: as the server tells it, else by reading and counting."""
        bare = tuple(pair for pair in made.queries[0].params if pair[0] not in ("_summary", "_count"))
        read = replace(made, queries=(replace(made.queries[0], params=bare),)) if _is_counting(made.queries) else made
        if self._is_doubtful(made):
            made = read
        walks = await self._walked(made, None, None)
        if made is not read and not walks[0].entries and not walks[0].problems and walks[0].total is None:
            walks = await self._walked(read, None, None)
        sifted = self._sifted(walks, made)
        told = walks[0].total if _is_counting(made.queries) and not walks[0].entries else None
        problems = [*sifted.problems, *(problem for walk in walks for problem in walk.problems)]
        return SearchResult(
            query=query,
            total=len(sifted.kept) if told is None else told,
            complete=not problems,
            error=_joined(problems),
            pages=sum(walk.read for walk in walks),
        )

    async def _finished(
        self, query: Query, asked: Query, made: Plan, walks: Sequence[Pages], place: Continuation | None
    ) -> SearchResult:
        sifted = self._sifted(walks, made)
        found = sorted_resources(sifted.kept, [SortKey.of(key) for key in made.sort])
        included = Union()
        for walk in walks:
            included.add(walk.included)
        size = _size(asked)
        problems = [*([place.error] if place and place.error else ()), *sifted.problems]
        problems += [problem for walk in walks for problem in walk.problems]
        problems += await self._following.add(found[:size], made.include, included)
        whole = Continuation(
            query=asked,
            rest=tuple(found),
            link=walks[0].rest,
            total=_total(len(found), made, walks, place, exact=not self._is_doubtful(made)),
            error=_joined(problems),
        )
        result = self._page(query, whole, size, made.fields)
        keys = {key_of(r) for r in result.matches} - {None} if len(included) else ()
        return replace(
            result,
            included=tuple(r for r in included if key_of(r) not in keys),
            complete=not problems,
            error=whole.error,
            pages=sum(walk.read for walk in walks),
        )

    def _sifted(self, walks: Sequence[Pages], made: Plan) -> Sifted:
        """The matches of all pages that meet what is tested here. What a server gets wrong is remembered for counts."""
        found = sift(_united(walks), made.residue, patient=made.patient, retest=made.retest)
        self._doubted.update((made.queries[0].type, name) for name in found.doubted)
        return found

    def _is_doubtful(self, made: Plan) -> bool:
        """Whether the server was seen to evaluate one of the parameters wrongly: then its figures are not told."""
        return any((made.queries[0].type, param.name) in self._doubted for param in made.retest)

    def _page(self, query: Query, place: Continuation, size: int | None, fields: frozenset[str]) -> SearchResult:
        """The first `size` of what was found, cut to `fields` if there are any.

        The rest, whole as it is tested again, and the server's own next link wait behind a token.
        """
        page, rest = place.rest[:size], place.rest[size:] if size is not None else ()
        token = self._places.offer(replace(place, rest=rest)) if rest or place.link else None
        matches = tuple(with_elements(r, fields) for r in page) if fields else page
        return SearchResult(query=query, matches=matches, total=place.total, pages=0, next=token)

    async def _included(self, references: Sequence[Reference]) -> Sequence[Resource | Exception]:
        found = await asyncio.gather(*(self.read(one) for one in references), return_exceptions=True)
        return [one for one in found if isinstance(one, Exception | Mapping)]


def _size(query: Query) -> int | None:
    """How many matches a page is to have; None for all."""
    found = [value for name, value in query.params if name == "_count"]
    return int(found[-1]) if found and re.fullmatch("[0-9]+", found[-1], re.ASCII) else None


def _is_counting(queries: Sequence[Query]) -> bool:
    return len(queries) == 1 and ("_summary", "count") in queries[0].params


def _united(walks: Sequence[Pages]) -> Union:
    if len(walks) == 1:
        return walks[0].matches
    found = Union()
    for walk in walks:
        found.add(walk.matches)
    return found


def _total(found: int, made: Plan, walks: Sequence[Pages], place: Continuation | None, *, exact: bool) -> int | None:
    """What was counted by reading from start to end; else the server's figure, where it is one of this search."""
    walk = walks[0]
    if place is None and walk.rest is None and not any(w.problems for w in walks):
        return found
    told = walk.total if walk.total is not None else place.total if place else None
    if len(walks) > 1 or made.residue or told is None or not exact:
        return found if walk.rest is None and place is None else None
    return told


def _joined(problems: Sequence[str]) -> str | None:
    return "; ".join(dict.fromkeys(problems)) or None
