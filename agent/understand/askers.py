"""Who asks, for whom and what for, in more ways than before a colon: "the physio needs …", "for the claim: …".

A clinician may also be the one whose visit, note or report is asked for; an office is not. A purpose is known by its
last word ("diet advice", "falls prevention"), or, before a colon, by naming nothing that a chart or the lexicon knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from agent.types import Ask
from agent.understand.asides import Aside, is_no_source
from agent.understand.patterns import words

__all__ = ["askers"]

_CLERK = words(
    "secretar(?:y|ies), receptionist, typist, (?:ward )?clerk, coders?, billers?, billing, coding, accounts,"
    " admin(?:istrator)?, insur(?:er|ance), payer, lawyer, solicitor, attorney, coroner, court, police, auditors?,"
    " data (?:manager|entry), (?:study |trial |research )?(?:monitor|coordinator|sponsor|investigator), statistician,"
    " (?:medical )?records, interpreter, translator, porter, chaplain, teacher, school, employer, registrar of deaths,"
    " social (?:worker|services), chaplaincy,"
    " \\w+ (?:company|office|agency|authority|board|council|bureau),"
    " case ?(?:manager|worker), key ?worker, (?:medical )?students?, trainee, carers?,"
    " caregivers?, care ?workers?, caretaker, (?:health ?care )?assistant, hca, bed manager,"
    " (?:diabetes |patient )?educator, advis[eo]r, instructor, coach"
)
_CLINICIAN = words(
    r"\w+ologists?, \w+etists?, \w+icians?, \w+itians?, \w+acists?, \w+apists?, \w+ometrists?, \w+opaths?,"
    r" \w+iatrists?, \w+ographers?, \w+sthetists?, \w+otomists?, docs?, doctors?, surgeons?, nurses?, consultant,"
    " registrar, resident, intern, fellow, attending, rns?, gps?, pcp, sho, spr, houseman, house officer,"
    " midwi(?:fe|ves), matron, paramedics?, medics?, physios?, dieteticians?, pharmacy, locum, dentist, hygienist,"
    " counsell?or, health visitor, (?:ed|er|icu|itu|ward|theatre|clinic|mdt|surgical|pain|palliative(?: care)?|rehab|"
    "discharge|transplant|stroke) (?:team|desk|crew), \\w+ (?:unit|department|service|clinic|ward), team, practice"
)
_WHOSE = (
    r"(?:(?:the|our|my|his|her|their|a|an|this|your) )?"
    r"(?:(?!(?:and|or|by|of|for|from|to|is|has|did|was)\b)[\w-]+ ){0,2}?"
)
_KIN = words(
    "(?:step)?(?:mother|father|daughter|son|sister|brother), husband, wife, spouse, partner, parents?, mum, mom, dad,"
    " family, relatives?, next of kin, guardian, friend, neighbou?r, aunt, uncle, niece, nephew, grand(?:son|daughter)"
)
_WHO = rf"{_WHOSE}(?:(?P<clerk>{_CLERK})|(?P<clinician>{_CLINICIAN}))"
_SPEAKS = (
    r"(?:(?:is |are |was )?(?:here|speaking|asking|calling|enquiring|inquiring|ringing|phoning|on the (?:line|phone))"
    r"(?: again| please)?)"
)
_WANTS = (
    r"(?:needs?|wants?|wanted|requires?|requested|requests?|asks?|asked|is asking|are asking|was asking|wonders?|"
    r"is wondering|wish(?:es)?|enquires?|inquires?|would like|would need|has asked|have asked)"
    r"(?: (?:to know|to have|to see|me|us|again))?(?: (?:for|about|after))?"
)
_DASH = r"\s*(?::|,|;|\.|\s[-–—])\s+"
_OF = r"of (?:the|this) (?:patient|pt)"
_TITLED = r"(?:(?:mr|mrs|ms|miss|dr|sister|nurse)\.? \w+,? )"
_CALLED = re.compile(
    rf"^\W*(?:from |this is |it is |i am |speaking as |as )?(?:{_WHO}(?: (?P<speaks>{_SPEAKS}))?|"
    rf"{_WHOSE}(?P<kin>{_KIN}) (?:{_SPEAKS}|{_OF}))(?:{_DASH}|(?<=asking) )(?=\w)",
    re.IGNORECASE,
)
"""Who asks, before a colon, a comma or a dash."""
_NEEDS = re.compile(
    rf"^\W*{_TITLED}?(?:{_WHO}|{_WHOSE}(?P<kin>{_KIN}))(?: {_OF})?,? {_WANTS} (?=(?:the|his|her|their|this|a|an|all|"
    rf"any|what|which|when|"
    rf"how|whether|if|is|are|does|has|"
    rf"last|latest|"
    r"most|newest|current)\b)",
    re.IGNORECASE,
)
_AS = re.compile(
    rf"^\W*(?:speaking )?as {_WHO},? (?:i|we) (?:need|want|require|would like|ask for|"
    rf"am looking for)(?: to know)?\s+(?=\w)",
    re.IGNORECASE,
)
_TO_DO = re.compile(
    r"^\W*(?:(?:in order|so as) )?to (?:dose|calculate|work out|decide|adjust|plan|complete|fill in|prepare|write|"
    r"finish|"
    r"estimate|prescribe|book|arrange|inform|document|record|enter|order|request|answer|check|tell|"
    r"send)\b[^,:?.]{1,60}[,:]\s+"
    r"(?=\w)",
    re.IGNORECASE,
)
"""What it is asked for, before a comma: "to complete the form, …"."""
_TO_BE_DONE = re.compile(
    r"(?:,|\s[-–—])\s*(?:(?:in order|so as) )?to (?:match|label|identify|verify|update|complete|print|fill|enter|"
    r"sign|book|plan|"
    r"tell|inform|write|put|prepare|send|fax|dose|copy|paste|quote|check against|reconcile)\b[^?.!;:,]{1,60}(?=\W*$)",
    re.IGNORECASE,
)
"""And after one: ", to match the label"."""
_TRAILS = re.compile(
    rf"[,;(.–-]\s*(?:{_WHO} (?:{_SPEAKS}|(?:needs?|wants?|asks?|asked|wonders?|would like)(?: (?:to know|it|this|"
    rf"that|for it))?)"
    rf"|(?:asks?|asked by|requested by|says|wonders|for|question from|request from|"
    rf"on behalf of) {_WHOSE}(?:{_CLERK}|{_CLINICIAN}))"
    r"\)?(?=\W*$)",
    re.IGNORECASE,
)
"""Who asks, at the end: ", dietitian is asking", "(for the GP)"."""
_NOUN = words(
    "advice, prevention, counsell?ing, education, dosing, claims?, billing, coding, invoic(?:e|ing), reimbursement,"
    " funding, plan(?:s|ning)?, audit, research, teaching, presentation, records?, purposes?, paperwork, clearance,"
    " consent, assessment, pre-?assessment, handover, rounds?, meeting, board, conference, mdt, letter, form,"
    " certificate, licen[cs]e, visa, application, pension, benefits?, court, coroner, police, legal case, travel,"
    " holiday, school, employer, work, gym, fitness, insurance, study, trial, registry, database, statistics, pre-?op,"
    " pre-?admission, theatre list, transfer, work-?up, reconciliation, triage, call, phone ?call, referral, file,"
    " spreadsheet, poster, log(?: ?book)?, diary, checklist, survey, questionnaire, quality indicators?,"
    " safety(?: check)?, calculator, calculation, prescription, second opinion, tumou?r board"
)
_FEW = r"(?:(?!(?:of|in|on|at|from|with|without|and|or|that|which|who|is|was|for|reason)\b)[\w'’-]+ ){0,3}?"
_PURPOSES = (
    "reason reasons indication indicated given ordered orders order due consent prescribed used referred admitted"
    " referral seen taken drugs meds"
).split()
"""After these "for" says what a thing itself is for."""
_FOR_NOUN = re.compile(
    r"(?:[(,;–-]\s*)?"
    + "".join(rf"(?<!\b{word} )" for word in _PURPOSES)
    + rf"\b(?:just |only |needed |required |asking |wanted )?for {_FEW}{_NOUN}\)?"
    r"(?=\W*(?:(?:please|pls|thanks|thx)\W*)?$|\s*[,;:]\s|\s[-–—]\s)",
    re.IGNORECASE,
)
_FOR_MEDS = re.compile(
    rf"\b(?:drugs|meds|medicines|medications|taken) for {_FEW}{_NOUN}(?=\W*(?:please)?\W*$)", re.IGNORECASE
)
"""After drugs only the head is asked about: "meds for pre-op" are those of now, where "current" says so."""
_LEAD = words(
    "for, re, regarding, concerning, ahead of, in preparation for, in connection with, in view of, as part of,"
    " preparing(?: for)?, planning, completing, filling in, on behalf of"
)
_LABEL = re.compile(
    rf"^\W*(?:(?P<lead>{_LEAD}) )?(?P<what>{_FEW}(?P<noun>{_NOUN})?[\w'’-]*(?: \([\w ]+\))?)"
    r"\s*(?::|\s[-–—])\s+(?=\w)",
    re.IGNORECASE,
)
"""What for, before a colon or a dash."""
_WORK = words(
    "doing, filling(?: in| out)?, verifying, making(?: up)?, chasing, checking, preparing, writing, updating, closing,"
    " completing, reviewing, planning, scheduling, booking, drafting, typing, dictating, coding, auditing, calling,"
    " reconciling, covering, handing over, seeing, screening, triaging, consenting"
)
_THING = words(
    "slides?, abstract, sheets?, letters?, blanks?, forms?, board, packs?, lists?, requests?, query, queries, line,"
    " call, poster, round, rounds, phone visit, video visit, mdt, audit, survey, checklist, templates?, figure,"
    " number, item, tumou?r board, huddle, handover, summary, application"
)
_HEAD = re.compile(
    rf"^\W*(?P<what>(?=[^:]*\b(?:{_CLERK}|{_CLINICIAN}|sister|{_WORK}|{_THING})\b)[^:?]{{6,70}}?)"
    r"(?::\s+(?=\w)|,\s+(?=(?:what|when|which|how|is|has|does|did|was|are)\b))",
    re.IGNORECASE,
)
"""Before a colon somebody at work, or what is worked at: "Night sister doing the board: …"."""
_HEAD_WORDS = 3
"""A shorter head may be the name of what is asked about."""
_OF_A_STAY = re.compile(r"\b(?:by|stay|admitted|hospital\w*|operation|dialysis|chemo\w*|transfusion|delivery)\b", re.I)
_OFFICE = re.compile(rf"\b{_CLERK}\b", re.IGNORECASE)
_NO_LIMIT = re.compile(
    r"\b(?:items?|pages?|sections?|questions?|box|fields?|lines?|bays?|beds?|rooms?|wards?) ?\d+\b|\bpre-?visit\b"
    r"|\b(?:night|charge|ward|theatre) sister\b|\bblanks? left\b|\b(?:trying )?not to [\w-]+"
    r"|\bone (?:more )?number\b|\btomorrow'?s\b|\bfollow-?up\b|\bstep-?down\b",
    re.IGNORECASE,
)
"""Words of such a head that limit nothing, though some of them could elsewhere."""
_TAG = re.compile(rf"\((?:{_FEW}{_NOUN})\)(?=\W*$)|\s[-–—]\s{_FEW}{_NOUN}(?=\W*$)", re.IGNORECASE)
"""What for, at the end: "(billing)"."""
_PERFORMS = re.compile(
    rf"\bdid (?P<who>(?:the|our|his|her|their) (?:[\w-]+ )?{_CLINICIAN}) (?:do|perform|carry out|undertake|make|"
    rf"take|order)\b",
    re.IGNORECASE,
)
"""Who did what is named by itself: "how many cardioversions did the cardiologists perform"."""
_NARROWS = re.compile(
    r"\d|\b(?:no|not|never|only(?! for)|except\w*|without|since|until|during|yesterday|ago|last|latest|previous\w*|"
    r"first|was|"
    r"were|did|left|right|fasting|urin\w*|ven(?:ous|a)|arter\w*|capillary|standing|sitting|lying|supine|post\w*|"
    r"family(?! (?:meeting|conference))|mother|father|"
    r"sister|brother|discharge(?! plan)|(?<!pre-)(?<!pre)admission|before|after|target|goal|abnormal|wrong|other|"
    r"another|stopped|old)\b",
    re.IGNORECASE,
)


def _any(_: Ask) -> bool:
    return True


def _named(ask: Ask) -> bool:
    """Whether a clinician's own visits, notes or reports cannot be what is asked for."""
    sources = (("encounter",), ("document",), ("report",), ("order",))
    held = any(t.keys for t in ask.targets) and ask.kinds[:1] not in sources and ask.op != "find"
    return is_no_source(ask) or held


