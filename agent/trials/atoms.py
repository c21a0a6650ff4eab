"""Segments of a criterion → the single checks in it, each with its connector, its negation and its time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent.trials.checks import (
    Age,
    Concept,
    Limit,
    Measurement,
    NoChart,
    Period,
    Pregnancy,
    Reader,
    Record,
    Sex,
    Smoking,
)
from agent.trials.lexing import Token, lex
from agent.trials.names import meanings, narrowing
from agent.trials.periods import Time
from agent.trials.segments import Joint, Segment
from agent.trials.types import Section
from fhir_tools.lexicon import lexicon

__all__ = ["Atom", "read"]

_KINDS: tuple[tuple[str, frozenset[str]], ...] = (
    ("condition", frozenset(("condition", "icd10"))),
    ("medication", frozenset(("drug", "drug_class"))),
    ("procedure", frozenset(("procedure",))),
    ("immunization", frozenset(("vaccine",))),
    ("encounter", frozenset(("encounter",))),
    ("measurement", frozenset(("lab",))),
    ("imaging", frozenset(("modality",))),
    ("allergy", frozenset(("allergen",))),
)
"""The kind of record that a name means where no cue says one, likeliest first, with the lexicon's kinds for it."""

_OF_WOMEN = frozenset(("pregnancy", "breastfeeding", "menopause"))
_ADULT = {"adult": (Limit(sign=">=", value=18, unit="years"),), "minor": (Limit(sign="<", value=18, unit="years"),),
          "teen": (Limit(sign=">=", value=12, unit="years"), Limit(sign="<", value=18, unit="years"))}  # fmt: skip
_EXAMPLES = re.compile(r"^\s*(?:e\.?\s?g\.?|such as|including|for example|i\.?\s?e\.?|like)\b[\s,:.]*", re.IGNORECASE)
_IGNORED = re.compile(r"^\s*(?:s|es|[A-Z][A-Za-z0-9&/ -]{0,9}|inclusive|either|both|any|all|\d{1,2})\s*$")


@dataclass(kw_only=True)
class Atom:
    """One check while the statement is read."""

    joint: Joint
    check: Any
    negated: bool = False
    time: Time | None = None

    def at(self, time: Time) -> None:
        """The check with the time. A length that a condition has lasted is how long ago it began."""
        self.time = time
        check = self.check
        if isinstance(check, Measurement) and time.period:
            self.check = check.model_copy(update={"period": time.period})
        elif isinstance(check, Record):
            self.check = _timed(check, time)


def _timed(check: Record, time: Time) -> Record:
    if time.lasting:
        if check.kind == "medication":
            return check.model_copy(update={"lasting": time.lasting, "state": "current"})
        return check.model_copy(update={"period": Period(before=time.lasting)})
    state = check.state if check.kind != "medication" else ""  # taken within the time, whether or not it still is
    return check.model_copy(update={"period": time.period, "state": state})


def _is_negated(piece: Segment, check: Any, beside: Sequence[Any]) -> bool:
    """A negation beside a name is of the name: "non-pregnant women aged 18 or older"."""
    others = any(not isinstance(c, Age | Sex) for c in beside)
    return piece.negated and not (isinstance(check, Age | Sex) and others)


def read(text: str, pieces: Sequence[Segment], section: Section) -> list[Atom]:
    """The atoms of the segments in order."""
    reader = _Reading(text, pieces)
    for at, piece in enumerate(pieces):
        reader.take(at, piece)
    for atom in reader.out:
        if isinstance(atom.check, _Waiting):
            atom.check = Reader(why=f"{atom.check.of[0].name}: no comparison that rules can read"[:200])
    return reader.out


