"""`chartline service key`: make, list and take back the API keys of the service."""

from __future__ import annotations

from agent import settings
from agent.cli.output import clean, console, emit, plain_table, safe_json, tell_note
from agent.errors import EXIT_OK
from agent.service.access.keys import ApiKey, KeyFile

__all__ = ["add", "remove", "show"]


def add(name: str, patient: str | None) -> int:
    """Make a key; it alone goes to standard output. Raises UserError."""
    key, text = _file().add(name, patient)
    asks = f"patient {key.patient!r} alone" if key.patient else "any patient"
    tell_note(f"{clean(key.name)} may ask about {asks}. The key is shown this once; send it as Authorization: Bearer")
    print(text)
    return EXIT_OK


def show(*, as_json: bool) -> int:
    """List the keys. Raises UserError for a file that cannot be used."""
    keys = _file().all()
    if as_json:
        print(safe_json([key.model_dump(mode="json", exclude={"digest"}) for key in keys]))
    elif not keys:
        tell_note("there are no keys; make one with: chartline service key add NAME")
    else:
        emit(console(), plain_table(("name", "id", "patient", "made (UTC)"), map(_row, keys)))
    return EXIT_OK


def remove(which: str) -> int:
    """Take a key back. Raises UserError where there is none."""
    key = _file().remove(which)
    tell_note(f"{clean(key.name)} is refused from now on")
    return EXIT_OK


def _file() -> KeyFile:
    return KeyFile(settings.read().service_keys)


def _row(key: ApiKey) -> tuple[str, ...]:
    return clean(key.name), key.id, key.patient or "any", f"{key.created:%Y-%m-%d %H:%M}"
