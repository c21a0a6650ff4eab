"""The words that tell rules what a question asks: data, read by `agent.understand`.

Patterns run over the question's skeleton: its words in normal form, with what it names replaced by
`m0`, `m1`, … and its times by `t0`, `t1`, …
"""

from __future__ import annotations

import re
from typing import Literal

from agent.types import Op
from fhir_tools.types import Kind

__all__ = [
    "ATTRIBUTES",
    "BENIGN",
    "CATEGORIES",
    "CURRENT",
    "DIRECTIONS",
    "FUNCTION_WORDS",
    "HARMLESS",
    "OPS",
    "UNSAFE",
    "VERBS_FIRST",
]

R = re.compile

OPS: tuple[tuple[Op, re.Pattern[str]], ...] = (
    (
        "age_at",
        R(
            r"\bhow (old|young|many (years|yrs) old)\b.*\b(when|at|was|upon|with)\b.*m\d|\bage\b.*\b(at|when|of|with)\b.*(m\d|onset|diagnos)|\bwhat age\b|\bage (at|of) (onset|diagnosis)\b"
        ),
    ),
    (
        "count_by_year",
        R(r"\b(per|each|every|by) (calendar )?year\b|\byearly\b|\bannual(ly)?\b|\byear by year\b|\byear over year\b"),
    ),
    (
        "find",
        R(
            r"\bwhat (do|does|did) (the |any |their |his |her )?.{0,40}\b(notes?|document|letter|summary|report|documentation|m\d) (say|mention|state|report|document)|\b(notes?|documents?|documentation|letters?|summary|summaries|m\d)\b.{0,30}\b(mention|mentions|mentioned|mentioning|say|says|said|about|discuss\w*|describ\w*|contain\w*|refer\w*|talk\w*)\b|\b(mentioning|discussing|describing)\b|\bmention(s|ed)? (of|in)\b|\bquote\b|\bsearch (the )?(notes?|documents?)\b"
        ),
    ),
    (
        "count",
        R(
            r"\bhow many\b(?! (years|yrs) old)|\bnumber of\b|\bcount( of)?\b|\bhow (often|frequently)\b|\btotal (number|count|of)\b|\btally\b|\btotal\b.*\b(readings|measurements|values|results)\b|\btotal (visits|encounters|readings|measurements|results|values|tests|times|admissions|doses|orders|prescriptions)\b|\bnumber\b.*\bon (file|record)\b"
        ),
    ),
    (
        "range",
        R(
            r"\b(lowest|min|minimum|smallest)\b (and|to|or) (the )?(highest|max|maximum|largest)\b|\b(highest|max|maximum|largest)\b (and|to|or) (the )?(lowest|min|minimum|smallest)\b|\brange of m\d|\bm\d range\b"
        ),
    ),
    (
        "change",
        R(
            r"\b(chang\w*|differ\w*|delta|gap)\b.*\b((last|latest|most recent) (two|2)|(two|2) (last|latest|most recent))\b|\b(chang\w*|differ\w*)\b.*\b(one|value|result) before\b"
        ),
    ),
    (
        "change",
        R(
            r"\b(first|oldest|earliest|initial|baseline)\b.*\b(last|latest|most recent|newest|current)\b.*\b(chang\w*|differ\w*|delta|gap|apart)|\b(chang\w*|differ\w*|delta|gap|apart|compare)\b.*\b(first|oldest|earliest|initial|baseline|start)\b.*\b(last|latest|most recent|newest|current|end)\b|\bhow far apart\b|\b(first|earliest|oldest) to (the )?(last|latest|most recent|newest)\b"
        ),
    ),
    ("mean", R(r"\b(average|mean|avg|averaged|averages|averaging)\b")),
    (
        "compare",
        R(
            r"\b(higher|lower|greater|less|bigger|smaller|larger|more|up|down|increased?|decreased?|risen|fallen|rising|falling|rise|rose|drop(ped)?|fell|fall|gone|exceeds?|different|same|above|below|heavier|lighter|taller|shorter)\b.*\b(than|previous|prior|before|preceding|compared|vs|versus|last time|time before|earlier|relative to)\b|^(is|are|was|were|has|have|did|does|do)\b.*\b(going|gone|go|went|trending|rising|falling|increasing|decreasing|climbing|dropping|increased?|decreased?|risen|fallen|rise|fall|drop(ped)?|climb(ed)?|gain(ed|ing)?|lost|losing)\b|\b(vs|versus|compared|relative)\b.*\b(higher|lower|up|down|more|less)\b|\bcompared? (to|with|against)\b.*\b(previous|prior|before|last)\b|\bcompare\b"
        ),
    ),
    (
        "change",
        R(
            r"\b(how much|by how much|how far)\b.*\b(chang\w*|increas\w*|decreas\w*|ris\w*|rose|fall\w*|fell|drop\w*|gain\w*|los[te]\w*|differ\w*|mov\w*|shift\w*|go|gone|went|vary|varied)\b|\b(net |overall |total |absolute )?(change|difference|delta|shift|increase|decrease|gain|loss|rise|drop)\b.*\b(between|from|in|of|since|over|across|t\d)\b|\bdelta\b|\bchanged? by\b"
        ),
    ),
    (
        "trend",
        R(
            r"\b(trend\w*|trajectory|course|over time|progression|evolution|graph|plot|chart of|serial|track\w*|history of values|how (has|have|is|are) .{0,40}(chang\w*|doing|evolv\w*|progress\w*|trending))\b"
        ),
    ),
    (
        "previous",
        R(
            r"\b(second (to|most) (last|recent)|next to last|penultimate|last but one|before (the )?(last|latest|most recent)|one before|(the )?(previous|prior|preceding)( (one|value|result|reading|measurement|level|m\d))?)\b"
        ),
    ),
    (
        "highest",
        R(
            r"\bhow high\b.*\b(ever|get|got|gone|go|been|peak\w*)\b|\b(all time|record) high\b|\b(highest|max|maximum|peak(ed)?|largest|greatest|top|biggest|high point|record high|all time high|tallest|heaviest|zenith|upper limit|maximal)\b"
        ),
    ),
    (
        "lowest",
        R(
            r"\bhow low\b.*\b(ever|get|got|gone|go|been|drop\w*)\b|\b(all time|record) low\b|\b(lowest|min|minimum|nadir|smallest|least|bottom(ed)?|low point|record low|all time low|lightest|minimal)\b"
        ),
    ),
    ("closest", R(r"\b(closest|nearest)\b")),
    (
        "duration",
        R(
            r"\bhow long (?!ago)|\blength of (the )?(stay|admission|visit|hospitali[sz]ation)\b|\blos\b|\bduration\b|\bhow many (days|nights|hours|weeks|months|years)\b"
        ),
    ),
    (
        "dose",
        R(
            r"\b(dose|dosage|dosing|doses|strength|sig|how much)\b|\bhow (often|many)\b.*\b(take|taken|taking)\b|\bwhat (mg|milligrams?)\b|\bfrequency\b"
        ),
    ),
    (
        "reason",
        R(
            r"\b(why|reasons?|indications?|indicated|purpose|rationale)\b|\bwhats?\b.*\b(for|treat(s|ing)?)$|\bm\d what for$|\badmitting (diagnosis|dx|problem|complaint)\b|\bchief complaint\b|\bfor what\b|\bwhat (condition|problem|diagnosis)\b.*\b(treat|for|prompt|led)\w*|\bused (for|to treat)\b|\bmeant to (treat|help)\b|\b(for|to treat) (which|what)\b|\b(which|what) (diagnosis|condition|problem|indication)\b.*\b(m\d|treat\w*|behind|prompted|led)|\b(diagnosis|condition|problem) behind\b"
        ),
    ),
    ("abnormal", R(r"\b(abnormal\w*|out of range|outside (of )?(the )?(normal|reference)|flagged|critical)\b")),
    (
        "describe",
        R(
            r"\bwhat happened\b|\btell me about\b|\bdetails? (of|on|about|for)\b|\bdescribe\b|\bwhat was done\b|\bwalk me through\b|\bsummar\w+ (of )?(the )?(last |most recent |latest |first )?(m\d|visit|admission|encounter|stay)"
        ),
    ),
    (
        "ended",
        R(
            r"\b(when|what date|which date|what day)\b.*\b(stop\w*|discontinu\w*|end(ed)?|finish\w*|complet\w*|resolv\w*|abat\w*|discharged?|come off|came off|taken off|d c d)\b"
        ),
    ),
    (
        "started",
        R(
            r"\b(start\w*|began|begin|begun|initiat\w*|commenc\w*|put on|go on|went on|first (prescribed|ordered|given|dispensed|taken|written))\b"
        ),
    ),
    (
        "first",
        R(
            r"\b(first|earliest|initial(ly)?|baseline|original(ly)?|oldest|onset|start of|since when|how far back|how long ago)\b"
        ),
    ),
    (
        "latest",
        R(r"\b(last|latest|most recent(ly)?|recent|newest|current(ly)?|now|todays|up to date|present|lately)\b"),
    ),
    (
        "list",
        R(
            r"\b(list|all|which|what (are|were)|enumerate|show|everything|give me|any|summar\w+|overview|tell me)\b|\bwhat\b.*\b(have|has|had|does|is|did)\b"
        ),
    ),
)
"""Tried in this order: the first that is found names the operation."""

