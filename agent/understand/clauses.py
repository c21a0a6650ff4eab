"""The clauses of a question: the one that asks, and those that only tell why or on what occasion it is asked.

A clause beside it is passed over only where it says how things are with the patient or the one who asks, or on what
occasion is asked, names no past, no number and no exception, and nothing points back to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.understand.shorthand import KIN, SUBJECT, TEAM, plain

__all__ = ["askings", "names_care"]

_ASKS = (
    r"(?:what|whats|which|when|whens|where|why|how|hows|who|is|are|was|were|has|have|had|does|do|did|can|could|any|"
    r"please|list"
    r"|show|give|tell|remind)\b"
)
_RECORD = (
    r"(?:(?:the |his |her |their )?(?:last|latest|newest|most recent|current|first|earliest|highest|lowest|mean|"
    r"average|total|number)|"
    r"still (?:on|taking|active)|age|dob|date of|how)\b"
)
"""How a question without a verb begins: which record is asked for."""
_BREAK = re.compile(
    rf"(?<=[.!?;:])\s+|\s+[-–—]+\s+|,\s+(?:so\s+|and\s+|but\s+)?(?={_ASKS}|{_RECORD}|i am\b|we are\b|(?:i|"
    rf"we) (?:need|want)\b|"
    r"need (?:the|his|her|their|a|an)\b)",
    re.IGNORECASE,
)
_STATES = re.compile(
    rf"^(?:(?:and|so|but|also|since|as|because)\s+)?(?:(?:i|we|{SUBJECT}|{TEAM})\s+"
    r"(?:is|are|am|has|have|can|will|may|might|says?|looks?|seems?|feels?|wants?|needs?|asks?|asked|complains?|thinks?|"
    r"called|plans?|keeps?|just \w+(?:ed|ang|ame|ent|ot|ell))\b"
    rf"|(?:{KIN}) (?!(?:had|has|have)\b)\w+s\b|(?:{KIN})(?:'s| is) \w+ing\b"
    r"|(?:need(?:ing)?|want(?:ing)?|have|about|trying|hoping|planning|thinking|considering|going) (?:to|of|about)\b"
    r"|(?:going|coming|due|booked|listed|admitted|here) (?:to|for|in|with)\b"
    r"|before (?:i|we|you|\w+ing)\b|(?:good )?(?:morning|afternoon|evening)\W*$|quick (?:one|question)\b"
    r"|(?:[\w.'’-]+ ){1,5}(?:here|calling|speaking|asking|on the (?:line|phone))\W*$)",
    re.IGNORECASE,
)
_IDIOMS = re.compile(
    r"\bon (?:ward |bay )?\w?\d{1,2}\w?(?=\W*$)|\bon (?:scene|site|duty|shift|call|the (?:phone|line|telephone|way|"
    r"ward|floor|unit|desk)|behalf of|my way|"
    r"your way)\b"
    r"|\bin (?:front of me|a (?:hurry|rush|minute|moment|sec(?:ond)?)|(?:five|ten|two|a few|\d+) min(?:ute)?s?|"
    r"the (?:corridor|waiting room|"
    r"office|ambulance|car|field|room|chair|bay)|clinic|theatre|charge|training|my (?:clinic|office|room))\b"
    r"|\bat (?:the (?:desk|bedside|door|counter|front desk|moment)|my desk|reception|triage)\b"
    r"|\bjust (?=\w+(?:ed|ing|ang|ame|ent|ot|ell)\b)|\b(?:tumou?r|mdt|mortality) (?:board|meeting)\b"
    r"|\b(?:can(?:not| not)|could not|do not|did not) (?:find|see|locate|remember|recall|get hold of|reach|know|have)"
    r"(?= (?:it|this|that|him|her|them|the|any|my|his|her|their|which|what|when|if|whether|this patient)\b|"
    r" (?:in|on|any)|\W*$)"
    r"|\b(?:is|are) not (?:sure|certain|in front of me|able)\b|\b(?:does|do) not (?:know|remember|recall)\b"
    r"|\bdischarge (?:planning|letter|summary|meeting|coordinator|nurse|lounge|today|tomorrow)\b"
    r"|\b(?:reconciliation|assessment|screening|check)(?: on| at) (?:admission|discharge)\b|\b[\w-]*visit(?= (?:in|"
    r"within|starting|today|now|tomorrow)\b)"
    r"|\b(?:home|hospice|ward|clinic|surgery|unit|icu|itu|er|ed|emergency|dialysis|outpatient\w*|stroke|cardiac|"
    r"pre-?op|theatre) "
    r"(?:team|nurse|visit(?= (?:today|now|in))|outreach|calling|calls|here|rounds?|pharmacist|registrar|doctor|"
    r"handover|desk|clerk|sister|"
    r"charge nurse|list|coordinator|asking|speaking|staff|manager|physio\w*|sho|consult)\b",
    re.IGNORECASE,
)
"""Words of place, time and denial in phrases that only say where somebody is, or that they do not know."""
_NARROWS = re.compile(
    r"\d|\b(?:only|just|except\w*|exclud\w*|ignor\w*|without|unless|until|other than|instead|both|yesterday|ago|last|"
    r"since|after|during|was|were|did|started|stopped|mean|wrong|different|(?:an)?other|not|never|no|ones?|i (?:mean|"
    r"want)|"
    r"about(?! to\b))\b"
    r"|(?<!he )(?<!she )(?<!they )(?<!patient )(?<!pt )\b(?:wants?|needs?|ask(?:s|ed|ing)?|looking|interested|talking) "
    r"(?:for|in|at|it|them|the|an?|after|his|her|their)\b",
    re.IGNORECASE,
)
"""An exception, a time, a denial; or what the asker wants, which says what is asked for and not why."""
_CARE = re.compile(
    r"\b(?:icu|itu|ccu|er|ed|ward|stay|admission|admitted|inpatient|outpatient|hospital\w*|visit|encounter|emergency|"
    r"surgery|operation|procedure|clinic|home|dialysis|therapy|treatment)\b",
    re.IGNORECASE,
)
"""What may say where or during what care a result was had."""
_PLACED = re.compile(
    r"^(?:in|on|at|from|under|per|by|within|of|for|about)\b|\b(?:following|while|under|with|on|off|target|goal|"
    r"baseline|"
    r"abnormal|normal|family|mother|father|sister|brother|fasting|random|trough|peak|post\w*|urin\w*|fa?ec\w*|"
    r"stool|csf|"
    r"sweat|saliva|arter\w*|ven(?:ous|a)|capillary|cord|fo?etal|standing|sitting|seated|supine|lying|left|right|"
    r"bilateral)\b",
    re.IGNORECASE,
)
"""What may say when or under what a result was had, of which side or specimen, or whose it is."""
_DOING = re.compile(
    r"^(?:about to|(?!(?:fast|stand|sitt|ly|rest|follow|dur|accord|regard|concern|includ|bleed|vomit)ing)\w{3,}ing)\b",
    re.IGNORECASE,
)
"""What the asker is doing: "Preparing the discharge letter"."""
_SPECIMEN = re.compile(
    r"\b(?:urin\w*|fa?ec\w*|stool|csf|sweat|saliva|arter\w*|ven(?:ous|a)|capillary|cord|fo?etal|stay"
    r"|mother|father|sister|brother)\b",
    re.IGNORECASE,
)
"""What limits the results asked about, though it is named beside what somebody is doing: "Filling the urine sheet"."""
_ACTIVITY = re.compile(
    r"^(?:\w{3,}ing|i|we|he|she|they|(?:the )?(?:patient|pt))\b"
    r"|\b(?:review|clinic|check|rounds?|reconciliation|handover|meeting|call|calling|here|phone|line|today|now|"
    r"tomorrow|visit|planning|"
    r"assessment|appointment|query|audit|screening|(?:reconciliation|assessment|screening|check) (?:on|"
    r"at) (?:admission|discharge)|arrived|transferred)\W*$",
    re.IGNORECASE,
)
"""What is done or happens, not a heading over what is asked ("Diabetes review.", "Doing the reconciliation now.")."""
_LEAD = r"^(?:(?:and|so|please|pls|(?:i|we) (?:need|want)|the|his|her|their)\s+)*"
_ASKING = re.compile(
    rf"{_LEAD}(?:{_ASKS}|(?:last|latest|newest|current|mean|average|total|number|age|dob|date)\b)", re.IGNORECASE
)
_PICKS = re.compile(
    rf"{_LEAD}{_ASKS}.*\b(?:last|latest|newest|most recent|current\w*|now|at present|still|ever|any|all|highest|lowest|"
    rf"first|earliest|how many|how often|taking|on|born|birth\w*|dob|age|old|prescri\w+|indicat\w+|diagnosed)\b"
    rf"|{_LEAD}(?:is|are|does|do|has|have|did|any|list|when)\b"
    rf"|{_LEAD}(?:latest|last|most recent|current|newest|date|mean|average|total|number|highest|lowest|first|"
    rf"earliest|age|dob)\b"
    rf"|{_LEAD}how (?:many|often|old)\b|\ballerg\w*|^(?:still|currently|ever|active|ongoing|open|known|regular|all|"
    rf"every)\b",
    re.IGNORECASE,
)
"""A clause that says by itself which record it asks for."""
_NOT_ITS_OWN = "".join(
    rf"(?<!\b{word} )"
    for word in "previous prior last latest recent first newest oldest earlier older earliest highest the".split()
)
_POINTS_BACK = re.compile(
    r"\b(?:then|that(?! (?:was|were|is|are|he|she|they|we) )|it|its|"
    r"this(?! (?:patient|pt|man|woman|lady|gentleman|person|subject|chart|year|month|week)\b)"
    r"|these(?! days\b)|those|(?<!is )(?<!are )(?<!was )(?<!were )there|same|such|"
    rf"{_NOT_ITS_OWN}ones?|"
    r"afterwards|since\W*$)\b",
    re.IGNORECASE,
)


def askings(question: str, *, told: bool = False) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The clauses that may be all of the question, and the others, which only say why it is asked, or greet.

    With `told`, the question was understood as a whole: then only where the others clearly tell an occasion.
    """
    text = plain(question)
    parts = [(a, b) for a, b in _parts(text) if text[a:b].strip(" .,;:!?-")]
    for is_beside, picks in ((_is_context, None), (_is_occasion, _PICKS)):
        beside = [n for n, (a, b) in enumerate(parts) if is_beside(text[a:b])]
        asks = [n for n in range(len(parts)) if n not in beside]
        if not beside or not asks or asks[-1] - asks[0] != len(asks) - 1:
            continue
        clause = text[parts[asks[0]][0] : parts[asks[-1]][1]]
        first = text[slice(*parts[asks[0]])]
        if not _POINTS_BACK.search(first) and (picks is None or picks.search(first)):
            others = tuple(text[slice(*parts[n])] for n in beside)
            if not told or all(_ACTIVITY.search(o) for o in others):
                yield clause, others
            return


