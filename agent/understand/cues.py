"""The words that tell rules what a question asks: data, read by `agent.understand`.

Patterns run over the question's skeleton: its words in normal form, with what it names replaced by
`m0`, `m1`, … and its times by `t0`, `t1`, …
"""

from __future__ import annotations

import re
from typing import Literal

from agent.types import Op
from agent.understand.patterns import any_of, words
from agent.understand.sections import ATTRIBUTES, CATEGORIES

__all__ = ["ATTRIBUTES", "CATEGORIES", "CURRENT", "DIRECTIONS", "OPS", "VERBS_FIRST"]

_EARLY = r"\b(?:first|oldest|earliest|initial|baseline)\b"
_LATE = r"\b(?:last|latest|most recent|newest|current)\b"
_LOW = r"\b(?:lowest|min|minimum|smallest)\b"
_HIGH = r"\b(?:highest|max|maximum|largest)\b"
_TWO = r"\b(?:(?:last|latest|most recent) (?:two|2)|(?:two|2) (?:last|latest|most recent))\b"
_MOVED = (
    r"higher|lower|risen|rise|rose|increased?|(?:gone|went|go) (?:up|down)|fallen|fall|fell|decreased?|dropped|greater|"
    r"less|more"
)
_PROBLEM = r"(?:diagnosis|condition|problem)"
_NOTES = r"(?:notes?|documents?|documentation|letters?|summary|summaries|m\d)"

