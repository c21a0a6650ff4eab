"""Words of a question that say again, or in another way, what the chart or the question itself says.

Whose chart it is ("this diabetic lady", "Mrs" with the surname of the patient), a bracket or an apposition that repeats
what it stands beside ("echo (ultrasound of the heart)"), and a misspelt word that only asks ("hihgest"). A bracket that
could narrow the question is left in it, to be understood or refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from rapidfuzz import process
from rapidfuzz.distance import OSA

from agent.chart import Chart
from agent.types import Ask
from agent.understand import cues
from agent.understand.asides import Aside
from agent.understand.vocabulary import BENIGN, FUNCTION_WORDS
from fhir_tools import dates, phrases
from fhir_tools.catalogue import CatalogueEntry
from fhir_tools.codes import names_of, words_of
from fhir_tools.lexicon.english import is_english

__all__ = ["headings", "restated", "strangers", "vanishing"]

Understood = Callable[[str], Ask]

_SOMEBODY = (
    r"(?:lady|gentleman|man|woman|boy|girl|patient|pt|child|baby|infant|toddler|teenager|adolescent|fellow|chap|"
    r"bloke|guy|"
    r"lad|lass|person|individual|client|resident|pensioner|newborn|neonate|youngster|kid|inpatient|outpatient|subject|"
    r"participant|mother-to-be|mum-to-be)"
)
_NO_ADJECTIVE = (
    r"(?:of|in|for|on|with|to|from|by|at|and|or|but|is|was|are|were|does|did|has|had|do|than|that|which|who|other|"
    r"another|"
    r"next|previous|wrong|last|first|latest|second|third|most|recent|same|average|normal|typical|every|each|any|no|not)"
)
_PATIENT = re.compile(
    rf"\b(?:this|the|our|my|that|dear|old) (?P<like>(?:(?!{_NO_ADJECTIVE}\b)(?:[^\W\d]+|"
    rf"\d{{1,3}}(?:[- ]?years?[- ]old| ?y/?o)?)"
    rf"(?:-[\w]+)*,? ){{0,3}}){_SOMEBODY}\b(?!\s+(?:of|with|who|education|history|visit|population)\b)",
    re.IGNORECASE,
)
"""The one whose chart it is, however described."""
_TITLES = {
    "male": r"(?:mr|mister|sir|herr|señor|senor|sr|monsieur|m|signor)",
    "female": r"(?:mrs|ms|miss|madam|madame|mme|mlle|frau|señora|senora|sra|signora)",
}
_TITLE = rf"(?:(?:{'|'.join(_TITLES.values())}|mx|dr|prof|professor|little|old|dear|young)\.?\s+)"

_BRACKET = re.compile(r"\s*\(([^()]{2,80})\)")
_THAT_IS = re.compile(
    r"\s*,\s*(?:that is(?: to say)?|that means|meaning|in other words|or rather|namely|aka|also (?:called|known as))"
    r"\s*,?\s+([^,?;:]{2,80})(?=\W*$|,)",
    re.IGNORECASE,
)
_ONLY_A_SORT = re.compile(
    r"\b(?:modalit(?:y|ies)|class|categor(?:y|ies)|types?|method|technique|stud(?:y|ies)|tests?|that is|i\.?e\.?|aka|"
    r"also (?:called|known as)|or|called|meaning|all of|all in|the whole of|sites?)\b,?",
    re.IGNORECASE,
)
_RESTRICTS = re.compile(
    r"\b(?:not|no|non|never|without|except\w*|exclud\w*|ignor\w*|other than|if|unless|left|right|both|fasting|random|"
    r"before|after|pre|post|during|since|until|standing|sitting|lying|supine|urin\w*|blood|venous|arterial|"
    r"capillary|serum|"
    r"plasma|csf|stool|saliva|home|clinic|ward|icu|first|last|latest|previous|highest|lowest|mean|average)\b",
    re.IGNORECASE,
)
_STRETCH = re.compile(
    r"\b(?:over|during|in|for|within|throughout) (?P<what>the (?:\w+ )?(?:days|nights|period|stay|admission|weeks|"
    r"months|"
    r"time|interval|hospitali[sz]ation|quarter|half(?: of \d{4})?)),?\s+\(?",
    re.IGNORECASE,
)


def restated(text: str, chart: Chart, unknown: Sequence[str], understood: Understood) -> Iterator[Aside]:
    """What of a question says something again. `unknown` are its words that nothing accounts for."""
    yield from _whose(text, chart, unknown)
    yield from _brackets(text, chart, understood)
    yield from headings(text, chart, understood)
    yield from _or_others(text, understood)
    yield from _stretches(text, chart.as_of)
    yield from _misspelt(text, unknown)
    yield from _labelled(text, chart, unknown)


def _whose(text: str, chart: Chart, unknown: Sequence[str]) -> Iterator[Aside]:
    for found in _PATIENT.finditer(text):
        strange = any(w.text not in BENIGN for w in words_of(found["like"]))
        yield Aside(words=found.group(), instead="the patient", fits=_any, told=strange)
    names = sorted({n for n in _names(chart) if any(n in u.lower() for u in unknown)})
    if names:
        name = "|".join(map(re.escape, names))
        other = _TITLES.get({"male": "female", "female": "male"}.get(str(chart.person.get("gender")), ""), "(?!)")
        named = re.compile(
            rf"(?<!\w)(?!{other}\.?\s){_TITLE}{{0,2}}(?<!\w)(?:(?:{name})[\s-]*)+(?<![\s-])(?!\w)(?P<own>'?s\b)?",
            re.IGNORECASE,
        )
        for found in named.finditer(text):
            wrong = re.search(rf"\b{other}\.?\s+$", text[: found.start()], re.IGNORECASE)
            if not wrong:
                own = "'s" if found["own"] else ""
                yield Aside(words=found.group(), instead=f"the patient{own}", fits=_any, told=False)


_ANOTHER = re.compile(rf"\b(?:(?:an)?other|next|previous|wrong) {_SOMEBODY}\b(?!\s+\w+ing\b)", re.IGNORECASE)
_BABY = re.compile(
    r"\b(?:the|her|his|this|our|my|that) (?:[\w-]+ )?(?:baby|infant|newborn|neonate|"
    r"f(?:o)?etus)(?:'?s)?\b(?! (?:aspirin|food))",
    re.IGNORECASE,
)
_INFANT = 5
"""Up to this age, in years, "the baby" of a question may be the patient."""


def strangers(text: str, chart: Chart) -> tuple[str, ...]:
    """Words for somebody who is not the patient: "the other man", "the baby" in the chart of a grown person."""
    birth = dates.of_any(chart.person.get("birthDate"))
    born = birth.low if birth else None
    grown = born is not None and chart.as_of.year - born.year > _INFANT
    found = (_ANOTHER.search(text), _BABY.search(text) if grown else None)
    return tuple(m.group() for m in found if m)


def _any(_: Ask) -> bool:
    return True


def _names(chart: Chart) -> Iterator[str]:
    """The words of the patient's names, without the numbers of made-up ones."""
    for name in chart.person.get("name") or ():
        given = name.get("given") or ()
        parts = " ".join(filter(None, (str(name.get("family") or ""), *map(str, given), str(name.get("text") or ""))))
        yield from (w.lower() for w in re.findall(r"[^\W\d_]{3,}", parts))


