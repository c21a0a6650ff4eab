"""One segment of a criterion, read: its names, its person words, its comparisons; what nothing explains are doubts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.trials.amounts import Amount
from agent.trials.checks import (
    Age,
    All,
    Any_,
    Concept,
    Limit,
    Measurement,
    NoChart,
    Not,
    Period,
    Pregnancy,
    Reader,
    Record,
    Sex,
    Smoking,
)
from agent.trials.lexing import Token
from agent.trials.names import meanings, narrowing
from agent.trials.periods import COUNTS, Time
from agent.trials.segments import Joint, Segment
from fhir_tools.lexicon import lexicon

__all__ = ["COUNTABLE", "Atom", "Context", "Piece", "Waiting", "limits_of", "named", "sliced", "with_unit"]

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

COUNTABLE = frozenset(("encounter", "procedure", "condition", "immunization"))
"""The kinds of record of which a criterion can ask for several."""
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_OF_WOMEN = frozenset(("pregnancy", "breastfeeding", "menopause"))
_ADULT = {"adult": (Limit(sign=">=", value=18, unit="years"),), "minor": (Limit(sign="<", value=18, unit="years"),),
          "teen": (Limit(sign=">=", value=12, unit="years"), Limit(sign="<", value=18, unit="years"))}  # fmt: skip


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
            self.check = _free_for(check, time) if self.negated and time.lasting else _timed(check, time)
        elif isinstance(check, Smoking):
            self.check = _smoked(check, time)
        elif isinstance(check, Not) and isinstance(check.of, Record):
            self.check = Not(of=_timed(check.of, time))


def _smoked(check: Smoking, time: Time) -> Any:
    """A smoking status at a time: charts tell when it was asked, not when somebody stopped."""
    when = Reader(why=f"whether somebody smoked {time.period or f'for {time.lasting}'}")
    if check.of == ("current",) and time.period and time.period.within:
        return Any_(of=(check, All(of=(Smoking(of=("former",)), when))))
    return All(of=(check, when))


def _free_for(check: Record, time: Time) -> Record:
    """What must not have been for so long: "free of cancer for at least 5 years" is none within 5 years."""
    state = check.state if check.kind != "medication" else ""
    return check.model_copy(update={"period": Period(within=time.lasting), "state": state})


def _timed(check: Record, time: Time) -> Record:
    if time.lasting:
        if check.kind == "medication":
            return check.model_copy(update={"lasting": time.lasting, "state": "current"})
        return check.model_copy(update={"period": Period(before=time.lasting)})
    state = check.state if check.kind != "medication" else ""  # taken within the time, whether or not it still is
    doubts = tuple(d for d in check.doubts if d.lower() not in ("recent", "recently"))  # the time says how recent
    return check.model_copy(update={"period": time.period, "state": state, "doubts": doubts})


@dataclass(kw_only=True)
class Context:
    """What a segment needs to know of its statement: the text, all segments, what was read, the words of the last name.

    `sexes` are those that the statement is of; `by_sex` is whether it gives each sex its own comparison; `aged` whether
    it names an age.
    """

    text: str
    pieces: Sequence[Segment]
    out: list[Atom] = field(default_factory=list)
    written: str = ""
    sexes: frozenset[str] = frozenset()
    by_sex: bool = False
    aged: bool = False


@dataclass(kw_only=True)
class Waiting:
    """A lab whose comparison has not come yet."""

    of: tuple[Concept, ...]


class Piece:
    """One segment, read."""

    def __init__(self, whole: Context, at: int, piece: Segment) -> None:
        self._whole, self._at, self._piece = whole, at, piece
        self._text = whole.text
        self._limits = limits_of(piece.of("limit"))
        self._doubts: list[str] = []

    def checks(self) -> list[Any]:
        """The checks in it; more than one where names stand side by side."""
        out = [*self._people(), *self._names()]
        if self._whole.by_sex and self._limits and not any(isinstance(c, Measurement) for c in out):
            out += [
                a.check.model_copy(update={"limits": self._limits})
                for a in self._whole.out
                if isinstance(a.check, Measurement)
            ][-1:]
        self._doubts += _runs(self._text, self._piece.of("word"))
        out = self._counted(out)
        if self._limits and not any(isinstance(c, Measurement | All | Any_) for c in out) and out:
            self._doubts += [self._text[t.start : t.end].strip() for t in self._piece.of("limit")]
        if not out and not self._doubts and (shared := self._shared(self._last_word())):
            return [shared]
        records = [i for i, c in enumerate(out) if isinstance(c, Record | Measurement)]
        if records and self._doubts:
            last = records[-1]
            out[last] = out[last].model_copy(update={"doubts": tuple(d[:200] for d in dict.fromkeys(self._doubts))})
        elif self._doubts and out and not any(isinstance(c, Waiting) for c in out):
            out.append(Reader(why=" … ".join(self._doubts)[:200]))
        elif self._doubts and not out:
            out += self._unknown()
        return out

    def _counted(self, out: list[Any]) -> list[Any]:
        """How often something must have been: "more than 2 hospitalizations", "two or more exacerbations"."""
        name = max((t.start for t in self._piece.of("name", "word")), default=0)
        said = self._piece.of("count")
        limit = next((x for t in said for x in t.value.limits), self._limits[0] if len(self._limits) == 1 else None)
        last = out[-1] if out else None
        counts = isinstance(last, Record) and last.kind in COUNTABLE
        least = int(limit.value) + (limit.sign in (">", "<=")) if limit else 0
        late = any(t.start > name for t in (*said, *self._piece.of("limit")))
        if (
            late
            or last is None
            or limit is None
            or limit.unit
            or limit.value != int(limit.value)
            or not counts
            or least < 1
        ):
            self._doubts += [self._text[t.start : t.end] for t in said]
            return out
        self._limits = ()
        told = last.model_copy(update={"least": least})
        return [*out[:-1], told if limit.sign in (">", ">=", "=") else Not(of=told)]

    def _people(self) -> list[Any]:
        """Age, sex, smoking."""
        piece, out = self._piece, list[Any]()
        women = any(e.id in _OF_WOMEN for t in piece.of("name") for e in t.value)
        wanted = [t.value for t in piece.of("sex") if not women and (t.value == "both" or t.value in self._whole.sexes)]
        if self._whole.by_sex:
            out += [Sex(of=(s,)) for s in dict.fromkeys(wanted)]
        elif len(self._whole.sexes) == 2 and wanted and not any(isinstance(a.check, Sex) for a in self._whole.out):
            out.append(Sex(of=("female", "male")))
        elif len(self._whole.sexes) == 1 and wanted:
            out.append(Sex(of=(wanted[0],)))
        if ages := limits_of(piece.of("age")):
            unit = next((x.unit for x in ages if x.unit), "years")
            out.append(Age(limits=with_unit(ages, unit)))
        elif piece.of("adult") and not self._whole.aged:
            out.append(Age(limits=_ADULT[piece.of("adult")[0].value]))
        out += [Smoking(of=t.value) for t in piece.of("smoking")]
        return out

    def _names(self) -> list[Any]:
        out: list[Any] = []
        related = ""
        for token in self._piece.tokens:
            if token.kind == "relation":
                related = self._text[token.start : token.end] if out else ""
            elif token.kind == "name" and related:
                self._doubts.append(f"{related} {self._text[token.start : token.end]}")
            elif token.kind == "name":
                out += self._named(token, out)
            elif token.kind == "cue" and token.value.kind == "medication" and self._is_treated(out):
                self._doubts.append(self._text[token.start : token.end])
        for token in self._piece.of("stages"):
            staged = _staged(out[-1], *token.value) if out and isinstance(out[-1], Record) else None
            if staged:
                out[-1] = staged
            else:
                self._doubts.append(self._text[token.start : token.end])
        return _narrowest(out)

    def _is_treated(self, out: Sequence[Any]) -> bool:
        """Whether a drug's cue behind a condition asks for some treatment of it: "epilepsy requiring medication"."""
        drugs = [t for t in self._piece.of("name") if any(e.kind in ("drug", "drug_class") for e in t.value)]
        return bool(out) and isinstance(out[-1], Record) and out[-1].kind == "condition" and not drugs

    def _named(self, token: Token, before: Sequence[Any]) -> list[Any]:
        piece = self._piece
        kind = self._kind(token)
        concept = named(token, kind, self._text)
        if concept is None:
            return []
        self._whole.written = " ".join(
            w
            for w in _BRACKETED.sub(" ", self._text[token.start : token.end]).split()
            if w.lower() not in ("the", "a", "an")
        )
        if kind == "measurement":
            return self._measured(concept)
        pregnant = kind == "condition" and {e.id for e in token.value if e.kind == "condition"} == {"pregnancy"}
        if pregnant and piece.then != "ever" and not piece.of("time"):
            return [Pregnancy()]
        if concept.name == "Procedure" and not any(isinstance(c, Record) and c.kind == "procedure" for c in before):
            self._doubts.append(self._whole.written)  # which of them are operations, and of what kind, no rule knows
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
                    limits=with_unit(self._limits, next((x.unit for x in self._limits if x.unit), "")),
                    which=which,
                )
            ]
        if findings := piece.of("finding"):
            return [Measurement(of=(concept,), finding=findings[0].value, which=which)]
        if self._comes():
            return [Waiting(of=(concept,))]
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
        phrase = sliced(self._text, piece.of("word")) or " ".join(dict.fromkeys(self._doubts))
        if self._limits:
            return [Measurement(of=(Concept(name=phrase[:120]),), limits=self._limits)]
        if shared := self._shared(_phrase(self._text, piece)):
            return [shared]
        if (
            piece.of("name") and piece.kind != "medication"
        ):  # a score or a lab without a comparison that rules can read: "ASA class I-III"
            return [Reader(why=" … ".join(self._doubts)[:200])]
        if not re.search(r"[A-Za-z]{3}", phrase) or phrase.lower() in COUNTS:
            return [Reader(why=phrase[:200])]
        return [_record(piece, piece.kind or "condition", Concept(name=phrase[:120]))]

    def _last_word(self) -> str:
        """The last word of a segment that holds nothing but cues: "drug" of "drug or alcohol abuse"."""
        said = self._text[self._piece.start : self._piece.end].split()
        return said[-1].lower() if said and self._piece.of("cue") else ""

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
        if token is not None and words:
            stem = self._text[token.start : token.end].split()
            kinds = ("condition", "drug", "drug_class", "procedure")
            for head in range(1, len(stem)):
                name = " ".join((*words, *stem[head:]))
                if found := lexicon().lookup(name, kinds):
                    kind = next(k for k, lexical in _KINDS if found[0].kind in lexical)
                    return _record(self._piece, kind, Concept(name=_settled(name, kind)))
        return None


