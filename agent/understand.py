"""A question → what it asks, by rules: its subject in this chart, the operation, the times, and what was not understood.

Nothing is guessed away: content words that neither the chart, the lexicon nor the cues account for come back
in `Ask.unknown`, and several concepts that fit one mention come back as `Target.choices`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Any

from agent import cues
from agent.types import Anchor, Ask, Op, Target, Turn
from fhir_tools import dates, phrases
from fhir_tools.codes import Matcher, Mention, Word, names_of, words_of
from fhir_tools.dates import Window
from fhir_tools.types import Interval, Kind

__all__ = ["subject_of", "understand"]

_POLITE = re.compile(
    r"^\s*(?:(?:hi|hello|hey|ok(?:ay)?|please|pls|kindly|so|well)\b[\s,!.]*)*"
    r"(?:(?:(?:can|could|would|will) (?:you|we|i) (?:please |kindly |also )?(?=\w+)(?:(?:tell|show|give|let|help|remind)(?: (?:me|us))?(?: know)?\b)?)"
    r"|(?:i(?:'d| would)? (?:want|need|like|love) to (?:know|see|find(?: out)?|check)|i(?:'m| am) (?:wondering|curious|interested)(?: to know)?|do (?:you|we) (?:know|have)|let me know|remind me))?\s*(?=\S)",
    re.I,
)

_PREFERRED: Mapping[str, tuple[Kind, ...]] = {
    "lab": ("measurement", "social", "report", "procedure"),
    "condition": ("condition",),
    "icd10": ("condition",),
    "drug": ("medication",),
    "drug_class": ("medication",),
    "vaccine": ("immunization",),
    "allergen": ("allergy",),
    "procedure": ("procedure", "imaging", "report"),
    "modality": ("imaging", "report", "procedure"),
    "body_site": ("imaging", "report", "procedure"),
    "document": ("document", "report"),
    "encounter": ("encounter",),
    "relationship": ("family",),
}
"""The kinds of a chart's records in which a lexicon meaning is looked for, likeliest first."""

_KIND_ORDER: tuple[Kind, ...] = (
    "measurement", "social", "condition", "medication", "immunization", "allergy", "procedure", "imaging",
    "report", "encounter", "family", "document", "order", "careplan", "goal", "device", "patient",
)  # fmt: skip

_RELATION = re.compile(
    r"\b(?P<rel>(?:closest|nearest|next)(?: in time)? to|closest|nearest|around|near|about|(?:at|around|by) the time of|at time of|on the day of|"
    r"when|at|on|before|prior to|preceding|after|following|since|during|for|in|from|with|of|upon)\b(?P<fill>(?: (?:the|a|an|their|his|her|its|this|that|patient|pt|s|he|she|"
    r"they|was|were|got|first|last|latest|most|recent|initial|previous|time|date|day|diagnosis|diagnosed|dx|dxd|dxed|got|in time|onset|start|starting|started|being|"
    r"having|developing|developed|develop|of|with|receiving|undergoing|had|has|for|to|t\d|began|beginning|put|on|is|record|recording|recorded))*) (?P<m>m\d+)\b"
    r"(?P<tail>(?: (?:was|is|were|got|being|first|in|t\d|diagnosed|diagnosis|onset|started|start|began|found|made|recorded|performed|done|given|prescribed|appeared|identified|occurred|developed))*)"
)
_EVENT_WORDS = re.compile(r"\b(diagnos\w*|dx|dxd|dxed|onset|start\w*|began|beginning|develop\w*|first|put on|when|time of|day of)\b")
_RELATIONS: Mapping[str, str] = {
    "before": "before", "prior to": "before", "preceding": "before", "after": "after", "following": "after",
    "since": "since", "during": "during", "from": "since",
}  # fmt: skip


@dataclass(kw_only=True)
class _Reading:
    """The question while it is being taken apart."""

    text: str
    words: tuple[Word, ...]
    mentions: list[Mention] = field(default_factory=list)
    times: list[phrases.Phrase] = field(default_factory=list)
    skeleton: str = ""
    left: list[str] = field(default_factory=list)


