"""Finding in a question the concepts of this patient's chart, through labels, codes, synonyms and classes.

A mention is a run of words of the question that names something: a label of the chart's own catalogue
(always first), or a term of the lexicon. Lexicon terms reach the chart's concepts by code, by drug
ingredient and class, or because the chart's label contains the term; never by a code that only the
lexicon has. Words that neither knows are matched against the words of the chart's labels, then by spelling.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import fuzz, process

from fhir_tools.catalogue import Catalogue, CatalogueEntry
from fhir_tools.lexicon import Entry, Lexicon, lexicon, normalise
from fhir_tools.lexicon.english import is_english

__all__ = ["Matcher", "Mention", "Word", "names_of", "turned", "words_of"]

Class = tuple[str, str]
"""(kind, id) of a lexicon entry."""

_FUZZY = 88
_MIN_FUZZY = 5
_SOMEBODY = re.compile(r"(?:ists?|icians?)$")
"""How words for people of a trade end: an endoscopist is no misspelt endoscopy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A normalised word and where it stands in the text as typed."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """Words [first, last) of a question that name something.

    `entries` are the chart's concepts under exactly these words, `classes` the lexicon's meanings;
    `corrected` is set when the spelling was mended to get there.
    """

    first: int
    last: int
    words: str
    entries: tuple[CatalogueEntry, ...] = ()
    classes: tuple[Entry, ...] = ()
    corrected: bool = False


_TOKEN = re.compile(r"\S+")
_SHORT = {
    "h/o": "history of",
    "w/": "with",
    "w/o": "without",
    "c/o": "complains of",
    "y/o": "years old",
    "#": "number of",
    "s/p": "after",
    "b/c": "because",
    "p/w": "presents with",
}
_SIGNS = (
    (">=", " at least "),
    ("\u2265", " at least "),
    (">", " above "),
    ("<", " below "),
    ("cxr", "chest x ray"),
    ("CXR", "chest x ray"),
)
_DOTTED = re.compile(r"(?:[a-z]\.){2,}[a-z]?")
_EDGES = frozenset(
    "the a an of her his their its this that patient patients in on at for to with and or is was has".split()
)


def words_of(text: str) -> tuple[Word, ...]:
    """The normalised words of a text with their offsets; `labs/vitals` is two words, `h/o` what it stands for."""
    out: list[Word] = []
    for token in _TOKEN.finditer(text):
        for part in _parts(token.group()):
            text = _ROMAN.get(part, part) if out and out[-1].text in _RANKED else part
            out.append(Word(text=text, start=token.start(), end=token.end()))
    return tuple(out)


_RANKED = frozenset(("stage", "grade", "type", "class"))
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}
"""Numerals after these are written either way, by charts and by people: "stage III", "type 2"."""


@lru_cache(maxsize=20_000)
def _parts(token: str) -> tuple[str, ...]:
    bare = token.lower().strip("?,;:!()")
    if _DOTTED.fullmatch(bare):
        return (bare.replace(".", ""),)
    bare = bare.strip(".")
    if bare in _SHORT:
        return tuple(_SHORT[bare].split())
    spread = token.replace("#", " number of ") if token.startswith("#") else token
    for sign, words in _SIGNS:
        spread = spread.replace(sign, words)
    parts = normalise(spread.replace("'s", "s").replace("\u2019s", "s")).split()
    return tuple(p for part in parts for p in (part.split("/") if _is_pair(part) else [part]) if p)


def _is_pair(part: str) -> bool:
    return "/" in part and not any(c.isdigit() for c in part) and not lexicon().lookup(part)


_QUALIFIED = re.compile(r"\b(suspected|possible|risk of|at risk|family history|screening for|history of|no evidence)\b")
_KINDS: dict[str, tuple[str, ...]] = {
    "measurement": ("lab",),
    "social": ("lab",),
    "condition": ("condition",),
    "family": ("condition",),
    "medication": ("drug",),
    "allergy": ("allergen", "drug", "drug_class"),
    "immunization": ("vaccine",),
    "procedure": ("procedure", "lab", "modality"),
    "imaging": ("modality", "body_site", "procedure"),
    "report": ("lab", "modality", "body_site", "procedure", "document"),
    "document": ("document",),
    "encounter": ("encounter",),
    "order": ("lab", "procedure", "modality"),
    "device": ("procedure",),
    "careplan": (),
    "goal": ("lab", "condition"),
    "patient": (),
}
"""Which meanings a label of a kind can have."""


@lru_cache(maxsize=50_000)
def _label_classes(label: str, kinds: tuple[str, ...]) -> tuple[Class, ...]:
    """The lexicon's meanings of a chart label: the longest terms that stand in it."""
    lex = lexicon()
    found: list[Class] = []
    if "drug" in kinds:
        found += [("drug", d) for d in sorted(lex.ingredients_of(label))]
    rest = tuple(k for k in kinds if k != "drug")
    words = normalise(label).split()
    for at, _, entries in _longest_terms(lex, words, rest):
        found += [(e.kind, e.id) for e in entries] if not _is_denied(words, at) else []
    return tuple(dict.fromkeys(found))


