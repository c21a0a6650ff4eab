"""References of one load: made literal where the files and the store allow it, and checked at the end.

What a resource points to may come later in the file. Such a resource waits in a temporary table until the
file's end, so that each is parsed, stored and indexed once and memory stays bounded (R4 2.36.4 for
resolution in Bundles, 3.1.0.11.3 for conditional references in transactions).
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping

from fhir_tools.errors import QueryError
from fhir_tools.load.report import Notes
from fhir_tools.local import LocalStore
from fhir_tools.search.query import parse

__all__ = ["Links", "base_of"]

_LINK = re.compile(rb'"reference":"([^"\\]+)"|"url":"(urn:uuid:[^"\\]+)"')
_ABSOLUTE = re.compile(r"(.+)/([A-Z][A-Za-z]+/[A-Za-z0-9\-._]+)(/_history/[^/]+)?")
_CACHE = 20_000
_TABLES = """
CREATE TEMP TABLE IF NOT EXISTS load_full_url (url TEXT PRIMARY KEY, target TEXT NOT NULL) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS load_waiting (number INTEGER PRIMARY KEY, place TEXT NOT NULL, body BLOB NOT NULL);
CREATE TEMP TABLE IF NOT EXISTS load_target (
    file INTEGER, target TEXT, count INTEGER, PRIMARY KEY (file, target)) WITHOUT ROWID;
CREATE TEMP TABLE IF NOT EXISTS load_conditional (
    file INTEGER, type TEXT, id TEXT, PRIMARY KEY (file, type, id)) WITHOUT ROWID;
"""


def base_of(full_url: str, target: str) -> str | None:
    """The server's base of a fullUrl that ends in `Type/id`, or None for urn: and others."""
    return full_url[: -len(target) - 1] if full_url.endswith(f"/{target}") else None


