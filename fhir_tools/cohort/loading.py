"""Files of FHIR → a cohort's folder: all or nothing, resumable by file, with a manifest of what went in."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from fhir_tools.cohort.tables import MANIFEST, TABLES, build_facts, needed, schema_of
from fhir_tools.cohort.views import View, shipped, view_of
from fhir_tools.errors import LoadError, UserError
from fhir_tools.load.reader import entries, find_files

__all__ = ["Loaded", "load_cohort"]

_BATCH = 20_000
"""Rows of a view that are held before they are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a load made: resources read by type, rows by view; `reused` files were done by an interrupted run before.

    `nobody` rows name no patient by a literal reference: they are in the views, and no question finds them.
    """

    folder: Path
    resources: dict[str, int]
    rows: dict[str, int]
    files: int
    reused: int
    nobody: int = 0


def load_cohort(
    paths: Iterable[Path],
    folder: Path,
    *,
    views: Sequence[View] = (),
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Loaded:
    """Make the cohort of a folder anew from files. `views` are further views, beside those that ship.

    A load that fails, or is stopped, leaves the cohort as it was; run again, files that were done are not read again
    where their bytes are the same. `progress` is told files done and files in all. Raises UserError, LoadError.
    """
    needed("loading a cohort")
    files = [f for path in paths for f in find_files(path)]
    every = (*shipped(), *views)
    _refuse_names(every)
    work = folder.with_name(folder.name + ".loading")
    work.mkdir(parents=True, exist_ok=True)
    told = [_source(f) for f in files]
    if len({t["sha256"] for t in told}) < len(told):
        raise UserError("two of the files hold the same bytes; give each once")
    sources = [v.source for v in every]
    stamp = hashlib.sha256(b"\n".join(sources)).hexdigest()[:12]
    todo = [(f, work / f"{t['sha256'][:16]}-{stamp}", sources) for f, t in zip(files, told, strict=True)]
    left = [t for t in todo if not (t[1] / "done.json").exists()]
    _run(left, jobs, len(files), progress)
    counts = [orjson.loads((part / "done.json").read_bytes()) for _, part, _ in todo]
    resources: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for count in counts:
        resources.update(count["resources"])
        rows.update(count["rows"])
    new, nobody = _assembled(folder, [part for _, part, _ in todo], every)
    manifest = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "digest": hashlib.sha256("".join(sorted(t["sha256"] for t in told)).encode()).hexdigest()[:16],
        "files": told,
        "resources": dict(resources),
        "nobody": nobody,
        "views": {
            v.name: {
                "rows": rows[v.name],
                "sha256": hashlib.sha256(v.source).hexdigest(),
                "parquet": _digest(new / f"{v.name}.parquet"),
            }
            for v in every
        },
    }  # fmt: skip
    (new / MANIFEST).write_bytes(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
    _swapped(new, folder)
    shutil.rmtree(work)
    return Loaded(
        folder=folder,
        resources=dict(resources),
        rows=dict(rows),
        files=len(files),
        reused=len(files) - len(left),
        nobody=nobody,
    )


def _refuse_names(views: Sequence[View]) -> None:
    names = [v.name for v in views]
    twice = next((n for n in names if names.count(n) > 1 or n in TABLES), None)
    if twice:
        raise UserError(f"two views are called {twice!r}; give your own another name")


def _source(path: Path) -> dict[str, Any]:
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": _digest(path)}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(
    todo: list[tuple[Path, Path, list[bytes]]], jobs: int, total: int, progress: Callable[[int, int], None] | None
) -> None:
    done = total - len(todo)
    if jobs <= 1 or len(todo) <= 1:
        for one in todo:
            _flatten(one)
            done += 1
            if progress:
                progress(done, total)
        return
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        for _ in pool.map(_flatten, todo):
            done += 1
            if progress:
                progress(done, total)


def _flatten(one: tuple[Path, Path, list[bytes]]) -> None:
    """One file's rows of every view, as Parquet in a folder of their own; `done.json` is written last."""
    path, part, sources = one
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    views = [view_of(s) for s in sources]
    by_type: dict[str, list[_Writer]] = {}
    writers = [_Writer(v, part) for v in views]
    for writer in writers:
        by_type.setdefault(writer.view.resource, []).append(writer)
    resources: Counter[str] = Counter()
    for entry in entries(path):
        resource = entry.resource
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            raise LoadError("is no FHIR resource", path=str(path), where=entry.where)
        resources[resource["resourceType"]] += 1
        for writer in by_type.get(resource["resourceType"], ()):
            try:
                writer.add(resource)
            except UserError as error:
                raise LoadError(str(error), path=str(path), where=entry.where) from error
    for writer in writers:
        writer.close()
    told = {"resources": dict(resources), "rows": {w.view.name: w.count for w in writers}}
    (part / "done.json").write_bytes(orjson.dumps(told))


class _Writer:
    """The rows of one view on their way into a Parquet file; no file where there are none."""

    def __init__(self, view: View, folder: Path) -> None:
        self.view, self.count = view, 0
        self._path, self._schema = folder / f"{view.name}.parquet", schema_of(view)
        self._file: Any = None
        self._rows: list[tuple[Any, ...]] = []

    def add(self, resource: dict[str, Any]) -> None:
        """The rows of one resource."""
        self._rows += self.view.rows(resource)
        if len(self._rows) >= _BATCH:
            self._flush()

    def close(self) -> None:
        """Write what is held, and end the file."""
        self._flush()
        if self._file is not None:
            self._file.close()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not self._rows:
            return
        columns = zip(*self._rows, strict=True)
        arrays = [pa.array(c, type=f.type) for c, f in zip(columns, self._schema, strict=True)]
        if self._file is None:
            self._file = pq.ParquetWriter(self._path, self._schema, compression="zstd")
        self._file.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self.count += len(self._rows)
        self._rows = []


def _assembled(folder: Path, parts: Sequence[Path], views: Sequence[View]) -> tuple[Path, int]:
    """A new folder beside the cohort with one Parquet file for each view, the facts, and the views' own JSON."""
    import pyarrow.parquet as pq

    new = folder.with_name(folder.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    (new / "views").mkdir(parents=True)
    for view in views:
        (new / "views" / f"{view.name}.json").write_bytes(view.source)
        with pq.ParquetWriter(new / f"{view.name}.parquet", schema_of(view), compression="zstd") as out:
            for part in parts:
                path = part / f"{view.name}.parquet"
                if path.exists():
                    for batch in pq.ParquetFile(path).iter_batches():
                        out.write_batch(batch)
    nobody = build_facts(new, shipped())
    shutil.rmtree(new / "spill", ignore_errors=True)
    return new, nobody


def _swapped(new: Path, folder: Path) -> None:
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
