"""Segments of a criterion → the single checks in it, each with its connector, its negation and its time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agent.trials.brackets import Brackets, is_ignored
from agent.trials.checks import MOST_LIMITS, Age, Measurement, NoChart, Reader, Record, Sex
from agent.trials.lexing import lex
from agent.trials.names import meanings
from agent.trials.periods import Time
from agent.trials.pieces import Atom, Context, Piece, Waiting
from agent.trials.segments import Segment, segments
from agent.trials.senses import (
    are_same,
    contraindicated,
    degree_of,
    is_other,
    is_plan,
    is_vaccination,
    reported,
    vaccinated,
)
from agent.trials.terms import limits_of, named, sliced, with_unit

__all__ = ["read"]

_STABLE = re.compile(r"\b(?:stable|unchanged|constant)\b", re.IGNORECASE)
_DEFINED = re.compile(r"\b(?:defined\s+(?:as|by)|i\.?\s?e\.?,?|that\s+is,?|meaning|namely)\s*$", re.IGNORECASE)


def _is_negated(piece: Segment, check: Any, beside: Sequence[Any]) -> bool:
    """A negation beside a name is of the name: "non-pregnant women aged 18 or older"."""
    others = any(not isinstance(c, Age | Sex) for c in beside)
    return piece.negated and not (isinstance(check, Age | Sex) and others)


def read(text: str, pieces: Sequence[Segment]) -> list[Atom]:
    """The atoms of the segments in order."""
    reader = _Reading(text, pieces)
    for at, piece in enumerate(pieces):
        reader.take(at, piece)
    for atom in reader.out:
        if isinstance(atom.check, Waiting):
            atom.check = Reader(why=f"{atom.check.of[0].name}: no comparison that rules can read"[:200])
    return reader.out


def _context(text: str, pieces: Sequence[Segment]) -> Context:
    """What segments need to know of the whole. Both sexes together say nothing, unless each has its own comparison."""
    said = [t.value for s in pieces for t in s.of("sex")]
    sexes = frozenset(said) - {"both"} | (frozenset(("female", "male")) if "both" in said else frozenset())
    alone = not any(s.of("name", "age", "word", "smoking") for s in pieces)
    by_sex = len(sexes) == 2 and sum(bool(s.of("sex") and s.of("limit", "age")) for s in pieces) > 1
    return Context(
        text=text,
        pieces=pieces,
        sexes=sexes if len(sexes) == 1 or alone or by_sex else frozenset(),
        by_sex=by_sex,
        aged=any(s.of("age") for s in pieces),
    )


class _Reading(Brackets):
    """What has been read of one statement so far."""

    def __init__(self, text: str, pieces: Sequence[Segment]) -> None:
        self._context = _context(text, pieces)
        self.text, self.out = text, self._context.out
        self._waiting: list[Atom] = []
        self._time: Time | None = None
        self._headed: bool | None = None
        self._defined = False
        self._listed = False

    def take(self, at: int, piece: Segment) -> None:
        """Read the next segment."""
        if len(limits_of(piece.of("limit", "age"))) > MOST_LIMITS:
            self.out.append(Atom(joint=piece.joint if self.out else "", check=Reader(why=self.text.strip()[:200])))
        elif piece.role in ("example", "apart"):
            self._widen(at, piece)
        elif piece.role == "means" and self._is_headed():
            self._define(at, piece)
        elif piece.no_chart and (not piece.of("name", "limit", "age", "smoking") or is_plan(self.text, piece)):
            self._ask(piece)
        elif not self._bounds_before(piece) and not self._only_time(piece):
            self._atoms(at, piece)

    def _inner(self, content: str) -> list[Atom]:
        text, tokens = lex(content)
        return read(text, segments(text, tokens, "exclusion"))

    def _is_headed(self) -> bool:
        """Whether something stands before the colon that what comes defines; else that is a list of its own."""
        if self._headed is None:
            self._headed = bool(self.out)
        return self._headed

    def _atoms(self, at: int, piece: Segment) -> None:
        checks = [reported(c, piece, self.text) for c in Piece(self._context, at, piece).checks()]
        checks = [contraindicated(c, piece, self.text) for c in vaccinated(self.text, piece, checks)]
        for number, check in enumerate(checks):
            joint = piece.joint if number == 0 else "with"
            atom = Atom(
                joint=joint if self.out else "",
                check=check,
                negated=_is_negated(piece, check, checks),
                stable=_STABLE.search(self.text, piece.start, piece.end) is not None,
                ever=any(t.value.tag == "ever" for t in piece.of("cue")),
                used=any(t.value.kind == "medication" and t.value.then for t in piece.of("cue")),
                close=joint == "or" and not self.text[: piece.start].rstrip(" /andor").endswith(","),
                degree=degree_of(self.text, piece, check),
            )
            if self._context.by_sex and isinstance(check, Sex) and atom.joint == "and":
                atom.joint = "or"  # "< 40 for men and < 50 for women"
            self.out.append(atom)
            if isinstance(check, Waiting):
                self._waiting.append(atom)
            for token in piece.of("time"):
                if number == len(checks) - 1 or token.start < min(t.start for t in piece.tokens if t.kind != "cue"):
                    atom.at(token.value)
            if self._time and atom.time is None:
                atom.at(self._time)
        self._settle(piece)
        if piece.no_chart:
            self._also(NoChart(ask=self.text[piece.start : piece.end].strip(" ,;.")[:200]))
        for token in (t for t in piece.of("bracket") if not any(n.start < t.start < n.end for n in piece.of("name"))):
            self._bracket(token.value)

    def _also(self, ask: NoChart) -> None:
        """What no chart holds beside what it does: the words are a doubt of that, or stand for themselves."""
        last = self.out[-1] if self.out else None
        if last is not None and isinstance(last.check, Record | Measurement) and not last.negated:
            last.check = last.check.model_copy(update={"doubts": tuple(dict.fromkeys((*last.check.doubts, ask.ask)))})
        else:
            self.out.append(Atom(joint="with" if self.out else "", check=ask))

    def _settle(self, piece: Segment) -> None:
        """Labs that wait for their comparison ("ALT or AST above …") get that of the next lab."""
        given = next((a.check for a in reversed(self.out) if isinstance(a.check, Measurement)), None)
        given = given if piece.of("limit", "finding") else None
        if given is not None:
            for atom in self._waiting:
                atom.check = given.model_copy(update={"of": atom.check.of})
            self._waiting = []

    def _bounds_before(self, piece: Segment) -> bool:
        """ "… and ≤ 10.5 %": a comparison alone is of what was compared before it."""
        limits = limits_of(piece.of("limit", "age"))
        if not limits or piece.of("name", "sex", "smoking", "adult") or not self.out:
            return False
        last = self.out[-1]
        words, first = piece.of("word"), piece.of("limit", "age")[0]
        spelt = {x.unit for x in (*limits, *getattr(last.check, "limits", ()))}
        if words and not (words[0].start > first.start and isinstance(last.check, Measurement) and len(spelt) == 1):
            return False
        if words and not any(spelt):
            return False
        if not isinstance(last.check, Age | Measurement) or (isinstance(last.check, Measurement) and piece.of("age")):
            return False
        old = last.check.limits
        unit = next((x.unit for x in (*limits, *old) if x.unit), "")
        if piece.joint == "or":
            self.out.append(
                Atom(
                    joint="or", check=last.check.model_copy(update={"limits": with_unit(limits, unit)}), time=last.time
                )
            )
        elif len(old) + len(limits) > MOST_LIMITS:
            last.check = Reader(why=self.text.strip()[:200])
        else:
            last.check = last.check.model_copy(update={"limits": with_unit((*old, *limits), unit)})
        if words:  # "≥ 30 % and < 80 % predicted"
            self._doubt(sliced(self.text, words))
        for token in piece.of("time"):
            self.out[-1].at(token.value)
        for token in piece.of("bracket"):
            self._bracket(token.value)
        return True

    def _only_time(self, piece: Segment) -> bool:
        """ "Within 6 months: …": a time alone is of what comes, or of what was just said."""
        given = piece.of("time")
        if not given or any(t.kind not in ("time", "cue", "latest", "comma") for t in piece.tokens):
            return False
        if is_vaccination(piece):
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
        who = {t.value for t in piece.of("sex")} - {"both"}
        asked = Atom(joint=piece.joint if self.out else "", check=NoChart(ask=said or self.text[:200]))
        if len(who) == 1 and self.out and not piece.negated:  # "…, or women who plan a pregnancy"
            self.out.append(Atom(joint=asked.joint, check=Sex(of=tuple(who))))
            asked.joint = "with"
        self.out.append(asked)

    def _widen(self, at: int, piece: Segment) -> None:
        """Examples are more names for what was said; exceptions are names that are not meant."""
        last = next((a for a in reversed(self.out) if isinstance(a.check, Record)), None)
        if last is None:
            if piece.of("name", "word", "limit", "age"):
                why = self.text[piece.start : piece.end].strip(" ,;.")[:200]
                self.out.append(Atom(joint="with" if self.out else "", check=Reader(why=why)))
            return
        if piece.role == "example":
            self._exemplify(at, piece, last)
        else:
            self._leave_out(piece, last, self.text)
        for token in piece.of("time"):
            if piece.role == "example" or (token.value.period and not token.value.period.before):
                last.at(token.value)
            else:  # "except lap bands removed more than a year ago"
                self._doubt(f"except {self.text[piece.start : piece.end].strip()}", last)
        for token in piece.of("bracket"):
            if not is_ignored(token.value) and any(t.kind in ("name", "word", "limit") for t in lex(token.value)[1]):
                self._doubt(token.value, last)

    def _exemplify(self, at: int, piece: Segment, last: Atom) -> None:
        """Names of the same kind are meant too; of another kind, they are of what the words before them say."""
        check = last.check
        names = tuple(n for t in piece.of("name") if (n := named(t, check.kind, self.text)) is not None)
        same = tuple(n for n in names if meanings(n.name, check.kind))
        last.check = last.check.model_copy(update={"of": tuple(dict.fromkeys((*check.of, *same)))})
        if len(same) < len(names):
            others = [c for c in Piece(self._context, at, piece).checks() if is_other(c, check, piece)]
            if check.kind == "condition" and others and len(self.out) == 1 and not piece.of("limit"):
                self.out += [Atom(joint="or", check=c, negated=last.negated) for c in others]
            else:
                self._doubt(self.text[piece.start : piece.end], last)
        elif piece.of("word", "limit"):  # "such as uncontrolled hypertension"
            self._doubt(sliced(self.text, piece.of("word", "limit")), last)

    def _define(self, at: int, piece: Segment) -> None:
        """ "Renal impairment, defined as eGFR < 30": what is measured stands for what it defines."""
        if self._listed or (self._defined and _is_plain(Piece(self._context, at, piece).checks(), piece)):
            self._atoms(at, piece)
            return
        checks = Piece(self._context, at, piece).checks() if piece.of("limit", "finding", "name") else []
        measured = [c for c in checks if isinstance(c, Measurement | Waiting)]
        if not measured:
            if self._bounds_before(piece):
                return
            if self._says_it_again(piece):
                for token in piece.of("time"):
                    self.out[-1].at(token.value)
                return
            if self._is_definition(piece, checks):
                self._listed = True
                self._replace([Atom(joint="with", check=c) for c in checks])
            else:
                self._doubt(self.text[piece.start : piece.end])
            return
        if len(measured) < len(checks) and isinstance(measured[-1], Measurement):  # "independent of transfusions"
            beside = (*measured[-1].doubts, self.text[piece.start : piece.end].strip(" ,;.")[:200])
            measured[-1] = measured[-1].model_copy(update={"doubts": beside})
        joined = [Atom(joint="" if n == 0 and not self.out else "with", check=c) for n, c in enumerate(measured)]
        if self.out and not self._defined and isinstance(self.out[-1].check, Record | Reader | Waiting):
            joined[0].joint, joined[0].negated = self.out[-1].joint, self.out[-1].negated
            self.out.pop()
        elif self.out and piece.joint in ("and", "or"):
            joined[0].joint = piece.joint
        self._defined = True
        self.out += joined
        self._waiting += [a for a in joined if isinstance(a.check, Waiting)]
        self._settle(piece)

    def _is_definition(self, piece: Segment, checks: Sequence[Any]) -> bool:
        """Whether records that rules know stand for what they define: "defined as prior stroke or prior infarction"."""
        known = all(isinstance(c, Record) and not c.doubts and meanings(c.of[0].name, c.kind) for c in checks)
        said = bool(checks) and known and _DEFINED.search(self.text, 0, piece.start) is not None
        return said and not self._defined and isinstance(self.out[-1].check, Record | Reader)

    def _says_it_again(self, piece: Segment) -> bool:
        """Whether a definition says no more than what it defines, or nothing."""
        last = self.out[-1].check if self.out else None
        if not isinstance(last, Record) or not piece.of("name"):
            return not piece.of("name", "word", "age")
        return not piece.of("word") and are_same(
            last, [n for t in piece.of("name") if (n := named(t, last.kind, self.text))]
        )


def _is_plain(checks: Sequence[Any], piece: Segment) -> bool:
    """Whether what goes on a definition is a record that rules know, as one more way to be met."""
    known = all(isinstance(c, Record) and not c.doubts and meanings(c.of[0].name, c.kind) for c in checks)
    return bool(checks) and known and piece.joint in ("or", "and")
