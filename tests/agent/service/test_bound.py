"""The patient and the day of a request whose body cannot name them."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import Headers

from agent.service.bound import AS_OF, PATIENT, Day, day_of, patient_of
from agent.service.callers import Caller
from agent.service.desk import Desk
from agent.service.problems import Problem
from tests.agent.service.conftest import FOLDER, settings_in


@pytest.mark.parametrize(
    ("own", "header", "expected"),
    [
        (None, None, None),
        (None, "a", "a"),
        (None, "Patient/a", "a"),
        ("a", None, "a"),
        ("a", "a", "a"),
        ("a", "b", 403),
        (None, "Observation/a", 422),
        (None, "", 422),
        ("a", "", 422),
    ],
)
def test_the_credentials_have_the_last_word(
    tmp_path: Path, own: str | None, header: str | None, expected: str | int | None
) -> None:
    desk = Desk(settings_in(tmp_path), fhir=(str(FOLDER),))
    caller = Caller(id="c", name="c", via="token", patient=own)
    headers = Headers({} if header is None else {PATIENT.lower(): header})
    if isinstance(expected, int):
        with pytest.raises(Problem) as refused:
            patient_of(desk, caller, headers)
        assert refused.value.status == expected
    else:
        assert patient_of(desk, caller, headers) == expected


def test_a_day_is_written_in_one_way() -> None:
    assert day_of(Headers({})) is None
    assert day_of(Headers({AS_OF.lower(): " 2026-06-15 "})) == date(2026, 6, 15)
    days = TypeAdapter(Day)
    assert days.validate_python("2026-06-15") == date(2026, 6, 15)
    assert days.validate_python(date(2026, 6, 15)) == date(2026, 6, 15)
    assert days.json_schema() == {"type": "string", "format": "date"}
    for wrong in ("", "2026-6-15", "20260615", "2026-02-30"):
        with pytest.raises(Problem):
            day_of(Headers({AS_OF.lower(): wrong}))
        with pytest.raises(ValidationError):
            days.validate_python(wrong)
    for other in ("２０２６-06-15", 0, 1.5, True, None, datetime(2026, 6, 15)):
        with pytest.raises(ValidationError):
            days.validate_python(other)
