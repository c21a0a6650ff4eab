"""How long `load` takes against `orjson.loads` of the same file, and its peak memory.

    python benchmarks/bench_load.py --sizes 5 20 600

Each measurement runs in a process of its own, so that memory and garbage collection of one do not
colour the next. The files are synthetic: a transaction Bundle of many patients with `urn:uuid:`
references, and the same resources as NDJSON with literal ones.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

LABS = (("4548-4", "Hemoglobin A1c", "%"), ("2345-7", "Glucose", "mg/dL"), ("8302-2", "Body Height", "cm"))
PER_PATIENT = 400


def main() -> None:
    arguments = _arguments()
    if arguments.measure:
        _measure(arguments.measure, arguments.file)
        return
    print(f"{'file':<14}{'MB':>7}{'orjson s':>10}{'load s':>9}{'ratio':>8}{'orjson MB':>11}{'load MB':>9}")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for size in arguments.sizes:
            for shape in arguments.shapes:
                _row(_made(Path(folder), size, shape), shape)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5, 20, 600], help="file sizes in MB")
    parser.add_argument("--shapes", nargs="+", choices=("bundle", "ndjson"), default=["bundle"])
    parser.add_argument("--folder", help="where the files and stores are made (default: the system's)")
    parser.add_argument("--measure", choices=("orjson", "load"), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def _row(path: Path, shape: str) -> None:
    (base, base_peak), (seconds, peak) = (_run(way, path) for way in ("orjson", "load"))
    size = path.stat().st_size / 1e6
    print(
        f"{shape:<14}{size:>7.1f}{base:>10.2f}{seconds:>9.2f}{seconds / base:>8.1f}{base_peak:>11.0f}{peak:>9.0f}",
        flush=True,
    )
    path.unlink()


def _run(way: str, path: Path) -> tuple[float, float]:
    command = [sys.executable, __file__, "--measure", way, "--file", str(path)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, peak = output.split()
    return float(seconds), float(peak)


def _measure(way: str, path: Path) -> None:
    start = time.perf_counter()
    if way == "orjson":
        raw = path.read_bytes()
        kept = [orjson.loads(line) for line in raw.splitlines()] if path.suffix == ".ndjson" else orjson.loads(raw)
        seconds = time.perf_counter() - start
        del kept
    else:
        from fhir_tools.load import load
        from fhir_tools.local import LocalStore

        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            store = LocalStore(Path(folder) / "store.db")
            start = time.perf_counter()
            report = load([path], store)
            seconds = time.perf_counter() - start
            store.close()
        if report.errors:
            raise SystemExit(str(report.errors[0]))
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)


def _made(folder: Path, megabytes: int, shape: str) -> Path:
    path = folder / f"made.{'ndjson' if shape == 'ndjson' else 'json'}"
    limit, done, first = megabytes * 1_000_000, 0, True
    with path.open("wb") as file:
        if shape == "bundle":
            file.write(b'{"resourceType":"Bundle","type":"transaction","entry":[')
        for item in _resources(random.Random(7)):
            text = orjson.dumps(_entry(item) if shape == "bundle" else _literal(item))
            file.write((b"" if first or shape == "ndjson" else b",") + text + (b"\n" if shape == "ndjson" else b""))
            first, done = False, done + len(text)
            if done >= limit:
                break
        if shape == "bundle":
            file.write(b"]}")
    return path


def _entry(item: dict[str, Any]) -> dict[str, Any]:
    request = {"method": "POST", "url": item["resourceType"]}
    return {"fullUrl": f"urn:uuid:{item['id']}", "resource": item, "request": request}


def _literal(item: dict[str, Any]) -> dict[str, Any]:
    text = orjson.dumps(item).decode()
    types = {"subject": "Patient", "encounter": "Encounter"}
    for name, type_ in types.items():
        text = text.replace(f'"{name}":{{"reference":"urn:uuid:', f'"{name}":{{"reference":"{type_}/')
    literal: dict[str, Any] = orjson.loads(text)
    return literal


def _resources(rng: random.Random) -> Iterator[dict[str, Any]]:
    while True:
        patient = _uuid(rng)
        name = {"family": f"Family{rng.randrange(10**6)}", "given": ["Given"]}
        yield {
            "resourceType": "Patient",
            "id": patient,
            "name": [name],
            "birthDate": f"19{rng.randrange(30, 99)}-04-02",
        }
        subject = {"reference": f"urn:uuid:{patient}"}
        visit: dict[str, Any] = {}
        for n in range(PER_PATIENT):
            month, day, second = rng.randrange(1, 13), rng.randrange(1, 29), rng.randrange(60)
            when = f"20{n // 20:02d}-{month:02d}-{day:02d}T10:15:{second:02d}+01:00"
            if n % 10 == 0:
                visit = {"reference": f"urn:uuid:{(visit_id := _uuid(rng))}"}
                yield _visit(visit_id, subject, when)
            yield _result(rng, subject, visit, when)


def _visit(id_: str, subject: dict[str, Any], when: str) -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
    kind = [{"coding": [{"system": "http://snomed.info/sct", "code": "185349003", "display": "Check up"}]}]
    base = {"resourceType": "Encounter", "id": id_, "status": "finished", "class": {"system": system, "code": "AMB"}}
    return {**base, "type": kind, "subject": subject, "period": {"start": when, "end": when}}


def _result(rng: random.Random, subject: dict[str, Any], visit: dict[str, Any], when: str) -> dict[str, Any]:
    code, display, unit = rng.choice(LABS)
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    return {
        "resourceType": "Observation",
        "id": _uuid(rng),
        "status": "final",
        "category": [{"coding": [{"system": system, "code": "laboratory", "display": "Laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": display}], "text": display},
        "subject": subject,
        "encounter": visit,
        "effectiveDateTime": when,
        "issued": when,
        "valueQuantity": {
            "value": rng.uniform(1, 200),
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": unit,
        },
    }


def _uuid(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


if __name__ == "__main__":
    main()