DIRECTIONS: tuple[tuple[Literal["higher", "lower", "different"], re.Pattern[str]], ...] = (
    (
        "lower",
        R(
            r"\b(lower|less|down|decreas\w*|fall\w*|fell|drop\w*|smaller|below|under|lost|losing|lighter|shorter|reduced?|declin\w*)\b"
        ),
    ),
    (
        "higher",
        R(
            r"\b(higher|greater|more|up|increas\w*|ris\w*|rose|bigger|larger|above|over|exceed\w*|climb\w*|gain\w*|heavier|taller)\b"
        ),
    ),
    ("different", R(r"\b(chang\w*|differ\w*|same|compar\w*|unchanged|stable)\b")),
)

ATTRIBUTES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("date of birth", R(r"\b(dob|d o b|date of birth|birth ?dates?|birthdays?|bday|born|birth|birthdate)\b")),
    ("deceased", R(r"\b(deceased|dod|dead|die|died|alive|death|living|pass(ed)? away|expired)\b")),
    ("gender", R(r"\b(gender|sex|male or female|male|female|man or (a )?woman)\b")),
    ("race", R(r"\brace\b")),
    ("ethnicity", R(r"\bethnic\w*\b")),
    ("marital status", R(r"\b(marital|married|single|divorced|widowed|spouse)\b")),
    ("address", R(r"\b(address|lives?|city|zip|postcode|reside\w*|where)\b")),
    ("phone", R(r"\b(phone|telephone|contact number|cell|mobile)\b")),
    ("language", R(r"\b(language|speaks?)\b")),
    ("medical record number", R(r"\b(mrn|medical record number|record number|hospital number)\b")),
    (
        "general practitioner",
        R(r"\b(pcp|gp|primary care (doctor|physician|provider)|general practitioner|family doctor)\b"),
    ),
    ("age", R(r"\b(how old|age|years old|y o|yo)\b")),
    ("name", R(r"\b(name|called)\b")),
)
"""What can be asked about the person; the value is the label of the fact (`fhir_tools.facts`)."""

