"""Which of a chart's concepts some words mean, in which kind of record; or that they mean nothing, or several things.

The same order of trust as a question's words have (`agent.understand.targets`): the chart's own label, then what the
lexicon knows under the words, then labels that hold every word, then the spelling.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_tools import wording
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.codes import Matcher, Mention, words_of
from fhir_tools.meaning import KIND_ORDER, PREFERRED, entries_meant, is_image
from fhir_tools.types import Kind

__all__ = ["Meant", "coded_label", "likely_kinds", "meant"]

_STOP = frozenset(
    "all any last latest first previous recent current active result results test tests level levels value values "
    "history of the and or for in on with my her his record records lab labs count number most date dates".split()
)
_PARTED = re.compile(r"[,;\n]")
_PARTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """One thing that is named. `entries` are the chart's concepts for it, all in `kinds` (those looked in, if none).

    `classes` are the lexicon's meanings. `choices` are labels of distinct things that all fit, `elsewhere` the kinds in
    which the chart has it too, `near` the closest labels where it has it nowhere. `known` is False when neither the
    chart nor the lexicon knows the words.
    """

    words: str
    label: str
    kinds: tuple[Kind, ...] = ()
    entries: tuple[CatalogueEntry, ...] = ()
    classes: tuple[tuple[str, str], ...] = ()
    choices: tuple[str, ...] = ()
    elsewhere: tuple[Kind, ...] = ()
    near: tuple[str, ...] = ()
    known: bool = True


def meant(text: str, kind: Kind | None, matcher: Matcher) -> tuple[Meant, ...]:
    """What a text names, at most four things; parts between commas are things of their own. Pure."""
    found: dict[Any, Meant] = {}
    for part in _PARTED.split(text)[:_PARTS]:
        for mentions in _groups(part, kind, matcher):
            thing = _thing(mentions, kind, matcher)
            found.setdefault((thing.kinds, tuple(e.key for e in thing.entries) or thing.label), thing)
    return tuple(found.values())[:_PARTS]


def likely_kinds(text: str, matcher: Matcher) -> tuple[Kind, ...]:
    """The kinds in which the lexicon's meanings of a text are looked for; none where it knows none.

    Of a condition that is the family as well, which has it "too" and takes one search.
    """
    words = words_of(text)
    mentions = matcher.mentions(words, [False] * len(words), _STOP)
    found = dict.fromkeys(k for m in mentions for c in m.classes for k in PREFERRED.get(c.kind, ()))
    return (*found, "family") if "condition" in found else tuple(found)


def coded_label(entry: CatalogueEntry) -> str:
    """The label with its first code, which tells labels that are alike apart."""
    code = next((c.code for c in entry.concept.codings), "")
    return f"{wording.label(entry.concept)} ({code})" if code else wording.label(entry.concept)


def _groups(part: str, kind: Kind | None, matcher: Matcher) -> list[tuple[Mention, ...]]:
    """The mentions of one part, a body site and its modality together; one without entries where nothing is known."""
    words = words_of(part)
    phrase = " ".join(w.text for w in words)
    if not phrase:
        return []
    mentions = matcher.mentions(words, [False] * len(words), _STOP)
    left = [w.text for i, w in enumerate(words) if not any(m.first <= i < m.last for m in mentions)]
    if mentions and not set(left) - _STOP and len(mentions) == 1:
        return [(mentions[0],)]
    held = matcher.by_words(phrase, (kind,) if kind else ())
    if held:
        return [(Mention(first=0, last=len(words), words=phrase, entries=held),)]
    if mentions and not set(left) - _STOP:
        return _joined(mentions)
    spelt = matcher.by_spelling(0, len(words), phrase)
    if spelt:
        return [(spelt,)]
    return [
        *_joined(mentions),
        (Mention(first=0, last=0, words=" ".join(w for w in left if w not in _STOP) or phrase),),
    ]


def _joined(mentions: Sequence[Mention]) -> list[tuple[Mention, ...]]:
    groups: list[tuple[Mention, ...]] = []
    for m in mentions:
        if groups and is_image(m) and is_image(groups[-1][-1]):
            groups[-1] = (*groups[-1], m)
        else:
            groups.append((m,))
    return groups


def _thing(mentions: Sequence[Mention], kind: Kind | None, matcher: Matcher) -> Meant:
    words = " ".join(m.words for m in mentions)
    classes = tuple((c.kind, c.id) for m in mentions for c in m.classes)
    if not classes and not any(m.entries for m in mentions):
        return Meant(words=words, label=words, known=False, near=_near(words, (), matcher))
    every = _kinds(mentions)
    kinds: tuple[Kind, ...] = (kind,) if kind else every
    entries = _best(_of_all(mentions, kinds, matcher), kinds)
    everywhere = _of_all(mentions, (*every, "family"), matcher)
    told = tuple(dict.fromkeys(e.kind for e in entries))
    # of a result the analyte's own records decide; other names can stand in several kinds of record
    looked_in = told or (kinds[:1] if kinds[:1] == ("measurement",) else kinds)
    return Meant(
        words=words,
        label=_label(mentions, entries) or words,
        kinds=looked_in,
        entries=entries,
        classes=classes,
        choices=_choices(mentions, entries, matcher),
        elsewhere=tuple(dict.fromkeys(e.kind for e in everywhere if e.count and e.kind not in looked_in)),
        near=() if entries else _near(words, looked_in, matcher),
    )


def _near(words: str, kinds: tuple[Kind, ...], matcher: Matcher) -> tuple[str, ...]:
    pool = kinds or tuple(dict.fromkeys(e.kind for e in matcher.catalogue.entries))
    return tuple(dict.fromkeys(wording.label(e.concept) for e in matcher.nearest(words.lower(), pool)))


def _kinds(mentions: Iterable[Mention]) -> tuple[Kind, ...]:
    """The kinds of record in which the words can be meant, likeliest first; a relative's only where asked for."""
    likely = [e.kind for m in mentions for e in m.entries]
    likely += [k for m in mentions for c in m.classes for k in PREFERRED.get(c.kind, ())]
    ordered = sorted(dict.fromkeys(likely), key=KIND_ORDER.index)
    return tuple(k for k in ordered if k != "family") or tuple(ordered)


