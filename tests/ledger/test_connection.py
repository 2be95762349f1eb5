"""Connecting to the ledger: errors are the ledger's own, by class, and hold no secret."""

from __future__ import annotations

import asyncio
import traceback

import pytest
from sqlalchemy import text

from tests.support.accepting import accepted
from workflows.clients import transactions
from workflows.errors import AdxConnectionError, AdxTimeoutError, AdxValidationError
from workflows.ledger import Ledger, environments, fencing, idempotency, rollouts
from workflows.ledger.errors import LedgerRefused, LedgerTimedOut, LedgerUnreachable
from workflows.ledger.models import Rollout
from workflows.ledger.tables import environments as environments_table

CANARY = "canary-5f0c2a"


async def test_a_server_that_is_not_there_is_a_connection_error_without_the_password() -> None:
    with pytest.raises(AdxConnectionError) as caught:
        await Ledger.open(f"postgresql+psycopg://adx:{CANARY}@127.0.0.1:1/adx")

    assert isinstance(caught.value, LedgerUnreachable)
    assert caught.value.next_step
    assert CANARY not in _everything(caught.value)


@pytest.mark.parametrize("url", ["", "not an address", f"mysql://adx:{CANARY}@127.0.0.1/adx", "sqlite:///adx"])
async def test_an_address_that_is_not_postgresql_is_refused(url: str) -> None:
    with pytest.raises(LedgerRefused) as caught:
        await Ledger.open(url)

    assert CANARY not in _everything(caught.value)


async def test_a_connection_that_died_while_idle_is_replaced(ledger: Ledger) -> None:
    await ledger.ping()

    await _kill_connections(ledger)

    with accepted():
        await ledger.ping()


async def test_a_connection_that_is_killed_during_a_transaction_is_a_connection_error(ledger: Ledger) -> None:
    async def killed() -> None:
        async with ledger.transaction() as connection:
            await connection.execute(text("SELECT 1"))
            await _kill_connections(ledger)
            await connection.execute(text("SELECT 1"))

    with pytest.raises(LedgerUnreachable):
        await killed()
    await ledger.ping()


async def test_a_lock_that_is_held_too_long_is_a_timeout(ledger: Ledger, ledger_url: str, rollout: Rollout) -> None:
    async with Ledger(ledger_url, timeout_seconds=0.5) as impatient:
        async with ledger.transaction() as connection:
            await connection.execute(text("SELECT 1 FROM environments FOR UPDATE"))
            with pytest.raises(AdxTimeoutError) as caught:
                await fencing.acquire(impatient, rollout.environment, rollout.id)

        assert isinstance(caught.value, LedgerTimedOut)
        impatient._timeout_seconds = 30  # on a busy machine half a second may be too short to connect anew
        assert await fencing.acquire(impatient, rollout.environment, rollout.id) == 1


async def test_a_process_that_is_paused_in_a_transaction_gives_its_locks_back(
    ledger: Ledger, ledger_url: str, rollout: Rollout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes over waits for them; the one that was paused is told that its connection was lost."""
    monkeypatch.setattr(transactions, "IDLE_SECONDS", 1)

    async def paused(silent: Ledger) -> None:
        async with silent.transaction() as connection:
            await connection.execute(text("SELECT 1 FROM environments FOR UPDATE"))
            assert await fencing.acquire(ledger, rollout.environment, rollout.id) == 1
            await connection.execute(text("SELECT 1"))

    async with Ledger(ledger_url) as silent:
        with pytest.raises(LedgerUnreachable, match="idle-in-transaction"):
            await paused(silent)
        await silent.ping()


async def test_refused_values_are_a_validation_error_that_does_not_repeat_them(ledger: Ledger) -> None:
    async def write() -> None:
        async with ledger.transaction() as connection:
            row = {"name": CANARY, "fencing_token": None}
            await connection.execute(environments_table.insert().values(row))

    with pytest.raises(AdxValidationError) as caught:
        await write()

    assert CANARY not in _everything(caught.value)


@pytest.mark.parametrize("value", [float("nan"), object(), "nul \x00 inside"])
async def test_what_is_not_json_is_a_validation_error(ledger: Ledger, value: object) -> None:
    with pytest.raises(AdxValidationError):
        await idempotency.record(ledger, "key", {"value": value})


async def test_many_at_once_share_a_small_pool(ledger_url: str) -> None:
    async with await Ledger.open(ledger_url, pool_size=2) as ledger:
        await ledger.migrate()

        await asyncio.gather(*(fencing.acquire(ledger, "staging", f"rollout-{number}") for number in range(20)))

        found = await environments.find(ledger, "staging")
        assert found is not None
        assert found.fencing_token == 20


async def test_a_cancelled_call_gives_its_connection_back(ledger_url: str) -> None:
    async with await Ledger.open(ledger_url, pool_size=1) as ledger:
        await ledger.migrate()
        for _ in range(5):
            call = asyncio.create_task(rollouts.unfinished(ledger))
            await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)

        await asyncio.gather(*(ledger.ping() for _ in range(3)))


async def _kill_connections(ledger: Ledger) -> None:
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    url = ledger._engine.url.render_as_string(hide_password=False)
    async with Ledger(url) as killer, killer.transaction() as connection:
        await connection.execute(others)


def _everything(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error.__dict__)
