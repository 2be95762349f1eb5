"""Namespaces that others made are left to them: a delivery would take them over, its restore would remove them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from lightkube import ApiError, AsyncClient
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import ConfigMap, Namespace

from tests.delivery.delivery import Delivery
from tests.delivery.test_fleet import declare
from workflows.fleet.durable import FleetDecision
from workflows.ledger import quarantine, units
from workflows.rollout.models import Decision, RolloutStatus


@contextlib.asynccontextmanager
async def made_by_others(delivery: Delivery, name: str) -> AsyncIterator[AsyncClient]:
    """The namespace ``name``, which nothing marks as ADX's; it must outlive whatever is delivered."""
    client = delivery.client_of_cluster()
    made = await client.create(Namespace(metadata=ObjectMeta(name=name)))
    assert made.metadata is not None
    try:
        yield client
        kept = await client.get(Namespace, name)
        assert kept.metadata is not None
        assert (kept.metadata.uid, kept.metadata.deletionTimestamp) == (made.metadata.uid, None)
    finally:
        await client.delete(Namespace, name)
        with contextlib.suppress(ApiError):  # that it is not found
            while True:
                await client.get(Namespace, name)
                await asyncio.sleep(0.1)


async def test_a_namespace_that_others_made_is_left_alone_until_it_is_given_to_adx(delivery: Delivery) -> None:
    """The first delivery into it is refused before anything is touched; with ADX's labels on it, it is delivered."""
    name = f"shop-{delivery.environment}"
    client = delivery.client_of_cluster()
    await client.create(Namespace(metadata=ObjectMeta(name=name)))
    await client.create(ConfigMap(metadata=ObjectMeta(name="theirs", namespace=name), data={"kept": "yes"}))
    delivery.start_worker()
    commit = delivery.shop.merge("first")

    refused = await delivery.deliver()

    assert (refused.outcome, refused.failed_step) == ("refused", "validate")
    assert f"others have made {name}" in refused.failure
    assert (await client.get(Namespace, name)).metadata.labels == {"kubernetes.io/metadata.name": name}
    assert await delivery.live() == {}
    assert await quarantine.find(delivery.ledger, delivery.environment, commit) is None

    labels = {"app.kubernetes.io/managed-by": "adx", "adx/environment": delivery.environment}
    await client.patch(Namespace, name, {"metadata": {"labels": labels}})
    given = await delivery.deliver()

    assert given.outcome == "delivered", given.failure
    assert (await client.get(ConfigMap, "theirs", namespace=name)).data == {"kept": "yes"}


async def test_a_namespace_that_others_make_while_an_approval_is_waited_for_stays_theirs(delivery: Delivery) -> None:
    """It is looked for again right before anything is applied; once it is gone the same commit is delivered."""
    delivery.start_worker()
    delivery.shop.rules["approval"] = {"required": True, "approvers": ["grace@example.com"]}
    commit = delivery.shop.merge("first")
    name = f"shop-{delivery.environment}"
    await until_approval(delivery)
    async with made_by_others(delivery, name):
        status = await approved(delivery)

    assert (status.outcome, status.failed_step) == ("restored", "apply")
    assert f"others have made {name}" in status.failure
    assert await delivery.live() == {}
    assert await quarantine.find(delivery.ledger, delivery.environment, commit) is None

    await until_approval(delivery)
    again = await approved(delivery)

    assert (again.outcome, again.commit) == ("delivered", commit)


async def until_approval(delivery: Delivery) -> None:
    """Submit, and wait until the rollout asks for its approval."""
    await delivery.submit()
    await delivery.until(lambda live: live.rollout is not None and live.rollout.waiting_for_approval)


async def approved(delivery: Delivery) -> RolloutStatus:
    """Approve, and wait for the end."""
    await delivery.workflows.approve(delivery.environment, Decision("grace@example.com"))
    return await delivery.settled()


async def test_a_tenant_whose_namespace_others_have_made_meanwhile_is_left_out(delivery: Delivery) -> None:
    """While a wave waits for its approval: the tenant is as before, the others are delivered."""
    delivery.start_worker()
    declare(
        delivery, tenants=4, cells=2, canaries=["tenant-000"], approval_before=[1], approvers=["ines"], failure_budget=2
    )
    delivery.shop.merge("first")
    await delivery.submit()
    await delivery.waiting_for("1")
    name = f"{delivery.environment}-tenant-tenant-002"
    async with made_by_others(delivery, name):
        await delivery.workflows.decide_fleet(delivery.environment, FleetDecision("ines", "approve", "1"))
        status = await delivery.settled()

    assert status.outcome == "partly-delivered", status.failure
    known = {unit.unit: unit for unit in await units.units_of(delivery.ledger, delivery.environment)}
    assert f"others have made {name}" in status.failure
    delivered = {unit for unit, state in known.items() if unit.startswith("tenant/") and state.status == "applied"}
    assert delivered == {f"tenant/tenant-00{number}" for number in (0, 1, 3)}
