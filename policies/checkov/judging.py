"""Verdicts × policies × the day → findings. Pure; where they stand is looked up in :mod:`policies.checkov.places`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from policies.checkov.catalogue import CATALOGUE, SEVERITIES
from policies.checkov.context import EnvironmentManifests
from policies.checkov.findings import PolicyFinding, Severity, Waiver
from policies.checkov.policy_rules import expiry
from policies.checkov.policy_set import PolicySet, titles
from policies.checkov.runner import CheckedObject, RawResults, Verdict


def judge(raw: RawResults, policies: PolicySet, today: date) -> list[PolicyFinding]:
    """Every failed verdict as a finding without a place, most severe first; ``today`` is the day in UTC.

    What a check of ADX says better is said once. A waiver that has expired no
    longer helps, and is named.
    """
    names = titles(policies, raw.loaded)
    found = [
        _finding(checked, verdict, names[verdict.check], policies, today)
        for checked in raw.objects
        for verdict in _told(checked)
        if policies.severity(verdict.check) != "off"
    ]
    return sorted(found, key=_order)


def unused_waivers(
    findings: Sequence[PolicyFinding], policies: PolicySet, environments: Sequence[EnvironmentManifests]
) -> tuple[Waiver, ...]:
    """The waivers that match no finding although everything was checked that they could match."""
    return tuple(
        waiver
        for waiver in policies.spec.waivers
        if not any(_matches(waiver, found) for found in findings) and _was_checked(waiver, environments)
    )


def has_expired(waiver: Waiver, today: date) -> bool:
    """Whether the last day of the waiver is over."""
    return expiry(waiver) < today


def _told(checked: CheckedObject) -> Iterator[Verdict]:
    """The failed verdicts, without those that another failed one covers."""
    failed = [verdict for verdict in checked.verdicts if not verdict.has_passed]
    ids = {verdict.check for verdict in failed}
    for verdict in failed:
        known = CATALOGUE.get(verdict.check)
        if known is None or known.covered_by not in ids:
            yield verdict


def _finding(
    checked: CheckedObject, verdict: Verdict, named: tuple[str, str], policies: PolicySet, today: date
) -> PolicyFinding:
    severity = policies.severity(verdict.check)
    if severity == "off":
        raise ValueError(f"{verdict.check} is switched off")
    waiver = _waiver(verdict.check, checked.environment, checked.unit, policies.spec.waivers)
    expired = waiver is not None and has_expired(waiver, today)
    is_severe = _rank(severity) >= _rank(policies.spec.threshold(checked.environment))
    return PolicyFinding(
        check=verdict.check,
        title=named[0],
        severity=severity,
        environment=checked.environment,
        unit=checked.unit,
        resource=checked.resource,
        file="",
        line=0,
        column=0,
        path="",
        fix=named[1],
        is_blocking=is_severe and (waiver is None or expired),
        waiver=waiver,
        is_waiver_expired=expired,
        detail="; ".join(verdict.details),
    )


def _waiver(check: str, environment: str, unit: str, waivers: Sequence[Waiver]) -> Waiver | None:
    """The matching waiver that holds longest."""
    matching = [waiver for waiver in waivers if _covers(waiver, check, environment, unit)]
    return max(matching, key=expiry, default=None)


def _matches(waiver: Waiver, found: PolicyFinding) -> bool:
    return _covers(waiver, found.check, found.environment, found.unit)


def _covers(waiver: Waiver, check: str, environment: str, unit: str) -> bool:
    return waiver.check == check and waiver.environment in ("", environment) and _is_unit(waiver.unit, unit)


def _is_unit(pattern: str, unit: str) -> bool:
    return not pattern or (unit.startswith(pattern[:-1]) if pattern.endswith("*") else unit == pattern)


def _was_checked(waiver: Waiver, environments: Sequence[EnvironmentManifests]) -> bool:
    scope = [given for given in environments if waiver.environment in ("", given.environment)]
    return bool(scope) and all(given.is_whole or waiver.unit in given.units for given in scope)


def _rank(severity: Severity) -> int:
    return SEVERITIES.index(severity)


def _order(found: PolicyFinding) -> tuple[bool, int, str, str, str, str]:
    return not found.is_blocking, -_rank(found.severity), found.environment, found.unit, found.resource, found.check
