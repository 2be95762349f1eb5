"""The page of all commands, read from the Typer application itself: usage, arguments, options, examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from pipelines.cli.app import build
from pipelines.exit_codes import MEANINGS
from scripts.docs.markdown import cell, code, prose, table

_BLOCK = "\b\n"  # Click's mark of a paragraph whose lines are kept
_BRACKETS = re.compile(r"\[\[(.*?)\]")
Command = Any  # Typer's own classes of commands and parameters are private to it


def render() -> str:
    """The page."""
    root = get_command(build())
    lines = [
        "# Commands",
        "",
        "What `adx COMMAND --help` prints, on one page; made from the same source.",
        "",
        *_page_of_root(root),
        *_contents(root),
    ]
    for name, command in commands(root):
        lines += _section(name, command)
    return "\n".join(lines)


def commands(root: Command | None = None) -> Iterator[tuple[str, Command]]:
    """Every command that does something, with its full name (``adx config set``), in the order of `adx --help`."""
    yield from _below(root or get_command(build()), "adx")


def _below(command: Command, name: str) -> Iterator[tuple[str, Command]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for part, found in inner.items():
        yield from _below(found, f"{name} {part}")


def _page_of_root(root: Command) -> list[str]:
    statuses = table(
        ("exit status", "means"), ((code(str(status.value)), meaning) for status, meaning in MEANINGS.items())
    )
    return ["Every command takes these, before or after its name:", "", *_parameters(root, "adx"), *statuses]


def _contents(root: Command) -> list[str]:
    rows = ((f"[`{name}`](#{_anchor(name)})", cell(prose(_summary(found)))) for name, found in commands(root))
    return table(("command", "does"), rows)


def _section(name: str, command: Command) -> list[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    usage = _BRACKETS.sub(r"[\1", " ".join(command.collect_usage_pieces(context)))
    head = [f"## {name} {{: #{_anchor(name)} }}", "", f"`{name} {usage}`".rstrip(), ""]
    return [*head, *_help(command.help or ""), *_parameters(command, name)]


def _help(text: str) -> Iterator[str]:
    """Paragraphs as they are; kept blocks as code under their first line, which is their heading."""
    for paragraph in re.split(r"\n{2,}", text.replace("\f", "").strip()):
        if not paragraph.startswith(_BLOCK):
            yield from (prose(paragraph), "")
            continue
        heading, *rest = paragraph.removeprefix(_BLOCK).splitlines()
        yield from (prose(heading), "", "```sh", *(line.removeprefix("  ") for line in rest), "```", "")


def _parameters(command: Command, name: str) -> list[str]:
    context = command.make_context(name, [], resilient_parsing=True)
    records = (parameter.get_help_record(context) for parameter in command.params)
    rows = ((code(names), cell(prose(what))) for names, what in (record for record in records if record is not None))
    return table(("argument or option", "what"), rows)


def _summary(command: Command) -> str:
    return str(command.short_help or (command.help or "").split("\n\n")[0].split(": ")[0])


def _anchor(name: str) -> str:
    return name.replace(" ", "-")
