"""What workflows and the ledger say, as an operation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.api import stories
from pipelines.api.starter import Claim, Meant
from workflows.fleet.models import FleetLimits, FleetState, Stage
from workflows.ledger.migrations_targets import DatabaseRun, RunStatus
from workflows.migrations.models import DatabaseMigrationStatus, FanOutStatus
from workflows.models import StepProgress

CLAIM = Claim(
    asked={},
    meant=Meant(id="r", environment="staging", database="shop", tenant_id="acme", target_version=2),
    requested_by="api:ci",
    claimed_at="2026-11-01T10:00:00+00:00",
)
STARTED, ENDED = datetime(2026, 11, 1, 10, tzinfo=UTC), datetime(2026, 11, 1, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        ("", "running"),
        ("delivered", "succeeded"),
        ("nothing-to-change", "succeeded"),
        ("restored", "rolled_back"),
        ("cancelled", "cancelled"),
        ("refused", "failed"),
        ("kept", "needs_operator"),
        ("needs-operator", "needs_operator"),
        ("something-new", "needs_operator"),
    ],
)
def test_each_end_of_a_migration_has_its_status(outcome: str, status: str) -> None:
    """What nobody knows is for a person to look at, never a success."""
    found = stories.of_database(CLAIM, DatabaseMigrationStatus("r", "staging", "t", outcome=outcome, failure="why"))

    assert (found.status, found.is_over) == (status, status != "running")
    assert (found.failure is None) == (status in ("running", "succeeded"))
    assert (found.progress.percent == 100) == found.is_over


def test_a_running_migration_is_never_at_a_hundred_percent() -> None:
    """Although all its steps are done."""
    steps = [StepProgress(name, "succeeded", "m", "2026-11-01T10:00:01", "2026-11-01T10:00:02") for name in "ab"]
    found = stories.of_database(CLAIM, DatabaseMigrationStatus("r", "staging", "t", steps=steps))

    assert (found.progress.percent, found.ended_at, found.progress.message) == (99, None, "b: m")


def test_waves_are_steps_and_marks_are_counted() -> None:
    """Each letter is one database."""
    state = FleetState(
        units=[f"u{number}" for number in range(8)],
        marks="dds.xrwo",
        waves=[Stage("canaries", 2), Stage("1", 2), Stage("2", 4)],
        limits=FleetLimits(),
    )
    found = stories.of_many(CLAIM, FanOutStatus("r", "staging", state=state), message="3 of 8 databases")
    tenants = found.progress.tenants

    assert (tenants.total, tenants.succeeded, tenants.running, tenants.waiting) == (8, 2, 2, 1)
    assert (tenants.failed, tenants.rolled_back) == (2, 1)
    assert found.progress.percent == 62
    assert [one.status for one in found.progress.steps] == ["succeeded", "running", "running"]
    assert found.progress.message == "3 of 8 databases"


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        (["delivered", "delivered"], "succeeded"),
        (["delivered", "restored"], "rolled_back"),
        (["delivered", "kept"], "needs_operator"),
        (["delivered", "migrating"], "needs_operator"),
        (["restored", "needs-operator"], "needs_operator"),
        ([], "failed"),
    ],
)
def test_the_ledger_alone_tells_the_worst_of_the_ends(ends: list[RunStatus], status: str) -> None:
    """A run without its workflow will not end by itself."""
    found = stories.of_runs(CLAIM, [run(number, end) for number, end in enumerate(ends)])

    assert (found.status, found.is_over) == (status, True)
    assert found.progress.tenants.total == len(ends)


def run(number: int, status: RunStatus) -> DatabaseRun:
    """What the ledger keeps of one database."""
    return DatabaseRun(
        operation_id="r",
        target=f"t{number}",
        environment="staging",
        from_version=1,
        to_version=2,
        status=status,
        reason="",
        catalog_before=None,
        catalog_after=None,
        written={},
        backup=None,
        started_at=STARTED,
        finished_at=ENDED,
    )
