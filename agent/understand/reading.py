"""Taking a question apart: what it names, which times it tells, and the skeleton that is left for the cues."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache

from agent.understand import cautions, cues, extremes
from agent.understand.shorthand import plain
from agent.understand.vocabulary import BENIGN, FUNCTION_WORDS, STAYS
from fhir_tools import phrases
from fhir_tools.codes import Matcher, Mention, Word, names_of, words_of
from fhir_tools.lexicon import lexicon, normalise
from fhir_tools.types import Interval

__all__ = ["Reading", "is_stay", "read"]

_MANY = 6
"""Words that fit more concepts than this name none of them."""
_NUMERAL = re.compile(r"[\d.,%<>=/+-]+(?:mg|mcg|ug|g|ml|kg|cm|mmol|mmhg|units?|iu)?")


@dataclass(kw_only=True)
class Reading:
    """A question while it is being taken apart.

    `skeleton` is its words with what is named replaced by `m0`, `m1`, … and times by `t0`, …;
    `left` are the content words that nothing accounts for.
    """

    text: str
    words: tuple[Word, ...]
    mentions: list[Mention] = field(default_factory=list)
    times: list[phrases.Phrase] = field(default_factory=list)
    skeleton: str = ""
    left: list[str] = field(default_factory=list)

    def in_time(self, word: Word) -> bool:
        """Whether the word is part of a time phrase."""
        return any(t.start < word.end and word.start < t.end for t in self.times)


def read(question: str, matcher: Matcher, as_of: date, birth: Interval | None) -> Reading:
    """The question taken apart against one chart. `birth` turns ages ("at age 50") into windows."""
    text = plain(question)
    words = words_of(text)
    labels = matcher.labels_in(words)
    reading = Reading(text=text, words=words, times=_times(text, words, labels, as_of, birth, matcher))
    blocked = [reading.in_time(w) for w in words]
    for m in labels:
        blocked[m.first : m.last] = [True] * (m.last - m.first)
    stop = FUNCTION_WORDS | BENIGN | {w.text for w in words if _is_cue(w.text)}
    found = [*labels, *(m for m in matcher.mentions(words, blocked, stop) if not _is_heading(m))]
    found += _stays(words, found, blocked, matcher)
    reading.mentions = _not_the_patient(sorted(found, key=lambda m: m.first))
    _fuse(reading, matcher)
    _forms(reading, matcher)
    _numbered(reading, matcher)
    _averaged(reading, matcher)
    _mend(reading, matcher)
    reading.skeleton = extremes.graded(_skeleton(reading), reading.mentions)
    if not reading.mentions:
        _name_of_cues(reading, matcher)
    return reading


def is_stay(mention: Mention) -> bool:
    """Whether the mention is a word for an encounter."""
    return mention.words in STAYS or any(c.kind == "encounter" for c in mention.classes)


def _times(
    text: str, words: Sequence[Word], labels: Sequence[Mention], as_of: date, birth: Interval | None, matcher: Matcher
) -> list[phrases.Phrase]:
    """The time phrases outside the chart's labels; a bare "24 h" that a label of the chart has is part of a name."""
    masked = list(text)
    for m in labels:
        start, end = words[m.first].start, words[m.last - 1].end
        masked[start:end] = "#" * (end - start)
    found = [_dated(t, birth) for t in phrases.find("".join(masked), as_of)]
    if not found:
        return []
    named = {
        w
        for e in matcher.catalogue.of("measurement")
        for n in names_of(e.concept.label)
        if "24 hour" in n
        for w in n.split()
    }
    return [t for t in found if not (named and _is_name(text, t, named))]


_BARE = re.compile(r"\(?(?:(?:last|first|latest|the)\s+)*24[ -]?(?:h|hr|hrs|hour|hours)\)?", re.IGNORECASE)


def _is_name(text: str, time: phrases.Phrase, named: set[str]) -> bool:
    """Whether "24 h" is what is measured over a day: nothing before it says when, or the name goes on after it."""
    if not _BARE.fullmatch(text[time.start : time.end].strip()):
        return False
    after = words_of(text[time.end :])
    return not text[time.start : time.end].lower().startswith("last") or bool(after and after[0].text in named)


def _dated(phrase: phrases.Phrase, birth: Interval | None) -> phrases.Phrase:
    """An age ("at age 50") as a window, where the birth date is known."""
    return replace(phrase, window=phrase.anchor.window(birth)) if phrase.anchor and birth else phrase


