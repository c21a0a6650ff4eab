"""Any FHIR R4 server as a source: what it says that it can do, the plan for a search, pages to the end, batches."""

from fhir_tools.remote.source import Granted, Remote

__all__ = ["Granted", "Remote"]
