"""A question as it is typed → the words that ask: shorthand written out, courtesy and what only introduces it left out.

Nothing is dropped that could narrow the question: a sentence beside it is passed over only where it says how things
are with the patient or the one who asks, or on what occasion is asked, names no past, no number and no exception, and
nothing points back to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from agent.understand.phrasing import written_out
from fhir_tools.lexicon import lexicon

__all__ = ["askings", "plain"]

_POLITE = re.compile(
    r"^\s*(?:(?:hi|hello|hey|ok(?:ay)?|please|pls|kindly|so|well|(?:just |quick )?(?:checking|check)(?=,))\b[\s,!.]*)*"
    r"(?:"
    r"(?:can|could|would|will|may) (?:you|we|i) (?:please |kindly |also )?(?=\w+)"
    r"(?:(?:tell|show|give|let|help|remind|trouble|bother|go through|run through)(?: (?:me|us|you))?(?: know| for)?\b)?"
    r"|i(?:'d| would)? (?:want|need|like|love) to (?:know|see|find(?: out)?|check)"
    r"|i (?:want|need|wonder)(?= (?:a|an|the|his|her|their|how|what|when|which|if|whether)\b)"
    r"|i(?:'m| am) (?:wondering|curious|interested)(?: to know)?"
    r"|do (?:you|we) (?:know|have)|let me know|remind me|report (?=the\b)"
    r")?\s*(?=\S)",
    re.IGNORECASE,
)
"""How a question is introduced; its words say nothing about what is asked."""
_ASIDES = re.compile(
    r"\(?\bnot the (?:latest|last|most recent|current)(?: one| value| result)?\b,?"
    r"|\(?\b(?:of )?any (?:kind|class|type|sort)\b\)?(?! of)",
    re.IGNORECASE,
)

_TEAM = (
    r"(?:the |our |his |her |their )?(?:\w+ )?"
    r"(?:\w+(?:ology|ologist|ist|itian|ician)|nurse|team|ward|lab|family|gp|pcp|pharmacy|insurance|insurer|surgeon|clinic|"
    r"registrar|consultant|coordinator|monitor|sponsor|desk|office|school|manager|questionnaire|form|crf|protocol|theatre)"
)
_ASKED_BY = re.compile(
    rf"^{_TEAM} (?:is |are |would )?(?:asks?|asking|wants?|needs?|likes?|wonders?|wondering)(?: to know)?"
    r" (?:for |about )?(?=\w)",
    re.IGNORECASE,
)
"""Who wants to know: "cardiology is asking for", "the surgeon wants to know whether"."""

_KIN = (
    r"(?:my|our) (?:mum|mom|mother|dad|father|son|daughter|wife|husband|partner|child|kid|boy|girl|baby|brother|sister|"
    r"aunt\w*|uncle|nan|gran\w*)"
)
_PERSON = r"he|she|they|it|i|we|you|that|there|here"
_NEGATED = r"is|are|was|were|has|have|had|do|does|did|ca|wo"
_SUBJECT = r"he|she|they|it|(?:the )?(?:patient|pt)"
_UNIT = r"(?:[munpkµμ]?(?:g|mol|eq|iu)/d?[lL]|mm ?hg|points?|percent\b|%)"
"""A unit of a result: "how many mmol/L" asks how much."""
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b"
_EXTREMES = {"heavi": "highest weight", "light": "lowest weight", "tall": "highest height", "short": "lowest height"}


def _spelt(letters: re.Match[str]) -> str:
    """Letters that were dictated one by one ("c r p"), where they are a name."""
    joined = letters[0].replace(" ", "")
    return joined if lexicon().lookup(joined.lower()) else letters[0]


_WRITTEN_OUT: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, flags), instead)
    for pattern, instead, flags in (
        (r"[’`´]", "'", 0),
        # "He isn't on warfarin, is he?" and "Isn't he on warfarin?" ask whether he is.
        (
            rf"^\W*({_SUBJECT}) ({_NEGATED})n'?t (.*?),? (?:is|has|does|did|was|do|are|have) (?:{_SUBJECT})(?=\W*$)",
            r"\2 \1 \3",
            re.IGNORECASE,
        ),
        (rf"^\W*({_NEGATED})n'?t (?={_SUBJECT})", r"\1 ", re.IGNORECASE),
        (r"\b(ca|wo)n't\b", r"\1n not", re.IGNORECASE),
        (rf"\b({_NEGATED})n't\b", r"\1 not", re.IGNORECASE),
        (rf"\b({_PERSON})'s\b", r"\1 is", re.IGNORECASE),
        (rf"\b({_PERSON})'re\b", r"\1 are", re.IGNORECASE),
        (rf"\b({_PERSON})'ve\b", r"\1 have", re.IGNORECASE),
        (rf"\b({_PERSON})'ll\b", r"\1 will", re.IGNORECASE),
        (r"\b([iI])'m\b", r"\1 am", 0),
        (r"\b([A-Z][A-Z0-9]{1,4})s\b", r"\1", 0),  # "CRPs" are several CRP, "CRPS" is a syndrome
        (r"\bappt(s?)\b", r"appointment\1", re.IGNORECASE),
        (r"\b(?:i\.e|e\.g|viz)\b\.?", " ", re.IGNORECASE),
        (r"\bby any chance\b", " ", re.IGNORECASE),
        (r"\bA\s?&\s?E\b", "emergency department", re.IGNORECASE),
        (r"(?<!\w)@(?!\w)", "at", 0),
        (r"\(?\by\s?/\s?n\b\)?", "yes or no", re.IGNORECASE),
        (
            r"[\s,]+(?:does|do) (?:it|this|that) apply(?: here| to (?:him|her|this (?:patient|subject)))?(?=\W*$)",
            ", yes or no",
            re.IGNORECASE,
        ),
        (r"\b(?:no|nr|n|num)\.? of\b", "number of", re.IGNORECASE),
        (r"\bnow ?a ?days\b|\bnowadays\b|\b(?<![A-Z])rn(?=\W*$)", "now", 0),
        (r"\batm\b", "now", 0),
        (r"(?<!\w)w(?= \w)", "with", 0),
        (r"(?<!\w)ie\b,?", " ", 0),
        (r"\b(?:([Ss]?[Hh]e)s|([Tt]hey)re)\b(?= )", lambda m: f"{m[1] or m[2]} is", 0),
        (
            r"\b(?:this|the|our) (?:little )?(?:child|kid|boy|girl|baby|infant|toddler)\b(?! of)",
            "the patient",
            re.IGNORECASE,
        ),
        (r"\b(?<!put on )weigh(?:ed|s|ing)?(?:[- ]?ins?)?\b", "weight", re.IGNORECASE),
        (r"\bhow heavy\b|\bhow much(?= (?:does|did|do|is|was) \w+ weight)", "what weight", re.IGNORECASE),
        (r"\bkilo(?:gram)?s?\b", "kg", re.IGNORECASE),
        (r"\bhow many kg\b(?=.*\bweight)", "what", re.IGNORECASE),
        (rf"\bhow many (?={_UNIT})", "how much ", re.IGNORECASE),
        (r"(?<=\w) \+ (?=\w)", " and ", 0),
        (r"\bencs?\b", "encounters", 0),
        (r"\bmeds? rec\b", "medication reconciliation", re.IGNORECASE),
        (r"\byrs?\b", "years", re.IGNORECASE),
        (r",?\s*\bor not\b(?=\W*$)", " ", re.IGNORECASE),
        (r"\bas (?:things stand|of) (?:today|now)\b|\bas (?:things stand|it stands)\b", "now", re.IGNORECASE),
        (
            r"\b(?:past|previous) (?:or|and) present\b|\bcurrent(?:ly)? or (?:past|previous(?:ly)?)\b",
            "ever",
            re.IGNORECASE,
        ),
        (r"\bactively\b", "currently", re.IGNORECASE),
        (
            r"\bat (?:the|his|her) (?:last|latest|most recent) (?:(?:lipid|lab|blood|renal|liver|routine) )?(?:check|"
            r"draw|sampling|measurement|test|panel)\b",
            "latest",
            re.IGNORECASE,
        ),
        (
            rf"\bwhat (?:is|are) ({_SUBJECT}) on(?= now\b| these days\b| at\b|\W*$)",
            r"what drugs is \1 taking",
            re.IGNORECASE,
        ),
        (r",?\s*\b(?:the )?top and (?:the )?bottom (?:number|value|reading|figure)s?\b", " ", re.IGNORECASE),
        (r"\btot chol\b", "total cholesterol", re.IGNORECASE),
        (
            r"\b(?:scans?|imaging) (?:or|and) x[- ]?rays?\b|\bx[- ]?rays? (?:or|and) (?:other )?scans?\b",
            "imaging",
            re.IGNORECASE,
        ),
        (
            rf"\b(?:the )?({'|'.join(_ORDINALS)}) of (?={_MONTH})",
            lambda m: f"{_ORDINALS.index(m[1].lower()) + 1} ",
            re.IGNORECASE,
        ),
        (r"\bput(?:ting)? on weight\b", "weight gone up", re.IGNORECASE),
        (r"\b(heavi|light|tall|short)est\b", lambda m: _EXTREMES[m[1].lower()], re.IGNORECASE),
        (r"\b(?:at|as of) (?:the|his|her|their) (?:last|latest|most recent) count\b", "latest", re.IGNORECASE),
        (r"\b([A-Za-z])((?: [A-Za-z]){2,3})\b(?= (?:level|result|value|trend|number|count)|\W*$)", _spelt, 0),
        (r"\ba one c\b", "A1c", re.IGNORECASE),
        (r"\bsystolic over diastolic\b|\barterial (?:blood )?pressure\b", "blood pressure", re.IGNORECASE),
        (r"\b(?:second|next)[- ](?:to[- ])?last\b", "previous", re.IGNORECASE),
        (r"(?<!occult )\bblood (?=(?:tests?|levels?|results?)\b)", "lab ", re.IGNORECASE),
    )
)
_LENGTH = 400
"""Characters; a longer text is no question to write out by these patterns."""


def plain(question: str) -> str:
    """The question without courtesy and asides, its contractions and shorthand written out."""
    text = _ASIDES.sub(" ", _POLITE.sub("", _ASKED_BY.sub("", question.strip()), count=1))
    for pattern, instead in _WRITTEN_OUT if len(text) <= _LENGTH else ():
        text = pattern.sub(instead, text)
    return written_out(text) if len(text) <= _LENGTH else text


_ASKS = (
    r"(?:what|whats|which|when|whens|where|why|how|hows|who|is|are|was|were|has|have|had|does|do|did|can|could|any|please|list"
    r"|show|give|tell)\b"
)
_BREAK = re.compile(rf"(?<=[.!?;:])\s+|\s+[-–—]+\s+|,\s+(?:so\s+|and\s+)?(?={_ASKS}|i am\b|we are\b)", re.IGNORECASE)
_STATES = re.compile(
    rf"^(?:(?:and|so|but|also|since|as|because)\s+)?(?:(?:i|we|{_SUBJECT}|{_TEAM})\s+"
    r"(?:is|are|am|has|have|can|will|may|might|says?|looks?|seems?|feels?|wants?|needs?|asks?|asked|complains?|thinks?|"
    r"called|plans?|keeps?)\b"
    rf"|(?:{_KIN}) (?!(?:had|has|have)\b)\w+s\b|(?:{_KIN})(?:'s| is) \w+ing\b"
    r"|(?:need(?:ing)?|want(?:ing)?|have|about|trying|hoping|planning|thinking|considering|going) (?:to|of|about)\b"
    r"|(?:going|coming|due|booked|listed|admitted|here) (?:to|for|in|with)\b"
    r"|before (?:i|we|you|\w+ing)\b|(?:good )?(?:morning|afternoon|evening)\W*$|quick (?:one|question)\b|\w+ here\W*$)",
    re.IGNORECASE,
)
_NARROWS = re.compile(
    r"\d|\b(?:only|just|except\w*|exclud\w*|ignor\w*|without|unless|until|other than|instead|both|yesterday|ago|last|"
    r"since|after|during|was|were|did|started|stopped|mean|wrong|different|(?:an)?other|"
    r"i (?:do|can|am) not|we (?:do|can|are) not|about(?! to\b))\b"
    r"|(?<!he )(?<!she )(?<!they )(?<!patient )(?<!pt )\b(?:wants?|needs?|ask(?:s|ed|ing)?|looking|interested|talking) "
    r"(?:for|in|at|it|them|the|an?|after|his|her|their)\b",
    re.IGNORECASE,
)
"""An exception, a time, a denial; or what the asker wants, which says what is asked for and not why."""
_PLACED = re.compile(
    r"^(?:in|on|at|from|under|per|by|within|of|for|about)\b|\b(?:icu|itu|ccu|er|ed|ward|stay|admission|admitted|inpatient|"
    r"outpatient|hospital\w*|visit|encounter|emergency|surgery|operation|procedure|clinic|home|dialysis|therapy|treatment|"
    r"following|while|under|with|on|off|target|goal|baseline|abnormal|normal|family|mother|father|sister|brother|fasting|random|"
    r"trough|peak|post\w*|urin\w*|fa?ec\w*|stool|csf|sweat|saliva|arter\w*|ven(?:ous|a)|capillary|cord|fo?etal|standing|sitting|"
    r"seated|supine|lying|left|right|bilateral)\b",
    re.IGNORECASE,
)
"""What may say where, when or under what a result was had, or whose it is."""
_DOING = re.compile(
    r"^(?:about to|(?!(?:fast|stand|sitt|ly|rest|follow|dur|accord|regard|concern|includ|bleed|vomit)ing)\w{3,}ing)\b",
    re.IGNORECASE,
)
"""What the asker is doing: "Preparing the discharge letter"."""
_LEAD = r"^(?:(?:and|so|please|pls)\s+)*"
_ASKING = re.compile(
    rf"{_LEAD}{_ASKS}|^(?:last|latest|newest|current|mean|average|total|number|age|dob|date)\b", re.IGNORECASE
)
_PICKS = re.compile(
    rf"{_LEAD}{_ASKS}.*\b(?:last|latest|newest|most recent|current\w*|now|at present|still|ever|any|all|highest|lowest|"
    rf"first|earliest|how many|how often|taking|on|born|birth\w*|dob|age|old)\b"
    rf"|{_LEAD}(?:is|are|does|do|has|have|did|any|list|when)\b"
    r"|^(?:latest|last|most recent|current|newest|date|mean|average|total|number|highest|lowest|first|earliest|age|"
    r"dob)\b",
    re.IGNORECASE,
)
"""A clause that says by itself which record it asks for."""
_POINTS_BACK = re.compile(
    r"\b(?:then|that|it|its|this(?! (?:patient|pt|man|woman|lady|gentleman|person|subject|chart)\b)"
    r"|these|those|(?<!is )(?<!are )there|same|such|ones?|afterwards|so far|since\W*$)\b",
    re.IGNORECASE,
)


def askings(question: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The clause that may be all of the question, and the others, which only say why it is asked, or greet."""
    parts = [p for p in _BREAK.split(plain(question)) if p.strip(" .,;:!?-")]
    for is_beside, picks in ((_is_context, None), (_is_occasion, _PICKS)):
        asks = [p for p in parts if not is_beside(p)]
        whole = len(parts) > 1 and len(asks) == 1 and not _POINTS_BACK.search(asks[0])
        if whole and (picks is None or picks.search(asks[0])):
            yield asks[0], tuple(p for p in parts if p != asks[0])
            return


def _is_context(part: str) -> bool:
    return bool(_STATES.match(part)) and not part.rstrip().endswith("?") and not _NARROWS.search(part)


def _is_occasion(part: str) -> bool:
    """Whether it only tells on what occasion is asked: "Oncology follow-up:", "Chest pain overnight,"."""
    if part.rstrip().endswith("?") or _NARROWS.search(part) or _ASKING.match(part):
        return False
    return _is_context(part) or bool(_DOING.match(part)) or not _PLACED.search(part)
