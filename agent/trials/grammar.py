"""A statement → its check, by rules. Nothing is guessed away: words that nothing explains become doubts of the check,
names that the lexicon lacks are kept as written, and a statement in which nothing was found needs a reader."""

from __future__ import annotations

import re
from typing import Any

from agent.trials.amounts import amounts, levelled
from agent.trials.checks import MANY, All, Any_, AtLeast, Not, Reader, Sex, walk
from agent.trials.joining import grouped, merged
from agent.trials.lexing import lex
from agent.trials.periods import COUNTS, times
from agent.trials.rewording import labelled
from agent.trials.sentence import LEAD, plainly, short, understood
from agent.trials.types import Section, Statement
from agent.trials.vocabulary import PEOPLE, WHO

__all__ = ["compiled", "read_check"]

_OF_THE_FOLLOWING = re.compile(
    r"\b(?:(?:one|two|three|any|all|each|either|both|at\s+least\s+(?:one|two|three|\d)|one\s+or\s+more|\d\s+or\s+more|≥\s*\d|>=\s*\d)(?:\s*\(\d\))?(?:\s+of)?\s+)?(?:the\s+)?(?:following|below|these)\b"
    r"(?:\s+(?:criteria|conditions?|findings?|diseases?|medications?|drugs?|laboratory\s+\w+|abnormalities|values|events?|medical\s+conditions|characteristics|risk\s+factors|parameters))*\s*(?:are\s+met|apply|is\s+met|\(.*?\))?",
    re.IGNORECASE,
)
_ENDS_OPEN = re.compile(
    r"(?:history\s+of|allerg\w+\s+to|hypersensitivity\s+to|use\s+of|treatment\s+with|diagnosis\s+of|taking|with)\s*$",
    re.IGNORECASE,
)

_LONGEST = 2_000
"""Characters of a statement, and of its heading, that rules read: what is longer is no criterion. Their time grows with
the square of a statement's length, and so no more than with a protocol's own."""


def compiled(statement: Statement) -> Any:
    """The check of a statement. Parts of a list are read one by one, each with what the heading says of all."""
    if len(statement.under) > _LONGEST:
        return Reader(why=short(statement.text))
    check = _in_list(statement)
    whom, held = _headed(statement.under, statement.section)
    if whom is not None:
        others = whom.of if isinstance(whom, Not) else Not(of=whom)
        check = Any_(of=(others, check)) if statement.section == "inclusion" else All(of=(whom, check))
    return check if held is None else merged(All, held, check)


def _headed(head: str, section: Section) -> tuple[Any, Any]:
    """Of whom a heading speaks ("For subjects with diabetes only:"), and what it asks beside its list ("Gout with one
    of the following:"); None for each where it does not."""
    if found := _OF_WHOM.match(head):
        told = plainly(found["who"], section)
        sure = all(understood(leaf) for leaf in walk(told))
        return (told if sure else Reader(why=short(found["who"]))), None
    listed = _OF_THE_FOLLOWING.search(head.rstrip(": "))
    return None, _beside(head[: listed.start()], section) if listed else None


def _beside(before: str, section: Section) -> Any:
    """The check of what stands in front of a list and is asked together with it; None where nothing is."""
    found = _ASKS_BOTH.search(before)
    stem = LEAD.sub("", before[: found.start()]).strip(" ,") if found else ""
    if found is None or not any(t.kind in ("name", "limit", "age", "smoking") for t in lex(stem)[1]):
        return None
    told = plainly(stem, section)
    return told if found["cause"] is None else All(of=(told, Reader(why=short(before))))


def _in_list(statement: Statement) -> Any:
    """The check of a statement's text or list, as far as its heading does not say of whom it is."""
    before, after = _context(statement.under)
    if not statement.parts:
        return read_check(f"{before} {statement.text} {after}".strip(), statement.section)
    parts = [read_check(f"{before} {part} {after}".strip(), statement.section) for part in statement.parts]
    if statement.needed in (0, 1):
        return grouped(Any_ if statement.needed else All, tuple(parts))
    if len(parts) > MANY:
        return Reader(why=short(statement.text))
    return AtLeast(number=statement.needed, of=tuple(parts))