def _staged(record: Record, low: int, high: int) -> Record | None:
    """The stages of a condition, where the lexicon has them."""
    names = (f"{record.of[0].name} stage {n}" for n in range(low, high + 1))
    known = [m[0].label for name in names if (m := meanings(name, record.kind))]
    return record.model_copy(update={"of": tuple(Concept(name=n) for n in dict.fromkeys(known))}) if known else None


_FORMS = {"condition": ("infection",), "medication": ("injection", "infusion", "injections", "iv infusion")}
"""Words behind a name that say no more than it does, by the kind of what they follow: "hepatitis C infection"."""


def _narrowest(out: list[Any]) -> list[Any]:
    """Names side by side that are one: a class and what it is a kind of ("opioid analgesic"), a name and a form."""
    kept: list[Any] = []
    for check in out:
        last = kept[-1] if kept else None
        if isinstance(check, Record) and isinstance(last, Record) and _is_same(last, check):
            continue
        kept.append(check)
    return kept


def _is_same(first: Record, second: Record) -> bool:
    if second.of[0].name.lower() in _FORMS.get(first.kind, ()) or (first.kind, second.of[0].name) == (
        "procedure",
        "Procedure",
    ):
        return True
    before = {p for e in meanings(first.of[0].name, first.kind) for p in e.parents}
    wider = {e.id for e in meanings(second.of[0].name, second.kind)}
    return first.kind == second.kind == "medication" and bool(before & wider)


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
    return Record(kind=kind, of=(concept,), state=state)