class _Reading:
    """What has been read of one statement so far."""

    def __init__(self, text: str, pieces: Sequence[Segment]) -> None:
        self.text, self.pieces, self.out = text, pieces, list[Atom]()
        self._waiting: list[Atom] = []
        self._time: Time | None = None
        self.written = ""
        sexes = {
            sex
            for s in pieces
            for t in s.of("sex")
            for sex in (("female", "male") if t.value == "both" else (t.value,))
        }
        alone = not any(s.of("name", "age", "word", "smoking") for s in pieces)
        self._by_sex = len(sexes) == 2 and sum(bool(s.of("sex") and s.of("limit", "age")) for s in pieces) > 1
        self._sexes = sexes if len(sexes) == 1 or alone or self._by_sex else set()
        self._aged = any(s.of("age") for s in pieces)

    def take(self, at: int, piece: Segment) -> None:
        """Read the next segment."""
        if piece.role in ("example", "apart"):
            self._widen(piece)
        elif piece.role == "means":
            self._define(piece)
        elif piece.no_chart and not piece.of("name", "limit", "age", "smoking"):
            self._ask(piece)
        elif not self._bounds_before(piece) and not self._only_time(piece):
            self._atoms(at, piece)

    def _atoms(self, at: int, piece: Segment) -> None:
        checks = _Piece(self, at, piece).checks()
        for number, check in enumerate(checks):
            joint = piece.joint if number == 0 else "with"
            atom = Atom(joint=joint if self.out else "", check=check, negated=_is_negated(piece, check, checks))
            self.out.append(atom)
            if isinstance(check, _Waiting):
                self._waiting.append(atom)
            for token in piece.of("time"):
                if number == len(checks) - 1 or token.start < min(t.start for t in piece.tokens if t.kind != "cue"):
                    atom.at(token.value)
            if self._time and atom.time is None:
                atom.at(self._time)
        self._settle(piece)
        if piece.no_chart:
            self._also(NoChart(ask=self.text[piece.start : piece.end].strip(" ,;.")[:200]))
        for token in piece.of("bracket"):
            self._bracket(token.value)

    def _also(self, ask: NoChart) -> None:
        """What no chart holds beside what it does: the words are a doubt of that, or stand for themselves."""
        last = self.out[-1] if self.out else None
        if last is not None and isinstance(last.check, Record | Measurement):
            last.check = last.check.model_copy(update={"doubts": tuple(dict.fromkeys((*last.check.doubts, ask.ask)))})
        else:
            self.out.append(Atom(joint="with" if self.out else "", check=ask))

    def _settle(self, piece: Segment) -> None:
        """Labs that wait for their comparison ("ALT or AST above …") get that of the next lab."""
        limits = _limits(piece.of("limit"))
        given = next((a.check for a in reversed(self.out) if isinstance(a.check, Measurement) and limits), None)
        if given is not None:
            for atom in self._waiting:
                atom.check = Measurement(of=atom.check.of, limits=given.limits, which=given.which, period=given.period)
            self._waiting = []

    def _bounds_before(self, piece: Segment) -> bool:
        """ "… and ≤ 10.5 %": a comparison alone is of what was compared before it."""
        limits = _limits(piece.of("limit", "age"))
        if not limits or piece.of("name", "word", "sex", "smoking", "adult") or not self.out:
            return False
        last = self.out[-1]
        if not isinstance(last.check, Age | Measurement) or (isinstance(last.check, Measurement) and piece.of("age")):
            return False
        old = last.check.limits
        unit = next((x.unit for x in (*limits, *old) if x.unit), "")
        if piece.joint == "or":
            self.out.append(
                Atom(
                    joint="or", check=last.check.model_copy(update={"limits": _with_unit(limits, unit)}), time=last.time
                )
            )
        else:
            last.check = last.check.model_copy(update={"limits": _with_unit((*old, *limits), unit)})
        for token in piece.of("time"):
            self.out[-1].at(token.value)
        return True

    def _only_time(self, piece: Segment) -> bool:
        """ "Within 6 months: …": a time alone is of what comes, or of what was just said."""
        given = piece.of("time")
        if not given or any(t.kind not in ("time", "cue", "latest", "comma") for t in piece.tokens):
            return False
        if self.out:
            self.out[-1].at(given[0].value)
        else:
            self._time = given[0].value
        return True

    def _ask(self, piece: Segment) -> None:
        said = self.text[piece.start : piece.end].strip(" ,;.")[:200]
        if self.out and isinstance(self.out[-1].check, NoChart):
            return
        self.out.append(Atom(joint=piece.joint if self.out else "", check=NoChart(ask=said or self.text[:200])))

    def _widen(self, piece: Segment) -> None:
        """Examples are more names for what was said; exceptions are names that are not meant."""
        last = next((a for a in reversed(self.out) if isinstance(a.check, Record)), None)
        if last is None:
            return
        names = tuple(n for t in piece.of("name") if (n := named(t, last.check.kind, self.text)) is not None)
        if not names and piece.role == "apart" and piece.of("word"):
            names = (Concept(name=_slice(self.text, piece.of("word"))),)
        field = "of" if piece.role == "example" else "apart"
        last.check = last.check.model_copy(update={field: tuple(dict.fromkeys((*getattr(last.check, field), *names)))})

    def _define(self, piece: Segment) -> None:
        """ "Renal impairment, defined as eGFR < 30": what is measured stands for what it defines."""
        checks = _Piece(self, 0, piece).checks() if piece.of("limit", "finding") else []
        measured = [c for c in checks if isinstance(c, Measurement)]
        if not measured:
            self._bounds_before(piece)
            return
        joined = [Atom(joint="" if n == 0 and not self.out else "with", check=c) for n, c in enumerate(measured)]
        if self.out and isinstance(self.out[-1].check, Record | Reader | _Waiting):
            joined[0].joint, joined[0].negated = self.out[-1].joint, self.out[-1].negated
            self.out.pop()
        elif self.out and piece.joint in ("and", "or"):
            joined[0].joint = piece.joint
        self.out += joined

    def _bracket(self, inside: str) -> None:
        """What stands in brackets: a definition, examples, a time, or another name for the same."""
        content, examples = _EXAMPLES.subn("", inside)
        if _IGNORED.match(inside) or not self.out:
            return
        text, tokens = lex(content)
        limits = [t for t in tokens if t.kind in ("limit", "age")]
        names = [t for t in tokens if t.kind == "name"]
        last = self.out[-1]
        if limits:
            inner = _Reading(text, ()).of(text, content)
            if (
                inner
                and isinstance(last.check, Record | Reader)
                and all(isinstance(a.check, Measurement) for a in inner)
            ):
                inner[0].joint, inner[0].negated = last.joint, last.negated
                self.out[-1:] = inner
        elif any(t.kind == "time" for t in tokens):
            last.at(next(t.value for t in tokens if t.kind == "time"))
        elif names and isinstance(last.check, Record):
            more = tuple(n for t in names if (n := named(t, last.check.kind, text)) is not None)
            known = {e.id for c in last.check.of for e in meanings(c.name, last.check.kind)}
            if examples or not known:
                last.check = last.check.model_copy(update={"of": tuple(dict.fromkeys((*last.check.of, *more)))})
        elif isinstance(last.check, Record | Measurement) and any(t.kind == "word" for t in tokens) and not examples:
            doubt = inside.strip()[:200]
            last.check = last.check.model_copy(update={"doubts": (*last.check.doubts, doubt)})

    @staticmethod
    def of(text: str, content: str) -> list[Atom]:
        """The atoms of a text by itself."""
        from agent.trials.segments import segments

        inner, tokens = lex(content)
        return read(inner, segments(inner, tokens, "exclusion"), "exclusion")


