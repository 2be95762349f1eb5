"""The exit status of `adx drift`. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from pipelines.exit_codes import ExitCode
from workflows.drift.findings import EnvironmentDrift


def exit_code(found: Iterable[EnvironmentDrift]) -> ExitCode:
    """UNREACHABLE when anything could not be checked: no answer is complete then. Else FAILED for drift."""
    statuses = {one.status for one in found}
    if "unchecked" in statuses:
        return ExitCode.UNREACHABLE
    return ExitCode.FAILED if "drifted" in statuses else ExitCode.OK
