"""The tables of the store's file, and opening it with an error that says the remedy."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from fhir_tools.errors import UserError
from fhir_tools.journal import write_ahead

__all__ = ["EMPTY_INDEX", "SCHEMA_VERSION", "connect", "remedy"]

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x43484C4E  # "CHLN"; SQLite keeps it in the file's header

# `posting` and `moment` are what searches read, `concept_entry` what the catalogue reads. They hold small
# integers only and are their own covering indexes (WITHOUT ROWID), so that a chart of 50,000 resources is a
# range scan of a few hundred pages. `patient` 0 stands for resources of no patient.
_TABLES = """
CREATE TABLE resource (
    key INTEGER PRIMARY KEY, type TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL,
    updated TEXT NOT NULL, load INTEGER NOT NULL, patient INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL, UNIQUE (type, id));
CREATE TABLE history (
    type TEXT NOT NULL, id TEXT NOT NULL, version TEXT NOT NULL, updated TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL, PRIMARY KEY (type, id, version));
CREATE TABLE patient (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE);
CREATE TABLE term (
    number INTEGER PRIMARY KEY, param TEXT NOT NULL, code TEXT NOT NULL, system TEXT NOT NULL,
    UNIQUE (param, code, system));
CREATE TABLE posting (
    term INTEGER, patient INTEGER, key INTEGER, PRIMARY KEY (term, patient, key)) WITHOUT ROWID;
CREATE TABLE moment (
    term INTEGER, patient INTEGER, low INTEGER, high INTEGER, key INTEGER,
    PRIMARY KEY (term, patient, low, high, key)) WITHOUT ROWID;
CREATE TABLE concept (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, label TEXT NOT NULL, codings TEXT NOT NULL,
    UNIQUE (kind, key, label, codings));
CREATE TABLE concept_entry (
    patient INTEGER, concept INTEGER, standing TEXT, low TEXT, date TEXT, type TEXT, key INTEGER, part INTEGER,
    PRIMARY KEY (patient, key, part)) WITHOUT ROWID;
CREATE INDEX concept_chart ON concept_entry (patient, concept, standing, type, low, date);
CREATE TABLE follow (target TEXT, key INTEGER, PRIMARY KEY (target, key)) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

_INDEX = ("posting", "moment", "term", "concept_entry", "concept", "follow", "patient")
EMPTY_INDEX = tuple(f"DELETE FROM {table}" for table in _INDEX)  # noqa: S608 (names above)
"""Statements that empty all that can be made anew from the resources."""


def connect(path: str) -> sqlite3.Connection:
    """Open or make a store file (`:memory:` for none). Raises UserError for what is no chartline store."""
    try:
        return _connect(path)
    except sqlite3.OperationalError as fault:
        raise UserError(remedy(path, fault)) from fault
    except sqlite3.DatabaseError as fault:
        raise UserError(
            f"{path!r} is not a chartline store; name another file, or load charts into a new one"
        ) from fault


def _connect(path: str) -> sqlite3.Connection:
    if path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    # One connection serves every task of the event loop and the executor threads of its callers. That is
    # safe: sqlite3 is built serialized (threadsafety 3), and each statement is a short synchronous call.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        _prepare(db, path)
    except BaseException:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, path: str) -> None:
    empty = _empty(db)  # asked first: who makes the tables writes the two marks in the same transaction
    application, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if not empty and application != _APPLICATION_ID:
        raise sqlite3.DatabaseError("another application's database")
    if not empty and version > SCHEMA_VERSION:
        raise UserError(
            f"{path!r} was made by a newer chartline (store version {version}); upgrade chartline to read it"
        )
    if empty:
        _create(db)
    for pragma in (
        "synchronous=NORMAL",
        "cache_size=-65536",
        "temp_store=FILE",
        "wal_autocheckpoint=4000",
    ):
        db.execute(f"PRAGMA {pragma}")


def _empty(db: sqlite3.Connection) -> bool:
    return not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]


def _create(db: sqlite3.Connection) -> None:
    """Make the tables, unless another process has made them meanwhile."""
    db.execute("PRAGMA page_size=8192")
    write_ahead(db)
    db.execute("BEGIN IMMEDIATE")
    try:
        if _empty(db):
            for statement in filter(str.strip, _TABLES.split(";")):
                db.execute(statement)
            db.execute(f"PRAGMA application_id={_APPLICATION_ID}")
            db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def remedy(path: str, fault: sqlite3.OperationalError) -> str:
    code = getattr(fault, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"{path!r} is in use by another program; wait for it to finish, or name another store"
    if code == sqlite3.SQLITE_READONLY:
        return f"{path!r} cannot be written; make the file and its folder writable, or copy it elsewhere"
    return f"{path!r} cannot be opened as a store: {fault}; check that the folder exists and is writable"
