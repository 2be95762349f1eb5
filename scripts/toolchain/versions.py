"""Versions of tools: found in what a tool prints, compared with a range. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

Version = tuple[int, int, int]

_NUMBER = re.compile(r"(?<![\d.])v?(\d+)\.(\d+)(?:\.(\d+))?")
_CLAUSE = re.compile(r"(>=|<=|==|>|<)(\d+(?:\.\d+){0,2})$")
_COMPARE: dict[str, Callable[[Version, Version], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}


def find_version(text: str) -> str | None:
    """The first ``1.2`` or ``v1.2.3`` in ``text``, without its v; None when there is none."""
    found = _NUMBER.search(text)
    if found is None:
        return None
    return ".".join(part for part in found.groups() if part is not None)


def parse(version: str) -> Version:
    """``"1.26"`` as ``(1, 26, 0)``; ValueError for anything but one to three numbers."""
    numbers = [int(part) for part in version.split(".")]
    if not 1 <= len(numbers) <= 3:
        raise ValueError(f"a version has one to three numbers: {version!r}")
    padded = [*numbers, 0, 0]
    return padded[0], padded[1], padded[2]


def is_acceptable(version: str, accepted: str) -> bool:
    """Whether ``version`` lies in a range like ``">=1.26,<2"``; ValueError for a range that cannot be read."""
    return all(_satisfies(parse(version), clause.strip()) for clause in accepted.split(","))


def _satisfies(version: Version, clause: str) -> bool:
    matched = _CLAUSE.match(clause)
    if matched is None:
        raise ValueError(f"not a version range: {clause!r}, write for example >=1.26,<2")
    return _COMPARE[matched[1]](version, parse(matched[2]))
