"""Reports that several CI jobs made of one pull request, each of its environment → one report. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from pipelines.preview.report import EnvironmentReport, Report
from policies.errors import AdxError

T = TypeVar("T")
_SAME = ("base", "head", "merged", "policies_commit")


class ReportsDisagree(AdxError):
    """The reports are not of one and the same pull request."""


class ReportUnreadable(AdxError):
    """This is not the JSON of a report."""


def read_report(data: bytes, source: str) -> Report:
    """The report that ``data`` (JSON) holds; ``source`` names it in the error. Raises ReportUnreadable."""
    try:
        return msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ReportUnreadable(
            f"{source} is no report of a preview: {error}",
            next_step="write one with `adx preview --output FILE`, by the same version of ADX",
        ) from error


def merged(reports: Sequence[Report]) -> Report:
    """All environments of ``reports`` in one report, ordered by name; notes and tools each once.

    Raises ReportsDisagree when there is none, when they are of different
    commits, or when two of them say different things of one environment.
    """
    if not reports:
        raise ReportsDisagree("there is no report to join", next_step="name the files of `adx preview --output FILE`")
    first = reports[0]
    for other in reports[1:]:
        _require_same(first, other)
    return msgspec.structs.replace(
        first,
        environments=_environments(one for report in reports for one in report.environments),
        notes=_once(note for report in reports for note in report.notes),
        tools=_once(tool for report in reports for tool in report.tools),
    )


def _require_same(first: Report, other: Report) -> None:
    for name in _SAME:
        ours, theirs = getattr(first, name), getattr(other, name)
        if ours != theirs:
            raise ReportsDisagree(
                f"the reports are of different commits: {name.replace('_', ' ')} {ours or '(none)'} and "
                f"{theirs or '(none)'}",
                next_step="make all of them of the same base and head",
            )


def _environments(found: Iterable[EnvironmentReport]) -> tuple[EnvironmentReport, ...]:
    by_name: dict[str, EnvironmentReport] = {}
    for one in found:
        if by_name.setdefault(one.environment, one) != one:
            raise ReportsDisagree(
                f"two reports say different things of {one.environment}",
                next_step="give the report of each environment once",
            )
    return tuple(by_name[name] for name in sorted(by_name))


def _once(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(values))
