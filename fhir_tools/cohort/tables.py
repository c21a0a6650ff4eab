"""A cohort's folder: views and facts as Parquet, and the engine that they are asked on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from fhir_tools.cohort.views import Column, View
from fhir_tools.errors import MissingExtra, OperatorError, UserError

__all__ = ["MANIFEST", "TABLES", "Cohort", "build_facts", "needed", "opened", "schema_of"]

MANIFEST = "manifest.json"
TABLES = ("facts", "concepts", "people")
"""What is made of the views, in files of these names."""
_SEVERAL = ("observation_component", "family_member_history")
"""Views that may have several rows of one resource."""


def needed(feature: str) -> Any:
    """The ibis package. Raises MissingExtra where the extra is not installed."""
    try:
        import duckdb  # noqa: F401
        import ibis
        import pyarrow  # noqa: F401  what the tables are written with
    except ImportError as error:
        raise MissingExtra(feature, "cohort") from error
    return ibis


def schema_of(view: View) -> Any:
    """The view's columns as an Arrow schema."""
    import pyarrow as pa

    kinds = {"string": pa.string(), "decimal": pa.float64(), "integer": pa.int64(), "boolean": pa.bool_()}

    def field(column: Column) -> Any:
        kind = kinds[column.kind]
        return pa.field(column.name, pa.list_(kind) if column.collection else kind)

    return pa.schema([field(c) for c in view.columns])


def build_facts(folder: Path, views: tuple[View, ...]) -> int:
    """Write the Parquet of facts, concepts and people from that of the views, in one folder (`facts.sql`).

    Gives how many rows name no patient by a literal reference, and are in no table of these. Raises UserError for a
    resource that stands twice.
    """
    import duckdb

    settings = {"memory_limit": "3GB", "temp_directory": str(folder / "spill")}
    with duckdb.connect(config=settings) as db:
        db.execute("set timezone = 'UTC'")
        for view in views:
            db.read_parquet(str(folder / f"{view.name}.parquet")).create_view(view.name)
        _refuse_twice(db, views)
        db.execute((resources.files("fhir_tools.cohort") / "facts.sql").read_text(encoding="utf-8"))
        for name in TABLES:
            db.table(name).write_parquet(str(folder / f"{name}.parquet"), compression="zstd")
        [(nobody,)] = db.execute("select count(*) from raw where patient_id is null").fetchall()
        return int(nobody)


def _refuse_twice(db: Any, views: tuple[View, ...]) -> None:
    for view in views:
        if view.name in _SEVERAL:
            continue
        [(twice,)] = db.view(view.name).aggregate("count(id) - count(distinct id)").fetchall()
        if twice:
            raise UserError(f"{twice} resources of type {view.resource} stand twice in what was loaded; give each once")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """An open cohort: ibis tables on its engine. `concepts` has a row, with a number, for each kind, key, label and
    list of codes that stands in the facts; `people` has one for each patient."""

    folder: Path
    manifest: Mapping[str, Any]
    backend: Any
    facts: Any
    people: Any
    concepts: Any

    def table(self, expression: Any) -> Any:
        """The expression's rows as an Arrow table. Raises OperatorError where the engine fails."""
        try:
            with _quiet():
                return self.backend.to_pyarrow(expression)
        except Exception as error:  # its words may hold values
            raise OperatorError(
                f"the cohort's engine failed ({type(error).__name__}); run again with --debug"
            ) from error

    def rows(self, expression: Any) -> list[dict[str, Any]]:
        """The expression's rows. Raises OperatorError where the engine fails."""
        found: list[dict[str, Any]] = self.table(expression).to_pylist()
        return found

    @property
    def id(self) -> str:
        """A name for the record: a digest of what was loaded."""
        return str(self.manifest["digest"])


@contextmanager
def _quiet() -> Iterator[None]:
    """ibis 12 still calls duckdb 2 and pandas 3 by names that they mean to drop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        yield


@contextmanager
def opened(folder: Path, engine: str = "duckdb") -> Iterator[Cohort]:
    """The cohort of a folder on an engine: `duckdb`, `spark://host:port`, or `local[n]` (Spark on this machine).

    Raises UserError where there is none; MissingExtra; OperatorError for a cluster that does not answer.
    """
    ibis = needed("cohort")
    try:
        manifest = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise UserError(f"there is no cohort at {str(folder)!r}; make one with: chartline cohort load PATH") from error
    with _backend(ibis, engine) as backend:
        with _quiet():
            tables = {n: backend.read_parquet(str(folder / f"{n}.parquet"), table_name=n) for n in TABLES}
        yield Cohort(folder=folder, manifest=manifest, backend=backend, **tables)


@contextmanager
def _backend(ibis: Any, engine: str) -> Iterator[Any]:
    if engine == "duckdb":
        backend = ibis.duckdb.connect(memory_limit="3GB")
        backend.raw_sql("set timezone = 'UTC'")
        try:
            yield backend
        finally:
            backend.disconnect()
        return
    if not engine.startswith(("spark://", "local", "yarn", "k8s://")):
        raise UserError(f"{engine!r} is no engine; give duckdb, spark://host:port, yarn, k8s://… or local[2]")
    with _spark(engine) as session:
        yield ibis.pyspark.connect(session)


@contextmanager
def _spark(master: str) -> Iterator[Any]:
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise MissingExtra("asking a cohort on Spark", "spark") from error
    try:
        session = (
            SparkSession.builder.master(master)
            .appName("chartline")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "8")
            .config("spark.driver.memory", "2g")
            .config("spark.sql.execution.arrow.pyspark.enabled", "true")
            .getOrCreate()
        )
    except Exception as error:
        raise OperatorError(
            f"Spark does not start ({type(error).__name__}); it needs Java 17 and the cluster's address"
        ) from error
    try:
        yield session
    finally:
        session.stop()
