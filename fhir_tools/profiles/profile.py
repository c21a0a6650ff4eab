"""What kinds of FHIR servers require or lack, as data: one TOML file a kind, each rule with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["DEFAULT_COUNT", "Profile", "Rule"]

DEFAULT_COUNT = 500
"""`_count` where nothing is known: a server that finds it too large returns less (R4 search, 3.1.1.5.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a profile: what it says in words, the page that says so, and the fields of the profile it sets."""

    name: str
    text: str
    source: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The ways of one kind of server. Every field that is set was set by a rule of `rules`.

    - `recognised` are regular expressions over software, publisher and base URL.
    - `require`: type → alternatives, each a set of parameters that must all be there; `supply` is what the planner
      adds where none is complete (`{"Observation": (("category", "laboratory,vital-signs,…"),)}`).
    - `lacks`: type (or `*`) → parameters that are not sent even if the CapabilityStatement names them;
      `adds`: those it takes though the statement does not name them.
    - `alone`: type (or `*`) → parameters that exclude every other one; `overrides`: those beside which it ignores
      every other one. `apart`: pairs that cannot stand together, the second of which is left out.
    - `single`: type (or `*`) → parameters that take one value only; a list of them becomes several searches.
    - `modifiers` and `prefixes` (of dates, numbers and quantities) that it is known to take; a CapabilityStatement
      says nothing of them. `chains` and `has`: whether it follows chained and `_has` parameters.
    - `sorts`: type (or `*`) → parameters that `_sort` takes (empty: every declared one); `sort_keys`: how many at once.
    - `paging_sort`: the `_sort` under which its pages are stable, asked for where a whole result is read.
    - `patient`: the form of a patient's value, `bare` (the id) or `typed` (`Patient/[id]`).
    - `count`: type (or `*`) → the most that `_count` may be, and what is asked for; None leaves `_count` out.
    - `panels`: component code → codes of the panels that hold it, where component codes find nothing. `panels_only`:
      it holds no components but those.
    - `elements`, `batch`, `post`, `everything`, `summary_count`, `include`: whether the server has it, None for
      "as the CapabilityStatement says" (`elements`: None is yes: a server that does not know it sends the whole).
    - `exact_total`: Bundle.total is the number of matches, not an estimate.
    - `short_pages`: a page may hold fewer than asked for although more follow. `expires`: seconds that a page link
      lives, None where it is not known. `binary_notes`: note bodies lie in Binary.
    - `merged`: how a merged patient shows: `redirect`, `link` or empty.
    - `concurrency`: the most requests at once. `accept`: the Accept header.
    """

    name: str
    title: str
    recognised: tuple[str, ...] = ()
    require: Mapping[str, tuple[frozenset[str], ...]] = field(default_factory=dict)
    supply: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    lacks: Mapping[str, frozenset[str]] = field(default_factory=dict)
    adds: Mapping[str, frozenset[str]] = field(default_factory=dict)
    alone: Mapping[str, frozenset[str]] = field(default_factory=dict)
    overrides: Mapping[str, frozenset[str]] = field(default_factory=dict)
    apart: tuple[tuple[str, str], ...] = ()
    single: Mapping[str, frozenset[str]] = field(default_factory=dict)
    modifiers: frozenset[str] = frozenset()
    prefixes: frozenset[str] = frozenset(("eq", "ge", "gt", "le", "lt"))
    chains: bool = False
    has: bool = False
    sorts: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sort_keys: int | None = None
    paging_sort: str = ""
    patient: str = "bare"
    count: Mapping[str, int | None] = field(default_factory=dict)
    panels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    panels_only: bool = False
    elements: bool | None = None
    batch: bool | None = None
    post: bool | None = None
    everything: bool | None = None
    summary_count: bool | None = None
    include: bool | None = None
    exact_total: bool = True
    short_pages: bool = False
    expires: float | None = None
    binary_notes: bool = False
    merged: str = ""
    concurrency: int = 8
    accept: str = "application/fhir+json"
    rules: tuple[Rule, ...] = ()

    def most(self, type_: str) -> int | None:
        """The `_count` to ask for in a search of a type; None where it is to be left out."""
        return self.count.get(type_, self.count.get("*", DEFAULT_COUNT))
