"""Ends that nobody saw when they came, and ids that had one; on real servers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pipelines.api.temporal import PREFIX
from tests.api.test_real import URL, asked, started
from tests.api.world import World, over
from workflows.ledger import idempotency


@pytest.mark.parametrize("tenant", ["acme", None])
async def test_an_operation_that_ended_while_it_was_being_stopped_stays_as_it_is(
    world: World, tenant: str | None
) -> None:
    """Nobody had seen that it is over."""
    async with world.api() as api, world.worker():
        operation = await started(api, asked(1, tenant_id=tenant))
        await world.client.get_workflow_handle(PREFIX + operation).result()
        await world.starter().cancel(operation, "api:boss")
        found = await over(api, operation)

    assert found["status"] == "succeeded"
    assert found["started_at"] < found["ended_at"]


async def test_a_workflow_that_was_ended_from_outside_is_over_and_says_since_when(world: World) -> None:
    async with world.api() as api:
        operation = await started(api, asked(1))
        await world.client.get_workflow_handle(PREFIX + operation).terminate()
        found = await over(api, operation)

    assert (found["status"], found["failure"]["message"].partition(":")[0]) == (
        "needs_operator",
        "the workflow ended without saying how",
    )
    assert found["started_at"] < found["ended_at"]


async def test_an_id_that_has_changed_a_database_is_never_free_again(world: World) -> None:
    """The ledger would take the new run for the old one."""
    body = asked(1)
    async with world.api() as api, world.worker():
        await over(api, await started(api, body))
        await idempotency.prune(world.ledger, recorded_before=datetime.now(UTC) + timedelta(minutes=1))
        again = await api.post(URL, json=body)
        gone = await api.get(f"/api/operations/{body['id']}")

    assert (again.status_code, again.json()["type"], gone.status_code) == (409, "urn:adx:problem:id-taken", 404)
    assert "used before" in again.json()["detail"]
