"""One claim → the marks that hold it, or the fault for which it is removed. The marks it names are a hint, no proof."""

from __future__ import annotations

import re
from dataclasses import replace

from agent.types import Ask, Claim, Support
from agent.verify import data, lists
from agent.verify.answers import answer_fault, order_fault, same_time_fault
from agent.verify.causes import cause_fault, fact_texts
from agent.verify.chart import Chart, aside, tokens
from agent.verify.checks import STANDING_WORDS, is_negative, stands
from agent.verify.compare import compare
from agent.verify.computed import Computations
from agent.verify.facts import Fault, narrow, universe
from agent.verify.pools import Ids, Pools, numeric
from agent.verify.quotes import quoted, spoken
from agent.verify.reading import Reading, read
from agent.verify.statements import Statement
from agent.verify.valued import value_of
from agent.verify.values import in_unit
from agent.verify.verdict import Held, Verdict, unheld
from agent.verify.words import BARE_DENIAL, DOCUMENTED
from fhir_tools import compute, wording
from fhir_tools.types import Mark, Quantity

__all__ = ["Judge"]

_REMOVED_CHARS = re.compile(r"\s*\[(?:[cs]?\d+(?:\s*,\s*[cs]?\d+)*)\]")
_SPREAD = 12


def _without_bare(reading: Reading) -> Reading:
    """The reading without statements of a mere noun ("the note", "reports"), where something else is to be checked."""
    if not (reading.quotes or reading.leftover or len(reading.statements) > 1):
        return reading
    kept = tuple(
        s for s in reading.statements if s.number or s.head or s.dating or s.qualifiers or s.denied or s.attributes
    )
    return replace(reading, statements=kept)


