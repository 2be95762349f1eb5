"""Two worker processes share the cells of one fleet; what one of them was doing when it was killed, the other does."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import pytest
from temporalio.client import WorkflowHistory
from temporalio.service import RPCError

from tests.delivery.delivery import Delivery
from tests.delivery.test_fleet import declare
from tests.support.waiting import wait_until
from workflows.ledger import units
from workflows.rollout.tenants import fleet_id

TENANTS, CELLS = 24, 8
EGRESS = [{"cidr": "203.0.113.0/28", "port": 443, "reason": "Their warehouse."}]


async def history_of_fleet(delivery: Delivery) -> WorkflowHistory:
    """Of the fleet of the rollout under way, or of the last."""
    found = await delivery.workflows.environment_status(delivery.environment)
    rollout_id = found.current or (found.last.rollout_id if found.last else "")
    return await delivery.client.get_workflow_handle(fleet_id(rollout_id)).fetch_history()


def deliveries_of(history: WorkflowHistory) -> dict[str, tuple[str, str]]:
    """By the id of its activity: the cell, and the process (``pid@machine``) that ended its delivery."""
    cells, done = {}, {}
    for event in history.events:
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == "deliver_cell":
            assert scheduled.task_queue.name.endswith("-cells")
            cells[event.event_id] = json.loads(scheduled.input.payloads[0].data)["stack"]
        ended = event.activity_task_completed_event_attributes
        if ended.scheduled_event_id in cells:
            done[str(ended.scheduled_event_id)] = (cells[ended.scheduled_event_id], ended.identity)
    return done


async def until_delivered(delivery: Delivery, cells: int) -> WorkflowHistory:
    """The history of the fleet once so many cells are done; the test's own timeout bounds this."""
    while True:
        try:
            history = await history_of_fleet(delivery)
        except RPCError:
            history = WorkflowHistory("", [])  # the waves are not begun yet
        if len(deliveries_of(history)) >= cells:
            return history
        await asyncio.sleep(0.1)


@pytest.mark.timeout(600)
async def test_two_processes_share_a_fleet_and_one_of_them_dies(delivery: Delivery) -> None:
    """Each did some of the cells; every tenant is new, and none was delivered twice."""
    first, second = (delivery.start_worker(ADX_MAX_PULUMI_OPERATIONS="1") for _ in range(2))
    # One that is long in starting would find all cells done.
    await asyncio.to_thread(wait_until, delivery.logs, lambda logs: logs.count("worker ready") == 2)
    declare(delivery, tenants=TENANTS, cells=CELLS, max_cells_at_once=4)
    delivery.shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"
    by_process = Counter(who.partition("@")[0] for _, who in deliveries_of(await history_of_fleet(delivery)).values())
    assert set(by_process) == {str(first.pid), str(second.pid)}

    declare(delivery, tenants=TENANTS, cells=CELLS, max_cells_at_once=4, egress=EGRESS)
    commit = delivery.shop.merge("reach the warehouse")
    await delivery.submit()
    await delivery.until(lambda live: bool(live.environment.current))
    await until_delivered(delivery, 2)
    second.kill()
    status = await delivery.settled()

    assert status.outcome == "delivered", status.failure
    done = deliveries_of(await history_of_fleet(delivery))
    assert sorted(stack for stack, _ in done.values()) == sorted({stack for stack, _ in done.values()})
    assert len(done) == CELLS
    known = {unit.unit: unit for unit in await units.units_of(delivery.ledger, delivery.environment)}
    tenants = [unit for name, unit in known.items() if name.startswith("tenant/")]
    assert len(tenants) == TENANTS
    assert {(unit.status, unit.commit) for unit in tenants} == {("applied", commit)}


@pytest.mark.timeout(600)
async def test_processes_of_different_kinds_deliver_together(delivery: Delivery) -> None:
    """One that runs no workflow does all cells; without it they wait, and whoever starts workers is told."""
    delivery.start_worker(ADX_WORKER_KINDS="workflows,checks")
    await asyncio.to_thread(wait_until, delivery.logs, lambda logs: "no worker does cells" in logs)
    cells = delivery.start_worker(ADX_WORKER_KINDS="cells")
    declare(delivery, tenants=4, cells=2)
    delivery.shop.merge("first")
    status = await delivery.deliver()

    assert status.outcome == "delivered", status.failure
    done = deliveries_of(await history_of_fleet(delivery))
    assert {who.partition("@")[0] for _, who in done.values()} == {str(cells.pid)}
