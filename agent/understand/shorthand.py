"""A question as it is typed → plain words: shorthand written out, courtesy and what only introduces it left out.

Nothing is dropped that could narrow the question.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from agent.understand.manners import without_manners
from agent.understand.phrasing import written_out
from agent.understand.slips import unslipped
from fhir_tools.lexicon import lexicon

__all__ = ["KIN", "SUBJECT", "TEAM", "plain"]

_CHART = r"(?:(?:the|this|our|his|her|their|your) )?(?:\w+[’']s )?(?:chart|records?|ehr|emr|file|system|database)"
_KNOWN = r"(?:documented|recorded|known|available|possible|on (?:file|record)|in the chart|there|noted)"
_LEADS = (
    r"(?:(?:hi|hello|hey|dear)(?: (?:there|all|team|everyone|doctor|doc|colleagues?))?|good (?:morning|afternoon|"
    r"evening|day)|"
    r"(?:morning|afternoon|evening)(?=[,.!:;])|greetings|ok(?:ay)?|alright|right(?=,)|well(?= (?:what|how|is|so|then|"
    r"when|has|does)\b|[,.!])|so|oh|um+|uh+|hm+|er+m|"
    r"now(?=,)|and(?=,)|"
    r"please|pls|plz|kindly|btw|by the way|fyi|incidentally|actually|basically|honestly|urgent(?:ly)?(?=[:!,-])|"
    r"stat(?=[:!])|"
    r"sorry(?: (?:to (?:bother|trouble|disturb|interrupt) you|for (?:asking|bothering you)))?(?: again)?|excuse me|"
    r"pardon(?: me)?|"
    r"apologies|a?(?:nother| quick| last| final| small| simple|one(?: more| last| quick)?) (?:one|q|question|thing|"
    r"check)"
    r"(?: (?:from|for) (?:me|you))?(?=[:,.!?-])|quick (?:one|q|question|check)(?=[:,.!?-])|(?:just )?me again|"
    r"(?:i am |i'm )?(?:just )?(?:checking|check|wondering|asking|curious)(?=[,:.])|"
    r"(?:just )?(?:to (?:be (?:sure|certain|safe)|confirm|clarify|(?:double[- ]?)?check|make sure|verify))(?=[,:])|"
    r"out of (?:curiosity|interest)|for (?:completeness|clarity|confirmation|information|(?:the|my|our) (?:record|"
    r"records|information|"
    r"info|reference|understanding))(?=[,:])|non[- ]?urgent(?:ly)?(?=[:,])|"
    r"while (?:you|we|i)(?:'re| are|'m| am) (?:at it|here|there|on it)|"
    rf"(?:according to|based on|going by|as per|per|from|looking (?:at|through)|in) {_CHART}(?=,)|"
    r"(?:from|by|as far as|given) (?:what|all|anything)? ?(?:(?:we|you|i|one) )?(?:have|know|can see|can tell|see)"
    r"(?: (?:here|on file|on record))?(?=,)|to the best of (?:your|our|my) knowledge|"
    rf"if (?:it(?:'s| is) |that is )?{_KNOWN}|if you (?:can(?: (?:see|find) (?:it|that))?|know|have (?:it|"
    rf"that)(?: handy)?|"
    r"do(?:n't| not) mind)|(?:can|could|would) you (?:please )?(?:check something|"
    r"help(?: me)?(?: out)?(?: with (?:this|something))?)|"
    r"(?:please )?help me(?: out)?(?: with (?:this|something))?(?=[:.,]))"
)
_LEAVE = (
    r"(?:i|we|you) (?:safely |still |also |now |just )?(?:take|use|start|stop|prescribe|add|increase|decrease|raise|"
    r"lower|switch|change|hold|"
    r"continue|resume|operate|discharge|treat|order|administer|combine|skip|refill|renew|cancel|book|schedule)\b|"
    r"(?:i|we) (?:safely )?give\b"
    r"|(?:i|we) (?:have|get) (?!the\b|an?\b|his\b|her\b|their\b|your\b|last|latest|most|all\b|any\b|some\b|list)"
)
"""What asks for leave, or for something to be done: "can we stop", which no chart answers."""
_POLITE = re.compile(
    rf"^\s*(?:{_LEADS}\b[\s,.!:;?–—-]*)*"
    r"(?:"
    r"(?:do you have |is there |have you got |got )?any (?:idea|clue)(?: of| about)? (?=what|when|how|if|whether|"
    r"which|why|his|her|the)"
    r"|(?:(?:do|would) you (?:happen to )?know|do you remember|(?:are you able|is it possible|would it be possible) to "
    r"(?:tell|say|see|find(?: out)?|check|show))(?: (?:me|us))?\b"
    rf"|(?:can|could|would|will|may) (?!{_LEAVE})(?:you|we|i|someone|anyone|somebody) (?:please |kindly |also |just |"
    r"quickly )?(?=\w+)"
    r"(?:(?:tell|show|give|let|help|have|see|know|request|remind|trouble|bother|go through|run through|get|fetch|"
    r"find|check|look up|"
    r"(?:dig|pull|look|bring|call|fish|hunt|track|chase|scroll|read|go) (?:up|out|down|back(?: to)?|through))"
    r"(?: (?:me|us|you))?(?: know| for)?\b)?"
    r"|i(?:'d| would| will|'ll)? (?:want|need|like|love|have) to (?:know|see|find(?: out)?|check|confirm|verify|ask)\b"
    r"|i(?:'d| would) (?:be (?:grateful|thankful|glad|happy|obliged)|appreciate) (?:for|to (?:have|know|get|see)|"
    r"it if you (?:could|would) "
    r"(?:tell|give|send) me)?"
    r"|i(?:'d| would)? (?:want|need|wonder|require|like|love)(?= (?:a|an|the|his|her|their|how|what|when|which|if|"
    r"whether)\b)"
    r"|(?:i(?:'m| am) |we(?:'re| are) |am )?(?:looking for|searching for|seeking|after)(?= (?:a|an|the|his|her|their|"
    r"any)\b)"
    r"|i was (?:after|looking for|wondering(?: about)?|hoping (?:for|to see))\b"
    r"|i(?:'m| am) (?:wondering|curious|interested|unsure|not sure)(?: to know)?"
    r"|do (?:you|we) (?:know|have)|let me know|remind me|report (?=the\b)"
    r"|(?:dig|pull|look|bring|call|fish|hunt|track|chase|scroll|read|flash) (?:me |us )?(?:up|out|down|"
    r"back to)(?= (?:the|his|her|their|any|all|a)\b)"
    r"|(?:hit|furnish|provide|supply) (?:me|us) with"
    r")?\s*(?=\S)",
    re.IGNORECASE,
)
"""How a question is introduced; its words say nothing about what is asked."""
_THANKS = (
    r"(?:many |much |big )?thanks?(?: you)?(?: kindly)?(?: (?:a lot|so much|very much|a million|again|"
    r"mate))*(?: in advance)?|thx|thnx|ty|tia|ta|"
    r"cheers(?: mate)?|much (?:obliged|appreciated)|(?:i(?:'d| would)? |would )?(?:really )?appreciate (?:it|that|"
    r"your help)|"
    r"(?:with )?(?:kind|best|warm)(?:est)? regards|regards|please|pls|plz|kindly|asap|urgent(?:ly)?|over and out|"
    r"(?<=, )(?:right|correct|yes|yeah|huh|no)(?=\W*$)|no (?:rush|hurry|worries)|(?:and )?nothing (?:else|more)|"
    r"that(?:'s| is| will be) (?:all|it)|just that|"
    r"(?:as )?soon as (?:possible|you can)|quickly|briefly|in short|in brief|"
    r"(?:i am|i'm) in a (?:hurry|rush)|sorry(?: (?:to (?:bother|trouble) you|for (?:asking|bothering you)))?"
)
_ASIDE_END = (
    rf"if (?:it(?:'s| is) |that is )?(?:{_KNOWN}|any|at all)|if you (?:can(?: (?:see|find) (?:it|that))?|know|"
    r"have (?:it|that)(?: handy)?|could|would|please|do(?:n't| not) mind)|if there (?:is|are|was|were) (?:one|any|"
    r"some)|"
    r"when(?:ever)? you (?:get|have|can|find)(?: (?:a|the) (?:sec(?:ond)?|minute|moment|chance|time))?|"
    r"at your (?:earliest )?convenience|"
    r"do you (?:happen to )?(?:know|have (?:it|that)|see (?:it|that|one|any))|(?:any|got any) (?:idea|clue)|"
    r"(?:can|could|would|will) you (?:please |kindly )?(?:check|look(?: (?:it|that))? up|look|tell(?: me| us)?|"
    r"let (?:me|us) know|say|see"
    r"(?: (?:it|that))?|find(?: (?:it|that))?(?: out)?|confirm|verify|have a look|help)(?: please| for me| (?:it|"
    r"that))?|"
    r"let me know|is (?:that|it) (?:in (?:the|his|her) (?:chart|record|file)|documented|recorded|on (?:record|file))|"
    r"(?:with|and) (?:the |a |your )?(?:citations?|sources?|references?|evidence)|(?:and )?where is (?:that|"
    r"it) (?:documented|recorded)|"
    r"(?:just )?(?:the |an? )?(?:value|number|date|figure|short answer|brief answer|one[- ]liner|year|rough answer|"
    r"answer|one line|one word) "
    r"(?:is|will be|would be|will|would)(?: do| all i need| fine| enough| ok(?:ay)?| sufficient| great)+|"
    r"just tell me(?: briefly)?|"
    r"(?:i|we) (?:forgot|forget|(?:can|could)(?:n't| ?not) (?:find|see|remember|recall|locate) (?:it|that|one|any))|"
    r"(?:he|she|they|the (?:patient|pt)) (?:can(?:'t| ?not) (?:remember|recall|say|tell)|(?:is not|isn't) (?:sure|"
    r"certain)|"
    r"(?:does not|doesn't) (?:know|remember))(?: (?:it|that|(?:him|her)self))?|(?:i am |i'm )?just (?:curious|asking|"
    r"wondering|checking)"
)
_CLOSING = re.compile(rf"(?:[\s,.;:?!()–—-]+(?:{_THANKS}|{_ASIDE_END})(?=\W*$))(?P<end>\W*)$", re.IGNORECASE)
"""Courtesy at the end, and what only says how it is to be answered."""
_ASIDES = re.compile(
    r"\(?\bnot the (?:latest|last|most recent|current)(?: one| value| result)?\b,?"
    r"|\(?\b(?:of )?any (?:kind|class|type|sort)\b\)?(?! of)",
    re.IGNORECASE,
)

TEAM = (
    r"(?:the |our |his |her |their |my )?(?:\w+ )?"
    r"(?:\w+(?:ology|ologist|ist|itian|ician)|nurse|team|ward|lab|family|gp|pcp|pharmacy|insurance|insurer|surgeon|"
    r"clinic|"
    r"registrar|consultant|coordinator|monitor|sponsor|desk|office|school|manager|questionnaire|form|crf|protocol|"
    r"theatre|"
    r"relatives|carers?|caregiver|attending|boss|supervisor|colleague|matron|midwife|social worker|case manager|"
    r"auditor|"
    r"reviewer|coder|(?:care|nursing) home|hospice|paramedics?|crew|ambulance|court|lawyer|solicitor|employer)"
)
_RELATIVE = (
    r"(?:(?:my|our|his|her|their|the)(?: (?:patient|pt)[’']?s)? )?(?:mum|mom|mother|dad|father|son|daughter|wife|"
    r"husband|partner|parents?|"
    r"sister|brother|carer|family|grand(?:mother|father|son|daughter)|niece|nephew|aunt|uncle|spouse|girlfriend|"
    r"boyfriend)"
)
_ASKED_BY = re.compile(
    rf"^(?:{TEAM}|{_RELATIVE}) (?:is |are |would |also |just |now )*"
    r"(?:asks?|asking|wants?|needs?|likes?|wonders?|wondering|insists?|enquir\w+|inquir\w+|queries)\b(?: (?:to know|me|"
    r"us|again))*"
    r" ?(?:for |about )?(?:[:,]\s*)?(?=\w)"
    rf"|^{_RELATIVE} (?:is|are|(?:is )?calling) (?:on the (?:phone|line|telephone)|here|waiting|calling|asking|"
    rf"worried|with (?:me|us|him|her)|"
    r"at (?:the )?(?:desk|bedside|reception)|present|listening)[.,:;!–—-]+\s*(?=\w)",
    re.IGNORECASE,
)
"""Who wants to know: "cardiology is asking for", "the surgeon wants to know whether", "his wife is on the phone."."""

KIN = (
    r"(?:my|our) (?:mum|mom|mother|dad|father|son|daughter|wife|husband|partner|child|kid|boy|girl|baby|brother|sister|"
    r"aunt\w*|uncle|nan|gran\w*)"
)
_PERSON = r"he|she|they|it|i|we|you|that|there|here"
_NEGATED = r"is|are|was|were|has|have|had|do|does|did|ca|wo"
SUBJECT = r"he|she|they|it|(?:the )?(?:patient|pt)"
_UNIT = r"(?:[munpkµμ]?(?:g|mol|eq|iu)/d?[lL]|mm ?hg|points?|percent\b|%)"
"""A unit of a result: "how many mmol/L" asks how much."""
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b"
_EXTREMES = {"heavi": "highest weight", "light": "lowest weight", "tall": "highest height", "short": "lowest height"}
_AT_ITS = {"slimmest": "lowest", "thinnest": "lowest", "leanest": "lowest", "fattest": "highest", "largest": "highest"}
"""How somebody was when what is measured of them was at an extreme: "at her slimmest, what was the BMI"."""


def _spelt(letters: re.Match[str]) -> str:
    """Letters that were dictated one by one ("c r p"), where they are a name."""
    joined = letters[0].replace(" ", "")
    return joined if lexicon().lookup(joined.lower()) else letters[0]


_WRITTEN_OUT: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = tuple(
    (re.compile(pattern, flags), instead)
    for pattern, instead, flags in (
        (r"[’`´]", "'", 0),
        (r"\bi mean\b,?", " ", re.IGNORECASE),
        (r"\bhome (?=(?:med\w*|drugs?|list|prescriptions?)\b)", "", re.IGNORECASE),
        (r"\b(what|how|who|where|when|how (?:old|long|high|low|tall))'s\b", r"\1 is", re.IGNORECASE),
        (r"\b(he|she|they|we|you|I|it)'d (?=ever|last|first|been|had|already|never)", r"\1 had", re.IGNORECASE),
        (
            rf"\b(?:is|was) it (?:true|correct|right|the case|a fact|known) that (?={SUBJECT}\b)",
            "whether ",
            re.IGNORECASE,
        ),
        (
            r"\b(?:right now|at (?:the|this) (?:(?:very|present|current) )?(?:moment|point in time|point|minute)|"
            r"at this time|at present|"
            r"as we speak|for (?:the moment|now)|these days)\b(?! (?:of|when|that|he|she|they|we|the|\w+ (?:was|"
            r"were)|\w+ \w+ (?:was|were))\b)",
            "now",
            re.IGNORECASE,
        ),
        (
            rf"\bwhat (?:is|was) (?:currently |actually |still |now )*(?:wrong|the matter) with (?:him|her|them|"
            rf"(?:this|the|our) \w+)"
            rf"|\bwhat (?:is|are) (?:{SUBJECT}) (?:currently |now |still )?(?:dealing|living|struggling|coping) with\b"
            rf"|\bwhat ails (?:him|her|them|the patient)",
            "what active problems does the patient have",
            re.IGNORECASE,
        ),
        (
            rf"\bwhat (?:treatment|therapy|pills?|tablets?)s? (?:is|are) ({SUBJECT}) (?:currently |now |still )?on\b",
            r"what drugs is \1 taking",
            re.IGNORECASE,
        ),
        (r"\b(?:the|her|his) MAR\b|\bMAR\b(?= (?:list|sheet))", "medication list", 0),
        (
            r"\b(last|latest|most recent|newest) (.{2,60}?),? minus (?:the )?(?:first|earliest|oldest|initial|"
            r"baseline)\b(?: \2| one)?",
            r"difference between the first and last \2",
            re.IGNORECASE,
        ),
        (
            r"\bsubtract(?:ing)? the (?:first|earliest|oldest) (.{2,60}?) from the (?:last|latest|most recent|"
            r"newest)\b(?: \1| one)?",
            r"difference between the first and last \1",
            re.IGNORECASE,
        ),
        (r"\bhigh[- ]water mark\b|\bupper(?:most)? (?:extreme|limit)\b|\btopmost\b", "highest", re.IGNORECASE),
        (r"\blower extreme\b|\bat its floor\b", "lowest", re.IGNORECASE),
        (r"\baltered\b", "changed", re.IGNORECASE),
        (r"\b(?:sitting|hovering|standing|running) at(?=\W*$)", "", re.IGNORECASE),
        (r"\bright (?=(?:back|away|from|up|through)\b)", "", re.IGNORECASE),
        (rf"^\W*((?:{SUBJECT}|s?hes) .*?),? (?:right|correct)(?=\W*$)", r"\1", re.IGNORECASE),
        (
            r"\bwhere (is|are|was|does|do|did) (.{2,40}?) (?:sitting|standing|sit|stand)(?= now\b| at\b|\W*$)",
            r"what \1 \2",
            re.IGNORECASE,
        ),
        (r"\b(?:topped|maxed|peaked) out\b", "highest", re.IGNORECASE),
        (r"\bbottomed out\b|\bdown to (?:how much|what (?:value|level|number))\b", "lowest", re.IGNORECASE),
        (
            r"\bdo(?:es)? (?:the|this|his|her|their|our) (?:chart|records?|file) (?:contain|hold|have|include|list|"
            r"show)s?\b",
            "are there",
            re.IGNORECASE,
        ),
        (r"\bpresent (?=in (?:the|his|her|their|this) (?:chart|records?|file|history)\b)", "recorded ", re.IGNORECASE),
        (r"\b(?:record|all[- ]time) (high|low)\b(?= \w)", r"\1est", re.IGNORECASE),
        (
            r"(?:^|(?<=what is )|(?<=give me )|(?<=need )|(?<=total )|(?<=get ))(?:the )?count of ",
            "number of ",
            re.IGNORECASE,
        ),
        (
            r"\b(?:across|over|among|amongst|in|from|throughout|out of) all (?:of )?(?:the |his |her |"
            r"their )?(?:visits|encounters|records?|"
            r"results|readings|years|measurements|values|time|data)\b",
            "",
            re.IGNORECASE,
        ),
        (
            r"\b(?:at|in|on) the (?:very )?(?:moment|point|instant|day|time) (?:when |that |at which )?"
            r"(?=(?!of\b)[\w ,()+-]{2,60}? (?:was|were|got) (?:first |being )?(?:diagnosed|identified|found)\b)",
            "when ",
            re.IGNORECASE,
        ),
        (r"\bgrown\b(?! up\b)", "gone up", re.IGNORECASE),
        (
            r"\b(?:both )?(?:chronic|acute|long[- ]term|short[- ]term)(?: and | or | as well as |\s?[/+&]\s?)"
            r"(?:chronic|acute|long[- ]term|short[- ]term) (?=(?:problem|condition|diagnos|illness|disease|issue)\w*)",
            "",
            re.IGNORECASE,
        ),
        (r"(?<!anion )\bgap (?=between|from)", "difference ", re.IGNORECASE),
        (r"\bas close(?:ly)? as possible(?: in time)? (?=to\b)", "closest ", re.IGNORECASE),
        (r"\bhow many x\b", "how many times", re.IGNORECASE),
        (r"\bcome into (?:the|this) world\b", "born", re.IGNORECASE),
        (r"\bwhat (?:is|does|did|do) (?:it|that) (?:say|read)\b", "what is the value", re.IGNORECASE),
        (
            r"\b(first|earliest) mention (?=of .* (?:as a diagnosis|(?:in|on) the (?:chart|record|problem list))\b)",
            r"\1 record ",
            re.IGNORECASE,
        ),
        (
            r"\bon account of (?=what|which)|\bowing to (?=what|which)|\bdue to (?=what|which)",
            "because of ",
            re.IGNORECASE,
        ),
        (
            r"\b(were there|readings|results|measurements|encounters|visits|appointments|taken|recorded|done|"
            r"seen) over (?=(?:19|20)\d\d\b)",
            r"\1 in ",
            re.IGNORECASE,
        ),
        (
            r"\b((?:how many|number of|count of|all|every|each|any)(?: [\w-]+){1,4}) observations?\b",
            r"\1 measurements",
            re.IGNORECASE,
        ),
        # "He isn't on warfarin, is he?" and "Isn't he on warfarin?" ask whether he is.
        (
            rf"^\W*({SUBJECT}) ({_NEGATED})n'?t (.*?),? (?:is|has|does|did|was|do|are|have) (?:{SUBJECT})(?=\W*$)",
            r"\2 \1 \3",
            re.IGNORECASE,
        ),
        (rf"^\W*({_NEGATED})n'?t (?={SUBJECT})", r"\1 ", re.IGNORECASE),
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
        (r"\b([Ss]?[Hh]e)s\b(?= )", r"\1 is", 0),
        (r"\b([Tt]hey)re\b(?= )", r"\1 are", 0),
        (
            r"\b(?:this|the|our) (?:little |young |old |elderly |poor |dear |lovely )?(?:child|kid|boy|girl|baby|"
            r"infant|toddler|teen(?:ager)?|"
            r"adolescent|youngster|pensioner|newborn(?= (?:is|was|has|had|have)\b))\b(?! of)",
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
            r"draw|sampling|measurement|test|panel|control(?: visit)?)\b",
            "latest",
            re.IGNORECASE,
        ),
        (
            rf"\bwhat (?:is|are) ({SUBJECT}) on(?= now\b| these days\b| at\b|\W*$)",
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
        (
            rf"\bat (?:its|his|her|their) (?:very )?({'|'.join(_AT_ITS)})\b",
            lambda m: _AT_ITS[m[1].lower()],
            re.IGNORECASE,
        ),
        (r"\b(heavi|light|tall|short)est\b", lambda m: _EXTREMES[m[1].lower()], re.IGNORECASE),
        (r"\b(?:at|as of) (?:the|his|her|their) (?:last|latest|most recent) count\b", "latest", re.IGNORECASE),
        (r"\b([A-Za-z])((?: [A-Za-z]){2,3})\b(?= (?:level|result|value|trend|number|count)|\W*$)", _spelt, 0),
        (r"\bRR\b(?=.*\b(?:sys\w*|dia|diast\w*|mm ?[Hh][Gg])\b)", "blood pressure", 0),
        (r"\ba one c\b", "A1c", re.IGNORECASE),
        (r"\bsystolic over diastolic\b|\barterial (?:blood )?pressure\b", "blood pressure", re.IGNORECASE),
        (r"\b(?:second|next)[- ](?:to[- ])?last\b", "previous", re.IGNORECASE),
        (r"(?<!occult )\bblood (?=(?:tests?|levels?|results?)\b)", "lab ", re.IGNORECASE),
    )
)
_LENGTH = 400
"""Characters; a longer text is no question to write out by these patterns."""


_YOU = re.compile(r"\b(can|could|would|will|do|did|if|have|are) u\b", re.IGNORECASE)


@lru_cache(maxsize=1000)
def plain(question: str) -> str:
    """The question without courtesy and asides, its contractions and shorthand written out."""
    text = without_manners(_YOU.sub(r"\1 you", unslipped(question.strip())))
    if len(text) > _LENGTH:
        return text
    text = _ASKED_BY.sub("", _POLITE.sub("", _closed(text), count=1))
    text = _ASIDES.sub(" ", _POLITE.sub("", text, count=1))
    for pattern, instead in _WRITTEN_OUT:
        text = pattern.sub(instead, text)
    return written_out(text)


def _closed(text: str) -> str:
    """The text without the courtesy at its end, as long as something is left."""
    while (found := _CLOSING.search(text)) and found.start() > 0:
        text = text[: found.start()] + ("?" if "?" in found.group() else "")
    return text
