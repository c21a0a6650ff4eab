"""Atoms of a criterion as one check: what they share, what binds closer, and what a negation covers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from agent.trials.checks import MANY, Age, All, Any_, Not, Pregnancy, Reader, Record, Sex
from agent.trials.pieces import Atom

__all__ = ["alternatives", "grouped", "joined", "merged", "share"]

_CAUSE = re.compile(
    r"(?:for|due to|secondary to|caused by|because of|related to|associated with|as a result of|attributable to"
    r"|resulting from)\s",
    re.IGNORECASE,
)


def share(found: list[Atom]) -> None:
    """Give the atoms of a list what is said behind it of all of them: a time, a cause."""
    _share_times(found)
    for at, atom in enumerate(found):
        if atom.degree and at + 1 < len(found) and _is_pair(found, at):  # "uncontrolled hypertension or diabetes"
            other = found[at + 1]
            other.check = other.check.model_copy(update={"doubts": (atom.degree,)})
        causes = [d for d in getattr(atom.check, "doubts", ()) if _CAUSE.match(d)]
        for other in alternatives(found, at) if causes and getattr(atom.check, "kind", "") == "encounter" else ():
            if not other.check.doubts:
                other.check = other.check.model_copy(update={"doubts": tuple(causes)})


def _is_pair(found: Sequence[Atom], at: int) -> bool:
    """Whether the next is the only other thing of a kind that a bare "or" joins to this one, without own words."""
    one, two = found[at], found[at + 1]
    return (
        two.close
        and one.joint != "or"
        and not (found[at + 2 :] and found[at + 2].joint == "or")
        and isinstance(one.check, Record)
        and isinstance(two.check, Record)
        and one.check.kind == two.check.kind == "condition"
        and not (two.check.doubts or two.ever or two.time or two.check.state != one.check.state)
    )


def alternatives(found: Sequence[Atom], at: int) -> list[Atom]:
    """The records of its kind that an "or" joins to one, nearest first."""
    out: list[Atom] = []
    kind = getattr(found[at].check, "kind", "")
    while (
        at > 0 and found[at].joint == "or" and isinstance(check := found[at - 1].check, Record) and check.kind == kind
    ):
        at -= 1
        out.append(found[at])
    return out


def _share_times(found: list[Atom]) -> None:
    """A time behind a list of alternatives is of all of them; how long one of several drugs is taken, of them too."""
    for at, atom in enumerate(found):
        check = atom.check
        if atom.time is None or not isinstance(check, Record | Reader) or getattr(check, "least", 1) > 1:
            continue
        back = at
        while back > 0 and found[back - 1].time is None and _has_its_time(found[back], found[back - 1], atom):
            back -= 1
            used = found[back].check.kind == "condition" and any(a.used for a in found[back + 1 : at + 1])
            apart = back == at - 1 and not found[at].close and not (back > 0 and found[back].joint == "or")
            if used or (apart and found[at].joint == "or"):  # "gout or use of colchicine within a week", "gout, or …"
                found[back].perhaps = atom.time
            else:
                found[back].at(atom.time)


def _has_its_time(here: Atom, before: Atom, timed: Atom) -> bool:
    """Whether a time is also of the atom before: of alternatives, unless that is one of now and the timed one not."""
    check = before.check
    if not isinstance(check, Record):
        return False
    if here.joint == "with" and here is not timed and check.kind in ("condition", "procedure"):
        return not timed.ever  # what binds closer is one of the alternatives
    if here.joint == "or":
        other = check.kind == "condition" and check.state == "active" and timed.state != "active"
        return not (other or (timed.ever and not before.ever) or check.kind in ("allergy", "family"))
    lasting = getattr(timed.check, "lasting", None)
    return lasting is not None and check.kind == "medication" and not before.negated


def joined(found: Sequence[Atom]) -> Any:
    """The atoms as one check: "with" binds closest, then "and", then "or"; a negation covers its list.

    Of alternatives of one kind, what is asked at their end of another kind is asked of each: "stroke or TIA and not on
    a statin".
    """
    for one, two in pairwise(found):
        if two.joint == "and" and _is_of_mothers(one) and _is_of_mothers(two):  # "pregnant and nursing women"
            two.joint = "or"
    if len(found) > 2 and (bound := _bound(found)):
        return bound
    if len(found) > 2 and _is_of_all(found):
        return merged(All, joined(found[:-1]), joined([replace(found[-1], joint="")]))
    terms = _negated(found)
    for joint, make in (("with", All), ("and", All), ("or", Any_)):
        out: list[tuple[str, Any]] = []
        for link, check in terms:
            if out and link == joint:
                out[-1] = (out[-1][0], merged(make, out[-1][1], check))
            else:
                out.append((link, check))
        terms = out
    return terms[0][1] if terms else None


def _negated(found: Sequence[Atom]) -> list[tuple[str, Any]]:
    """(joint, check) with runs of negated atoms as one "none of these"."""
    out: list[tuple[str, Any]] = []
    run: list[Any] = []
    for at, atom in enumerate(found):
        if atom.negated and run and atom.joint in ("and", "or"):
            run.append(atom.whole())
        elif atom.negated:
            run = [atom.whole()]
            out.append((atom.joint, None))
        else:
            run = []
            out.append((atom.joint, atom.whole()))
            continue
        if at + 1 == len(found) or not (found[at + 1].negated and found[at + 1].joint in ("and", "or")):
            out[-1] = (out[-1][0], Not(of=run[0] if len(run) == 1 else grouped(Any_, tuple(run))))
            run = []
    return out


def _is_of_all(found: Sequence[Atom]) -> bool:
    """Whether the last atom is another kind of thing than the alternatives before it, and joined by "and"."""
    *before, last = found
    kinds = {a.check.kind if isinstance(a.check, Record) else type(a.check) for a in before}
    own = last.check.kind if isinstance(last.check, Record) else type(last.check)
    return (
        last.joint == "and" and len(kinds) == 1 and own not in kinds
        and isinstance(before[0].check, Record) and all(a.joint == "or" for a in before[1:])
    )  # fmt: skip


def _bound(found: Sequence[Atom]) -> Any:
    """ "Diabetes on metformin or a sulfonylurea" is a disease with one of two drugs. Of "asthma or COPD requiring
    oxygen" nobody can tell whether the first alone is meant: it is left to a reader. None for other lists."""
    first, second, *rest = found
    kinds = [a.check.kind if isinstance(a.check, Record) else type(a.check) for a in found]
    if any(a.negated or isinstance(a.check, Sex | Age) for a in found):
        return None
    if second.joint == "with" and kinds[0] != kinds[1] and {*kinds[2:]} == {kinds[1]} and all(a.close for a in rest):
        return merged(All, first.whole(), joined([replace(second, joint=""), *rest]))
    if len(found) == 3 and second.close and rest[0].joint == "with" and kinds[0] == kinds[1] == "condition" != kinds[2]:
        asked = rest[0].whole()
        why = Reader(why=f"whether what is said of {second.check.of[0].name} is asked here too"[:200])
        return Any_(of=(merged(All, second.whole(), asked), All(of=(first.whole(), Any_(of=(asked, why))))))
    return None


def _is_of_mothers(atom: Atom) -> bool:
    check = atom.check
    nursing = isinstance(check, Record) and check.of[0].name == "Breastfeeding"
    return not atom.negated and (isinstance(check, Pregnancy) or nursing)


def merged(make: Any, first: Any, second: Any) -> Any:
    """Two checks under one connector; like ones lie side by side instead of one in the other."""
    parts = first.of if isinstance(first, make) else (first,)
    parts += second.of if isinstance(second, make) else (second,)
    return grouped(make, tuple(dict.fromkeys(parts)))


def grouped(make: Any, parts: tuple[Any, ...]) -> Any:
    """All or any of the parts; where there are more than a check may have, they lie in groups."""
    while len(parts) > MANY:
        parts = tuple(make(of=parts[at : at + MANY]) for at in range(0, len(parts), MANY))
    return make(of=parts)
