"""What stands in brackets behind a name or a comparison of a criterion: a definition, examples, exceptions, a time,
another name for the same; and what is left out of a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from agent.trials.amounts import Amount
from agent.trials.checks import Age, All, Any_, Concept, Measurement, NoChart, Reader, Record, Sex
from agent.trials.joining import alternatives
from agent.trials.lexing import Token, lex
from agent.trials.names import meanings
from agent.trials.pieces import COUNTABLE, Atom, Waiting
from agent.trials.segments import Segment, segments
from agent.trials.senses import are_results, are_same, is_restated, unnamed
from agent.trials.terms import limits_of, named, sliced

__all__ = ["Brackets", "is_ignored"]

_EXAMPLES = re.compile(r"^\s*(?:e\.?\s?g\.?|such as|including|for example|i\.?\s?e\.?|like)\b[\s,:.]*", re.IGNORECASE)
_OFTEN = re.compile(r"\b(?:episodes?|events?|attacks?|occasions?|occurrences?|times)\b", re.IGNORECASE)
_LET_IN = re.compile(r"\b(?:allowed|permitted|acceptable|not\s+(?:excluded|included))\b", re.IGNORECASE)
_SEEN = re.compile(r"\s*(?:on|by|via)\s", re.IGNORECASE)
_RELATED = re.compile(r"\b(?:due|secondary|related|caused|because|associated)\b", re.IGNORECASE)
_COURSE = (
    r"(?:acute|chronic|active|inactive|latent|current|ongoing|past|present|previous|prior|former|treated|untreated"
    r"|symptomatic|asymptomatic|total|partial|complete|incomplete|hemi-?|open|laparoscopic|left|right)"
)
_WHATEVER = r"(?:whatever|regardless of|irrespective of|no matter|independent of|of any|any)\s[^()]{2,60}"
_IGNORED = re.compile(
    r"^\s*+(?:type (?:1|I) or (?:type )?(?:2|II)|(?:ischemic|hemorrhagic) or (?:hemorrhagic|ischemic)"
    r"|s|es|(?!.*\b(?:or|and)\b)[A-Z][A-Za-z0-9&/ -]{0,9}|inclusive|either|both|any|all|\d{1,2}"
    rf"|{_COURSE}\s+(?:or|and|and/or)\s+{_COURSE}(?:,\s*{_WHATEVER})?|{_WHATEVER}|[^()]{{2,60}}\bor (?:any )?others?"
    r"|[^()]{2,60}\b(?:is |are )?(?:allowed|permitted|acceptable|eligible|included))\s*$",
)


def is_ignored(inside: str) -> bool:
    """Whether what stands in brackets says nothing more: "(s)", "(inclusive)", a short form."""
    return _IGNORED.match(inside) is not None


class Brackets:
    """Atoms that what stands in brackets changes: the last of `out`."""

    out: list[Atom]

    def _inner(self, content: str) -> list[Atom]:
        """The atoms of what stands in brackets, by itself."""
        raise NotImplementedError

    def _leave_out(self, piece: Segment, last: Atom, text: str) -> None:
        """Names that are not meant, here and in the list that ends here; those with words only where the words hold."""
        names = tuple(n for t in piece.of("name") if (n := named(t, last.check.kind, text)) is not None)
        words = sliced(text, piece.of("word", "limit"))
        if words and not names:
            names = (Concept(name=words[:120]),)
        own = set(last.check.of)  # "lymphoma other than follicular lymphoma": rules know no difference
        if not all(meanings(n.name, last.check.kind) and n not in own for n in names):
            self._doubt(f"except {text[piece.start : piece.end].strip()}", last)
        names = tuple(n for n in names if n not in own)
        at = next(i for i, a in enumerate(self.out) if a is last)
        for atom in (last, *alternatives(self.out, at)):
            check = atom.check
            atom.check = check.model_copy(update={"apart": tuple(dict.fromkeys((*check.apart, *names)))})
            if words and names and piece.of("name"):
                atom.excepted.append((names, words))

    def _bracket(self, inside: str) -> None:
        """What stands in brackets: a definition, examples, a time, or another name for the same."""
        content, examples = _EXAMPLES.subn("", inside)
        if is_ignored(inside) or not self.out:
            return
        text, tokens = lex(content)
        if _LET_IN.search(inside):
            self._doubt(inside)
            return
        if any(t.kind == "cue" and t.value.tag in ("apart", "unless") for t in tokens):
            self._except(text, tokens)
            return
        if any(t.kind == "cue" and t.value.tag == "no" for t in tokens):
            self._deny(inside, content)
            return
        if count := next((t for t in tokens if t.kind == "count"), None):
            self._times(count.value, inside)
            return
        limits = [t for t in tokens if t.kind in ("limit", "age")]
        names = [t for t in tokens if t.kind == "name"]
        last = self.out[-1]
        if limits and not self._says_again(content):
            self._compared(inside, content, tokens, limits)
        elif limits or is_restated(inside):
            return
        elif _SEEN.match(inside) or any(c.isdigit() for c in unnamed(text, tokens)):
            self._doubt(inside)
        elif any(t.kind == "time" for t in tokens):
            last.at(next(t.value for t in tokens if t.kind == "time"))
        elif names and isinstance(last.check, Record):
            self._known_by(last, last.check, names)
            more = tuple(n for t in names if (n := named(t, last.check.kind, text)) is not None)
            more = _all_named(self._inner(content), last.check.kind) or more
            self._list(last, last.check, more, inside, examples=bool(examples))
        elif any(t.kind == "word" for t in tokens) and not examples:
            self._doubt(inside)

    def _says_again(self, content: str) -> bool:
        """Whether comparisons in brackets are those in front: "< 140/90 mmHg (systolic < 140, diastolic < 90)"."""
        inner, last = self._inner(content), self.out[-1].check
        said = _comparisons(a.check for a in inner)
        return (
            said == _comparisons([last])
            and any(a.joint == "or" for a in inner) == isinstance(last, Any_)
            and bool(said)
        )

    def _compared(self, inside: str, content: str, tokens: Sequence[Token], limits: Sequence[Token]) -> None:
        """A comparison in brackets: how often something was, what defines the last atom, or an age of somebody."""
        last = self.out[-1]
        inner = self._inner(content)
        sexes = (Sex,) if len(self.out) == 1 else ()
        if len(limits) == 1 and _OFTEN.search(content) and isinstance(last.check, Record):
            self._times(limits[0].value, inside)
            for token in (t for t in tokens if t.kind == "time"):
                last.at(token.value)
        elif inner and isinstance(last.check, Record | Reader) and are_results(inner, sexes):
            self._replace(inner)
        elif inner and all(isinstance(a.check, Age) for a in inner) and isinstance(last.check, Sex | Record):
            inner[0].joint = "with"
            self.out += inner
        elif is_restated(inside) and _otherwise(last.check, limits):
            return
        else:
            self._doubt(inside)

    def _replace(self, inner: list[Atom]) -> None:
        """What defines the last atom stands for it, with its joint, negation and time."""
        last = self.out.pop()
        inner[0].joint, inner[0].negated = last.joint, last.negated
        for atom in inner:
            if last.time:
                atom.at(last.time)
        self.out += inner

    def _known_by(self, atom: Atom, check: Record, names: Sequence[Token]) -> None:
        """A name that nobody knows is of the kind that its examples are: "coronary repair (PCI or CABG)"."""
        kinds = [frozenset(e.kind for e in t.value) for t in names]
        if not meanings(check.of[0].name, check.kind) and all("procedure" in k and "condition" not in k for k in kinds):
            atom.check = check.model_copy(update={"kind": "procedure", "state": ""})

    def _list(self, atom: Atom, check: Record, more: tuple[Concept, ...], inside: str, *, examples: bool) -> None:
        """Names in brackets: examples and drugs of a class are meant too; several define it, one is its other name."""
        if check.kind == "allergy" and examples:
            return  # how the body reacts, or to what of the kind
        if examples and not all(fit := [bool(meanings(c.name, check.kind)) for c in more]):
            more = tuple(c for c, fits in zip(more, fit, strict=True) if fits)
            self._doubt(inside, atom)
            check = atom.check
        known = [e for c in check.of for e in meanings(c.name, check.kind)]
        meant = all(meanings(c.name, check.kind) for c in more)
        if meant and not known and not examples and (len(more) > 1 or check.kind == "medication"):
            atom.check = check.model_copy(update={"of": more})
        elif examples or (meant and (not known or (check.kind == "medication" and not check.doubts))):
            atom.check = check.model_copy(update={"of": tuple(dict.fromkeys((*check.of, *more)))})
        elif len(more) > 1 and meant:
            atom.check = check.model_copy(update={"of": more, "doubts": ()})
        elif not are_same(check, more):
            self._doubt(inside)

    def _times(self, count: Amount, inside: str) -> None:
        """ "(two or more episodes)": how often what was just named must have been."""
        last = self.out[-1]
        if not isinstance(last.check, Record) or last.check.kind not in COUNTABLE or count.limits[0].sign != ">=":
            self._doubt(inside)
        else:
            last.check = last.check.model_copy(update={"least": int(count.limits[0].value)})

    def _deny(self, inside: str, content: str) -> None:
        """ "(but not diabetes)": what must not be there beside it."""
        inner = self._inner(content)
        if (
            inner
            and not _RELATED.search(content)
            and all(isinstance(a.check, Record) and not a.check.doubts and a.negated for a in inner)
        ):
            inner[0].joint = "and"
            self.out += inner
        else:
            self._doubt(inside)

    def _except(self, text: str, tokens: Sequence[Token]) -> None:
        """ "(except for basal cell carcinoma)": the names are not meant."""
        last = self.out[-1]
        left_out = [s for s in segments(text, tokens, "exclusion") if s.role == "apart"]
        if not isinstance(last.check, Record) or not any(s.of("name") for s in left_out):
            self._doubt(text)
            return
        for piece in left_out:
            self._leave_out(piece, last, text)

    def _doubt(self, words: str, atom: Atom | None = None) -> None:
        """Words about a check, the last one if no other is given, that rules pass over."""
        last = atom or self.out[-1]
        if isinstance(last.check, Record | Measurement):
            last.check = last.check.model_copy(update={"doubts": (*last.check.doubts, words.strip()[:200])})
        elif not (last.negated or isinstance(last.check, Reader | NoChart | Waiting)):
            self.out.append(Atom(joint="with", check=Reader(why=words.strip()[:200])))


def _all_named(inner: Sequence[Atom], kind: str) -> tuple[Concept, ...]:
    """The names of a bracket's records, where it holds nothing else: "HIV, hepatitis B or C"."""
    found = [a.check for a in inner if isinstance(a.check, Record) and a.check.kind == kind and not a.negated]
    whole = len(found) == len(inner) and not any(c.doubts or c.apart for c in found)
    return tuple(dict.fromkeys(n for c in found for n in c.of)) if whole else ()


def _comparisons(checks: Iterable[Any]) -> set[tuple[Any, ...]]:
    """What the checks compare with what; nothing where they ask for anything else."""
    out: set[tuple[Any, ...]] = set()
    for check in checks:
        parts = check.of if isinstance(check, All | Any_) else (check,)
        compared = [(p.of, p.limits) for p in parts if isinstance(p, Measurement)]
        if len(compared) < len(parts):
            return set()
        out.update(compared)
    return out


def _otherwise(check: Any, limits: Sequence[Token]) -> bool:
    """Whether comparisons are in another unit than a check's: what was said, once more."""
    own = {x.unit for x in getattr(check, "limits", ())}
    return isinstance(check, Measurement) and not own & {x.unit for x in limits_of(limits)}
