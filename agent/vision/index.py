"""The vectors of a chart's images on disk: updated as images come, change and go, never embedded anew for that.

SQLite holds every vector with what it is of; a usearch file beside it (HNSW, Malkov and Yashunin 2018) finds near ones
among many. Keys are never used twice, so that the two are brought together by comparing keys, whatever was cut off.
Vectors tell something of the pictures that they are of: the files are their owner's alone to read.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from agent.errors import MissingExtra, OperatorError, UserError
from agent.vision.medsiglip.model import EXTRA, EncoderCard
from fhir_tools.journal import make_file

if TYPE_CHECKING:
    from usearch.index import Index as Graph

__all__ = ["Hit", "Index", "Row"]

Vectors: TypeAlias = NDArray[np.float32]

_SCHEMA = """
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS model (name TEXT NOT NULL, revision TEXT NOT NULL, width INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pictures (
    key INTEGER PRIMARY KEY AUTOINCREMENT, patient TEXT NOT NULL, image TEXT NOT NULL, stamp TEXT NOT NULL,
    place TEXT NOT NULL, caption TEXT NOT NULL, taken TEXT NOT NULL, vector BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_image ON pictures (patient, image);
"""
_STORED = np.dtype("<f2")
"""Half precision keeps three digits of a cosine, which is more than two pictures are alike by."""
_EXACT = 2000
"""So many vectors are compared one by one: faster than a graph, and it overlooks none."""
_GAPS = 0.25
"""The share of removed keys from which the graph is made anew from the stored vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A picture to keep. `image` names it in its patient's chart, `stamp` the state of that which it was made from.

    `place` is which frame it is, `caption` what it is in words of code, `taken` the day, as far as known.
    """

    place: str
    caption: str
    taken: str
    vector: Vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A picture that is like the one asked about; `score` is the cosine, 1 for the same."""

    patient: str
    image: str
    place: str
    caption: str
    taken: str
    score: float


class Index:
    """An index in the folder `path`, of one model's vectors. A context manager: leaving it writes the graph.

    Raises UserError where the folder holds vectors of another model or revision, since they cannot be compared;
    OperatorError where it cannot be read or written; MissingExtra without usearch.
    """

    def __init__(self, path: Path, card: EncoderCard) -> None:
        try:
            from usearch.index import Index as Graph
        except ModuleNotFoundError as error:
            raise MissingExtra("An index of images", EXTRA) from error
        self._path, self._width, self._made = path, card.width, Graph
        self._changed = False
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._store = _opened(path / "vectors.sqlite")
        except (OSError, sqlite3.Error) as error:
            raise OperatorError(f"the image index {str(path)!r} cannot be opened: {error}") from error
        try:
            self._check(card)
            self._graph = self._synced(self._loaded())
        except BaseException:
            self._store.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write the graph where it changed, and let go of the files."""
        try:
            if self._changed:
                self._save()
        finally:
            self._store.close()

    def __len__(self) -> int:
        """How many pictures it holds."""
        return int(self._rows("SELECT count(*) FROM pictures")[0][0])

    def stamps(self, patient: str) -> Mapping[str, str]:
        """The images of a patient that it holds, with the state each was in."""
        return dict(self._rows("SELECT DISTINCT image, stamp FROM pictures WHERE patient = ?", (patient,)))

    def put(self, patient: str, image: str, stamp: str, rows: Sequence[Row]) -> None:
        """Keep the pictures of an image in place of those that were there. Raises OperatorError, ValueError."""
        for row in rows:
            if row.vector.shape != (self._width,):
                raise ValueError(f"a vector of shape {row.vector.shape}, not ({self._width},)")
        try:
            with self._store:
                gone = self._take(patient, (image,))
                keys = [self._insert(patient, image, stamp, row) for row in rows]
        except sqlite3.Error as error:
            raise self._fault(error) from error
        self._forget(gone)
        if keys:
            self._graph.add(np.array(keys, dtype=np.uint64), np.stack([_stored(row.vector) for row in rows]))
            self._changed = True

    def drop(self, patient: str, images: Collection[str]) -> None:
        """Forget the pictures of images that are no longer there. Raises OperatorError."""
        try:
            with self._store:
                gone = self._take(patient, images)
        except sqlite3.Error as error:
            raise self._fault(error) from error
        self._forget(gone)

    def of(self, patient: str, image: str) -> Vectors:
        """The vectors of an image, shape (n, width); none where it is not in the index."""
        found = self._rows("SELECT vector FROM pictures WHERE patient = ? AND image = ? ORDER BY key", (patient, image))
        return _unpacked((blob for (blob,) in found), self._width)

    def nearest(self, vectors: Vectors, count: int, *, patients: Collection[str] | None = None) -> tuple[Hit, ...]:
        """The pictures that are most like any of the vectors, best first; of these patients only, where named.

        Up to `_EXACT` candidates are compared one by one; more go through the graph, which may overlook some.
        """
        scores: dict[int, float] = {}
        for key, score in self._scored(vectors, count, patients):
            scores[key] = max(score, scores.get(key, -1.0))
        best = sorted(scores, key=lambda key: (-scores[key], key))[:count]
        return tuple(hit for key in best if (hit := self._hit(key, scores[key])))

    def _scored(self, vectors: Vectors, count: int, patients: Collection[str] | None) -> Iterator[tuple[int, float]]:
        if not len(vectors) or count < 1:
            return
        if patients is not None or len(self) <= _EXACT:
            keys, held = self._held(patients)
            for key, score in zip(keys, (held @ vectors.T).max(axis=1) if keys else (), strict=True):
                yield key, float(score)
            return
        found = self._graph.search(vectors.astype(_STORED), count)
        for key, distance in zip(np.ravel(found.keys), np.ravel(found.distances), strict=True):
            yield int(key), 1.0 - float(distance)

    def _held(self, patients: Collection[str] | None) -> tuple[list[int], Vectors]:
        if patients is None:
            rows = self._rows("SELECT key, vector FROM pictures ORDER BY key")
        else:
            rows = [
                row
                for patient in dict.fromkeys(patients)
                for row in self._rows("SELECT key, vector FROM pictures WHERE patient = ?", (patient,))
            ]
        return [key for key, _ in rows], _unpacked((blob for _, blob in rows), self._width)

    def _hit(self, key: int, score: float) -> Hit | None:
        """The picture of a key; None where another process has removed it since the graph was loaded."""
        rows = self._rows("SELECT patient, image, place, caption, taken FROM pictures WHERE key = ?", (key,))
        if not rows:
            return None
        patient, image, place, caption, taken = rows[0]
        return Hit(patient=patient, image=image, place=place, caption=caption, taken=taken, score=round(score, 4))

    # What is kept.

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        try:
            return self._store.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise OperatorError(
                f"the image index {str(self._path)!r} cannot be read ({error}): try again, or remove the folder to "
                "embed anew"
            ) from error

    def _check(self, card: EncoderCard) -> None:
        found = self._store.execute("SELECT name, revision, width FROM model").fetchone()
        if found is None:
            with self._store:
                self._store.execute("INSERT INTO model VALUES (?, ?, ?)", (card.name, card.revision, card.width))
        elif tuple(found[1:]) != (card.revision, card.width):
            raise UserError(
                f"the image index {str(self._path)!r} was made by {found[0]} {found[1]}, and this is {card.name} "
                f"{card.revision}: their vectors cannot be compared. Name another folder (CHARTLINE_IMAGE_INDEX), "
                "pin the revision (CHARTLINE_IMAGE_ENCODER_REVISION), or remove the folder to embed anew"
            )

    def _insert(self, patient: str, image: str, stamp: str, row: Row) -> int:
        values = (patient, image, stamp, row.place, row.caption, row.taken, _stored(row.vector).tobytes())
        cursor = self._store.execute(
            "INSERT INTO pictures (patient, image, stamp, place, caption, taken, vector) VALUES (?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        assert cursor.lastrowid is not None  # noqa: S101  an INSERT gives one
        return cursor.lastrowid

    def _take(self, patient: str, images: Iterable[str]) -> list[int]:
        """Delete the pictures of images; their keys."""
        gone: list[int] = []
        for image in images:
            where = (patient, image)
            found = self._store.execute("SELECT key FROM pictures WHERE patient = ? AND image = ?", where)
            gone += [key for (key,) in found.fetchall()]
            self._store.execute("DELETE FROM pictures WHERE patient = ? AND image = ?", where)
        return gone

    # The graph.

    def _forget(self, keys: Sequence[int]) -> None:
        if keys:
            self._graph.remove(np.array(keys, dtype=np.uint64))
            self._changed = True

    def _empty(self) -> Graph:
        return self._made(ndim=self._width, metric="cos", dtype="f16")

    def _loaded(self) -> Graph:
        """The graph of the file, or an empty one where the file is missing, broken or of another shape."""
        graph, file = self._empty(), self._path / "graph.usearch"
        if not file.is_file():
            return graph
        try:
            graph.load(str(file))
        except Exception:  # noqa: BLE001  whatever is wrong with it, the vectors are in the store
            return self._empty()
        return graph if graph.ndim == self._width else self._empty()

    def _synced(self, graph: Graph) -> Graph:
        """The graph with just the keys of the store; made anew where many of its places are empty."""
        wanted = {key for (key,) in self._store.execute("SELECT key FROM pictures")}
        have = {int(key) for key in graph.keys} if len(graph) else set()
        extra = have - wanted
        if len(extra) > _GAPS * max(len(have), 1) or _gaps(graph) > _GAPS:
            graph, have, extra = self._empty(), set(), set()
        missing = sorted(wanted - have)
        self._changed = bool(missing or extra)
        if extra:
            graph.remove(np.array(sorted(extra), dtype=np.uint64))
        for start in range(0, len(missing), 10_000):
            part = missing[start : start + 10_000]
            graph.add(np.array(part, dtype=np.uint64), self._vectors_of(part))
        return graph

    def _vectors_of(self, keys: Sequence[int]) -> NDArray[np.float16]:
        low, high, wanted = keys[0], keys[-1], set(keys)
        rows = self._store.execute(
            "SELECT key, vector FROM pictures WHERE key BETWEEN ? AND ? ORDER BY key", (low, high)
        )
        found = b"".join(blob for key, blob in rows if key in wanted)
        return np.frombuffer(found, dtype=_STORED).reshape(-1, self._width)

    def _save(self) -> None:
        """The graph, written whole and put in place at once."""
        target, part = self._path / "graph.usearch", self._path / f"graph.{os.getpid()}.part"
        try:
            self._graph.save(str(part))
            part.chmod(0o600)
            part.replace(target)
        except (OSError, RuntimeError) as error:
            part.unlink(missing_ok=True)
            raise OperatorError(f"the image index {str(self._path)!r} cannot be written: {error}") from error
        self._changed = False

    def _fault(self, error: sqlite3.Error) -> OperatorError:
        return OperatorError(f"the image index {str(self._path)!r} cannot be changed: {error}")


def _opened(path: Path) -> sqlite3.Connection:
    make_file(path)
    store = sqlite3.connect(path, timeout=30)
    try:
        with closing(store.cursor()) as cursor:
            cursor.executescript(_SCHEMA)
    except sqlite3.Error:
        store.close()
        raise
    return store


def _gaps(graph: Any) -> float:
    """The share of the graph's places whose keys were removed: they still cost time and memory."""
    nodes = int(graph.capacity and graph.stats.nodes)
    return 1 - len(graph) / nodes if nodes else 0.0


def _stored(vector: Vectors) -> NDArray[np.float16]:
    return vector.astype(_STORED)


def _unpacked(blobs: Iterable[bytes], width: int) -> Vectors:
    return np.frombuffer(b"".join(blobs), dtype=_STORED).reshape(-1, width).astype(np.float32)
