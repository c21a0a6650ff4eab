"""The version of what the service keeps, and how an older state is brought up to date when the service starts.

A new table and a new index need nothing here: what is missing is made. A change of a table that is there is one more
step.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, Integer, MetaData, Table, delete, insert, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from agent.errors import OperatorError

__all__ = ["STEPS", "upgrade"]

STEPS: tuple[tuple[str, str], ...] = ()
"""A table and the statement that changes it, oldest first; only ever added to.

How many of them a state has had is its version. SQLite and PostgreSQL both understand each statement; it is left out
where its table is not there yet, since that is made as it is now. Processes of the version before go on meanwhile: a
new column can be NULL or has a default.
"""

_VERSION = Table("state_version", MetaData(), Column("version", Integer, nullable=False))
_LOCK = 0x636861727402
"""The advisory lock under which one process does this and the others wait."""
_TURN = "60s"
"""How long they wait: one whose machine went off without a word keeps it for hours."""
_PATIENCE = "30s"
"""How long a step waits for those who are using its table, and keeps all others from it."""


def upgrade(connection: Connection, tables: MetaData) -> None:
    """Bring the state up to date and make what is missing, in the connection's transaction, which holds nothing yet.

    Others may do so, or be at work on the tables, at the same moment. Raises OperatorError for the state of a newer
    chartline and for a step that fails; then the transaction is to be rolled back, and the state is as it was.
    """
    if _is_current(connection, tables):
        return
    _alone(connection)
    _VERSION.create(connection, checkfirst=True)
    had = _version(connection)
    if had > len(STEPS):
        raise OperatorError(
            f"what the service keeps was written by a newer chartline (version {had}, this one knows {len(STEPS)}): "
            "upgrade chartline, or name another place in CHARTLINE_SERVICE_STATE or CHARTLINE_DATABASE"
        )
    for number, step in enumerate(STEPS[had:], had + 1):
        _take(connection, number, *step)
    tables.create_all(connection)
    for table in tables.sorted_tables:
        for index in table.indexes:
            index.create(connection, checkfirst=True)
    connection.execute(delete(_VERSION))
    connection.execute(insert(_VERSION).values(version=len(STEPS)))


def _is_current(connection: Connection, tables: MetaData) -> bool:
    """Whether nothing is to be done, so that a start waits for nobody who is writing."""
    found = inspect(connection)
    wanted = {index.name for table in tables.sorted_tables for index in table.indexes}
    there = {index["name"] for several in found.get_multi_indexes().values() for index in several}
    return (
        {_VERSION.name, *tables.tables} <= set(found.get_table_names())
        and wanted <= there
        and _version(connection) == len(STEPS)
    )


def _version(connection: Connection) -> int:
    """How many steps it has had; there was a time without versions."""
    return connection.execute(select(_VERSION.c.version)).scalar() or 0


def _alone(connection: Connection) -> None:
    """Be the only one who does this. What is there is asked for afterwards: IF NOT EXISTS waits in PostgreSQL for all
    who write, and they for it."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL lock_timeout = '{_TURN}'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}'"))
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # the driver begins none of itself before a CREATE or ALTER


def _take(connection: Connection, number: int, table: str, statement: str) -> None:
    if not inspect(connection).has_table(table):
        return
    try:
        connection.execute(text(statement))
    except SQLAlchemyError as error:
        raise OperatorError(
            f"what the service keeps could not be brought to version {number} ({type(error).__name__}) and is as it "
            "was: stop all processes that use it and make room on its disk, or go on with the chartline before"
        ) from error
