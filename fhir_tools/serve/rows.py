"""What a server tells and a source does not: whole types and whole charts, read from the store's tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from fhir_tools.local import LocalStore

__all__ = ["chart_keys", "newest", "of_keys", "of_type", "stored_types"]

_CHUNK = 500


def stored_types(store: LocalStore) -> list[str]:
    """The resource types of which the store holds any, in the order of the alphabet."""
    found, last = [], ""
    # One look-up in the index of (type, id) for each type there is, not a scan of the table.
    while row := store.connection.execute("SELECT min(type) FROM resource WHERE type > ?", (last,)).fetchone():
        if row[0] is None:
            break
        last = row[0]
        if store.connection.execute(
            "SELECT 1 FROM resource WHERE type = ? AND deleted = 0 LIMIT 1", (last,)
        ).fetchone():
            found.append(last)
    return found


def newest(store: LocalStore) -> int:
    """The highest key so far: what is stored later has a higher one."""
    return int(store.connection.execute("SELECT ifnull(max(key), 0) FROM resource").fetchone()[0])


def of_type(store: LocalStore, type_: str, after: str, limit: int) -> list[dict[str, Any]]:
    """The next resources of a type in the order of their ids, from the one after the id given."""
    sql = """SELECT body, version, updated FROM resource
        WHERE type = ? AND id > ? AND deleted = 0 ORDER BY id LIMIT ?"""
    return [_parsed(*row) for row in store.connection.execute(sql, (type_, after, limit))]


def chart_keys(store: LocalStore, patient: str, newest_key: int | None = None) -> list[int]:
    """Keys of the patient and of all that a search by `patient` finds for this one, oldest key first."""
    # The first patient that a resource names is a column of its rows; any further one is a term.
    sql = """SELECT p.key FROM posting p JOIN patient n ON n.number = p.patient
        WHERE n.id = :id AND p.key <= ifnull(:newest, p.key) AND p.term IN (
            SELECT number FROM term WHERE code = '' AND system = '' AND param NOT LIKE '%.%')
        UNION SELECT p.key FROM posting p JOIN term t ON t.number = p.term
        WHERE t.code = 'Patient/' || :id AND t.param IN (SELECT value || '.patient' FROM json_each(:types))
            AND p.key <= ifnull(:newest, p.key)
        ORDER BY 1"""
    types = orjson.dumps(stored_types(store)).decode()
    return [row[0] for row in store.connection.execute(sql, {"id": patient, "newest": newest_key, "types": types})]


def of_keys(store: LocalStore, keys: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The resources of keys, in their order."""
    sql = """SELECT key, body, version, updated FROM resource
        WHERE deleted = 0 AND key IN (SELECT value FROM json_each(?))"""
    for start in range(0, len(keys), _CHUNK):
        part = list(keys[start : start + _CHUNK])
        rows = store.connection.execute(sql, (orjson.dumps(part).decode(),)).fetchall()
        found = {row[0]: row[1:] for row in rows}
        yield from (_parsed(*found[key]) for key in part if key in found)


def _parsed(body: bytes, version: str, updated: str) -> dict[str, Any]:
    resource: dict[str, Any] = orjson.loads(body)
    meta = resource.get("meta")
    resource["meta"] = {**(meta if isinstance(meta, dict) else {}), "versionId": version, "lastUpdated": updated}
    return resource
