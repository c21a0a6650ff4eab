"""The shipped tables as entries: one reader per file, nothing kept."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from fhir_tools.lexicon.entry import CVX, DICOM, ICD10, LOINC, RXNORM, V3_ACT, V3_ROLE, Entry, normalise

__all__ = ["read_entries", "read_icd10"]

_HERE = Path(__file__).parent
_RANGE = re.compile(r"([A-Z]\d\d)(?:\.(\d))?-([A-Z]\d\d)(?:\.(\d))?$")
_CODED = {
    "labs": ("lab", LOINC, "loinc", "group"),
    "drugs": ("drug", RXNORM, "rxcui", "classes"),
    "drug_classes": ("drug_class", "", "", "parents"),
    "conditions": ("condition", ICD10, "icd10", "broader"),
    "vaccines": ("vaccine", CVX, "cvx", "parents"),
    "allergens": ("allergen", "", "", "parent"),
    "procedures": ("procedure", "", "", "broader"),
    "documents": ("document", LOINC, "loinc", ""),
    "encounters": ("encounter", V3_ACT, "actcode", "parents"),
    "family": ("relationship", V3_ROLE, "rolecode", "parents"),
}
_ATTRIBUTES = ("unit", "molar_mass", "category", "targets")


def read_entries() -> Iterator[Entry]:
    """Every entry of every table but ICD-10-CM."""
    for name, (kind, system, code_column, parent_column) in _CODED.items():
        for row in _rows(name):
            yield _entry(row, kind, system, code_column, parent_column)
    for row in _rows("imaging"):
        code = ((DICOM, row["id"]),) if row["kind"] == "modality" else ()
        yield Entry(id=row["id"], kind=row["kind"], label=row["label"], terms=_terms(row), codes=code)
    for row in _rows("drug_combinations"):
        names = tuple(dict.fromkeys(normalise(name) for name in row["names"].split("|")))
        yield Entry(
            id=names[0],
            kind="drug",
            label=row["names"].partition("|")[0],
            terms=names,
            attributes={"ingredients": row["ingredients"]},
        )


def read_icd10() -> tuple[Entry, ...]:
    """The ICD-10-CM categories; about 40 ms, so read only when asked for."""
    with gzip.open(_HERE / "icd10cm.tsv.gz", "rt", encoding="utf-8") as lines:
        next(lines)
        pairs = [line.rstrip("\n").split("\t") for line in lines]
    return tuple(
        Entry(id=code, kind="icd10", label=title, terms=(normalise(title),), codes=((ICD10, code),))
        for code, title in pairs
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    head, *lines = (_HERE / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    columns = head.split("\t")
    for line in lines:
        yield dict(zip(columns, line.split("\t"), strict=True))


def _entry(row: dict[str, str], kind: str, system: str, code_column: str, parent_column: str) -> Entry:
    codes = _list(row[code_column]) if code_column else []
    if system == ICD10:
        codes = [code for written in codes for code in _expand(written)]
    attributes = {key: row[key] for key in _ATTRIBUTES if row.get(key)}
    if kind == "allergen":
        attributes["group"] = row["group"]
    return Entry(
        id=row["id"],
        kind=kind,
        label=row["label"],
        terms=_ways_to_say(_terms(row)) if kind == "vaccine" else _terms(row),
        codes=tuple((system, code) for code in codes),
        parents=tuple(_list(row[parent_column])) if parent_column else (),
        attributes=attributes,
    )


_GIVEN = ("vaccine", "vaccination", "immunization", "immunisation", "shot", "jab")


def _ways_to_say(terms: tuple[str, ...]) -> tuple[str, ...]:
    """A vaccine's terms with each word for being vaccinated: "flu jab", "flu vaccination"."""
    named = (t.removesuffix(f" {word}") for t in terms for word in _GIVEN if t.endswith(f" {word}"))
    return tuple(dict.fromkeys((*terms, *(f"{name} {word}" for name in named for word in _GIVEN))))


def _terms(row: dict[str, str]) -> tuple[str, ...]:
    names = [row["label"], *_list(row["synonyms"]), *_list(row.get("brands", ""))]
    return tuple(dict.fromkeys(term for term in map(normalise, names) if term))


def _list(cell: str) -> list[str]:
    return cell.split("|") if cell else []


def _expand(written: str) -> list[str]:
    """`I00-I52` as its categories and `E11.2-E11.6` as its subcategories; a single code as itself."""
    found = _RANGE.match(written)
    if not found:
        return [written]
    low, low_sub, high, high_sub = found.groups()
    if low_sub is None or high_sub is None:
        return [f"{chr(65 + at // 100)}{at % 100:02d}" for at in range(_ordinal(low), _ordinal(high) + 1)]
    return [f"{low}.{digit}" for digit in range(int(low_sub), int(high_sub) + 1)]


def _ordinal(category: str) -> int:
    return (ord(category[0]) - 65) * 100 + int(category[1:])
