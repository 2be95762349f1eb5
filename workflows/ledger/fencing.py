"""Fencing tokens: a worker that was paused and comes back late is refused.

An environment belongs to the rollout that acquired it last. Inside a rollout,
each attempt at changing something renews the claim, which fences out the
attempts before it. Tokens only grow; ``check`` refuses every one but the newest.
"""

from __future__ import annotations

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from workflows.ledger.connection import Ledger
from workflows.ledger.errors import StaleFencingToken
from workflows.ledger.tables import environments, fencing_tokens


async def acquire(ledger: Ledger, environment: str, rollout_id: str) -> int:
    """The token of ``rollout_id``: a new, largest one, or the one it got before (which may be stale by now)."""
    async with ledger.transaction() as connection:
        newest = await _lock_newest(connection, environment)
        own = select(func.min(fencing_tokens.c.token)).where(
            fencing_tokens.c.environment == environment, fencing_tokens.c.rollout_id == rollout_id
        )
        known: int | None = await connection.scalar(own)
        return known if known is not None else await _issue(connection, environment, newest + 1, rollout_id, rollout_id)


async def renew(ledger: Ledger, environment: str, rollout_id: str, holder: str) -> int:
    """A new, largest token for ``holder``, one attempt at a step of ``rollout_id``, which must own the environment.

    Asked again while it is the newest, the holder gets the same token. Raises
    StaleFencingToken when another rollout has acquired the environment.
    """
    async with ledger.transaction() as connection:
        newest = await _lock_newest(connection, environment)
        row = await _row_of(connection, environment, newest)
        if row is None or row["rollout_id"] != rollout_id:
            owner = row["rollout_id"] if row else "nobody"
            raise _stale(f"rollout {rollout_id!r} does not own environment {environment!r} (now {owner!r})")
        if row["holder"] == holder:
            return newest
        return await _issue(connection, environment, newest + 1, rollout_id, holder)


async def check(ledger: Ledger, environment: str, token: int) -> None:
    """Return if ``token`` is the newest of ``environment``. Raises StaleFencingToken."""
    async with ledger.transaction() as connection:
        await check_in(connection, environment, token)


async def check_in(connection: AsyncConnection, environment: str, token: int) -> None:
    """As ``check``, and nobody gets a newer token before this transaction ends."""
    newest: int | None = await connection.scalar(_newest(environment).with_for_update(read=True))
    if newest != token:
        raise _stale(f"fencing token {token} of environment {environment!r} is not its newest ({newest})")


async def prune(ledger: Ledger, environment: str, *, keep: int) -> int:
    """Forget all tokens but about the newest ``keep``: nobody can hold those any more. Returns how many."""
    async with ledger.transaction() as connection:
        newest: int | None = await connection.scalar(_newest(environment))
        old = delete(fencing_tokens).where(
            fencing_tokens.c.environment == environment, fencing_tokens.c.token <= (newest or 0) - keep
        )
        return int((await connection.execute(old)).rowcount)


def _stale(what: str) -> StaleFencingToken:
    return StaleFencingToken(
        f"{what}: this worker came back too late",
        next_step="nothing to do: whoever holds the newest token is in charge; see `adx history`",
    )


def _newest(environment: str) -> Select[int]:
    return select(environments.c.fencing_token).where(environments.c.name == environment)


async def _lock_newest(connection: AsyncConnection, environment: str) -> int:
    # The row's lock lets one claim at a time take a number.
    await connection.execute(insert(environments).values(name=environment).on_conflict_do_nothing())
    return int((await connection.execute(_newest(environment).with_for_update())).scalar_one())


async def _row_of(connection: AsyncConnection, environment: str, token: int) -> RowMapping | None:
    chosen = select(fencing_tokens).where(fencing_tokens.c.environment == environment, fencing_tokens.c.token == token)
    return (await connection.execute(chosen)).mappings().first()


async def _issue(connection: AsyncConnection, environment: str, token: int, rollout_id: str, holder: str) -> int:
    values = {"environment": environment, "token": token, "rollout_id": rollout_id, "holder": holder}
    await connection.execute(insert(fencing_tokens).values(values))
    await connection.execute(update(environments).where(environments.c.name == environment).values(fencing_token=token))
    return token
