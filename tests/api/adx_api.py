"""`adx api` as a program: the whole command line with it, for tests that run it."""

from __future__ import annotations

import sys

from pipelines.cli import api
from pipelines.cli import app as whole


def main() -> None:
    """Run the command line, with `api` in it whether or not it is registered there yet."""
    built = whole.build()
    if not any(group.name == "api" for group in built.registered_groups):
        built.add_typer(api.app, name="api")
    built(sys.argv[1:])


if __name__ == "__main__":
    main()
