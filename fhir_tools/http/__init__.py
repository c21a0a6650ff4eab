"""The one HTTP client: allowed origins, credentials for one of them, time-outs, retries, no log of URLs."""

from fhir_tools.http.client import Check, Http, Limits, Response, issue_codes
from fhir_tools.http.streaming import Streamed, stream

__all__ = ["Check", "Http", "Limits", "Response", "Streamed", "issue_codes", "stream"]
