"""SQL on FHIR v2 ViewDefinitions: reading, checking, and running them over resources (our own runner).

What is run: `column`, `collection`, nested `select`, `forEach`, `forEachOrNull`, `repeat`, `unionAll`, `where`,
`constant` (the specification's StructureDefinition and its "Processing algorithm"). Any other element that would change
the rows is refused by name. https://sql-on-fhir.org/ig/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import product
from pathlib import Path
from typing import Any

import orjson

from fhir_tools.cohort.paths import Evaluate, compile_path
from fhir_tools.errors import UserError

__all__ = ["Column", "View", "read_view", "shipped", "view_of"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_VIEW = frozenset(
    "resourceType id meta url identifier name title version status experimental date publisher contact description "
    "useContext copyright jurisdiction purpose fhirVersion profile text extension resource constant select "
    "where".split()
)
_SELECT = frozenset(("column", "select", "forEach", "forEachOrNull", "repeat", "unionAll", "id", "extension"))
_COLUMN = frozenset(("name", "path", "description", "collection", "type", "tag", "id", "extension"))
_TYPES = {
    **dict.fromkeys(("boolean",), "boolean"),
    **dict.fromkeys(("integer", "positiveInt", "unsignedInt", "integer64"), "integer"),
    **dict.fromkeys(("decimal",), "decimal"),
    **dict.fromkeys(
        "string code id uri url canonical oid uuid markdown date dateTime instant time base64Binary".split(), "string"
    ),
}

Row = tuple[Any, ...]
_Run = Callable[[Any], list[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column; `kind` is how it is kept: boolean, integer, decimal or string. A collection is a list of them."""

    name: str
    kind: str = "string"
    collection: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A ViewDefinition that can run: `resource` is the type it reads, `source` its JSON as read."""

    name: str
    resource: str
    columns: tuple[Column, ...]
    source: bytes
    _where: tuple[Evaluate, ...]
    _run: _Run

    def rows(self, resource: Mapping[str, Any]) -> list[Row]:
        """The rows of one resource; none of another type. Raises UserError where a path gives what it must not."""
        if resource.get("resourceType") != self.resource:
            return []
        for test in self._where:
            found = test(resource)
            if found and (len(found) > 1 or not isinstance(found[0], bool)):
                raise UserError(f"view {self.name}: a `where` path does not give a boolean")
            if found != [True]:
                return []
        return self._run(resource)


def read_view(path: Path) -> View:
    """The view of a file. Raises UserError for what cannot be read or run."""
    try:
        return view_of(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {str(path)!r}: {error.strerror}") from error


@lru_cache(maxsize=1)
def shipped() -> tuple[View, ...]:
    """The views that come with chartline, by name."""
    folder = resources.files("fhir_tools.cohort") / "views"
    return tuple(view_of(f.read_bytes()) for f in sorted(folder.iterdir(), key=str) if f.name.endswith(".json"))


def view_of(source: bytes) -> View:
    """A ViewDefinition's JSON, checked and compiled. Raises UserError that names what is wrong or not supported."""
    try:
        data = orjson.loads(source)
    except orjson.JSONDecodeError as error:
        raise UserError(f"a ViewDefinition is JSON: {error}") from error
    if not isinstance(data, dict) or not isinstance(data.get("resource"), str) or not data.get("select"):
        raise UserError("a ViewDefinition names its `resource` and has a `select`")
    name = str(data.get("name") or data["resource"].lower())
    _only(data, _VIEW, f"view {name}")
    if not _NAME.fullmatch(name):
        raise UserError(f"view {name!r}: its name becomes a table: letters, digits and _ only")
    compiler = _Compiler(name, _constants(data.get("constant", ()), name))
    columns, run = compiler.together(data["select"])
    twice = next((c.name for i, c in enumerate(columns) if c.name in {x.name for x in columns[:i]}), None)
    if twice:
        raise UserError(f"view {name}: two columns are called {twice!r}")
    where = tuple(compiler.path(w.get("path")) for w in data.get("where", ()))
    return View(name=name, resource=data["resource"], columns=columns, source=source, _where=where, _run=run)


def _only(data: Mapping[str, Any], allowed: frozenset[str], where: str) -> None:
    unknown = sorted(k for k in data if k not in allowed and not k.startswith("_"))
    if unknown:
        raise UserError(f"{where}: {unknown[0]!r} is not supported by this runner")


