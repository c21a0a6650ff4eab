"""Pages of a search: one Bundle read with all its dirt, and the walk along `next` links (R4 http, 3.1.0.9)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any

import orjson

from fhir_tools.errors import OperatorError, SourceError
from fhir_tools.http import issue_codes
from fhir_tools.remote.answers import Answer
from fhir_tools.remote.unite import Union

__all__ = ["Page", "Pages", "Walk", "read_page"]

Resource = Mapping[str, Any]

_WITHHELD = frozenset(
    (
        "not-supported", "suppressed", "security", "login", "unknown", "expired", "forbidden", "too-long", "too-costly",
        "business-rule", "transient", "lock-error", "no-store", "exception", "timeout", "incomplete", "throttled",
    )
)  # fmt: skip
"""Issue types (R4 issue-type) that, whatever their severity, say that something asked for was not done or not given.

The others are told as notes when they are warnings or information: `informational`, and `processing`, which servers
use for "nothing was found" (Epic 4101) as much as for "your parameter has a strange value". A parameter that is not
processed is met by `Prefer: handling=strict` on the way out and by the plan's own tests on the way back.
"""
_EXPIRED = frozenset((400, 404, 410))
_REPEATS = 2  # identical pages that are read on through, since a server may send one twice


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One Bundle: its matches and what came with them, problems that make it incomplete, and notes that do not.

    `digest` tells pages that go on apart by what they hold; the last page has none.
    """

    matches: tuple[Resource, ...] = ()
    included: tuple[Resource, ...] = ()
    total: int | None = None
    next: str | None = None
    entries: int = 0
    digest: bytes = b""
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_page(bundle: Resource, type_: str) -> Page:
    """A searchset Bundle, tolerant of null entries and of entries without a mode (told by their type then).

    An entry that has no resource is a problem, since it may stand for a match; so is a match of another type, and a
    next page without its address. Raises SourceError for another Bundle.
    """
    raw = bundle.get("entry")
    fits = not raw or isinstance(raw, list)
    if bundle.get("resourceType") != "Bundle" or bundle.get("type", "searchset") != "searchset" or not fits:
        raise SourceError(f"the server answered the search of {type_} with no searchset Bundle")
    entries = [e for e in raw if isinstance(e, dict) and e] if isinstance(raw, list) else []
    resources = [(r, _mode(e)) for e in entries if isinstance(r := e.get("resource"), dict) and r.get("resourceType")]
    outcomes = [r for r, _ in resources if r["resourceType"] == "OperationOutcome"]
    found = [(r, mode) for r, mode in resources if r["resourceType"] != "OperationOutcome" and mode != "outcome"]
    problems, notes = _issues(outcomes, type_)
    if len(resources) < len(entries):
        problems.append(f"{len(entries) - len(resources)} entries of {type_} came without their resource")
    if not type_.startswith("$") and any(mode == "match" and r["resourceType"] != type_ for r, mode in found):
        problems.append(f"the server sent matches of another type than {type_}")
    total, following = bundle.get("total"), _next(bundle)
    if following == "":
        problems.append(f"the server names a next page of {type_} without its address")
    return Page(
        matches=tuple(r for r, mode in found if r["resourceType"] == type_ and mode != "include"),
        included=tuple(r for r, mode in found if r["resourceType"] != type_ or mode == "include"),
        total=total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None,
        next=following or None,
        entries=len(entries),
        digest=_digest(raw) if entries and following else b"",
        problems=tuple(problems),
        notes=tuple(notes),
    )


def _digest(raw: object) -> bytes:
    """What tells a page that comes again; empty where it is nested too deep to be written."""
    try:
        return blake2b(orjson.dumps(raw), digest_size=16).digest()
    except orjson.JSONEncodeError:
        return b""


def _mode(entry: Resource) -> str | None:
    search = entry.get("search")
    return search.get("mode") if isinstance(search, dict) else None


def _next(bundle: Resource) -> str | None:
    """The URL of the next page, None where there is none; empty where there is one whose URL cannot be read."""
    links = bundle.get("link")
    found = (x for x in (links if isinstance(links, list) else [links]) if isinstance(x, dict))
    urls = [x.get("url") for x in found if x.get("relation") == "next"]
    return next((url if isinstance(url, str) else "" for url in urls), None)


