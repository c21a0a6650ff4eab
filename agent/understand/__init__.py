"""A question → what it asks, by rules: its subject in this chart, the operation, the times, what is not understood.

Nothing is guessed away: content words that neither the chart, the lexicon nor the cues account for come back
in `Ask.unknown`, and several concepts that fit one mention come back as `Target.choices`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Literal, get_args

from agent.chart import Chart
from agent.types import Anchor, Ask, Look, Op, Target, Turn
from agent.understand import cues
from agent.understand.anchors import Found, anchor_of, find_anchor, tells_arrival, tells_end, windows, without
from agent.understand.asides import Aside, asides, is_no_source, is_plain, is_timeless, names_source
from agent.understand.clauses import askings, names_care
from agent.understand.looking import Looking, looking
from agent.understand.noted import asks_of_notes, sought
from agent.understand.reading import Reading, read
from agent.understand.relied import focus_of, relied, wanted
from agent.understand.rewording import reworded
from agent.understand.settle import is_day, settle
from agent.understand.shorthand import plain
from agent.understand.targets import NUMERIC, distinct, joined, target_of
from agent.understand.threads import follow_up, subject_of
from agent.understand.unknown import BEYOND, FEW, THRESHOLD, measured, unknown, young
from fhir_tools import dates
from fhir_tools.codes import Mention
from fhir_tools.dates import Window
from fhir_tools.types import KINDS, Kind

__all__ = ["focus_of", "reworded", "subject_of", "understand", "wanted"]


def understand(question: str, chart: Chart, history: tuple[Turn, ...] = ()) -> Ask:
    """What a question asks of this chart; `history` are the finished turns of its thread, oldest first."""
    seen = looking(question, history)
    return (_to_see(question, seen, chart, history) if seen else None) or _understood(question, chart, history)


def _to_see(question: str, seen: Looking, chart: Chart, history: tuple[Turn, ...]) -> Ask | None:
    """A question about pixels: the words for the image are understood as a question about imaging studies.

    None where a report answers it as well and the chart holds no such image.
    """
    named = _FILM.sub("x-ray", seen.image or "image")
    ask = _understood(named if _ORDERED.search(named) else f"latest {named}", chart, history)
    keys = {e.key for e in chart.catalogue.of("imaging")}
    targets = tuple(_pictured(t, keys) for t in ask.targets)
    if not seen.pixels and not any(t.keys for t in targets):
        return None
    op: Op = ask.op if ask.op in ("first", "previous", "closest") else "latest"
    look = Look(finding=seen.finding, prior=seen.prior, pixels=seen.pixels)
    relies: tuple[Kind, ...] = tuple(dict.fromkeys(("imaging", "report", *ask.relies)))
    return replace(ask, question=question, op=op, kinds=("imaging",), targets=targets, relies=relies, look=look)


def _pictured(target: Target, keys: set[str]) -> Target:
    """The target as an image: of its concepts those that are, and its own words where the chart has none of them."""
    kept = tuple(k for k in target.keys if k in keys)
    return replace(target, kinds=("imaging",), keys=kept, choices=(), label=target.label if kept else target.words)


_FILM = re.compile(r"\bfilms?\b", re.IGNORECASE)
_ORDERED = re.compile(
    r"\b(?:last|latest|newest|recent|first|earliest|oldest|initial|previous|prior|current)\b", re.IGNORECASE
)


def _understood(question: str, chart: Chart, history: tuple[Turn, ...]) -> Ask:
    """The question as a whole, or without what only says who asks, why, and what for."""
    whole = _as_it_stands(question, chart, history)
    if _is_known(whole) and whole.anchor and whole.anchor.target.keys:
        return whole
    text = plain(question)
    found = tuple(asides(text))
    clauses = tuple(askings(question, told=_is_known(whole)))
    for kept, beside in _partings(text, found, clauses):
        ask = _as_it_stands(kept, chart, history)
        if _is_known(ask) and all(a.fits(ask) for a in beside):
            told = tuple(" ".join(a.words.split()).strip(" ,.;:-–—") for a in beside if a.told)
            return replace(ask, question=question, asides=told, relies=KINDS if told else ask.relies)
    unfit = tuple(a.words.strip(" :,-–—") for a in found if a.told and not a.fits(whole))
    return whole if whole.unknown else replace(whole, unknown=unfit)


def _partings(
    text: str, found: tuple[Aside, ...], clauses: Sequence[tuple[str, tuple[str, ...]]]
) -> Iterator[tuple[str, tuple[Aside, ...]]]:
    """The text without phrases that may be set aside: all that were found, then each; then so the clauses that ask."""
    yield from _cuts(text, found, ())
    for clause, others in clauses:
        beside = tuple(Aside(words=o, fits=_alone_beside(o), told=not is_plain(o)) for o in others)
        yield from _cuts(clause, tuple(asides(clause)), beside)


def _cuts(text: str, found: tuple[Aside, ...], beside: tuple[Aside, ...]) -> Iterator[tuple[str, tuple[Aside, ...]]]:
    outer = _outermost(found)
    for cut in dict.fromkeys((outer, *((a,) for a in outer), ())):
        if kept := (*beside, *cut):
            yield _cut(text, cut), kept


def _outermost(found: tuple[Aside, ...]) -> tuple[Aside, ...]:
    return tuple(a for a in found if not any(a is not b and a.words in b.words for b in found))


def _alone_beside(other: str) -> Callable[[Ask], bool]:
    """Whether a clause beside this one names what it asks about, or asks for a whole list: nothing narrower is lost.

    Of a kind of record that the other may be the source of, it has to name what the chart holds.
    """
    source, care = names_source(other), names_care(other)

    def fits(ask: Ask) -> bool:
        if care and not (is_timeless(ask) or ask.op in ("age_at", "reason", "attribute")):
            return False
        named = bool(ask.targets or ask.attribute or ask.op in ("list", "taking") or ask.kinds[:1] == ("encounter",))
        return named and (not source or is_no_source(ask) or any(t.keys for t in ask.targets))

    return fits


def _cut(text: str, out: Sequence[Aside]) -> str:
    for aside in out:
        text = text.replace(aside.words, " ", 1)
    return text


def _is_known(ask: Ask) -> bool:
    return not ask.unknown and bool(ask.targets or ask.kinds or ask.attribute)


def _as_it_stands(question: str, chart: Chart, history: tuple[Turn, ...]) -> Ask:
    reading = read(question, chart.matcher, chart.as_of, dates.of_any(chart.person.get("birthDate")))
    ask, skeleton = _assemble(question, reading, chart)
    asked = follow_up(ask, reading, skeleton, history)
    cued = _cued(skeleton, [asked.relative] if asked.relative else [])
    return replace(
        asked, relies=relied(asked, cued, passed_over=bool(asked.attribute and reading.mentions and not asked.targets))
    )


def _assemble(question: str, reading: Reading, chart: Chart) -> tuple[Ask, str]:
    """The question as a record, and the skeleton without the anchor's phrase, which the cues were read from."""
    found = find_anchor(reading)
    s = without(reading.skeleton, found)
    if asks_of_notes(reading.text):
        return _of_notes(question, reading, found, chart, s), s
    op = _op(s)
    relatives, primary = _relatives([m for i, m in enumerate(reading.mentions) if not found or i != found.number])
    if relatives and _is_the_patient(relatives, reading, s, joined(primary), chart):
        relatives = []
    cued = _cued(s, relatives)
    targets = distinct(target_of(g, _panels(g, cued, op, s, chart), op, chart.matcher) for g in joined(primary))
    purpose, targets = _purpose(s, cued, targets)
    op = _op(s, but="dose") if op == "dose" and measured(targets) else op
    window, event = windows(reading, found)
    window = None if window and _is_now(window, chart, s) else _onward(window, reading, op)
    held = any(t.keys for t in targets)
    targets = _topics(reading, targets) if op == "find" else targets
    attribute = "" if cued or held or found else _attribute_of(reading, s, targets)
    targets = () if attribute and not any(t.kinds[:1] == ("condition",) for t in targets) else targets
    ask = Ask(
        question=question,
        op=op,
        kinds=_kinds(targets, cued, attribute, purpose),
        targets=targets,
        window=window,
        anchor=_anchor(reading, found, event, chart, on_arrival=measured(targets) and op not in NUMERIC | {"count"}),
        direction=next((d for d, p in cues.DIRECTIONS if p.search(s)), None),
        n=_number(s),
        attribute=attribute,
        current=bool(cues.CURRENT.search(s)),
        state=_state(s),
        relative=relatives[0] if relatives else "",
        purpose=purpose,
        unknown=(
            *unknown(reading, s, op, primary, targets),
            *filter(None, (tells_end(reading, found), young(question, chart))),
        ),
        threshold=_threshold(s),
    )
    return _aged(settle(ask, s), chart), s


