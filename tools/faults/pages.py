"""What can be wrong with a page of a search: a searchset Bundle changed in place, as real servers have been seen to."""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Callable
from typing import Any

__all__ = ["OTHER_ORIGIN", "OTHER_PATIENT", "Book"]

Bundle = dict[str, Any]

OTHER_ORIGIN = "http://elsewhere.test"
OTHER_PATIENT = "fault-other-patient"
TOKEN = "_faultpage"


class Book:
    """Changes pages, and remembers those that it makes up by the token of their link."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.pages: dict[str, Bundle] = {}

    def change(self, kind: str, page: Bundle, url: str) -> bool:
        """Do it; False where this page gives no occasion (the last one has no link to spoil)."""
        done: bool = _CHANGES[kind](self, page, url)
        return done

    def keep(self, page: Bundle) -> str:
        """A link behind which that page lies."""
        token = secrets.token_hex(8)
        self.pages[token] = page
        return f"{self.base}?{TOKEN}={token}"

    def kept(self, query: str) -> Bundle | None:
        """The page behind a link of this book; None for any other link."""
        found = re.search(rf"(?:^|&){TOKEN}=(\w+)", query)
        return copy.deepcopy(self.pages.get(found[1], {})) if found else None


def _next(page: Bundle) -> dict[str, Any] | None:
    return next((link for link in page.get("link", ()) if link.get("relation") == "next"), None)


def _to_next(page: Bundle, url: str) -> None:
    page["link"] = [link for link in page.get("link", ()) if link.get("relation") != "next"]
    page["link"].append({"relation": "next", "url": url})


def _entries(page: Bundle) -> list[Any]:
    found: list[Any] = page.setdefault("entry", [])
    return found


def _loop(book: Book, page: Bundle, url: str) -> bool:
    if _next(page) is None:
        return False
    _to_next(page, url)
    return True


def _loop_two(book: Book, page: Bundle, url: str) -> bool:
    if _next(page) is None:
        return False
    other = copy.deepcopy(page)
    here, there = book.keep(page), book.keep(other)
    _to_next(book.pages[here.rpartition("=")[2]], there)
    _to_next(book.pages[there.rpartition("=")[2]], here)
    _to_next(page, there)
    return True


def _expired(book: Book, page: Bundle, url: str) -> bool:
    if _next(page) is None:
        return False
    _to_next(page, f"{book.base}?{TOKEN}=gone")  # no page lies there: the proxy answers 410
    return True


def _short(book: Book, page: Bundle, url: str) -> bool:
    """Half of it, the rest behind the next link: legal."""
    entries = _entries(page)
    if len(entries) < 2:
        return False
    rest = copy.deepcopy(page)
    middle = len(entries) // 2
    rest["entry"], page["entry"] = entries[middle:], entries[:middle]
    _to_next(page, book.keep(rest))
    return True


def _empty(book: Book, page: Bundle, url: str) -> bool:
    link = book.keep(copy.deepcopy(page))
    page.pop("entry", None)
    _to_next(page, link)
    return True


def _outcome(severity: str, code: str) -> dict[str, Any]:
    issue = {"severity": severity, "code": code, "diagnostics": "made up"}
    return {"resource": {"resourceType": "OperationOutcome", "issue": [issue]}, "search": {"mode": "outcome"}}


def _outcome_error(book: Book, page: Bundle, url: str) -> bool:
    """Part of the page is withheld, and it says so."""
    entries = _entries(page)
    page["entry"] = [*entries[: len(entries) // 2], _outcome("error", "exception")]
    page.pop("total", None)
    page["link"] = [link for link in page.get("link", ()) if link.get("relation") != "next"]
    return True


def _outcome_warning(book: Book, page: Bundle, url: str) -> bool:
    _entries(page).append(_outcome("information", "informational"))
    return True


def _changed_total(book: Book, page: Bundle, url: str) -> bool:
    page["total"] = max(0, page.get("total", len(_entries(page))) - 1)
    return True


def _larger_total(book: Book, page: Bundle, url: str) -> bool:
    page["total"] = page.get("total", len(_entries(page))) + 3
    return True


def _duplicates(book: Book, page: Bundle, url: str) -> bool:
    entries = _entries(page)
    page["entry"] = [*entries, *copy.deepcopy(entries[:3])]
    return bool(entries)


def _twice(book: Book, page: Bundle, url: str) -> bool:
    if _next(page) is None:
        return False
    _to_next(page, book.keep(copy.deepcopy(page)))
    return True


def _other_origin(book: Book, page: Bundle, url: str) -> bool:
    link = _next(page)
    if link is None:
        return False
    _to_next(page, re.sub(r"^https?://[^/]+", OTHER_ORIGIN, link["url"]))
    return True


def _other_link(book: Book, page: Bundle, url: str) -> bool:
    """The same search of another patient."""
    if _next(page) is None:
        return False
    _to_next(page, book.keep(_of_other(page)))
    return True


def _other_entry(book: Book, page: Bundle, url: str) -> bool:
    entries = _of_other(page)["entry"]
    _entries(page)[1:1] = entries[:2]
    return bool(entries)


def _other_page(book: Book, page: Bundle, url: str) -> bool:
    if not _entries(page):
        return False
    page["entry"] = _of_other(page)["entry"]
    return True


def _of_other(page: Bundle) -> Bundle:
    """The last page of a search, all about somebody else and with other numbers."""
    other = copy.deepcopy(page)
    other["link"] = [link for link in other.get("link", ()) if link.get("relation") != "next"]
    resources = [e["resource"] for e in other.setdefault("entry", []) if isinstance(e, dict) and "resource" in e]
    for resource in resources:
        resource["id"] = f"other-{resource.get('id', '')}"[:64]
        for name in ("subject", "patient", "beneficiary"):
            if name in resource:
                resource[name] = {"reference": f"Patient/{OTHER_PATIENT}"}
        if "valueQuantity" in resource:
            resource["valueQuantity"]["value"] = 987654
    return other


def _cut(book: Book, page: Bundle, url: str) -> bool:
    """No next link although more follow; the total tells."""
    if _next(page) is None or "total" not in page:
        return False
    page["link"] = [link for link in page["link"] if link.get("relation") != "next"]
    return True


def _no_type(book: Book, page: Bundle, url: str) -> bool:
    page.pop("type", None)
    return True


def _null_entries(book: Book, page: Bundle, url: str) -> bool:
    page["entry"] = [None, *_entries(page), {}]
    return True


def _bare_entry(book: Book, page: Bundle, url: str) -> bool:
    entries = _entries(page)
    if not entries or not isinstance(entries[0], dict):
        return False
    entries[0] = {"fullUrl": entries[0].get("fullUrl", ""), "search": {"mode": "match"}}
    return True


_CHANGES: dict[str, Callable[[Book, Bundle, str], bool]] = {
    "loop": _loop,
    "loop-two": _loop_two,
    "expired-link": _expired,
    "expired-once": _expired,
    "short-page": _short,
    "empty-page": _empty,
    "outcome-error": _outcome_error,
    "outcome-warning": _outcome_warning,
    "changed-total": _changed_total,
    "larger-total": _larger_total,
    "duplicates": _duplicates,
    "same-page-twice": _twice,
    "other-origin": _other_origin,
    "other-patient-link": _other_link,
    "other-patient-entry": _other_entry,
    "other-patient-page": _other_page,
    "cut": _cut,
    "bundle-no-type": _no_type,
    "null-entries": _null_entries,
    "entry-without-resource": _bare_entry,
}
