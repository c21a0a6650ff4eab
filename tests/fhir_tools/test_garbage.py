"""How often garbage is collected: less, and never less than before where a block has ended."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fhir_tools import garbage


@pytest.fixture(autouse=True)
def kept() -> Iterator[None]:
    before, on = gc.get_threshold(), gc.isenabled()
    yield
    gc.set_threshold(*before)
    (gc.enable if on else gc.disable)()


def test_the_collector_is_on_again_after_a_block_that_fails() -> None:
    gc.enable()
    with pytest.raises(ZeroDivisionError), garbage.unwatched():
        1 / gc.isenabled()  # off, so by nought
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with garbage.unwatched():
        pass
    assert not gc.isenabled()


def test_only_the_youngest_are_walked_less_often() -> None:
    gc.set_threshold(700, 11, 12)
    garbage.seldom()
    young, *older = gc.get_threshold()
    assert young > 10_000 and older == [11, 12]


def test_the_program_collects_seldom() -> None:
    code = "import gc, sys; from agent.cli import main; sys.argv = ['chartline', '--version']\n"
    code += "try: main()\nexcept SystemExit: print(gc.get_threshold()[0] > 10_000)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("True\n")
