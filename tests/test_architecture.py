"""The walls of the house: which room may import which, and which vendor stays behind which door."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("agent", "fhir_tools", "prompts")
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))

FENCES = {
    "httpx": ("fhir_tools.http", "fhir_tools.auth"),
    "torch": ("agent.models.medgemma", "agent.vision", "agent.adapt"),
    "transformers": ("agent.models.medgemma", "agent.vision", "agent.adapt"),
    "peft": ("agent.models.medgemma", "agent.adapt"),
    "trl": ("agent.adapt",),
    "datasets": ("agent.adapt",),
    "llguidance": ("agent.models.medgemma",),
    "bitsandbytes": ("agent.models.medgemma",),
    "huggingface_hub": ("agent.models.medgemma",),
    "openai": ("agent.models.openai_compatible",),
    "langgraph": ("agent.graph", "agent.checkpoints", "agent.threads"),
    "psycopg": ("agent.threads",),
    "psycopg_pool": ("agent.threads",),
    "aiosqlite": ("agent.checkpoints",),
    "langchain_core": ("agent.graph", "agent.checkpoints", "agent.langchain"),
    "fastapi": ("agent.service", "fhir_tools.serve"),
    "starlette": ("agent.service", "fhir_tools.serve"),
    "sqlalchemy": ("agent.service",),
    "mcp": ("agent.service",),
    "prometheus_client": ("agent.service",),
    "joserfc": ("agent.service", "fhir_tools.auth"),
    "cryptography": ("agent.service.access",),
    "tenacity": ("fhir_tools.http", "fhir_tools.journal"),
    "spellchecker": ("fhir_tools.lexicon.english",),
    "pydicom": ("fhir_tools.imaging",),
    "usearch": ("agent.vision",),
    "openslide": ("fhir_tools.imaging",),
    "PIL": ("fhir_tools.imaging", "fhir_tools.parsing", "agent.models", "agent.vision"),
    "pypdfium2": ("fhir_tools.parsing",),
    "striprtf": ("fhir_tools.parsing",),
    "lxml": ("fhir_tools.parsing",),
    "duckdb": ("fhir_tools.cohort",),
    "ibis": ("fhir_tools.cohort",),
    "pyspark": ("fhir_tools.cohort",),
    "yaml": ("agent.trials.sheet", "agent.located"),
    "pyarrow": ("fhir_tools.cohort",),
    "fhirpathpy": ("fhir_tools.cohort",),
}
"""Vendor package → the modules (with what is below them) that may import it."""

LAZY = (
    "torch",
    "transformers",
    "langgraph",
    "psycopg",
    "altair",
    "vl_convert",
    "openai",
    "jsonschema",
    "fhir.resources",
    "fastapi",
    "sqlalchemy",
    "mcp",
    "prometheus_client",
    "pydicom",
    "PIL",
    "numpy",
    "pypdfium2",
    "lxml",
    "duckdb",
    "yaml",
    "ibis",
    "pyarrow",
    "pyspark",
    "fhirpathpy",
)
"""Slow or optional packages: `import agent.cli` must not pull them in."""

STAGES = ("agent.open", "agent.retrieve", "agent.supply", "agent.verify", "agent.render")
LONGEST = 450


def name_of(path: Path) -> str:
    """The dotted name of a module file."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(source: str, package: str) -> Iterator[str]:
    """Every module that a source imports, at any depth of it; relative ones resolved against `package`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            yield stem
            yield from (f"{stem}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _is_dynamic(node) and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)


def _is_dynamic(call: ast.Call) -> bool:
    return bool(call.args) and ast.unparse(call.func).split(".")[-1] in ("import_module", "__import__")


def imports_of(path: Path) -> set[str]:
    """What a module file imports."""
    name = name_of(path)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return set(imports(path.read_text(), package))


def under(module: str, roots: tuple[str, ...]) -> bool:
    """Is the module one of the roots or below one?"""
    return any(module == root or module.startswith(f"{root}.") for root in roots)


def environment_readers(source: str) -> list[str]:
    """Expressions that read the environment: `os.environ`, `os.getenv`, or those names imported from os."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "getenvb"):
            found.append(ast.unparse(node))
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            found += [alias.name for alias in node.names if alias.name.startswith(("environ", "getenv"))]
    return found


