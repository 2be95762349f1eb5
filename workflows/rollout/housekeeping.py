"""What may go after a delivery: bodies that nothing refers to any more, and rows of the ledger that are too old.

What the last good state needs never does. Nothing here decides how a rollout
ended, so what cannot be tidied is told and left for the next one.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from policies.errors import AdxError
from policies.infrastructure.spec import SnapshotRetention
from workflows.ledger import deliveries, environments, fencing, idempotency, reviews, rollouts
from workflows.ledger.models import Environment, Rollout
from workflows.runtime import Runtime
from workflows.snapshots import retention
from workflows.snapshots.naming import SnapshotEntry
from workflows.telemetry import logs

ROLLOUTS_LOOKED_AT = 500
RESULTS_KEPT = timedelta(days=90)  # a rollout may wait long for an approval or a freeze
DELIVERIES_KEPT = timedelta(days=30)
REVIEWS_KEPT = timedelta(days=180)
FENCING_TOKENS_KEPT = 1000
# Fields of a rollout's change set that name bodies in the store.
BODY_FIELDS = (
    *("snapshot", "exported_state", "base_state", "desired_state", "core_state", "delivery"),
    *("migrations_before", "migrations_after"),
    *("both_releases", "way_back"),
)


async def tidy(runtime: Runtime, environment: str, rule: SnapshotRetention) -> None:
    """Remove what is no longer kept, as far as that is possible now; never raises AdxError."""
    try:
        await prune_bodies(runtime, environment, rule)
        await prune_rows(runtime, environment)
    except AdxError as error:
        logs.logger().warning("not tidied", environment=environment, reason=str(error))


async def prune_rows(runtime: Runtime, environment: str) -> None:
    """Forget what no workflow, replay or review can ask for any more."""
    now = datetime.now(UTC)
    await idempotency.prune(runtime.ledger, recorded_before=now - RESULTS_KEPT)
    await deliveries.prune(runtime.ledger, received_before=now - DELIVERIES_KEPT)
    await reviews.prune(runtime.ledger, recorded_before=now - REVIEWS_KEPT)
    await fencing.prune(runtime.ledger, environment, keep=FENCING_TOKENS_KEPT)


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
