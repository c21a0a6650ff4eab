"""Words that rules must not pass over, and the phrases in which they are safe: data, read as the cues are."""

from __future__ import annotations

from agent.understand.patterns import any_of, words

__all__ = ["HARMLESS", "UNSAFE"]

HARMLESS = any_of(
    r"\bmost recent\w*\b",
    words("next to last, second to last, no longer, no more, how old would, because of (?:what|which)"),
    r"(?<=or )not taking\b|^(?:is|are) (?:he|she|they|(?:the )?(?:patient|pt)) not taking\b",
    words("(?:i|we) should (?:know|be aware), should (?:i|we) (?:know|be aware|list|write|put|record|enter|document)"),
    words("supposed to be on"),
    words(r"not (?:yet )?(?:been )?resolved, most up to date"),
    r"\bup to date (?=(?:m\d|list|meds?|medic\w+|drugs?|problems?|allerg\w+|value|result|reading|figure)\b)",
    r"\bm\d (?:ever |actually )*caused? (?:an? |any )?(?:allergic )?reactions?\b",
    r"\b(?:high|highest|low|lowest|peak|max|maximum|min|minimum)\b(?: \w+){0,7} (?:worst|best)\b",
    r"\b(?:worst|best) (?:\w+ ){0,3}(?:highest|lowest|maximum|minimum)\b",
    r"\bwould be (?:the |his |her )?(?:mean|average|highest|lowest|maximum|minimum|latest|last|first)\b(?!.*\bdos)",
    r"^starting m\d(?= (?:i ?e )?(?:the )?(?:very )?(?:oldest|earliest|first))",
    r"\bdo not\b(?= take)|(?<!^)\bshould (?:he|she|they|the patient) (?:currently )?be (?:taking|on)\b",
)
"""Phrases whose words are safe together, though one of them alone is not."""

_ANYONE = r"(?:you|he|she|they|we|i|it|(?:the |this )?(?:patient|pt)|m\d)"
UNSAFE = any_of(
    # Leave is asked for, or advice.
    rf"^(?:and |so |but |then )*(?:can|may|shall|must|will|ought) {_ANYONE}\b",
    r"\bis (?:it|this) (?:\w+ )?(?:ok|okay|alright|all right|fine|good|wise|allowed|permitted|possible|time|sensible|"
    r"advisable) (?:to|if|for)\b",
    r"\b(?:ok|okay|alright|all right) to\b",
    rf"\b(?:does|do|did|will) {_ANYONE} (?:\w+ )?need m\d|\bwhat if\b|^if\b.*\b(?:what|how|when|would|will)\b",
    words("refus*, declin\\w* m\\d"),
    r"\b(?:maximum|max|minimum|min|highest|lowest|recommended|usual|loading|average|mean) (?:\w+ )?dos(?:e|es|age)\b",
    # Others than the patient, or elsewhere.
    words(
        "(?:an)?other (?:patient|person|man|woman)s?, all patients, (?:which|how many|number of) (?:patients|people)"
    ),
    words(
        "patients (?:with|on|who|taking), another(?! (?:question|one|thing)), elsewhere, other (?:hospital|clinic|"
        "practice|facilit)\\w*"
    ),
    words(
        "by (?:the |his |her |their |an? )?(?:gp|pcp|nurse|specialist|surgeon|pharmacist|hospital|clinic|consultant|"
        "\\w+ologist)"
    ),
    # One of several, some of them.
    words("(?:second|third|fourth|fifth|2nd|3rd|4th|5th) (?:highest|lowest|most|largest), but (?:one|two|three)"),
    r"\b(?:takes?|took|taking|uses?|gets?|got|on|has|had|have|having|with|is|was|are) no m\d",
    words(
        "(?:oral|topical|injectable|iv|inhaled|intravenous|hospital|inpatient) (?:drugs?|meds?|medic\\w+|pills?|"
        "tablets?)"
    ),
    words("except, excluding, besides, other than, apart from, unless, instead, without, never, not, nor, neither"),
    words("should, would, could, recommend*, advis*, best, safe, risk, interact*, contraindicat*, need(?:s|ed)? to"),
    r"\b(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|few|several) (?:hours?|days?|weeks?|months?|years?) "
    r"(?:after|before|following|prior|later|earlier|into|post)\b|\bat most\b",
    words("worse, worsen*, poorest, poorer, poor, poorly, bad, badly, better, improv*, deteriorat*"),
    words("worst, likely, probab*, predict*, prognos*, because, cause[sd]?, causing, expla*, interpret*, mean that"),
    words("compare[ds]? to guideline, guideline*, normal for, worr*, concern*, appropriate, correct dose"),
    words("tomorrow, next, future, plan(?:s|ned)? for, increase the, decrease the, stop the, start the, switch"),
    words("fasting, pre and post, post, pre, while, before (?:and|or|versus|vs) after"),
    words("up to date, overdue, due for, (?:die|died|dying) (?:of|from|in|at)(?! t\\d)"),
    r"\b(?:problems?|issues?|trouble|difficulty)\b(?: \w+){0,4} with m\d",
    r"^where (?:was|were)\b.*m\d|^which (?:doctor|nurse|clinician|physician|surgeon)\b|\bwhat (?:made|makes)\b",
    r"(?:\babout |\bof |^)(?:stopping|starting) m\d",
    words(r"on before m\d"),
    r"\b(?:all|any\w*|every\w*|nothing|none|no one|nobody) but\b|\b(?:nothing|none|nobody|nowhere)\b",
    r"^(?:have|take|use|eat) m\d$",
    words(r"on before m\d, home (?:scales?|monitor|readings?|measurements?|m\d), m\d at home"),
    words(
        r"(?:gp|pcp|family doctor) m\d, (?:m\d (?:to|with|at)|see|saw) (?:a |the |his |her )?(?:gp|pcp|family doctor)"
    ),
    words(r"(?:before|after|since|during|prior to) (?:\w+ )?(?:\w+ )?(?:surgery|surgeries|operations?|procedures?)"),
    words(r"median, percentile, variance, standard deviation, correlat*, between m\d and m\d"),
)
"""Words whose meaning rules do not handle: with any of them left over the question is refused."""
