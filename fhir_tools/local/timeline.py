"""The timeline of one chart from the concept index; only what may last has its resource parsed for its end."""

from __future__ import annotations

import sqlite3
from typing import Any

import orjson

from fhir_tools.facts import facts_of
from fhir_tools.timeline import LASTING, until

__all__ = ["timeline"]


def timeline(db: sqlite3.Connection, patient: int) -> dict[str, Any]:
    """What `$chartline-timeline` answers (see `fhir_tools.source`) for the patient of a number in the store."""
    ends = _ends(db, patient)
    concepts: dict[int, int] = {}
    rows = []
    # Parts of an Observation (a blood pressure's two numbers) are not facts of their own on a timeline.
    sql = """
        SELECT e.concept, e.type || '/' || r.id, e.standing, e.low, e.date, e.key, e.part FROM concept_entry e
        JOIN resource r ON r.key = e.key WHERE e.patient = ? AND NOT (e.type = 'Observation' AND e.part > 0)"""
    for concept, reference, standing, low, text, key, part in db.execute(sql, (patient,)):
        at = concepts.setdefault(concept, len(concepts))
        rows.append((at, reference, standing, low, text, ends.get((key, part))))
    return {"concepts": _names(db, concepts), "rows": rows}


def _ends(db: sqlite3.Connection, patient: int) -> dict[tuple[int, int], str]:
    """The ends of what lasts, by key and part."""
    found: dict[tuple[int, int], str] = {}
    marks = ",".join("?" * len(LASTING))
    keys = "SELECT DISTINCT key FROM concept_entry WHERE patient = ?"
    sql = f"SELECT key, body FROM resource WHERE key IN ({keys}) AND deleted = 0 AND type IN ({marks})"  # noqa: S608
    for key, body in db.execute(sql, (patient, *LASTING)):
        for part, fact in enumerate(facts_of(orjson.loads(body))):
            end = until(fact)
            if end is not None:
                found[key, part] = end
    return found


def _names(db: sqlite3.Connection, concepts: dict[int, int]) -> list[tuple[str, str]]:
    numbers = orjson.dumps(list(concepts)).decode()
    sql = "SELECT number, kind, label FROM concept WHERE number IN (SELECT value FROM json_each(?))"
    named = {number: (kind, label) for number, kind, label in db.execute(sql, (numbers,))}
    return [named[number] for number in concepts]