@dataclass(kw_only=True)
class _Waiting:
    """A lab whose comparison has not come yet."""

    of: tuple[Concept, ...]


class _Piece:
    """One segment, read."""

    def __init__(self, reading: _Reading, at: int, piece: Segment) -> None:
        self._whole, self._at, self._piece = reading, at, piece
        self._text = reading.text
        self._limits = _limits(piece.of("limit"))
        self._doubts: list[str] = []

    def checks(self) -> list[Any]:
        """The checks in it; more than one where names stand side by side."""
        out = [*self._people(), *self._names()]
        if self._whole._by_sex and self._limits and not any(isinstance(c, Measurement) for c in out):
            out += [
                a.check.model_copy(update={"limits": self._limits})
                for a in self._whole.out
                if isinstance(a.check, Measurement)
            ][-1:]
        self._doubts += _runs(self._text, self._piece.of("word"))
        records = [i for i, c in enumerate(out) if isinstance(c, Record | Measurement)]
        if records and self._doubts:
            last = records[-1]
            out[last] = out[last].model_copy(update={"doubts": tuple(d[:200] for d in dict.fromkeys(self._doubts))})
        elif self._doubts and out and not any(isinstance(c, _Waiting) for c in out):
            out.append(Reader(why=" … ".join(self._doubts)[:200]))
        elif self._doubts and not out:
            out += self._unknown()
        return out

    def _people(self) -> list[Any]:
        """Age, sex, smoking."""
        piece, out = self._piece, list[Any]()
        women = any(e.id in _OF_WOMEN for t in piece.of("name") for e in t.value)
        wanted = [
            t.value for t in piece.of("sex") if not women and (t.value == "both" or t.value in self._whole._sexes)
        ]
        if self._whole._by_sex:
            out += [Sex(of=(s,)) for s in dict.fromkeys(wanted)]
        elif len(self._whole._sexes) == 2 and wanted and not any(isinstance(a.check, Sex) for a in self._whole.out):
            out.append(Sex(of=("female", "male")))
        elif len(self._whole._sexes) == 1 and wanted:
            out.append(Sex(of=(wanted[0],)))
        if ages := _limits(piece.of("age")):
            unit = next((x.unit for x in ages if x.unit), "years")
            out.append(Age(limits=_with_unit(ages, unit)))
        elif piece.of("adult") and not self._whole._aged:
            out.append(Age(limits=_ADULT[piece.of("adult")[0].value]))
        out += [Smoking(of=t.value) for t in piece.of("smoking")]
        return out

    def _names(self) -> list[Any]:
        out: list[Any] = []
        related = False
        for token in self._piece.tokens:
            if token.kind == "relation":
                related = bool(out)
            elif token.kind == "name" and related:
                self._doubts.append(self._text[token.start : token.end])
            elif token.kind == "name":
                out += self._named(token)
            elif token.kind == "stages" and out and isinstance(out[-1], Record):
                out[-1] = _staged(out[-1], *token.value) or out[-1].model_copy(
                    update={"doubts": (self._text[token.start : token.end],)}
                )
        return _narrowest(out)

    def _named(self, token: Token) -> list[Any]:
        piece = self._piece
        kind = self._kind(token)
        concept = named(token, kind, self._text)
        if concept is None:
            return []
        self._whole.written = " ".join(
            w for w in self._text[token.start : token.end].split() if w.lower() not in ("the", "a", "an")
        )
        if kind == "measurement":
            return self._measured(concept)
        if {e.id for e in token.value if e.kind == "condition"} == {"pregnancy"} and kind == "condition":
            if piece.then != "ever" and not piece.of("time"):
                return [Pregnancy()]
        self._doubts += _graded(token, concept, self._text)
        return [_record(piece, kind, concept)]

    def _measured(self, concept: Concept) -> list[Any]:
        piece = self._piece
        which: Literal["latest", "any"] = "any" if piece.of("any") and not piece.of("latest") else "latest"
        amounts = [t.value for t in piece.of("limit")]
        if amounts and amounts[0].second:
            return list(_pressures(amounts[0], which))
        beside = [t for t in piece.of("name") if any(e.kind == "lab" and not e.attributes.get("unit") for e in t.value)]
        if (
            len(piece.of("name")) > 1
            and any(named(t, "measurement", self._text) == concept for t in beside)
            and len(beside) < len(piece.of("name"))
        ):
            return []  # a panel beside the analyte: "hemoglobin on the last blood count"
        if self._limits:
            return [
                Measurement(
                    of=(concept,),
                    limits=_with_unit(self._limits, next((x.unit for x in self._limits if x.unit), "")),
                    which=which,
                )
            ]
        if findings := piece.of("finding"):
            return [Measurement(of=(concept,), finding=findings[0].value, which=which)]
        if self._comes():
            return [_Waiting(of=(concept,))]
        self._doubts.append(concept.name)
        return []

    def _comes(self) -> bool:
        """Whether a later segment of the list has the comparison."""
        rest = self._whole.pieces[self._at + 1 :]
        return any(s.of("limit") for s in rest)

    def _kind(self, token: Token) -> str:
        """The kind of record: what a comparison or a cue says, as far as the name can mean it; else the likeliest."""
        kinds = {k for e in token.value for k, lexical in _KINDS if e.kind in lexical}
        said = self._piece.kind
        if "measurement" in kinds and (
            self._limits or self._piece.of("finding") or (self._comes() and not kinds - {"measurement", "allergy"})
        ):
            return "measurement"
        if said in ("allergy", "family"):
            return said
        if said == "immunization" and any(e.kind in ("vaccine", "condition") for e in token.value):
            return said
        if said in kinds:
            return said
        return next((k for k, _ in _KINDS if k in kinds), "condition")

    def _unknown(self) -> list[Any]:
        """A name that the lexicon lacks, as written; "B" of "hepatitis A or B" with the words that it shares."""
        piece = self._piece
        if self._whole.out and isinstance(self._whole.out[-1].check, NoChart):
            return []
        phrase = _slice(self._text, piece.of("word")) or " ".join(self._doubts)
        if self._limits:
            return [Measurement(of=(Concept(name=phrase[:120]),), limits=self._limits)]
        if shared := self._shared(_phrase(self._text, piece)):
            return [shared]
        if not re.search(r"[A-Za-z]{3}", phrase):
            return [Reader(why=phrase[:200])]
        return [_record(piece, piece.kind or "condition", Concept(name=phrase[:120]))]

    def _shared(self, phrase: str) -> Any:
        """The end of the name before with this in place of its last word, or this with the end of the name to come."""
        words = phrase.split()
        last = self._whole.out[-1].check if self._whole.out else None
        if isinstance(last, Record) and 0 < len(words) <= 2:
            stem = self._whole.written.split()
            for tail in range(1, len(stem)):
                name = " ".join((*stem[:-tail], *words))
                if meanings(name, last.kind):
                    return last.model_copy(update={"of": (Concept(name=_settled(name, last.kind)),), "doubts": ()})
        following = self._whole.pieces[self._at + 1 :]
        token = next((t for s in following[:1] for t in s.of("name")), None)
        if token is not None:
            stem = self._text[token.start : token.end].split()
            for head in range(1, len(stem) + 1):
                if found := lexicon().lookup(
                    " ".join((*words, *stem[head:])), ("condition", "drug", "drug_class", "procedure")
                ):
                    if head < len(stem):
                        kind = next(k for k, lexical in _KINDS if found[0].kind in lexical)
                        return _record(self._piece, kind, Concept(name=found[0].label))
        return None


