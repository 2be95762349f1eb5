"""Claims on databases: who may change one now.

A target belongs to the attempt that claimed it last; where a rollout stands
behind it, only while that rollout owns the environment. As for cells, targets
of one rollout are worked on side by side. An operation without a rollout takes
no target that another one is changing, and none back that another one took.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import exists, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger import environments, fencing
from workflows.ledger.connection import Ledger
from workflows.ledger.errors import LedgerRefused, StaleFencingToken
from workflows.ledger.migrations_tables import database_runs, database_targets
from workflows.ledger.models import Record
from workflows.ledger.tables import rollouts


class TargetBusy(LedgerRefused):
    """Another operation is changing the database, or a rollout of its environment is under way."""

    exit_code = 3


class TargetClaim(Record, frozen=True, kw_only=True):
    """One attempt's claim. ``environment_token`` is what its rollout owns the environment by; None without one."""

    environment: str
    operation_id: str
    holder: str
    environment_token: int | None = None


class BusyTarget(Record, frozen=True, kw_only=True):
    """A target that may not be claimed now. ``is_taken_over``: the operation had begun it before another one came."""

    target: str
    why: str
    is_taken_over: bool


class ClaimedTarget(Record, frozen=True, kw_only=True):
    """A database to be claimed: what of it the ledger keeps from then on."""

    target: str
    scripts: str
    engine: str
    tenants: list[str]


async def claim(ledger: Ledger, wanted: TargetClaim, targets: Sequence[ClaimedTarget]) -> None:
    """Claim ``targets`` for the attempt; asked again it has them already.

    Raises StaleFencingToken when another rollout owns the environment, or another operation has taken over a target
    that this one had begun; TargetBusy for one that another operation is changing; LedgerRefused for a database that
    another environment has migrated. Then none is claimed.
    """
    async with ledger.transaction() as connection:
        busy = await _begin(connection, wanted, [one.target for one in targets])
        if busy:
            raise _error_of(busy[0])
        await _take(connection, wanted, targets)


async def claim_free(ledger: Ledger, wanted: TargetClaim, targets: Sequence[ClaimedTarget]) -> dict[str, BusyTarget]:
    """As ``claim``, but for those that are busy or taken over: they are returned, by name."""
    async with ledger.transaction() as connection:
        busy = {one.target: one for one in await _begin(connection, wanted, [one.target for one in targets])}
        await _take(connection, wanted, [one for one in targets if one.target not in busy])
    return busy


async def check(ledger: Ledger, claimed: TargetClaim, targets: Collection[str]) -> None:
    """Return if the attempt still holds all of ``targets``. Raises StaleFencingToken."""
    async with ledger.transaction() as connection:
        await check_in(connection, claimed, targets)


async def check_in(connection: AsyncConnection, claimed: TargetClaim, targets: Collection[str]) -> None:
    """As ``check``, and nobody claims them before this transaction ends."""
    await _check_environment(connection, claimed)
    table = database_targets.c
    chosen = select(table.target).where(table.target.in_(list(targets)), table.holder == claimed.holder)
    held = set((await connection.scalars(chosen.with_for_update(read=True))).all())
    lost = sorted(set(targets) - held)
    if lost:
        raise _lost(lost[0])


async def _begin(connection: AsyncConnection, wanted: TargetClaim, targets: Collection[str]) -> list[BusyTarget]:
    """What is asked before anything is claimed; the targets that may not be, taken over ones first."""
    await environments.ensure(connection, wanted.environment)
    await _check_environment(connection, wanted)
    await _check_no_other(connection, wanted, targets)
    if wanted.environment_token is not None:
        return []
    return await _busy(connection, wanted, targets)


async def _take(connection: AsyncConnection, wanted: TargetClaim, targets: Sequence[ClaimedTarget]) -> None:
    rows = [
        {
            "target": one.target,
            "environment": wanted.environment,
            "scripts": one.scripts,
            "engine": one.engine,
            "tenants": one.tenants,
            "status": "migrating",
            "operation_id": wanted.operation_id,
            "token": 1,
            "holder": wanted.holder,
        }
        for one in sorted(targets, key=lambda one: one.target)
    ]
    if not rows:
        return
    write, known = insert(database_targets), database_targets.c
    newer = {
        "token": known.token + 1,
        "scripts": write.excluded.scripts,
        "tenants": write.excluded.tenants,
        "operation_id": wanted.operation_id,
        "holder": wanted.holder,
    }
    is_another = (known.holder != wanted.holder) | (known.operation_id != wanted.operation_id)
    is_ours = (known.environment == wanted.environment) & is_another
    taken = write.on_conflict_do_update(index_elements=["target"], set_=newer, where=is_ours)
    await connection.execute(taken, rows)


async def _busy(connection: AsyncConnection, wanted: TargetClaim, targets: Collection[str]) -> list[BusyTarget]:
    table, run = database_targets.c, database_runs.c
    named = table.target.in_(list(targets))
    # Of two that come at once, one waits here; what the other has begun only the next statement sees.
    await connection.execute(select(table.target).where(named).order_by(table.target).with_for_update())
    of_target = run.target == table.target
    is_begun_here = exists().where(of_target, run.operation_id == wanted.operation_id)
    is_under_way = exists().where(of_target, run.operation_id == table.operation_id, run.status == "migrating")
    chosen = (
        select(table.target, table.operation_id, is_begun_here.label("begun"), is_under_way.label("under_way"))
        .where(named, table.operation_id != wanted.operation_id)
        .order_by(is_begun_here.desc(), table.target)
    )
    others = (await connection.execute(chosen)).mappings().all()
    rollout = await _rollout_under_way(connection, wanted.environment) if others else None
    found = [(row, _why(row, rollout)) for row in others]
    return [BusyTarget(target=row["target"], why=why, is_taken_over=row["begun"]) for row, why in found if why]


def _why(row: RowMapping, rollout: str | None) -> str:
    if row["begun"]:
        return f"it belongs to {row['operation_id']} now"
    if row["under_way"]:
        return f"{row['operation_id']} is changing it"
    return f"the rollout {rollout} is under way" if rollout is not None else ""


async def _rollout_under_way(connection: AsyncConnection, environment: str) -> str | None:
    table = rollouts.c
    chosen = select(table.id).where(table.environment == environment, table.finished_at.is_(None))
    found: str | None = await connection.scalar(chosen.order_by(table.started_at).limit(1))
    return found


def _error_of(one: BusyTarget) -> LedgerRefused | StaleFencingToken:
    if one.is_taken_over:
        return _lost(one.target)
    return TargetBusy(
        f"{one.target} was not touched: {one.why}",
        next_step="wait for its end, see `adx migrate status`; then run it again",
    )


def _lost(target: str) -> StaleFencingToken:
    return StaleFencingToken(
        f"{target} belongs to another attempt now: this worker came back too late",
        next_step="nothing to do: whoever claimed it last is in charge; see `adx migrate status`",
    )


async def _check_environment(connection: AsyncConnection, claimed: TargetClaim) -> None:
    if claimed.environment_token is not None:
        await fencing.check_in(connection, claimed.environment, claimed.environment_token)


async def _check_no_other(connection: AsyncConnection, wanted: TargetClaim, targets: Collection[str]) -> None:
    table = database_targets.c
    chosen = select(table.target, table.environment).where(
        table.target.in_(list(targets)), table.environment != wanted.environment
    )
    other = (await connection.execute(chosen)).first()
    if other is not None:
        raise LedgerRefused(
            f"{other.target} is migrated by the environment {other.environment}",
            next_step=f"give {wanted.environment} a server or a database of its own",
        )
