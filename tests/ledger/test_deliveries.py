"""Webhook deliveries and idempotent results: remembered once, forgotten when old."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from workflows.ledger import Ledger, deliveries, idempotency

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_a_delivery_is_new_once(ledger: Ledger) -> None:
    assert not await deliveries.is_known(ledger, "d1")
    assert await deliveries.remember(ledger, "d1", "push")
    assert not await deliveries.remember(ledger, "d1", "push")
    assert await deliveries.is_known(ledger, "d1")


async def test_one_of_many_receivers_at_once_sees_it_as_new(ledger: Ledger) -> None:
    answers = await asyncio.gather(*(deliveries.remember(ledger, "d1", "push") for _ in range(8)))

    assert answers.count(True) == 1


async def test_old_deliveries_are_forgotten_and_young_ones_stay(ledger: Ledger) -> None:
    await deliveries.remember(ledger, "d1", "push")

    assert await deliveries.prune(ledger, received_before=LONG_AGO) == 0
    assert await deliveries.prune(ledger, received_before=datetime.now(UTC) + timedelta(days=1)) == 1
    assert not await deliveries.is_known(ledger, "d1")


async def test_the_first_result_under_a_key_counts(ledger: Ledger) -> None:
    key = idempotency.key_of("rollout-1", "tenant/acme", "apply", "d1")
    assert await idempotency.find(ledger, key) is None

    first = await idempotency.record(ledger, key, {"changed": 2})
    second = await idempotency.record(ledger, key, {"changed": 0})

    assert second == first
    assert await idempotency.find(ledger, key) == first


async def test_a_result_may_be_nothing(ledger: Ledger) -> None:
    await idempotency.record(ledger, "key", None)

    found = await idempotency.find(ledger, "key")
    assert found is not None
    assert found.result is None


async def test_old_results_are_forgotten(ledger: Ledger) -> None:
    await idempotency.record(ledger, "key", 1)

    assert await idempotency.prune(ledger, recorded_before=LONG_AGO) == 0
    assert await idempotency.prune(ledger, recorded_before=datetime.now(UTC) + timedelta(days=1)) == 1
