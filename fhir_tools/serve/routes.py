"""From a request to what answers it: paths, verbs, and who may write (R4 http, 3.1.0.1)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from fhir_tools.errors import NotFound, QueryError, UserError
from fhir_tools.local import LocalStore
from fhir_tools.search.query import R4_TYPES
from fhir_tools.serve import operations, reading, searching, writing
from fhir_tools.serve.bundles import run_bundle
from fhir_tools.serve.export import Exports
from fhir_tools.serve.links import LongSearches
from fhir_tools.serve.messages import Answer, Ask, Refusal
from fhir_tools.serve.statement import capability_statement
from fhir_tools.source import CATALOGUE_OPERATION
from fhir_tools.types import Reference

__all__ = ["Router"]

_LOG = logging.getLogger("chartline.serve")
_Work = Callable[[], Awaitable[Answer]]
_READ_ONLY = "this server is read-only; start it with --writable to let clients write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """All that one server can do. `catalogue` is whether it offers the store's own operation."""

    store: LocalStore
    started: str
    writable: bool = False
    catalogue: bool = True
    long: LongSearches = field(default_factory=LongSearches)
    exports: Exports

    async def handle(self, ask: Ask) -> Answer:
        """The answer to a request; a refusal and a fault of ours are answers too."""
        try:
            return await self._work(ask)()
        except Refusal as refusal:
            return refusal.answer
        except QueryError as fault:
            return Refusal(400, str(fault)).answer
        except NotFound as fault:
            return Refusal(fault.status or 404, str(fault)).answer
        except UserError:
            # A store that is locked or cannot be written; its words name the file, which is the operator's.
            _LOG.error("the store refused a %s", ask.method)
            return Refusal(503, "the store cannot be written now; try again later", code="transient").answer
        except Exception as fault:  # noqa: BLE001 (the last resort: no request may end without an OperationOutcome)
            _LOG.error("%s while answering a %s, at %s", type(fault).__name__, ask.method, _place(fault))
            return Refusal(500, "the server failed at this request; its log says where").answer

    def _work(self, ask: Ask) -> _Work:
        found = self._found(ask)
        method = "GET" if ask.method == "HEAD" else ask.method
        if method in found:
            return found[method]
        told = "HEAD, " if "GET" in found else ""
        allowed = {"Allow": told + ", ".join(sorted(found))}
        if not self.writable and method in self._writes(ask):
            raise Refusal(405, _READ_ONLY, headers=allowed)
        raise Refusal(405, f"{ask.method} is not offered here; {allowed['Allow']}", headers=allowed)

    def _writes(self, ask: Ask) -> tuple[str, ...]:
        if not ask.path or ask.path[0] not in R4_TYPES or len(ask.path) > 2 or ask.path[-1][:1] in "_$":
            return ()
        return ("POST", "PUT", "DELETE", "PATCH") if len(ask.path) == 1 else ("PUT", "DELETE", "PATCH")

    def _found(self, ask: Ask) -> Mapping[str, _Work]:
        if not ask.path:
            return {
                "GET": lambda: searching.search_system(self.store, self.long, ask),
                "POST": lambda: run_bundle(self.store, ask, self.handle, writable=self.writable),
            }
        head = ask.path[0]
        found = self._of_type(ask, head) if head in R4_TYPES else self._of_server(ask, head)
        if found is None:
            raise Refusal(404, "there is nothing at this path; `metadata` tells what this server has")
        return found

    def _of_server(self, ask: Ask, head: str) -> Mapping[str, _Work] | None:
        match head, *ask.path[1:]:
            case ["metadata"]:
                return {"GET": lambda: self._metadata(ask)}
            case ["_search"]:
                return {
                    "GET": lambda: searching.search_system(self.store, self.long, ask),
                    "POST": lambda: searching.search_system(self.store, self.long, ask),
                }
            case ["_history"]:
                return {"GET": lambda: reading.history(self.store, ask)}
            case ["$export"]:
                return {"GET": lambda: self.exports.start(ask)}
            case ["$export-status", id_]:
                return {
                    "GET": lambda: self.exports.status(ask, id_),
                    "DELETE": lambda: self.exports.cancel(ask, id_),
                }
            case ["$export-file", id_, name]:
                return {"GET": lambda: self.exports.file(ask, id_, name)}
        return None

    def _of_type(self, ask: Ask, type_: str) -> Mapping[str, _Work] | None:
        store = self.store
        match ask.path[1:]:
            case []:
                return {
                    "GET": lambda: searching.search_type(store, self.long, ask, type_),
                    **self._type_writes(ask, type_),
                }
            case ["_search"]:
                return {
                    "GET": lambda: searching.search_type(store, self.long, ask, type_),
                    "POST": lambda: searching.search_type(store, self.long, ask, type_),
                }
            case ["_history"]:
                return {"GET": lambda: reading.history(store, ask, type_)}
            case [name] if name.startswith("$"):
                return self._operation(ask, type_, name)
            case [id_]:
                return {"GET": lambda: reading.read(store, ask, type_, id_), **self._instance_writes(ask, type_, id_)}
            case [id_, "_history"]:
                return {"GET": lambda: reading.history(store, ask, type_, id_)}
            case [id_, "_history", version]:
                return {"GET": lambda: reading.read(store, ask, type_, id_, version)}
            case [id_, name] if name.startswith("$"):
                return self._instance_operation(ask, type_, id_, name)
            case [id_, inner] if type_ == "Patient" and inner in R4_TYPES:
                return {"GET": lambda: searching.search_compartment(store, self.long, ask, id_, inner)}
            case [id_, inner, "_search"] if type_ == "Patient" and inner in R4_TYPES:
                return {"POST": lambda: searching.search_compartment(store, self.long, ask, id_, inner)}
        return None

    def _type_writes(self, ask: Ask, type_: str) -> Mapping[str, _Work]:
        if not self.writable:
            return {}
        return {
            "POST": lambda: writing.create(self.store, ask, type_),
            "PUT": lambda: writing.conditional_update(self.store, ask, type_),
            "DELETE": lambda: writing.conditional_delete(self.store, ask, type_),
        }

    def _instance_writes(self, ask: Ask, type_: str, id_: str) -> Mapping[str, _Work]:
        if not self.writable:
            return {}
        return {
            "PUT": lambda: writing.update(self.store, ask, type_, id_),
            "DELETE": lambda: writing.delete(self.store, ask, type_, id_),
            "PATCH": lambda: writing.patch(self.store, ask, type_, id_),
        }

    def _operation(self, ask: Ask, type_: str, name: str) -> Mapping[str, _Work]:
        if (type_, name) == ("Observation", "$lastn"):
            return dict.fromkeys(("GET", "POST"), lambda: operations.lastn(self.store, ask))
        if (type_, name) == ("Patient", "$export"):
            return {"GET": lambda: self.exports.start(ask, patients=True)}
        raise Refusal(404, f"{type_} has no operation of that name here", code="not-supported")

    def _instance_operation(self, ask: Ask, type_: str, id_: str, name: str) -> Mapping[str, _Work]:
        if (type_, name) == ("Patient", "$everything"):
            return {"GET": lambda: operations.everything(self.store, ask, id_)}
        if (type_, name) == ("Patient", CATALOGUE_OPERATION) and self.catalogue:
            return {"GET": lambda: operations.catalogue(self.store, ask, id_)}
        if (type_, name) == ("Group", "$export"):
            return {"GET": lambda: self.exports.start(ask, Reference(type="Group", id=id_))}
        raise Refusal(404, f"{type_} has no operation of that name here", code="not-supported")

    async def _metadata(self, ask: Ask) -> Answer:
        mode = ask.last("mode") or "full"
        if mode not in ("full", "normative"):
            raise Refusal(
                400, f"metadata?mode={mode!r} is not offered; this is no terminology server", code="not-supported"
            )
        statement = capability_statement(
            self.store, ask.base, self.started, writable=self.writable, catalogue=self.catalogue
        )
        return Answer(resource=statement)


def _place(fault: BaseException) -> str:
    """File and line of the fault: enough to look for it, and nothing of what was being worked on."""
    trace = fault.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"