def _staged(record: Record, low: int, high: int) -> Record | None:
    """The stages of a condition, where the lexicon has them."""
    names = (f"{record.of[0].name} stage {n}" for n in range(low, high + 1))
    known = [m[0].label for name in names if (m := meanings(name, record.kind))]
    return record.model_copy(update={"of": tuple(Concept(name=n) for n in dict.fromkeys(known))}) if known else None


def _narrowest(out: list[Any]) -> list[Any]:
    """Two names of one drug side by side, a class and what it is a kind of ("opioid analgesic"): the narrower."""
    kept: list[Any] = []
    for check in out:
        if (
            kept
            and isinstance(check, Record)
            and isinstance(kept[-1], Record)
            and check.kind == kept[-1].kind == "medication"
        ):
            before = {p for e in meanings(kept[-1].of[0].name, check.kind) for p in e.parents}
            if before & {e.id for e in meanings(check.of[0].name, check.kind)}:
                continue
        kept.append(check)
    return kept


def _phrase(text: str, piece: Segment) -> str:
    """All the words of a segment but its cues."""
    out = text[: piece.end]
    for token in piece.of("cue", "time", "bracket"):
        out = out[: token.start] + " " * (token.end - token.start) + out[token.end :]
    return " ".join(out[piece.start :].split()).strip(" .")


