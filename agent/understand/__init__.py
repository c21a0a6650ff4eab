"""A question → what it asks, by rules: its subject in this chart, the operation, the times, what is not understood.

Nothing is guessed away: content words that neither the chart, the lexicon nor the cues account for come back
in `Ask.unknown`, and several concepts that fit one mention come back as `Target.choices`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

from agent.chart import Chart
from agent.types import Anchor, Ask, Look, Op, Target, Turn
from agent.understand import cues
from agent.understand.anchors import (
    Found,
    anchor_of,
    find_anchor,
    left_after,
    tells_arrival,
    tells_end,
    timed,
    windows,
    without,
)
from agent.understand.asked import attribute_of, cued_kinds, op_of, state_of
from agent.understand.clauses import askings
from agent.understand.idioms import about_to_do, spoken, summary_of
from agent.understand.judged import judged
from agent.understand.kin import is_the_patient, relatives_of
from agent.understand.leftover import unknown, young
from agent.understand.looking import Looking, looking
from agent.understand.noted import asks_of_notes, sought
from agent.understand.numerals import few, ordinal, threshold
from agent.understand.partings import Said, partings
from agent.understand.parts import AGE_THEN, POINTS_BACK, around, at_visit, bare, leaning, parted, pointed
from agent.understand.passed import NOUNS, passed_over
from agent.understand.planned import planned
from agent.understand.purposes import goes_on, purpose_of
from agent.understand.reading import Reading, read
from agent.understand.relied import focus_of, relied, wanted
from agent.understand.restated import strangers, vanishing
from agent.understand.rewording import reworded
from agent.understand.settle import is_day, settle
from agent.understand.shorthand import plain
from agent.understand.stretches import later_first, narrowed, other_time, other_times
from agent.understand.targets import NUMERIC, apposed, distinct, joined, measured, target_of
from agent.understand.threads import follow_up, subject_of
from agent.understand.vocabulary import FUNCTION_WORDS
from fhir_tools import dates
from fhir_tools.codes import Mention
from fhir_tools.dates import Window
from fhir_tools.types import KINDS, Kind

__all__ = ["focus_of", "reworded", "subject_of", "understand", "wanted"]


def understand(question: str, chart: Chart, history: tuple[Turn, ...] = ()) -> Ask:
    """What a question asks of this chart; `history` are the finished turns of its thread, oldest first."""
    if kind := summary_of(question):
        return Ask(question=question, op="list", unknown=(question,), summary=kind, relies=KINDS)
    seen, told = looking(question, history), spoken(question, chart.as_of)
    if about_to_do(question):
        return Ask(question=question, op="list", unknown=(about_to_do(question),), relies=KINDS)
    ask = (
        (_to_see(question, seen, chart, history) if seen else None)
        or planned(question)
        or _in_parts(told, chart, history)
        or _understood(told, chart, history)
    )
    ask = replace(_of_the_course(ask, chart), question=question)
    return ask if ask.op == "find" else replace(ask, unknown=(*ask.unknown, *strangers(question, chart)))


_PREGNANCY = ("condition", "pregnancy")


def _of_the_course(ask: Ask, chart: Chart) -> Ask:
    """Whether somebody is pregnant the condition tells, where the chart has one: a status once seen does not end."""
    asked = len(ask.targets) == 1 and _PREGNANCY in ask.targets[0].lexicon and ask.expects == "bool"
    if not asked or ask.kinds[:1] not in (("social",), ("measurement",)):
        return ask
    known = [e.key for e in chart.matcher.entries_of((_PREGNANCY,), ("condition",))]
    if not known:
        return ask
    target = replace(ask.targets[0], kinds=("condition",), keys=tuple(known), label="Pregnancy")
    return replace(ask, op="status", state="active", kinds=("condition",), targets=(target,))


def _in_parts(question: str, chart: Chart, history: tuple[Turn, ...]) -> Ask | None:
    """A question that is several in one: each understood by itself, or with the subject of the first.

    None where it is one. Where the first is not understood there is nothing that the others could lean on.
    """
    texts = parted(plain(question))
    if len(texts) < 2:
        return None
    first = _understood(texts[0], chart, history)
    if not _is_known(first):
        return replace(first, question=question)
    others = (t for t in texts[1:] if not (first.kinds == ("family",) and AGE_THEN.match(t)))
    parts = (first, *(_part(text, first, chart, history) for text in others))
    relies = tuple(dict.fromkeys(k for p in parts for k in p.relies))
    return replace(first, question=question, parts=around(parts), relies=relies)


def _part(text: str, first: Ask, chart: Chart, history: tuple[Turn, ...]) -> Ask:
    """One of the later parts. It keeps its own words, and the first's subject and time where it leans on them."""
    words, alone = [t.words for t in first.targets], _understood(bare(text), chart, history)
    back = POINTS_BACK.search(text)
    if not back and (alone.targets or alone.attribute or NOUNS.search(text)):
        same = {*alone.kinds} == {*first.kinds} == {"encounter"}
        ask = leaning(alone, first) if same else at_visit(alone, first, text)
    elif words:
        ask = leaning(_understood(pointed(text, first, words), chart, history), first)
    else:
        ask = replace(alone, unknown=(*alone.unknown, back.group() if back else text))
    return replace(ask, question=text)


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
    whole = _entire(question, chart, history)
    if _is_known(whole) and whole.anchor and whole.anchor.target.keys:
        return whole
    text = plain(question)
    clauses = tuple(askings(question, told=_is_known(whole)))
    said = Said(whole=whole, known=_is_known(whole), chart=chart, alone=lambda q: _as_it_stands(q, chart, ()))
    for kept, beside in partings(text, clauses, said):
        ask = _entire(kept, chart, history)
        if _is_known(ask) and all(a.fits(ask) for a in beside):
            told = tuple(a.tells() for a in beside if a.told)
            return replace(ask, question=question, asides=told, relies=KINDS if told else ask.relies)
    unfit = tuple(a.words.strip(" :,-–—") for a in said.beside(text) if a.told and not a.fits(whole))
    return whole if whole.unknown else replace(whole, unknown=unfit)


