"""A hundred tenants while workers are killed at random: at the end every tenant is known to be what it is."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest
from lightkube import AsyncClient
from lightkube.resources.networking_v1 import NetworkPolicy

from tests.delivery.delivery import Delivery
from tests.delivery.test_fleet import declare
from workflows.ledger import environments, rollouts, units

TENANTS, CELLS = 100, 5
KILL_EVERY_SECONDS = 6.0
MOST_KILLS = 6
WORKERS = 2


async def kill_at_random(delivery: Delivery, seed: int) -> int:
    """SIGKILL a worker every few seconds and start another one, until cancelled or killed often enough.

    Bounded, so that a slow machine, on which no attempt would outlive the next kill, gets to the end as well.
    """
    chance, killed = random.Random(seed), 0
    try:
        while killed < MOST_KILLS:
            await asyncio.sleep(KILL_EVERY_SECONDS * chance.uniform(0.7, 1.3))
            living = [worker for worker in delivery.workers if worker.poll() is None]
            chance.choice(living).kill()
            delivery.start_worker()
            killed += 1
    except asyncio.CancelledError:
        pass  # the rollout ended before
    return killed


async def generations(delivery: Delivery, client: AsyncClient) -> dict[str, int]:
    """How often the specification of each tenant's access was really changed, by namespace."""
    labels = {"adx/environment": delivery.environment, "adx/unit-kind": "tenant"}
    found = client.list(NetworkPolicy, namespace="*", labels=labels)
    return {
        policy.metadata.namespace: policy.metadata.generation
        async for policy in found
        if policy.metadata.name == "declared-access"
    }


@pytest.mark.timeout(600)
async def test_a_hundred_tenants_survive_workers_that_are_killed_all_the_time(delivery: Delivery) -> None:
    """Every unit fully new or fully restored, ledger and cluster agree, and no tenant was changed to and fro."""
    for _ in range(WORKERS):
        delivery.start_worker()
    declare(delivery, tenants=TENANTS, cells=CELLS)
    delivery.shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"

    egress = [{"cidr": "203.0.113.0/28", "port": 443, "reason": "Their warehouse."}]
    declare(delivery, tenants=TENANTS, cells=CELLS, failure_budget=3, egress=egress)
    commit = delivery.shop.merge("reach the warehouse")
    refused = f"{delivery.environment}-tenant-tenant-042"
    async with delivery.refusing_egress(refused):
        killing = asyncio.create_task(kill_at_random(delivery, seed=4))
        try:
            status = await delivery.deliver()
        finally:
            killing.cancel()
        killed = await killing
    assert killed > 0
    assert status.outcome == "partly-delivered", status.failure

    known = {unit.unit: unit for unit in await units.units_of(delivery.ledger, delivery.environment)}
    tenants = {name: unit for name, unit in known.items() if name.startswith("tenant/")}
    assert Counter(unit.status for unit in tenants.values()) == {"applied": TENANTS - 1, "restored": 1}
    assert known["tenant/tenant-042"].status == "restored"
    assert {unit.commit for name, unit in tenants.items() if name != "tenant/tenant-042"} == {commit}

    changed = await generations(delivery, delivery.client_of_cluster())
    assert changed.pop(refused) == 1
    assert Counter(changed.values()) == {2: TENANTS - 1}

    environment = await environments.find(delivery.ledger, delivery.environment)
    assert environment is not None
    assert environment.delivered_commit == commit
    assert await rollouts.unfinished(delivery.ledger, delivery.environment) == ()