def _context(head: str) -> tuple[str, str]:
    """What a heading says before and behind each of its items: "history of any of the following within 6 months:"."""
    head = head.rstrip(": ")
    found = _OF_THE_FOLLOWING.search(head)
    if found:
        after = re.split(r"[.;]", head[found.end() :])[0]
        after = after if times(levelled(after)) else ""  # "… apply:", "… is true:" say nothing of the items
        before = re.sub(
            r"\b(?:including|such\s+as|have|has|meet|meets|meeting|must)\s*$", "", head[: found.start()]
        ).strip()
        return (before if _ENDS_OPEN.search(before) else ""), after.strip(" ,")
    return (head, "") if _ENDS_OPEN.search(head) else ("", "")


_OF_WHOM = re.compile(
    rf"\W*(?:for|in)\s+(?:(?:all|the|those|only)\s+)*(?:{PEOPLE}|those)\s+(?P<who>(?:with|without|who|on|taking|receiving)\b[^:;]{{2,120}}?)(?:\s+only)?\W*$",
    re.IGNORECASE,
)
_ASKS_BOTH = re.compile(
    r"(?:,\s*|\b)(?:with|and|plus|having|(?P<cause>due\s+to|caused\s+by|secondary\s+to)|(?:and\s+)?who\s+(?:also\s+)?(?:have|has|meet)|in\s+addition\s+to)\s*$",
    re.IGNORECASE,
)
_FOLLOWING = r"(?:the\s+)?(?:following|these)(?:\s+(?:[a-z-]+|\d)){0,3}?(?:\s*\([^()]*\))?"
_SOME_OF = re.compile(
    r"\b(?:(?:at\s+least|≥|>=)\s*)?(?P<n>one|two|three|four|five|[1-5]|any|either|all|both)(?:\s*\(\d\))?(?:\s+or\s+more)?"
    rf"\s+(?:of(?:\s+{_FOLLOWING})?|{_FOLLOWING})(?P<when>\s+(?:with)?in\b[^:;]{{1,80}}|\s+(?:during|over|prior|before|at|for|since)\b[^:;]{{1,80}})?\s*:\s*",
    re.IGNORECASE,
)
_MEN_OR = re.compile(
    r"\W*(?:adult\s+)?(?:men|males?)\s+(?:or|and)\s+(?P<who>post-?\s?menopausal\s+(?:wom[ae]n|females?))\b,?",
    re.IGNORECASE,
)
"""What is asked of the women among them only: "men or postmenopausal women"."""
_OPEN = re.compile(
    r"\W*any\s+(?:other\s+)?(?:[a-z-]+\s+){0,3}?(?:conditions?|diseases?|disorders?|illness(?:es)?|findings?|reasons?|factors?)\s+(?:outside|other\s+than|apart\s+from|not\s+(?:related|listed|mentioned))\b",
    re.IGNORECASE,
)
"""Everything but something: no list of names says what that is."""
_LISTED = re.compile(r"\s*[,;](?!\d)\s*(?:(?:and/or|and|or)\s+)?(?![^()]*\))|\s+(?:and/or|and|or)\s+(?![^()]*\))")
_MARK = re.compile(r"^\(?(?:[a-e]|[1-5]|i{1,3})\)\s*")
_NOT_BOTH = re.compile(r",?\s*\bbut\s+not\s+both\b", re.IGNORECASE)
_IF = re.compile(
    rf"\W*(?:(?P<if>if|when|unless)|(?:for|in|among)\s+(?:(?:the|those|all|any)\s+)*(?:[a-z-]+\s+){{0,2}}?{WHO}\b)",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(
    r"(?<!e\.g)(?<!i\.e)(?<!\bvs)(?<!\bSt)(?<!\bDr)(?<!\bNo)(?<!approx)(?<=[a-z0-9)\]%A-Z])(?:\.\s+(?=[A-Z])|[.;,]?\s+(?=Note\s?:))"
)
_EXAMPLES = re.compile(r"\W*examples?\b", re.IGNORECASE)
_SPARED = re.compile(
    rf"(?:however,?\s+|note\s?:?\s*|exceptions?\s?:?\s*)*(?:(?:the\s+following|all|any)\s+)?(?:{PEOPLE}\s+(?:with|who\s+have(?:\s+had)?|who\s+had)\s+)?(?P<what>.+?),?\s+"
    r"(?:(?:is|are|will\s+be|may\s+be|can\s+be|would\s+be|should)\s+(?:also\s+|still\s+)?(?:not\s+(?:be\s+)?(?:excluded|exclusionary|considered\s+\w+)|allowed|permitted|acceptable|eligible|exempt\w*|included|enrolled)|may\s+(?:be\s+)?(?:enrol\w*|participate))\b",
    re.IGNORECASE | re.DOTALL,
)
"""Whom a further sentence lets in: "Basal cell carcinomas are allowed"."""
_BRACKETS = re.compile(r"\([^()]*\)")
_RELAXED = re.compile(
    r",?\s*(?:\(\s*(?:or\s+)?|\bor\s+)(?P<limit>(?:<|>|≤|≥|=|at\s+least|up\s+to|no\s+more\s+than)[^();,]{1,60}?)\s*,?\s+"
    r"(?:(?P<if>if|when|in\s+case\s+of|in\s+the\s+(?:presence|setting)\s+of)"
    rf"|(?:for|in)\s+(?:those\s+)?{WHO}(?:\s+(?:who|that)(?:\s+(?:are|is|have|had|has|were))?)?)\s+(?P<who>[^();]{{3,120}}?)\s*(?:\)|$)",
    re.IGNORECASE,
)
"""Another limit for some: "≤ 2.5 x ULN (≤ 5 x ULN if liver metastases are present)"."""
_IF_BEHIND = re.compile(r",?\s+\bif\s+", re.IGNORECASE)
_EXCLUDED = re.compile(
    r"\b(?:(?:will|must|should|shall|can|may)\s*(?:not\s+)?be|are|is)\s+(?:also\s+)?(?:excluded|ineligible|(?:not\s+)?eligible)\b"
    r"(?:\s+(?:from|for)\s+(?:the\s+|this\s+)?(?:study|trial|participation|enrol+ment|inclusion))?(?:\s+if\b)?",
    re.IGNORECASE,
)
"""What a reason to exclude says of itself: "patients with gout will be excluded"."""
_DECIDES = re.compile(r"\b(?:excluded|ineligible|eligible|included)\b", re.IGNORECASE)
_SEXES = (re.compile(r"\b(?:m[ae]n|males?)\b", re.IGNORECASE), re.compile(r"\b(?:wom[ae]n|females?)\b", re.IGNORECASE))
_ASKED = re.compile(
    rf"\W*(?:(?:all|any|the)\s+)*{PEOPLE}\s+(?:(?:who|that)\s+(?:are|have|were)\s+)?"
    r"(?P<cue>on|taking|receiving|using|treated\s+with|with)\s+(?P<who>[^,;:]{2,80}?),?\s+(?:must|should|need\s+to|are\s+required\s+to|have\s+to)\s+(?P<asked>.+)",
    re.IGNORECASE | re.DOTALL,
)
"""What is asked of those who have or take something: "subjects on a statin must have been on a stable dose"."""
_SEX_BEHIND = re.compile(
    r",?\s+(?:for|in)\s+(?:all\s+)?(?:(?P<female>wom[ae]n|females?|female\s+(?:subjects|patients|participants)|WOCBP)|m[ae]n|males?|male\s+(?:subjects|patients|participants))"
    r"(?:\s+(?:of|with)\s+child-?\s?bearing\s+potential)?\W*$",
    re.IGNORECASE,
)
_FOR_WHOM = re.compile(
    rf"(?<=[\d%a-z)]),?\s+(?:for|in)\s+(?:all\s+)?(?:{PEOPLE}|those)\s+(?P<who>(?:with|without|who|on|taking|receiving|treated)\b[^;:]{{3,120}}?)\W*$",
    re.IGNORECASE,
)
_NOT_FOR = re.compile(r"\bor\b|\b(?:except|excluding|exceptions?|other\s+than|unless|only|apart)\W*$", re.IGNORECASE)
_OF_SEX = re.compile(
    r"\W*(?:all\s+|any\s+)?(?:(?P<female>wom[ae]n|females?)|m[ae]n|males?)\b(?P<asked>(?=.*\b(?:must|should|agrees?|willing|required)\b))?"
    r"(?=.*(?:child-?\s?bearing|contracept|pregnan|breast-?\s?feed|lactat|menopaus|steril|sperm))",
    re.IGNORECASE,
)


def read_check(text: str, section: Section) -> Any:
    """The check of one statement's text. What is asked only of some ("if on a statin, …") is met by all others."""
    if len(text) > _LONGEST:
        return Reader(why=short(text))
    if sentences := _sentences(text, section):
        return sentences
    label, text = labelled(text)
    if label:
        return _under_label(label, read_check(text, section), text)
    if men := _MEN_OR.match(text):
        either = Any_(of=(Sex(of=("male",)), plainly(men["who"], section)))
        rest = text[men.end() :].strip()
        return merged(All, either, read_check(rest, section)) if re.search("[A-Za-z]", rest) else either
    if _OPEN.match(text):
        return Reader(why=short(text))
    text = _EXCLUDED.sub(" ", text).strip() or text if section == "exclusion" else text
    if some := _some_of(text, section):
        return some
    if _NOT_BOTH.search(text):
        either = read_check(_NOT_BOTH.sub(" ", text), section)
        return All(of=(either, Not(of=All(of=either.of)))) if isinstance(either, Any_) else Reader(why=short(text))
    if relaxed := _relaxed(text, section):
        return relaxed
    found = _condition(text, section)
    if found is None:
        return plainly(text, section)
    one, other = found
    others = one.of if isinstance(one, Not) else Not(of=one)
    return Any_(of=(others, other)) if section == "inclusion" else All(of=(one, other))


def _sentences(text: str, section: Section) -> Any:
    """The check of several sentences: the first is the criterion, the others spare some or say more; None for one."""
    end = _SENTENCE_END.search(text)
    if end is None or len(text[: end.start()].split()) < 2:
        return None
    first, rest = text[: end.start()], text[end.end() :].strip()
    if len(rest.split()) < 2 or _EXAMPLES.match(rest):
        return read_check(first, section)
    spared = _SPARED.match(rest)
    if spared and section == "exclusion":
        return read_check(f"{first} (except {re.sub('[()]', ' ', spared['what'])})", section)
    check, more = read_check(first, section), Reader(why=short(rest))
    return Any_(of=(check, more)) if spared else All(of=(check, more))


def _relaxed(text: str, section: Section) -> Any:
    """The check of a text that sets some another limit; None for other texts.

    A wider limit for some is one more way to be met by them; a narrower one is asked of them beside the other.
    """
    said = levelled(text)
    found = _RELAXED.search(said)
    first = amounts(said[: found.start()])[-1:] if found else []
    again = amounts(found["limit"]) if found else []
    if not found or not first or not again or any(sex.search(found["who"]) for sex in _SEXES):
        return None
    one, other = first[0].limits[-1], again[0].limits[0]
    plain = f"{said[: found.start()]} {said[found.end() :]}".strip()
    instead = f"{said[: first[0].start]} {found['limit']} {said[found.end() :]}".strip()
    who = plainly(found["who"], section)
    who = who if all(understood(leaf) for leaf in walk(who)) else Reader(why=short(found["who"]))
    base, theirs = read_check(plain, section), read_check(instead, section)
    if ("<" in one.sign) == (other.value > one.value):
        return Any_(of=(base, All(of=(who, theirs))))
    return All(of=(base, Any_(of=(Not(of=who), theirs))))


def _under_label(label: str, check: Any, text: str) -> Any:
    """The check of a labelled sentence. A label that names what the sentence does not is left to a reader."""
    said, again = (
        {(e.kind, e.id) for t in lex(part)[1] if t.kind == "name" for e in t.value} for part in (label, text)
    )
    return check if not said or said & again else All(of=(check, Reader(why=short(label))))


def _some_of(text: str, section: Section) -> Any:
    """ "Two of the following: A, B or C" in one line; a time behind the last is of all. None for other texts."""
    found = _SOME_OF.search(text)
    colon = text.find(":")
    before = text[: found.start() if found else max(colon, 0)].strip()
    opens = bool(_ENDS_OPEN.search(before)) and section == "exclusion"
    beside = _beside(before, section)
    if not (found or opens) or (beside is None and len(before.split()) > 6):
        return None
    rest = text[found.end() if found else colon + 1 :].strip(" .")
    when = times(levelled(rest))
    after = rest[when[-1].start :] if when and when[-1].end >= len(rest) and when[-1].period else ""
    always = (found["when"] or "").strip() if found else ""
    parts = [_MARK.sub("", p.strip()) for p in _LISTED.split(rest.removesuffix(after)) if p and p.strip()]
    if len(parts) < 2 or not all(re.match(r"[A-Za-z(]", p) for p in parts):
        return None
    lead = before if beside is None and _ENDS_OPEN.search(before) else ""
    read = tuple(plainly(f"{lead} {p} {after or always}".strip(), section) for p in parts)
    word = found["n"].lower() if found else "any"
    number = next((n for n, name in enumerate(COUNTS, 1) if word in (name, str(n))), 1)
    if number > 1 and len(read) > MANY:
        return Reader(why=short(text))
    every = word in ("all", "both")
    listed = AtLeast(number=number, of=read) if number > 1 and not every else grouped(All if every else Any_, read)
    return listed if beside is None else merged(All, beside, listed)


def _of_some(text: str, section: Section) -> tuple[Any, Any] | None:
    """Those of a sex, or with something, of whom a sentence asks something; None for others."""
    if section == "inclusion" and (asked := _ASKED.match(text)):
        said = asked["asked"] if re.search(r"\b(?:dose|treatment|therapy)\b", asked["asked"]) is None else text
        return plainly(f"{asked['cue']} {asked['who']}", section), plainly(said, section)
    if (behind := _SEX_BEHIND.search(text)) and not _SEXES[not behind["female"]].search(text, 0, behind.start()):
        return Sex(of=("female" if behind["female"] else "male",)), plainly(text[: behind.start()], section)
    whom = _FOR_WHOM.search(text)
    if whom and not _NOT_FOR.search(text[: whom.start()]):
        told = plainly(whom["who"], section)
        if all(understood(leaf) for leaf in walk(told)):
            return told, plainly(text[: whom.start()], section)
    sex = _OF_SEX.match(text[:1000])
    if (
        sex
        and (section == "exclusion" or sex["asked"] is not None)
        and not _SEXES[not sex["female"]].search(text, sex.end())
    ):
        return Sex(of=("female" if sex["female"] else "male",)), plainly(text[sex.end() :].strip(), section)
    return None


def _condition(text: str, section: Section) -> tuple[Any, Any] | None:
    """Of whom something is asked, and what; None where it is asked of everybody, or where rules cannot tell of whom."""
    if some := _of_some(text, section):
        return some
    said = re.search("[,:]", text) if (before := _IF.match(text)) else None
    if said and before:
        one, other, whom = (
            text[before.end("if") if before["if"] else before.start() : said.start()],
            text[said.end() :],
            not before["if"],
        )
    elif (behind := _IF_BEHIND.search(_BRACKETS.sub(lambda m: " " * len(m[0]), text))) and not _DECIDES.search(
        text, 0, behind.start()
    ):
        one, other, whom = text[behind.end() :], text[: behind.start()], False
    else:
        return None
    told = plainly(one, section)
    if not all(understood(leaf) for leaf in walk(told)):
        if whom:
            return None
        told = Reader(why=short(one.strip()))
    if before and before["if"] and before["if"].lower() == "unless":
        told = Not(of=told)
    return (told, plainly(other.strip(), section)) if len(other.split()) > 1 else None
