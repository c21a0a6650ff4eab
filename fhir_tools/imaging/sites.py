"""Whether two images are of the same part of the body, however each chart entry calls it."""

from __future__ import annotations

from functools import cache

from fhir_tools.imaging.types import Image
from fhir_tools.lexicon import lexicon, normalise
from fhir_tools.types import Concept

__all__ = ["same_site", "site_words"]


def same_site(one: Image, other: Image) -> bool:
    """By a shared code, or a shared name; not where both say a side and it differs."""
    if one.site is None or other.site is None:
        return False
    if {one.laterality, other.laterality} in ({"L", "R"},):
        return False
    codes = [{(c.system, c.code) for c in site.codings} for site in (one.site, other.site)]
    return bool(codes[0] & codes[1]) or bool(_names(one.site) & _names(other.site))


def _names(site: Concept) -> frozenset[str]:
    said = (site.label, *(c.display for c in site.codings if c.display), *(c.code for c in site.codings))
    return frozenset(name for text in said if (name := site_words(text)))


@cache
def site_words(text: str) -> str:
    """One name for a body site (`Thorax`, `CHEST` and `Chest structure` are `chest`); the words themselves else."""
    said = normalise(text)
    found = lexicon().lookup(said, ("body_site",))
    return found[0].label.lower() if found else said if not said.isdigit() else ""