CATEGORIES: tuple[tuple[str, tuple[Kind, ...], re.Pattern[str]], ...] = (
    (
        "family",
        ("family",),
        R(
            r"\b(family (medical )?(history|hx)|(in|of) (the|his|her|their) family|fam(ily)? hx|fhx|fh|relatives?|family members?|runs? in the family|familial|hereditary)\b"
        ),
    ),
    ("social", ("social", "measurement"), R(r"\b(social (history|hx)|shx)\b")),
    (
        "allergy",
        ("allergy",),
        R(r"\b(allerg\w*|nkda|nka|intoleran\w*|adverse reactions?|hypersensitiv\w*|anaphyla\w*)\b"),
    ),
    (
        "immunization",
        ("immunization",),
        R(r"\b(immuni[sz]ations?|immuni[sz]ed|vaccin\w*|shots?|jabs?|boosters?|inoculat\w*)\b"),
    ),
    ("vitals", ("measurement",), R(r"\b(vitals?|vital signs?|obs)\b")),
    (
        "labs",
        ("measurement",),
        R(r"\b(labs?|lab (results?|work|tests?|values?)|laborator\w*|blood ?work|bloods|chemistr\w*)\b"),
    ),
    (
        "condition",
        ("condition",),
        R(
            r"\b(problems? lists?|problems?|conditions?|diagnos\w*|dx|dxs|dxd|comorbid\w*|pmh|pmhx|medical history|past medical|illness\w*|diseases?|disorders?|suffer\w*|ailments?)\b"
        ),
    ),
    ("procedure", ("procedure",), R(r"\b(procedures?|surger\w*|surgical|operations?|psh|pshx|interventions?)\b")),
    (
        "imaging",
        ("imaging",),
        R(
            r"\b(imaging|imaged|scans?|scanned|radiolog\w*|radiograph\w*|pictures|films?|studies|study|x rays?|xrays?)\b"
        ),
    ),
    (
        "encounter",
        ("encounter",),
        R(
            r"\b(encounters?|visits?|visited|appointments?|admissions?|admitted|hospitali[sz]\w*|inpatient stays?|stays?|came in|come in|comes? here|been here|last here|been in|checkups?|discharge[ds]?|attended|consults?|consultations?)\b"
        ),
    ),
    (
        "medication",
        ("medication",),
        R(
            r"\b(meds?|medications?|medicines?|drugs?|prescri\w*|rx|pills?|tablets?|scripts?|pharmac\w*|dispens\w*|therap\w*|regimen|refill\w*|dos(e|es|age|ing))\b"
        ),
    ),
    ("document", ("document",), R(r"\b(notes?|documents?|documentation|letters?|correspondence)\b")),
    ("report", ("report",), R(r"\b(reports?|reported|impressions?|conclusions?|findings?|readout|panel)\b")),
    ("careplan", ("careplan",), R(r"\b(care ?plans?|plans? of care)\b")),
    ("goal", ("goal",), R(r"\b(goals?|targets?)\b")),
    ("device", ("device",), R(r"\b(devices?|implants?|implanted)\b")),
    ("taking", ("medication",), R(r"\b(taking|takes?|taken|administ\w*|ordered)\b")),
    ("performed", ("procedure",), R(r"\b(performed|underwent|undergone|operated)\b")),
    (
        "seen",
        ("encounter",),
        R(
            r"\b(seen|saw|come in|came in|(we|you|i|they|anyone|clinic|doctor) (last |first |ever |also )?see|last see)\b"
        ),
    ),
    ("order", ("order",), R(r"\b(orders|referrals?|service requests?|pending)\b")),
)
"""Nouns and verbs that say which part of the chart is meant, in order of precedence."""

