"""How a question greets, asks kindly and carries on a talk: words around what is asked that never narrow it.

Read on the text as it is typed, before anything in it is looked up. What has another meaning in another place ("in the
end of 2015", "morning glucose") is taken only where it can have this one.
"""

from __future__ import annotations

import re

__all__ = ["without_manners"]


def _joined(*alternatives: str) -> str:
    return f"(?:{'|'.join(alternatives)})"


_DETERMINER = _joined(
    "the",
    "his",
    "her",
    "their",
    "this",
    "all",
    "any",
    "an?",
    "what",
    "when",
    "which",
    "how",
    "whether",
    "if",
    "last",
    "latest",
    "most recent",
    "current",
    "full",
    "complete",
    "list",
)
_GREETING = _joined(
    r"good (?:morning|afternoon|evening|day)",
    r"(?:morning|afternoon|evening|greetings|namaste|cheers|sorry|excuse me|pardon me|quick (?:one|question)|question)"
    r"(?=\s*[,.!:;–-]\s)",
    r"(?:hi|hello|hey)",
    r"dear (?:all|team|sir|madam|doctors?|colleagues?|sir or madam|sirs)",
    r"sorry (?:to (?:bother|disturb|trouble|ask|interrupt)(?: you)?(?: again)?|for (?:asking|bothering)(?: you)?)",
    r"(?:just )?(?:a |one )(?:more |last |quick |short |small |final |further )*(?:question|thing)(?=\s*[,.!:;–-])",
    r"i (?:have|had|have got|'ve got) (?:a|one) (?:\w+ )?question(?=\s*[,.!:;–-])",
)
_OPENING = re.compile(
    rf"^\W*(?:{_GREETING}(?:[\s,]+(?:there|all|everyone|everybody|team|doctor|doc|colleagues?|again|"
    rf"folks))?\b[\s,.!:;–-]*)+",
    re.IGNORECASE,
)
_ASKING = re.compile(
    _joined(
        r"^\W*(?:may|might|could|can) (?:i|we) (?:please |kindly |just |quickly )*(?:have|get|see|know|learn|"
        r"ask(?: you)?(?: for| about)?|(?:trouble|bother) you for)",
        r"^\W*(?:would|could|will) you (?:please |kindly )*(?:mind|be (?:so|kind) (?:kind|good|enough)(?: as)? to)"
        r"(?: (?:tell|telling|give|giving|show|showing)(?: me| us)?)?",
        r"^\W*if you (?:would|could|can)(?: please)? be so (?:kind|good)(?: as to (?:tell|give|show) (?:me|us))?\s*,?",
        r"^\W*be so (?:kind|good)(?: as to| and) (?:tell|give|show) (?:me|us)",
        r"^\W*(?:i|we)(?: would|'d) (?:be (?:very |most )?(?:grateful|glad|happy|obliged|thankful) (?:for|"
        r"to (?:know|have)|"
        r"if you (?:could|would|can) (?:tell|give|show) (?:me|us))|appreciate(?: it if you (?:could|would) (?:tell|"
        r"give|show)"
        r" (?:me|us))?)",
        r"^\W*(?:i|we) (?:need|would need|'d need|have|want) (?:to (?:know|ask(?: you)?(?: for| about)?|find out))",
    )
    + rf"\s+(?={_DETERMINER}\b)",
    re.IGNORECASE,
)
"""How something is asked for: "may I have the …" is no "have you …"."""
_CLOSING = re.compile(
    r"[\s,.;:?!(–-]+"
    + _joined(
        r"if you (?:would|could|can|will)(?: please)?(?: be so (?:kind|good))?",
        r"if (?:i|we) (?:may|might|can|could)(?: ask)?(?: (?:you )?(?:that|this))?",
        r"if (?:that is |that's |it is |it's |at all )?(?:possible|okay|ok|no trouble|no bother|"
        r"not too much (?:trouble|to ask)|"
        r"convenient|alright|all right)",
        r"if you (?:do not|don't|would not|wouldn't) mind",
        r"(?:would|could|will|can) you(?: please| kindly)?(?: be so (?:kind|good)| mind)?",
        r"(?:when(?:ever)?|once|as soon as) you (?:have|get|can|find)(?: (?:a|the))?(?: (?:minute|moment|second|"
        r"chance|time))?",
        r"at your (?:earliest )?convenience",
        r"(?:with )?(?:kind|kindest|best|warm|many) (?:regards|wishes|thanks)",
        r"(?:many )?thanks(?: (?:a lot|a million|so much|very much|in advance|ever so much|again|indeed))?",
        r"thank you(?: (?:so much|very much|in advance|kindly|ever so much|again|indeed))?",
        r"(?:much|greatly|very much) (?:appreciated|obliged)",
        r"(?:i|we)(?: would|'d) (?:be (?:so |very |most )?(?:grateful|obliged)|(?:really )?appreciate (?:it|that))",
        r"pretty please|please and thank you|ta muchly|sorry to (?:bother|ask|trouble)(?: you)?",
    )
    + r"(?=\W*$)",
    re.IGNORECASE,
)
_TALK = re.compile(
    r"[,(–-]?\s*\b"
    + _joined(
        r"(?:as a matter of|in point of|in actual) fact",
        r"in fact",
        r"by the way",
        r"(?:just )?to be (?:honest|frank|precise|exact|sure|certain|clear|on the safe side)",
        r"all told|all in all|in short|so to (?:speak|say)|after all|as it were|at all(?=\W*$)",
        r"for (?:the sake of )?completeness(?: sake)?",
        r"(?:just )?out of (?:curiosity|interest)",
        r"(?:as|so) far as (?:you|we|i|one|anyone|anybody) (?:know|can (?:see|tell)|are aware)",
        r"(?:as|so) far as (?:the |this |her |his )?(?:charts?|records?|files?|notes?|system) (?:goes?|shows?|"
        r"tells?|says?|knows?)",
        r"if (?:any|known|applicable|available|recorded|documented|there (?:is|are|was|were) (?:any|one|some))(?=\W*$)",
        r"for what it (?:is|'s) worth",
    )
    + r"\b\s*[,)]?",
    re.IGNORECASE,
)
_EITHER = re.compile(
    r"[,(]\s*(?:whether )?(?:fast(?:ing|ed)|abnormal|flagged|active|resolved|planned|relevant|significant|chronic|"
    r"acute)"
    r" or (?:not|otherwise)\)?(?=\W*$)",
    re.IGNORECASE,
)
"""A restriction that is lifted again: ", fasting or not"."""
_INCLUSIVE = re.compile(r"[,(]?\s*\binclusive(?:ly)?\b(?! of)\s*[,)]?", re.IGNORECASE)
"""A stretch "from … to …" and "until" a day hold their last day as it is; with "before" the word would contradict."""
_EXCLUDES = re.compile(r"\b(?:before|after|prior to|earlier than|later than|excl\w*|not)\b", re.IGNORECASE)
_LENGTH = 1000
"""Characters; a longer text is no question to clear by these patterns."""


def without_manners(text: str) -> str:
    """The question without greeting, courtesy and turns of talk."""
    if len(text) > _LENGTH:
        return text
    kept = _ASKING.sub("", _OPENING.sub("", text, count=1), count=1)
    kept = _EITHER.sub(" ", _TALK.sub(" ", kept))
    if not _EXCLUDES.search(kept):
        kept = _INCLUSIVE.sub(" ", kept)
    while (shorter := _CLOSING.sub("", kept)) != kept:
        kept = shorter
    return kept if re.search(r"\w", kept) else text
