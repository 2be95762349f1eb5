"""How a rollout ends in the ledger, and what follows from each kind of end."""

from __future__ import annotations

from temporalio import activity
from temporalio.service import RPCError

from policies.change_set import UnitChange
from policies.errors import AdxError
from policies.infrastructure.spec import DriftRules
from workflows.bodies import DeliveryBody
from workflows.clients.git import Revert
from workflows.drift.schedule import keep_schedule
from workflows.errors import AdxValidationError
from workflows.ledger import environments, fencing, quarantine, rollouts, units
from workflows.ledger.models import UnitStatus
from workflows.ledger.units import UnitState
from workflows.rollout.activity_models import Finished, FinishRequest, Validated
from workflows.rollout.beginning import begin_if_unknown
from workflows.rollout.housekeeping import tidy
from workflows.rollout.models import FAULTS_OF_COMMIT, NO_FAULTS_OF_COMMIT
from workflows.runtime import Runtime
from workflows.telemetry import logs
from workflows.telemetry.metrics import restore_finished, rollout_finished

# Ends after which the same commit would only end the same way again.
_QUARANTINING = ("restored", "cancelled", "needs-operator")
LAST_STEP = "status"
_DELIVERED = ("delivered", "partly-delivered", "nothing-to-change")


async def record_change_set(runtime: Runtime, rollout_id: str, validated: Validated) -> None:
    """Let `adx show` name what the rollout is about, and retention find its bodies."""
    change_set = {
        "summary": validated.summary,
        "changed_units": validated.changed_units,
        "changed_services": list(validated.changed_services),
        "desired_state": validated.desired_state,
        "delivery": validated.delivery,
        "core_state": validated.core_state,
        **_migrated(validated),
        **_released(validated),
    }
    await rollouts.describe(runtime.ledger, rollout_id, change_set=change_set)


def _migrated(validated: Validated) -> dict[str, str]:
    """The bodies that say which databases are migrated, before the services come and after."""
    stages = validated.migrations
    if stages is None:
        return {}
    named = {"migrations_before": stages.before, "migrations_after": stages.after}
    return {name: stage.targets for name, stage in named.items() if stage is not None}


def _released(validated: Validated) -> dict[str, str]:
    """The bodies in which old releases and new ones run side by side, on the way there and back."""
    releases = validated.releases
    return {} if releases is None else {"both_releases": releases.state, "way_back": releases.back_state}


async def finish(runtime: Runtime, request: FinishRequest) -> Finished:
    """Write the end. Every part may be repeated; the rollout's own row is written last."""
    await begin_if_unknown(runtime, request.rollout_id, request.submission)
    branch = ""
    if request.outcome in _DELIVERED:
        await _record_delivered(runtime, request)
    else:
        branch = await _record_not_delivered(runtime, request)
    await _finish_rollout(runtime, request)
    rollout_finished(request.submission.environment, request.outcome)
    return Finished(branch)


async def _record_delivered(runtime: Runtime, request: FinishRequest) -> None:
    validated = _required(request)
    environment = request.submission.environment
    if not request.fencing_token:  # nothing was changed, so nothing was held
        await fencing.acquire(runtime.ledger, environment, request.rollout_id)
    token = await fencing.renew(runtime.ledger, environment, request.rollout_id, "end")
    if request.outcome != "nothing-to-change":
        await _record_units(runtime, request, token, "applied")
    await environments.record_delivered(
        runtime.ledger,
        environment,
        commit=validated.commit,
        state_digest=request.delivered_state or validated.desired_state,
        snapshot=request.snapshot or None,
        fencing_token=token,
    )
    if request.submission.force:
        await quarantine.lift(
            runtime.ledger, environment, validated.commit, actor=request.submission.requested_by, source="cli"
        )
    is_rolled_back = request.submission.kind == "rollback" and request.outcome != "nothing-to-change"
    if is_rolled_back and validated.base_commit:
        reason = f"rolled back by {request.submission.requested_by}"
        await quarantine.add(
            runtime.ledger, environment, validated.base_commit, reason=reason, rollout_id=request.rollout_id
        )
    body = await runtime.bodies.get(validated.delivery, DeliveryBody, environment)
    await tidy(runtime, environment, body.environment.snapshots)
    await _keep_drift_schedule(environment, body.environment.drift)


async def _keep_drift_schedule(environment: str, rules: DriftRules | None) -> None:
    """What is declared of checks for drift holds from the delivery on."""
    try:
        await keep_schedule(activity.client(), activity.info().task_queue, environment, rules)
    except RPCError as error:  # the delivery is what it is; a worker that starts looks after it again
        logs.logger().warning("the schedule of drift cannot be kept", environment=environment, why=error.message)


