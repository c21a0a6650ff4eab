"""Words that rules must not pass over, and the phrases in which they are safe: data, read as the cues are."""

from __future__ import annotations

from agent.understand.patterns import any_of, words

__all__ = ["HARMLESS", "UNSAFE"]

HARMLESS = any_of(
    r"\bmost recent\w*\b",
    words("next to last, second to last, no longer, not taking, no more, how old would, because of (?:what|which)"),
    words("(?:i|we) should (?:know|be aware), should (?:i|we) (?:know|be aware|list|write|put|record|enter|document)"),
    words("supposed to be on"),
    words(r"not (?:yet )?(?:been )?resolved, most up to date"),
    r"\bup to date (?=(?:m\d|list|meds?|medic\w+|drugs?|problems?|allerg\w+|value|result|reading|figure)\b)",
    r"\bm\d (?:ever |actually )*caused? (?:an? |any )?(?:allergic )?reactions?\b",
    r"\b(?:high|highest|low|lowest|peak|max|maximum|min|minimum)\b(?: \w+){0,7} (?:worst|best)\b",
    r"\b(?:worst|best) (?:\w+ ){0,3}(?:highest|lowest|maximum|minimum)\b",
    r"\bwould be (?:the |his |her )?(?:mean|average|highest|lowest|maximum|minimum|latest|last|first)\b(?!.*\bdos)",
    r"^starting m\d(?= (?:i ?e )?(?:the )?(?:very )?(?:oldest|earliest|first))",
    r"\bdo not\b(?= take)|\bshould (?:he|she|they|the patient) (?:currently )?be (?:taking|on)\b",
)
"""Phrases whose words are safe together, though one of them alone is not."""

UNSAFE = any_of(
    words("except, excluding, besides, other than, apart from, unless, instead, without, never, not, nor, neither"),
    words("should, would, could, recommend*, advis*, best, safe, risk, interact*, contraindicat*, need(?:s|ed)? to"),
    words("worst, likely, probab*, predict*, prognos*, because, cause[sd]?, causing, expla*, interpret*, mean that"),
    words("compare[ds]? to guideline, guideline*, normal for, worr*, concern*, appropriate, correct dose"),
    words("tomorrow, next, future, plan(?:s|ned)? for, increase the, decrease the, stop the, start the, switch"),
    words("fasting, pre and post, post, pre, while, before (?:and|or|versus|vs) after"),
    words("up to date, overdue, due for, (?:die|died|dying) (?:of|from)"),
    r"\b(?:problems?|issues?|trouble|difficulty)\b(?: \w+){0,4} with m\d",
    r"^where (?:was|were)\b.*m\d|^which (?:doctor|nurse|clinician|physician|surgeon)\b|\bwhat (?:made|makes)\b",
    r"(?:\babout |\bof |^)(?:stopping|starting) m\d",
    words(r"on before m\d"),
    r"\b(?:all|any\w*|every\w*|nothing|none|no one|nobody) but\b|\b(?:nothing|none|nobody|nowhere)\b",
    words(r"(?:before|after|since|during|prior to) (?:\w+ )?(?:\w+ )?(?:surgery|surgeries|operations?|procedures?)"),
    words(r"median, percentile, variance, standard deviation, correlat*, between m\d and m\d"),
)
"""Words whose meaning rules do not handle: with any of them left over the question is refused."""