_WITHOUT = "without"


def _is_denied(words: Sequence[str], at: int) -> bool:
    """Whether a label says that the word there is what it is without: "dementia without anxiety"."""
    said = [w for w in words[:at] if w in ("with", _WITHOUT)]
    return bool(said) and said[-1] == _WITHOUT


def _said(words: Sequence[str]) -> list[str]:
    """The words of a label that it does not deny."""
    return [w for at, w in enumerate(words) if not _is_denied(words, at)] if _WITHOUT in words else list(words)


def _longest_terms(
    lex: Lexicon, words: Sequence[str], kinds: tuple[str, ...] | None
) -> list[tuple[int, int, tuple[Entry, ...]]]:
    """Non-overlapping lexicon terms in a run of words, longest first, in text order."""
    taken = [False] * len(words)
    found = []
    for length in range(min(lex.max_words, len(words)), 0, -1):
        for i in range(len(words) - length + 1):
            if any(taken[i : i + length]):
                continue
            entries = lex.lookup(" ".join(words[i : i + length]), kinds)
            if entries:
                found.append((i, i + length, entries))
                taken[i : i + length] = [True] * length
    return sorted(found)


class Matcher:
    """The catalogue of one chart, made findable. Build it once for an open chart."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.lexicon = lexicon()
        self._labels: dict[str, list[CatalogueEntry]] = defaultdict(list)
        self._classes: dict[Class, list[CatalogueEntry]] = defaultdict(list)
        self._of: dict[tuple[str, str], frozenset[Class]] = {}
        self._words: dict[tuple[str, str], frozenset[str]] = {}
        self._said: dict[tuple[str, str], frozenset[str]] = {}
        self._panels = {p for e in self.lexicon.entries("lab") for p in e.parents}
        for entry in catalogue.entries:
            self._add(entry)
        self._longest = max((len(k.split()) for k in self._labels), default=0)

    def _add(self, entry: CatalogueEntry) -> None:
        names = _names(entry)
        for name in names:
            self._labels[name].append(entry)
        self._words[entry.kind, entry.key] = frozenset(_stem(w) for n in names for w in n.split())
        self._said[entry.kind, entry.key] = frozenset(_stem(w) for n in names for w in _said(n.split()))
        classes = self._meanings(entry)
        self._of[entry.kind, entry.key] = frozenset(classes)
        for known in self._with_parents(classes):
            self._classes[known].append(entry)

    def _meanings(self, entry: CatalogueEntry) -> tuple[Class, ...]:
        kinds = _KINDS.get(entry.kind, ())
        coded = [
            (e.kind, e.id)
            for c in entry.concept.codings
            for e in self.lexicon.by_code(c.system or "", c.code)
            if e.kind in kinds
        ]
        if coded and entry.kind in ("measurement", "social", "immunization"):
            return tuple(dict.fromkeys(coded))
        label = entry.concept.label
        if entry.kind == "condition" and _QUALIFIED.search(label.lower()):
            return ()
        return tuple(dict.fromkeys((*coded, *_label_classes(label, kinds))))

    def _with_parents(self, classes: Iterable[Class]) -> tuple[Class, ...]:
        """The classes and everything above them."""
        seen: dict[Class, None] = {}
        todo = list(classes)
        while todo:
            known = todo.pop()
            if known in seen:
                continue
            seen[known] = None
            entry = self.lexicon.by_id(*known)
            if entry:
                upper = "drug_class" if entry.kind in ("drug", "drug_class") else entry.kind
                todo += [(upper, p) for p in entry.parents]
        return tuple(seen)

    def classes_of(self, entry: CatalogueEntry) -> frozenset[Class]:
        """The lexicon meanings of a chart concept."""
        return self._of.get((entry.kind, entry.key), frozenset())

    def is_panel(self, known: Class) -> bool:
        """Whether a lab meaning is a panel: something that other analytes are parts of."""
        return known[0] == "lab" and known[1] in self._panels

    def entries_of(self, classes: Iterable[Class], kinds: Sequence[str] = ()) -> tuple[CatalogueEntry, ...]:
        """The chart's concepts that are, or fall under, any of the classes."""
        found = {(e.kind, e.key): e for c in classes for e in self._classes.get(c, ())}
        return tuple(e for e in found.values() if not kinds or e.kind in kinds)

    def opaque(self, kind: str) -> tuple[CatalogueEntry, ...]:
        """Concepts of a kind with neither a code nor a label the lexicon understands: anything could be in them."""
        return tuple(
            e
            for e in self.catalogue.of(kind)
            if e.count and not e.concept.codings and not self.classes_of(e) and not self._understood(e)
        )

    def _understood(self, entry: CatalogueEntry) -> bool:
        label = normalise(entry.concept.label)
        return len(label) > 3 and bool(re.search(r"[a-z]{4}", label)) and not label.startswith("unnamed")

    def labels_in(self, words: Sequence[Word]) -> list[Mention]:
        """The chart's own long or numbered labels in a question, longest first: found before times are looked for."""
        texts = [w.text for w in words]
        taken = [False] * len(texts)
        found = []
        for length in range(min(self._longest, len(texts)), 0, -1):
            for i in range(len(texts) - length + 1):
                phrase = " ".join(texts[i : i + length])
                if (
                    any(taken[i : i + length])
                    or phrase not in self._labels
                    or not (length > 4 or any(c.isdigit() for c in phrase))
                ):
                    continue
                taken[i : i + length] = [True] * length
                found.append(self._mention(i, i + length, phrase))
        return sorted(found, key=lambda m: m.first)

    def _mention(self, first: int, last: int, phrase: str) -> Mention:
        classes = self.lexicon.lookup(phrase) or next(filter(None, map(self.lexicon.lookup, turned(phrase))), ())
        return Mention(
            first=first, last=last, words=phrase, entries=tuple(self._labels.get(phrase, ())), classes=classes
        )

    def mentions(self, words: Sequence[Word], blocked: Sequence[bool], stop: frozenset[str]) -> list[Mention]:
        """Every mention among the words that are not blocked; `stop` are words that alone name nothing."""
        texts = [w.text for w in words]
        taken = list(blocked)
        found = []
        longest = max(self._longest, self.lexicon.max_words)
        for length in range(min(longest, len(texts)), 0, -1):
            free = [i for i in range(len(texts) - length + 1) if not any(taken[i : i + length])]
            free = [i for i in free if _is_token(words[i : i + length]) or _can_name(texts[i : i + length], stop)]
            known = [self._mention(i, i + length, _bare(words[i : i + length])) for i in free]
            # of overlapping names of one length the chart's own label wins over a term of the lexicon
            for mention in sorted(known, key=lambda m: not m.entries):
                if self._is_named(mention, texts, stop) and not any(taken[mention.first : mention.last]):
                    taken[mention.first : mention.last] = [True] * length
                    found.append(mention)
        return sorted(found, key=lambda m: m.first)

    def _is_named(self, mention: Mention, texts: Sequence[str], stop: frozenset[str]) -> bool:
        """Whether the words name something; "max ALT" is no drug that is written as one word."""
        if mention.entries or not mention.classes or mention.last - mention.first == 1:
            return bool(mention.entries or mention.classes)
        joined = mention.words.replace(" ", "")
        return not (texts[mention.first] in stop and any(joined in c.terms for c in mention.classes))

    def by_words(self, phrase: str, kinds: Sequence[str] = ()) -> tuple[CatalogueEntry, ...]:
        """The chart's concepts whose label holds every word of the phrase (whole words, plain plurals folded)."""
        wanted = {_stem(w) for w in phrase.split()}
        return tuple(e for e in self.catalogue.entries if (not kinds or e.kind in kinds) and self._holds(e, wanted))

    def _holds(self, entry: CatalogueEntry, wanted: set[str]) -> bool:
        """Whether each wanted word is a word of the entry's names, or the beginning of one ("derm", "creat")."""
        known = self._words if _WITHOUT in wanted else self._said
        words = known.get((entry.kind, entry.key), frozenset())
        if (
            entry.kind == "condition"
            and _QUALIFIED.search(entry.concept.label.lower())
            and not _QUALIFIED.search(" ".join(wanted))
        ):
            return False
        return all(w in words or (len(w) > 3 and any(x.startswith(w) for x in words)) for w in wanted)

    def by_spelling(self, first: int, last: int, phrase: str) -> Mention | None:
        """The mention that a misspelt phrase most probably means, or None; what is English is not misspelt."""
        if len(phrase) < _MIN_FUZZY or _SOMEBODY.search(phrase):
            return None
        best = process.extractOne(phrase, self._labels.keys(), scorer=fuzz.ratio, score_cutoff=_FUZZY)
        known = self.lexicon.fuzzy(phrase)
        if not (best or known) or is_english(phrase):
            return None
        if best and (not known or best[1] >= known[0][1]):
            label = str(best[0])
            return Mention(
                first=first,
                last=last,
                words=label,
                entries=tuple(self._labels[label]),
                classes=self.lexicon.lookup(label),
                corrected=True,
            )
        top = tuple(e for e, score in known if score == known[0][1])
        return Mention(first=first, last=last, words=top[0].label, classes=top, corrected=True)

    def nearest(self, phrase: str, kinds: Sequence[str], limit: int = 3) -> tuple[CatalogueEntry, ...]:
        """The closest things of these kinds that the chart does have, by shared words."""
        pool = {e.concept.label: e for e in self.catalogue.entries if e.kind in kinds and e.count}
        scored = process.extract(phrase, pool.keys(), scorer=fuzz.token_set_ratio, limit=limit, score_cutoff=75)
        return tuple(pool[name] for name, _, _ in scored)


