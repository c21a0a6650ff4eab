"""`python -m agent.cli`, where the `chartline` script is not on the path."""

from agent.cli import main

main()
