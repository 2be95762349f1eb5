"""Records as ledger and workflows give them, at fixed times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from workflows.ledger.models import Rollout, RolloutHistory, Step, UnitRecord
from workflows.models import StepProgress, StepStatus
from workflows.rollout.models import EnvironmentStatus, RolloutStatus, Submission
from workflows.rollout.step_names import DELIVERY_STEPS, RESTORE_STEPS

START = datetime(2026, 1, 31, 9, 5, tzinfo=UTC)
OLD, NEW, BAD = "3f2a9c1b" * 5, "8d1e77aa" * 5, "badc0de0" * 5


def at(**later: float) -> datetime:
    """A moment after the start."""
    return START + timedelta(**later)


DELIVERED = Rollout(
    id="adx-rollout-production-8d1e77aa8d1e-0a1b2c",
    environment="production",
    kind="deliver",
    commit=NEW,
    base_commit=OLD,
    status="delivered",
    requested_by="github:ana",
    source="webhook",
    change_set={"units": 3},
    plan_digest="9f86d081884c7d65" * 4,
    failure=None,
    restored_to=None,
    restore_verified=None,
    started_at=at(),
    finished_at=at(seconds=42),
)
RESTORED = msgspec.structs.replace(
    DELIVERED,
    id="adx-rollout-production-badc0de0badc-3d4e5f",
    commit=BAD,
    base_commit=NEW,
    status="restored",
    failure={"step": "deploy", "message": "service/cartservice: ImagePullBackOff in cartservice-7d9f-x2x"},
    restored_to=NEW,
    restore_verified=True,
    started_at=at(hours=1),
    finished_at=at(hours=1, minutes=2, seconds=5),
)
RUNNING = msgspec.structs.replace(
    DELIVERED,
    id="adx-rollout-staging-8d1e77aa8d1e-6a7b8c",
    environment="staging",
    status="running",
    requested_by="bo",
    source="cli",
    started_at=at(hours=2),
    finished_at=None,
)


def _step(rollout: Rollout, sequence: int, name: str, **changes: object) -> Step:
    step = Step(
        rollout_id=rollout.id,
        sequence=sequence,
        name=name,
        unit=None,
        status="succeeded",
        attempts=1,
        detail={"message": f"{name} done"},
        started_at=rollout.started_at + timedelta(seconds=sequence * 5),
        finished_at=rollout.started_at + timedelta(seconds=sequence * 5 + 4.2),
    )
    return msgspec.structs.replace(step, **changes)


def _unit(rollout: Rollout, unit: str, **changes: object) -> UnitRecord:
    record = UnitRecord(
        environment=rollout.environment,
        unit=unit,
        status="applied",
        digest="d" * 64,
        commit=rollout.commit,
        rollout_id=rollout.id,
        fencing_token=7,
        updated_at=rollout.started_at + timedelta(seconds=40),
    )
    return msgspec.structs.replace(record, **changes)


DELIVERED_IN_FULL = RolloutHistory(
    rollout=DELIVERED,
    steps=tuple(_step(DELIVERED, number, name) for number, name in enumerate(DELIVERY_STEPS)),
    units=(_unit(DELIVERED, "platform"), _unit(DELIVERED, "service/cartservice"), _unit(DELIVERED, "tenant/globex")),
)
RESTORED_IN_FULL = RolloutHistory(
    rollout=RESTORED,
    steps=(
        _step(RESTORED, 0, "validate", detail={"message": "1 unit changes"}),
        _step(RESTORED, 1, "apply", attempts=2, detail={"creates": 0, "updates": 1}),
        _step(
            RESTORED,
            2,
            "deploy",
            unit="service/cartservice",
            status="failed",
            detail={"message": "ImagePullBackOff: the image acme/cartservice:v0.10.9-does-not-exist cannot be pulled"},
        ),
        _step(RESTORED, 3, "restore", finished_at=None, status="running", detail={}),
    ),
    units=(_unit(RESTORED, "service/cartservice", status="restored", commit=NEW),),
)


def status(done: int, state: StepStatus, *, commit: str = NEW, rollout_id: str = DELIVERED.id) -> RolloutStatus:
    """A rollout whose first ``done`` steps succeeded and whose next is in ``state``."""
    steps = [StepProgress(name) for name in DELIVERY_STEPS]
    for number, step in enumerate(steps[: done + 1]):
        step.started_at = at(seconds=number * 5).isoformat()
        if number < done:
            step.status, step.message = "succeeded", f"{step.name} done"
            step.finished_at = at(seconds=number * 5 + 4.2).isoformat()
        else:
            step.status = state
    return RolloutStatus(
        rollout_id=rollout_id,
        environment="production",
        commit=commit,
        kind="deliver",
        requested_by="ana",
        source="cli",
        base_commit=OLD,
        summary="1 unit to add, 1 to change: tenant/globex, service/cartservice",
        steps=steps,
    )


def failed() -> RolloutStatus:
    """A rollout that failed while waiting for workloads and was restored."""
    made = status(4, "failed")
    made.steps[4].finished_at = at(seconds=95).isoformat()
    made.steps[4].message = "service/cartservice: ImagePullBackOff"
    for step in made.steps[5:]:
        step.status = "skipped"
    made.phase, made.outcome = "ended", "restored"
    made.failed_step, made.failure = "deploy", "service/cartservice: ImagePullBackOff"
    made.revert_branch = "adx/revert-8d1e77aa8d"
    return made


def restore_steps() -> list[StepProgress]:
    """All steps of a restore, succeeded."""
    return [
        StepProgress(
            name,
            "succeeded",
            f"{name} done",
            at(seconds=100 + number * 5).isoformat(),
            at(seconds=104.5 + number * 5).isoformat(),
        )
        for number, name in enumerate(RESTORE_STEPS)
    ]


def ended(outcome: str, *, commit: str = NEW, rollout_id: str = DELIVERED.id) -> RolloutStatus:
    """A rollout that ended as ``outcome``."""
    made = status(6, "succeeded", commit=commit, rollout_id=rollout_id)
    made.phase, made.outcome = "ended", outcome
    return made


def submission(commit: str = NEW) -> Submission:
    """A submission to production."""
    return Submission("production", commit, "ana", "cli")


def environment_statuses() -> list[EnvironmentStatus]:
    """One idle, one busy, one frozen."""
    return [
        EnvironmentStatus("development", last=ended("delivered")),
        EnvironmentStatus("production", frozen_reason="the restore failed at verify: 2 objects differ", last=failed()),
        EnvironmentStatus("staging", current=RUNNING.id, pending=[submission()]),
    ]
