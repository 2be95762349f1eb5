"""What the ledger adds to an explanation: what is delivered now, and the last rollouts of each unit."""

from __future__ import annotations

import msgspec

from pipelines.explaining.model import Delivered, Explanation, UnitExplanation, UnitRollout
from workflows.ledger import Ledger, history, units

FEW_UNITS = 5
ROLLOUTS_OF_FEW, ROLLOUTS_OF_MANY = 3, 1


async def with_rollouts(explanation: Explanation, ledger: Ledger) -> Explanation:
    """``explanation`` with the records of its units. Raises the errors of ``workflows.ledger.errors``."""
    limit = ROLLOUTS_OF_FEW if len(explanation.units) <= FEW_UNITS else ROLLOUTS_OF_MANY
    told = [await _with_records(unit, ledger, limit) for unit in explanation.units]
    return msgspec.structs.replace(explanation, units=tuple(told))


async def _with_records(unit: UnitExplanation, ledger: Ledger, limit: int) -> UnitExplanation:
    known = await units.find(ledger, unit.environment, unit.unit)
    touched = await history.history(ledger, unit.environment, unit=unit.unit, limit=limit)
    delivered = known and Delivered(
        status=known.status,
        commit=known.commit,
        rollout=known.rollout_id,
        at=known.updated_at,
        is_as_declared=known.digest == unit.digest,
    )
    rollouts = (
        UnitRollout(
            id=entry.rollout.id,
            status=entry.rollout.status,
            kind=entry.rollout.kind,
            commit=entry.rollout.commit,
            requested_by=entry.rollout.requested_by,
            started_at=entry.rollout.started_at,
        )
        for entry in touched
    )
    return msgspec.structs.replace(unit, delivered=delivered, rollouts=tuple(rollouts))
