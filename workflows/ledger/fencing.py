"""Fencing tokens: a worker that was paused and comes back late is refused.

``acquire`` gives each rollout of an environment a number larger than all
before it, always the same one to the same rollout. ``check`` refuses every
number but the newest.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger.connection import Ledger
from workflows.ledger.errors import StaleFencingToken
from workflows.ledger.tables import environments, fencing_tokens


async def acquire(ledger: Ledger, environment: str, rollout_id: str) -> int:
    """The token of ``rollout_id``: a new, largest one, or the one it got before (which may be stale by now)."""
    async with ledger.transaction() as connection:
        await connection.execute(insert(environments).values(name=environment).on_conflict_do_nothing())
        # The row lock lets one rollout at a time take a number.
        own = select(environments.c.fencing_token).where(environments.c.name == environment).with_for_update()
        newest = int((await connection.execute(own)).scalar_one())
        if (known := await _token_of(connection, environment, rollout_id)) is not None:
            return known
        token = newest + 1
        await connection.execute(
            insert(fencing_tokens).values(environment=environment, rollout_id=rollout_id, token=token)
        )
        await connection.execute(
            update(environments).where(environments.c.name == environment).values(fencing_token=token)
        )
    return token


async def check(ledger: Ledger, environment: str, token: int) -> None:
    """Return if ``token`` is the newest of ``environment``. Raises StaleFencingToken."""
    async with ledger.transaction() as connection:
        await check_in(connection, environment, token)


async def check_in(connection: AsyncConnection, environment: str, token: int) -> None:
    """As ``check``, and nobody acquires a newer token before this transaction ends."""
    chosen = select(environments.c.fencing_token).where(environments.c.name == environment)
    newest: int | None = await connection.scalar(chosen.with_for_update(read=True))
    if newest != token:
        raise StaleFencingToken(
            f"fencing token {token} of environment {environment!r} is not its newest ({newest}): "
            "another rollout owns the environment now",
            next_step="nothing to do: the newer rollout is in charge; see `adx history`",
        )


async def _token_of(connection: AsyncConnection, environment: str, rollout_id: str) -> int | None:
    chosen = select(fencing_tokens.c.token).where(
        fencing_tokens.c.environment == environment, fencing_tokens.c.rollout_id == rollout_id
    )
    token: int | None = await connection.scalar(chosen)
    return token
