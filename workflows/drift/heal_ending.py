"""How a heal ends in the ledger. Every part may be repeated; the rollout's own row is written last."""

from __future__ import annotations

from datetime import UTC, datetime

from policies.desired_state import DesiredState, Unit
from workflows.drift.models import HealEnd
from workflows.ledger import drift, environments, fencing, rollouts, units
from workflows.ledger.models import UnitStatus
from workflows.ledger.units import UnitState, version_of
from workflows.rollout.beginning import begin_if_unknown
from workflows.runtime import Runtime
from workflows.telemetry.metrics import drift_healed, restore_finished, rollout_finished

BEFORE = "what the cluster held before the heal"
_HEALED = ("delivered", "partly-delivered")


async def finish_heal(runtime: Runtime, request: HealEnd) -> None:
    """Write the end. The commit is never quarantined: it was delivered, and only what others did is undone."""
    environment = request.submission.environment
    await begin_if_unknown(runtime, request.rollout_id, request.submission)
    if request.outcome == "needs-operator":
        reason = f"{request.rollout_id}: {request.failure}"
        await environments.freeze(runtime.ledger, environment, reason=reason, rollout_id=request.rollout_id)
    if request.fencing_token and request.planned is not None:
        await _record_units(runtime, request)
        if request.outcome not in _HEALED:
            restore_finished(environment, "verified" if request.is_restored else "failed")
    failure = {"step": request.failed_step, "message": request.failure} if request.failure else None
    was_restored = bool(request.fencing_token) and request.outcome not in _HEALED
    await rollouts.finish(
        runtime.ledger,
        request.rollout_id,
        request.outcome,
        failure=failure,
        restored_to=BEFORE if was_restored else None,
        restore_verified=request.is_restored if was_restored else None,
    )
    rollout_finished(environment, request.outcome)


async def _record_units(runtime: Runtime, request: HealEnd) -> None:
    planned, environment = request.planned, request.submission.environment
    assert planned is not None  # noqa: S101 - the caller looked
    desired = (await runtime.bodies.get(planned.state, DesiredState, environment)).by_id()
    states = [_state(request, desired[unit]) for unit in planned.units]
    token = await fencing.renew(runtime.ledger, environment, request.rollout_id, "end")
    await units.record(runtime.ledger, environment, request.rollout_id, states, fencing_token=token)
    back = [one.unit for one in states if one.status == "applied"]
    others = [one.unit for one in states if one.status != "applied"]
    for some, is_back in ((back, True), (others, False)):
        await drift.healed(
            runtime.ledger, environment, some, rollout_id=request.rollout_id, at=datetime.now(UTC), is_back=is_back
        )
    drift_healed(environment, "healed", len(back))
    drift_healed(environment, "undone" if request.outcome != "needs-operator" else "needs-operator", len(others))


def _state(request: HealEnd, unit: Unit) -> UnitState:
    """Healed: applied as it was delivered. Else what it was before the heal, or unknown."""
    why = request.failed.get(unit.id, "") if request.outcome in _HEALED else request.failure
    status: UnitStatus = "applied"
    if request.outcome == "needs-operator":
        status = "frozen"
    elif why or request.outcome not in _HEALED:
        status = "restored"
    return UnitState(
        unit=unit.id,
        status=status,
        digest=unit.digest,
        commit=unit.commit,
        version=version_of(unit),
        reason=f"drift not healed: {why}" if status != "applied" else "drift healed",
    )