def _constants(given: Iterable[Any], view: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in given:
        values = [v for k, v in item.items() if k.startswith("value")]
        if not _NAME.fullmatch(str(item.get("name", ""))) or len(values) != 1:
            raise UserError(f"view {view}: a constant has a name and one value")
        found[item["name"]] = values[0]
    return found


class _Compiler:
    """Selects → functions from a node to rows; a cross product of what stands side by side."""

    def __init__(self, view: str, constants: Mapping[str, Any]) -> None:
        self._view, self._constants = view, constants

    def path(self, path: Any) -> Evaluate:
        if not isinstance(path, str) or not path.strip():
            raise UserError(f"view {self._view}: a path is missing")
        if "%rowIndex" in path:
            raise UserError(f"view {self._view}: '%rowIndex' is not supported by this runner")
        return compile_path(path, self._constants)

    def together(self, selects: Sequence[Any]) -> tuple[tuple[Column, ...], _Run]:
        parts = [self._select(s) for s in selects]
        columns = tuple(c for part, _ in parts for c in part)
        return columns, _crossed([run for _, run in parts])

    def _select(self, select: Any) -> tuple[tuple[Column, ...], _Run]:
        if not isinstance(select, dict):
            raise UserError(f"view {self._view}: a select is an object")
        _only(select, _SELECT, f"view {self._view}: select")
        kinds = [k for k in ("forEach", "forEachOrNull", "repeat") if k in select]
        if len(kinds) > 1:
            raise UserError(f"view {self._view}: a select has one of {' and '.join(kinds)}, not both")
        parts = [self._columns(select["column"])] if select.get("column") else []
        parts += [self._select(s) for s in select.get("select", ())]
        parts += [self._union(select["unionAll"])] if select.get("unionAll") else []
        if not parts:
            raise UserError(f"view {self._view}: a select without columns")
        columns = tuple(c for part, _ in parts for c in part)
        inner = _crossed([run for _, run in parts])
        return columns, self._over(select, kinds[0], inner, len(columns)) if kinds else inner

    def _over(self, select: Mapping[str, Any], kind: str, inner: _Run, width: int) -> _Run:
        if kind == "repeat":
            steps = [self.path(p) for p in select["repeat"]]
            return lambda node: [r for n in _below(node, steps) for r in inner(n)]
        foci, empty = self.path(select[kind]), [(None,) * width] if kind == "forEachOrNull" else []

        def run(node: Any) -> list[Row]:
            found = foci(node)
            return [r for n in found for r in inner(n)] if found else list(empty)

        return run

    def _union(self, branches: Sequence[Any]) -> tuple[tuple[Column, ...], _Run]:
        parts = [self._select(b) for b in branches]
        first = parts[0][0]
        for columns, _ in parts[1:]:
            if columns != first:
                raise UserError(f"view {self._view}: the branches of a unionAll have different columns")
        return first, lambda node: [r for _, run in parts for r in run(node)]

    def _columns(self, given: Sequence[Any]) -> tuple[tuple[Column, ...], _Run]:
        columns, getters = [], []
        for item in given:
            _only(item, _COLUMN, f"view {self._view}: column")
            name, type_ = item.get("name"), item.get("type", "string")
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise UserError(f"view {self._view}: {name!r} is no column name (a letter, then letters, digits, _)")
            if type_ not in _TYPES:
                raise UserError(f"view {self._view}: column {name}: the type {type_!r} is not supported by this runner")
            column = Column(name=name, kind=_TYPES[type_], collection=item.get("collection") is True)
            columns.append(column)
            getters.append(self._getter(column, self.path(item.get("path"))))
        return tuple(columns), lambda node: [tuple([get(node) for get in getters])]

    def _getter(self, column: Column, evaluate: Evaluate) -> Callable[[Any], Any]:
        said, cast = f"view {self._view}: column {column.name}", _CASTS[column.kind]
        if column.collection:
            return lambda node: [cast(v, said) for v in evaluate(node)]

        def get(node: Any) -> Any:
            found = evaluate(node)
            if not found:
                return None
            if len(found) > 1:
                raise UserError(f"{said} has several values in one row; make it a collection, or take first()")
            return cast(found[0], said)

        return get


def _crossed(runs: Sequence[_Run]) -> _Run:
    if len(runs) == 1:
        return runs[0]
    return lambda node: [tuple(v for row in rows for v in row) for rows in product(*(run(node) for run in runs))]


def _below(node: Any, steps: Sequence[Evaluate]) -> Iterator[Any]:
    """Every node that the paths reach from a node, and from those again, depth first."""
    for step in steps:
        for child in step(node):
            yield child
            yield from _below(child, steps)


def _refuse(said: str, kind: str) -> UserError:
    return UserError(f"{said} does not hold a {kind}")


def _string(value: Any, said: str) -> str:
    if isinstance(value, dict | list):
        raise _refuse(said, "primitive; its path ends at an element")
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _number(value: Any, said: str) -> float:
    if isinstance(value, bool) or (not isinstance(value, int | float) and not hasattr(value, "as_integer_ratio")):
        raise _refuse(said, "number")
    return float(value)


def _whole(value: Any, said: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refuse(said, "whole number")
    return value


def _boolean(value: Any, said: str) -> bool:
    if not isinstance(value, bool):
        raise _refuse(said, "boolean")
    return value


_CASTS: Mapping[str, Callable[[Any, str], Any]] = {
    "string": _string,
    "decimal": _number,
    "integer": _whole,
    "boolean": _boolean,
}