def understand(question: str, chart: Any, history: tuple[Turn, ...] = ()) -> Ask:
    """What a question asks of this chart; `chart` needs `matcher` and `as_of`."""
    reading = _read(question, chart.matcher, chart.as_of, dates.of_any(chart.person.get("birthDate")))
    ask = _assemble(question, reading, chart.matcher)
    return _follow_up(ask, reading, history) if history else ask


def _read(question: str, matcher: Matcher, as_of: date, birth: Interval | None) -> _Reading:
    text = _POLITE.sub("", question, count=1)
    words = words_of(text)
    labels = [m for m in matcher.labels_in(words) if m.last - m.first > 1 or any(c.isdigit() for c in m.words)]
    masked = list(text)
    for m in labels:
        for i in range(words[m.first].start, words[m.last - 1].end):
            masked[i] = "#"
    times = phrases.find("".join(masked), as_of)
    blocked = [any(t.start < w.end and w.start < t.end for t in times) for w in words]
    for m in labels:
        blocked[m.first : m.last] = [True] * (m.last - m.first)
    stop = cues.FUNCTION_WORDS | cues.BENIGN | {w.text for w in words if _is_cue(w.text)}
    mentions = [*labels, *(m for m in matcher.mentions(words, blocked, stop) if not _is_heading(m))]
    mentions = sorted([*mentions, *_stays(words, mentions, blocked, matcher)], key=lambda m: m.first)
    reading = _Reading(text=text, words=words, mentions=_not_the_patient(mentions), times=[_dated(t, birth) for t in times])
    _mend(reading, matcher)
    reading.skeleton = _skeleton(reading)
    if not reading.mentions:
        _name_of_cues(reading, matcher)
    return reading


def _name_of_cues(reading: _Reading, matcher: Matcher) -> None:
    """Words that are all cues can still be one label of the chart: "medication documentation"."""
    run: list[int] = []
    for i, word in [*enumerate(reading.words), (len(reading.words), None)]:
        if word is not None and word.text not in cues.FUNCTION_WORDS and not any(t.start < word.end and word.start < t.end for t in reading.times):
            run.append(i)
            continue
        phrase = " ".join(reading.words[k].text for k in run)
        entries = matcher.by_words(phrase) if len(run) > 1 else ()
        if entries and len({e.key for e in entries}) <= 3:
            reading.mentions = [Mention(first=run[0], last=run[-1] + 1, words=phrase, entries=entries)]
            reading.skeleton = _skeleton(reading)
            return
        run = []


_STAYS = frozenset(
    "admission admissions admitted hospitalization hospitalizations hospitalisation hospitalisations hospitalized"
    " hospitalised inpatient outpatient emergency er ed visit visits encounter encounters appointment appointments"
    " stay stays discharge telehealth ambulatory checkup".split()
)
"""Words for an encounter: a subject or the event of a time; never part of another name by themselves."""


def _is_heading(mention: Mention) -> bool:
    """"Problem list", "PMH", "med list": a part of the chart rather than a document of that name."""
    documents = bool(mention.classes) and all(c.kind == "document" for c in mention.classes) and not mention.entries
    return documents and any(p.search(mention.words) for name, _, p in cues.CATEGORIES if name != "document")


def _stays(words: Sequence[Word], mentions: Sequence[Mention], blocked: Sequence[bool], matcher: Matcher) -> list[Mention]:
    taken = {i for m in mentions for i in range(m.first, m.last)}
    return [
        Mention(first=i, last=i + 1, words=w.text, classes=matcher.lexicon.lookup(w.text, ("encounter",)))
        for i, w in enumerate(words)
        if w.text in _STAYS and i not in taken and not blocked[i]
    ]


def _dated(phrase: phrases.Phrase, birth: Interval | None) -> phrases.Phrase:
    """An age ("at age 50") as a window, where the birth date is known."""
    return replace(phrase, window=phrase.anchor.window(birth)) if phrase.anchor and birth else phrase


def _not_the_patient(mentions: list[Mention]) -> list[Mention]:
    """`pt` is the patient when something else is named; alone it is the prothrombin time."""
    others = [m for m in mentions if m.words not in ("pt", "pts")]
    return others if others else mentions


def _mend(reading: _Reading, matcher: Matcher) -> None:
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


