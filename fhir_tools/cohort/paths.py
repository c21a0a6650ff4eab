"""FHIRPath for views: the plain paths that views use run as Python closures, everything else in fhirpathpy.

The fast part is held equal to fhirpathpy by tests. It knows members, `[n]`, `first last exists empty not where ofType
extension join count`, `getResourceKey getReferenceKey`, literals, `%constants`, `$this`, `= != and or` (FHIRPath 2.0;
SQL on FHIR v2, "Supported FHIRPath functionality").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from fhir_tools.errors import MissingExtra, UserError

__all__ = ["Evaluate", "compile_path", "is_fast"]

Evaluate = Callable[[Any], list[Any]]
"""One node → its results, a list."""

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>%?[$A-Za-z_][A-Za-z0-9_]*)|"
    r"(?P<sign>!=|[=().,\[\]]))"
)
_CHOICES = frozenset(
    "abatement allowed asNeeded deceased defaultValue dose effective medication multipleBirth occurred occurrence "
    "onset performed product rate reported serviced value born age bounds".split()
)
"""Choice elements of R4: `value.ofType(Quantity)` is `valueQuantity`, and `value` alone is whichever there is."""
_BROKEN = re.compile(r"\.\s*[.()\]]|['`]|\.\s*$|^\s*\.")
_ESCAPES = {"\\'": "'", "\\\\": "\\", "\\n": "\n", "\\t": "\t", "\\r": "\r", '\\"': '"', "\\/": "/", "\\`": "`"}


class _Slow(Exception):
    """Not a path of the fast kind."""


def compile_path(path: str, constants: Mapping[str, Any] | None = None) -> Evaluate:
    """The path as a function of a node. Raises UserError for one that is no FHIRPath or names an unknown constant."""
    known = dict(constants or {})
    try:
        parser = _Parser(path, known)
        return _guarded(parser.whole(), parser.root())
    except _Slow:
        return _reference(path, known)


def is_fast(path: str, constants: Mapping[str, Any] | None = None) -> bool:
    """Whether a path runs without fhirpathpy."""
    try:
        _Parser(path, dict(constants or {})).whole()
    except _Slow:
        return False
    return True


def _guarded(evaluate: Evaluate, root: str) -> Evaluate:
    """Most columns are of elements that most resources do not have: one look tells."""
    if not root:
        return evaluate
    return lambda node: evaluate(node) if not isinstance(node, dict) or root in node else []


def _reference(path: str, constants: Mapping[str, Any]) -> Evaluate:
    try:
        from fhirpathpy import compile as compiled
        from fhirpathpy.models import models
    except ImportError as error:
        raise MissingExtra(f"the FHIRPath {path!r}", "cohort") from error
    keys = {
        "getResourceKey": {"fn": lambda nodes: _each(_own_key, nodes), "arity": {0: []}},
        "getReferenceKey": {
            "fn": lambda nodes, name=None: _each(lambda n: _key_of(n, name), nodes),
            "arity": {0: [], 1: ["TypeSpecifier"]},
        },
    }
    bare = re.sub(r"'(?:[^'\\]|\\.)*'|`[^`]*`", "x", path)
    if _BROKEN.search(bare) or any(bare.count(a) != bare.count(b) for a, b in ("()", "[]", "{}")):
        raise UserError(f"{path!r} is no FHIRPath: see its brackets, quotes and dots")  # its parser would mend them
    unknown = [n for n in re.findall(r"%([A-Za-z_]\w*)", path) if n not in constants and n not in _STANDARD]
    if unknown:
        raise UserError(f"the path {path!r} names %{unknown[0]}, which the view does not define")
    # fhirpathpy knows choices by the path from a resource; below a forEach there is none, so they are named outright.
    named = re.sub(r"\b(\w+)\.ofType\((\w)(\w*)\)", _named_choice, path)
    try:
        run = compiled(named, models["r4"], {"userInvocationTable": keys})
    except Exception as error:
        raise UserError(f"{path!r} is no FHIRPath: {error}") from error

    def evaluate(node: Any) -> list[Any]:
        try:
            return [float(v) if isinstance(v, Decimal) else v for v in run(node, dict(constants))]
        except Exception as error:
            raise UserError(f"the path {path!r} does not evaluate ({type(error).__name__})") from error

    return evaluate


def _named_choice(found: re.Match[str]) -> str:
    return f"{found[1]}{found[2].upper()}{found[3]}" if found[1] in _CHOICES else found[0]


_STANDARD = frozenset(("resource", "rootResource", "context", "ucum", "sct", "loinc"))


def _each(of: Callable[[Any], list[Any]], nodes: Any) -> list[Any]:
    return [k for n in nodes for k in of(getattr(n, "data", n))]


def _own_key(node: Any) -> list[Any]:
    return [node["id"]] if isinstance(node, dict) and "id" in node else []


def _key_of(node: Any, name: Any = None) -> list[Any]:
    """The id that a literal reference names; of another type than asked for it is empty."""
    text = node.get("reference") if isinstance(node, dict) else None
    wanted = getattr(name, "name", name)
    if not isinstance(text, str) or text.startswith(("#", "urn:")):
        return []
    parts = text.split("/_history/")[0].rstrip("/").split("/")
    if len(parts) < 2 or (wanted and parts[-2] != wanted):
        return []
    return [parts[-1]]


class _Parser:
    """Recursive descent: or → and → equality → postfix."""

    def __init__(self, path: str, constants: Mapping[str, Any]) -> None:
        self._constants, self._at = constants, 0
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(path.rstrip()):
            found = _TOKEN.match(path, place)
            if not found:
                raise _Slow
            self._tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            place = found.end()

    def whole(self) -> Evaluate:
        found = self._or()
        if self._at < len(self._tokens):
            raise _Slow
        return found

    def root(self) -> str:
        """The element without which the path is empty; "" where that cannot be told from its steps."""
        depth, tokens = 0, [t for _, t in self._tokens]
        if self._tokens[0][0] != "name" or tokens[0][0] in "%$" or tokens[0][0].isupper():
            return ""
        for place, text in enumerate(tokens):
            depth += {"(": 1, ")": -1}.get(text, 0)
            called = tokens[place + 1 : place + 2] == ["("]
            if depth == 0 and (text in ("=", "!=", "and", "or") or (called and text not in _OF_NOTHING)):
                return ""
        if tokens[0] not in _CHOICES:
            return tokens[0]
        return f"{tokens[0]}{tokens[4][0].upper()}{tokens[4][1:]}" if tokens[1:4] == [".", "ofType", "("] else ""

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, wanted: str = "") -> tuple[str, str]:
        if self._at >= len(self._tokens) or (wanted and self._peek() != wanted):
            raise _Slow
        self._at += 1
        return self._tokens[self._at - 1]

    def _or(self) -> Evaluate:
        left = self._and()
        while self._peek() == "or":
            self._take()
            left = _logic(left, self._and(), deciding=True)
        return left

    def _and(self) -> Evaluate:
        left = self._equality()
        while self._peek() == "and":
            self._take()
            left = _logic(left, self._equality(), deciding=False)
        return left

    def _equality(self) -> Evaluate:
        left = self._postfix()
        if self._peek() in ("=", "!="):
            same = self._take()[1] == "="
            return _equal(left, self._postfix(), same=same)
        return left

    def _postfix(self) -> Evaluate:
        found = self._primary()
        while self._peek() in (".", "["):
            if self._take()[1] == "[":
                kind, number = self._take()
                self._take("]")
                if kind != "number" or "." in number:
                    raise _Slow
                found = _at(found, int(number))
            else:
                found = self._step(found)
        return found

    def _primary(self) -> Evaluate:
        kind, text = self._take()
        if text == "(":
            inner = self._or()
            self._take(")")
            return inner
        if kind == "string":
            said = re.sub(r"\\.", lambda m: _ESCAPES.get(m[0], m[0][1]), text[1:-1])
            return lambda _: [said]
        if kind == "number":
            number = float(text) if "." in text else int(text)
            return lambda _: [number]
        if text in ("true", "false"):
            return lambda _: [text == "true"]
        if text == "$this":
            return lambda node: [node]
        if text.startswith("%"):
            if text[1:] not in self._constants:
                raise _Slow
            value = self._constants[text[1:]]
            return lambda _: [value]
        if kind != "name" or text.startswith("$"):
            raise _Slow
        self._at -= 1
        return self._step(lambda node: [node])

    def _step(self, of: Evaluate) -> Evaluate:
        kind, name = self._take()
        if kind != "name" or name[0] in "$%":
            raise _Slow
        if self._peek() == "(":
            return self._function(of, name)
        if name in _CHOICES:
            ahead = [t for _, t in self._tokens[self._at : self._at + 3]]
            if ahead != [".", "ofType", "("]:
                return _choice(of, name)
            self._at += 3
            type_ = self._take()[1]
            self._take(")")
            return _member(of, f"{name}{type_[0].upper()}{type_[1:]}")
        # A path may begin with the type of its resource: Patient.name is name.
        return _typed(of, name) if name[0].isupper() else _member(of, name)

    def _function(self, of: Evaluate, name: str) -> Evaluate:
        self._take("(")
        argument = None if self._peek() == ")" else self._or() if name not in ("ofType", "getReferenceKey") else None
        type_ = self._take()[1] if name in ("ofType", "getReferenceKey") and self._peek() != ")" else ""
        self._take(")")
        plain = _PLAIN.get(name)
        if plain and argument is None and not type_:
            return lambda node: plain(of(node))
        if name in ("where", "exists") and argument:
            test, every = argument, name == "where"
            kept: Evaluate = lambda node: [n for n in of(node) if test(n) == [True]]  # noqa: E731
            return kept if every else lambda node: [bool(kept(node))]
        if name == "extension" and argument:
            url = argument
            return lambda node: [
                e for n in of(node) if isinstance(n, dict) for e in n.get("extension", ()) if [e.get("url")] == url(n)
            ]
        if name == "join":
            by = argument or (lambda _: [""])
            return lambda node: ["".join(by(node)).join(found)] if (found := of(node)) else []
        if name == "getReferenceKey":
            return lambda node: [k for n in of(node) for k in _key_of(n, type_)]
        if name == "ofType" and type_[:1].isupper():
            return lambda node: [n for n in of(node) if isinstance(n, dict) and n.get("resourceType") == type_]
        raise _Slow


_OF_NOTHING = frozenset(("first", "last", "where", "ofType", "join", "extension", "getReferenceKey"))
"""Functions that give nothing where there is nothing."""
_PLAIN: Mapping[str, Callable[[list[Any]], list[Any]]] = {
    "first": lambda found: found[:1],
    "last": lambda found: found[-1:],
    "exists": lambda found: [bool(found)],
    "empty": lambda found: [not found],
    "count": lambda found: [len(found)],
    "not": lambda found: [not found[0]] if len(found) == 1 and isinstance(found[0], bool) else [],
    "getResourceKey": lambda found: [k for n in found for k in _own_key(n)],
}


def _member(of: Evaluate, name: str) -> Evaluate:
    def evaluate(node: Any) -> list[Any]:
        out: list[Any] = []
        for item in of(node):
            value = item.get(name) if isinstance(item, dict) else None
            if isinstance(value, list):
                out += [v for v in value if v is not None]
            elif value is not None:
                out.append(value)
        return out

    return evaluate


def _choice(of: Evaluate, name: str) -> Evaluate:
    width = len(name)

    def evaluate(node: Any) -> list[Any]:
        out: list[Any] = []
        for item in of(node):
            if isinstance(item, dict):
                keys = (k for k in item if k == name or (k.startswith(name) and k[width].isupper()))
                out += [item[k] for k in keys if item[k] is not None]
        return out

    return evaluate


def _typed(of: Evaluate, name: str) -> Evaluate:
    return lambda node: [n for n in of(node) if isinstance(n, dict) and n.get("resourceType") == name]


def _at(of: Evaluate, number: int) -> Evaluate:
    return lambda node: of(node)[number : number + 1]


def _logic(left: Evaluate, right: Evaluate, *, deciding: bool) -> Evaluate:
    """Three-valued (FHIRPath 6.5): the deciding word wins, both others give the other, else it is empty."""

    def evaluate(node: Any) -> list[Any]:
        words = [w for side in (left, right) for w in side(node)[:1]]
        if deciding in words:
            return [deciding]
        return [not deciding] if len(words) == 2 else []

    return evaluate


def _equal(left: Evaluate, right: Evaluate, *, same: bool) -> Evaluate:
    def evaluate(node: Any) -> list[Any]:
        a, b = left(node), right(node)
        return [(a == b) == same] if a and b else []

    return evaluate
