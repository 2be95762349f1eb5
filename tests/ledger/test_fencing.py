"""Fencing tokens: only the newest claim on an environment counts."""

from __future__ import annotations

import asyncio

import pytest

from tests.ledger.conftest import COMMIT
from workflows.ledger import Ledger, environments, fencing, units
from workflows.ledger.errors import StaleFencingToken
from workflows.ledger.models import Rollout
from workflows.ledger.units import UnitState


async def test_each_rollout_gets_a_larger_token(ledger: Ledger) -> None:
    tokens = [await fencing.acquire(ledger, "staging", f"rollout-{number}") for number in range(3)]

    assert tokens == [1, 2, 3]


async def test_the_same_rollout_gets_the_same_token_even_after_another_came(ledger: Ledger) -> None:
    first = await fencing.acquire(ledger, "staging", "rollout-1")
    await fencing.acquire(ledger, "staging", "rollout-2")

    assert await fencing.acquire(ledger, "staging", "rollout-1") == first


async def test_environments_count_for_themselves(ledger: Ledger) -> None:
    await fencing.acquire(ledger, "staging", "rollout-1")

    assert await fencing.acquire(ledger, "production", "rollout-2") == 1


async def test_rollouts_that_ask_at_once_get_different_tokens(ledger: Ledger) -> None:
    claims = (fencing.acquire(ledger, "staging", f"rollout-{number}") for number in range(10))

    assert sorted(await asyncio.gather(*claims)) == list(range(1, 11))


async def test_one_rollout_that_asks_many_times_at_once_gets_one_token(ledger: Ledger) -> None:
    claims = (fencing.acquire(ledger, "staging", "rollout-1") for _ in range(10))

    assert await asyncio.gather(*claims) == [1] * 10


async def test_the_newest_token_passes_and_older_ones_are_refused(ledger: Ledger) -> None:
    stale = await fencing.acquire(ledger, "staging", "rollout-1")
    newest = await fencing.acquire(ledger, "staging", "rollout-2")

    await fencing.check(ledger, "staging", newest)
    with pytest.raises(StaleFencingToken) as caught:
        await fencing.check(ledger, "staging", stale)
    assert caught.value.next_step


@pytest.mark.parametrize("never_issued", [0, 2, -1])
async def test_a_token_that_was_never_issued_is_refused(ledger: Ledger, never_issued: int) -> None:
    await fencing.acquire(ledger, "staging", "rollout-1")

    with pytest.raises(StaleFencingToken):
        await fencing.check(ledger, "staging", never_issued)


async def test_no_token_passes_in_an_unknown_environment(ledger: Ledger) -> None:
    with pytest.raises(StaleFencingToken):
        await fencing.check(ledger, "nowhere", 0)


async def test_a_later_attempt_fences_out_the_earlier_one(ledger: Ledger) -> None:
    await fencing.acquire(ledger, "staging", "rollout-1")
    first = await fencing.renew(ledger, "staging", "rollout-1", "apply.1")
    second = await fencing.renew(ledger, "staging", "rollout-1", "apply.2")

    assert await fencing.renew(ledger, "staging", "rollout-1", "apply.2") == second
    await fencing.check(ledger, "staging", second)
    with pytest.raises(StaleFencingToken):
        await fencing.check(ledger, "staging", first)


async def test_a_rollout_that_lost_the_environment_cannot_renew(ledger: Ledger) -> None:
    await fencing.acquire(ledger, "staging", "rollout-1")
    await fencing.renew(ledger, "staging", "rollout-1", "apply.1")
    await fencing.acquire(ledger, "staging", "rollout-2")

    with pytest.raises(StaleFencingToken, match="rollout-2"):
        await fencing.renew(ledger, "staging", "rollout-1", "apply.2")


async def test_a_rollout_that_never_acquired_cannot_renew(ledger: Ledger) -> None:
    with pytest.raises(StaleFencingToken):
        await fencing.renew(ledger, "staging", "rollout-1", "apply.1")


async def test_a_late_worker_can_write_nothing(ledger: Ledger, rollout: Rollout) -> None:
    stale = await fencing.acquire(ledger, "staging", rollout.id)
    await fencing.acquire(ledger, "staging", "rollout-2")
    state = UnitState(unit="service/cart", status="applied", digest="d1", commit=COMMIT)

    with pytest.raises(StaleFencingToken):
        await units.record(ledger, "staging", rollout.id, [state], fencing_token=stale)
    with pytest.raises(StaleFencingToken):
        await environments.record_delivered(
            ledger, "staging", commit=COMMIT, state_digest="s1", snapshot=None, fencing_token=stale
        )

    assert await units.units_of(ledger, "staging") == ()
    found = await environments.find(ledger, "staging")
    assert found is not None
    assert found.delivered_commit is None
