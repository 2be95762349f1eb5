"""What a policy check finds. Pure data."""

from __future__ import annotations

from typing import Literal

from policies.spec import Spec

Severity = Literal["low", "medium", "high", "critical"]


class Waiver(Spec):
    """Somebody answers for a finding until ``expires`` (ISO 8601 date, the last day on which it holds).

    ``unit`` may end in ``*``; empty ``environment`` and ``unit`` mean all.
    """

    check: str
    owner: str
    reason: str
    expires: str
    environment: str = ""
    unit: str = ""


class PolicyFinding(Spec):
    """One rendered object that breaks one check, told at the declaration that caused it.

    ``line`` and ``column`` count from 1; 0 when the whole file is meant.
    ``detail`` says what exactly is wrong, where the check says so.
    ``is_blocking`` when the severity reaches the threshold and no waiver holds.
    ``waiver`` is the one that applies, or the one that has expired.
    """

    check: str
    title: str
    severity: Severity
    environment: str
    unit: str
    resource: str
    file: str
    line: int
    column: int
    path: str
    fix: str
    is_blocking: bool
    waiver: Waiver | None = None
    is_waiver_expired: bool = False
    detail: str = ""
