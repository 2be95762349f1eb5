"""Fields that differ, as a reviewer reads them: fewer, shorter, and without what the unit says already. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import msgspec

from pipelines.preview.report import UnitRow
from policies.change_set import FieldChange

_PROBE_FIELD = re.compile(r"service\.probes\.(readiness|liveness|startup)\.")
_PROBE_PORT = re.compile(_PROBE_FIELD.pattern + "port")
_OF_SERVICE = "service."
_FLAG_FIELD = re.compile(r"(flags\[[^\]]+\])\.(\w+)")
_FLAG_STATE = {"enabled", "percentage", "type"}
_SIDES = ("before", "after")
_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./:+-]*")
_NO_TEXT = frozenset({"true", "false", "null"})  # words that mean something else without quotation marks


def told_fields(fields: Sequence[FieldChange]) -> list[FieldChange | str]:
    """``fields`` in their order, of a probe or flag that comes, goes or changes as one.

    What a service is called is no part of a path: the unit says it.
    """
    whole = {match[1]: field for field in fields if (match := _PROBE_PORT.fullmatch(field.path)) and _is_whole(field)}
    told: list[FieldChange | str] = []
    for field in _with_flags(fields):
        match = _PROBE_FIELD.match(field.path)
        probe = match[1] if match is not None else ""
        if probe not in whole:
            told.append(msgspec.structs.replace(field, path=field.path.removeprefix(_OF_SERVICE)))
        elif whole[probe] is field:
            told.append(f"{probe} probe {'removed' if field.after is None else 'added'}")
    return told


def without_quotes(text: str) -> str:
    """The JSON ``text`` of a plain word as it stands in YAML; everything else as it is: ``"2"`` is no number."""
    inner = text[1:-1]
    return inner if text[:1] == '"' and _PLAIN_WORD.fullmatch(inner) and inner not in _NO_TEXT else text


def changed_flags(row: UnitRow) -> set[str]:
    """The flags that differ, where nothing but flags does; else empty."""
    found = [_FLAG_FIELD.match(field.path) for field in row.fields]
    return {match[1] for match in found if match is not None} if all(found) else set()


def _is_whole(port: FieldChange) -> bool:
    """A probe always has a port: where none was, or none is left, there was or is no probe."""
    return port.before is None or port.after is None


def _with_flags(fields: Iterable[FieldChange]) -> Iterator[FieldChange]:
    """``fields`` in which a flag that is switched is one: ``off → 5 %``."""
    for flag, found in groupby(fields, _flag_of):
        group = list(found)
        of_flag = {field.path.rpartition(".")[2]: field for field in group if flag}
        before, after = (_state({name: getattr(one, side) for name, one in of_flag.items()}) for side in _SIDES)
        if before and after:
            yield FieldChange(path=flag, before=before, after=after)
        else:
            yield from group


def _flag_of(field: FieldChange) -> str:
    match = _FLAG_FIELD.fullmatch(field.path)
    return match[1] if match is not None and match[2] in _FLAG_STATE else ""


def _state(values: dict[str, str | None]) -> str:
    """What one side says of a flag, as people do; empty where it cannot be told in a word."""
    share, enabled = values.get("percentage"), values.get("enabled")
    if share is not None:
        return f"{share.removesuffix('.0')} %"
    return {"true": "on", "false": "off"}.get(enabled or "", "")