def _entire(question: str, chart: Chart, history: tuple[Turn, ...]) -> Ask:
    """The question as it stands, with the brackets that narrow it and were passed over as words not understood."""
    ask = _as_it_stands(question, chart, history)
    if not _is_known(ask):
        return ask
    return replace(ask, unknown=vanishing(question, ask, lambda q: _as_it_stands(q, chart, history)))


def _is_known(ask: Ask) -> bool:
    return not ask.unknown and bool(ask.targets or ask.kinds or ask.attribute)


def _as_it_stands(question: str, chart: Chart, history: tuple[Turn, ...]) -> Ask:
    reading = read(question, chart.matcher, chart.as_of, dates.of_any(chart.person.get("birthDate")))
    ask, skeleton = _assemble(question, reading, chart)
    asked = follow_up(ask, reading, skeleton, history)
    cued = cued_kinds(skeleton, [asked.relative] if asked.relative else [])
    return replace(
        asked, relies=relied(asked, cued, passed_over=bool(asked.attribute and reading.mentions and not asked.targets))
    )


def _assemble(question: str, reading: Reading, chart: Chart) -> tuple[Ask, str]:
    """The question as a record, and the skeleton without the anchor's phrase, which the cues were read from."""
    found = find_anchor(reading)
    s = without(reading.skeleton, found)
    if asks_of_notes(reading.text):
        return _of_notes(question, reading, found, chart, s), s
    op = op_of(s)
    relatives, primary = relatives_of(
        [m for i, m in enumerate(reading.mentions) if not found or i not in found.numbers]
    )
    if relatives and is_the_patient(relatives, reading, s, joined(primary), chart):
        relatives = []
    cued = cued_kinds(s, relatives)

    def meant(group: Sequence[Mention]) -> Target:
        return target_of(group, _panels(group, cued, op, s, chart), op, chart.matcher)

    targets = distinct(apposed(joined(primary), reading, meant))
    purpose, targets = purpose_of(s, cued, targets, chart.matcher)
    op = op_of(s, but="dose") if op == "dose" and measured(targets) else op
    window, event = windows(reading, found)
    told = window
    now = bool(window and _is_now(window, chart, s))
    window = None if now else _onward(window, reading, op)
    window = window if found or window is not told else narrowed(reading, window)
    against = other_time(reading, window) if op in ("compare", "change") and not found else None
    direction = next((d for d, p in cues.DIRECTIONS if p.search(s)), None)
    window, against, direction = later_first(window, against, direction)
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
        against=against,
        nth=ordinal(s),
        anchor=_anchor(reading, found, event, chart, on_arrival=measured(targets) and op not in NUMERIC | {"count"}),
        direction=direction,
        n=few(s),
        attribute=attribute,
        current=now or bool(cues.CURRENT.search(s)),
        state=state_of(s) or ("active" if now or (purpose and goes_on(s)) else ""),
        relative=relatives[0] if relatives else "",
        purpose=purpose,
        unknown=(
            *unknown(reading, s, op, primary, targets),
            *filter(None, (tells_end(reading, found), young(question, chart))),
            *other_times(reading, (told, window, event, against)),
        ),
        threshold=threshold(s),
    )
    settled = judged(timed(_aged(left_after(settle(ask, s), s), chart), reading, found), s)
    left = (_in_words(w, reading) for w in (*settled.unknown, *passed_over(settled, s)))
    return replace(settled, unknown=tuple(left)), s


