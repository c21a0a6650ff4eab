"""A criterion's text as tokens: names, cues, comparisons, times, connectors, brackets, and words that nothing explains.

Names are found in the lexicon; there is no chart yet. What stands in brackets is one token, read by the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from agent.trials.amounts import Amount, amounts, levelled
from agent.trials.checks import Limit, Sign
from agent.trials.periods import COUNTS, times
from agent.trials.rewording import reworded
from agent.trials.vocabulary import BENIGN, CUES, SMOKING, STOP
from fhir_tools import units
from fhir_tools.catalogue import Catalogue
from fhir_tools.codes import Matcher, Word, words_of
from fhir_tools.lexicon import Entry, lexicon

__all__ = ["Kind", "Token", "lex"]

Kind = Literal[
    "name", "word", "cue", "limit", "time", "comma", "bracket", "latest", "any", "age", "adult", "sex", "smoking",
    "finding", "relation", "stages", "colon", "count",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`text[start:end]` of a statement. `value`: the entries of a name, a Cue, an Amount, a Time, the words inside."""

    kind: Kind
    start: int
    end: int
    value: Any = None


_BRACKET = re.compile(r"\(([^()]*)\)|\[([^\[\]]*)\]")
_LATEST = re.compile(
    r"\b(?:(?:on|at|in|from|per|by|of|during|based on|using|as of)\s+)?(?:the\s+|their\s+|his/her\s+)?(?:most\s+recent|latest|last|newest|screening|baseline)"
    r"(?:\s+(?!of\b|and\b|or\b)[\w-]+){0,3}?\s+(?:panels?|tests?|visits?|measurements?|labs?|readings?|results?|exam(?:ination)?|assessment|draw|sample|check|encounter|values?|"
    r"appointment|blood\s?(?:work|count|draw)|chemistry|cbc|electrolytes|scan|stud(?:y|ies)|echocardiogra\w+|profile|recording|determination)\b"
    r"|\bat\s+visit\s+\d+\b|\b(?:on|at|in|from|during)\s+(?:the\s+)?(?:(?:final|initial|first|second)\s+)?(?:screening|baseline|enrol+ment|study\s+entry|randomi[sz]ation)(?:\s+visit|\s+period)?\b"
    r"|\b(?:most\s+recent(?:ly)?|latest|newest|last\s+(?:recorded|measured|documented|known|available)|last)\b",
    re.IGNORECASE,
)
_SIGNING = re.compile(
    r"\b(?:at|on|by|before|prior\s+to)\s+(?:the\s+)?(?:time|day|date|point|moment)\s+of\s+(?:the\s+|their\s+)?(?:(?:signing|providing|giving|obtaining|written|informed|study|initial|first|vaccine)\s+(?:the\s+|of\s+)?)*"
    r"(?:consent(?:\s+form)?|signature|screening|enrol+ment|randomi[sz]ation|inclusion|study\s+entry|entry|recruitment|baseline|diagnosis|visit|vaccination|immuni[sz]ation|dose|dosing|administration|treatment|registration|infusion)\b",
    re.IGNORECASE,
)
_WHATEVER = re.compile(
    r"\b(?:(?:of|in|at)\s+)?(?:any|all)\s+(?:[A-Z]{2,5}\s+)?(?:class(?:es)?|stages?|grades?|types?|causes?|kinds?|severity|degrees?|etiology|forms?|origin|location|sites?|routes?|doses?|reasons?)\b",
    re.IGNORECASE,
)
_STAGES = re.compile(
    r"\bstages?\s*(?:(?:≥|>=|at\s+least)\s*(?P<least>[1-5])\b|(?P<a>[1-5])(?:\s*(?:or|and)\s+(?P<up>higher|greater|above|worse|later|over)|(?P<plus>\+)|\s*(?:-|to|through|or|and|/)\s*(?:stage\s*)?(?P<b>[1-5])\b))",
    re.IGNORECASE,
)
_ANY = re.compile(
    r"\b(?:ever\s+(?:recorded|measured|documented)|at\s+any\s+(?:time|point|visit)(?:\s+in\s+the\s+past)?|any\s+(?:recorded|documented|prior|previous)\s+(?!(?:use|exposure|treatment|therapy|receipt)\b)(?=\w)|on\s+any\s+(?:occasion|measurement|test))\b",
    re.IGNORECASE,
)
_SEX = re.compile(
    r"\b(?:(?P<both>(?:either|both|any|all)\s+(?:sex(?:es)?|genders?))|(?P<female>females?|wom[ae]n|girls?)|(?P<male>males?|m[ae]n|boys?))\b",
    re.IGNORECASE,
)
_ADULT = re.compile(
    r"\b(?:(?P<adult>adults?(?!-?\s?onset))|(?P<minor>minors|minor(?=\s+(?:patient|subject|participant)s)|child(?:ren)?(?!-?\s?(?:pugh|bearing|birth|hood))|pa?ediatric)|(?P<teen>adolescents?|teenagers?))\b",
    re.IGNORECASE,
)
_FINDING = re.compile(
    r"\b(?:(?P<positive>positive(?:\s+for)?|test(?:s|ed|ing)?\s+positive(?:\s+for)?|seropositive|reactive|detectable)|(?P<negative>negative|non-?reactive|undetectable)|(?P<abnormal>abnormal(?:ly)?|out\s+of\s+range|outside\s+(?:of\s+)?(?:the\s+)?(?:normal|reference)\s+(?:range|limits)|(?:above|below)\s+(?:the\s+)?(?:normal|reference)\s+(?:range|limits))"
    r"|(?P<normal>(?:with)?in\s+(?:the\s+)?(?:(?:normal|institutional|reference)\s+)+(?:limits|range)|(?<!limit of )(?<!limits of )normal(?:\s+range)?))\b",
    re.IGNORECASE,
)
_RELATION = re.compile(
    r"\b(?:for|due\s+to|secondary\s+to|caused\s+by|because\s+of|related\s+to|associated\s+with|as\s+a\s+result\s+of|attributable\s+to|resulting\s+from|following|after|during|affecting|involving)\b",
    re.IGNORECASE,
)
_AGE_BEFORE = re.compile(
    r"\b(?:adults?|elderly|wom[ae]n|m[ae]n|females?|males?)(?:\s+(?:patients|subjects|participants|men|women))?\s*$|\b(?:age[ds]?|ages?\s+range)\b[^,;.]{0,22}$|\baged?\s*(?:[:=]\s*)?$",
    re.IGNORECASE,
)
_AGE_AFTER = re.compile(
    r"^[\s-]*(?:of\s+age|old|in\s+age|of\s+years)\b|^\s*(?:or|and)\s+(?:older|younger)", re.IGNORECASE
)
_JOINED_AGES = re.compile(r"\s*,?\s*(?:and|but|or|to)\s*", re.IGNORECASE)
_OF_AGE = re.compile(r"[\s-]*(?:of\s+age|old)\b(?!\s+at\s+(?:diagnosis|onset))", re.IGNORECASE)
_AGE_TIME = frozenset(("years", "months", "weeks", "days", ""))
_NOT_AGE = re.compile(
    r"\b(?:duration|survival|expectancy|pack|age\s+(?:at|of)\s+(?:onset|diagnosis|menopause|menarche)|gestation\w*|history)\b",
    re.IGNORECASE,
)
_PRESSURE = re.compile(r"\b(?:blood\s+pressure|bp|hypertensi\w+)\b", re.IGNORECASE)
_SLASH = re.compile(r"(?<=[A-Za-z])/(?=[A-Za-z]{3,})")
_KEPT = ("and/or", "w/o", "h/o", "s/p", "y/o", "his/her", "he/she", "him/her")


