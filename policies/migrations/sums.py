"""``adx.sum``: what the scripts of one database are, in their order. Pure.

::

    adx.sum/1 postgresql
    0001_create_orders.up.sql sha256:<64 hex> chain:<16 hex>
    0001_create_orders.down.sql sha256:<64 hex> chain:<16 hex>

The first line names the engine. ``chain`` covers everything above, so that two
branches that add a script change the same place in a way that Git cannot merge
by itself, and a merge that takes both lines is found.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import get_args

from policies.migrations.headers import Wrong
from policies.migrations.spec import Engine
from policies.spec import Spec

FILE = "adx.sum"
_FIRST = re.compile(r"adx\.sum/1 (?P<engine>[a-z]+)\Z")
_LINE = re.compile(r"(?P<file>[0-9a-z_.]+) (?P<sum>sha256:[0-9a-f]{64}) chain:(?P<chain>[0-9a-f]{16})\Z")
_FIX = "run `adx migrate sum {}` after you have looked at what changed"


class Line(Spec):
    """One script as the file names it; ``line`` counts from 1."""

    line: int
    file: str
    sum: str
    chain: str


class Sums(Spec):
    """The whole file; ``wrong`` are lines that are none."""

    engine: Engine
    lines: tuple[Line, ...]
    wrong: tuple[Wrong, ...] = ()


def render(engine: Engine, sums: Mapping[str, str]) -> str:
    """The text of the file for ``{file: sha256:…}`` in the order of versions."""
    first = f"adx.sum/1 {engine}"
    lines, chain = [first], _link("", first)
    for file, checksum in sums.items():
        chain = _link(chain, f"{file} {checksum}")
        lines.append(f"{file} {checksum} chain:{chain}")
    return "\n".join(lines) + "\n"


def parse(text: str) -> Sums | None:
    """The file's content; None when its first line names no engine."""
    lines = text.splitlines()
    first = _FIRST.match(lines[0]) if lines else None
    if first is None or first["engine"] not in get_args(Engine):
        return None
    found, wrong = [], []
    for number, line in enumerate(lines[1:], start=2):
        match = _LINE.match(line)
        if match is None:
            conflict = line.startswith(("<<<<<<<", "=======", ">>>>>>>"))
            what = "a merge conflict is not resolved here" if conflict else "this is no line of adx.sum"
            wrong.append(Wrong(line=number, what=what, fix="renumber the newer script", rule="migrations.sum"))
        else:
            found.append(Line(line=number, file=match["file"], sum=match["sum"], chain=match["chain"]))
    engine: Engine = "postgresql" if first["engine"] == "postgresql" else "mysql"
    return Sums(engine=engine, lines=tuple(found), wrong=tuple(wrong))


def differences(recorded: Sums, sums: Mapping[str, str], database: str) -> Iterator[Wrong]:
    """How the file differs from the scripts ``{file: sha256:…}`` in their order, each difference once."""
    fix = _FIX.format(database)
    known = {line.file: line for line in recorded.lines}
    for file in sums.keys() - known.keys():
        yield Wrong(line=0, what=f"{file} is not in adx.sum", fix=fix, rule="migrations.sum")
    for line in recorded.lines:
        if line.file not in sums:
            what = f"{line.file} is named here, but there is no such script"
            yield Wrong(line=line.line, what=what, fix="bring it back, or remove the line", rule="migrations.sum")
        elif sums[line.file] != line.sum:
            what = f"{line.file} was changed: adx.sum says {_short(line.sum)}, it is {_short(sums[line.file])}"
            yield Wrong(line=line.line, what=what, fix=fix, rule="migrations.sum")
    yield from _broken_chain(recorded, fix)
    if [line.file for line in recorded.lines] != list(sums) and known.keys() == sums.keys():
        yield Wrong(line=0, what="the lines are not in the order of versions", fix=fix, rule="migrations.sum")


def _broken_chain(recorded: Sums, fix: str) -> Iterator[Wrong]:
    chain = _link("", f"adx.sum/1 {recorded.engine}")
    for line in recorded.lines:
        chain = _link(chain, f"{line.file} {line.sum}")
        if chain != line.chain:
            what = f"{line.file} does not follow the line above: two branches were merged, or a line was changed"
            yield Wrong(line=line.line, what=what, fix=fix, rule="migrations.sum")
            return


def _link(chain: str, line: str) -> str:
    return hashlib.sha256(f"{chain}\n{line}".encode()).hexdigest()[:16]


def _short(checksum: str) -> str:
    return checksum[:19]
