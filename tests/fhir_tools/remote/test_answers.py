"""What a refusal says: what was refused, why by its codes, and the remedy; nothing of the server's own words."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_tools.errors import NotFound
from fhir_tools.remote.answers import ask, refusal
from tests.fhir_tools.remote.fake import FakeServer, outcome

ORIGIN = "https://fhir.test"


@pytest.mark.parametrize(
    ("status", "what", "words"),
    [
        (400, "Observation", "refused the request for Observation with 400 (invalid)"),
        (401, "Observation", "refused the credentials (invalid): renew them"),
        (403, "Observation", "read Observation (invalid): they may lack the scope patient/Observation.rs or a right"),
        (403, "batch", "read batch (invalid): they may lack a right of the user's"),
        (404, "Patient", "does not have that Patient (invalid)"),
        (302, "Patient", "answered Patient by a redirect (302)"),
        (200, "Patient", "answered Patient with 200 and an OperationOutcome (invalid)"),
        (599, "Patient", "refused the request for Patient with 599"),
    ],
)
def test_words(status: int, what: str, words: str) -> None:
    error = refusal(ORIGIN, what, status, outcome("invalid"))
    assert words in str(error) and str(error).startswith(ORIGIN) and "SECRET" not in str(error)
    assert error.status == status and error.outcome == outcome("invalid")
    assert isinstance(error, NotFound) is (status == 404)


@pytest.mark.parametrize(
    ("header", "scope"),
    [
        ('Bearer error="insufficient_scope", scope="patient/Condition.rs launch"', "patient/Condition.rs launch"),
        ('Bearer scope="patient/Condition.rs"', "they may lack the scope patient/Observation.rs"),
        ('Bearer error="insufficient_scope", scope="<Jane>"', "they may lack the scope patient/Observation.rs"),
        ("", "they may lack the scope patient/Observation.rs"),
    ],
)
def test_the_scope_that_the_server_names(header: str, scope: str) -> None:
    assert scope in str(refusal(ORIGIN, "Observation", 403, None, {"www-authenticate": header}))


@pytest.mark.parametrize("body", [None, {}, {"issue": 5}, {"issue": [{"code": ["x"]}]}])
def test_an_outcome_without_codes(body: Any) -> None:
    assert "()" not in str(refusal(ORIGIN, "Patient", 400, body))


async def test_a_resource_comes_with_its_etag_and_url() -> None:
    async with FakeServer([{"resourceType": "Patient", "id": "jane"}]).http() as http:
        found = await ask(http, "GET", "Patient/jane", headers={}, what="Patient")
        assert (found.status, found.etag, found.resource["id"]) == (200, 'W/"1"', "jane")
        assert found.url.endswith("/fhir/Patient/jane") and "jane" not in repr(found)
        with pytest.raises(NotFound):
            await ask(http, "GET", "Patient/two", headers={}, what="Patient")
