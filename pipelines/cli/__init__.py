"""The `adx` command. One module per group of commands; ``main`` is the entry point."""

from __future__ import annotations


def main() -> None:
    """Run `adx` with the process's arguments and end the process with its exit status."""
    from pipelines.cli.app import build

    build()(prog_name="adx")
