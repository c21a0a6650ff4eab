"""One segment of a criterion, read: its names, its person words, its comparisons; what nothing explains are doubts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

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
from agent.trials.names import meanings
from agent.trials.periods import COUNTS, Time
from agent.trials.segments import Joint, Segment
from agent.trials.terms import (
    graded,
    limits_of,
    named,
    narrowest,
    phrase_of,
    pressures,
    record_of,
    runs,
    settled,
    sliced,
    staged,
    with_unit,
)
from fhir_tools.lexicon import lexicon

__all__ = ["COUNTABLE", "Atom", "Context", "Piece", "Waiting"]

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
_DEGREE = re.compile(r"severe|moderate|mild|significant|uncontrolled|unstable|advanced|untreated", re.IGNORECASE)
_EXISTS = re.compile(
    r"\b(?:documented|available|recorded|measured|measurements?|results?|readings?|values?|performed|obtained|drawn)\b",
    re.IGNORECASE,
)
"""That there is a result, whatever it says: "documented hemoglobin A1c within 3 months"."""
_OF_WOMEN = frozenset(("pregnancy", "breastfeeding", "menopause"))
_ADULT = {"adult": (Limit(sign=">=", value=18, unit="years"),), "minor": (Limit(sign="<", value=18, unit="years"),),
          "teen": (Limit(sign=">=", value=12, unit="years"), Limit(sign="<", value=18, unit="years"))}  # fmt: skip


@dataclass(kw_only=True)
class Atom:
    """One check while the statement is read.

    `stable`: whether a time is of an unchanged dose. `state`: what its cues say, before a time replaced it. `ever`:
    whether it begins anew with "history of". `close`: whether a bare "or" joins it. `degree`: what is said in front of
    its name ("uncontrolled"). `used`: whether words say the use of a drug. `perhaps`: a time that may be meant.
    `excepted` are names that are not meant where some words hold.
    """

    joint: Joint
    check: Any
    negated: bool = False
    time: Time | None = None
    stable: bool = False
    state: str = ""
    ever: bool = False
    close: bool = False
    used: bool = False
    perhaps: Time | None = None
    degree: str = ""
    excepted: list[tuple[tuple[Concept, ...], str]] = field(default_factory=list)

    def at(self, time: Time) -> None:
        """The check with the time. A length that a condition has lasted is how long ago it began."""
        self.time = time
        self.check = self._at(self.check, time)

    def __post_init__(self) -> None:
        self.state = getattr(self.check, "state", "")

    def _at(self, check: Any, time: Time) -> Any:
        if isinstance(check, Measurement):
            said = {"period": time.period} if time.period else {"doubts": (*check.doubts, f"for {time.lasting}")}
            return check.model_copy(update=said)
        if isinstance(check, Record):
            free = self.negated and time.lasting and not self.stable
            return _free_for(check, time) if free else _timed(check, time)
        if isinstance(check, Smoking):
            return _smoked(check, time)
        if isinstance(check, Not):
            return Not(of=self._at(check.of, time))
        if isinstance(check, All | Any_):
            return type(check)(of=tuple(self._at(part, time) for part in check.of))
        return check

    def whole(self) -> Any:
        """The check, with what is excepted only where its words hold: "except adequately treated skin cancer"."""
        if self.perhaps is not None:
            timed, why = self._at(self.check, self.perhaps), Reader(why="whether the time is asked of this too")
            return Any_(of=(timed, All(of=(self.check, why))))
        if not self.excepted or not isinstance(self.check, Record):
            return self.check
        others = tuple(
            All(of=(self.check.model_copy(update={"of": names, "apart": ()}), Reader(why=f"not {words}"[:200])))
            for names, words in self.excepted
        )
        return Any_(of=(self.check, *others))


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
    doubts = tuple(d for d in check.doubts if d.lower() not in ("recent", "recently", "newly"))  # the time says it
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
        self._doubts += runs(self._text, self._piece.of("word"))
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
        counts_drugs = any(
            t.value.kind == "medication" and c.start < t.start < name
            for t in self._piece.of("cue")
            for c in (*said, *self._piece.of("limit"))
        )  # "more than three drugs for hypertension"
        late = counts_drugs or any(t.start > name for t in (*said, *self._piece.of("limit")))
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
            known = staged(out[-1], *token.value) if out and isinstance(out[-1], Record) else None
            if known:
                out[-1] = known
            else:
                self._doubts.append(self._text[token.start : token.end])
        return narrowest(out)

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
        if pregnant and piece.then != "ever" and not piece.of("time", "count"):
            return [Pregnancy()]
        if concept.name == "Procedure" and not any(isinstance(c, Record) and c.kind == "procedure" for c in before):
            self._doubts.append(self._whole.written)  # which of them are operations, and of what kind, no rule knows
        self._doubts += graded(token, concept, self._text)
        return [record_of(piece, kind, concept)]

    def _measured(self, concept: Concept) -> list[Any]:
        piece = self._piece
        which: Literal["latest", "any"] = "any" if piece.of("any") and not piece.of("latest") else "latest"
        amounts = [t.value for t in piece.of("limit")]
        if amounts and amounts[0].second:
            return list(pressures(amounts[0], which))
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
        last = self._whole.out[-1].check if self._whole.out and piece.joint in ("or", "and") else None
        if isinstance(last, Measurement) and last.finding:  # "positive for hepatitis B surface antigen or HIV"
            return [last.model_copy(update={"of": (concept,), "doubts": ()})]
        if self._comes():
            return [Waiting(of=(concept,))]
        if _EXISTS.search(self._text, piece.start, piece.end):
            return [Measurement(of=(concept,), finding="recorded", which="any")]
        self._doubts.append(concept.name)
        return []

    def _comes(self) -> bool:
        """Whether a later segment of the list has the comparison."""
        rest = self._whole.pieces[self._at + 1 :]
        return any(s.of("limit", "finding") for s in rest)

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
        whole = phrase_of(self._text, piece)
        if shared := self._shared(whole):
            return [shared]
        degree, _, rest = whole.partition(" ")  # "severe renal or hepatic impairment"
        if rest and _DEGREE.fullmatch(degree) and (shared := self._shared(rest)):
            return [shared.model_copy(update={"doubts": (*shared.doubts, degree)})]
        if (
            piece.of("name") and piece.kind != "medication"
        ):  # a score or a lab without a comparison that rules can read: "ASA class I-III"
            return [Reader(why=" … ".join(self._doubts)[:200])]
        if not re.search(r"[A-Za-z]{3}", phrase) or phrase.lower() in COUNTS:
            return [Reader(why=phrase[:200])]
        return [record_of(piece, piece.kind or "condition", Concept(name=phrase[:120]))]

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
                    return last.model_copy(update={"of": (Concept(name=settled(name, last.kind)),), "doubts": ()})
        following = self._whole.pieces[self._at + 1 :]
        between = next((n for n, s in enumerate(following[:6]) if s.of("name")), 0)
        bare = all(s.of("word") and not s.of("limit", "time") for s in following[:between])
        token = next((t for s in following[between : between + 1] for t in s.of("name")), None) if bare else None
        if token is not None and words:
            stem = self._text[token.start : token.end].split()
            kinds = ("condition", "drug", "drug_class", "procedure")
            for head in range(len(stem) > 1, len(stem)):
                name = " ".join((*words, *stem[head:]))
                if found := lexicon().lookup(name, kinds):
                    kind = next(k for k, lexical in _KINDS if found[0].kind in lexical)
                    return record_of(self._piece, kind, Concept(name=settled(name, kind)))
        return None