def _aged(ask: Ask, chart: Chart) -> Ask:
    """An age is of one day of the life so far: today without a time, and over a year somebody has two."""
    if ask.attribute != "age" or not ask.window:
        return ask
    birth = dates.of_any(chart.person.get("birthDate"))
    day = ask.window.low if is_day(ask.window) else None
    if day == chart.as_of:
        return replace(ask, window=None)
    lived = isinstance(day, date) and day < chart.as_of and not (birth and birth.day and day < birth.day)
    return ask if lived else replace(ask, unknown=(*ask.unknown, ask.window.text))


def _of_notes(question: str, reading: Reading, found: Found | None, chart: Chart, s: str) -> Ask:
    """A question about what notes say: what to look for, in which of them, and when they were written."""
    window, event = windows(reading, found)
    targets, unknown = sought(reading, chart.matcher)
    return Ask(
        question=question,
        op="find",
        kinds=("document", "report"),
        targets=targets,
        window=window,
        anchor=_anchor(reading, found, event, chart, on_arrival=False),
        expects="text",
        unknown=tuple(filter(None, (unknown, tells_end(reading, found)))),
    )


def _cued(s: str, relatives: Sequence[str]) -> tuple[Kind, ...]:
    """The kinds of record that the words beside the subject say, likeliest first."""
    said = (k for _, kinds, p in cues.CATEGORIES if p.search(s) for k in kinds)
    return tuple(dict.fromkeys((*(("family",) if relatives else ()), *said)))


