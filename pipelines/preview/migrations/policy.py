"""What the safety checks of database scripts say as findings of policies, for `adx policy`, which asks no database.

Where a check weighs how large a table is, only the preview can tell: here such a finding warns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import msgspec

from pipelines.preview.changes import EnvironmentChange, PullRequestChange
from pipelines.preview.migrations.changes import is_touched
from pipelines.preview.migrations.report import FoundMigrations, MigrationOutline
from pipelines.preview.policy import PolicyAnswer
from policies.checkov.findings import PolicyFinding, Waiver
from policies.migrations.safety.catalogue import CHECKS
from policies.migrations.safety.findings import SafetyFinding, ScriptWaiver

BY_SIZE = "whether it blocks depends on how large the table is, which the preview asks"


def with_migrations(answer: PolicyAnswer, change: PullRequestChange, environments: Iterable[str]) -> PolicyAnswer:
    """``answer`` with the findings in the scripts that ``change`` would run in each of ``environments``."""
    findings, unchecked = dict(answer.findings), list(answer.unchecked)
    for one in map(change.of, environments):
        found = _found(change, one)
        told = tuple(policy_findings(one.environment, found.outlines))
        findings |= {one.environment: (*findings.get(one.environment, ()), *told)} if told else {}
        unchecked += found.unchecked
    return replace(answer, findings=findings, unchecked=tuple(dict.fromkeys(unchecked)))


def policy_findings(environment: str, outlines: Iterable[MigrationOutline]) -> Iterable[PolicyFinding]:
    """The findings of ``outlines``, each once."""
    found = [_finding(environment, outline, one) for outline in outlines for one in outline.findings]
    return {msgspec.json.encode(one): one for one in found}.values()


def _found(change: PullRequestChange, one: EnvironmentChange) -> FoundMigrations:
    if one.after is None or not (one.edited_scripts or is_touched(one.base, one.after)):
        return FoundMigrations()
    from pipelines.preview.migrations.facts import Question, found_migrations  # noqa: PLC0415 - costs to import

    return asyncio.run(found_migrations(Question(change, one.environment, one.base, one.after, {})))


def _finding(environment: str, outline: MigrationOutline, found: SafetyFinding) -> PolicyFinding:
    check = CHECKS.get(found.check)
    is_by_size = check is not None and check.is_about_size and found.is_blocking
    details = [one for one in (found.detail, BY_SIZE if is_by_size else "") if one]
    return PolicyFinding(
        check=found.check,
        title=found.title,
        severity=found.severity,
        environment=environment,
        unit=f"database/{outline.database}",
        resource=found.file.rpartition("/")[2],
        file=found.file,
        line=found.line,
        column=1,
        path="",
        fix=found.safe_way,
        is_blocking=found.is_blocking and not is_by_size,
        waiver=_waiver(found.waiver) if found.waiver is not None else None,
        is_waiver_expired=found.is_waiver_expired,
        detail="; ".join(details),
    )


def _waiver(waiver: ScriptWaiver) -> Waiver:
    return Waiver(
        check=waiver.check,
        owner=waiver.owner,
        reason=waiver.reason,
        expires=waiver.expires,
        environment=waiver.environment,
    )
