"""Loading files into the store: each all or nothing, each with its report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from fhir_tools.errors import LoadError
from fhir_tools.garbage import unwatched
from fhir_tools.load import checks
from fhir_tools.load.links import Links
from fhir_tools.load.reader import Entry, entries, find_files
from fhir_tools.load.report import FileReport, LoadReport, Notes
from fhir_tools.local import LocalStore
from fhir_tools.types import Reference

__all__ = ["Progress", "load"]

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all), of the files as they lie on the disk."""

_NUMBERS = re.compile(r"\[\d+\]")
_FULL_URL_ID = re.compile(r"(?:^urn:uuid:|/)([A-Za-z0-9\-._]+)$")


def load(
    paths: Iterable[str | Path], store: LocalStore, *, validate: bool = False, progress: Progress | None = None
) -> LoadReport:
    """Load files and folders of FHIR R4. A file that fails leaves the store as it was; the others go on.

    Raises UserError if the store itself cannot be written. What is wrong with a file is in the report.
    """
    run = _Run(store, validate=validate)
    files: list[Path | LoadError] = []
    for path in paths:
        try:
            files += find_files(Path(path))
        except LoadError as fault:
            files.append(fault)
    sizes = [f.stat().st_size if isinstance(f, Path) else 0 for f in files]
    for number, file in enumerate(files):
        before = sum(sizes[:number])
        tick = (lambda done, before=before: progress(before + done, sum(sizes))) if progress else None
        run.file(number, file, tick)
    if progress:
        progress(sum(sizes), sum(sizes))
    return run.report()


class _Run:
    """One call of `load`: the reports so far, and the links between files."""

    def __init__(self, store: LocalStore, *, validate: bool) -> None:
        self._store, self._validate = store, validate
        self._links = Links(store)
        self._done: list[_File] = []

    def file(self, number: int, path: Path | LoadError, tick: Callable[[int], None] | None) -> None:
        if isinstance(path, LoadError):
            self._done.append(_File(path.path, error=path))
            return
        file = _File(str(path))
        try:
            with unwatched(), self._store.transaction():
                self._links.start(number)
                _Loading(self._store, self._links, file, validate=self._validate).run(entries(path, tick))
        except LoadError as fault:
            file = _File(str(path), error=_placed(fault, str(path)))
        self._done.append(file)

    def report(self) -> LoadReport:
        with self._store.transaction():
            for number, type_, id_ in self._links.retries():
                self._retry(number, type_, id_)
        self._links.dangling({n: file.notes for n, file in enumerate(self._done)})
        return LoadReport(files=tuple(file.report() for file in self._done))

    def _retry(self, number: int, type_: str, id_: str) -> None:
        """Resolve conditional references once more, now that all files are in."""
        found = self._store.body(Reference(type=type_, id=id_))
        if found is None:
            return
        self._links.start(number)
        body, _, _ = self._links.resolve(found, last=True)
        if body != found:
            self._store.rewrite(Reference(type=type_, id=id_), body)
        _, complete, references = self._links.resolve(body, last=True)
        if not complete:
            self._links.count([r for r in references if "?" in r])
            self._links.finish()


class _File:
    """What is counted while one file is read."""

    def __init__(self, path: str, error: LoadError | None = None) -> None:
        self.path, self.error = path, error
        self.types: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self.notes = Notes()

    def report(self) -> FileReport:
        c = self.changes
        return FileReport(
            path=self.path,
            resources=dict(self.types.most_common()),
            new=c["new"],
            updated=c["updated"],
            unchanged=c["unchanged"],
            older=c["older"],
            deleted=c["deleted"],
            warnings=self.notes.all(),
            error=self.error,
        )


