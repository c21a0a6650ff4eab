"""Turns of phrase of protocols, said as the rest of the reader knows them: "hyper- or hypothyroidism" is two diseases.

What narrows a criterion stays as a word, and so becomes a doubt. Left out are only "with or without …", and how a
filtration rate or an ejection fraction was come by (the two equations, echocardiography), which charts seldom tell.
"""

from __future__ import annotations

import re
from functools import lru_cache

from agent.trials.sayings import said_plainly
from agent.trials.vocabulary import WHO
from fhir_tools.lexicon import lexicon, normalise

__all__ = ["labelled", "reworded"]

_PREFIXES = "hyper|hypo|pre|post|micro|macro|brady|tachy|mono|poly|uni|bi|intra|extra|endo|peri|myo|hemi|para|quadri"
_SUSPENDED = re.compile(
    rf"\b(?P<one>{_PREFIXES})-\s*(?P<joint>or|and|and/or|/)\s*(?P<two>{_PREFIXES})(?P<rest>[a-z]{{4,}})", re.IGNORECASE
)
_PROVEN = re.compile(
    r"\b(?:histo|cyto|patho|radio|micro|sero|immuno)\w{0,8}log\w{1,6}\s*(?:or|and/or|and|/)\s*(?=(?:histo|cyto|patho|radio|micro|sero|immuno)\w{0,8}log\w{1,6}\s)",
    re.IGNORECASE,
)
_FORMULA = re.compile(
    r"\(?(?:(?:as\s+)?(?:calculated|estimated|determined|computed|assessed)\s+)?(?:(?:by|using|with|per|according\s+to)\s+)?(?:the\s+)?(?:\d{4}\s+)?"
    r"\b(?:CKD-?EPI|MDRD)\b(?:\s+\d{4})?(?:\s+(?:creatinine\s+)?(?:formula|equation|method))?\s*\)?",
    re.IGNORECASE,
)
"""How a filtration rate was estimated: of the two common equations, charts hold one and seldom say which."""
_ALONE = re.compile(
    r"(?:,\s?)?(?:\beither\s+)?\b(?P<alone>alone|as\s+monotherapy|monotherapy)\s+or\s+(?:in\s+(?:fixed[\s-](?:dose\s+)?)?combination|combined|together)\s+with\s+[^,.;:()]{1,60}",
    re.IGNORECASE,
)
"""Beside what else a drug is taken, where it does not matter."""
_LIMIT_OF_NORMAL = re.compile(
    r"(?P<n>\d+(?:\.\d+)?)\s*(?:x|×|times)\s*(?:the\s+)?(?:ULN|upper\s+limits?\s+of\s+(?:the\s+)?normal)\s*"
    r"\((?:ULN\s*[;,:]\s*)?(?:the\s+)?(?:ULN|upper\s+limit(?:\s+of\s+(?:the\s+)?normal)?)\s*(?:=|is|:|being|of)\s*"
    r"(?P<is>\d+(?:\.\d+)?)\s*(?P<unit>[^\s();,]+(?:/[^\s();,]+)?)\)",
    re.IGNORECASE,
)
"""A limit of normal that is told: "≤ 1.5 x ULN (ULN = 1.2 mg/dL)" is 1.8 mg/dL."""
_WHOSE_RANGE = re.compile(
    r"(?<=ULN)(\)?)\s*(?:(?:of|for|by|per|at)\s+the\s+(?:reporting|local|testing|central|performing|site'?s?|investigational\s+site)"
    r"\s+lab(?:oratory)?|\((?:the\s+)?(?:local\s+|institutional\s+|central\s+)?(?:lab(?:oratory)?|institutional)\s+(?:reference\s+|normal\s+)?ranges?\))",
    re.IGNORECASE,
)
"""Whose reference range is meant: a result carries that of the laboratory that reported it."""
_SAMPLED = re.compile(
    r"\s+(?:in|on|from)\s+(?:an?\s+|the\s+)?(?:blood\s+|serum\s+|plasma\s+)?(?:sample|specimen)s?\s+(?:taken|drawn|collected|obtained)\b",
    re.IGNORECASE,
)
_EVER = re.compile(
    r"\b(?:(?:prior|previous|past|former)\s*(?:or|and/or|/)\s*(?:current|ongoing|concurrent|present|concomitant|active)"
    r"|(?:current|ongoing|concurrent|present|concomitant|active)\s*(?:or|and/or|/)\s*(?:prior|previous|past|former))\s+"
    r"(?=(?!smok|tobacco|cigar|alcohol|drink)[a-z])",
    re.IGNORECASE,
)
"""At any time: "prior or ongoing treatment with a taxane"."""
_EVER_PREGNANT = re.compile(
    r"\b(?:at\s+least\s+(?:one|1)|one\s+or\s+more)\s+(?:(?:prior|previous|past|confirmed)\s+)*pregnanc(?:y|ies)\b",
    re.IGNORECASE,
)
_WHATEVER = re.compile(
    r",?\s*(?:whatever|regardless\s+of|irrespective\s+of|independent\s+of)\s+(?:its|the|their|his|her)\s+[a-z]+(?:\s*\([^()]*\))?(?=\s*(?:$|[,;.)]))",
    re.IGNORECASE,
)
_MAINTENANCE = re.compile(r"\bmaintenance\s+(?=(?:treatment|therapy|medication|use)\b)", re.IGNORECASE)
_EXTENT = re.compile(r",\s*(?:partial\s+or\s+(?:total|complete)|(?:total|complete)\s+or\s+partial)\b", re.IGNORECASE)
_ADJECTIVES = re.compile(
    r"\b(?P<one>[a-z]+(?:al|ic|ar|ary|ous))\s+(?P<joint>or|and/or)\s+(?P<two>[a-z]+(?:al|ic|ar|ary|ous))\s+(?P<noun>[a-z]{4,})\b",
    re.IGNORECASE,
)
"""Two places or kinds of one thing: "colonic or rectal polyps"."""
_OR_WITH = re.compile(r"(?<!\bwith )\b(or|and/or)\s+with\s+(?=[a-z])", re.IGNORECASE)
"""What stands behind it is an alternative: "with insulin or with a sulfonylurea"."""
_ONE_PRESSURE = re.compile(
    r"\b(systolic|diastolic)(?=\s*(?:of\s+|is\s+)?(?:[<>≥≤=]|(?:above|below|over|under|(?:greater|less|more|higher|lower)\s+than|at\s+least|exceeding)\b)\s*=?\s*\d)",
    re.IGNORECASE,
)
_UNLESS_SO = re.compile(
    r"\bunless\s+(?:(?:adequately|well|medically|it\s+is|currently)\s+)*(?:controlled|normal|stable|corrected)\s*\((?P<what>[^()]*[<>≥≤]\s*\d[^()]*)\)",
    re.IGNORECASE,
)
"""What is meant by the word in front of brackets: "unless controlled (blood pressure < 140/90 mmHg)"."""
_DEGREE = (
    r"(?:(?:inadequately|poorly|not\s+well|insufficiently)[\s-](?:controlled|treated)|uncontrolled|(?:clinically\s+)?significant|unstable|recurrent|refractory|persistent|resistant|untreated|severe|moderate|mild|symptomatic|serious"
    r"|progressive|advanced|relapsed|unresectable)"
)
_DEGREES = re.compile(
    rf"\b(?P<all>{_DEGREE}(?:(?:,\s?|\s|/)(?:(?:or|and|and/or)\s)?{_DEGREE}){{1,4}})(?=\s[a-z])", re.IGNORECASE
)
_JOINTS = re.compile(r"(?:,|/|\b(?:and/or|or|and)\b)\s?", re.IGNORECASE)
"""Degrees side by side are of one disease: "uncontrolled or recurrent gout" names no disease "uncontrolled"."""
_HINDERS = re.compile(
    r",\s?(?P<all>(?:which\s+(?:would\s+|may\s+)?)?(?:contraindicat|preclud|prohibit|prevent|imped|complicat|confound)(?:ing|es|e|s)?\b[^,.;:()]{1,120})$",
    re.IGNORECASE,
)
"""What a reason to exclude leads to: ", contraindicating intramuscular injection"."""
_EITHER_WAY = re.compile(
    r"\(\s?with\s+or\s+without\s+[^()]{1,80}\)|\bwith\s+or\s+without\s+(?:an?\s+|the\s+)?[a-z-]+(?=\s*(?:$|[,;.]|for\b|within\b|in\b|at\b|since\b))",
    re.IGNORECASE,
)
_BY_ECHO = re.compile(
    r"\b(?:as\s+)?(?:(?:assessed|measured|determined|documented|confirmed|shown)\s+)?(?:by|on|via|using)\s+(?:an?\s+|the\s+)?(?:transthoracic\s+)?echocardiogra(?:m|phy|phic\s+\w+)\b",
    re.IGNORECASE,
)
"""How an ejection fraction is measured where nothing else is said."""
_EJECTION = re.compile(r"\b(?:L?VEF|ejection\s+fraction)\b", re.IGNORECASE)
_ENZYMES = re.compile(
    r"\b(?:liver\s+(?:function\s+tests?|enzymes?|transaminases?)|(?:serum\s+)?(?:amino)?transaminases?|aminotransferases?|LFTs?)\s?"
    r"\((?P<names>(?:ALT|AST|SGPT|SGOT)(?:[ ,/]{1,2}(?:(?:or|and|and/or) )?(?:ALT|AST|SGPT|SGOT)){1,3})\)",
    re.IGNORECASE,
)
_SITE = r"(?:lumbar\s+spine|spine|total\s+hip|hip|femoral\s+neck|forearm|distal\s+radius|wrist|L1-L4)"
_AT_SITE = re.compile(
    rf"\b(?P<all>(?:at|of|in)\s+(?:either\s+|any\s+of\s+)?(?:the\s+)?{_SITE}(?:\s*(?:,|or|and/or|and)\s*(?:the\s+)?{_SITE}){{0,4}})\s*$",
    re.IGNORECASE,
)
_DENSITY = re.compile(r"\b(?:T-?\s?scores?|BMD|bone\s+mineral\s+density|DE?XA)\b", re.IGNORECASE)
_LABEL = re.compile(
    rf"\W*(?P<label>[A-Za-z][A-Za-z/ -]{{2,60}}):\s*(?P<rest>(?:(?:the|all|any|eligible)\s+)*{WHO}\b.*)",
    re.IGNORECASE | re.DOTALL,
)
_NO_LABEL = re.compile(r"\b(?:of|to|with|for|following|these|if|when|unless|no|not|or|and)\b", re.IGNORECASE)
_MEASURE = "dose|degree|intensity|potency|risk|grade|line|generation|severity|class|strength"
_HYPHENED = re.compile(
    r"\b(?P<one>[a-z]{2,12})-\s*(?P<joint>or|and/or|and|to|/)\s*(?P<two>[a-z]{2,12})-\s?(?P<rest>[a-z]{3,})\b",
    re.IGNORECASE,
)
""""Alpha- or beta-blocker" is two drugs; "medium- or high-dose" is two degrees of one."""
_ORDINAL = re.compile(
    r"\b(?P<one>first|second|third|low|mild|medium|moderate|high)-?\s*(?:or|and/or|and|to|/)\s*"
    rf"(?P<two>second|third|fourth|medium|moderate|high|severe)[\s-](?P<rest>{_MEASURE})\b",
    re.IGNORECASE,
)
_RANK = r"(?:I{1,3}|IV|V|[A-D]|[0-5])[abc]?"
_RANKED = re.compile(
    rf"\b(?P<of>class(?:es)?|(?:performance\s+)?status|ECOG(?:\s+PS)?|PS)\s*(?P<is>of\s+|is\s+|=\s*|:\s*)?(?<=[\s:=])"
    rf"(?P<all>{_RANK}(?:(?:\s*,\s*(?:or\s+)?|\s*(?:/|-)\s*|\s+(?:or|and|to|through)\s+)(?:class\s+)?{_RANK}\b){{1,4}})",
    re.IGNORECASE,
)
"""Ranks side by side: "class III or IV", "status of 0, 1 or 2"."""
_KIN = re.compile(
    r"\bpersonal\s*(?:or|and/or|and|/)\s*(?:family|first[\s-]degree\s+relatives?(?:\(s\))?(?:'s?)?)\s+history\s+of\s+(?P<what>[^.;()]{3,})",
    re.IGNORECASE,
)
_SKIN = re.compile(
    r"\b(?P<one>basal|squamous)(?:[\s-]cell)?\s*(?P<joint>or|and/or|and|/)\s*(?P<two>basal|squamous)[\s-]cell"
    r"(?:\s+(?:skin\s+)?(?:cancers?|carcinomas?)(?:\s+of\s+the\s+skin)?|(?=\s*(?:[,;.)]|$)))",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    r"\b(?:blood\s+pressure|BP)\s*(?:of\s+|is\s+)?(?P<a>[<>≥≤=]{1,2}\s*\d{2,3})\s*(?:mm\s?Hg)?\s*\(?systolic\)?\s*,?\s*"
    r"(?P<joint>and/or|and|or|/)\s*(?P<b>[<>≥≤=]{1,2}\s*\d{2,3})\s*(?:mm\s?Hg)?\s*\(?diastolic\)?",
    re.IGNORECASE,
)
_GUIDE = (
    r"(?:DSM|ICD|ADA|GOLD|GINA|Rome|ACR|EULAR|McDonald|ICHD|ESC|AHA|ACC|ATS|ERS|WHO|KDIGO|KDOQI|ASAS|NINCDS-ADRDA"
    r"|NIA-AA|NCEP|CDC|IDF)"
)
_STANDARD = re.compile(
    rf",?\s*\(?\b(?:(?:as\s+)?(?:defined|diagnosed|determined|classified|confirmed|established)\s+(?:by|per|using|according\s+to)|according\s+to|as\s+per|per|based\s+on|by|meeting|fulfilling)\s+"
    rf"(?:the\s+)?(?:(?:current|modified|revised|(?:19|20)\d\d)\s+)*{_GUIDE}(?:[/-][A-Z0-9][\w-]*)*(?:\s+(?-i:[A-Z]{{1,4}}|[0-9]{{1,4}}))*(?:\s+(?:diagnostic|classification))?"
    r"(?:\s+(?:criteria|guidelines?|definitions?|classification|recommendations|report))?\)?(?=\s*(?:[,;.)]|$|and\b|or\b|with\b|for\b|within\b|at\b|by\b))",
    re.IGNORECASE,
)
"""The handbook by which a disease was diagnosed, which charts take as read: "according to DSM-5 criteria"."""
_GAULT = re.compile(
    r",?\s*\(?(?:\b(?:as\s+)?(?:calculated|estimated|determined|computed|assessed)\s+)?\b(?:(?:by|using|with|per|according\s+to)\s+)?(?:the\s+)?Cockcroft(?:\s*(?:-|and|&)\s*|\s+)Gault"
    r"(?:\s+(?:formula|equation|method|estimate))?\s*\)?",
    re.IGNORECASE,
)
_CLEARANCE = re.compile(r"\b(?:creatinine\s+clearance|CrCl|CLcr|Ccr)\b", re.IGNORECASE)
_LENGTH = (
    r"(?:\d+(?:\.\d+)?|one|two|three|four|five|six|eight|ten|twelve)(?:\s*\(\d+\))?[\s-]*(?:hour|day|week|month|year)s?"
)
_ELAPSED = re.compile(
    rf"\W*(?:(?P<far>at\s+least|more\s+than|greater\s+than|longer\s+than|a\s+minimum\s+of|≥|>\s?=?)|(?P<near>less\s+than|fewer\s+than|shorter\s+than|within|≤|<\s?=?))\s*(?P<length>{_LENGTH})\s+"
    r"(?:(?:must|should)\s+have\s+|(?:have|has)\s+)?(?:(?:elapsed|passed)\s+)?(?:since|from|after)\s+(?:(?:the|any|their|a)\s+)?(?P<begin>(?:initial\s+)?(?:diagnosis|onset|start|initiation)\s+of\s+)?"
    r"(?:(?:last|latest|most\s+recent|prior|previous|final|completion\s+of|completing|end\s+of|stopping)\s+(?:the\s+)?)*(?:(?:doses?|administration|use|course|cycle|receipt|infusion|injection)\s+of\s+)?(?P<what>(?!.*\b(?:menses|menstrua\w*|menopause|consent)\b)[a-z].+)",
    re.IGNORECASE | re.DOTALL,
)
"""How long ago something was, said from its end: "at least 4 weeks since last chemotherapy"."""
_PRESSURES = re.compile(
    r"\b(?:systolic\s*(?:/|and|or)\s*diastolic\s+(?:blood\s+pressures?|BP)|SBP\s*/\s*DBP)\b(?=[^;]{0,40}?\d{2,3}\s?/\s?\d{2,3})",
    re.IGNORECASE,
)
_WEIGHING = re.compile(
    r"\b(?:weighing|weighs?|who\s+weigh)\b(?=\s*(?:at\s+least|more|less|over|under|between|[<>≥≤\d]))", re.IGNORECASE
)
_TIMES_OF = {"twi": "2", "two": "2", "thr": "3", "fou": "4", "fiv": "5", "ten": "10"}
_TIMES = re.compile(
    r"\b(?P<n>twice|(?:two|three|four|five|ten)(?:[\s-]?(?:times|fold)))(?=\s+(?:the\s+)?(?:institutional\s+|local\s+|laboratory\s+)*(?:upper|lower|ULN|LLN))",
    re.IGNORECASE,
)
_LUNGS = re.compile(r"\b(pre|post)-?\s?bronchodilator\b", re.IGNORECASE)
_TRACED = re.compile(
    r"\s(?:on|by|via)\s+(?:an?\s+|the\s+)?(?:screening\s+|12-lead\s+|resting\s+)*(?:ECG|EKG|electrocardiogra(?:m|phy))(?=\s*(?:$|[,;.]|or\b|and\b|within\b|at\b))",
    re.IGNORECASE,
)
"""By what something was seen: charts that hold the disease need not hold the tracing."""
_THOUSANDS = re.compile(r"\b(\d{1,3}) (\d{3})(?=\s*(?:/|cells?\b|per\b|mm|copies))")
_BARE_LIMIT = re.compile(
    r"([<>≥≤]\s?=?|\b(?:above|below|over|under|exceeding|than)\b)\s*(?:the\s+)?(?=(?:institutional\s+|local\s+|laboratory\s+)*(?:ULN|LLN|(?:upper|lower)\s+limits?\s+of\s+(?:the\s+)?normal)\b)()",
    re.IGNORECASE,
)
"""A limit of the reference range without a factor is once that: "bilirubin ≤ ULN"."""
_IFCC = re.compile(
    r"([<>≥≤]\s?=?)\s*\d{2,3}(?:\.\d+)?\s*mmol/mol\s*[(\[]\s*(?:[<>≥≤]\s?=?\s*)?(\d{1,2}(?:\.\d+)?)\s*%\s*[)\]]"
)
"""Hemoglobin A1c in the unit of IFCC with the one of NGSP, which charts have, beside it."""
_COURSES = re.compile(r"\bacute\s*(?:or|and|and/or|/)\s*chronic\s+()(?=[a-z])", re.IGNORECASE)
_OR_BOTH = re.compile(r",\s+(?P<two>[^,;()]{2,60}?),?\s+or\s+both\b", re.IGNORECASE)
_PAST_OR_NOW = re.compile(
    r"\b(?P<past>history\s+of),?\s+(?:or|and/or)\s+(?:current|active|ongoing|present),?\s+(?=[a-z])", re.IGNORECASE
)
_FREE = re.compile(r"\b([a-z]{4,20})[\s-]free(\s+for\s+(?:at\s+least|more\s+than|over|≥|>))", re.IGNORECASE)
_POWER = re.compile(r"\b10\s?\((\d{1,2})\)")
_TIMES_NORMAL = re.compile(r"(\d(?:\.\d+)?)\s*(?:times|x|×)\s*(?:the\s+)?normal(?!\s*(?:limit|range))\b", re.IGNORECASE)
_ALCOHOLIC = re.compile(r"\balcoholic(?=\s+(?:drinks?|beverages?))", re.IGNORECASE)
_BARE_ENZYMES = re.compile(
    r"(?<!alanine )(?<!aspartate )(?<!glutamyl )"
    r"\b(?:liver\s+(?:enzymes?|function\s+tests?|transaminases?)|(?:serum\s+)?(?:amino)?transaminases?|aminotransferases?|LFTs?)(?:\s+levels?)?"
    r"(?=\s*(?:[<>≥≤]|above\b|greater\b|more\s+than\b|over\b|exceed|less\s+than\b|below\b|at\s+least\b)\s*\w*\s*\d)",
    re.IGNORECASE,
)
"""Liver enzymes that are compared are the two transaminases."""
_MAJORITY = re.compile(
    r",?\s*\(?\s*\b(?:or|and)\s+(?:at\s+least\s+)?(?:of\s+)?(?:the\s+)?(?:local\s+|legal\s+)*(?:legal\s+age|age\s+of\s+(?:majority|consent))\b[^();,]*\)?",
    re.IGNORECASE,
)
"""Where people come of age elsewhere: "18 years (or the legal age of consent in the jurisdiction)"."""
_ADMITTED = re.compile(
    r"\b(hospital(?:i[sz]ations?|i[sz]ed|\s+admissions?|\s+stays?)|admissions?|admitted)\s+with\s+(?:an?\s+|the\s+)?(?:(?:primary|principal|main|discharge)\s+)*diagnos[ie]s\s+of\b",
    re.IGNORECASE,
)
_UNLESS = re.compile(r"\(\s*unless\b([^()]*)\)\s*\.?\s*$", re.IGNORECASE)
_BUT_WHO = re.compile(
    rf",?\s*\b(?:except|excepting|excluding|with\s+the\s+exception\s+of|other\s+than)\s+(?:(?:if|when|where|unless)\b|(?:(?:in|for|of)\s+)?(?:the\s+)?{WHO}(?:\s+(?:who|that)(?:\s+(?:are|is|have|had|has|were))?)?(?=\s+[a-z])|in\s+(?:the\s+)?(?:case|presence|setting)\s+of)",
    re.IGNORECASE,
)
"""Whom, and not what, is excepted: "except in patients with Gilbert's syndrome"."""