def _brackets(text: str, chart: Chart, understood: Understood) -> Iterator[Aside]:
    for pattern in (_BRACKET, _THAT_IS):
        for found in pattern.finditer(text):
            inner = found[1].strip()
            if _RESTRICTS.search(inner):
                continue
            bare = _ONLY.sub("", inner)
            said = understood(_ONLY_A_SORT.sub(" ", bare))
            named = _unnamed_before(text[: found.start()], understood) if _holds(said) and bare == inner else ""
            if named:
                start = found.start() - len(named)
                yield Aside(words=text[start : found.end()], instead=inner, fits=_any)
            else:
                fits = _repeats(bare, said, chart, alone=bool(_NARROWING.search(found.group())))
                yield Aside(words=found.group(), fits=fits, told=not said.unknown)


_ONLY = re.compile(r"^(?:only|just) | only$", re.IGNORECASE)
_HEADING = re.compile(r"^\W*([\w/' -]{2,40}?)(?:\s*:|\s[-–—])\s+(?=\w)")


_NARROWING = re.compile(
    r"\s*\(((?:only|just)\b[^()]*|[^()]*\bonly|[^()]*\b(?:point of care|outside|inside|injectable|injected|inhaled|"
    r"topical|"
    r"oral|iv|standing|sitting|hospital|clinic|office|practice|home|surgical|in person|other lab\w*)\b[^()]*)\)",
    re.IGNORECASE,
)


def vanishing(text: str, whole: Ask, understood: Understood) -> tuple[str, ...]:
    """Brackets that narrow, and yet changed nothing of what was understood: "how many visits (clinic only)"."""
    found = tuple(_NARROWING.finditer(text))
    bare = understood(_NARROWING.sub("", text)) if found else whole
    same = (bare.targets, bare.window, bare.kinds, bare.state) == (
        whole.targets,
        whole.window,
        whole.kinds,
        whole.state,
    )
    return tuple(m[1] for m in found) if same else ()


def headings(text: str, chart: Chart, understood: Understood) -> Iterator[Aside]:
    """A heading that holds what is asked below it: "Lipids: how many LDL results …"."""
    heading = _HEADING.match(text)
    said = understood(heading[1]) if heading and not _RESTRICTS.search(heading[1]) else None
    if heading and said and said.targets:
        yield Aside(words=heading.group(), fits=_repeats(heading[1], said, chart))


_OR_OTHER = re.compile(r"(?P<one>(?:[\w-]+ ){1,3}?)or (?:any |some |all )?other (?P<sort>[\w-]+)", re.IGNORECASE)