def _is_heading(mention: Mention) -> bool:
    """ "Problem list", "PMH", "med list": a part of the chart rather than a document of that name."""
    if not mention.entries and all(_is_cue(w) for w in mention.words.split()) and len(mention.words.split()) > 1:
        return True
    documents = bool(mention.classes) and all(c.kind == "document" for c in mention.classes) and not mention.entries
    return documents and any(p.search(mention.words) for name, _, p in cues.CATEGORIES if name != "document")


def _stays(
    words: Sequence[Word], mentions: Sequence[Mention], blocked: Sequence[bool], matcher: Matcher
) -> list[Mention]:
    taken = {i for m in mentions for i in range(m.first, m.last)}
    return [
        Mention(first=i, last=i + 1, words=w.text, classes=matcher.lexicon.lookup(w.text, ("encounter",)))
        for i, w in enumerate(words)
        if not _is_length(words, i)
        and (w.text in STAYS or _is_discharge(words, i))
        and i not in taken
        and not blocked[i]
    ]


def _is_length(words: Sequence[Word], i: int) -> bool:
    return [w.text for w in words[max(i - 2, 0) : i]] == ["length", "of"]


def _is_discharge(words: Sequence[Word], i: int) -> bool:
    """ "since discharge" tells a time by a stay; "date of discharge" asks for one."""
    return (
        words[i].text == "discharge"
        and i > 0
        and words[i - 1].text in ("at", "since", "after", "before", "on", "until")
    )


def _not_the_patient(mentions: list[Mention]) -> list[Mention]:
    """`pt` is the patient when something else is named; alone it is the prothrombin time."""
    return [m for m in mentions if m.words not in ("pt", "pts")] or mentions


@lru_cache(maxsize=5000)
def _is_cue(word: str) -> bool:
    """Whether a word by itself is one that says what is asked, not about what."""
    named = (p for table in (cues.OPS, cues.ATTRIBUTES, cues.DIRECTIONS) for _, p in table)
    return any(p.fullmatch(word) for p in (*named, *(p for _, _, p in cues.CATEGORIES)))


def _is_content(i: int, reading: Reading) -> bool:
    word = reading.words[i]
    if any(m.first <= i < m.last for m in reading.mentions) or _is_benign(word.text) or reading.in_time(word):
        return False
    if _is_unit(i, reading):
        return False
    judged = cautions.UNSAFE.fullmatch(word.text) or extremes.WORDS.fullmatch(word.text)
    return not (_is_cue(word.text) or _NUMERAL.fullmatch(word.text) or judged)


_ENDED = re.compile(r"(?P<stem>\w{3,})(?:s|es|ed|ing)")


def _is_benign(word: str) -> bool:
    """Whether a word, or the verb that it is a form of ("looks", "pulled"), names nothing in a chart."""
    stem = m["stem"] if (m := _ENDED.fullmatch(word)) else word
    return word in BENIGN or stem in BENIGN or f"{stem}e" in BENIGN


def _is_unit(i: int, reading: Reading) -> bool:
    """Whether the word is part of the unit of a result; "in umol/L" asks for another one, which is not passed over."""
    word = reading.words[i]
    asked = re.search(r"\b(?:in|as|into|to)\s+$", reading.text[: word.start])
    return not asked and reading.text[word.start : word.end].strip("?.,;:!()").lower() in _units()


@lru_cache(maxsize=1)
def _units() -> frozenset[str]:
    """Units as they are typed after a result ("mmol/l"): they say nothing about what is asked."""
    coded = (e.attributes.get("unit", "") for e in lexicon().entries("lab"))
    return frozenset(("mmhg", "bpm", "lbs", *(re.sub(r"\{.*?\}", "", u).lower() for u in coded if "/" in u)))


def _fuse(reading: Reading, matcher: Matcher) -> None:
    """Neighbouring mentions that are one label of the chart: "house dust mite" and "IgE"."""
    out: list[Mention] = []
    for m in reading.mentions:
        if out and _is_linked(out[-1], m, reading) and not is_stay(m):
            spelt = (out[-1].words, *(normalise(c.label) for c in out[-1].classes))
            words, entries = next(
                ((w, found) for w in (f"{s} {m.words}" for s in spelt) if (found := matcher.by_words(w))), ("", ())
            )
            if entries and len({e.key for e in entries}) <= _MANY:
                out[-1] = Mention(first=out[-1].first, last=m.last, words=words, entries=entries)
                continue
        out.append(m)
    reading.mentions = out