def names_care(phrase: str) -> bool:
    """Whether a phrase names a stay, a visit or a treatment that a record may be of."""
    return bool(_CARE.search(_IDIOMS.sub(" ", phrase))) and not (_DOING.match(phrase) or _STATES.match(phrase))


def _parts(text: str) -> Iterator[tuple[int, int]]:
    """Where the clauses of a text stand in it."""
    start = 0
    for gap in _BREAK.finditer(text):
        yield start, gap.start()
        start = gap.end()
    yield start, len(text)


def _is_context(part: str) -> bool:
    told = _IDIOMS.sub(" ", part)
    return bool(_STATES.match(part)) and not part.rstrip().endswith("?") and not _NARROWS.search(told)


def _is_occasion(part: str) -> bool:
    """Whether it only tells on what occasion is asked: "Oncology follow-up:", "Chest pain overnight,"."""
    told = _IDIOMS.sub(" ", part)
    if part.rstrip().endswith("?") or _NARROWS.search(told) or _ASKING.match(part):
        return False
    labelled = not _CARE.search(told) or (_ACTIVITY.search(part) and not _ARTICLE.match(part))
    beside = bool(_DOING.match(part)) or bool(labelled and not _PLACED.search(told))
    return _is_context(part) or (beside and not _SPECIMEN.search(told))


_ARTICLE = re.compile(r"(?:the|this|that|his|her|their|an?)\b", re.IGNORECASE)