class Links:
    """Tables and caches of one load; temporary, on the store's connection, so they roll back with a file."""

    def __init__(self, store: LocalStore) -> None:
        self._store = store
        self._db: sqlite3.Connection = store.connection
        self._db.executescript(_TABLES)
        self._db.execute("DELETE FROM load_target")
        self._db.execute("DELETE FROM load_conditional")
        self.start(0)

    def start(self, file: int) -> None:
        """Begin a file: fullUrls hold within one file only."""
        self._db.execute("DELETE FROM load_full_url")
        self._db.execute("DELETE FROM load_waiting")
        self._file = file
        self._full: dict[str, str] = {}
        self._bases: set[str] = set()
        self._found: dict[str, str] = {}
        self._missing: set[str] = set()
        self._targets: Counter[str] = Counter()

    def name(self, full_url: str, target: str) -> None:
        """Learn that a fullUrl of the file stands for `Type/id`."""
        base = base_of(full_url, target)
        if base is not None and not full_url.startswith("urn:"):
            if len(self._bases) < _CACHE:
                self._bases.add(base)
            return
        if len(self._full) >= _CACHE:
            self._spill()
        self._full[full_url] = target

    def _spill(self) -> None:
        self._db.executemany("INSERT OR REPLACE INTO load_full_url VALUES (?, ?)", self._full.items())
        self._full.clear()

    def resolve(self, body: bytes, *, last: bool) -> tuple[bytes, bool, list[str]]:
        """The body with literal references, whether all that could be resolved was, and all its references.

        `last` says that the whole file has been seen, so a reference that is not found is not there.
        """
        links = dict.fromkeys([(a or b).decode() for a, b in _LINK.findall(body)])
        changed: dict[str, str] = {}
        complete = True
        for text in links:
            target = self._full.get(text)
            if target is None and (text.startswith(("urn:", "http:", "https:")) or "?" in text):
                target = self._literal(text, last=last)
                complete = complete and target is not None
            if target is not None and target != text:
                changed[text] = target
        if changed:
            swap = {k.encode(): v.encode() for k, v in changed.items()}
            body = _LINK.sub(lambda m: _swapped(m, swap), body)
            return body, complete, [changed.get(text, text) for text in links]
        return body, complete, list(links)

    def _literal(self, text: str, *, last: bool) -> str | None:
        """`Type/id` of a reference; the text itself where it is another server's; None where not found (yet)."""
        target = self._named(text)
        if target is not None:
            return target
        if "?" in text and not text.startswith(("http", "urn:")):
            return self._conditional(text, last=last)
        found = _ABSOLUTE.fullmatch(text)
        if found and found[1] in self._bases:
            return found[2] + (found[3] or "")
        return None if text.startswith("urn:") else text

    def _named(self, text: str) -> str | None:
        target = self._full.get(text)
        if target is None and text.startswith(("urn:", "http")):
            row = self._db.execute("SELECT target FROM load_full_url WHERE url = ?", (text,)).fetchone()
            target = row[0] if row else None
        return target

    def _conditional(self, text: str, *, last: bool) -> str | None:
        if text in self._found:
            return self._found[text]
        if text in self._missing and not last:
            return None
        found = self.matches(text)
        if len(found) != 1:
            self._missing.add(text)
            return None
        if len(self._found) >= _CACHE:
            self._found.clear()
        self._found[text] = found[0]
        return found[0]

    def matches(self, text: str) -> list[str]:
        """What the store has for a conditional reference; none for a search that it cannot run."""
        try:
            return self._store.matching(parse(text))
        except QueryError:
            return []

    # Resources that wait for the end of the file.

    def wait(self, place: str, body: bytes) -> None:
        self._db.execute("INSERT INTO load_waiting (place, body) VALUES (?, ?)", (place, body))

    def waiting(self) -> Iterator[tuple[str, bytes]]:
        """Place and body of what waited, in file order; it no longer waits."""
        self._missing.clear()
        last = 0
        sql = "SELECT number, place, body FROM load_waiting WHERE number > ? ORDER BY number LIMIT 1"
        while row := self._db.execute(sql, (last,)).fetchone():
            last, place, body = row
            yield place, body

    # What is pointed to, for the checks at the end of the load.

    def count(self, references: list[str]) -> None:
        self._targets.update(references)
        if len(self._targets) >= _CACHE:
            self.finish()

    def finish(self) -> None:
        """Write the file's targets down."""
        sql = """INSERT INTO load_target VALUES (?, ?, ?)
            ON CONFLICT (file, target) DO UPDATE SET count = count + excluded.count"""
        self._db.executemany(sql, [(self._file, t.partition("/_history/")[0], n) for t, n in self._targets.items()])
        self._targets.clear()

    def retry_later(self, type_: str, id_: str) -> None:
        """Note a resource whose conditional reference may be met by a file that is still to come."""
        self._db.execute("INSERT OR IGNORE INTO load_conditional VALUES (?, ?, ?)", (self._file, type_, id_))

    def retries(self) -> Iterator[tuple[int, str, str]]:
        """File, type and id of resources with conditional references that no file had met when they came."""
        yield from self._db.execute("SELECT file, type, id FROM load_conditional").fetchall()

    def dangling(self, notes: Mapping[int, Notes]) -> None:
        """Warn of references to what neither the files nor the store hold."""
        sql = """
            SELECT t.file, t.target, t.count FROM load_target t LEFT JOIN resource r
            ON r.type = substr(t.target, 1, instr(t.target, '/') - 1)
                AND r.id = substr(t.target, instr(t.target, '/') + 1) AND r.deleted = 0
            WHERE r.key IS NULL ORDER BY t.file, t.target"""
        for file, target, count in self._db.execute(sql):
            notes[file].add(_absent(target), target, count)


def _swapped(match: re.Match[bytes], swap: Mapping[bytes, bytes]) -> bytes:
    old = match[1] or match[2]
    return match[0].replace(old, swap[old], 1) if old in swap else match[0]


def _absent(target: str) -> str:
    if target.startswith("Patient/"):
        return "refers to a patient that is not in the store; load the Patient resource too"
    if target.startswith(("http:", "https:")):
        return "refers to another server; load that resource too if it is needed"
    if target.startswith("urn:") or "?" in target:
        return "refers to an entry that no file holds; load the file that holds it"
    return f"refers to {target.partition('/')[0]} resources that are not in the store; load them too if they are needed"