_FORMS = frozenset(
    """tablet tablets tab tabs pill pills capsule capsules cream ointment inhaler injection injections infusion
    infusions drip syrup drops patch patches supplement supplements replacement""".split()
)


def _forms(reading: Reading, matcher: Matcher) -> None:
    """ "Bicarbonate tablets" are a drug, though the lexicon knows the word as something measured."""
    for n, m in enumerate(reading.mentions):
        after = reading.words[m.last].text if m.last < len(reading.words) else ""
        if after in _FORMS and m.classes and all(c.kind == "lab" for c in m.classes):
            entries = matcher.by_words(m.words, ("medication",))
            reading.mentions[n] = replace(m, entries=entries, classes=())
        elif after in ("clinic", "clinics") and (entries := matcher.by_words(f"{m.words} clinic", ("encounter",))):
            last = m.last + 1
            if last < len(reading.words) and reading.words[last].text in ("visit", "visits", "appointments"):
                last += 1
            reading.mentions[n] = Mention(first=m.first, last=last, words=f"{m.words} clinic", entries=entries)
    reading.mentions = [m for m in reading.mentions if not any(_covers(x, m) for x in reading.mentions)]


def _covers(one: Mention, other: Mention) -> bool:
    return one is not other and one.first <= other.first and other.last <= one.last and one.words != other.words


def _numbered(reading: Reading, matcher: Matcher) -> None:
    """ "Pneumococcal 23": a number beside a vaccine that the chart's label of it has."""
    for n, m in enumerate(reading.mentions):
        after = reading.words[m.last].text if m.last < len(reading.words) else ""
        if after.isdigit() and m.classes and all(c.kind == "vaccine" for c in m.classes):
            kin = matcher.entries_of(((c.kind, c.id) for c in m.classes), ("immunization",))
            entries = tuple(e for e in kin if any(after in re.findall(r"\d+", label) for label in e.labels))
            if entries:
                words = f"{m.words} {after}"
                reading.mentions[n] = replace(m, last=m.last + 1, words=words, entries=entries, classes=())


def _averaged(reading: Reading, matcher: Matcher) -> None:
    """ "Mean glucose" is the mean of the glucose where the chart has no result of that name."""
    for n, m in enumerate(reading.mentions):
        first, _, rest = m.words.partition(" ")
        if first not in ("mean", "average") or m.entries or not rest:
            continue
        classes = matcher.lexicon.lookup(rest, ("lab",))
        if classes and not matcher.entries_of(((c.kind, c.id) for c in m.classes), ("measurement",)):
            entries = matcher.by_words(rest, ("measurement",))
            reading.mentions[n] = Mention(first=m.first + 1, last=m.last, words=rest, entries=entries, classes=classes)


_LINKS = frozenset(
    """of from in by due to caused secondary with the and for value values level levels result results did it
    show""".split()
)


def _is_linked(one: Mention, other: Mention, reading: Reading) -> bool:
    """Beside each other, or with words between that only join: "neuropathy from diabetes"."""
    between = [w.text for w in reading.words[one.last : other.first]]
    return not between or (all(w in _LINKS for w in between) and "and" not in between)


def _mend(reading: Reading, matcher: Matcher) -> None:
    """Account for content words that nothing named: by words of the chart's labels, then by spelling."""
    run: list[int] = []
    for i in range(len(reading.words) + 1):
        if i < len(reading.words) and _is_content(i, reading):
            run.append(i)
            continue
        if run:
            _mend_run(run[0], run[-1] + 1, reading, matcher)
        run = []
    reading.mentions.sort(key=lambda m: m.first)


def _mend_run(first: int, last: int, reading: Reading, matcher: Matcher) -> None:
    phrase = " ".join(w.text for w in reading.words[first:last])
    if _widened(first, last, phrase, reading, matcher):
        return
    entries = matcher.by_words(phrase) if len(phrase) > 3 and phrase not in _SIDES else ()
    if entries and len({e.key for e in entries}) <= _MANY:
        reading.mentions.append(Mention(first=first, last=last, words=phrase, entries=entries))
        return
    mended = matcher.by_spelling(first, last, phrase)
    if mended:
        reading.mentions.append(mended)
    elif last - first > 1:
        for i in range(first, last):
            _mend_run(i, i + 1, reading, matcher)
    else:
        reading.left.append(phrase)


