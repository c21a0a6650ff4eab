"""The one HTTP client: allowed origins, credentials for one of them, time-outs, retries, no log of URLs."""

from fhir_tools.http.client import Check, Http, Limits, Response, issue_codes

__all__ = ["Check", "Http", "Limits", "Response", "issue_codes"]