def _anchor(
    reading: Reading, found: Found | None, event: Window | None, chart: Chart, *, on_arrival: bool
) -> Anchor | None:
    """The event; a result "on admission" is the one nearest to its beginning, not the last of the stay."""
    if found is None:
        return None
    target = target_of((reading.mentions[found.number],), (), "when", chart.matcher)
    anchor = anchor_of(reading, found, target, event)
    return replace(anchor, relation="closest") if on_arrival and tells_arrival(reading, found) else anchor


def _relatives(mentions: Sequence[Mention]) -> tuple[list[str], list[Mention]]:
    """The family members named ("mother"), and the other mentions."""
    named = [
        m
        for m in mentions
        if any(c.kind == "relationship" for c in m.classes) and not any(e.kind != "family" for e in m.entries)
    ]
    labels = [c.id for m in named for c in m.classes if c.kind == "relationship"]
    return labels, [m for m in mentions if m not in named]


_OF_ANOTHER = (
    r"\b(?:his|her|their|its|patients?|pts?|family|paternal|maternal|(?:his|her|whose) \w+) {0}\b"
    r"|\b{0} of (?:the|this|his|her|their)\b|\ban? {0}\b"
)
_OF_THE_PATIENT = frozenset(get_args(Kind)) - {"family", "condition", "procedure", "social"}
"""The kinds of record that a chart holds of the patient alone."""


_CHILDREN = frozenset(("son", "daughter", "child"))
_FEMALE = frozenset(("mother", "grandmother", "daughter", "sister", "wife", "aunt", "niece"))
_MALE = frozenset(("father", "grandfather", "son", "brother", "husband", "uncle", "nephew"))


def _is_the_patient(
    relatives: Sequence[str], reading: Reading, s: str, named: Sequence[Sequence[Mention]], chart: Chart
) -> bool:
    """ "What is my son allergic to": one of the family asks about the patient, if a family history cannot hold it.

    Who is of the other sex is not the patient: it may be the wrong chart.
    """
    other = {"male": _FEMALE, "female": _MALE}.get(str(chart.person.get("gender")), frozenset())
    at = next(n for n, m in enumerate(reading.mentions) if any(c.id == relatives[0] for c in m.classes))
    if len(set(relatives)) > 1 or relatives[0] in other | {"family member"}:
        return False
    if re.search(_OF_ANOTHER.format(f"m{at}"), s):
        return False
    if re.search(rf"\b(?:my|our) m{at}\b", s) and relatives[0] in _CHILDREN and not _is_family(relatives[0], chart):
        return True
    cued = _cued(s, [])
    targets = [target_of(group, cued, _op(s), chart.matcher) for group in named]
    if targets:
        return all(t.kinds and t.kinds[0] in _OF_THE_PATIENT for t in targets)
    own = bool(cued) and (set(cued) <= _OF_THE_PATIENT or _state(s) == "active")
    return own or _attribute(s) in ("age", "date of birth")


def _is_family(relative: str, chart: Chart) -> bool:
    """Whether the family history tells of such a relative."""
    return bool(chart.matcher.entries_of((("relationship", relative),), ("family",)))


