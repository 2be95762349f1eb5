"""Asks the command line itself whether it knows a documented command: its name, its options, its arguments."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Sequence
from functools import cache
from typing import Any

import typer
from typer.exceptions import TyperException

from pipelines.cli.app import build

_PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*|…|<\w+>")
_REFUSED = re.compile(r"'([^']*)' is not")
# What the words of a sentence may leave out: an argument that is missing, and one that is only named.
_MISSING = "MissingParameter"
_NAMED_ONLY = "BadParameter"


@cache
def _root() -> Any:
    return typer.main.get_command(build())


def problem_of(words: Sequence[str], *, is_whole: bool = True) -> str:
    """Why `adx` with these words (its own name left out) would be refused before it does anything; empty if it is not.

    With ``is_whole`` False arguments may be missing or stand for something (``ENV``), as in the middle of a sentence.
    """
    command, arguments, parent, name = _root(), list(words), None, "adx"
    try:
        while True:  # from group to group to the command
            is_group = hasattr(command, "resolve_command")
            if not arguments and is_group and parent is not None:
                return "" if not is_whole else f"{name} needs a command"
            with contextlib.redirect_stdout(io.StringIO()):  # of --help
                context = command.make_context(name, arguments, parent=parent)
            if not is_group:
                return ""
            rest = [*getattr(context, "_protected_args", []), *context.args]
            name, command, arguments = command.resolve_command(context, rest)
            parent = context
    except typer.Exit:
        return ""  # --help and --version
    except TyperException as error:
        kind = type(error).__name__
        message = error.format_message()
        refused = _REFUSED.search(message)
        is_open = kind == _MISSING or (kind == _NAMED_ONLY and refused and _PLACEHOLDER.fullmatch(refused[1]))
        return "" if not is_whole and is_open else f"{kind}: {message}"


def arguments_in(span: str) -> list[str]:
    """The words behind `adx` in the text of a code span; variables and folders in front of it are left out."""
    words = shlex.split(re.sub(r"\[[^\]]*\]", "", span))
    return words[next(number for number, word in enumerate(words) if word.rpartition("/")[2] == "adx") + 1 :]
