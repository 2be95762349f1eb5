"""Claims on single cells of an environment, under the claim that the rollout has on the environment.

Cells of one rollout are delivered side by side, so an attempt at one must not
fence out the attempts at the others. A cell belongs to the attempt that
claimed it last, and only while its rollout owns the environment.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger import fencing
from workflows.ledger.connection import Ledger
from workflows.ledger.errors import StaleFencingToken
from workflows.ledger.models import Record
from workflows.ledger.tables import cells


class Claim(Record, frozen=True, kw_only=True):
    """One attempt's claim on one cell. ``environment_token`` is what its rollout owns the environment by."""

    environment: str
    environment_token: int
    stack: str
    token: int


async def claim(
    ledger: Ledger, environment: str, stack: str, *, rollout_id: str, holder: str, environment_token: int
) -> Claim:
    """Claim ``stack`` for ``holder``, an attempt of ``rollout_id``; asked again it gets the same claim.

    Raises StaleFencingToken when another rollout owns the environment.
    """
    values = {"stack": stack, "environment": environment, "token": 1, "rollout_id": rollout_id, "holder": holder}
    write = insert(cells).values(values)
    newer = {
        "token": cells.c.token + 1,
        "rollout_id": rollout_id,
        "holder": holder,
        "claimed_at": func.clock_timestamp(),
    }
    is_another = (cells.c.holder != holder) | (cells.c.rollout_id != rollout_id)
    async with ledger.transaction() as connection:
        await fencing.check_in(connection, environment, environment_token)
        await connection.execute(write.on_conflict_do_update(index_elements=["stack"], set_=newer, where=is_another))
        token = await connection.scalar(select(cells.c.token).where(cells.c.stack == stack))
    return Claim(environment=environment, environment_token=environment_token, stack=stack, token=int(token or 0))


async def check(ledger: Ledger, claimed: Claim) -> None:
    """Return if the claim is still the newest on its cell. Raises StaleFencingToken."""
    async with ledger.transaction() as connection:
        await check_in(connection, claimed)


async def check_in(connection: AsyncConnection, claimed: Claim) -> None:
    """As ``check``, and nobody claims the cell before this transaction ends."""
    await fencing.check_in(connection, claimed.environment, claimed.environment_token)
    chosen = select(cells.c.token).where(cells.c.stack == claimed.stack).with_for_update(read=True)
    newest = await connection.scalar(chosen)
    if newest != claimed.token:
        raise StaleFencingToken(
            f"claim {claimed.token} on {claimed.stack} is not the newest ({newest}): this worker came back too late",
            next_step="nothing to do: whoever holds the newest claim is in charge; see `adx history`",
        )