@lru_cache(maxsize=1)
def _sites() -> re.Pattern[str]:
    """A thing of several places of the body: "osteoarthritis of the knee, hip or hand"."""
    terms = sorted({t for e in lexicon().entries("body_site") for t in e.terms if t.isalpha()}, key=len, reverse=True)
    site = rf"(?:the\s+)?(?:{'|'.join(terms)})"
    return re.compile(
        rf"\b(?P<head>[a-z]{{4,}})\s+of\s+(?P<sites>{site}(?:\s*,\s*{site})*\s*,?\s+(?:or|and/or)\s+{site})\b",
        re.IGNORECASE,
    )


def _of_each(m: re.Match[str]) -> str:
    sites = [s for s in re.split(r"\s*,\s*|\s+(?:or|and/or)\s+", m["sites"]) if s]
    return " or ".join(f"{m['head']} of {site}" for site in sites)


def _two_kinds(m: re.Match[str]) -> str:
    """Each with the noun, where that is a name that the lexicon has."""
    both = [f"{m[kind]} {m['noun']}" for kind in ("one", "two")]
    return f" {m['joint']} ".join(both) if all(lexicon().lookup(normalise(b)) for b in both) else m[0]


def reworded(text: str) -> str:
    """The text with such turns said plainly. `text` is levelled."""
    text = _THOUSANDS.sub(r"\1\2", _BARE_LIMIT.sub(r"\1 1 x \2", _IFCC.sub(r"\1 \2 %", said_plainly(text))))
    text = _ADJECTIVES.sub(_two_kinds, _EXTENT.sub("", _MAINTENANCE.sub("", _WHATEVER.sub("", text))))
    text = _EVER_PREGNANT.sub("history of pregnancy, miscarriage or ectopic pregnancy", _sites().sub(_of_each, text))
    text = _LIMIT_OF_NORMAL.sub(lambda m: f"{float(m['n']) * float(m['is']):g} {m['unit']}", text)
    text = _EVER.sub("history of ", _WHOSE_RANGE.sub(r"\1", _ADMITTED.sub(r"\1 for", _MAJORITY.sub("", text))))
    text = _COURSES.sub(r"\1", _OR_BOTH.sub(r" or \g<two>", _PAST_OR_NOW.sub(r"\g<past> ", text)))
    text = _FREE.sub(r"free of \1\2", _POWER.sub(r"10^\1", _TIMES_NORMAL.sub(r"\1 x ULN", text)))
    text = _ALCOHOLIC.sub("alcohol", text)
    text = _UNLESS.sub(r" unless\1", _elapsed(_BUT_WHO.sub(" unless ", text)))
    text = _SUSPENDED.sub(lambda m: f"{m['one']}{m['rest']} {m['joint']} {m['two']}{m['rest']}", text)
    text = _ORDINAL.sub(lambda m: f"{m['one']} {m['two']}-{m['rest']}", _HYPHENED.sub(_unhyphened, text))
    text = _PRESSURES.sub("blood pressure", _WEIGHING.sub("body weight", text))
    text = _TIMES.sub(lambda m: f"{_TIMES_OF[m['n'].lower().rstrip('-')[:3]]} x", text)
    text = _TRACED.sub(lambda m: f" ({m[0].strip()})", _LUNGS.sub(lambda m: f"{m[1]}bronchodilator", text))
    text = _RANKED.sub(lambda m: f"{m['of']} {m['is'] or ''}{_ends(m['all'])}", text)
    text = _KIN.sub(lambda m: f"history of {m['what'].strip()} or family history of {m['what']}", text)
    text = _SKIN.sub(lambda m: f"{m['one']} cell carcinoma {m['joint']} {m['two']} cell carcinoma", text)
    text = _BESIDE.sub(
        lambda m: f"systolic blood pressure {m['a']} mmHg {m['joint']} diastolic blood pressure {m['b']} mmHg", text
    )
    text = _STANDARD.sub(" ", _GAULT.sub(" ", text) if _CLEARANCE.search(text) else text)
    text = _FORMULA.sub(" ", _PROVEN.sub("", text))
    text = _DEGREES.sub(lambda m: _JOINTS.sub(" ", m["all"]), text)
    text = _EITHER_WAY.sub(" ", text)
    text = _ENZYMES.sub(lambda m: m["names"], _BY_ECHO.sub(" ", text) if _EJECTION.search(text) else text)
    text = _BARE_ENZYMES.sub("ALT or AST", text)
    text = _OR_WITH.sub(r"\1 ", _SAMPLED.sub("", _ALONE.sub("", text)))
    text = _UNLESS_SO.sub(r"unless \g<what>", _ONE_PRESSURE.sub(r"\1 blood pressure", text))
    text = _HINDERS.sub(lambda m: f" ({m['all']})", text)
    return _AT_SITE.sub(lambda m: f"({m['all']})", text) if _DENSITY.search(text) else text


