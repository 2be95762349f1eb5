"""A hundred tenants while workers are killed at random: at the end every tenant is known to be what it is."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

import pytest

from tests.delivery.delivery import Delivery
from tests.delivery.test_fleet import declare
from tests.support.agreement import agreement, applied_at
from tests.support.witness import witnessed
from workflows.ledger import environments

TENANTS, CELLS = 100, 5
REFUSED = "tenant/tenant-042"
KILL_EVERY_SECONDS = 5.0
EACH_TIME_LONGER = 1.1
WORKERS = 2
SETTLED_WITHIN_SECONDS = 400  # each kill costs a heartbeat's patience, and how many come depends on the machine


async def kill_at_random(delivery: Delivery, seed: int) -> int:
    """SIGKILL a worker every few seconds and start another one, until cancelled.

    Ever less often, so that a slow machine, on which no attempt would outlive the next kill, gets to the end as well.
    """
    chance, killed = random.Random(seed), 0
    try:
        while True:
            await asyncio.sleep(KILL_EVERY_SECONDS * EACH_TIME_LONGER**killed * chance.uniform(0.6, 1.4))
            living = [worker for worker in delivery.workers if worker.poll() is None]
            chance.choice(living).kill()
            delivery.start_worker()
            killed += 1
    except asyncio.CancelledError:
        return killed  # the rollout has ended


@pytest.mark.timeout(600)
async def test_a_hundred_tenants_survive_workers_that_are_killed_all_the_time(delivery: Delivery) -> None:
    """Every unit fully new or fully restored, ledger and cluster agree, and no object was changed twice."""
    delivery.stuck_seconds = SETTLED_WITHIN_SECONDS
    for _ in range(WORKERS):
        delivery.start_worker()
    declare(delivery, tenants=TENANTS, cells=CELLS)
    before = delivery.shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"

    egress = [{"cidr": "203.0.113.0/28", "port": 443, "reason": "Their warehouse."}]
    declare(delivery, tenants=TENANTS, cells=CELLS, failure_budget=3, egress=egress)
    commit = delivery.shop.merge("reach the warehouse")
    async with (
        witnessed(delivery.client_of_cluster(), delivery.environment) as witness,
        delivery.refusing_egress(f"{delivery.environment}-{REFUSED.replace('/', '-')}"),
    ):
        killing = asyncio.create_task(kill_at_random(delivery, seed=4))
        try:
            status = await delivery.deliver()
        finally:
            killing.cancel()
            killed = await killing
    assert killed > 1
    assert status.outcome == "partly-delivered", status.failure

    known = await agreement(delivery)
    new = applied_at(known, commit)
    assert Counter(unit.status for unit in known.values()) == {"applied": TENANTS - 1, "restored": 1}
    assert known.keys() - new == {REFUSED}
    assert (known[REFUSED].status, known[REFUSED].commit) == ("restored", before)

    assert witness.touched() >= new
    witness.assert_changed_once(new, {REFUSED}, round_trips=killed + 1)
    environment = await environments.find(delivery.ledger, delivery.environment)
    assert environment is not None
    assert environment.delivered_commit == commit
