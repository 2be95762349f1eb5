"""What a person types after `adx explain` → what is meant. Knows no declarations yet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from policies.errors import AdxError
from policies.spec import Spec

_UNIT = re.compile(r"(?:platform|(?:service|tenant)/[^/#:]+)\Z")
# As compilers and `adx validate` print places: the column may follow the line.
_LINE = re.compile(r"(?P<file>.+?):(?P<line>[1-9][0-9]{0,8})(?::[0-9]{1,9})?\Z")

FORMS = "a file, FILE:LINE, FILE#path.in.it, or an environment and a unit (staging service/frontend)"


class UnknownDeclaration(AdxError):
    """Nothing is declared where somebody asked; ``next_step`` names the nearest that is."""

    exit_code = 6


class Address(Spec):
    """Either ``file`` with at most one of ``line`` and ``path``, or ``unit``, of ``environment`` or (empty) of all."""

    file: str = ""
    line: int = 0
    path: str = ""
    environment: str = ""
    unit: str = ""


def parse(words: Sequence[str]) -> Address:
    """The address in ``words``; also in one word with a blank, as quoting makes it. Raises UnknownDeclaration."""
    match " ".join(words).split():
        case [environment, unit] if _UNIT.match(unit):
            return Address(environment=environment, unit=unit)
        case [unit] if _UNIT.match(unit):
            return Address(unit=unit)
        case [text]:
            return _in_file(text)
    raise UnknownDeclaration(f"{' '.join(words)!r} cannot be explained", next_step=f"name {FORMS}")


def _in_file(text: str) -> Address:
    file, is_path, path = text.partition("#")
    if is_path:
        return Address(file=file, path=path)
    numbered = _LINE.match(text)
    return Address(file=numbered["file"], line=int(numbered["line"])) if numbered else Address(file=text)


def file_in(folder: Path, working_folder: Path, file: str) -> str:
    """``file`` relative to the repository ``folder``, whether it was typed so, absolutely or from where one stands."""
    typed = working_folder / file
    if typed.is_file() and typed.resolve().is_relative_to(folder):
        return typed.resolve().relative_to(folder).as_posix()
    return PurePosixPath(file).as_posix()
