"""How a question greets, asks kindly and carries on a talk: words around what is asked that never narrow it.

Read on the text as it is typed, before anything in it is looked up. What has another meaning in another place ("in the
end of 2015", "morning glucose") is taken only where it can have this one.
"""

from __future__ import annotations

import re

from agent.understand.patterns import words

__all__ = ["without_manners"]


def _joined(*alternatives: str) -> str:
    return f"(?:{'|'.join(alternatives)})"


_NEXT = words(
    "the, his, her, their, my, this, all, any, an?, what, when, which, how, whether, if, last, latest, newest,"
    " most recent, current, full, complete, list, highest, lowest, date, number"
)
"""What a question goes on with after words that only ask for it."""
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
_HAVE = words(
    "have, get, see, know, learn, hear, find out, obtain, receive, look at, ask(?: you)?(?: for| about)?,"
    " (?:trouble|bother) you for"
)
_GIVE = words(
    "(?:tell|give|show|send|telling|giving|showing|sending)(?: (?:me|us))?, let (?:me|us) (?:have|know|see), provide,"
    " furnish, supply, share, state, indicate, mention, advise, look up, looking up, find, remind (?:me|us) of"
)
_WISH = r"(?:(?:would|'d) )?(?:really |very much |just )?(?:love|like|want|wants|wish|wishes|need|needs|have|hope)"
_GLAD = r"(?:very |most |really )?(?:grateful|glad|happy|obliged|thankful)"
_SOMEBODY = r"(?:you|somebody|someone|anybody|anyone)"
_ASKING = re.compile(
    r"^\W*(?:(?:please|kindly|just|also|so|and|well)\s+)*"
    + _joined(
        rf"(?:may|might|could|can) (?:i|we) (?:please |kindly |just |quickly )*{_HAVE}",
        rf"(?:would|could|will) you (?:please |kindly )*(?:mind|be (?:so|kind) (?:kind|good|"
        rf"enough)(?: as)? to) {_GIVE}",
        rf"(?:would|could|will|can) (?:somebody|someone|anybody|anyone) (?:please |kindly )*{_GIVE}",
        rf"if {_SOMEBODY} (?:would|could|can)(?: please)? be so (?:kind|good)(?: as to {_GIVE})?\s*,?",
        rf"be so (?:kind|good)(?: as to| and) {_GIVE}",
        rf"(?:i|we)(?: would|'d) be {_GLAD} (?:for|to {_HAVE}|if {_SOMEBODY} (?:could|would|can) {_GIVE})",
        rf"(?:i|we)(?: would|'d) appreciate(?: it if {_SOMEBODY} (?:could|would) {_GIVE})?",
        rf"(?:i|we|(?:the )?(?:patient|pt|client)) {_WISH} to (?:{_HAVE}|{_GIVE})",
        r"(?:the )?(?:patient|pt|client) (?:asks?|is asking|has asked|wonders)(?: (?:me|us))?(?: (?:for|"
        r"about))?\s*[:,]?",
        rf"(?:would it be|is it|if it is|if it's) possible to (?:{_HAVE}|{_GIVE})",
        rf"is there (?:any|a) (?:chance|way|possibility) (?:of|to) (?:{_HAVE}|{_GIVE}|getting|having|seeing|knowing)",
        rf"(?:do|would|might) you (?:happen to|by any chance) (?:{_HAVE})",
        r"any (?:idea|clue|word|news)(?: (?:of|on|about|as to))?",
        rf"it would (?:help|be (?:helpful|useful|nice|good|great|of help))(?: (?:me|us))? to {_HAVE}",
        rf"(?:what|all) (?:i|we) (?:really |just )?(?:{_WISH}|am after|are after)(?: to {_HAVE})? (?:is|are)",
        r"(?:the|my|our|another) (?:next |last |only |actual )?question (?:is|would be)\s*[:,]?",
        rf"(?:to )?{_GIVE}",
    )
    + rf"\s+(?={_NEXT})",
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
        r"(?:many )?(?:thanks|cheers|ta)(?: (?:mate|a bunch|for (?:your|the|any) (?:help|assistance|time|trouble|"
        r"effort)|a lot|a million|so much|very much|in advance|ever so much|again|indeed))?",
        r"thank you(?: (?:for (?:your|the|any) (?:help|assistance|time|trouble|effort)|so much|very much|in advance|"
        r"kindly|ever so much|again|indeed))?",
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
        r"all together|all (?:years|of them|kinds|types|results|values) (?:taken |put |added )?together",
        r"no matter (?:which|what|of what|of which) (?:kind|type|sort|year|date|reason|cause|ward|place)",
        r"of (?:whatever|whichever|any) (?:kind|type|sort)(?=\W*$)",
        r"all told|all in all|in short|so to (?:speak|say)|after all|as it were|at all(?=\W*$)",
        r"for (?:the sake of )?completeness(?: sake)?",
        r"(?:just )?out of (?:curiosity|interest)",
        r"(?:as|so) far as (?:you|we|i|one|anyone|anybody) (?:know|can (?:see|tell)|are aware)",
        r"(?:as|so) far as (?:the |this |her |his )?(?:charts?|records?|files?|notes?|system) (?:goes?|shows?|"
        r"tells?|says?|knows?)",
        r"if (?:any|known|applicable|available|recorded|documented|there (?:is|are|was|were) (?:any|one|some))(?=\W*$)",
        r"for what it (?:is|'s) worth",
        r"if (?:i|we) (?:remember|recall|am not mistaken|are not mistaken|am right)(?: (?:correctly|rightly|well))?",
        r"if (?:my )?memory serves(?: me)?(?: (?:right|well|correctly))?",
    )
    + r"\b\s*[,)]?",
    re.IGNORECASE,
)
_FORM = re.compile(
    r"[,(]?\s*\b(?:in (?:the )?form(?:at)? )?[dmy]{2,4}([-/.])[dmy]{2,4}\1[dmy]{2,4}\b\)?", re.IGNORECASE
)
"""How a date is to be written."""
_WHICHEVER = re.compile(
    r"\s*\((?:of |from |at |in )?(?:all|any|every|whatever|whichever) (?:\w+ )?(?:kinds?|types?|sorts?|sites?|"
    r"regions?|ages?|"
    r"years|doses?|strengths?|forms?|causes?|class(?:es)?|categor(?:y|ies)|settings?|departments?|places?|"
    r"providers?|sources?)\)",
    re.IGNORECASE,
)
"""A bracket that restricts nothing: "(all body regions)"."""
_YES_NO = re.compile(r"\b(?:present or absent|absent or present|true or false|documented or not)\b", re.IGNORECASE)
_FORGOT = re.compile(
    r"[,.;–-]\s*(?:but |as |since |because )?(?:i|we) (?:have |had |'ve )?(?:forgot(?:ten)?|forget|lost|mislaid|"
    r"misplaced|"
    r"(?:can|could|do|did)(?: ?not|n't) (?:find|remember|see|recall|know|have|catch))\b(?: (?:it|them|that|this|"
    r"(?:the |its )?(?:exact |precise )?(?:values?|numbers?|dates?|results?|names?|papers?|figures?)|exactly|"
    r"any ?more|now|here|with me))"
    r"{0,3}(?=\W*$)",
    re.IGNORECASE,
)
"""Why the asker does not know it: ", I forgot it"."""
_TRUE = re.compile(
    r"^\W*(?:(?:is|would|was) it (?:be )?|(?:am|are) (?:i|we) )(?:true|correct|right|fair|accurate|the case)"
    r"(?: to (?:say|think|assume)| in (?:thinking|saying|assuming))? that (?P<that>.+?)\W*$"
    r"|^\W*(?:please |kindly )*(?:can|could) (?:you|somebody) (?:please )?confirm that (?P<same>.+?)\W*$"
    r"|^(?P<said>(?!.*\b(?:not|never|no|nor|without|n't)\b)\W*(?:i (?:believe|think|guess|gather|suppose|"
    r"understand) (?:that )?)?"
    r"(?:he|she|they|(?:the )?(?:patient|pt)) .+?)\s*[,?–-]\s*(?:is (?:that|it|this) (?:so|right|correct|true|"
    r"the case)|"
    r"(?:that is |that's )?(?:right|correct|true)|(?:does|is|has|did|was)(?:n't| not) (?:he|she|they|it)|"
    r"(?:am i|are we) (?:right|correct))\W*$",
    re.IGNORECASE | re.DOTALL,
)
"""A statement that is to be confirmed: "is it true that …", "she takes …, doesn't she"."""
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
    kept = _FORGOT.sub("", _ASKING.sub("", _OPENING.sub("", text, count=1), count=1))
    for pattern in (_TALK, _EITHER, _FORM, _WHICHEVER):
        kept = pattern.sub(" ", kept)
    kept = _YES_NO.sub("yes or no", kept)
    if not _EXCLUDES.search(kept):
        kept = _INCLUSIVE.sub(" ", kept)
    while (shorter := _CLOSING.sub("", kept)) != kept:
        kept = shorter
    if (stated := _TRUE.match(kept)) and not re.search(r"\?\s+\w", kept):
        kept = f"{stated['that'] or stated['same'] or stated['said']}, yes or no"
    return kept if re.search(r"\w", kept) else text
