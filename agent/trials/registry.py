"""One study by its number from ClinicalTrials.gov's API v2, where a network allows; through the one HTTP client."""

from __future__ import annotations

import json

from agent.errors import UserError
from agent.settings import Settings
from agent.trials.reading import is_number, read_trial
from agent.trials.types import Trial

__all__ = ["fetch_trial"]


async def fetch_trial(number: str, settings: Settings) -> Trial:
    """The protocol of a study, such as NCT01234567. Raises UserError for a number that is none or is not there,
    SourceError where the registry cannot be reached. Nothing but the number leaves the machine."""
    from fhir_tools.http import Http, Limits

    wanted = number.strip().upper()
    if not is_number(wanted):
        raise UserError(f"{number!r} is no file and no number of ClinicalTrials.gov (NCT and eight digits)")
    async with Http(settings.trials_url, limits=Limits(total=settings.fhir_seconds, body=20_000_000)) as http:
        answer = await http.send("GET", f"studies/{wanted}?format=json", headers={"Accept": "application/json"})
    if answer.status == 404:
        raise UserError(f"ClinicalTrials.gov has no study {wanted}")
    if answer.status != 200:
        raise UserError(f"the registry answered {answer.status}; save the study's JSON to a file and give that instead")
    try:
        data = json.loads(answer.body)
    except ValueError as error:
        raise UserError("the registry's answer is not JSON; save the study to a file and give that instead") from error
    return read_trial(data if isinstance(data, dict) else {}, wanted)