class Judge:
    """Judges the claims of one draft against one evidence."""

    def __init__(self, ask: Ask, chart: Chart) -> None:
        self.ask, self.chart = ask, chart
        self.pools = Pools(chart, ask)
        self.computations = Computations(chart, self.pools)

    def judge(self, claim: Claim) -> Verdict:
        """Read, check and attribute one claim."""
        text = " ".join(_REMOVED_CHARS.sub("", claim.text).split())
        claim = replace(claim, text=text)
        beside = self._beside(text)
        if beside:
            return Verdict(claim=replace(claim, marks=(beside,), value=None))
        reading = _without_bare(read(text, self.chart))
        fault = self._before(reading)
        if fault:
            return Verdict(claim=claim, fault=fault)
        quote_marks, fault = quoted(reading, self.chart, claim.marks)
        held = [] if fault else self._hold(reading, claim.marks)
        fault = fault or next((h.fault for _, h in held if h.fault), None)
        if not fault and not held and not quote_marks:
            fault = Fault(kind="concept", reason="the claim names nothing that its evidence holds")
        if fault and reading.leftover and not reading.quotes:
            document = spoken(self._content(reading), reading, self.chart, claim.marks)
            if isinstance(document, tuple) and not any(s.number or s.dating for s, _ in held):
                return self._told(claim, reading, [], document)
            if isinstance(document, Fault):
                fault = document
            elif not any(s.head for s, _ in held) and fault.kind in ("number", "unit", "date", "status", "qualifier"):
                fault = Fault(kind="concept", reason="the claim names nothing that its evidence holds")
        if fault:
            return Verdict(claim=claim, fault=fault)
        return self._whole(claim, reading, held, quote_marks)

    def _beside(self, text: str) -> str | None:
        """The mark of the closest other thing, where the claim is just its description, told as that."""
        lead, _, told = text.partition(": ")
        if lead.lower() != "also in the chart":
            return None
        wanted = " ".join(told.split()).removesuffix(".")
        return next(
            (
                m.id
                for m in self.chart.marks.values()
                if m.fact
                and self.chart.card_of[m.id].role == "also"
                and " ".join(wording.describe(m.fact).split()).removesuffix(".") == wanted
            ),
            None,
        )

    def _before(self, reading: Reading) -> Fault | None:
        for phrase in reading.relative_times:
            if not self.pools.titled(phrase):
                return Fault(kind="date", reason="a time is told in words that no record dates")
        if reading.statements or reading.quotes:
            return None
        if not self._content(reading) or reading.advice or reading.vague or reading.directions:
            return Fault(kind="empty", reason="nothing in the claim can be checked")
        return None

    def _content(self, reading: Reading) -> tuple[str, ...]:
        return tuple(dict.fromkeys(reading.leftover))

    # Statements.

    def _hold(self, reading: Reading, named: tuple[str, ...]) -> list[tuple[Statement, Held]]:
        """What bears each statement; those told relative to others come after them."""
        first = [(s, self._statement(self._loose(s), reading, named, frozenset())) for s in reading.statements]
        out = []
        for at, (s, held) in enumerate(first):
            if not held.fault and s != self._loose(s):
                others = frozenset(i for j, (_, h) in enumerate(first) if j != at for i in h.ids)
                held = self._statement(s, reading, named, others)
            elif not held.fault and s.role in ("change", "age"):
                held = self._dependent(s, reading, named, [x for j, x in enumerate(first) if j != at])
            elif not held.fault and self._limits(s):
                held = self._limited(s, held, named, [h for j, (_, h) in enumerate(first) if j != at])
            out.append((s, held))
        return out

    def _loose(self, s: Statement) -> Statement:
        relative = s.qualifiers & {"previous", "closest"}
        return replace(s, qualifiers=s.qualifiers - relative) if relative else s

    def _statement(self, s: Statement, reading: Reading, named: tuple[str, ...], others: Ids) -> Held:
        base = universe(s, self.chart, self.ask, named)
        if s.denied:
            return self._denied(s, base, reading)
        if s.role in ("change", "age"):
            return Held()
        nameless = s.head is None
        if s.role == "count":
            anything = nameless and not s.roles and s.within is None
            return self._count(s, base or frozenset(range(len(self.chart.facts)) if anything else ()), nameless)
        if "mean" in s.qualifiers and s.role == "value":
            marks = self.computations.mean(s, base, nameless)
            return Held(marks=marks) if marks else self._misread(s, base, nameless)
        found = narrow(s, base, reading, self.chart, self.pools, others)
        if found.fault is None:
            return Held(ids=found.ids)
        threshold = self._threshold(s, base)
        if threshold:
            return threshold
        if s.role == "value" and found.fault.kind in ("number", "unit", "concept"):
            marks = self.computations.length(s, base | (self.chart.kind("encounter") if not s.head else frozenset()))
            if marks:
                return Held(marks=marks)
        return Held(fault=found.fault)

    def _threshold(self, s: Statement, base: Ids) -> Held | None:
        """`above 7`, where 7 is the question's own number, is checked by comparing and needs no mark of its own."""
        asked = self.ask.threshold
        if not asked or not s.number or not s.number.comparator or not self._limits(s):
            return None
        sign, value = s.number.comparator, s.number.value
        course = compute.series(tuple(numeric(self.chart.facts[i]) for i in base))
        limit = in_unit(float(value), s.number.unit or asked[2], course.unit)
        if limit is None:
            return unheld("unit", "the limit's unit is not that of the results")
        ok = {"<": float.__lt__, "<=": float.__le__, ">": float.__gt__, ">=": float.__ge__}[sign]
        passing = {f.reference for f, v in course.points if ok(v, limit)}
        ids = frozenset(i for i in base if self.chart.facts[i].reference in passing)
        return Held(ids=ids) if ids else unheld("direction", "the result is not on that side of the limit")

    def _limits(self, s: Statement) -> bool:
        """Whether a statement's number is the limit that the question compares with."""
        asked = self.ask.threshold
        return bool(asked and s.number and s.number.comparator and abs(s.number.value - asked[1]) < 1e-9)

    def _limited(self, s: Statement, held: Held, named: tuple[str, ...], rest: list[Held]) -> Held:
        """A limit told beside a result is told of that result."""
        told = universe(s, self.chart, self.ask, named) & frozenset(i for h in rest for i in h.ids)
        if not told:
            return held
        return (
            Held(ids=told) if told <= held.ids else unheld("direction", "the result is not on that side of the limit")
        )

    def _count(self, s: Statement, base: Ids, nameless: bool) -> Held:
        if any(not c.complete for i in base for c in self.chart.cards_of[i] if not aside(c)) and s.number:
            return unheld("qualifier", "not everything was read, so nothing can be counted")
        marks = self.computations.count(s, base, nameless and not s.nouns)
        if marks:
            return Held(marks=marks)
        told = int(s.number.value) if s.number else -1
        counted = self.pools.inside(self.pools.happened(base), s.dating) if s.head or s.nouns else frozenset()
        sanctioned = s.dating is None or self.pools.sanctioned(s.dating, counted)
        alone = [self.chart.marks_for(i) for i in counted]
        plain = not (s.statuses or s.denied_statuses or s.qualifiers - {"only", "all"} or s.attributes)
        if plain and sanctioned and len(counted) == told <= _SPREAD and all(alone):
            return Held(together=tuple(dict.fromkeys(m[0] for m in alone)))
        return self._misread(s, base, nameless and not s.nouns)

    def _misread(self, s: Statement, base: Ids, nameless: bool) -> Held:
        """Why a count or an average is not held: another number was worked out, or nothing sound was."""
        if self.computations.other_result(s, base, nameless):
            return unheld("number", "another number was worked out")
        return unheld("computation", "no sound computation over all the records bears it")

    def _dependent(
        self, s: Statement, reading: Reading, named: tuple[str, ...], rest: list[tuple[Statement, Held]]
    ) -> Held:
        """Differences and ages, which depend on what else the claim tells."""
        others = frozenset(i for _, h in rest for i in h.ids)
        base = universe(s, self.chart, self.ask, named)
        if s.role == "age":
            birth = self.chart.kind("patient")
            event = any(
                x.role == "event" and (x.head or x.dating) and not (x.head and x.head.concept <= birth) for x, _ in rest
            )
            event = event or bool(s.dating)
            death = any(x.head and x.head.concept & self.chart.death for x, _ in rest)
            marks = self.computations.age(s, others - birth, event, death)
            if not marks and others:
                found = narrow(replace(s, role="value"), others, reading, self.chart, self.pools, frozenset())
                return Held(ids=found.ids) if found.ids else unheld("number", "the age is not what was worked out")
            return Held(marks=marks) if marks else unheld("number", "the age is not what was worked out")
        told = frozenset(i for x, h in rest for i in h.ids if x.role == "value" or (x.role == "event" and x.dating))
        marks = self.computations.change(s, base, told, reading)
        if marks:
            return Held(marks=marks)
        plain = (
            None
            if s.number and s.number.signed
            else narrow(replace(s, role="value"), base, reading, self.chart, self.pools, others)
        )
        if plain and plain.ids and not reading.directions:
            return Held(ids=plain.ids)
        return unheld("computation", "no sound difference between the values bears it")

    # Denial.

    def _denied(self, s: Statement, base: Ids, reading: Reading) -> Held:
        """What is denied needs a negative record, or a finished search that found nothing and is told as that."""
        facts = self.chart.facts
        if s.number is not None:
            return self._none_beyond(s, base) if self._limits(s) else unheld("negation", "a value is denied")
        base = frozenset(i for i in base if (facts[i].kind == "family") == bool(reading.relative))
        inside = self.pools.inside(base, s.dating) if s.dating else base
        told = frozenset(i for i in inside if all(i in a.concept | a.value | a.detail for a in s.attributes))
        positive = [i for i in told if facts[i].standing == "fact" and not is_negative(facts[i])]
        if positive and not any(w in s.statuses for w in STANDING_WORDS):
            return unheld("negation", "it is denied, and the chart records it")
        negative = frozenset(
            i for i in told if is_negative(facts[i]) and (facts[i].standing == "fact" or stands(facts[i], s))
        )
        if negative:
            return Held(ids=negative)
        return self._searched(s, reading)

    def _none_beyond(self, s: Statement, base: Ids) -> Held:
        """ "No result is above 9" stands on the highest of all results, where that is certain (and not a bound)."""
        facts = self.chart.facts
        inside = self.pools.happened(self.pools.inside(base, s.dating))
        read = all(c.complete for i in inside for c in self.chart.cards_of[i])
        up = s.number is not None and (s.number.comparator or "").startswith(">")
        edge = [i for i in sorted(inside) if read and self.pools.holds("highest" if up else "lowest", i, inside)]
        value = numeric(facts[edge[-1]]).value if edge else None
        if s.number is None or self.ask.threshold is None or not isinstance(value, Quantity):
            return unheld("negation", "it is denied, and the results do not show it")
        limit = in_unit(s.number.value, s.number.unit or self.ask.threshold[2], value.code or value.unit)
        beyond = limit is None or (value.value > limit if up else value.value < limit)
        at_limit = value.value == limit and (s.number.comparator or "").endswith("=")
        bound = (value.comparator or "").startswith(">" if up else "<")
        if beyond or at_limit or bound:
            return unheld("negation", "it is denied, and the chart records it")
        return Held(ids=frozenset(edge))

    def _searched(self, s: Statement, reading: Reading) -> Held:
        marks = tuple(m.id for m in self.chart.marks.values() if m.search and self._proves(m, s))
        if not marks:
            return unheld("negation", "it is denied, and neither a record nor a finished search says so")
        if BARE_DENIAL.search(reading.masked) or not DOCUMENTED.search(reading.masked):
            return unheld("negation", "what was not found is told as not there")
        return Held(marks=marks)

    def _proves(self, mark: Mark, s: Statement) -> bool:
        card = self.chart.card_of[mark.id]
        about = {id(self.chart.cards[n]) for n in s.head.cards} if s.head else set()
        named = id(card) in about if s.head else card.kind in s.nouns
        fits = not card.window or self.ask.window is not None or self.ask.anchor is not None
        return mark.search is not None and (
            mark.search.found == 0
            and mark.search.complete
            and mark.search.error is None
            and card.complete
            and named
            and fits
        )

    # The claim as a whole.

    def _whole(
        self, claim: Claim, reading: Reading, held: list[tuple[Statement, Held]], quote_marks: tuple[str, ...]
    ) -> Verdict:
        pairs = [(s, h.ids) for s, h in held]
        base = frozenset(i for s in reading.statements for i in universe(s, self.chart, self.ask, claim.marks))
        compared = compare(reading, pairs, base, self.chart, self.pools)
        fault = (
            compared.fault
            or cause_fault(reading, pairs, self.chart)
            or order_fault(reading, pairs, self.chart)
            or same_time_fault(reading, pairs, self.chart)
            or answer_fault(reading, pairs, base, self.chart, self.pools)
            or lists.fault(reading, pairs, self.chart, self.ask, self.pools)
        )
        if fault:
            return Verdict(claim=claim, fault=fault)
        chosen: list[str] = list(quote_marks)
        for s, h in held:
            marks = self._choose(s, h, claim.marks)
            if isinstance(marks, Fault) and self._quoted_from(h.ids, quote_marks):
                continue
            if isinstance(marks, Fault) and self._within(h.ids, [*chosen, *(m for _, x in held for m in x.marks[:1])]):
                continue
            if isinstance(marks, Fault):
                return Verdict(claim=claim, fault=marks)
            chosen += marks
        for i in sorted(compared.ids):
            chosen += self.chart.marks_for(i)[:1]
        document = self._words_fault(reading, chosen, claim)
        if isinstance(document, Fault):
            return Verdict(claim=claim, fault=document)
        return self._told(claim, reading, pairs, (*chosen, *document))

    def _told(
        self, claim: Claim, reading: Reading, pairs: list[tuple[Statement, Ids]], chosen: tuple[str, ...]
    ) -> Verdict:
        marks = tuple(m for m in dict.fromkeys((*(m for m in claim.marks if m in chosen), *chosen)))
        if not marks:
            return Verdict(claim=claim, fault=Fault(kind="unsupported", reason="no evidence holds the claim"))
        evidence = [self.chart.marks[m] for m in marks]
        fault = self._relevance(marks) or data.fault(claim, reading, evidence, pairs, self.chart)
        if fault:
            return Verdict(claim=replace(claim, value=None), fault=fault)
        value = None if claim.value else value_of(self.ask.expects, reading, pairs, evidence, self.chart)
        return Verdict(claim=replace(claim, marks=marks), support=self._support(marks), value=value)

    def _support(self, marks: tuple[str, ...]) -> Support:
        found = [self.chart.marks[m] for m in marks]
        if any(m.computation and m.computation.op != "list" for m in found):
            return "computed"
        if any(m.search for m in found):
            return "searched"
        return "document" if any(m.span for m in found) else "direct"

    def _words_fault(self, reading: Reading, chosen: list[str], claim: Claim) -> tuple[str, ...] | Fault:
        """Content words that no rule accounts for must stand in the evidence that was chosen."""
        content = self._content(reading)
        if not content:
            return ()
        held: set[str] = set()
        named = all(s.head for s in reading.statements if s.number)
        for m in dict.fromkeys(chosen):
            mark = self.chart.marks[m]
            labels = {t for f in mark.facts[:50] for t in tokens(f.concept.label)}
            held.update(t for t in tokens(mark.shown) if named or t not in labels)
            for f in mark.facts[:50]:
                at = self.chart.id_of(f) if named else None
                held.update(t for text in (fact_texts(self.chart, at) if at is not None else ()) for t in tokens(text))
            held.update(tokens(self.chart.card_of[m].window))
        words = tuple(w for w in content if not set(tokens(w)) <= held)
        if not words:
            return ()
        document = spoken(words, reading, self.chart, claim.marks)
        if document is None:
            if reading.advice:
                return Fault(kind="empty", reason="the claim advises, which no record can hold")
            named = any(s.head for s in reading.statements)
            return Fault(
                kind="unsupported" if named else "concept", reason="the claim has words that its evidence does not hold"
            )
        return document

    def _choose(self, s: Statement, h: Held, named: tuple[str, ...]) -> list[str] | Fault:
        """The marks for one statement: those named that bear it, else the only ones that do."""
        if h.together:
            return list(h.together)
        if h.marks:
            return [m for m in named if m in h.marks] or [h.marks[0]]
        if not h.ids:
            return []
        by_name = [m for m in named if any(m in self.chart.marks_for(i) for i in h.ids)]
        if by_name:
            return by_name
        marked = [i for i in h.ids if self.chart.marks_for(i)]
        if not marked:
            return Fault(
                kind="unsupported", reason="the record that holds it was not shown, so that it cannot be cited"
            )
        if s.role != "event" and not self._one(h.ids):
            return Fault(kind="unsupported", reason="several records fit, and the words mean none of them")
        best = max(marked, key=lambda i: (compute.when_key(self.chart.facts[i]), -i))
        return self.chart.marks_for(best)[:1]

    def _quoted_from(self, ids: Ids, quotes: tuple[str, ...]) -> bool:
        """Whether the document that is named and dated is the one that the quote stands in."""
        quoted_facts = [f for m in quotes if (f := self.chart.marks[m].fact)]
        return any(self.chart.id_of(f) in ids for f in quoted_facts)

    def _within(self, ids: Ids, chosen: list[str]) -> bool:
        """Whether a computation that is cited anyway read these facts, so that its mark stands for them."""
        computed = [c for m in chosen if (c := self.chart.marks[m].computation)]
        return any(ids & self.computations.ids(c) for c in computed)

    def _one(self, ids: Ids) -> bool:
        """Whether the facts are one result: of one resource, or told twice for the same time."""
        facts = [self.chart.facts[i] for i in ids]
        return len({f.reference for f in facts}) == 1 or (
            len({compute.when_key(f)[0] for f in facts}) == 1 and len({wording.value_text(f) for f in facts}) == 1
        )

    def _relevance(self, marks: tuple[str, ...]) -> Fault | None:
        """Whether the claim answers: the closest things never do, nor does what shares nothing with what was asked."""
        cards = [self.chart.card_of[m] for m in marks]
        keys = {k for t in self.ask.targets for k in t.keys}
        facts = [f for m in marks for f in self.chart.marks[m].facts]
        if any(f.concept.key in keys for f in facts):
            return None
        if not all(aside(c) for c in cards):
            return None
        return Fault(kind="irrelevant", reason="the claim is about something else than was asked")