async def _record_not_delivered(runtime: Runtime, request: FinishRequest) -> str:
    environment, validated = request.submission.environment, request.validated
    if request.outcome == "needs-operator":
        reason = f"{request.rollout_id}: {request.failure}"
        await environments.freeze(runtime.ledger, environment, reason=reason, rollout_id=request.rollout_id)
    if validated is not None and request.fencing_token:
        restore_finished(environment, "verified" if request.restore_verified else "failed")
        status: UnitStatus = "restored" if request.restore_verified else "frozen"
        token = await fencing.renew(runtime.ledger, environment, request.rollout_id, "end")
        await _record_units(runtime, request, token, status)
        if request.restore_verified and request.failed_step == LAST_STEP:
            await _take_back_delivered(runtime, request, token)
    if not _is_to_be_quarantined(request):
        return ""
    commit = validated.commit if validated else request.submission.commit
    await quarantine.add(runtime.ledger, environment, commit, reason=_reason(request), rollout_id=request.rollout_id)
    return await _prepare_revert(runtime, request)


async def _take_back_delivered(runtime: Runtime, request: FinishRequest, token: int) -> None:
    """The last step failed when it may have named the new state already: what is there is the state before."""
    validated, environment = _required(request), request.submission.environment
    if validated.base_commit and validated.base_state:
        await environments.record_delivered(
            runtime.ledger,
            environment,
            commit=validated.base_commit,
            state_digest=validated.base_state,
            snapshot=None,
            fencing_token=token,
        )
    else:
        await environments.forget_delivered(runtime.ledger, environment, fencing_token=token)


async def _record_units(runtime: Runtime, request: FinishRequest, token: int, status: UnitStatus) -> None:
    validated = _required(request)
    body = await runtime.bodies.get(validated.delivery, DeliveryBody, request.submission.environment)
    # What is delivered in waves is recorded by the deliveries of its cells, each unit as it ended.
    ours = [change for change in body.change_set.changes if not _is_in_waves(change, validated)]
    states = [_unit_state(change, status) for change in ours]
    await units.record(runtime.ledger, request.submission.environment, request.rollout_id, states, fencing_token=token)


def _is_in_waves(change: UnitChange, validated: Validated) -> bool:
    is_tenant = change.unit.startswith("tenant/")
    return bool(validated.core_state) and (is_tenant or change.unit in validated.late_removals)


def _unit_state(change: UnitChange, status: UnitStatus) -> UnitState:
    """Applied: as after the change. Restored or frozen: as before it."""
    unit = change.after if status == "applied" else change.before
    if unit is None:
        other = change.before or change.after
        commit = other.commit if other else ""
        return UnitState(
            unit=change.unit, status="removed" if status != "frozen" else status, digest=None, commit=commit
        )
    version = units.version_of(unit)
    return UnitState(unit=change.unit, status=status, digest=unit.digest, commit=unit.commit, version=version)


def _is_to_be_quarantined(request: FinishRequest) -> bool:
    """Whether trying the commit again would only fail again. A rollback's target was good once."""
    if request.submission.kind == "rollback" or not request.submission.commit:
        return False
    if request.error_type in NO_FAULTS_OF_COMMIT:
        return False
    return request.outcome in _QUARANTINING or (
        request.outcome in ("refused", "failed") and request.error_type in FAULTS_OF_COMMIT
    )


def _reason(request: FinishRequest) -> str:
    if request.outcome == "cancelled":
        return f"cancelled during {request.failed_step}"
    return f"failed at {request.failed_step}: {request.failure}"


async def _prepare_revert(runtime: Runtime, request: FinishRequest) -> str:
    """Push a branch that reverts the failed commit's declarations; empty where that is not possible."""
    validated = request.validated
    if validated is None or validated.base_commit is None or request.outcome != "restored":
        return ""
    branch = f"adx/revert-{request.submission.environment}-{validated.commit[:12]}"
    revert = Revert(
        bad=validated.commit,
        good=validated.base_commit,
        branch=branch,
        message=f"Revert {validated.commit[:12]}: {request.failed_step} failed in {request.submission.environment}",
    )
    try:
        await runtime.repository.push_revert(revert)
    except AdxError as error:  # a convenience: the end is recorded all the same, with the reason
        logs.logger().warning("no revert branch", branch=branch, reason=str(error))
        return ""
    return branch


async def _finish_rollout(runtime: Runtime, request: FinishRequest) -> None:
    failure = {"step": request.failed_step, "message": request.failure} if request.failure else None
    was_restored = request.outcome not in _DELIVERED and bool(request.snapshot)
    base = request.validated.base_commit if request.validated else None
    await rollouts.finish(
        runtime.ledger,
        request.rollout_id,
        request.outcome,
        failure=failure,
        restored_to=(base or "nothing") if was_restored else None,
        restore_verified=request.restore_verified if was_restored else None,
    )


def _required(request: FinishRequest) -> Validated:
    if request.validated is None:
        raise AdxValidationError(f"{request.rollout_id} ended as {request.outcome} without having been validated")
    return request.validated