def _is_content(i: int, reading: _Reading) -> bool:
    word = reading.words[i]
    if any(m.first <= i < m.last for m in reading.mentions) or word.text in cues.BENIGN:
        return False
    if any(t.start < word.end and word.start < t.end for t in reading.times):
        return False
    return not _is_cue(word.text) and not re.fullmatch(r"[\d.,%<>=/+-]+", word.text) and not cues.UNSAFE.fullmatch(word.text)


@lru_cache(maxsize=5000)
def _is_cue(word: str) -> bool:
    """Whether a word by itself is one that says what is asked, not about what."""
    patterns = (*(p for _, p in cues.OPS), *(p for _, p in cues.ATTRIBUTES), *(p for _, p in cues.DIRECTIONS), *(p for _, _, p in cues.CATEGORIES))
    return any(p.fullmatch(word) for p in patterns)


def _mend_run(first: int, last: int, reading: _Reading, matcher: Matcher) -> None:
    phrase = " ".join(w.text for w in reading.words[first:last])
    if _widened(first, last, phrase, reading, matcher):
        return
    entries = matcher.by_words(phrase) if len(phrase) > 3 else ()
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


def _widened(first: int, last: int, phrase: str, reading: _Reading, matcher: Matcher) -> bool:
    """A word beside a mention may narrow it: "viral" of "sinusitis (viral)", where the chart has such a label."""
    for n, m in enumerate(reading.mentions):
        if m.last == first or m.first == last:
            entries = matcher.by_words(f"{m.words} {phrase}")
            if entries and len({e.key for e in entries}) <= _MANY:
                span = (min(first, m.first), max(last, m.last))
                reading.mentions[n] = Mention(first=span[0], last=span[1], words=f"{m.words} {phrase}", entries=entries)
                return True
    return False


_MANY = 6
"""Words that fit more concepts than this name none of them."""


def _skeleton(reading: _Reading) -> str:
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


def _assemble(question: str, reading: _Reading, matcher: Matcher) -> Ask:
    s = reading.skeleton
    anchor_at, relation = _anchor_of(reading)
    primary = [m for i, m in enumerate(reading.mentions) if i != anchor_at]
    cue_kinds = tuple(dict.fromkeys(k for _, kinds, p in cues.CATEGORIES if p.search(_without_anchor(s, anchor_at)) for k in kinds))
    s = _without_anchor(s, anchor_at, keep=False)
    op = _op(s)
    targets = _distinct(_target(m, cue_kinds, op, matcher) for m in _joined(primary))
    window, anchor_window = _windows(reading, anchor_at)
    anchor = None
    if anchor_at is not None:
        which = "last" if re.search(rf"\b(last|latest|most recent|recent|previous|this)\b[^m]*m{anchor_at}\b", reading.skeleton) else "first"
        target = _target(reading.mentions[anchor_at], (), "when", matcher)
        anchor = Anchor(relation=relation, target=target, which=_which(which, target), window=anchor_window)  # type: ignore[arg-type]
    attribute = "" if targets or cue_kinds else _attribute(s)
    loose = _loose(reading, primary, targets)
    kinds = _kinds(targets, cue_kinds, attribute)
    ask = Ask(
        question=question,
        op=op,
        kinds=kinds,
        targets=targets,
        window=window,
        anchor=anchor,
        direction=next((d for d, p in cues.DIRECTIONS if p.search(s)), None),
        n=_number(s),
        attribute=attribute,
        current=bool(re.search(r"\b(active|current|currently|now|still|ongoing|present|presently|taking|on|today)\b", s)),
        unknown=tuple(reading.left) + loose + tuple(reading.text[t.start : t.end] for t in reading.times if t.window is None) + tuple(m.group() for m in cues.UNSAFE.finditer(re.sub(r"\b(most|more) recent\b", "", s))),
        threshold=_threshold(s),
    )
    return _settle(ask, s)


_JOINT = re.compile(r"^( (and|or|as well as|plus|with|the|any|his|her|their|also|amp|latest|last|most|recent|both|for|first|of))* $|^$")


