"""The header of a script: its first comment lines ``-- adx: key=value``. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from policies.findings import suggestion
from policies.migrations.lexer import tokens
from policies.migrations.model import Direction, Header
from policies.migrations.spec import Engine
from policies.spec import Spec

_LINE = re.compile(r"--\s*adx:\s*(?P<rest>.*)\Z", re.DOTALL)
_PAIR = re.compile(r"(?P<key>[a-z_]+)\s*=\s*(?P<value>.*?)\s*\Z", re.DOTALL)
_TABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}\Z")
_BATCH = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}\.[A-Za-z_][A-Za-z0-9_$]{0,62}\Z")
_BATCH_KEYS = ("batch", "batch_rows", "pause_ms")
_DOWN_KEYS = frozenset({"transaction", "lock_timeout_ms", "statement_timeout_ms", "tables", *_BATCH_KEYS})
MAX_TIMEOUT_MS = 24 * 3_600_000
MAX_BATCH_ROWS = 100_000
MAX_PAUSE_MS = 60_000


class Wrong(Spec):
    """One thing wrong with a script: line (from 1; 0 for the whole file), what, and what would be right."""

    line: int
    what: str
    fix: str
    rule: str


def read_header(text: str, engine: Engine, direction: Direction) -> tuple[Header, list[Wrong]]:
    """The header of a script and what is wrong with it. Raises LexError as the lexer does."""
    values: dict[str, Any] = {}
    places: dict[str, int] = {}
    wrong: list[Wrong] = []
    for line, rest, is_at_top in _lines(text, engine):
        if not is_at_top:
            wrong.append(_wrong(line, "this line of the header stands below a statement", "move it to the top"))
            continue
        pair = _PAIR.match(rest)
        if pair is None:
            wrong.append(_wrong(line, "this is no line `-- adx: key=value`", "write one key and one value"))
            continue
        places.setdefault(pair["key"], line)
        wrong += _take(values, pair["key"], pair["value"], line, direction)
    header = Header(**values)
    return header, [*wrong, *_disagreements(header), *_wrong_batches(header, places, direction)]


def _lines(text: str, engine: Engine) -> Iterator[tuple[int, str, bool]]:
    """Line, text after ``adx:`` and whether nothing but comments stands above."""
    is_at_top = True
    for token in tokens(text, engine):
        if token.kind == "comment":
            match = _LINE.match(text[token.start : token.end])
            if match is not None:
                yield text.count("\n", 0, token.start) + 1, match["rest"], is_at_top
        elif token.kind != "space":
            is_at_top = False


def _take(values: dict[str, Any], key: str, value: str, line: int, direction: Direction) -> Iterator[Wrong]:
    known = {one for one in _READERS if direction == "up" or one in _DOWN_KEYS}
    if key not in known:
        yield _wrong(line, f"a {direction} script has no key {key}", suggestion(key, known, "leave it out"))
    elif key in values:
        yield _wrong(line, f"{key} is given twice", "keep one of the two")
    else:
        try:
            values[key] = _READERS[key](value)
        except ValueError as error:
            yield _wrong(line, f"{key} cannot be {value[:40]!r}", str(error))


def _disagreements(header: Header) -> Iterator[Wrong]:
    if header.phase == "contract" and header.requires is None:
        what = "a contract script does not say which schema version services must be written for"
        yield _wrong(0, what, "add `-- adx: requires=N`")
    if header.phase != "contract" and header.requires is not None:
        what = f"only a contract script requires a schema version, this one is {header.phase}"
        yield _wrong(0, what, "write `-- adx: phase=contract`, or leave requires out")


def _wrong_batches(header: Header, places: Mapping[str, int], direction: Direction) -> Iterator[Wrong]:
    """What does not go with batches; ``places`` are the lines of the keys that the header has."""
    if "batch" not in places:
        for key in ("batch_rows", "pause_ms"):
            if key in places:
                what = f"{key} says nothing in a script without batches"
                yield _wrong(places[key], what, "add `-- adx: batch=table.key`, or leave it out")
        return
    if direction == "up" and header.phase != "backfill":
        what = f"rows are written in batches in a backfill script only, this one is {header.phase}"
        yield _wrong(places["batch"], what, "write `-- adx: phase=backfill`, and what changes the schema before it")
    if "transaction" in places:
        what = "each batch is a transaction of its own, whatever transaction says"
        yield _wrong(places["transaction"], what, "leave transaction out")


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"write one of: {', '.join(allowed)}")
        return value

    return read


def _milliseconds(value: str) -> int:
    if not (value.isascii() and value.isdecimal()) or int(value) > MAX_TIMEOUT_MS:
        raise ValueError(f"write milliseconds from 0 (none) to {MAX_TIMEOUT_MS}")
    return int(value)


def _number(least: int, most: int, unit: str) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not (value.isascii() and value.isdecimal() and least <= int(value) <= most):
            raise ValueError(f"write {unit} from {least} to {most}")
        return int(value)

    return read


def _batch(value: str) -> str:
    if not _BATCH.match(value):
        raise ValueError("write table.key, as the catalog spells them, in the schema that is migrated")
    return value


def _version(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and 1 <= int(value) <= 9999):
        raise ValueError("write a version from 1 to 9999")
    return int(value)


def _tables(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(","))
    if not all(_TABLE.match(name) for name in names):
        raise ValueError("write names of tables, separated by commas")
    return names


def _reason(value: str) -> str:
    if len(value) < 10:
        raise ValueError("write a reason that a reviewer can judge")
    return value


def _day(value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise ValueError("write a day as YYYY-MM-DD") from None


_READERS: Mapping[str, Callable[[str], Any]] = {
    "transaction": _one_of("auto", "none"),
    "lock_timeout_ms": _milliseconds,
    "statement_timeout_ms": _milliseconds,
    "phase": _one_of("expand", "backfill", "contract"),
    "requires": _version,
    "compatible": _version,
    "tables": _tables,
    "batch": _batch,
    "batch_rows": _number(1, MAX_BATCH_ROWS, "rows"),
    "pause_ms": _number(0, MAX_PAUSE_MS, "milliseconds"),
    "irreversible": _reason,
    "created": _day,
}


def _wrong(line: int, what: str, fix: str) -> Wrong:
    return Wrong(line=line, what=what, fix=fix, rule="migrations.header")