def labelled(text: str) -> tuple[str, str]:
    """The label in front of a sentence, and the sentence: "Asthma: Subjects with a diagnosis of asthma".

    ("", text) where what stands before the colon governs what follows, or nothing does.
    """
    found = _LABEL.fullmatch(text)
    if not found or len(found["label"].split()) > 5 or _NO_LABEL.search(found["label"]):
        return "", text
    return found["label"].strip(), found["rest"]


def _elapsed(text: str) -> str:
    """None, or some, within the length; a diagnosis of so long ago has lasted as long."""
    found = _ELAPSED.fullmatch(text)
    if not found:
        return text
    if found["begin"]:
        return f"{found['what']} {'for at least' if found['far'] else 'within'} {found['length']}"
    return f"{'no prior ' if found['far'] else ''}{found['what'].rstrip(' .')} within {found['length']}"


def _unhyphened(m: re.Match[str]) -> str:
    """Two degrees of one thing stand side by side, two things each with what they share."""
    if m["rest"].lower() in _MEASURE.split("|"):
        return f"{m['one']} {m['two']}-{m['rest']}"
    return f"{m['one']}-{m['rest']} {m['joint'] if m['joint'] != '/' else 'or'} {m['two']}-{m['rest']}"


def _ends(ranks: str) -> str:
    """The first and the last of some ranks: "II-IV"."""
    said = re.findall(rf"\b{_RANK}\b", ranks, re.IGNORECASE)
    return f"{said[0]}-{said[-1]}"