CURRENT = R(r"\b(active|current|currently|now|still|ongoing|present|presently|taking|today|on m\d)\b")
"""Words for what is going on now."""

HARMLESS = R(
    r"\bmost recent\w*\b|\bnext to last\b|\bsecond to last\b|\bno longer\b|\bnot taking\b|\bno more\b|\bdo not\b(?= take)"
)
"""Phrases whose words are safe together, though one of them alone is not."""

VERBS_FIRST = R(
    r"^(and |so |but |ok |also |then )*(is|are|was|were|has|have|had|does|do|did|any|ever|isn|hasn|still|been|am|could there|might)\b"
)
"""A question that wants yes or no."""

UNSAFE = R(
    r"\b(except|excluding|besides|other than|apart from|unless|instead|without|never|not|nor|neither|should|would|could|recommend\w*|advis\w*|best|safe|risk|interact\w*|contraindicat\w*|likely|probab\w*|predict\w*|prognos\w*|because|cause[sd]?|causing|expla\w*|compare[ds]? to guideline|guideline\w*|normal for|interpret\w*|mean that|worr\w*|concern\w*|appropriate|correct dose|need(s|ed)? to|tomorrow|next|future|plan(s|ned)? for|increase the|decrease the|stop the|start the|switch|fasting|post|pre|while|before (and|or|versus|vs) after|pre and post|up to date|overdue|due for|(die|died|dying) (of|from)|median|percentile|variance|standard deviation|correlat\w*|between m\d and m\d)\b"
)
"""Words whose meaning rules do not handle: with any of them left over the question is refused."""

