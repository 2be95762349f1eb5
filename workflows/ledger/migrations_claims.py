"""Claims on databases: who may change one now.

A target belongs to the attempt that claimed it last; where a rollout stands
behind it, only while that rollout owns the environment. As for cells, targets
of one rollout are worked on side by side.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger import environments, fencing
from workflows.ledger.connection import Ledger
from workflows.ledger.errors import LedgerRefused, StaleFencingToken
from workflows.ledger.migrations_tables import database_targets
from workflows.ledger.models import Record


class TargetClaim(Record, frozen=True, kw_only=True):
    """One attempt's claim. ``environment_token`` is what its rollout owns the environment by; None without one."""

    environment: str
    operation_id: str
    holder: str
    environment_token: int | None = None


class ClaimedTarget(Record, frozen=True, kw_only=True):
    """A database to be claimed: what of it the ledger keeps from then on."""

    target: str
    scripts: str
    engine: str
    tenants: list[str]


async def claim(ledger: Ledger, wanted: TargetClaim, targets: Sequence[ClaimedTarget]) -> None:
    """Claim ``targets`` for the attempt; asked again it has them already.

    Raises StaleFencingToken when another rollout owns the environment, and
    LedgerRefused for a database that another environment has migrated.
    """
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
    is_ours = (known.environment == wanted.environment) & (known.holder != wanted.holder)
    async with ledger.transaction() as connection:
        await environments.ensure(connection, wanted.environment)
        await _check_environment(connection, wanted)
        await _check_no_other(connection, wanted, [one.target for one in targets])
        taken = write.on_conflict_do_update(index_elements=["target"], set_=newer, where=is_ours)
        await connection.execute(taken, rows)


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
        raise StaleFencingToken(
            f"{lost[0]} belongs to another attempt now: this worker came back too late",
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
