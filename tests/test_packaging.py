"""The wheel: what it holds, that it is complete, and that it installs no tests. Slow: builds it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("agent", "fhir_tools", "prompts")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that `pip wheel` builds from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-3000:]
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def shipped() -> set[str]:
    """Every file of the rooms in the checkout that is no build product."""
    files = (path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file())
    return {
        str(p.relative_to(ROOT)) for p in files if "__pycache__" not in p.parts and p.suffix not in (".pyc", ".sqlite")
    }


def test_it_holds_the_three_rooms_only(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(ROOMS)


def test_it_holds_every_file_of_them(wheel: zipfile.ZipFile) -> None:
    assert shipped() - set(wheel.namelist()) == set()


def test_it_carries_licence_readme_and_command(wheel: zipfile.ZipFile) -> None:
    names = {name.partition(".dist-info/")[2]: name for name in wheel.namelist() if ".dist-info/" in name}
    assert "Apache License" in wheel.read(names["licenses/LICENSE"]).decode()
    assert "chartline = agent.cli:main" in wheel.read(names["entry_points.txt"]).decode()
    metadata = wheel.read(names["METADATA"]).decode()
    core = [row for row in metadata.splitlines() if row.startswith("Requires-Dist") and "extra ==" not in row]
    heavy = ("torch", "transformers", "fastapi", "duckdb", "pydicom", "pyspark")
    assert [row for row in core if any(name in row for name in heavy)] == []


def test_the_demo_charts_are_in_it_and_small(wheel: zipfile.ZipFile) -> None:
    sizes = [
        i.file_size
        for i in wheel.infolist()
        if i.filename.startswith("fhir_tools/demo/") and i.filename.endswith(".gz")
    ]
    assert len(sizes) == 3
    assert sum(sizes) < 1_000_000