def _loose(reading: _Reading, primary: Sequence[Mention], targets: tuple[Target, ...]) -> tuple[str, ...]:
    """Several subjects that the words do not put side by side: how they belong together was not understood."""
    if len(targets) < 2 or len({t.kinds[:1] for t in targets}) < 2:
        return ()
    numbers = [reading.mentions.index(m) for m in primary]
    gaps = [re.search(rf"m{a}\b(.*?)m{b}\b", reading.skeleton) for a, b in itertools.pairwise(numbers)]
    return () if all(g and _JOINT.match(f"{g[1].rstrip()} " if g[1].strip() else "") for g in gaps) else tuple(t.words for t in targets[1:])


def _distinct(targets: Iterable[Target]) -> tuple[Target, ...]:
    """Targets that come to the same concepts are one; one that the chart lacks is dropped beside its own wider name."""
    seen: dict[Any, Target] = {}
    for target in targets:
        seen.setdefault((target.kinds, target.keys or target.label), target)
    return tuple(seen.values())


def _which(which: str, target: Target) -> str:
    return "last" if "encounter" in target.kinds else which


def _without_anchor(skeleton: str, anchor: int | None, keep: bool = True) -> str:
    """The skeleton without the anchor's phrase, whose words say nothing about what is asked for."""
    if anchor is None:
        return skeleton
    for found in _RELATION.finditer(skeleton):
        if found["m"] == f"m{anchor}":
            left, right = skeleton[: found.start()].rstrip(), skeleton[found.end() :].lstrip()
            return f"{left} m{anchor} {right}".strip() if keep else f"{left} {right}".strip()
    return skeleton


def _anchor_of(reading: _Reading) -> tuple[int | None, str]:
    """Which mention is the event that a time is told by, and how; None when every mention is a subject."""
    if len(reading.mentions) < 1:
        return None, ""
    for found in _RELATION.finditer(reading.skeleton):
        number = int(found["m"][1:])
        if found["rel"] == "when" and re.match(r"when (was|were|did|is|has|had|does)\b", reading.skeleton[found.start() :]):
            continue  # it asks for the time, it does not tell it
        told = f"{found['rel']}{found['fill']}{found['tail']}"
        others = len(reading.mentions) > 1 or bool(re.search(r"\b(labs?|meds?|medications?|vitals?|procedures?|imaging|started|prescribed|results|notes?)\b", reading.skeleton[: found.start()] + reading.skeleton[found.end() :]))
        encounter = reading.mentions[number].words in _STAYS or any(c.kind == "encounter" for c in reading.mentions[number].classes)
        strong = found["rel"] in _RELATIONS and found["rel"] != "from" or found["rel"].startswith(("closest", "nearest", "around", "near", "when", "at the", "on the", "at time", "by the", "upon"))
        weak = found["rel"] in ("at", "on", "in", "with", "of", "about", "from", "for")
        if others and ((strong and (encounter or _EVENT_WORDS.search(told) or found["rel"] in _RELATIONS or found["rel"].startswith(("closest", "nearest", "around", "near")))) or (weak and encounter and found["rel"] in ("at", "on", "in", "from", "for")) or (weak and found["rel"] in ("at",) and _EVENT_WORDS.search(told))):
            if number == 0 and len(reading.mentions) == 1 and not encounter and not _EVENT_WORDS.search(told):
                continue
            if re.search(r"\bhow (old|young)\b|\bage\b|\byears old\b", reading.skeleton[: found.start()]):
                continue
            return number, _RELATIONS.get(found["rel"], "during" if encounter else "closest")
    return None, ""


def _windows(reading: _Reading, anchor: int | None) -> tuple[Window | None, Window | None]:
    """The time the question asks about, and the one that only says when the anchor's event was."""
    windows = [(i, t) for i, t in enumerate(reading.times) if t.window]
    if not windows:
        return None, None
    if anchor is not None:
        for i, t in windows:
            if re.search(rf"m{anchor}( (in|on|of|from|during|the|was|diagnosed|started))* t{i}\b|t{i} m{anchor}\b", reading.skeleton):
                rest = [w for j, w in windows if j != i]
                return (rest[0].window if rest else None), t.window
    return windows[0][1].window, None


def _op(skeleton: str) -> Op:
    return next((op for op, pattern in cues.OPS if pattern.search(skeleton)), "list")


def _attribute(skeleton: str) -> str:
    return next((name for name, p in cues.ATTRIBUTES if p.search(skeleton)), "")


_NUMBERS = {w: n for n, w in enumerate("zero one two three four five six seven eight nine ten".split())}