@cache
def _matcher() -> Matcher:
    """Finds the lexicon's names; there is no chart."""
    return Matcher(Catalogue(entries=()))


def lex(raw: str) -> tuple[str, list[Token]]:
    """The text as it is read, in one spelling of signs and joints, and its tokens in order."""
    text = _unslashed(_outside(_opened(reworded(_american(levelled(raw))))))
    found: list[Token] = [
        Token(kind="bracket", start=m.start(), end=m.end(), value=m[1] or m[2] or "") for m in _BRACKET.finditer(text)
    ]
    bare = _masked(text, found)
    found += [Token(kind="count", start=m.start(), end=m.end(), value=_count(m)) for m in _COUNTED.finditer(bare)]
    found += [Token(kind="latest", start=m.start(), end=m.end()) for m in _AT_LEAST_ONE.finditer(bare)]
    bare = _masked(bare, found)
    found += [
        Token(kind="stages", start=m.start(), end=m.end(), value=(int(m["a"] or m["least"]), int(m["b"] or 5)))
        for m in _STAGES.finditer(bare)
    ]
    bare = _masked(bare, found)
    found += list(_times_and_amounts(bare))
    bare = _masked(bare, found)
    for kind, pattern in (("latest", _SIGNING), ("latest", _LATEST), ("latest", _WHATEVER), ("any", _ANY)):
        found += [Token(kind=kind, start=m.start(), end=m.end()) for m in pattern.finditer(bare)]  # type: ignore[arg-type]
        bare = _masked(bare, found)
    found += list(_smoking(bare))
    bare = _masked(bare, found)
    found += list(_named(bare))
    opened = [t.start for t in found if t.kind in ("limit", "age")]
    for m in re.finditer(r"[,;:]", bare):
        if m[0] != ":" or not any(not text[m.end() : start].strip() for start in opened if start >= m.end()):
            found.append(Token(kind="comma" if m[0] != ":" else "colon", start=m.start(), end=m.end()))
    return text, sorted(found, key=lambda t: (t.start, t.kind != "cue"))


