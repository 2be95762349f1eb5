"""Runs of the ledger as results, catalogs as rows, and what stood in what a version brought. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from policies.desired_state import digest_of
from policies.migrations.catalog import Catalog
from policies.migrations.model import MigrationPlan
from workflows.ledger import audit
from workflows.ledger.migrations_claims import TargetClaim
from workflows.ledger.migrations_targets import DatabaseRun
from workflows.ledger.models import AuditEntry
from workflows.migrations.losses import NOT_SEEN
from workflows.migrations.models import TargetPlanned, TargetResult


def baseline(runs: Sequence[DatabaseRun], version: int) -> tuple[dict[str, str], str] | None:
    """What stood in everything that came after ``version`` when it came, and the digest of the catalog before it. Pure.

    ``runs`` are what brought the database where it is, newest first. None where the ledger does not know.
    """
    known: dict[str, str] = {}
    reached = runs[0].to_version if runs else None
    for run in runs:
        if run.to_version != reached or run.from_version >= run.to_version:
            continue
        if NOT_SEEN.items() <= run.written.items() or run.from_version < version or run.catalog_before is None:
            return None
        known, reached = {**run.written, **known}, run.from_version
        if reached == version:
            return known, run.catalog_before
    return None


def as_body(catalog: Catalog) -> dict[str, object]:
    """A catalog as the ledger keeps it."""
    return {"digest": catalog.digest(), "body": msgspec.to_builtins(catalog)}


def as_planned(plan: MigrationPlan) -> TargetPlanned:
    """A plan as a workflow keeps it."""
    return TargetPlanned(plan.from_version, plan.to_version, [one.id for one in plan.migrations])


def loss_entry(claim: TargetClaim, target: str, accepted_by: str, lost: Sequence[str]) -> AuditEntry:
    """That somebody has accepted the loss of what was written. Asked again with the same losses it is the same."""
    return AuditEntry(
        key=f"migrations.lost:{claim.operation_id}:{target}:{digest_of(sorted(lost))[:16]}",
        actor=audit.escape_name(accepted_by),
        source="workflow",
        action="migrations.lost",
        environment=claim.environment,
        detail={"operation_id": claim.operation_id, "database": target, "lost": sorted(lost)},
    )


def result_of(run: DatabaseRun) -> TargetResult | None:
    """What an earlier attempt has written as the end; None while there is none."""
    if run.status == "migrating":
        return None
    version = run.to_version if run.status in ("delivered", "kept") else run.from_version
    outcome = "restored" if run.status == "undone" else run.status
    return TargetResult(run.target, outcome, version, run.reason)