OPS: tuple[tuple[Op, re.Pattern[str]], ...] = (
    (
        "age_at",
        any_of(
            r"\b(?:how (?:old|young|many (?:years|yrs) old)|ages?|years old)\b.*(?:m\d|onset|diagnos)",
            r"m\d.*\b(?:how (?:old|young)|age|years old)\b",
            words("what age, age (?:at|of) (?:onset|diagnosis)"),
        ),
    ),
    (
        "count_by_year",
        any_of(words("(?:per|each|every|by) (?:calendar )?year, yearly, annual(?:ly)?, year by year, year over year")),
    ),
    (
        "find",
        any_of(
            r"\bwhat (?:do|does|did) (?:the |any |their |his |her )?.{0,40}"
            r"\b(?:notes?|document|letter|summary|report|documentation|m\d) (?:say|mention|state|report|document)",
            rf"\b{_NOTES}\b.{{0,30}}"
            + words(
                "mention, mentions, mentioned, mentioning, say, says, said, about(?! (?:the )?(?:time|when)\\b),"
                " discuss*, describ*, contain*, refer*, talk*"
            ),
            words("mentioning, discussing, describing, mention(?:s|ed)? (?:of|in)"),
            r"\bquote\b.*\b(?:notes?|documents?|letters?|summar\w+|reports?|says?|said|wrote|written)\b",
            words("search (?:the )?(?:notes?|documents?)"),
        ),
    ),
    ("mean", any_of(words("average, averaged, averages, averaging, avg, mean"))),
    (
        "change",
        any_of(
            r"\bby how many\b.*\b(?:first|earliest|oldest|baseline|chang\w*|shift\w*|differ\w*|increas\w*|decreas\w*|"
            r"f[ae]ll\w*|r[io]se\w*)",
            rf"\bhow much (?:higher|lower|more|less|greater|bigger|smaller)\b.*(?:{_EARLY}.*{_LATE}|{_LATE}.*{_EARLY})",
            rf"\bhow different\b.*(?:{_EARLY}.*{_LATE}|{_LATE}.*{_EARLY})",
        ),
    ),
    (
        "count",
        any_of(
            r"\bhow many\b(?! (?:years|yrs|months|weeks|days|nights|hours)\b(?! of))",
            r"\b(?:t\d|so far) (?:number|count)$",
            words(
                "amount of m\\d (?:measurements|results|readings|tests|values), frequency of m\\d (?:measure\\w*|"
                "test\\w*|check\\w*|recording\\w*), how much times, quantity of,"
                " number of, count, how (?:often|frequently), total (?:number|count|of),"
                " tally"
            ),
            r"\btotal\b.*\b(?:readings|measurements|values|results)\b",
            r"\btotal "
            + words(
                "visits, encounters, readings, measurements, results, values, tests, times,"
                " admissions, doses, orders, prescriptions"
            ),
            r"\bnumber\b.*\bon (?:file|record)\b",
        ),
    ),
    (
        "range",
        any_of(
            rf"{_LOW} (?:and|to|or) (?:the )?{_HIGH}",
            rf"{_HIGH} (?:and|to|or) (?:the )?{_LOW}",
            words(r"range of m\d, m\d range"),
        ),
    ),
    (
        "change",
        any_of(
            r"\b(?:chang\w*|shift\w*|differ\w*|delta|gap)\b.*"
            r"\b(?:(?:last|latest|most recent) (?:two|2)|(?:two|2) (?:last|latest|most recent))\b",
            r"\b(?:chang\w*|differ\w*)\b.*\b(?:one|value|result) before\b",
        ),
    ),
    (
        "change",
        any_of(
            rf"{_EARLY}.*{_LATE}.*\b(?:chang\w*|shift\w*|differ\w*|delta|gap|apart)",
            rf"\b(?:chang\w*|shift\w*|differ\w*|delta|gap|apart|compare)\b.*(?:{_EARLY}|\bstart\b).*(?:{_LATE}|"
            rf"\bend\b)",
            rf"{_LATE}.*\b(?:chang\w*|differ\w*)\b.*{_EARLY}",
            r"\bhow far apart\b",
            r"\b(?:first|earliest|oldest) to (?:the )?(?:last|latest|most recent|newest)\b",
        ),
    ),
    (
        "change",
        any_of(
            r"\bby how (?:much|many)\b",
            r"\bhow much (?:higher|lower|more|less|greater|heavier|lighter|taller|shorter)\b",
        ),
    ),
    (
        "compare",
        any_of(
            rf"{_TWO}.*\b(?:{_MOVED})\b|^(?:is|are|was|were|has|have|did|does)\b.*\b(?:{_MOVED})\b.*{_TWO}",
            words(
                "higher, lower, greater, less, bigger, smaller, larger, more, up, down, increased?, decreased?, risen,"
                " fallen, rising, falling, rise, rose, drop(?:ped)?, fell, fall, gone, exceeds?, different, same,"
                " above, below, heavier, lighter, taller, shorter"
            )
            + ".*"
            + words(
                "than, previous, prior, before, preced*, compared, vs, versus, last time, time before,"
                " earlier, relative to"
            ),
            r"^(?:is|are|was|were|has|have|did|does|do)\b.*"
            + words(
                "going, gone, go, went, trending, rising, falling, increasing, decreasing, climbing, dropping,"
                " increased?, decreased?, risen, fallen, rise, fall, drop(?:ped)?, climb(?:ed)?, gain(?:ed|ing)?,"
                " lost, losing, (?:come|came|coming) (?:up|down)"
            ),
            r"\b(?:vs|versus|against|compared|relative)\b.*"
            + words(
                "higher, lower, up, down, more, less, climbed, risen, rose, increased, fallen, fell, dropped, decreased"
            ),
            r"\bcompared? (?:to|with|against)\b.*\b(?:previous|prior|before|last)\b",
            r"\bcompar(?:e|ing)\b",
            r"\b(?:higher|lower|above|below|over|under)\b.*\b(?:that|those|the one) (?:of|from|in|on|t\d)",
            r"\bis (?:it|that|this|there) an? (?:increase|decrease|rise|fall|drop|gain)\b",
        ),
    ),
    (
        "change",
        any_of(
            r"\b(?:how much|by how much|how far|what amount)\b(?!.*\b(?:maxim|minim|highest|lowest|peak))"
            + r".*"
            + words(
                "chang*, alter*, increas*, decreas*, ris*, rose, fall*, fell, drop*, gain*, los[te]*, differ*, mov*,"
                " shift*,"
                " go, gone, went, vary, varied, grow, grew, grown, taller, heavier, lighter, higher, lower, climb*"
            ),
            words("change, difference, delta, shift, increase, decrease, gain, loss, rise, drop")
            + ".*"
            + words(r"between, from, in, of, since, over, across, t\d"),
            words(r"delta, changed? by, m\d (?:change|difference|gain|loss)"),
        ),
    ),
    (
        "trend",
        any_of(
            words(
                "trend*, trajectory, course, progression, evolution, graph, plot, chart of, serial, track*,"
                " history of values"
            ),
            r"^(?!.*\b(?:max\w*|min\w*|highest|lowest|peak\w*|nadir|average|mean)\b).*\bover time\b",
            r"\bhow (?:has|have|is|are) .{0,40}(?:chang\w*|doing|evolv\w*|progress\w*|trending)\b",
        ),
    ),
    (
        "previous",
        any_of(
            words(
                "second (?:to|most) (?:last|recent), next to last, penultimate, last but one, one before,"
                " before (?:the )?(?:last|latest|most recent), previous, prior, preceding"
            )
        ),
    ),
    (
        "highest",
        any_of(
            r"\bhow high\b.*\b(?:ever|get|got|gone|go|been|peak\w*)\b",
            r"\bthe most\b(?! recent).*\b(?:ever|been|reached|gotten|hit)\b",
            r"\bhow high\b.*\b(?:climb\w*|rise|rose|risen|run|ran|spik\w*|soar\w*|shoot|shot)\b",
            words(
                "all time high, record high, high point, high water mark, ceiling, upper extreme, uppermost,"
                " highest, max, maximum, maximal, peak(?:ed)?, largest,"
                " greatest, top, biggest, tallest, heaviest, hottest, fastest, zenith, upper limit"
            ),
        ),
    ),
    (
        "lowest",
        any_of(
            r"\bhow low\b.*\b(?:ever|get|got|gone|go|been|drop\w*)\b",
            r"\bhow low\b.*\b(?:fall\w*|fell|sink|sank|sunk|dip\w*|plung\w*|run|ran)\b",
            words(
                "all time low, record low, low point, floor, lower extreme, lowest, weakest, min, minimum, minimal,"
                " nadir, smallest, least,"
                " bottom(?:ed)?, coldest, lightest, slowest"
            ),
        ),
    ),
    ("closest", any_of(words("closest, nearest"))),
    (
        "duration",
        any_of(
            r"\bhow long (?!ago)",
            words("length of (?:the )?(?:stay|admission|visit|hospitali[sz]ation), los, duration"),
            words("how many (?:days|nights|hours|weeks|months|years|yrs)"),
        ),
    ),
    (
        "dose",
        any_of(
            words("dose, doses, dosage, dosing, strength, sig, how much, what (?:mg|milligrams?), frequency"),
            r"\bhow (?:often|many)\b.*\b(?:take|taken|taking)\b",
        ),
    ),
    (
        "reason",
        any_of(
            words(
                "why, because of (?:what|which), in aid of, reasons?, indications?, indicated, purpose, rationale,"
                " for what, chief complaint"
            ),
            r"\bwhats?\b.*\b(?:for|treat(?:s|ing)?)$",
            r"\bm\d what for$",
            words("admitting (?:diagnosis|dx|problem|complaint)"),
            rf"\bwhat {_PROBLEM}\b.*\b(?:treat|for|prompt|led)\w*",
            words(
                "on what grounds, what (?:prompted|led to|triggered|warranted|necessitated|justifi\\w+), prompted,"
                " linked, behind"
            ),
            r"\bwhat (?:does|do|did) m\d (?:treat|help)",
            words("used (?:for|to treat), meant to (?:treat|help), (?:for|to treat) (?:which|what)"),
            r"\b(?:which|what) (?:diagnosis|condition|problem|indication)\b.*\b(?:m\d|treat\w*|behind|prompted|led)",
            rf"\b{_PROBLEM} behind\b",
        ),
    ),
    (
        "abnormal",
        any_of(words("abnormal*, out of range, outside (?:of )?(?:the )?(?:normal|reference), flagged, critical")),
    ),
    (
        "describe",
        any_of(
            words(
                "what happened, tell me about, details? (?:of|on|about|for), describe, what was done, walk me through"
            ),
            r"\bsummar\w+ (?:of )?(?:the )?(?:last |most recent |latest |first )?"
            r"(?:m\d|visit|admission|encounter|stay)",
        ),
    ),
    (
        "ended",
        any_of(
            r"\b(?:when|what date|which date|what day)\b.*"
            + words(
                "stop*, discontinu*, end(?:ed)?, finish*, complet*, resolv*, abat*, discharged?, come off, came off,"
                " taken off, d c d"
            )
        ),
    ),
    (
        "started",
        any_of(
            words(
                "start*, began, begin, begun, initiat*, commenc*, introduc*, institut*, put on, go on, went on, added"
            ),
            words("first (?:prescribed|ordered|given|dispensed|taken|written)"),
        ),
    ),
    (
        "first",
        any_of(
            r"\bhow long ago\b(?!.*\b(?:last|latest|most recent))",
            words(
                "first, earliest, initial(?:ly)?, baseline, original(?:ly)?, oldest, onset, start of, since when,"
                " how far back,"
                + " (?:at|in) the (?:very )?(?:beginning|start|outset)(?! of), start(?:ed)? out, to begin with"
            ),
        ),
    ),
    (
        "latest",
        any_of(
            words(
                "last, latest, lately, freshest, most recent(?:ly)?, recent, newest, current(?:ly)?, now, todays, up"
                " to date,"
                " present"
            )
        ),
    ),
    (
        "list",
        any_of(
            words("list, all, which, what (?:are|were), enumerate, show, everything, give me, any"),
            words("summar\\w+, overview, tell me"),
            r"\bwhat\b.*\b(?:have|has|had|does|is|did)\b",
        ),
    ),
)
"""Tried in this order: the first that is found names the operation."""

