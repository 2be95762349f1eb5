"""What workflows and the ledger tell of a migration, as an operation. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipelines.api.starter import Claim
from pipelines.api.wire import UNDER_WAY, Failure, Operation, Progress, Status, Step, StepStatus, Tenants
from workflows.fleet import models as marks
from workflows.fleet.models import FleetState
from workflows.ledger.migrations_targets import DatabaseRun, RunStatus
from workflows.migrations.models import DatabaseMigrationStatus, FanOutStatus
from workflows.models import StepProgress

NEXT_STEPS: Mapping[Status, str] = {
    "failed": "nothing was changed; correct what the message says and start a new one",
    "rolled_back": "everything is as it was; correct the script and start a new one",
    "needs_operator": "look at the database: `adx migrate status` says which, and how it was left",
}
_ENDS: Mapping[str, Status] = {
    "delivered": "succeeded",
    "nothing-to-change": "succeeded",
    "restored": "rolled_back",
    "undone": "rolled_back",
    "cancelled": "cancelled",
    "refused": "failed",
    "kept": "needs_operator",
    "needs-operator": "needs_operator",
    "partly-delivered": "failed",
    "stopped": "failed",
    "rejected": "failed",
    "superseded": "cancelled",
}
_MOST_WHILE_RUNNING = 99
_MARKS: Mapping[str, str] = {
    marks.PENDING: "waiting",
    marks.STARTED: "running",
    marks.CANCELLING: "running",
    marks.UNPROVEN: "succeeded",
    marks.DELIVERED: "succeeded",
    marks.RESTORING: "running",
    marks.FAILED: "failed",
    marks.TAKEN_BACK: "rolled_back",
    marks.NEEDS_OPERATOR: "failed",
    marks.SKIPPED: "skipped",
}
_NAMES = frozenset(_MARKS.values())
_REASONS_SHOWN = 5


def waiting(claim: Claim, message: str) -> Operation:
    """What is claimed and not begun."""
    return _operation(claim, "waiting", Progress(message=message, tenants=Tenants(total=1, waiting=1)))


def of_database(claim: Claim, found: DatabaseMigrationStatus, ended_at: str = "", message: str = "") -> Operation:
    """One database's migration, running or ended."""
    status: Status = _ENDS.get(found.outcome, "needs_operator") if found.outcome else "running"
    steps = tuple(_step(one) for one in found.steps)
    progress = Progress(
        percent=_percent(status, sum(one.status in ("succeeded", "skipped") for one in steps), len(steps)),
        message=message or _said(found.steps),
        steps=steps,
        tenants=_one_tenant(status),
    )
    return _operation(claim, status, progress, ended_at=ended_at, failure=found.failure)


def of_many(claim: Claim, found: FanOutStatus, ended_at: str = "", message: str = "") -> Operation:
    """The databases of many tenants, in waves, running or ended."""
    status: Status = _ENDS.get(found.outcome, "needs_operator") if found.outcome else "running"
    tenants = _marked(found.state.marks if found.state is not None else "")
    progress = Progress(
        percent=_percent(status, tenants.total - tenants.waiting - tenants.running, tenants.total),
        message=found.text or message or ("" if found.state is not None else "the waves are being planned"),
        steps=tuple(_waves(found.state)) if found.state is not None else (),
        tenants=tenants,
    )
    why = "; ".join([found.reason or found.text, *found.reasons[:_REASONS_SHOWN]])
    return _operation(claim, status, progress, ended_at=ended_at, failure=why)


def of_runs(claim: Claim, runs: Sequence[DatabaseRun]) -> Operation:
    """What the ledger alone knows, when Temporal has forgotten the workflow."""
    worst: Sequence[RunStatus] = ("needs-operator", "kept", "migrating", "restored", "undone", "delivered")
    ends = {one.status for one in runs}
    end = next((one for one in worst if one in ends), "refused")
    # A run that no workflow is behind any more will not end by itself.
    status = _ENDS["needs-operator"] if end == "migrating" else _ENDS[end]
    ended = max((one.finished_at.isoformat() for one in runs if one.finished_at is not None), default="")
    reason = next((one.reason for one in runs if one.reason), "")
    progress = Progress(percent=_percent(status, 0, 1), tenants=_counted(runs))
    return _operation(claim, status, progress, ended_at=ended, failure=reason)


def _operation(claim: Claim, status: Status, progress: Progress, *, ended_at: str = "", failure: str = "") -> Operation:
    meant, is_over = claim.meant, status not in UNDER_WAY
    is_wrong = is_over and status != "succeeded"
    return Operation(
        operation_id=meant.id,
        status=status,
        is_over=is_over,
        environment=meant.environment,
        database=meant.database,
        tenant_id=meant.tenant_id or None,
        target_version=meant.target_version,
        requested_by=claim.requested_by,
        started_at=claim.claimed_at or None,
        ended_at=(ended_at or None) if is_over else None,
        progress=progress,
        failure=Failure(message=failure or status, next_step=NEXT_STEPS.get(status, "")) if is_wrong else None,
    )


def _step(one: StepProgress) -> Step:
    return Step(
        name=one.name,
        status=one.status,
        message=one.message,
        started_at=one.started_at or None,
        ended_at=one.finished_at or None,
    )


def _percent(status: Status, done: int, total: int) -> int:
    if status not in UNDER_WAY:
        return 100
    return min(_MOST_WHILE_RUNNING, 100 * done // total) if total else 0


def _said(steps: Sequence[StepProgress]) -> str:
    """What is being done, or what was done last."""
    begun = [one for one in steps if one.status not in ("pending", "skipped")]
    return f"{begun[-1].name}: {begun[-1].message or begun[-1].status}" if begun else ""


def _one_tenant(status: Status) -> Tenants:
    names: Mapping[Status, str] = {"cancelled": "rolled_back", "needs_operator": "failed"}
    return Tenants.model_validate({"total": 1, names.get(status, status): 1})


def _marked(letters: str) -> Tenants:
    counts = {name: sum(letters.count(mark) for mark, meant in _MARKS.items() if meant == name) for name in _NAMES}
    return Tenants.model_validate({"total": len(letters), **counts})


def _waves(state: FleetState) -> Iterator[Step]:
    """Each wave as a step."""
    begin = 0
    for wave in state.waves:
        found = _marked(state.marks[begin : begin + wave.size])
        begin += wave.size
        done = found.total - found.waiting - found.running
        is_begun = found.running or done
        status: StepStatus = "running" if is_begun else "pending"
        if done == found.total:
            status = "failed" if found.failed or found.rolled_back else "succeeded"
        yield Step(name=f"wave {wave.name}", status=status, message=f"{done} of {found.total} databases")


def _counted(runs: Sequence[DatabaseRun]) -> Tenants:
    ends = [one.status for one in runs]
    return Tenants(
        total=len(ends),
        running=ends.count("migrating"),
        succeeded=ends.count("delivered"),
        rolled_back=ends.count("restored") + ends.count("undone"),
        failed=ends.count("kept") + ends.count("needs-operator"),
    )
