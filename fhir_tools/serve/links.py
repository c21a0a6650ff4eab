"""Links of Bundles: absolute, percent-encoded, and short even where the search was long."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from urllib.parse import quote

from fhir_tools.serve.messages import Ask, Params, Refusal

__all__ = ["DEFAULT_COUNT", "MAX_COUNT", "SEARCH_ID", "LongSearches", "counted", "encoded", "link", "offset_of"]

DEFAULT_COUNT, MAX_COUNT = 100, 1_000
"""Resources on a page where the client does not say, and at most (R4 3.1.1.5.5: a server may give fewer)."""

SEARCH_ID = "_search-id"
"""The parameter that stands for a search which is too long for a URL."""

_LONG = 2_000
_KEPT = 500
_DIGITS = 9


def encoded(params: Params) -> str:
    """Parameters as the query part of a URL; a space is %20, since servers differ in reading '+'."""
    return "&".join(f"{quote(name, safe=':._-$')}={quote(value, safe=':/,._-$')}" for name, value in params)


def link(base: str, path: str, params: Params, relation: str) -> dict[str, str]:
    """One entry of `Bundle.link`."""
    query = encoded(params)
    return {"relation": relation, "url": "/".join(filter(None, (base, path))) + (f"?{query}" if query else "")}


def counted(ask: Ask) -> int:
    """The page size asked for, brought down to what this server gives. Raises Refusal (400) for what is no number."""
    text = ask.last("_count")
    if not text:
        return DEFAULT_COUNT
    if not (text.isascii() and text.isdigit()):
        raise Refusal(400, f"_count is not a number: {text!r}")
    return min(int(text[-_DIGITS:]) if len(text.lstrip("0")) <= _DIGITS else MAX_COUNT, MAX_COUNT)


def offset_of(ask: Ask) -> int:
    """The place that a page link of `_history` goes on from. Raises Refusal (400) for another's link."""
    text = ask.last("_page") or "0"
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise Refusal(400, f"not a page of this server: {text!r}")
    return int(text)


class LongSearches:
    """Searches by POST that are too long for a link (R4 3.1.1.1.2), kept in memory; the oldest go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Params] = OrderedDict()

    def shorten(self, params: Params) -> Params:
        """The parameters for a link: themselves, or the id of the search with its place."""
        place = tuple(pair for pair in params if pair[0] == "_page")
        rest = tuple(pair for pair in params if pair[0] != "_page")
        if len(encoded(rest)) <= _LONG:
            return params
        key = next((k for k, kept in self._kept.items() if kept == rest), None) or secrets.token_urlsafe(12)
        self._kept[key] = rest
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return ((SEARCH_ID, key), *place)

    def whole(self, params: Params) -> Params:
        """The parameters behind a link. Raises Refusal (410) for a search that is no longer kept."""
        key = next((value for name, value in params if name == SEARCH_ID), None)
        if key is None:
            return params
        if key not in self._kept:
            raise Refusal(410, "this page link has expired; search again", code="expired")
        return (*self._kept[key], *(pair for pair in params if pair[0] != SEARCH_ID))