def _issues(outcomes: Iterable[Resource], type_: str) -> tuple[list[str], list[str]]:
    """What the outcomes inside of a page say: problems and notes, by codes alone."""
    problems: list[str] = []
    notes: list[str] = []
    for outcome in outcomes:
        issues = outcome.get("issue")
        for issue in issues if isinstance(issues, list) else ():
            codes = issue_codes({"issue": [issue]})
            severity = issue.get("severity") if isinstance(issue, dict) else None
            if severity in ("warning", "information") and not _WITHHELD.intersection(codes):
                notes.append(f"the server notes on {type_}: {', '.join(codes) or severity}")
            else:
                words = ", ".join(codes) or "an issue without a code"
                problems.append(f"the server did not give all of {type_}: {words}")
    return problems, notes


@dataclass(kw_only=True)
class Pages:
    """What a walk has read. `problems` make it incomplete; `rest` is the next link where it stopped on purpose.

    `entries` and, of them, `sent` matches are counted as they came, duplicates included.
    """

    matches: Union = field(default_factory=Union)
    included: Union = field(default_factory=Union)
    total: int | None = None
    read: int = 0
    entries: int = 0
    sent: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rest: str | None = None
    status: int | None = None


Send = Callable[[], Awaitable[Answer]]


class Walk:
    """Follows `next` links to the end, or until `until` matches are there. Ends always, and keeps what was read.

    `send` asks for a page by an absolute URL, `link` makes a link absolute (None where it leads elsewhere), `budget`
    is the most pages, `seconds` the most time. `exact` tells that Bundle.total is no estimate.
    """

    def __init__(
        self,
        type_: str,
        send: Callable[[str], Awaitable[Answer]],
        link: Callable[[str], str | None],
        *,
        budget: int,
        seconds: float,
        until: int | None = None,
        exact: bool = True,
    ) -> None:
        self._type, self._send, self._link = type_, send, link
        self._budget, self._seconds, self._until, self._exact = budget, seconds, until, exact
        self._seen: set[str] = set()
        self._digests: set[bytes] = set()
        self._repeats = 0
        self._again: Send | None = None
        self.pages = Pages()

    async def run(self, first: Send, again: Send | None = None) -> Pages:
        """Walk from the first page on. `again` starts anew, once, where a page link has expired (None: `first`)."""
        self._again = again or first
        deadline = asyncio.get_running_loop().time() + self._seconds
        step: Send | None = first
        while step is not None:
            try:
                async with asyncio.timeout_at(deadline):
                    answer = await step()
                self._seen.add(answer.url)
                step = self._taken(read_page(answer.resource, self._type))
            except OperatorError as error:
                step = self._failed(error)
            except TimeoutError:
                self._problem(f"the pages of {self._type} were not all read within {self._seconds:g} s")
                step = None
        return self.pages

    def _taken(self, page: Page) -> Send | None:
        """Keep a page; gives the next step."""
        pages = self.pages
        pages.read += 1
        pages.entries += page.entries
        pages.sent += len(page.matches)
        pages.matches.add(page.matches)
        pages.included.add(page.included)
        pages.problems += page.problems
        pages.notes += page.notes
        # The least that was told: what is added while pages are read may be counted and not shown.
        pages.total = min((t for t in (page.total, pages.total) if t is not None), default=None)
        if page.digest and page.digest in self._digests:
            self._repeats += 1
        self._digests.add(page.digest)
        return self._following(page)

    def _following(self, page: Page) -> Send | None:
        pages = self.pages
        if page.next is None:
            # Bundle.total is of matches alone (R4 Bundle.total); some servers count what they include as well.
            told = pages.total if self._exact and not pages.problems else None
            if told is not None and pages.sent < told != pages.entries:
                self._problem(f"the server counts more of {self._type} than it sent")
            return None
        link = self._link(page.next)
        if link is None:
            self._problem(
                "the next page lies at another origin and was not asked for: set the server's own base URL to the "
                "address that it is reached by"
            )
        elif self._until is not None and len(pages.matches) >= self._until:
            pages.rest = link
        elif link in self._seen or self._repeats > _REPEATS:
            self._problem(f"the page links of {self._type} go round in a circle")
        elif pages.read >= self._budget:
            self._problem(f"the budget of {self._budget} pages was spent before the end of {self._type}")
        else:
            self._seen.add(link)
            return partial(self._send, link)
        return None

    def _failed(self, error: OperatorError) -> Send | None:
        """An expired link starts the search again, once: what is read twice is united."""
        status = error.status if isinstance(error, SourceError) else None
        self.pages.status = status
        if status in _EXPIRED and self._seen and self._again and self.pages.read < self._budget:
            again, self._again = self._again, None
            self._seen.clear()
            self._digests.clear()
            self.pages.entries = self.pages.sent = 0
            return again
        expired = "a page link expired, also after a new start: " if status in _EXPIRED and self._seen else ""
        self._problem(f"{expired}{error}")
        return None

    def _problem(self, words: str) -> None:
        self.pages.problems.append(words)
