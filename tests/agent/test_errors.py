"""Who can act decides the exit code; a line holds no patient data that chartline did not write itself."""

from __future__ import annotations

import pytest

from agent import errors


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UserError("x"), 1),
        (errors.MissingExtra("imaging", "images"), 1),
        (errors.LoadError("x", path="p"), 1),
        (errors.SettingsError("x"), 1),
        (errors.OperatorError("x"), 3),
        (errors.NotFound("x"), 3),
        (errors.ScopeError("x"), 3),
        (RuntimeError("x"), 3),
    ],
)
def test_the_exit_code_is_by_who_can_act(error: Exception, code: int) -> None:
    assert errors.exit_code(error) == code


def test_a_line_is_one_line() -> None:
    assert errors.one_line(errors.UserError("a\n b\tc")) == "a b c"


def test_a_foreign_error_is_named_by_its_type_alone() -> None:
    line = errors.one_line(KeyError("Jane Doe, born 1950"))
    assert "KeyError" in line
    assert "--debug" in line
    assert "Jane" not in line