def named(token: Token, kind: str, text: str) -> Concept | None:
    """The name as the lexicon has it in that kind of record; as written where it means several things or none there."""
    written = " ".join(_BRACKETED.sub(" ", text[token.start : token.end]).split())
    written = " ".join(w for w in written.split() if w.lower() not in ("the", "a", "an"))
    if written.lower().startswith("non-") and not meanings(written, kind):
        written = written[4:]  # one word to the reader of words, and its denial is read as one
    return Concept(name=_settled(written, kind)[:120]) if written else None


def _settled(written: str, kind: str) -> str:
    known = meanings(written, kind)
    one = len({e.id for e in known}) == 1 and meanings(known[0].label, kind) and not narrowing(written, known[0])
    return known[0].label if one else written


def _pressures(amount: Amount, which: Literal["latest", "any"]) -> list[Any]:
    """A blood pressure's two numbers: above either, or below both."""
    parts = tuple(
        Measurement(of=(Concept(name=name),), limits=limits, which=which)
        for name, limits in (("Systolic blood pressure", amount.limits), ("Diastolic blood pressure", amount.second))
    )
    return [Any_(of=parts) if ">" in amount.limits[0].sign else All(of=parts)]


def limits_of(tokens: Sequence[Token]) -> tuple[Limit, ...]:
    return tuple(limit for t in tokens for limit in t.value.limits)


def with_unit(limits: Sequence[Limit], unit: str) -> tuple[Limit, ...]:
    """The limits, those without a unit in that of the others."""
    return tuple(x if x.unit else Limit(sign=x.sign, value=x.value, unit=unit) for x in limits)


def sliced(text: str, tokens: Sequence[Token]) -> str:
    return " ".join(text[tokens[0].start : tokens[-1].end].split()) if tokens else ""


def _runs(text: str, tokens: Sequence[Token]) -> list[str]:
    """Words that stand side by side, as phrases."""
    out: list[list[Token]] = []
    for token in tokens:
        if out and not text[out[-1][-1].end : token.start].strip(" -/"):
            out[-1].append(token)
        else:
            out.append([token])
    return [sliced(text, run) for run in out]
