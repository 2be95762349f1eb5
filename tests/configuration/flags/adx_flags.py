"""`adx flags` as a program: the whole command line with it, for tests that run it."""

from __future__ import annotations

import sys

from pipelines.cli import app as whole
from pipelines.cli import flags


def main() -> None:
    """Run the command line, with `flags` in it whether or not it is registered there yet."""
    built = whole.build()
    if not any(group.name == "flags" for group in built.registered_groups):
        built.add_typer(flags.app, name="flags")
    built(sys.argv[1:])


if __name__ == "__main__":
    main()