class _Loading:
    """Takes the entries of one file into the store."""

    def __init__(self, store: LocalStore, links: Links, file: _File, *, validate: bool) -> None:
        self._store, self._links, self._file, self._validate = store, links, file, validate

    def run(self, items: Iterable[Entry]) -> None:
        for entry in items:
            self._take(entry)
        for place, body in self._links.waiting():
            self._put(place, orjson.loads(body), body, last=True)
        self._links.finish()

    def _take(self, entry: Entry) -> None:
        request = entry.request or {}
        if request.get("method") == "DELETE":
            self._delete(entry, str(request.get("url", "")))
            return
        if entry.resource is None:
            self._file.notes.add("has no resource; nothing to load from it", entry.where)
            return
        resource = self._identified(entry)
        why = checks.refusal(resource)
        if why:
            raise LoadError(why, where=entry.where)
        if resource["resourceType"] == "OperationOutcome":
            self._file.notes.add("an OperationOutcome of the server, not part of a chart; left out", entry.where)
            return
        target = f"{resource['resourceType']}/{resource['id']}"
        existing = self._existing(resource, request, target)
        if entry.full_url:
            self._links.name(entry.full_url, existing or target)
        if existing is None:
            self._put(entry.where, resource, orjson.dumps(resource), last=False)

    def _identified(self, entry: Entry) -> Any:
        """The resource with the id that its fullUrl or request gives it, if it has none of its own."""
        resource = entry.resource
        if not isinstance(resource, dict) or "id" in resource:
            return resource
        type_ = resource.get("resourceType")
        url = str((entry.request or {}).get("url", ""))
        place = url if url.startswith(f"{type_}/") else entry.full_url or ""
        found = _FULL_URL_ID.search(place)
        return {"resourceType": type_, "id": found[1], **resource} if found else resource

    def _existing(self, resource: dict[str, Any], request: Any, target: str) -> str | None:
        """What a conditional create (`ifNoneExist`, R4 3.1.0.8.1) finds in the store instead of the entry."""
        condition = request.get("ifNoneExist")
        if not condition or self._store.has(target):
            return None
        found = self._links.matches(f"{resource['resourceType']}?{str(condition).lstrip('?')}")
        if len(found) == 1:
            self._file.changes["unchanged"] += 1
            return found[0]
        return None

    def _delete(self, entry: Entry, url: str) -> None:
        try:
            deleted = self._store.delete(Reference.parse(url))
        except ValueError as fault:
            raise LoadError("DELETE of what is no Type/id; leave the entry out", where=entry.where) from fault
        self._file.changes["deleted"] += deleted

    def _put(self, where: str, resource: dict[str, Any], body: bytes, *, last: bool) -> None:
        linked, complete, references = self._links.resolve(body, last=last)
        if not complete and not last:
            self._links.wait(where, body)
            return
        if linked is not body:
            body, resource = linked, orjson.loads(linked)
        change = self._store.put(resource, body)
        type_, id_ = resource["resourceType"], resource["id"]
        if change == "conflict":
            why = f"{type_}/{id_} stands twice in the file with different content; keep one"
            raise LoadError(why, where=where)
        self._file.types[type_] += 1
        self._file.changes[change] += 1
        self._check(where, resource, body, references, complete)

    def _check(self, where: str, resource: dict[str, Any], body: bytes, references: list[str], complete: bool) -> None:
        if not complete and any("?" in r for r in references):
            self._links.retry_later(resource["resourceType"], resource["id"])
            references = [r for r in references if "?" not in r]
        inside = [r for r in references if r[0] == "#"]
        self._links.count([r for r in references if r[0] != "#"] if inside else references)
        if inside:
            contained = resource.get("contained")
            ids = {c.get("id") for c in contained if isinstance(c, dict)} if isinstance(contained, list) else set()
            place = f"{resource['resourceType']}/{resource['id']}"
            for reference in inside:
                if reference != "#" and reference[1:] not in ids:
                    self._file.notes.add("refers to a contained resource that it does not contain", place)
        if self._validate:
            for path, rule in checks.problems(resource):
                self._file.notes.add(f"{_NUMBERS.sub('', path)}: {rule}", f"{where} {path}".strip())


def _placed(fault: LoadError, path: str) -> LoadError:
    """The error with its file, where it was raised by a part that does not know it."""
    return fault if fault.path else LoadError(str(fault).removeprefix(f"{fault.where}: "), path=path, where=fault.where)