_SYSTEMS = {
    "http://hl7.org/fhir/sid/cvx": ("cvx",),
    "http://loinc.org": ("loinc",),
    "http://snomed.info/sct": ("snomed", "snomed ct", "sct"),
    "http://www.nlm.nih.gov/research/umls/rxnorm": ("rxnorm", "rxcui"),
    "http://hl7.org/fhir/sid/icd-10-cm": ("icd 10", "icd10"),
    "http://hl7.org/fhir/sid/icd-10": ("icd 10", "icd10"),
}
"""What a code system is called before a code that is typed ("CVX 216")."""


def _names(entry: CatalogueEntry) -> tuple[str, ...]:
    """The normalised names under which a chart concept is written: labels, displays, codes, codes with their system."""
    codings = entry.concept.codings
    texts = [*entry.labels, entry.concept.label, *(c.display or "" for c in codings)]
    texts += [c.code for c in codings if len(c.code) > 3]
    texts += [f"{name} {c.code}" for c in codings for name in _SYSTEMS.get(c.system or "", ())]
    return tuple(dict.fromkeys(n for t in texts for n in names_of(t)))


@lru_cache(maxsize=20_000)
def names_of(label: str) -> tuple[str, ...]:
    """A label as a question writes it: its normalised words, with and without a bracketed tail."""
    both = (label, re.sub(r"\s*\([^()]*\)$", "", label))
    return tuple(dict.fromkeys(n for t in both if (n := " ".join(w.text for w in words_of(t)))))


