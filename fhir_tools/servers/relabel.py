"""Ids of several servers side by side: each resource gets one name inside, and is asked for by its own. Pure.

Inside, a resource of the first server keeps its id, and one of another server is called `label.id`. An id of any server
that itself begins like a label gets its server's label in front, so that no two resources share a name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fhir_tools.errors import SourceError
from fhir_tools.scope import addresses
from fhir_tools.types import Reference

__all__ = ["Labels"]

_LABEL = re.compile(r"[a-z][a-z0-9]{0,11}", re.ASCII)
_LITERAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-._]{1,128})(/[^#?]*)?([#?].*)?", re.ASCII | re.DOTALL)
_ATTACHED = frozenset(("presentedForm", "photo", "image", "content"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """The servers by label, the first one first. `bases` are their base URLs, where they have one."""

    labels: tuple[str, ...]
    bases: Mapping[str, str]

    def __post_init__(self) -> None:
        for label in self.labels:
            if not _LABEL.fullmatch(label):
                raise ValueError(f"a label is 1 to 12 lower-case letters and digits, a letter first, not {label!r}")

    # Names.

    def inside(self, label: str, id_: str) -> str:
        """The id that a resource of a server has inside."""
        bare = label == self.labels[0] and not self._begins_like_a_label(id_)
        return id_ if bare else f"{label}.{id_}"

    def outside(self, id_: str) -> tuple[str, str]:
        """The server that an inside id belongs to, and the id it has there."""
        if self._begins_like_a_label(id_):
            label, _, rest = id_.partition(".")
            return label, rest
        return self.labels[0], id_

    def original(self, reference: Reference) -> tuple[str, Reference]:
        """The server of an inside reference, and the reference as it is there."""
        label, id_ = self.outside(reference.id)
        return label, Reference(type=reference.type, id=id_)

    def _begins_like_a_label(self, id_: str) -> bool:
        head, _, rest = id_.partition(".")
        return head in self.labels and bool(addresses.ID.fullmatch(rest))

    # Texts.

    def url_inside(self, label: str, url: str) -> str:
        """A reference or URL that stands in a resource of a server, as it is inside: `Type/id…` where it is on one.

        Contained references, URNs, URLs of no known server and what is no reference stay as they are.
        """
        if addresses.is_absolute(url):
            found = self.server_of(url)
            if found is None or not _LITERAL.fullmatch(found[1]):
                return url
            label, url = found
        parts = _LITERAL.fullmatch(url)
        if not parts:
            return url
        return f"{parts[1]}/{self.inside(label, parts[2])}{parts[3] or ''}{parts[4] or ''}"

    def url_outside(self, url: str) -> tuple[str, str] | None:
        """The server that an inside URL leads to and the URL there; None for one that leads to none of them."""
        if addresses.is_absolute(url):
            return self.server_of(url)
        parts = _LITERAL.fullmatch(url)
        if not parts:
            return self.labels[0], url
        label, id_ = self.outside(parts[2])
        return label, f"{parts[1]}/{id_}{parts[3] or ''}{parts[4] or ''}"

    def server_of(self, url: str) -> tuple[str, str] | None:
        """The server whose base an absolute URL is below, and the rest of it; the longest base where several fit."""
        for label, base in sorted(self.bases.items(), key=lambda item: -len(item[1])):
            rest = addresses.relative(url, (base,))
            if rest is not None:
                return label, rest
        return None

    # Resources.

    def resource(self, label: str, resource: Mapping[str, Any]) -> dict[str, Any]:
        """A resource of a server as it is inside: its id, its references and the URLs of its attachments renamed.

        Contained resources keep their ids, which are local to it (R4 references, 2.3.0.3). Raises SourceError for one
        that is nested more deeply than any real one.
        """
        try:
            told: dict[str, Any] = self._renamed(label, "", resource)
        except RecursionError:
            raise SourceError(f"{label}: a resource is nested too deeply to be read") from None
        id_ = resource.get("id")
        return {**told, "id": self.inside(label, id_)} if isinstance(id_, str) and id_ else told

    def _renamed(self, label: str, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._renamed(label, name, item) for item in value]
        if not isinstance(value, dict):
            return value
        if name == "resource" and "resourceType" in value:
            return self.resource(label, value)
        return {key: self._element(label, name, key, item) for key, item in value.items()}

    def _element(self, label: str, parent: str, name: str, value: Any) -> Any:
        if isinstance(value, dict | list):
            return self._renamed(label, name, value)
        if not isinstance(value, str):
            return value
        if name in ("reference", "fullUrl"):
            return self.url_inside(label, value)
        if name == "url" and (parent in _ATTACHED or parent.lower().endswith("attachment")):
            return self._attachment(label, value)
        return value

    def _attachment(self, label: str, url: str) -> str:
        """A relative URL that is no resource is told with its base: without it, it would be looked for on the first."""
        known = self.url_inside(label, url)
        if known == url and label != self.labels[0] and label in self.bases and not addresses.is_absolute(url):
            return f"{self.bases[label].rstrip('/')}/{url}"
        return known
