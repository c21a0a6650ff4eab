"""What a question says besides what it asks: who asks, what for, and restrictions that an answer keeps anyway.

A phrase is set aside by its grammar alone ("for the … form", "so I can …", "Dietitian: …"), never because its words
are unknown; only where it holds no negation, number, time, comparison or second question; and only where the rest is
a question that is understood, of a kind that the phrase cannot narrow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.types import Ask

__all__ = ["Aside", "asides", "is_no_source", "is_plain", "is_timeless", "names_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """A phrase that may be set aside, in the words of the question; `instead` stands in its place.

    `fits` says of the question without it whether it may. `told`: the answer says that it was set aside.
    """

    words: str
    fits: Callable[[Ask], bool]
    told: bool = True
    instead: str = " "

    def tells(self) -> str:
        """What was set aside, as the answer says it."""
        beside = self.words.replace(self.instead, "") if self.instead.strip() else self.words
        return " ".join(beside.split()).strip(" ,.;:-–—()")


_NARROWS = re.compile(
    r"\d|\b(?:no|not|never|nor|only|just|except\w*|exclud\w*|ignor\w*|without|unless|until|if|other than|instead|both|"
    r"yesterday|ago|last|latest|recent\w*|previous\w*|first|since|after|during|was|were|did|started|stopped|mean|"
    r"average|"
    r"compar\w*|trend\w*|chang\w*|higher|lower|highest|lowest|abnormal|fasting|past|old|new|family (?:history|hx)|"
    r"about|wrong|"
    r"(?:an)?other|"
    r"what|whats|which|who|whom|whose|when|how|why)\b|\bin (?:\w*mol|\w?g)\b",
    re.IGNORECASE,
)


_GREETINGS = re.compile(
    r"\W*(?:good (?:morning|afternoon|evening|day)|quick (?:one|question)|\w+ here|(?:dr|mr|mrs|ms|miss|prof)\.?)\W*",
    re.IGNORECASE,
)
_SOURCES = re.compile(
    r"\b(?:\w{3,}ist|pharmac\w+|\w+(?:ology|ologist|iatr\w+|itian|etist|ician|ometr\w+|surg\w+)|dent\w+|surg\w+|"
    r"physio\w*|dietetic\w*|"
    r"nurs\w+|midwi\w+|"
    r"gp|pcp|doctors?|team|clinic|ward|unit|icu|itu|ccu|hdu|ed|er|emergency|casualty|theatre|hospital\w*|hospice|"
    r"home|lab\w*|scans?|"
    r"imaging|x-?ray|mri|ct|ultrasound|echo|visits?|appointments?|admission|inpatient|outpatient|consult\w*|"
    r"referr\w+|therap\w+|"
    r"dialysis|oncology|paediatrics|pediatrics|obstetrics|maternity|rehab\w*|vaccin\w+|pre-?op\w*|social|screening)\b",
    re.IGNORECASE,
)


def is_plain(phrase: str) -> bool:
    """Whether a phrase only greets, so that nobody need be told that it was set aside."""
    return bool(_GREETINGS.fullmatch(phrase))


def names_source(phrase: str) -> bool:
    """Whether a phrase names who or what a visit, a report or an order may be of."""
    return bool(_SOURCES.search(phrase))


_PERSON = (
    r"(?:(?:speech|occupational|ward|on[- ]call|cardiac|theatre|ambulance|coroner['’]?s|bed|trial|research|study|"
    r"clinical|social|community|school|district|charge|case|senior|junior|duty|night|staff|specialist|practice|"
    r"clinic|data|"
    r"cath lab|medical|surgical|dental) ){0,2}"
    r"(?:\w+(?:ologist|etist|ician|itian|acist|apist|ometrist|thesiologist)|surgeon|nurse|matron|midwife|paramedic|"
    r"dentist|"
    r"registrar|sho|coordinator|investigator|monitor|manager|clerk|worker|radiographer|dietetics|physio|pharmacy|"
    r"office|"
    r"crew|(?:care|nursing) home|an(?:a)?esthetics)(?: here)?"
)
_MODIFIER = (
    r"(?:\w+ology|pre-?(?:op|operative|assessment|admission|anaesthetic|anesthetic|procedure)|an(?:a)?esthetic|"
    r"medicines?|medication|meds|eligibility|exclusion|inclusion|trial|study|protocol|ward|clinic|theatre|nursing|"
    r"dietary|"
    r"surgical|screening|dental|insurance|safety|quality|data|audit|referral|handover|travel|school|"
    r"lost-to-follow-?up|repeat|consent|enrolment|enrollment|source|case|report|identity|id|bed|board|round|today'?s?|"
    r"tomorrow'?s?|tonight'?s?)"
)
_TASK = (
    r"(?:check|screen|(?:pre-?)?screening|assessment|preassessment|reconciliation|review|round|handover|criterion|"
    r"criteria|audit|referral|clearance|planning|template|verification|query|meeting|list|checklist|prep|preparation|"
    r"question|request)"
)
_PAPER = (
    r"(?:form|letter|paperwork|crf|ecrf|sheet|chart|page|wristband|bracelet|template|referral|handover|checklist|"
    r"worklist|certificate|questionnaire|whiteboard|(?:dosing )?calculator|database|registry|spreadsheet|portal|"
    r"anaesthetist|anesthetist|anesthesiologist|surgeon|pharmacist|pharmacy|ward round|insurer|insurance|application|"
    r"summary|file|label|badge|register|hospice|(?:care|nursing) home|employer|school|colleague|audit|report|"
    r"records?|presentation|purposes|company|appeal|claim|survey|statistics|project|poster|paper|thesis|teaching|log|"
    r"list|board|mdt|conference|meeting|rounds?|huddle|hand-?off|sign-?out|clearance|coding|billing|completeness|"
    r"confirmation|curiosity|information|info|reference|context|team|family|relatives|coder|billing|authori[sz]ation|"
    r"prior auth(?:ori[sz]ation)?|utili[sz]ation|benchmark|dashboard|tumou?r board|eligibility|research|publication|"
    r"migration|import|export|system)"
)
_PAGE = r"(?: (?:page|p|section|box|item|field) ?\d+)?"
_NUMBERED = re.compile(rf"{_PAGE}\s*$|(?:(?<=question)|(?<=clusion)|(?<=criterion)) ?\d+")
"""The number of a page or a question of a form."""
_DET = r"(?:the|a|an|my|our|his|her|their|this|your)"
_END = r"(?=\s*(?:(?:please|pls|thanks|thx|thank you)?\W*$|[?.!;:,]|[-–—]\s))"

_ACT = (
    r"(?:i|we) (?:an(?:a)?estheti[sz]e|induce|sedate|intubate|inject|operate|prescribe|transfuse|discharge|proceed|"
    r"start|give|go|book|call|send|scan|list|consent|refer|order|sign|transfer|write|cannulate|see|do|dose|extract)"
)
"""What the asker is about to do: verbs whose past has another form."""
_LABEL = re.compile(
    rf"^\s*(?:(?P<who>{_PERSON})|before {_ACT}\b[^:?.,]{{0,40}}"
    r"|(?:(?:trial|study) )?(?:exclusion|inclusion)(?: criteri(?:on|a))?(?: ?\d+)?"
    r"(?!\W+(?:no|not|none|absence|without|free|lack)\b)"
    rf"|(?P<task>(?:{_MODIFIER} ){{0,3}}{_TASK}(?:(?<=question) ?\d+)?|pre-?(?:assessment|op)))"
    r"(?: please| pls)?\s*(?::|,|\s[-–—])\s+(?=\w)",
    re.IGNORECASE,
)
"""Who asks or what for, before a colon: "Dietitian: …", "Medicines reconciliation: …", "Before I inject him: …"."""
_TOPIC = re.compile(
    r"^\s*(?:(?!urin|f(?:a)?ec|stool|csf|sweat|saliva|arter|ven|capill|cord|f(?:o)?etal|fasting|family)\w+ ){1,2}"
    r"(?:function|stores?|control|profile|balance|markers)(?:\s*:|\s[-–—])\s+(?=\w)",
    re.IGNORECASE,
)
"""A heading over a whole question about a result: "Renal function: what is the last creatinine?"."""
_FOR_PAPER = re.compile(
    r"(?<!reason )(?<!reasons )(?<!indication )(?<!indications )(?<!referred )(?<!request )"
    r"(?<!orders )(?<!order )(?<!due )(?<!consent )"
    rf"\b(?:(?:needed|asking) )?for (?:(?:{_DET}|{_MODIFIER}) )?(?:[\w-]+ ){{0,2}}?"
    rf"(?:{_PAPER}|{_MODIFIER} {_TASK}){_PAGE}"
    rf"(?:{_END}|(?= (?:i|we) (?:need|want|require)\b))",
    re.IGNORECASE,
)
"""Where the answer goes: "for CRF page 1", "for tomorrow's theatre list"."""
_SO_THAT = re.compile(
    r"(?:,\s*)?\b(?:so (?:that )?(?:i|we|they) (?:can|could|may|know)|(?:in order|so as) to|"
    rf"(?:(?:i|we|they) )?(?:need|want|have) to (?:know|write|tell|enter|record|put|fill|document|check)|before {_ACT}|"
    r"while (?:i|we) (?:fill|am|are|write|wait|talk|prepare|draw))\b"
    r"[^?.!;:]*(?=[?.!\s]*$)",
    re.IGNORECASE,
)
"""What the asker will do with it, at the end: "so I can code the encounter", "before we go to theatre"."""
_WORK = re.compile(
    r"(?:,\s*)?\b(?:(?:i |we )?(?:want|need) )?to (?:work out|calculate|dose|adjust|decide on|estimate)\b[^?.!;:]*"
    r"(?=[?.!\s]*$)",
    re.IGNORECASE,
)
"""What a result is worked with: "last weight to calculate the dose"."""
_ENTERED = re.compile(
    r"(?:,\s*)?(?:\b(?:i |we )?(?:want|need|have) )?\bto (?:put|write|enter|include|record|copy|paste|fill|complete|"
    r"update|finish|send|fax|"
    r"email|attach|inform|confirm|verify|cross-?check|match|reconcile|file|submit|prepare|draft|dictate|book|order|"
    r"sign)\b[^?.!;:]*(?=[?.!\s]*$)",
    re.IGNORECASE,
)
"""Where the asker will write it: "to put in the letter", "to confirm his ID"."""
_BECAUSE = re.compile(
    r"(?:,\s*|\s)(?:because|since|as|cause|cos) (?=(?:i|we|he|she|they|the|our|my|his|her)\b)"
    r"(?P<why>[^?.!;:,]*\b(?:asks?|asked|asking|wants?|needs?|writing|filling|preparing|seeing|calling|going|booking|"
    r"ordering|"
    r"prescribing|doing|making|requires?|requested|request|enquir\w+|inquir\w+)\b[^?.!;:]*)(?=[?.!\s]*$)",
    re.IGNORECASE,
)
"""Why it is asked: "because the insurer asks", "as I am writing the letter"."""
_BRACKETED = re.compile(
    r"\((?:urgent|stat|trial|study|research|audit|coding|billing|crf|ecrf|registry|referral|handover|insurance|"
    r"pre-?op|clinic|form|"
    r"(?:for|re) [a-z ]{2,30})\)",
    re.IGNORECASE,
)
"""What it is for, in brackets."""
_PLANNED = re.compile(
    r"\b(?:before|prior to|ahead of) (?:contrast(?: media)?|induction|anaesthesia|anesthesia|sedation|theatre|surgery)"
    + _END,
    re.IGNORECASE,
)
"""What is about to be done, without an article: with one, or told as past, it is an event to look up."""

_LAST = r"(?=\W*$|[?.!;])"
_BAD = r"(?:wrong|erroneous|invalid|mistaken|bogus|retracted|incorrect|false|entered[- ]in[- ]error|error)"
_THINGS = (
    r"(?:ones?|entries|entry|values?|results?|readings?|records?|stuff|things|items|problems?|conditions?|diagnoses)"
)
_OVER = r"(?:finished|resolved|inactive|closed|healed|past|old|previous)"
_LEFT_OUT = (
    r"(?:not|leav(?:e|ing) out|disregard(?:ing)?|ignoring|ignore|excluding|exclude|without|minus|skip|skipping|"
    r"not counting|not including)"
)
_ORDERS = (
    r"(?:inpatient|hospital)(?:[- ]only)? (?:orders|drugs|meds)"
    r"(?: from (?:the |an? )?(?:old|last|past|previous) (?:admission|stay)s?)?"
)
_WHICH = r"(?:that|which|who)(?:'s| is| are| was| were)?"
_STOPPED = r"(?:stopped|discontinued|finished|completed|ended|old|past|previous)"
_DROPPED = r"(?:cancelled|canceled|missed|planned|booked|future|no[- ]shows?)"
_VISITS = r"(?:ones?|visits?|encounters?|appointments?|bookings?|contacts?|attendances?|stays?|admissions?)"
_ARE_OUT = (
    r"(?:(?:is|are|was|were|being|to be) )?(?:not (?:to be )?(?:counted|included|considered)|(?:do|does)(?: not|"
    r"n't) count|"
    r"left out|(?:excluded|omitted|disregarded|ignored|discounted|removed|skipped|aside|apart))"
)
_GIVEN = r"(?:supposing|assuming|provided|providing|given|granted|granting|if)(?: that)?"


def _goes_on(ask: Ask) -> bool:
    return (
        ask.kinds[:1] == ("condition",)
        and ask.op == "list"
        and not ask.targets
        and (ask.current or ask.state == "active")
    )


def _is_own_condition(ask: Ask) -> bool:
    return ask.kinds[:1] == ("condition",) and not ask.relative


def _is_taken(ask: Ask) -> bool:
    listed = ask.kinds[:1] == ("medication",) and ask.op in ("list", "taking") and not ask.window and not ask.anchor
    return listed and (ask.current or ask.state == "active")


def _is_valid(ask: Ask) -> bool:
    return ask.kinds[:1] in (("measurement",), ("medication",), ("condition",)) and ask.op != "find"


def _is_visit(ask: Ask) -> bool:
    return ask.kinds[:1] == ("encounter",) and ask.op not in ("find", "order")


def is_timeless(ask: Ask) -> bool:
    """Whether the question has the same answer before and after something: no event or result is picked by its time."""
    now = (
        ask.current
        or ask.kinds[:1] in (("allergy",), ("patient",))
        or (ask.kinds[:1], ask.op) == (("condition",), "exists")
    )
    return (
        now and not ask.anchor and not ask.window and ask.op not in ("latest", "first", "previous", "closest", "order")
    )


def is_no_source(ask: Ask) -> bool:
    """Whether the words before a colon cannot be the source asked about ("Radiology: last report?")."""
    sources = ("encounter", "report", "document", "imaging", "order", "procedure", "careplan", "goal", "family")
    return ask.kinds[:1] not in tuple((k,) for k in sources) and ask.op != "find"


def _is_no_document(ask: Ask) -> bool:
    return ask.kinds[:1] not in (("document",), ("report",), ("order",)) and ask.op != "find"


def _is_one_result(ask: Ask) -> bool:
    return ask.kinds[:1] == ("measurement",) and len(ask.targets) == 1


def _any(_: Ask) -> bool:
    return True


def _planned(ask: Ask) -> bool:
    return not ask.anchor and not ask.window


_KEPT: tuple[tuple[Callable[[Ask], bool], re.Pattern[str]], ...] = tuple(
    (fits, re.compile(pattern, re.IGNORECASE))
    for fits, pattern in (
        (
            _goes_on,
            rf"[,(]?\s*\b(?:(?:all )?{_WHICH} not (?:yet )?{_OVER}|{_LEFT_OUT} (?:the |any |all )?{_OVER}"
            rf"(?: {_THINGS})?)\)?{_LAST}",
        ),
        (
            _is_taken,
            rf"[,(]?\s*\b(?:{_WHICH} not (?:yet )?{_STOPPED}|{_LEFT_OUT} (?:the |any |all )?{_STOPPED}"
            r"(?: (?:ones?|drugs?|meds|medications?|prescriptions?|items?|stuff))?"
            r"|not (?:the )?(?:ones|drugs|meds) (?:from|of|during) (?:the|his|her|their|a|any) (?:\w+ )?(?:hospital )?"
            rf"(?:stay|admission)s?)\)?{_LAST}",
        ),
        (
            _is_taken,
            rf"[,(]?\s*\b{_ORDERS} (?:excluded|left out|not counted)\)?{_LAST}",
        ),
        (
            _goes_on,
            rf"[,(]?\s*\b{_LEFT_OUT} (?:(?:the |any |all )?(?:{_OVER} )?(?:{_THINGS})|anything|everything|"
            r"what(?:ever)?)"
            rf"(?: (?:that|which))?(?:'s| is| are| has| have)? (?:{_OVER}|cleared(?: up)?|gone(?: away)?)\)?{_END}",
        ),
        (
            _is_own_condition,
            r"[,(]?\s*\b(?:as opposed to|rather than|not(?: counting| including)?|ignoring) (?:in |of |among )?"
            r"(?:the |his |her |their |any )?"
            rf"(?:relatives?|family(?: members?| history)?)\)?{_END}",
        ),
        (_is_valid, rf"[,(]?\s*\b{_LEFT_OUT} (?:the |any |all )?{_THINGS} (?:(?:made|entered) )?in error\)?{_END}"),
        (
            _is_visit,
            rf"[,(.]?\s*\b{_LEFT_OUT} (?:anything|everything|those|whatever) (?:(?:that|which) )?"
            rf"(?:got|was|were|is|are) {_DROPPED}\)?{_END}",
        ),
        (_is_valid, rf"[,(]?\s*\b{_LEFT_OUT} (?:the |any |all )?{_BAD}(?: {_THINGS})?\)?{_LAST}"),
        (_is_one_result, r"\btrue\b(?= \w+ (?:on record|on file|ever|recorded|reading|value|result|measurement)\b)"),
        (_is_one_result, r"\bon (?:the|his|her|their) growth (?:record|chart|curve)\b"),
        (_is_visit, r"\b(?:kept|attended)\b(?= (?:appointment|visit|encounter|consultation)s?\b)"),
        (_is_visit, rf"\b(?:that|which) (?:really |actually )?(?:took place|happened|went ahead|was kept){_LAST}"),
        (_is_visit, rf"[,(]?\s*\b{_LEFT_OUT} (?:the |any |all )?{_DROPPED}(?: {_VISITS})?\)?{_LAST}"),
        (_is_visit, rf"^\W*{_LEFT_OUT} (?:the |any |all )?{_DROPPED}(?: {_VISITS})?\s*[,:]"),
        (_is_visit, rf"[,;(–-]?\s*\b(?:with )?(?:the |any |all )?{_DROPPED}(?: {_VISITS})? {_ARE_OUT}\)?{_LAST}"),
        (_is_visit, rf"^\W*(?:{_GIVEN} )?(?:the |any |all )?{_DROPPED}(?: {_VISITS})? {_ARE_OUT}\s*[,:]"),
        (_is_valid, rf"[,;(–-]?\s*\b(?:with )?(?:the |any |all )?{_BAD}(?: {_THINGS})? {_ARE_OUT}\)?{_LAST}"),
        (_is_valid, rf"^\W*(?:{_GIVEN} )?(?:the |any |all )?{_BAD}(?: {_THINGS})? {_ARE_OUT}\s*[,:]"),
        (
            _is_one_result,
            r"^\W*(?:whether )?[\w-]+ or (?:not|otherwise|non-?[\w-]+)\s*(?:[:,]|\s[-–—])\s"
            r"|[,(]?\s*\b(?:regardless|irrespective) of [\w-]+(?: or not)?\)?(?=\W*$)"
            r"|[,(]\s*(?:whether )?[\w-]+ or (?:not|otherwise)\)?(?=\W*$)",
        ),
    )
)  # fmt: skip
"""Restrictions that repeat what an answer does anyway, with the questions of which that is so."""

_ASKS = re.compile(
    r"\b(?:still|taking|what|whats|which|when|how|who|any|is|are|does|do|has|have|did|was|list|last|latest|"
    r"most recent|newest|all|"
    r"every|full|complete|history|ever|present|age|date|show|give|tell)\b",
    re.IGNORECASE,
)
"""After "Medication review:" a bare name would leave open what is asked of it."""
_LENGTH = 1000
"""Characters."""
_PAST = re.compile(r"\b(?:was|were|did|had|been)\b", re.IGNORECASE)


_GOING_ON = re.compile(
    r"[,(]?\s*\bwhile (?:the|his|her|their) [\w -]{2,40}? (?:was|were) (?:still )?"
    r"(?:going on|ongoing|under ?way|running|in progress|being given|given)\b\)?",
    re.IGNORECASE,
)
"""What else was so over a stretch of time that the question tells by its days."""


def _is_dated(ask: Ask) -> bool:
    return bool(ask.window and ask.window.low and ask.window.high)


def asides(text: str) -> Iterator[Aside]:
    """The phrases of a question that may be set aside, each as it stands in it; none of a text too long for one."""
    if len(text) > _LENGTH:
        return
    yield from (a for a in _purposes(text) if not _NARROWS.search(_NUMBERED.sub("", a.words)))
    if (why := _BECAUSE.search(text)) and not _NARROWS.search(why["why"]):
        yield Aside(words=why.group(), fits=_any)
    if going_on := _GOING_ON.search(text):
        yield Aside(words=going_on.group(), fits=_is_dated)
    for fits, pattern in _KEPT:
        if kept := pattern.search(text):
            yield Aside(words=kept.group(), fits=fits, told=False)


def _purposes(text: str) -> Iterator[Aside]:
    """Who asks, and what for."""
    label = _LABEL.match(text)
    if label and (not label["task"] or _ASKS.search(text[label.end() :])):
        yield Aside(words=label.group(), fits=is_no_source if label["who"] else _any)
    for pattern, fits in ((_FOR_PAPER, _is_no_document), (_SO_THAT, _any)):
        if purpose := pattern.search(text):
            yield Aside(words=purpose.group(), fits=fits)
    for pattern, fits in ((_ENTERED, _is_no_document), (_BRACKETED, is_no_source)):
        if entered := pattern.search(text):
            yield Aside(words=entered.group(), fits=fits)
    if work := _WORK.search(text):
        yield Aside(words=work.group(), fits=_is_one_result)
    if topic := _TOPIC.match(text):
        yield Aside(words=topic.group(), fits=_is_one_result)
    planned = _PLANNED.search(text)
    if planned and not _PAST.search(text):
        late = re.search(r"theatre|surgery", planned.group(), re.IGNORECASE)
        yield Aside(words=planned.group(), fits=is_timeless if late else _planned)