def _number(skeleton: str) -> int | None:
    found = re.search(r"\b(?:last|latest|first|recent|previous|past)\s+(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten)\b", skeleton)
    return (_NUMBERS.get(found[1]) or int(found[1])) if found else None


_THRESHOLD = re.compile(r"\b(above|over|greater than|more than|exceed\w*|higher than|at least|below|under|less than|lower than|fewer than)\s+(\d+(?:\.\d+)?)\b")


def _threshold(skeleton: str) -> tuple[str, float, str | None] | None:
    found = _THRESHOLD.search(skeleton)
    if not found:
        return None
    word = found[1]
    sign = ">=" if word == "at least" else "<" if word in ("below", "under", "less than", "lower than", "fewer than") else ">"
    return sign, float(found[2]), None


# Targets: which of the chart's concepts a mention means.


def _joined(mentions: Sequence[Mention]) -> list[tuple[Mention, ...]]:
    """Mentions, with a body site and a modality beside each other taken as one ("chest x-ray")."""
    groups: list[tuple[Mention, ...]] = []
    for m in mentions:
        kinds = {c.kind for c in m.classes}
        if groups and not m.entries and kinds & {"modality", "body_site"}:
            last = groups[-1][-1]
            if m.first - last.last <= 2 and {c.kind for c in last.classes} & {"modality", "body_site"} and not last.entries:
                groups[-1] = (*groups[-1], m)
                continue
        groups.append((m,))
    return groups


def _target(group: Mention | tuple[Mention, ...], cue_kinds: tuple[Kind, ...], op: Op, matcher: Matcher) -> Target:
    mentions = group if isinstance(group, tuple) else (group,)
    kinds = _target_kinds(mentions, cue_kinds, op)
    found = [_entries(m, kinds, matcher) for m in mentions]
    keys = set.intersection(*({(e.kind, e.key) for e in es} for es in found)) if found else set()
    if kinds[:1] == ("encounter",) and not any(m.entries for m in mentions):
        keys = set()  # the class of an encounter is read from the encounters themselves
    entries = [e for e in matcher.catalogue.entries if (e.kind, e.key) in keys]
    entries = _best_kind(entries, kinds)
    words = " ".join(m.words for m in mentions)
    classes = tuple((c.kind, c.id) for m in mentions for c in m.classes)
    return Target(
        words=words,
        label=_label(mentions, entries),
        kinds=tuple(dict.fromkeys(e.kind for e in entries)) or kinds,
        keys=tuple(dict.fromkeys(e.key for e in entries)),
        lexicon=classes,
        labels=_labels(mentions, entries),
        corrected=any(m.corrected for m in mentions),
        choices=_choices(mentions, entries, matcher),
    )


def _target_kinds(mentions: Sequence[Mention], cue_kinds: tuple[Kind, ...], op: Op) -> tuple[Kind, ...]:
    """The kinds of record a mention can be meant in, likeliest first."""
    lexical = [k for m in mentions for c in m.classes for k in _PREFERRED.get(c.kind, ())]
    chart = [e.kind for m in mentions for e in m.entries]
    if all(m.words in _STAYS for m in mentions):
        return ("encounter",)
    likely = [k for k in (*chart, *lexical) if not (op in _NUMERIC and k not in ("measurement", "social"))] or [*chart, *lexical]
    if "family" in cue_kinds and "condition" in likely:
        return ("family",)
    if "allergy" in cue_kinds and set(likely) & {"allergy", "medication", "condition"}:
        return ("allergy",)
    cued = [k for k in cue_kinds if k in likely]
    rest = sorted(dict.fromkeys(likely), key=_KIND_ORDER.index)
    return tuple(dict.fromkeys((*cued, *rest)))


_NUMERIC = frozenset(("highest", "lowest", "mean", "change", "trend", "compare"))