_SIDES = frozenset("left right bilateral upper lower anterior posterior proximal distal both".split())
"""Words that only say which part of something named is meant."""


def _widened(first: int, last: int, phrase: str, reading: Reading, matcher: Matcher) -> bool:
    """A word beside a mention may narrow it: "viral" of "sinusitis (viral)", where the chart has such a label."""
    for n, m in enumerate(reading.mentions):
        if m.last == first or m.first == last:
            ordered = f"{phrase} {m.words}" if last == m.first else f"{m.words} {phrase}"
            known = {(c.kind, c.id) for c in matcher.lexicon.lookup(ordered)}
            if known & {(c.kind, c.id) for c in m.classes} or any(known & matcher.classes_of(e) for e in m.entries):
                reading.mentions[n] = replace(m, first=min(first, m.first), last=max(last, m.last))
                return True
            entries = tuple(e for e in matcher.by_words(f"{m.words} {phrase}") if e.kind != "order")
            if entries and len({e.key for e in entries}) <= _MANY:
                span = min(first, m.first), max(last, m.last)
                reading.mentions[n] = Mention(first=span[0], last=span[1], words=f"{m.words} {phrase}", entries=entries)
                return True
            whole = _misspelt(first, last, phrase, m, matcher)
            if whole:
                reading.mentions[n] = whole
                return True
    return False


def _misspelt(first: int, last: int, phrase: str, beside: Mention, matcher: Matcher) -> Mention | None:
    """ "Hemglobin" beside "A1c": the misspelt part of a longer name for the same thing."""
    ordered = f"{phrase} {beside.words}" if last == beside.first else f"{beside.words} {phrase}"
    whole = matcher.by_spelling(min(first, beside.first), max(last, beside.last), ordered)
    if whole is None or len(whole.words.split()) < len(ordered.split()):
        return None
    known = {(c.kind, c.id) for c in beside.classes}
    same = any((c.kind, c.id) in known for c in whole.classes)
    return whole if same or {e.key for e in whole.entries} & {e.key for e in beside.entries} else None


def _name_of_cues(reading: Reading, matcher: Matcher) -> None:
    """Words that are all cues can still be one label of the chart: "medication documentation"."""
    run: list[int] = []
    for i in range(len(reading.words) + 1):
        if i < len(reading.words) and not reading.in_time(reading.words[i]):
            text = reading.words[i].text
            if text not in FUNCTION_WORDS or (run and text in _INSIDE):
                run.append(i)
                continue
        while run and reading.words[run[-1]].text in _INSIDE:
            run.pop()
        phrase = " ".join(_WHOLE.get(w, w) for w in (reading.words[k].text for k in run) if w not in _INSIDE)
        part = any(all(p.search(w) for w in phrase.split()) or p.fullmatch(phrase) for _, _, p in cues.CATEGORIES)
        labels = matcher.by_words(phrase) if len(run) > 1 and not part else ()
        entries = tuple(e for e in labels if e.kind not in ("goal", "careplan"))
        if entries and len({e.key for e in entries}) <= _MANY // 2:
            reading.mentions = [Mention(first=run[0], last=run[-1] + 1, words=phrase, entries=entries)]
            reading.skeleton = _skeleton(reading)
            return
        run = []


_INSIDE = frozenset(("of", "current", "the"))
_WHOLE = {"meds": "medications", "med": "medication", "exam": "examination", "vax": "vaccine"}
"""Words that are cut short where labels write them out."""


def _skeleton(reading: Reading) -> str:
    out: list[str] = []
    i = 0
    while i < len(reading.words):
        number = next((n for n, m in enumerate(reading.mentions) if m.first <= i < m.last), None)
        if number is not None:
            out.append(f"m{number}")
            i = reading.mentions[number].last
            continue
        word = reading.words[i]
        time = next((n for n, t in enumerate(reading.times) if t.start < word.end and word.start < t.end), None)
        if time is None:
            out.append(word.text)
        elif not out or out[-1] != f"t{time}":
            out.append(f"t{time}")
        i += 1
    return " ".join(out)