def _or_others(text: str, understood: Understood) -> Iterator[Aside]:
    """ "Prenatal or other visits" are all visits: a part and the rest of a whole."""
    for found in _OR_OTHER.finditer(text):
        part = [w for w in found["one"].split() if w.lower() not in FUNCTION_WORDS]
        same = bool(part) and part[-1].lower() == found["sort"].lower()
        if same or (len(part) == 1 and understood(part[0]).unknown):
            words = text[text.index(part[0], found.start()) : found.start("sort")]
            yield Aside(words=words, fits=_any, told=False)


def _labelled(text: str, chart: Chart, unknown: Sequence[str]) -> Iterator[Aside]:
    """A word that stands in the chart's own name for the one thing that is asked about."""
    for word in unknown:
        typed = re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)
        if typed and " " not in word and len(word) > _STEM and not _RESTRICTS.search(word):
            yield Aside(words=typed.group(), fits=_in_label(word, chart), told=False)


def _holds(ask: Ask) -> bool:
    return not ask.unknown and len(ask.targets) == 1 and bool(ask.targets[0].keys)


def _unnamed_before(before: str, understood: Understood) -> str:
    """The word before a bracket, where nothing knows it and it stands by itself: "the coil (IUD)"."""
    m = re.search(r"(?:^|\b(\w+)\s+)([^\W\d]{3,})$", before)
    if not m or m[2].lower() in BENIGN or not understood(m[2]).unknown:
        return ""
    free = m[1] is None or m[1].lower() in FUNCTION_WORDS
    return m[2] if free else ""


def _repeats(inner: str, said: Ask, chart: Chart, *, alone: bool = False) -> Callable[[Ask], bool]:
    """Whether words in a bracket say no more than the question without them; `alone`: no less either."""
    held = {k for t in said.targets for k in t.keys}
    meant = {m for t in said.targets for m in t.lexicon}
    in_label = _in_label(inner, chart)

    def fits(ask: Ask) -> bool:
        outer = {k for t in ask.targets for k in t.keys}
        if said.unknown:
            return in_label(ask) and not alone
        if said.window and not said.targets:
            return ask.window is not None and (said.window.low, said.window.high) == (ask.window.low, ask.window.high)
        if not outer and not said.targets:
            return not alone and bool(said.kinds) and said.kinds == ask.kinds
        if not outer:
            return bool(meant) and meant == {m for t in ask.targets for m in t.lexicon}
        return (outer == held if alone else outer <= held) or (in_label(ask) and not alone)

    return fits


def _in_label(inner: str, chart: Chart) -> Callable[[Ask], bool]:
    """Whether words are of each name that the chart has for the one thing a question asks about."""
    words = {_stem(w.text) for w in words_of(inner) if w.text not in FUNCTION_WORDS}

    def fits(ask: Ask) -> bool:
        keys = {k for t in ask.targets for k in t.keys} if len(ask.targets) == 1 else set()
        held = [e for e in chart.catalogue.entries if e.key in keys and e.kind in ask.targets[0].kinds]
        return bool(words and held) and all(words <= _stems(e) for e in held)

    return fits


def _stems(entry: CatalogueEntry) -> set[str]:
    return {_stem(w) for label in (entry.concept.label, *entry.labels) for n in names_of(label) for w in n.split()}


_STEM = 5
"""Letters by which words are of one family: fibreoptic and fiberoptic, laparoscopically and laparoscopic."""


def _stem(word: str) -> str:
    """A word without its ending and without what British and American spelling differ in."""
    spelt = re.sub(r"ae|oe", "e", word).replace("our", "or").replace("ibre", "iber").replace("isation", "ization")
    return spelt[:_STEM]


def _stretches(text: str, as_of: date) -> Iterator[Aside]:
    """ "Over the inpatient days, 2 to 10 August": the dates say what the words before them mean."""
    for found in _STRETCH.finditer(text):
        after = next((p for p in phrases.find(text[found.end() :], as_of) if p.start <= 1), None)
        if after and after.window:
            yield Aside(words=text[found.start("what") : found.end()], fits=_any)


_ASKING = tuple(sorted(w for w in FUNCTION_WORDS | BENIGN if len(w) > 3))
"""What a misspelt word is mended into."""
_MIN = 4
_FAR = 9
"""From so many letters on a word may be two mistakes away."""


def _misspelt(text: str, unknown: Sequence[str]) -> Iterator[Aside]:
    """A word that is no English and of no chart, as the word of asking that it is nearest to."""
    for word in dict.fromkeys(w for u in unknown for w in u.split() if w not in BENIGN):
        typed = re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE)
        meant = _nearest(word) if typed and word.isalpha() and len(word) >= _MIN and not is_english(word) else ""
        if typed and meant:
            yield Aside(words=typed.group(), instead=meant, fits=_any, told=False)


def _nearest(word: str) -> str:
    for far in (1, 2) if len(word) >= _FAR else (1,):
        near = [w for w, _, _ in process.extract(word, _ASKING, scorer=OSA.distance, score_cutoff=far, limit=None)]
        ops = {op: w for w in near for op, p in reversed(cues.OPS) if p.fullmatch(w)}
        if len(near) == 1 or (near and len(ops) == 1):
            return next(iter(ops.values()), near[0])
    return ""