def _entries(mention: Mention, kinds: tuple[Kind, ...], matcher: Matcher) -> list[Any]:
    """The chart's concepts that a mention means, kind by kind: its very label where there is one, else by meaning."""
    found: list[Any] = []
    for kind in kinds:
        exact = [e for e in mention.entries if e.kind == kind]
        meant = _meant(mention, kind, matcher)
        if kind in ("measurement", "social", "immunization", "allergy"):
            # one analyte or vaccine goes by several codes: all that mean the same belong together
            same = {c for e in exact for c in matcher.classes_of(e)}
            found += [*exact, *(e for e in matcher.entries_of(same, (kind,)) if matcher.classes_of(e) & same)]
            found += [] if exact else meant
        elif exact and kind == "medication" and any(c.kind in ("drug", "drug_class") for c in mention.classes):
            found += [*exact, *meant]
        else:
            found += exact or meant
    return list({(e.kind, e.key): e for e in found}.values())


def _meant(mention: Mention, kind: Kind, matcher: Matcher) -> list[Any]:
    """By the lexicon's meanings: the thing itself before a panel's parts; else labels that hold a term for it."""
    classes = {(c.kind, c.id) for c in mention.classes}
    entries = matcher.entries_of(classes, (kind,))
    if kind == "medication" and mention.words not in {i for _, i in classes}:
        branded = matcher.by_words(mention.words, (kind,))
        if branded:
            return list(branded)
    combined = [c.attributes["ingredients"].split("|") for c in mention.classes if c.attributes.get("ingredients")]
    if combined and kind in ("medication", "allergy"):
        whole = {("drug", d) for d in combined[0]}
        return [e for e in matcher.catalogue.of(kind) if whole <= matcher.classes_of(e)]
    if kind in ("measurement", "social", "immunization"):
        itself = [e for e in entries if matcher.classes_of(e) & classes]
        return itself or list(entries)
    if entries:
        return list(entries)
    terms = [t for c in mention.classes if kind in _PREFERRED.get(c.kind, ()) for t in c.terms if len(t) > 4]
    return [e for t in terms for e in matcher.by_words(t, (kind,))]


def _best_kind(entries: list[Any], kinds: tuple[Kind, ...]) -> list[Any]:
    """Those of the likeliest kind that the chart has as facts; other standings only where there is nothing else."""
    for usable in (True, False):
        for kind in kinds:
            together = ("measurement", "social") if kind in ("measurement", "social") else (kind,)
            found = [e for e in entries if e.kind in together and bool(e.count) == usable]
            if found:
                return found if usable else [e for e in entries if e.kind in together]
    return []


def _label(mentions: Sequence[Mention], entries: Sequence[Any]) -> str:
    if len({e.key for e in entries}) == 1:
        return str(entries[0].concept.label)
    named = next((c.label for m in mentions for c in m.classes), "")
    return named or " ".join(m.words for m in mentions)


def _labels(mentions: Sequence[Mention], entries: Sequence[Any]) -> tuple[str, ...]:
    """One code can carry several texts ("Physical examination following birth"): those that were named."""
    if len(mentions) != 1 or any(e.kind not in ("procedure", "encounter", "report", "order") for e in entries):
        return ()
    named = {n for e in entries for n in e.labels if mentions[0].words in names_of(n)}
    return tuple(sorted(named)) if len({n for e in entries for n in e.labels}) > len(named) > 0 else ()


def _choices(mentions: Sequence[Mention], entries: Sequence[Any], matcher: Matcher) -> tuple[str, ...]:
    """Labels of distinct measurements that all fit the words: told, not guessed away."""
    if not entries or entries[0].kind not in ("measurement", "social"):
        return ()
    groups: dict[Any, str] = {}
    for e in entries:
        classes = matcher.classes_of(e)
        groups.setdefault(classes or e.key, e.concept.label)
    wanted = {(c.kind, c.id) for m in mentions for c in m.classes}
    if any(matcher.is_panel(c) for c in wanted):
        return ()
    return tuple(sorted(groups.values())) if len(groups) > 1 else ()


def _kinds(targets: tuple[Target, ...], cue_kinds: tuple[Kind, ...], attribute: str) -> tuple[Kind, ...]:
    if targets:
        return tuple(dict.fromkeys(k for t in targets for k in t.kinds))
    return cue_kinds or (("patient",) if attribute else ())


