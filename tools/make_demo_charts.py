"""Write the demo charts that ship with the package: `python -m tools.make_demo_charts [FOLDER]`.

The people are invented; every value is drawn with a fixed seed, so that a second run writes the same bytes.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path

from tools.demo_charts.chart import Chart, Json
from tools.demo_charts.haddad import haddad
from tools.demo_charts.keller import keller
from tools.demo_charts.santos import santos

__all__ = ["bundle", "charts", "main", "packed"]

FOLDER = Path(__file__).resolve().parents[1] / "fhir_tools" / "demo"


def charts() -> dict[str, Chart]:
    """The charts by patient id."""
    return {chart.patient.removeprefix("Patient/"): chart for chart in (santos(), keller(), haddad())}


def bundle(chart: Chart) -> Json:
    """A collection Bundle; references in it are literal (`Type/id`)."""
    base = "https://demo.chartline.example/fhir"
    entries = [{"fullUrl": f"{base}/{r['resourceType']}/{r['id']}", "resource": r} for r in chart.resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def packed(content: Json) -> bytes:
    """Gzipped JSON without a file name and with the time 0, so that equal content gives equal bytes."""
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=9, mtime=0) as file:
        file.write(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())
    return out.getvalue()


def main(arguments: list[str]) -> int:
    """Write one file per patient."""
    folder = Path(arguments[0]) if arguments else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for patient, chart in charts().items():
        data = packed(bundle(chart))
        (folder / f"{patient}.json.gz").write_bytes(data)
        print(f"{patient}: {len(chart.resources)} resources, {len(data):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