_ARTICLES = frozenset(("the", "a", "an"))


def _bare(words: Sequence[Word]) -> str:
    """The words as a label has them: "laceration of the face" is "laceration of face"."""
    return " ".join(w.text for w in words if w.text not in _ARTICLES or _is_token(words))


_ADJECTIVES = {
    "brain": "cerebral", "cervix": "cervical", "colon": "colonic",
    "esophagus": "esophageal", "heart": "cardiac", "kidney": "renal", "larynx": "laryngeal", "liver": "hepatic",
    "lung": "pulmonary", "lungs": "lung", "mouth": "oral", "oesophagus": "esophageal", "ovaries": "ovarian",
    "ovary": "ovarian", "pancreas": "pancreatic", "rectum": "rectal", "stomach": "gastric", "testis": "testicular",
    "uterus": "uterine",
}  # fmt: skip
"""How an organ is written before a noun, where that differs."""


def turned(phrase: str) -> tuple[str, ...]:
    """ "cancer of ovary" the other way round: "ovary cancer", "ovarian cancer"; other names for a malignant growth."""
    head, of, tail = phrase.partition(" of ")
    if not of:
        site, _, growth = phrase.rpartition(" ")
        same = site and growth in ("carcinoma", "ca", "malignancy")
        return tuple(f"{s} cancer" for s in (site, _ADJECTIVES.get(site, site))) if same else ()
    heads = (
        ("cancer", head)
        if head in ("malignant neoplasm", "carcinoma", "malignancy", "malignant tumor", "tumor", "ca")
        else (head,)
    )
    return tuple(f"{t} {h}" for h in heads for t in dict.fromkeys((tail, _ADJECTIVES.get(tail, tail))))


def _is_token(words: Sequence[Word]) -> bool:
    """Whether several words were typed as one: the "a" of "a-fib" is no article."""
    return len(words) > 1 and words[0].start == words[-1].start


def _can_name(words: Sequence[str], stop: frozenset[str]) -> bool:
    """Whether words can be a name: not a single word of asking, and no small word at either end."""
    if len(words) == 1:
        return words[0] not in stop
    return words[0] not in _EDGES and words[-1] not in _EDGES


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
