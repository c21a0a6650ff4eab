"""The command line: `chartline …`."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit: 0 done, 1 the user can act, 2 a wrong command line, 3 the operator can act."""
    from agent.cli.app import app
    from agent.errors import exit_code, one_line
    from fhir_tools import garbage

    garbage.seldom()
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    try:
        app([a for a in arguments if a != "--debug"], prog_name="chartline")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader (`| head`) has gone: nothing is left to be told, and flushing would fail again at exit.
        sys.stdout = None
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        from agent.cli.output import tell_error

        tell_error(one_line(error))
        sys.exit(exit_code(error))