FUNCTION_WORDS = frozenset(
    "a an the of in on at to for from with by and or is are was were be been being am do does did has have had having"
    " this that these those it its he she his her hers him they them their theirs you your we us our my i me patient"
    " patients pt pts s t d ll re ve who whom whose what which when where why how there here any some all each every"
    " no yes not as than then so also too just only very much many more most less least few lot ever never still yet"
    " please can could would should may might must shall will tell give show get got find see look let know want need"
    " help check pull up out over under about into onto off per via new old last latest recent recently most first"
    " current currently now today previous prior before after since during until till between among within without"
    " one ones two three other another same such own both either neither if whether while because again once like"
    " does doesn isn wasn hasn haven hadn don didn weren aren won me mr mrs ms dr doctor man woman lady gentleman guy"
    " male female boy girl person individual he's she's what's when's pls thx thanks thank hi hello hey ok okay all"
    " may mar march april june july august sat sun use used uses using happen happened happens her age date time day"
    " days week weeks month months year years hour hours minute minutes am pm ago high low normal positive negative"
    " or it is".split()
)
"""Words that alone name nothing in a chart, whatever the lexicon thinks of their letters."""

BENIGN = FUNCTION_WORDS | frozenset(
    "record records recorded recording recordings chart charts charted charting file filed documented documents note noted entry"
    " entries entered listed list lists level levels value values result results reading readings measure measured"
    " measurement measurements number numbers figure figures test tests tested testing lab labs laboratory data info"
    " information detail details history hx h o medical clinical health ehr emr system available exist exists existing"
    " present presence status state current taken took take takes taking given give gave receive received receives"
    " receiving got getting go goes going gone went come comes came put make made done do perform performed undergo"
    " underwent undergone complete completed order ordered orders prescribe prescribed prescribing prescription"
    " prescriptions script start started starting starts begin began begun initiated initiation stop stopped stopping discontinue"
    " discontinued continue continued continues continuing ongoing remain remains active inactive resolved diagnosis diagnoses diagnosed diagnose dx"
    " dxed develop developed identified identify found confirmed known onset condition conditions problem problems disease diseases"
    " disorder medication medications med meds medicine medicines drug drugs rx pill pills tablet tablets vaccine vaccines vaccinated"
    " vaccination vaccinations immunization immunizations immunisation immunisations immunized shot shots jab dose doses booster allergy allergies allergic allergen allergens"
    " procedure procedures surgery surgeries surgical operation encounter encounters visit visits visited seen appointment appointments"
    " admission admissions admitted hospital hospitalized hospitalised hospitalization hospitalizations stay imaging image images study studies"
    " scan scans report reports finding findings family relative relatives member members birth born old age aged"
    " last latest recent earliest initial initially baseline original originally average mean avg maximum minimum max min highest lowest peak nadir"
    " trend trends trending trajectory course change changed changes changing difference delta increase increased decrease decreased rise risen rose rising fall fallen"
    " fell falling drop dropped higher lower greater less compare compared comparison than versus vs above below exceed"
    " closest nearest around near total overall count counted times often frequently frequent per yearly annually"
    " quick quickly brief briefly summary summarize summarise overview review quote mention mentions mentioned say says said describe"
    " state states reported exactly approximately roughly currently presently lately regarding concerning related"
    " patient's individual's subject client ever own back far along whole entire complete full different various"
    " type types kind kinds sort which point collected collect drawn draw draws obtained obtain run ran came returned return"
    " reason reasons why indication indicated purpose treat treats treating treated treatment therapy used long lasted last"
    " length duration occur occurred occurrence happen happened administered administration given under care suffer suffers suffering"
    " suffered from experience experienced exhibit exhibited evidence sign signs feature feature's listing items item note notes"
    " document documentation name names called main key everything anything something else outstanding set sets pair"
    " currently-taking register registered log logged logs capture captured show shows showing shown tell telling provide provides"
    " retrieve fetch display share identify locate remind wondering curious interested like question answer"
    " refer referring exact precise precisely specific specifically calendar overall apart previous-to immediately"
    " next-most subsequent respective associated connected corresponding relation respect terms term regard"
    " check checked checks checking up-to-date ago so-far date dates dated dating timing moment occasion occasions instance instances episode episodes"
    " single sole each one's between first second third penultimate preceding earlier later followed following"
    " prior prescribed-for amount amounts extent magnitude net absolute shift shifted moved move moving differ differed vary varied gain gained lost lose"
    " weigh tall heavy outside range flagged abnormal abnormalities critical abnormality concerning-for it's that's there's he's she's"
    " sort-of please kindly us them theirs today today's date's right still-on on-board onboard regimen daily home"
    " outpatient inpatient emergency room department er ed clinic office hospitalist provider providers staff team"
    " performed-on undergoes living person's man's woman's lifetime life date-of-birth sex gender tool data-point points"
    " whats whens hows wheres whos hers theirs theres heres calculate calculated compute computed work works worked averaged averaging add adds"
    " across altogether anyone anybody someone place took happen exam exams examination examinations past previously formerly read reads"
    " big small large size confirm confirms confirmation verify meant mean means helped intended intend newest oldest zenith attended attend attends apart"
    " here clinician clinicians physician physicians nurse by anyone's according look looked looking up pull pulled meantime noting"
    " come up ranges range within far how's since yes/no sys dia systolic/diastolic figure gotten usual recently-updated lately earlier"
    " reach reached reaching hit stood stand stands standing peaked dipped went sit sits run runs running bring brings"
    " kg lb cm mm mg dl ml mmol meq iu unit units percent percentage pct in-house file-based detected detect detects carry"
    " existing flag flagged marked mark marks aware known-to known regards respective again further additional another"
    " logged entries listing enumerated enumerate spell spelled word words exactly written write writes wrote author authored"
    " prior-to following upon moment-of onward onwards forward beyond later-than day's start's beginning first-ever ever-recorded"
    " most-recently so far thus overall-total together combined grand sum summed totals totalled"
    " arithmetic etc and so placement placed insertion inserted giving anybody continuing regular regularly"
    " mentioning discussing describing containing referring talking newly new anywhere resolve resolves resolving unresolved die dies pass away imaged admitting attending serum plasma oral capsule capsules injection injectable cream"
    " inhaler spray patch solution suspension iv po im pr topical score scores scale index final finally overall positive anything so if includes"
    " two three four five six seven eight nine ten discharged discharge both longer preferred"
    " contain contains contained include includes included including hold holds held carry carries carried appear appears appeared"
    " come-back came-back shot's vaccine's gotten become became becomes happening ended end ends finish finished discontinuation put-on"
    " hospitalisation hospitalisations stays length-of-stay".replace("-", " ").split()
)
"""Words that need no meaning of their own once an operation and its subject are found."""