def test_import_direction() -> None:
    """The contracts of pyproject.toml, as `make check` runs them."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:]


def test_the_contracts_name_every_stage() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = " ".join(contracts[0]["layers"])
    assert [stage for stage in STAGES if stage not in layers] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_vendors_stay_behind_their_fences(path: Path) -> None:
    module, used = name_of(path), imports_of(path)
    broken = {v for v, doors in FENCES.items() if any(under(i, (v,)) for i in used) and not under(module, doors)}
    assert broken == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_settings_reads_the_environment(path: Path) -> None:
    if name_of(path) != "agent.settings":
        assert environment_readers(path.read_text()) == []


@pytest.mark.parametrize("path", [p for p in MODULES if under(name_of(p), STAGES)], ids=name_of)
def test_stages_do_not_import_each_other(path: Path) -> None:
    own = next(stage for stage in STAGES if under(name_of(path), (stage,)))
    others = tuple(stage for stage in STAGES if stage != own)
    assert {i for i in imports_of(path) if under(i, others)} == set()


@pytest.mark.parametrize("path", [p for p in MODULES if under(name_of(p), (*STAGES, "agent.graph"))], ids=name_of)
def test_stages_and_graph_know_reasoners_and_models_by_their_protocols_only(path: Path) -> None:
    known = ("agent.reasoners.base", "agent.models.base")
    concrete = {i for i in imports_of(path) if under(i, ("agent.reasoners", "agent.models")) and not under(i, known)}
    assert concrete - {"agent.reasoners", "agent.models"} == set()


@pytest.mark.parametrize("path", [p for p in MODULES if not name_of(p).startswith("agent")], ids=name_of)
def test_lower_rooms_import_only_themselves(path: Path) -> None:
    own = name_of(path).split(".")[0]
    others = tuple(room for room in ROOMS if room != own)
    assert {i for i in imports_of(path) if under(i, others)} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_modules_say_what_is_public(path: Path) -> None:
    module = ast.parse(path.read_text())
    private = any(part.startswith("_") for part in name_of(path).split("."))
    if private or not any(isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for n in module.body):
        return
    lists = [n.value for n in module.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    assert lists, "no __all__"
    assert ast.literal_eval(lists[0]) == sorted(set(ast.literal_eval(lists[0])), key=_all_order)


def _all_order(name: str) -> tuple[int, str]:
    """The order that ruff keeps (RUF022): CONSTANTS, Classes, functions, each by name."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2
    return kind, name


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_stay_short(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= LONGEST


@pytest.mark.skipif(not (ROOT / "agent" / "cli.py").exists() and not (ROOT / "agent" / "cli").exists(), reason="no CLI")
def test_the_command_line_starts_light() -> None:
    script = f"import sys, agent.cli; print([m for m in {LAZY!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, env=dict(os.environ)
    )
    assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stderr[-2000:]


def test_no_path_of_a_machine_is_written_down() -> None:
    files = [p for room in (*ROOMS, "tests", "tools", "benchmarks", "docs") for p in (ROOT / room).rglob("*")]
    places = re.compile(rb"/(?:" + rb"|".join((b"work", b"farm", b"root")) + rb")/[a-z]")
    texts = [p for p in files if p.suffix in (".py", ".md", ".toml", ".json", ".yaml", ".csv", ".txt")]
    assert [str(p.relative_to(ROOT)) for p in texts if places.search(p.read_bytes())] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch.nn as nn", "torch.nn"),
        ("def f():\n    from torch import nn", "torch.nn"),
        ("import importlib\nimportlib.import_module('torch')", "torch"),
        ("from . import retrieve", "agent.retrieve"),
        ("from ..verify import check", "verify.check"),
    ],
)
def test_imports_are_found_wherever_they_hide(source: str, expected: str) -> None:
    assert expected in set(imports(source, "agent"))


@pytest.mark.parametrize(
    "source", ["import os\nos.environ['X']", "from os import getenv", "import os as o\no.getenv('X')"]
)
def test_readers_of_the_environment_are_found(source: str) -> None:
    assert environment_readers(source) != []