def _of_all(mentions: Sequence[Mention], kinds: Sequence[Kind], matcher: Matcher) -> list[CatalogueEntry]:
    """The entries that every one of the mentions means, in catalogue order."""
    sets = [{(e.kind, e.key) for e in entries_meant(m, kinds, matcher)} for m in mentions]
    keys = set.intersection(*sets)
    return [e for e in matcher.catalogue.entries if (e.kind, e.key) in keys]


def _best(entries: Sequence[CatalogueEntry], kinds: Sequence[Kind]) -> tuple[CatalogueEntry, ...]:
    """Those of the likeliest kind that the chart has as facts; other standings only where there is nothing else."""
    for real in (True, False):
        for kind in kinds:
            together = ("measurement", "social") if kind in ("measurement", "social") and len(kinds) > 1 else (kind,)
            if any(e.kind in together and bool(e.count) == real for e in entries):
                return tuple(e for e in entries if e.kind in together and (not real or e.count))
    return ()


def _label(mentions: Sequence[Mention], entries: Sequence[CatalogueEntry]) -> str:
    if len({e.key for e in entries}) == 1:
        return wording.label(entries[0].concept)
    return next((c.label for m in mentions for c in m.classes), "")


def _choices(mentions: Sequence[Mention], entries: Sequence[CatalogueEntry], matcher: Matcher) -> tuple[str, ...]:
    """Distinct measurements that all fit the words: told, not guessed away."""
    if not entries or entries[0].kind not in ("measurement", "social"):
        return ()
    if any(matcher.is_panel((c.kind, c.id)) for m in mentions for c in m.classes):
        return ()
    groups: dict[Any, CatalogueEntry] = {}
    for e in entries:
        groups.setdefault(matcher.classes_of(e) or e.key, e)
    if len(groups) < 2:
        return ()
    labels = [wording.label(e.concept) for e in groups.values()]
    alike = len(set(map(str.lower, labels))) < len(labels)
    return tuple(sorted(coded_label(e) if alike else wording.label(e.concept) for e in groups.values()))