def _is_no_document(ask: Ask) -> bool:
    return (
        ask.kinds[:1] not in (("document",), ("report",), ("order",))
        and ask.op not in ("find", "reason")
        and not ask.purpose
    )


def _lists_now(ask: Ask) -> bool:
    return _is_no_document(ask) and (ask.current or ask.state == "active")


def _is_done(ask: Ask) -> bool:
    return ask.kinds[:1] in (("procedure",), ("imaging",), ("measurement",)) and any(t.keys for t in ask.targets)


def askers(text: str, means_nothing: Callable[[str], bool]) -> Iterator[Aside]:
    """The phrases that say who asks or what for; `means_nothing`: neither chart nor lexicon knows the words."""
    for aside in _all(text, means_nothing):
        if not _NARROWS.search(aside.words):
            yield aside
    yield from _headed(text)


def _headed(text: str) -> Iterator[Aside]:
    """The head of a whole question, of three words at least, where nothing in it limits what is asked."""
    head = _HEAD.match(text)
    told = _NO_LIMIT.sub(" ", head["what"]) if head else ""
    if head and len(head["what"].split()) >= _HEAD_WORDS and not (_NARROWS.search(told) or _OF_A_STAY.search(told)):
        yield Aside(words=head.group(), fits=_any if _OFFICE.search(head["what"]) else _named)


def _all(text: str, means_nothing: Callable[[str], bool]) -> Iterator[Aside]:
    for pattern in (_CALLED, _NEEDS, _AS, _TRAILS):
        if who := pattern.search(text):
            office = bool(who["clerk"]) or pattern is not _CALLED or bool(who["speaks"])
            yield Aside(words=who.group(), fits=_any if office else _named)
    if meds := _FOR_MEDS.search(text):
        yield Aside(words=re.sub(r"^\w+ ", "", meds.group()), fits=_lists_now)
    elif purpose := _FOR_NOUN.search(text):
        yield Aside(words=purpose.group(), fits=_is_no_document)
    if tag := _TAG.search(text):
        yield Aside(words=tag.group(), fits=_is_no_document)
    if work := _TO_DO.search(text) or _TO_BE_DONE.search(text):
        yield Aside(words=work.group(), fits=_named)
    if performs := _PERFORMS.search(text):
        yield Aside(words=performs["who"], fits=_is_done)
    label = _LABEL.match(text)
    if label and (label["noun"] or (label["lead"] and means_nothing(label["what"]))):
        yield Aside(words=label.group(), fits=_any if label["noun"] else _named)