_GRADE = re.compile(r"\b(?:severe|mild|moderate|morbid|stage \w+|class \w+)\b", re.IGNORECASE)


def _graded(token: Token, concept: Concept, text: str) -> list[str]:
    """A degree that the lexicon has among a name's synonyms and that its records need not have ("severe asthma")."""
    said = _GRADE.findall(text[token.start : token.end])
    return [x for x in said if x.lower() not in concept.name.lower()]


def _record(piece: Segment, kind: str, concept: Concept) -> Record:
    state = ""
    if kind == "condition":
        state = piece.state
    elif kind == "medication":
        state = "" if piece.then == "ever" and piece.state != "active" else "current"
    elif kind == "allergy" and piece.state == "active":
        state = "active"
    return Record(kind=kind, of=(concept,), state=state)  # type: ignore[arg-type]


def named(token: Token, kind: str, text: str) -> Concept | None:
    """The name as the lexicon has it in that kind of record; as written where it means several things or none there."""
    written = " ".join(text[token.start : token.end].split())
    written = " ".join(w for w in written.split() if w.lower() not in ("the", "a", "an"))
    return Concept(name=_settled(written, kind)[:120]) if written else None


def _settled(written: str, kind: str) -> str:
    known = meanings(written, kind)
    one = len({e.id for e in known}) == 1 and meanings(known[0].label, kind) and not narrowing(written, known[0])
    return known[0].label if one else written