def _settle(ask: Ask, s: str) -> Ask:
    """The operation and the expected form of answer, now that the subject is known."""
    kind = ask.kinds[0] if ask.kinds else None
    yes_no = bool(cues.VERBS_FIRST.search(s)) and not re.search(r"\b(and|,)? ?(when|what|which)\b", s[3:])
    asks_when = bool(re.search(r"\b(since when|how far back|(start|end|stop) date|date (first|last|started|of|when)|(first|last) (rx|order|dose|prescription) date)\b", s)) or bool(re.match(r"^(\w+ )?(when|what date|which date|what day|on what|on which|what was the date|date of|how long ago|how recently|what year|what month)\b", s)) or bool(re.search(r"\b(when was|when did|when were|date of)\b", s))
    op = ask.op
    if kind == "patient" and not ask.targets:
        return replace(ask, op="attribute", expects="date" if ask.attribute == "date of birth" else "number" if ask.attribute == "age" else "bool" if ask.attribute == "deceased" else "text")
    if kind in ("measurement", "social"):
        op = _settle_measurement(ask, s, yes_no, asks_when)
    elif kind == "medication":
        op = _settle_medication(ask, s, yes_no, asks_when)
    elif kind is not None:
        op = _settle_event(ask, s, yes_no, asks_when, kind)
    expects = _expects(op, yes_no, asks_when, kind)
    return replace(ask, op=op, expects=expects)


def _settle_measurement(ask: Ask, s: str, yes_no: bool, asks_when: bool) -> Op:
    if ask.anchor and ask.op not in _NUMERIC | {"count", "first"}:
        return "closest" if ask.anchor.relation in ("closest", "at") else "latest"
    if not ask.targets:
        return ask.op if ask.op in ("abnormal", "count", "count_by_year") else "list"
    if ask.threshold:
        return "highest" if ask.threshold[0].startswith(">") and re.search(r"\bever\b", s) else "lowest" if re.search(r"\bever\b", s) else "latest"
    if ask.op in ("count", "count_by_year", "mean", "change", "trend", "compare", "highest", "lowest", "first", "previous", "abnormal"):
        return ask.op
    if ask.window and _one_day(ask.window):
        return "on"
    if ask.op in ("latest", "when", "describe"):
        return "latest"
    if ask.op in ("duration", "dose", "reason", "ended", "find"):
        return ask.op
    if yes_no and re.search(r"\b(any|ever|has|have|had|been|did)\b", s) and not ask.current:
        return "exists"
    if ask.op == "started":
        return "first"
    if ask.window and ask.window.low is None:
        return "latest"
    return "list" if re.search(r"\b(all|list|every|each|history|values|results|readings|measurements)\b", s) or ask.window else "latest"


def _one_day(window: Window) -> bool:
    low, high = window.low, window.high
    return low is not None and high is not None and (high - low).days == 1


def _settle_medication(ask: Ask, s: str, yes_no: bool, asks_when: bool) -> Op:
    if ask.op in ("count", "count_by_year", "dose", "reason", "duration", "ended", "find"):
        return ask.op
    if asks_when or (ask.op in ("started", "first") and ask.targets):
        return "ended" if ask.op == "ended" else "latest" if ask.op in ("latest", "previous") and not re.search(r"\b(start|began|first|initiat)\w*", s) else "started"
    if ask.anchor or (ask.window and not ask.current):
        return "list" if not ask.targets else "exists"
    if not ask.targets:
        return ask.op if re.search(r"\b(last|latest|most recent\w*|newest|first|earliest|previous)\b", s) else "list"
    past = re.search(r"\b(ever|been on|used to|previously|history|past|has|had)\b", s) and not re.search(r"\b(currently|still|now|taking|active)\b", s)
    if ask.targets:
        if past and yes_no:
            return "exists"
        if ask.op == "latest" and re.search(r"\blast\b", s) and not yes_no:
            return "latest"
        return "taking"
    return "list"


