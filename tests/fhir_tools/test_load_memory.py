"""Loading streams: what a file needs in memory does not grow with the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

_LOAD = """
import resource, sys
from fhir_tools.load import load
from fhir_tools.local import LocalStore
store = LocalStore(sys.argv[2])
report = load([sys.argv[1]], store)
store.close()
assert not report.errors and report.new == int(sys.argv[3]), report.errors
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["bundle", "ndjson"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, shape: str) -> None:
    def peak(count: int) -> int:
        path = tmp_path / f"{count}.{'json' if shape == 'bundle' else 'ndjson'}"
        with path.open("wb") as file:
            file.write(b'{"resourceType":"Bundle","type":"transaction","entry":[' if shape == "bundle" else b"")
            for n in range(count):
                # Each points forward to the next, so that every entry has to wait for the file's end.
                visit = {
                    "resourceType": "Encounter",
                    "status": "finished",
                    "id": f"e{n}",
                    "partOf": {"reference": f"urn:uuid:e{(n + 1) % count}"},
                }
                visit["text"] = {"status": "generated", "div": f"{n} " * 400}
                line = orjson.dumps({"fullUrl": f"urn:uuid:e{n}", "resource": visit} if shape == "bundle" else visit)
                file.write(line + (b"\n" if shape == "ndjson" else b"," if n + 1 < count else b"]}"))
        command = [sys.executable, "-c", _LOAD, str(path), str(tmp_path / f"{count}.db"), str(count)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    small, large = peak(60_000), peak(180_000)
    assert large - small < 60_000, "three times the file needs no more memory, in kB"