DIRECTIONS: tuple[tuple[Literal["higher", "lower", "different"], re.Pattern[str]], ...] = (
    (
        "lower",
        any_of(
            words(
                "lower, less, down, decreas*, fall*, fell, drop*, smaller, below, under, lost, losing, lighter,"
                " shorter, reduced?, declin*, sink*, sank, sunk, dip*, plung*"
            )
        ),
    ),
    (
        "higher",
        any_of(
            words(
                "higher, greater, more, up, increas*, ris*, rose, bigger, larger, above, over, exceed*, climb*, gain*,"
                " heavier, taller, soar*, spik*"
            )
        ),
    ),
    ("different", any_of(words("chang*, differ*, same, compar*, unchanged, stable"))),
)

CURRENT = any_of(
    words(
        r"active, current(?:ly)?, now, still, ongoing, present(?:ly)?, taking, today, on m\d, are live, (?:he|she|"
        r"they|patient|pt) (?:is|are) on, (?:is|are) (?:he|she|they|patient|pt) on"
    )
)
"""Words for what is going on now."""

VERBS_FIRST = re.compile(
    r"^(?:whether|if)\b(?!.*\b(?:what|when|which|how|why|who)\b)|^(?:and |so |but |ok |also |then )*"
    r"(?:is|are|was|were|has|have|had|does|do|did|any|ever|isn|hasn|still|been|am|could there|might)\b"
)
"""A question that wants yes or no."""
