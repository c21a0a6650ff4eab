"""Ways to ask for an operation that the cues do not know, written out in the words that they know.

A table of constructions, each with the plain words for the same thing: "than its predecessor" is "than the previous
one", "against which tumour" is "for what". Only words of the question's frame are changed, never a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable

__all__ = ["written_out"]

_ROUND = (
    r"(?:count|visit|check(?:-?up)?|draw|samples?|sampling|test|measurement|reading|determination|occasion|result|value"
    r"|panel|one|weigh-?in|appointment|review|time)"
)
_LAST = r"(?:very )?(?:last|latest|most recent|newest)"
_EARLIER = r"(?:previous|prior|preceding|penultimate|earlier|second[- ](?:to[- ])?last|next[- ]to[- ]last|last but one)"
_BEFORE = (
    rf"(?:(?:the |his |her |their )?{_EARLIER}(?: {_ROUND})?"
    rf"|the {_ROUND} (?:(?:just |right |immediately )?(?:before|prior|preceding))(?: (?:it|that|this|last))?"
    r"|(?:its|his|her|their|the) (?:immediate )?predecessor)"
)
_PLACE = r"(?:on|at|in|with|from|for)"
_DIAGNOSIS = (
    r"(?:diagnosis|condition|problem|disease|illness|infection|tumou?r|cancer|malignancy|neoplasm|indication|complaint"
    r"|disorder|ailment|purpose|reason)"
)
_NOTE = re.compile(r"\b(?:notes?|reports?|letters?|summar(?:y|ies)|documents?|documentation|scans?|x-?rays?)\b", re.I)
_HOW_MUCH = re.compile(r"\b(?:how (?:much|many|far)|difference|delta|amount)\b", re.I)


def _last_two(m: re.Match[str]) -> str:
    """Between the last two: by how much where that is asked, else the one against the other."""
    return "over the last two results" if _HOW_MUCH.search(m.string) else "compared with the previous one"


def _against_previous(m: re.Match[str]) -> str:
    """The last against the one before: higher or lower "than" it, or compared with it."""
    told = m[0].lower()
    word = next((w for w in ("than", "above", "below") if f" {w} " in told), "compared with")
    return f"latest {word} the previous one"


def _value(m: re.Match[str]) -> str:
    """ "What did the last one say" asks for a result, unless a note is spoken of or what something done showed."""
    of = " of" if m["about"] else ""
    found = bool(m["noun"]) and m["verb"].lower() == "show"
    return m[0] if found or _NOTE.search(m.string) else f"what was the {m['which']}{m['noun'] or ''}{of}"


_WAYS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), instead)
    for pattern, instead in (
        # an age at a diagnosis
        (
            r"(?:^|\basks? (?:for )?)\W*(?:the )?age (?:at|of|on) (?:the )?(?:onset|diagnosis|dx)\b"
            r"(?:\s*[,:]|\s+(?:of|for))?\s+(?=[\w(])",
            "how old was the patient when first diagnosed with ",
        ),
        (
            r"^\W*([^?,:;]{3,60}?)\s*(?:[,:]|\s[-–—])\s*(?:the )?age (?:at|of|on) (?:the )?(?:onset|diagnosis|dx)\W*$",
            r"how old was the patient when first diagnosed with \1",
        ),
        (r"\b(?:with|at) how many years\b", "at what age"),
        # what is looked for and not found, or said to be there
        (
            r"^\W*i (?:can(?:'t|not| not)|could(?:n't| not)) (?:find|see|locate|make out) "
            r"((?:the|his|her|their|any) [^?,;:.]{2,60}?)\s*[,;.]\s*(?:so |but )?"
            r"what (?:was|is) (?:it|the (?:(?:most recent|last|latest) )?(?:result|value|one|reading))\W*$",
            r"what is \1",
        ),
        (
            r"^\W*there (?:should|must|ought to) be (an? [^?,;:]{3,80}?)\s*,?\s+(?:how much|what) (?:was|is) it\W*$",
            r"what is \1",
        ),
        (r"\bif (?:you|we|one|i) (?:only |just )?look(?:ed|s)? (?:only |just )?at (?=(?:19|20)\d\d\b)", "in "),
        (
            r"\bif (?:you|we|one|i) averaged? (?:every |all |the )?(.{2,60}?),? "
            r"what (?:do|does|would) (?:you|we|one|i) "
            r"(?:get|have)\b",
            r"average \1",
        ),
        # amounts of change
        (
            r"\bbetween (?:the )?(?:very )?(?:first|earliest|oldest) and (?:the )?(?:very )?(?:last|latest|newest) "
            r"([^?,;:]{2,40}?),? how (?:big|large|wide) (?:is|was) the (?:gap|difference|change)\b",
            r"difference between the first and last \1",
        ),
        (
            r"^\W*(?:oldest|first|earliest) (?:vs\.?|versus|to|and) (?:newest|last|latest) ([^?,;:]{2,40}?)\s*[,:]\s*"
            r"(?:size|amount) of (?:the )?change\W*$",
            r"difference between the first and last \1",
        ),
        (
            r"^\W*([^?,;:]{2,40}?)\s*[,:]?\s+(?:last|latest|newest) minus (?:the )?(?:first|oldest|earliest)\b",
            r"difference between the first and last \1",
        ),
        (
            r"\b(?:up )?to what (?:value|level|number|figure|height) (?:did|has|have) ([^?,;:]{2,40}?) "
            r"(?:climb|rise|shoot|peak|go up|get up)\b",
            r"what was the highest \1",
        ),
        (r"\b(?:the )?bottom value (?:of )?", "lowest "),
        (r"\b(?:ever|has) (?:touched|reached)(?=\W*$)", ""),
        # who or what for, at the end
        (
            r"^\W*(?!(?:what|which|why|how|was|is|were|are)\b)([\w/-]+(?: [\w/-]+){0,3}?) "
            r"(?:given|prescribed|used|ordered|taken|started) for\W*$",
            r"what was \1 given for",
        ),
        (
            r"\b(?:in the past or (?:now|at present|currently)|now or (?:in the past|ever|before|previously)|"
            r"(?:past or present|present or past|current or past|past or current)(?= ?(?:,|\?|$)))",
            "ever",
        ),
        (r"\b(?:would|is) it be (?:right|fair|correct|true|accurate) to say (?:that )?", "whether "),
        (r"^\W*would (?=[\w-]+(?: [\w-]+)? be (?:one of|among|on|a|an)\b)(.{2,40}?) be ", r"is \1 "),
        (r"\bone of the (?:medicines|medications|drugs|meds|tablets|pills) (?:being )?(?:taken|used)\b", "taken"),
        (r"\b(?:gimme|lemme have|lemme see)\b", "give me"),
        (r"^\W*(?:tot|tally|add|count) up (?:all )?(?:the |his |her )?(?!to\b)", "number of "),
        (r"^\W*n ?= ?\?? (?:for|of) ", "number of "),
        (r"\b(?:come|came) up (?:in|on) (?:this |the |his |her |their )?(?:patient's |patients )?"
         r"(?:records?|charts?|file|notes|problem list)\b", "diagnosed"),
        (r",\s*comma\s*,|\bcomma\b(?=\s*,)", ","),
        (r"\bare (?:sitting|lying) in (?=(?:this|the|his|her) (?:chart|record|file))", "are in "),
        (r"\b(in|out)-patient", r"\1patient"),
        # the last against the one before
        (
            rf"\b(?:{_PLACE} )?the {_LAST} {_ROUND},? "
            r"(?:than|above|below|(?:compared )?(?:to|with|and|against)|versus|vs\.?|as opposed to) "
            rf"(?:{_PLACE} )?{_BEFORE}",
            _against_previous,
        ),
        (rf"\bthan (?:{_PLACE} )?{_BEFORE}(?=\W*$|[,;])", "than the previous one"),
        (rf"\bbetween {_BEFORE} and (?:the |his |her |their )?{_LAST}(?: {_ROUND})?\b", _last_two),
        (rf"\bfrom {_BEFORE} to (?:the |his |her |their )?{_LAST}(?: {_ROUND})?\b", _last_two),
        (r"\b(?:the )?last but one\b", "previous"),
        (r"\b(?:its|his|her|their|the) (?:immediate )?predecessor\b", "the previous one"),
        (
            r"\b(?P<how>how high (?:did|was|has|is|were)|highest|maximum|max|peak|top) "
            r"(?P<whose>(?:the|his|her) )?fever\b",
            lambda m: f"{m['how']} {m['whose'] or ''}temperature",
        ),
        (
            r"\bhow much (?:higher|lower|more|less|greater|heavier|lighter|taller|shorter)"
            r"( (?:is|was|are|were) .{2,60}?) than the previous one",
            r"how much change\1 over the last two results",
        ),
        (
            r"\b(?:up or down|higher or lower|lower or higher|better or worse|rising or falling|falling or rising)\b",
            "compare",
        ),
        # now, and what counts as it
        (r"\bat (?:the|this) (?:present )?(?:moment|time)(?= ?(?:\W|$))(?! of\b| he\b| she\b| when\b)", "now"),
        (r"\b(?:right|just|even|here and) now\b|\bthese days\b|\bfor the time being\b", "now"),
        (r"\b(?:does|do)\b([^?.;:]{1,40}?)\bcount as\b", r"is\1"),
        (r"\b(?:on (?:file|record)|in the (?:chart|file|records?)|known|as (?:of|at)|up to) today\b", ""),
        (r"\bup[- ]to[- ]date (?=(?:\w+ )?(?:list|medications?|meds?|allerg\w+|problems?)\b)", "current "),
        (r",?\s*(?:and )?counting (?:every|all)(?: (?:types?|kinds?) of)? (?:encounters?|visits?)\b", ""),
        (r"\b(last|most recently) here\b", r"\1 seen"),
        # growth
        (
            r"\bhow much (?:(?:taller|heavier|lighter|shorter) )?(\([^)]*\) )?(?:did|has|have) "
            r"(?:he|she|they|the patient) (?:grow|grown|become|get|got)\b(?=.*\b(?:height|weight|head)\b)",
            r"how much \1change",
        ),
        # what for
        (r"\b(reason|indication|purpose)s? (?:for|behind|of) (?:the|this|that|his|her) (?:course|trend)\b", r"\1"),
        (
            rf"\b(?:against|for|in connection with|on account of|because of|owing to|to (?:treat|fight|control)) "
            rf"(?:what|which)(?: {_DIAGNOSIS})?\b(?! else\b)(?!.*\b(?:vaccin|immuni|inoculat|allerg|protect|compar))",
            "for what",
        ),
        (
            rf"\b(?:what|which) {_DIAGNOSIS} ((?:was|is|were|are|did|does|do|has|had) [^?.;:]{{1,60}}?)"
            r"(?: (?:given|prescribed|ordered|started|used|meant|intended|needed))? (?:for|against|to treat)(?=\W*$)",
            r"for what \1",
        ),
        (r"\bwhat ((?:was|is|were|are) [^?.;:]{1,60}?)(?: (?:given|prescribed|ordered|used|meant))? against(?=\W*$)",
         r"for what \1"),
        (
            r"\b(?:what|which) (?:(?:complaints?|symptoms?|problems?) )?(?:has |had )?(?:brought|led|took) "
            r"(?:him|her|them|the [\w ]{3,20}?|mr \w+|mrs \w+|ms \w+) (?:in)?to (?=(?:the |our |us\b|hospital|a&e))",
            "why was the patient seen in ",
        ),
        (r"\bseen in (?=hospital\b)", "admitted to "),
        (r"\bwhat (?:is|are) (he|she|they|(?:the )?(?:patient|pt)) on now\b", r"what drugs is \1 taking now"),
        # coming, going and being seen
        (
            r"\b(?:in|had|have|has) (?:any )?(?:contact|touch) with (?:us|the (?:clinic|practice|hospital|service))\b",
            "seen",
        ),
        (
            r"\b(?:allowed|let|sent|released|permitted|cleared) (?:(?:to )?(?:go|return) )?(?:back )?home\b",
            "discharged",
        ),
        (r"\bwhen (?:did|could|was) (he|she|they|the patient)(?: able to)? (?:go|get|come|return)(?: back)? home\b",
         r"when was \1 discharged"),
        (r"\bfor the (?:very )?(last|first) time\b", r"\1"),
        (r"\b(?:in (?:actual )?fact|as a matter of fact|in reality|physically)\b,?", " "),
        # days and results
        (
            r"\b(?:over|in|on|during|throughout|for) (?:the|his|her|their) inpatient (?:days?|time|period|course)"
            r"(?P<dated>[\s,:(]+(?=(?:from )?\d))?",
            lambda m: "in " if m["dated"] else "during the inpatient stay",
        ),
        (r"\brr\b(?=.*\b(?:sys(?:tolic)?|dia(?:stolic)?|mm ?hg)\b)", "blood pressure"),  # Riva-Rocci
        (
            r"\b(?:when was|(?:on )?(?:what|which) (?:day|date) was) the (last|latest|most recent|first) "
            r"(?=[^?]*\bdose\b)(?:dose of )?([\w '-]{3,40}?)(?: dose)? (given|administered)\b",
            r"when was \2 \1 \3",
        ),
        (
            r"\b(?:the )?(?:day|date) of (?:the |his |her |their )?(last|latest|most recent|first) dose\b"
            r"(?P<given>(?=[^?]*\b(?:given|administered)\b))?",
            lambda m: f"when was it {m[1]} {'given' if m['given'] is not None else 'ordered'}",
        ),
        (r"\b(?:day|moment) of (?=(?:death|birth)\b)", "date of "),
        (
            rf"\bwhat (?:did|does|do) (?:the|his|her|its|their) (?P<which>(?:{_LAST}|first|earliest|previous))"
            r"(?P<noun>(?: [\w-]+){0,3}?)(?: (?:one|value|result|reading|entry|measurement|test|check)s?)?"
            r" (?P<verb>say|read|show|tell(?: us)?|indicate|come (?:back|out)(?: as| at)?)\b"
            r"(?P<about> (?:about|on|regarding|concerning)\b)?",
            _value,
        ),
        (
            r"\bwhat (?:did|does|do) (?:the|his|her|its|their) (?P<which>)(?P<noun>[\w-]+(?: [\w-]+)?) "
            r"(?:value|result|reading|entry|measurement)s? (?:say|read|show|tell(?: us)?)\b(?P<about> about\b)?",
            _value,
        ),
    )
)  # fmt: skip


def written_out(text: str) -> str:
    """The question with such constructions in plain words."""
    for pattern, instead in _WAYS:
        text = pattern.sub(instead, text)
    return text
