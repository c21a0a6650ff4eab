"""How an error is told at the edge: one line with its remedy, and an exit code by who can act."""

from __future__ import annotations

from fhir_tools.errors import (
    ChartlineError,
    ImageError,
    LoadError,
    MissingExtra,
    ModelError,
    NeedError,
    NotFound,
    OperatorError,
    QueryError,
    ScopeError,
    SourceError,
    UnknownPatient,
    UserError,
)

__all__ = [
    "EXIT_OK",
    "EXIT_OPERATOR",
    "EXIT_USAGE",
    "EXIT_USER",
    "ChartlineError",
    "ImageError",
    "LoadError",
    "MissingExtra",
    "ModelError",
    "NeedError",
    "NotFound",
    "OperatorError",
    "QueryError",
    "ScopeError",
    "SettingsError",
    "SourceError",
    "UnknownPatient",
    "UserError",
    "exit_code",
    "one_line",
]

EXIT_OK, EXIT_USER, EXIT_USAGE, EXIT_OPERATOR = 0, 1, 2, 3


class SettingsError(UserError):
    """A setting of the environment is wrong. The message names the variable."""


def exit_code(error: BaseException) -> int:
    """1 where the person at the keyboard can act, else 3; 2 is for a wrong command line."""
    return EXIT_USER if isinstance(error, UserError | NeedError) else EXIT_OPERATOR


def one_line(error: BaseException) -> str:
    """What failed and the remedy, on one line.

    An error that is not chartline's own is named by its type alone: its words may hold patient data.
    """
    if isinstance(error, ChartlineError):
        return " ".join(str(error).split())
    return f"something in chartline broke ({type(error).__name__}); run again with --debug to see where"