def _settle_event(ask: Ask, s: str, yes_no: bool, asks_when: bool, kind: Kind) -> Op:
    if kind == "encounter" and re.search(r"\btotal m\d", s):
        return "count"
    if ask.op in ("age_at", "count", "count_by_year", "reason", "duration", "describe", "find", "ended", "abnormal"):
        return ask.op
    if yes_no and not asks_when and ask.targets and ask.op in ("first", "started", "latest", "list", "previous"):
        return "status" if kind == "condition" and ask.current and ask.op != "latest" else "exists"
    if kind == "condition" and ask.targets:
        if ask.op in ("age_at",):
            return ask.op
        if asks_when or ask.op in ("started", "first", "when"):
            return "latest" if re.search(r"\b(last|latest|most recent)\b", s) else "first"
        if re.search(r"\b(status|resolved|still|active|current|currently|ongoing|now)\b", s):
            return "status"
        return "exists"
    if asks_when or re.search(r"\b(last|latest|most recent|first|earliest|previous)\b", s):
        return ask.op if ask.op in ("first", "previous") else "first" if ask.op == "started" else "latest"
    if ask.targets:
        if kind == "allergy":
            return "exists"
        return "exists" if yes_no or kind in ("immunization", "procedure", "family") else "list"
    return "list"


def _expects(op: Op, yes_no: bool, asks_when: bool, kind: Kind | None) -> Any:
    if op in ("count", "mean", "change", "age_at"):
        return "number"
    if op in ("compare", "exists", "taking", "status"):
        return "bool"
    if asks_when or op in ("started", "ended"):
        return "date"
    if op in ("latest", "first", "previous", "highest", "lowest", "on", "closest") and kind in ("measurement", "social"):
        return "bool" if yes_no else "number"
    if op in ("latest", "first", "previous"):
        return "date"
    return {"list": "set", "reason": "text", "dose": "text", "count_by_year": "text"}.get(op, "text")


# Threads: "and the one before?", "in 2018?", "what about LDL?"

_ELLIPTIC = re.compile(r"^(and|what about|how about|ok|also|then|or|so|but|in|since|when|why|the|before|after|on|at|during|what|which|how)\b")


def subject_of(ask: Ask) -> Mapping[str, Any]:
    """What the next question of a thread may lean on, as plain data."""
    return {
        "op": ask.op,
        "kinds": list(ask.kinds),
        "n": ask.n,
        "attribute": ask.attribute,
        "targets": [
            {"words": t.words, "label": t.label, "kinds": list(t.kinds), "keys": list(t.keys), "lexicon": [list(x) for x in t.lexicon]}
            for t in ask.targets
        ],
    }


def _follow_up(ask: Ask, reading: _Reading, history: tuple[Turn, ...]) -> Ask:
    subject = history[-1].subject
    if not subject or ask.kinds[:1] == ("patient",) and not _short(reading):
        return ask
    elliptic = bool(_ELLIPTIC.match(reading.skeleton)) or _short(reading)
    has_op = any(p.search(reading.skeleton) for _, p in cues.OPS[:-1])
    if not ask.targets and elliptic and not _has_category(reading, subject):
        ask = replace(ask, targets=_recall(subject), kinds=tuple(subject["kinds"]), attribute="")
        if has_op or ask.window:
            settled = _settle(ask if has_op else replace(ask, op=subject["op"]), reading.skeleton)
            if not has_op and ask.window:
                settled = replace(settled, op=_windowed(subject["op"], ask.window), expects=settled.expects)
            return _step_back(settled, subject)
        return _settle(replace(ask, op=subject["op"]), reading.skeleton)
    if ask.targets and elliptic and not has_op and re.match(r"^(and|what about|how about|ok|or|also)\b", reading.skeleton):
        return replace(ask, op=subject["op"]) if set(ask.kinds) & set(subject["kinds"]) else ask
    return ask


def _short(reading: _Reading) -> bool:
    return len(reading.words) <= 6


def _has_category(reading: _Reading, subject: Mapping[str, Any]) -> bool:
    return any(p.search(reading.skeleton) and not set(kinds) & set(subject["kinds"]) for _, kinds, p in cues.CATEGORIES)


def _windowed(op: Op, window: Window) -> Op:
    return "on" if _one_day(window) else op


def _recall(subject: Mapping[str, Any]) -> tuple[Target, ...]:
    return tuple(
        Target(words=t["words"], label=t["label"], kinds=tuple(t["kinds"]), keys=tuple(t["keys"]), lexicon=tuple((a, b) for a, b in t["lexicon"]))
        for t in subject["targets"]
    )


def _step_back(ask: Ask, subject: Mapping[str, Any]) -> Ask:
    """ "The one before" a previous one is the one before that."""
    if ask.op == "previous" and subject["op"] == "previous":
        return replace(ask, n=(subject["n"] or 1) + 1)
    return ask