_COMPARED = re.compile(
    r"\(\s*((?:[<>≥≤=]|at\s+least|greater|less|more|above|below|over|under)[^()]*|\d+\s*\+|\d[^()]*\b(?:or|and)\s+(?:older|above|over|more|greater|younger|less|below))\)",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\b(?:(?:two|three|four|five|(?<!of )(?<!is )(?<!score )[2-9](?=\s+or\s+more\s+[a-z]{4}))\s+or\s+more|at\s+least\s+(?:two|three|four|five)"
    r"|(?P<most>(?:no|not)\s+more\s+than|at\s+most)\s+(?:one|two|three|four|five)|(?P<more>more\s+than)\s+(?:one|two|three|four|five)|(?P<fewer>(?:fewer|less)\s+than)\s+(?:two|three|four|five)"
    r"|(?:multiple|several)(?!\s+(?:sclerosis|myeloma|endocrine|system|gestation)))\b(?!\s*(?:hour|day|week|month|year|time|drink|cigarette)s?\b)",
    re.IGNORECASE,
)
_AT_LEAST_ONE = re.compile(
    r"\b(?:(?:one|1)\s+or\s+more|at\s+least\s+(?:one|1))(?:\s+of)?\b(?!\s*[.\d]|\s*(?:day|week|month|year|hour)s?\b)",
    re.IGNORECASE,
)


def _count(m: re.Match[str]) -> Amount:
    """How many a count in words asks for: "two or more", "more than two", "no more than one", "several" (two)."""
    sign: Sign = "<=" if m["most"] else ">" if m["more"] else "<" if m["fewer"] else ">="
    words = m[0].lower().split()
    number = next((n for n, word in enumerate(COUNTS, 1) if word in words), 0)
    digit = re.search(r"\d", m[0])
    return Amount(
        start=m.start(), end=m.end(), limits=(Limit(sign=sign, value=number or int(digit[0] if digit else 2)),)
    )


_SCALE = re.compile(
    r"\(?\s*\b(?:(?:on|by|using)\s+(?:an?|the)\s+)?[01]\s*(?:-|to)\s*\d{1,3}(?:[\s-]*points?)?\s+(?:[a-z]+\s+){0,3}scale\b\s*\)?",
    re.IGNORECASE,
)
"""The scale of a score, which is no comparison: "on a 0-10 numeric rating scale"."""
_SEXED = re.compile(
    r"\(\s*(?:(?:for|in)\s+)?((?:adult\s+)?(?:females?|wom[ae]n|males?|m[ae]n)(?:\s+(?:subjects|patients|participants))?)\s*\)",
    re.I,
)


_MORE_THAN_NUMBERS = re.compile(
    r"^\s*[<>≥≤=]+\s*[A-Za-z]|[A-Za-z]{4,}\s*[<>≥≤]|\b(?:if|when|unless|equivalent|dose)\b"
    r"|\bor\s+(?!(?:older|above|over|more|greater|younger|less|below|higher|lower|equal|at\s)\b|[<>≥≤=\d])",
    re.IGNORECASE,
)
"""What makes a comparison in brackets one of something else: "(> 10 mg/day prednisone or equivalent)"."""


def _opened(text: str) -> str:
    """The text without the brackets round a bare comparison, or a sex: "< 140/90 mmHg (women)"."""
    text = _SCALE.sub(" ", text)
    text = _SEXED.sub(lambda m: f" in {m[1]} ", text)
    return _COMPARED.sub(lambda m: m[0] if _MORE_THAN_NUMBERS.search(m[1]) else f" {m[1]} ", text)


_OUTSIDE = re.compile(
    r"\b(?:outside|not\s+(?:with)?in|not\s+between)\s+(?:of\s+)?(?:(?:the\s+|a\s+)?(?:normal\s+|target\s+|acceptable\s+|reference\s+)?range\s+(?:of\s+|from\s+)?)?"
    r"(?P<a>\d+(?:\.\d+)?)(?P<unit>[^\d]{0,16}?)\s*(?:-|to|and)\s*(?=\d)",
    re.IGNORECASE,
)


def _outside(text: str) -> str:
    """A range that a result must not be in, as its two sides: "outside 3.5-5.0" is below the one or above the other."""
    return _OUTSIDE.sub(lambda m: f"< {m['a']}{m['unit']} or > ", text)


_BRITISH = (
    (re.compile(r"(isch|an|leuk|glyc|kal|natr|lipid|ur|h|bacter|tox|septic|calc)aem", re.IGNORECASE), r"\1em"),
    (re.compile(r"\boe(?=dema|soph|stro)", re.IGNORECASE), "e"),
    (re.compile(r"(diarrh|dyspn|apn)oea", re.IGNORECASE), r"\1ea"),
    (re.compile(r"(tum|neoplastic tum)our", re.IGNORECASE), r"\1or"),
    (re.compile(r"(p|orthop)aed", re.IGNORECASE), r"\1ed"),
    (re.compile(r"\bgynaec", re.IGNORECASE), "gynec"),
    (re.compile(r"\b(hospital|revascular|immun|random|stabil)is(?=(?:e[ds]?|ations?|ing)\b)", re.IGNORECASE), r"\1iz"),
)


def _american(text: str) -> str:
    """British spellings as the lexicon has them."""
    for pattern, instead in _BRITISH:
        text = pattern.sub(instead, text)
    return text


def _unslashed(text: str) -> str:
    """A slash between two names ("statin/fibrate") is an "or"; one inside a name or a short form stays."""
    measured = [(a.start, a.end) for a in amounts(text)]

    def instead(m: re.Match[str]) -> str:
        if any(s <= m.start() < e for s, e in measured):
            return "/"
        start = max(text.rfind(" ", 0, m.start()), text.rfind("(", 0, m.start())) + 1
        word = re.match(r"[^\s,;()]*", text[start:])
        whole = word[0].lower().rstrip(".") if word else ""
        return "/" if whole in _KEPT or lexicon().lookup(whole) or units.canonical(whole, None) else " or "

    return _SLASH.sub(instead, text)


def _masked(text: str, tokens: Sequence[Token]) -> str:
    """The text with what is read already blanked out; offsets stay."""
    out = list(text)
    for token in tokens:
        out[token.start : token.end] = " " * (token.end - token.start)
    return "".join(out)


def _times_and_amounts(text: str) -> Iterator[Token]:
    when = [Token(kind="time", start=t.start, end=t.end, value=t) for t in times(text)]
    yield from when
    rest = _masked(text, when)
    found = amounts(rest, pressure=bool(_PRESSURE.search(text)))
    aged = [_is_age(rest, amount) for amount in found]
    for at in reversed(range(len(found) - 1)):  # "≥ 40 and ≤ 80 years of age"
        beside = _JOINED_AGES.fullmatch(rest, found[at].end, found[at + 1].start)
        aged[at] = aged[at] or bool(aged[at + 1] and beside and not any(x.unit for x in found[at].limits))
    for amount, age in zip(found, aged, strict=True):
        yield Token(kind="age" if age else "limit", start=amount.start, end=amount.end, value=amount)


def _is_age(text: str, amount: Amount) -> bool:
    """Whether a comparison is of the patient's age: said beside it, or in years without anything else it can be of."""
    if any(limit.unit not in _AGE_TIME for limit in amount.limits):
        return False
    said = re.search(r"\b(?:old|older|younger|ages?)\b", text[amount.start : amount.end], re.IGNORECASE)
    if said is None and _NOT_AGE.search(text):
        return bool(_OF_AGE.match(text, amount.end))
    beside = _AGE_BEFORE.search(text[: amount.start]) or _AGE_AFTER.search(text[amount.end :])
    years = all(limit.unit == "years" for limit in amount.limits)
    return bool(said or beside or years)


def _smoking(text: str) -> Iterator[Token]:
    taken: list[tuple[int, int]] = []
    for pattern, statuses in SMOKING:
        for m in pattern.finditer(text):
            if not any(m.start() < e and s < m.end() for s, e in taken):
                taken.append((m.start(), m.end()))
                yield Token(kind="smoking", start=m.start(), end=m.end(), value=statuses)


def _named(text: str) -> Iterator[Token]:
    """Names, cues and words: long cues first, then names, then what is left."""
    words = words_of(text)
    blocked = [False] * len(words)
    yield from _cues(words, blocked, text, least=2)
    stop = STOP | {w for (w, *rest) in CUES if not rest}
    for first in _denied(words, blocked, stop):
        blocked[first - 1 : first + 1] = [True, True]
        yield Token(
            kind="word", start=words[first - 1].start, end=_trimmed(text, words[first - 1].start, words[first].end)
        )
    for mention in _matcher().mentions(words, blocked, stop):
        if _is_name(mention.classes) and not _is_eponym(mention.classes, words[mention.last : mention.last + 1]):
            blocked[mention.first : mention.last] = [True] * (mention.last - mention.first)
            start, end = words[mention.first].start, words[mention.last - 1].end
            yield Token(kind="name", start=start, end=_trimmed(text, start, end), value=mention.classes)
    yield from _patterns(words, blocked, text)
    yield from _cues(words, blocked, text, least=1)
    for word, used in zip(words, blocked, strict=True):
        if not used and word.text not in BENIGN and re.search(r"\w", word.text):
            yield Token(kind="word", start=word.start, end=_trimmed(text, word.start, word.end))


def _denied(words: Sequence[Word], blocked: list[bool], stop: frozenset[str]) -> list[int]:
    """Where a "non-" denies only the first word of a name: "non-ischemic cardiomyopathy" is a cardiomyopathy."""
    if not any(w.text == "non" for w in words):
        return []
    found = _matcher().mentions(words, blocked, stop)
    begins = {m.first for m in found}
    denied = [m for m in found if m.first and words[m.first - 1].text == "non"]
    return [m.first for m in denied if m.last - m.first > 1 or m.last in begins]


def _is_name(classes: Sequence[Entry]) -> bool:
    """Whether it names something clinical; a part of the body or a kind of document alone does not."""
    return bool({e.kind for e in classes} - {"body_site", "document", "relationship"})


def _is_eponym(classes: Sequence[Entry], after: Sequence[Word]) -> bool:
    """Whether what was found is only part of a disease's name: "Whipple disease" is no operation."""
    illness = bool(after) and after[0].text in ("disease", "syndrome", "disorder")
    return illness and {e.kind for e in classes} <= {"procedure", "lab", "encounter", "modality", "body_site"}


def _trimmed(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip(' ,;:.?!)"'))


def _patterns(words: Sequence[Word], blocked: list[bool], text: str) -> Iterator[Token]:
    for pattern, kind in ((_SEX, "sex"), (_ADULT, "adult"), (_FINDING, "finding"), (_RELATION, "relation")):
        for m in pattern.finditer(text):
            inside = [i for i, w in enumerate(words) if w.start < m.end() and m.start() < w.end]
            if inside and not any(blocked[i] for i in inside):
                if kind != "relation":  # a cue may begin with the same word ("treatment for")
                    for i in inside:
                        blocked[i] = True
                yield Token(kind=kind, start=m.start(), end=m.end(), value=m.lastgroup)  # type: ignore[arg-type]


_LONGEST = max(map(len, CUES))


def _cues(words: Sequence[Word], blocked: list[bool], text: str, least: int) -> Iterator[Token]:
    at = 0
    while at < len(words):
        for size in range(min(_LONGEST, len(words) - at), least - 1, -1):
            cue = CUES.get(tuple(w.text for w in words[at : at + size]))
            if cue and size == 1 and _is_prefix(words, at, blocked):
                continue
            if cue and not any(blocked[at : at + size]) and not _parted(words[at : at + size], text):
                blocked[at : at + size] = [True] * size
                yield Token(
                    kind="cue",
                    start=words[at].start,
                    end=_trimmed(text, words[at].start, words[at + size - 1].end),
                    value=cue,
                )
                at += size - 1
                break
        at += 1


def _is_prefix(words: Sequence[Word], at: int, blocked: Sequence[bool]) -> bool:
    """Whether a "non" is part of a word that nobody knows: "non-valvular" denies the valves and not what follows."""
    return words[at].text == "non" and at + 1 < len(words) and not blocked[at + 1] and words[at + 1].text not in BENIGN


def _parted(words: Sequence[Word], text: str) -> bool:
    """Whether a comma stands between words that would be one cue."""
    return bool(re.search(r"[,;:]", text[words[0].start : words[-1].start]))