def _pressures(amount: Any, which: Literal["latest", "any"]) -> list[Any]:
    """A blood pressure's two numbers: above either, or below both."""
    from agent.trials.checks import All, Any_

    parts = tuple(
        Measurement(of=(Concept(name=name),), limits=limits, which=which)
        for name, limits in (("Systolic blood pressure", amount.limits), ("Diastolic blood pressure", amount.second))
    )
    return [Any_(of=parts) if ">" in amount.limits[0].sign else All(of=parts)]


def _limits(tokens: Sequence[Token]) -> tuple[Limit, ...]:
    return tuple(limit for t in tokens for limit in t.value.limits)


def _with_unit(limits: Sequence[Limit], unit: str) -> tuple[Limit, ...]:
    """The limits, those without a unit in that of the others."""
    return tuple(x if x.unit else Limit(sign=x.sign, value=x.value, unit=unit) for x in limits)


def _slice(text: str, tokens: Sequence[Token]) -> str:
    return " ".join(text[tokens[0].start : tokens[-1].end].split()) if tokens else ""


def _runs(text: str, tokens: Sequence[Token]) -> list[str]:
    """Words that stand side by side, as phrases."""
    out: list[list[Token]] = []
    for token in tokens:
        if out and not text[out[-1][-1].end : token.start].strip(" -/"):
            out[-1].append(token)
        else:
            out.append([token])
    return [_slice(text, run) for run in out]
