"""The words that verify understands, by what they assert. Any other content word must stand in the evidence."""

from __future__ import annotations

import re

__all__ = [
    "ADVICE",
    "BARE_DENIAL",
    "CAUSES",
    "COUNT_NOUN",
    "DIRECTIONS",
    "DOCUMENTED",
    "ENDING",
    "INTERPRETATIONS",
    "KIND_NOUNS",
    "MONTHS",
    "NEGATION",
    "NEUTRAL",
    "NUMBER_WORDS",
    "QUALIFIERS",
    "RECORD_ROLES",
    "RELATIVE",
    "RELATIVE_TIME",
    "STATUSES",
    "UNCERTAIN",
    "VAGUE",
]


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile(r"(?<![\w-])(?:" + "|".join(patterns) + r")(?![\w-])")


MONTHS = {
    name: i
    for i, names in enumerate(
        (
            "january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
            "september sept sep", "october oct", "november nov", "december dec",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
NUMBER_WORDS = {
    word: i
    for i, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen".split()
    )
} | {"once": 1, "twice": 2, "single": 1}

QUALIFIERS: dict[str, re.Pattern[str]] = {
    "previous": _any(
        r"previous(?:ly)?", r"prior", r"(?:the )?(?:one|result|value|reading|record|visit) before(?: (?:it|that"
            r"|this))?",
        r"penultimate", r"second[- ]to[- ]last", r"second most recent", r"preceding",
    ),
    "latest": _any(
        r"latest", r"most recent(?:ly)?", r"last", r"newest", r"current(?:ly)?", r"final(?=(?: \w+)? (?:result|value))"
    ),
    "first": _any(r"first", r"earliest", r"initial(?:ly)?", r"oldest", r"original(?:ly)?", r"baseline"),
    "highest": _any(r"highest", r"max(?:imum|imal)?", r"peak(?:ed)?", r"greatest", r"largest"),
    "lowest": _any(r"lowest", r"min(?:imum|imal)?", r"nadir", r"smallest", r"least(?<!at least)"),
    "mean": _any(r"mean", r"average[ds]?", r"averaging", r"avg"),
    "only": _any(r"only", r"sole(?:ly)?", r"exclusively"),
    "all": _any(r"all", r"every", r"each", r"always", r"complete(?= list)", r"consistently"),
    "closest": _any(r"closest", r"nearest"),
}  # fmt: skip

DIRECTIONS: dict[str, re.Pattern[str]] = {
    "same": _any(
        r"unchanged", r"no(?: \w+)? change[sd]?", r"(?:not|n't|never|hasn't|has not|did not|didn't)(?: \w+)? changed?",
        r"stable", r"the same(?: as)?(?! time)", r"same(?! time)", r"equal(?: to)?", r"identical(?: to)?", r"steady",
        r"constant", r"flat", r"no difference",
    ),
    "up": _any(
        r"higher", r"increas(?:e|es|ed|ing)", r"rose", r"risen", r"rising", r"rises?", r"up(?! to\b)", r"greater",
        r"gain(?:s|ed|ing)?", r"climb(?:s|ed|ing)?", r"grew", r"upward", r"larger", r"went up", r"more than the",
    ),
    "down": _any(
        r"lower", r"decreas(?:e|es|ed|ing)", r"fell", r"fallen", r"falling", r"falls?(?= (?:of|from|to|by))", r"down",
        r"drop(?:s|ped|ping)?", r"declin(?:e|es|ed|ing)", r"reduced", r"reduction", r"lost", r"smaller", r"downward",
        r"less than the",
    ),
}  # fmt: skip

STATUSES: dict[str, re.Pattern[str]] = {
    "error": _any(r"entered[- ]in[- ]error", r"in error", r"erroneous(?:ly)?", r"by mistake"),
    "refuted": _any(r"refuted", r"ruled out"),
    "planned": _any(r"planned", r"scheduled", r"upcoming", r"proposed", r"draft"),
    "cancelled": _any(r"cancell?ed", r"called off", r"revoked"),
    "not-done": _any(
        r"(?:not|n't|never)(?: been)? (?:done|given|performed|administered|received)", r"declined", r"refused",
        r"not-done"
    ),
    "unconfirmed": _any(r"unconfirmed", r"provisional(?:ly)?", r"differential", r"suspected", r"possibl[ey]",
    r"probabl[ey]"),
    "taking": _any(
        r"(?:still |currently |now )*(?:taking|takes)",
        r"(?:is|are|be|was|still|currently|patient) on(?= \x01| the \x01)",
        r"still on", r"being taken", r"still taken", r"currently taken",
    ),
    "ended": _any(
        r"no longer(?: taking| taken| active| on| listed active)?", r"stopped", r"discontinued", r"ended",
        r"off(?= \x01)",
        r"course (?:ended|over)", r"stay over",
    ),
    "on-hold": _any(r"on[- ]hold", r"held", r"paused", r"suspended"),
    "inactive": _any(r"inactive"),
    "remission": _any(r"(?:in )?remission"),
    "resolved": _any(r"resolved", r"abated"),
    "completed": _any(r"completed", r"finished"),
    "active": _any(r"active(?:ly)?", r"ongoing", r"in[- ]progress", r"present"),
    "preliminary": _any(r"preliminary"),
    "final": _any(r"final(?!i)", r"finali[sz]ed"),
    "amended": _any(r"amended", r"corrected"),
    "confirmed": _any(r"confirmed"),
    "started": _any(r"started", r"began", r"begun", r"initiated", r"start(?: date)?", r"newly"),
}  # fmt: skip

RECORD_ROLES: dict[str, re.Pattern[str]] = {
    "order": _any(r"(?:re)?orders?", r"(?:re)?ordered", r"prescribed", r"prescriptions?"),
    "administration": _any(r"given", r"administered", r"administrations?", r"infused", r"injected"),
    "dispense": _any(r"dispensed", r"dispens(?:es?|ings?)", r"filled"),
    "statement": _any(r"stated", r"reported as taken", r"self-reported"),
}
"""What a drug's record is told to be (details["role"]), by its resource: MedicationRequest, MedicationDispense …"""

INTERPRETATIONS: dict[str, re.Pattern[str]] = {
    "critical": _any(r"critical(?:ly)?(?: high| low)?", r"panic"),
    "high": _any(r"high", r"elevated", r"raised", r"above (?:the )?(?:normal|reference)(?: (?:range|limit))?"),
    "low": _any(r"low", r"below (?:the )?(?:normal|reference)(?: (?:range|limit))?"),
    "abnormal": _any(r"abnormal", r"out(?:side)?(?: of)? (?:the )?(?:normal |reference )*range", r"not normal"),
    "normal": _any(r"normal", r"within (?:the )?(?:normal |reference )*(?:range|limits)", r"unremarkable"),
}

NEGATION = _any(
    r"no", r"not", r"never", r"without", r"den(?:ies|ied|y|ying)", r"none", r"neither", r"nor", r"absen(?:t|ce)",
    r"(?:is|are|was|were|has|have|had|does|do|did|could|can|wo)n't", r"cannot", r"negative for", r"free of", r"lacks?",
    r"nothing", r"unable", r"n't",
)  # fmt: skip
BARE_DENIAL = _any(r"no known", r"none", r"den(?:ies|ied|y|ying)")
DOCUMENTED = _any(
    r"document(?:ed|ation)?", r"record(?:s|ed)?", r"found", r"listed", r"on file", r"in the (?:chart|record|records)",
    r"charted", r"mention(?:s|ed)?", r"entr(?:y|ies)", r"on record", r"available", r"results?", r"noted",
)  # fmt: skip
UNCERTAIN = _any(
    r"possibl[ey]", r"probabl[ey]", r"suspect(?:s|ed)?", r"suspicio(?:n|us)(?: for| of)?", r"rule out", r"r/o",
    r"likely",
    r"may", r"might", r"could", r"question(?:able)?", r"concern(?:ing)? for", r"cannot exclude", r"versus", r"vs",
    r"differential", r"if", r"risk of", r"screen(?:ing)? for", r"evaluate for", r"monitor for", r"\?",
)  # fmt: skip
RELATIVE = _any(
    r"(?:grand|step|god)?(?:mother|father|parent|son|daughter|child)s?", r"mom", r"dad",
    r"(?:half[- ])?(?:brother|sister)s?",
    r"siblings?", r"aunts?", r"uncles?", r"cousins?", r"nephews?", r"nieces?", r"(?:natural |maternal |paternal )+\w+",
    r"relatives?", r"family(?: history| member| members)?", r"fh", r"fhx", r"wife", r"husband", r"spouse", r"twin",
)  # fmt: skip
CAUSES = _any(
    r"because(?: of)?", r"due to", r"caused(?: by)?", r"causing", r"secondary to", r"owing to",
    r"attribut(?:ed|able) to",
    r"result(?:ed|ing) (?:from|in)", r"led to", r"as treatment of", r"to (?:treat|manage|control)",
    r"treat(?:s|ed|ing|ment)?(?: for| of)?",
    r"indicat(?:ed|ion)(?: for| is| was)?(?::)?", r"reason(?: is| was| for| given)?(?::)?", r"induced",
    r"on account of", r"for(?= (?:the |his |her |a |an |their )?\x01)", r"explained by", r"as a result of", r"reasons?",
)  # fmt: skip
ENDING = _any(
    r"discharged?", r"end(?:ed|s|ing)?", r"until", r"stopped", r"resolved", r"abated", r"discontinued", r"finished",
    r"to",
    r"through", r"abatement", r"over",
)  # fmt: skip
ADVICE = _any(
    r"continue[sd]?", r"recommend(?:s|ed|ation)?", r"should", r"consider(?:ed|ation)?", r"advis(?:e|ed|able)",
    r"monitor",
    r"follow[- ]up (?:is|with|in)", r"needs? to", r"must", r"please", r"consult", r"suggest(?:s|ed)?", r"adjust",
    r"ensure",
)  # fmt: skip
VAGUE = _any(
    r"well", r"good", r"poor(?:ly)?", r"control(?:led)?", r"improv(?:ed|ing|ement)", r"worsen(?:ed|ing)?", r"excellent",
    r"concerning", r"fine", r"healthy", r"doing", r"satisfactory", r"acceptable", r"better", r"worse",
)  # fmt: skip
RELATIVE_TIME = re.compile(
    r"\b(?:(?:in |over |during |within |for )?(?:the )?(?:last|past|previous|this|next) "
    r"(?:(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|twelve|few|several) )?"
    r"(?:hours?|days?|weeks?|months?|years?|decades?)|(?:\w+ )?(?:hours?|days?|weeks?|months?|years?) ago"
    r"|yesterday|today|"
    r"tomorrow|tonight|recently|nowadays|lately)\b"
)

COUNT_NOUN = (
    r"(?:results?|measurements?|readings?|records?|values?|entr(?:y|ies)|times?|visits?|encounters?|admissions?|stays?|orders?|"
    r"prescriptions?|doses?|administrations?|conditions?|medications?|drugs?|allerg(?:y|ies)|procedures?|immuni[sz]ations?|"
    r"vaccin(?:e|es|ation|ations)|reports?|documents?|notes?|stud(?:y|ies)|episodes?|occurrences?|diagnos[ei]s|problems?|"
    r"tests?|observations?|scans?|occasions?|labs?|surger(?:y|ies)|dispenses?|statements?|checks?|shots?|appointments?)"
)
KIND_NOUNS: dict[str, re.Pattern[str]] = {
    "encounter": _any(r"encounters?", r"visits?", r"appointments?", r"seen", r"admi(?:ssions?|tted)",
    r"hospitali[sz]ations?",
                      r"stays?", r"discharged?"),
    "medication": _any(r"medications?", r"meds?", r"drugs?", r"medicines?"),
    "condition": _any(r"conditions?", r"problems?", r"diagnos[ei]s", r"diseases?", r"illness(?:es)?"),
    "immunization": _any(r"immuni[sz]ations?", r"vaccin(?:e|es|ation|ations)", r"shots?"),
    "procedure": _any(r"procedures?", r"surger(?:y|ies)", r"operations?"),
    "report": _any(r"reports?"),
    "document": _any(r"notes?", r"documents?", r"letters?"),
    "imaging": _any(r"imaging(?: stud(?:y|ies))?", r"scans?", r"stud(?:y|ies)"),
    "allergy": _any(r"allerg(?:y|ies|ic)"),
}  # fmt: skip

NEUTRAL = frozenset(
    """exact
    a an the this that these those it its he she his her their they them him who which what when where whose there
    here is are was were be been being am has have had having do does did done can could will would may might
    shall and or also plus both either as at by for from in into of on onto to up out off over under with within
    without between among about after before during since until till through than then so such per via around
    approximately roughly nearly almost i.e e.g etc including include includes included namely only patient
    patient's patients pt pts person individual subject mr mrs ms yes no not never none nor neither record
    recorded records recording documented document documentation documents listed lists list entered entry
    entries noted notes mention mentions mentioned note reported report reports reporting measured measurement
    measurements measure taken took obtained observed observation observations found find finding findings
    result results resulted value values level levels reading readings number numbers count counts total test
    tests testing tested lab labs laboratory panel score shows show showed shown showing indicates states stated
    says said say stand stands according chart charts file data available database system log date dated dates
    day days month months year years week weeks time times hour hours minute minutes old age aged ago start end
    range reference ranged ranging normal interval limit limits diagnosed diagnosis diagnoses diagnose condition
    conditions problem problems disease disorder history onset abatement present presence known evidence exist
    exists existing occurred occurrence occur happened underwent undergone undergo got prescribed prescription
    prescriptions ordered order orders administered administration administrations given give dispensed dispense
    received receive receives receiving medication medications medicine medicines drug drugs meds dose doses
    dosage dosed route vaccine vaccines vaccination vaccinated vaccinations immunization immunizations immunized
    shot shots procedure procedures performed perform surgery operation operations carried encounter encounters
    visit visits visited seen admission admissions admitted discharge discharged stay stays hospital
    hospitalized hospitalization appointment appointments clinic lasted length allergy allergies allergic
    reaction reactions intolerance criticality severity imaging study studies scan scans image images series
    modality family relative relation relationship status statement unit units other another further more
    different distinct separate same one ones each respectively altogether overall equals equal compared
    comparison comparing versus vs change changed changes changing difference differs differ trend trended went
    came goes turned become became remain remains remained stayed following follows follow above below less
    greater least most birth born gender sex name identifier called named code coded codes loinc snomed rxnorm
    cvx icd icd-10 icd-10-cm ucum answer question therefore thus because hence now still yet already again ever
    so-far me you your we our i us my if any some every all details detail type kind concept label component
    components systolic/diastolic author authored authorship written signed title titled quote quoted wrote
    reads location located provider service disposition interpretation flag flagged stage staged body site
    quantity times-daily issued effective first last recent recently close closest nearest doesn't don't didn't
    isn't wasn't aren't weren't hasn't haven't it's undated unknown several multiple many
    """.split()
)
"""Words that assert nothing which is not checked elsewhere (grammar, and the vocabulary of reporting)."""