def _in_words(left: str, reading: Reading) -> str:
    """Words of the skeleton as the question has them; "T3" may be a word of the question itself."""
    spelt = {f"m{n}": m.words for n, m in enumerate(reading.mentions)}
    spelt |= {f"t{n}": reading.text[t.start : t.end] for n, t in enumerate(reading.times)}
    return re.sub(r"\b[mt]\d+\b", lambda found: spelt.get(found[0], found[0]), left)


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


def _anchor(
    reading: Reading, found: Found | None, event: Window | None, chart: Chart, *, on_arrival: bool
) -> Anchor | None:
    """The event; a result "on admission" is the one nearest to its beginning, not the last of the stay."""
    if found is None:
        return None
    target = target_of((reading.mentions[found.number],), (), "when", chart.matcher)
    anchor = anchor_of(reading, found, target, event)
    if found.cause is not None:
        cause = target_of((reading.mentions[found.cause],), ("condition",), "when", chart.matcher)
        return replace(anchor, cause=cause)
    return replace(anchor, relation="closest") if on_arrival and tells_arrival(reading, found) else anchor


def _topics(reading: Reading, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """What notes are searched for: the named things, and other content words as they stand; note types narrow them."""
    words = " ".join(reading.left)
    reading.left.clear()
    return (*targets, *((Target(words=words, label=words),) if words else ()))


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
    return day and bool(cues.CURRENT.search(s) or re.search(r"^what is\b.* t\d$|\b(?:takes?|taking|uses?) t\d", s))


def _panels(group: Sequence[Mention], cued: tuple[Kind, ...], op: Op, s: str, chart: Chart) -> tuple[Kind, ...]:
    """How many panels there are and when the last was: their reports say, where the chart has some."""
    panel = any(chart.matcher.is_panel((c.kind, c.id)) for m in group for c in m.classes)
    counted = op == "count" or re.search(r"\b(?:when|dates?)\b", s)
    return ("report", *cued) if panel and counted else cued


def _attribute_of(reading: Reading, s: str, targets: tuple[Target, ...]) -> str:
    """What is asked of the person; "where" and "single" beside a thing that the lexicon knows ask nothing of them."""
    if any(t.lexicon for t in targets):
        words = " ".join(t.words for t in targets)
        rest = (p.sub(" ", words).split() for _, p in cues.ATTRIBUTES if p.search(words))
        return attribute_of(words) if all(w in FUNCTION_WORDS for w in next(rest, ())) else ""
    return attribute_of(s) or attribute_of(" ".join(w.text for w in reading.words))


def _kinds(
    targets: tuple[Target, ...], cued: tuple[Kind, ...], attribute: str, purpose: Target | None
) -> tuple[Kind, ...]:
    if purpose:
        return ("medication",)
    if targets:
        return tuple(dict.fromkeys(k for t in targets for k in t.kinds))
    return cued or (("patient",) if attribute else ())
