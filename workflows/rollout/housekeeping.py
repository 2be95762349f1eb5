"""Which bodies of an environment may go, after a delivery. What the last good state needs never does."""

from __future__ import annotations

from datetime import UTC, datetime

from policies.infrastructure.spec import SnapshotRetention
from workflows.ledger import environments, rollouts
from workflows.ledger.models import Environment, Rollout
from workflows.runtime import Runtime
from workflows.snapshots import retention
from workflows.snapshots.naming import SnapshotEntry

ROLLOUTS_LOOKED_AT = 500
# Fields of a rollout's change set that name bodies in the store.
BODY_FIELDS = ("snapshot", "exported_state", "base_state", "desired_state", "core_state", "delivered_state", "delivery")


async def prune_bodies(runtime: Runtime, environment: str, rule: SnapshotRetention) -> int:
    """Delete what the declared rule no longer keeps; returns how many bodies went."""
    known = await environments.find(runtime.ledger, environment)
    past = await rollouts.newest(runtime.ledger, environment, limit=ROLLOUTS_LOOKED_AT)
    stored = await runtime.store.entries(environment)
    gone = removable(known, past, stored, rule, datetime.now(UTC))
    for entry in gone:
        await runtime.store.delete(entry.digest, owner=environment)
    return len(gone)


def removable(
    known: Environment | None,
    past: tuple[Rollout, ...],
    stored: tuple[SnapshotEntry, ...],
    rule: SnapshotRetention,
    now: datetime,
) -> tuple[SnapshotEntry, ...]:
    """Pure: of ``stored``, what no rollout kept by ``rule`` refers to, and the last good state does not need."""
    last_good = known.last_good_snapshot if known else None
    snapshots = {_bodies(rollout).get("snapshot", "") for rollout in past} - {""}
    taken = [entry for entry in stored if entry.digest in snapshots]
    pruned = {entry.digest for entry in retention.prune(taken, rule, {last_good or ""}, now)}
    kept = [rollout for rollout in past if _bodies(rollout).get("snapshot") not in pruned]
    reachable = {digest for rollout in kept for digest in (*_bodies(rollout).values(), rollout.plan_digest or "")}
    if known is not None:
        reachable |= {known.delivered_state_digest or "", last_good or ""}
    return retention.unreachable(stored, reachable, now)


def _bodies(rollout: Rollout) -> dict[str, str]:
    described = rollout.change_set or {}
    return {name: str(described[name]) for name in BODY_FIELDS if described.get(name)}
