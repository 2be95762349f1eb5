"""``python -m scripts.toolchain``: list, build or find the tools."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from scripts.errors import ScriptError
from scripts.progress import reporter
from scripts.toolchain import PYTHON_TOOLS, PythonTools, Toolchain, doctor, resolve, resolve_python
from scripts.toolchain.recipe import names

_WIDTH_WITHOUT_TERMINAL = 240


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it worked, 1 after an expected error, 2 for a wrong command line."""
    parsed = _parser().parse_args(arguments)
    try:
        if parsed.command == "build":
            _build(parsed.names or [*PYTHON_TOOLS, *names()])
        elif parsed.command == "path":
            print(*map(_path, parsed.names), sep="\n")
        else:
            _print_table()
    except ScriptError as error:
        print(f"error: {error}", file=sys.stderr)
        print(f"next: {error.next_step}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.toolchain", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("list", help="every tool, its version and where it comes from (the default)")
    build = commands.add_parser("build", help="build what is neither on PATH nor in the cache")
    build.add_argument("names", nargs="*", metavar="NAME", help="all tools when none is named")
    path = commands.add_parser("path", help="print where a tool is, building it if need be")
    path.add_argument("names", nargs="+", metavar="NAME")
    return parser


def _build(chosen: list[str]) -> None:
    with reporter() as progress:
        toolchain, python_tools = Toolchain(reporter=progress), PythonTools(reporter=progress)
        for name in chosen:
            if name in PYTHON_TOOLS:
                found = python_tools.resolve(name)
                progress.note(f"{found.name} {found.version} ({found.source}): {found.python}")
            else:
                tool = toolchain.resolve(name)
                progress.note(f"{tool.name} {tool.version} ({tool.source}): {tool.path}")


def _path(name: str) -> Path:
    """The binary of a tool; of a Python tool the Python that has it."""
    return resolve_python(name).python if name in PYTHON_TOOLS else resolve(name).path


def _print_table() -> None:
    """Nothing is cut off when the output goes to a file or a pipe."""
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH_WITHOUT_TERMINAL)
    table = Table(box=None, pad_edge=False)
    for column in ("tool", "version", "from"):
        table.add_column(column, no_wrap=True)
    table.add_column("path", overflow="fold")
    table.add_column("note")
    for row in doctor():
        table.add_row(row.tool, row.version, row.source, str(row.path or ""), row.note)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