def _purpose(s: str, cued: Sequence[Kind], targets: tuple[Target, ...]) -> tuple[Target | None, tuple[Target, ...]]:
    """ "Drugs given for bronchitis": the condition is what they were ordered for, not the subject."""
    only = len(targets) == 1 and targets[0].kinds[:1] == ("condition",)
    if only and "medication" in cued and re.search(r"\b(for|to treat|treating|against)\b( \w+){0,3} m\d", s):
        return targets[0], ()
    return None, targets


def _topics(reading: Reading, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """What notes are searched for: the named things, and other content words as they stand; note types narrow them."""
    words = " ".join(reading.left)
    reading.left.clear()
    return (*targets, *((Target(words=words, label=words),) if words else ()))


def _op(s: str, but: Op | None = None) -> Op:
    """The operation that the words name; `but` leaves one out: "how much" of a result is its value, not a dose."""
    return next((op for op, pattern in cues.OPS if op != but and pattern.search(s)), "list")


def _onward(window: Window | None, reading: Reading, op: Op) -> Window | None:
    """What is worked out over results "from 3 August" goes on from that day."""
    told = next((t for t in reading.times if t.window == window), None)
    if not window or not told or op not in NUMERIC or told.on is None:
        return window
    starts = reading.text[told.start : told.end].lower().startswith("from ")
    return Window(low=window.low, high=None, text=f"since {told.on.isoformat()}") if starts else window


def _is_now(window: Window, chart: Chart, s: str) -> bool:
    """Whether "today" only says again what goes on now ("active today"): no stretch that something was recorded in."""
    day = window.low == chart.as_of and window.high == chart.as_of + timedelta(days=1)
    return day and bool(cues.CURRENT.search(s) or re.search(r"^what is\b.* t\d$", s))


def _attribute(s: str) -> str:
    return next((name for name, p in cues.ATTRIBUTES if p.search(s)), "")


def _panels(group: Sequence[Mention], cued: tuple[Kind, ...], op: Op, s: str, chart: Chart) -> tuple[Kind, ...]:
    """How many panels there are and when the last was: their reports say, where the chart has some."""
    panel = any(chart.matcher.is_panel((c.kind, c.id)) for m in group for c in m.classes)
    counted = op == "count" or re.search(r"\b(?:when|dates?)\b", s)
    return ("report", *cued) if panel and counted else cued


def _attribute_of(reading: Reading, s: str, targets: tuple[Target, ...]) -> str:
    """What is asked of the person; "where" and "single" beside a thing that the lexicon knows ask nothing of them."""
    if any(t.lexicon for t in targets):
        return _attribute(" ".join(t.words for t in targets))
    return _attribute(s) or _attribute(" ".join(w.text for w in reading.words))


_ON = r"\b(?:he|she|they|patient|pt) (?:is|are) on$|\b(?:is|are) (?:he|she|they|patient|pt) on$"


def _state(s: str) -> Literal["", "active", "resolved", "stopped"]:
    if re.search(
        r"\bnot (yet )?(been )?resolved\b|\bunresolved\b|\b(problems?|conditions?|diagnos\w+|issues?|"
        r"\w*morbidit\w+) (are )?live\b|\blive (problems?|diagnos\w+)|\bopen (problems?|issues?|conditions?|"
        r"diagnos\w+)\b",
        s,
    ):
        return "active"
    if re.search(rf"\b(active|current|currently|ongoing|still|now|present|presently)\b|{_ON}", s):
        return "stopped" if re.search(r"\b(not|isnt|no longer)\b", s) else "active"
    if re.search(r"\b(resolved|inactive|resolve|cleared|gone away|healed)\b", s):
        return "resolved"
    return "stopped" if re.search(r"\b(stopped|discontinued|no longer|former\w*)\b", s) else ""


def _kinds(
    targets: tuple[Target, ...], cued: tuple[Kind, ...], attribute: str, purpose: Target | None
) -> tuple[Kind, ...]:
    if purpose:
        return ("medication",)
    if targets:
        return tuple(dict.fromkeys(k for t in targets for k in t.kinds))
    return cued or (("patient",) if attribute else ())


_NUMBERS = {w: n for n, w in enumerate("zero one two three four five six seven eight nine ten".split())}


def _number(s: str) -> int | None:
    found = FEW.search(s)
    word = (found[1] or found[2]) if found else None
    if word:
        return _NUMBERS.get(word) or int(word)
    return 2 if re.search(r"\b(than|from|to) (the )?(one|value|result) before( it)?\b", s) else None


def _threshold(s: str) -> tuple[str, float, str | None] | None:
    """The comparison with a number that a question makes ("above 7"); it names no unit."""
    found = THRESHOLD.search(s)
    return (BEYOND.get(found[1], ">"), float(found[2]), None) if found else None
