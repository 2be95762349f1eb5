"""What a fleet must not lose on real parts: a tenant under another name, a service that tenants still call."""

from __future__ import annotations

import copy
from typing import Any

from tests.delivery.delivery import Delivery
from tests.delivery.test_fleet import declare
from workflows.ledger import environments, steps, units

TENANTS = 4
RENAMED = "tenants/tenant-001.yaml"


def rename(delivery: Delivery, to: str) -> None:
    """The same tenant, with the same database, under another name."""
    document = delivery.shop.documents.pop(RENAMED)
    delivery.shop.documents[f"tenants/{to}.yaml"] = {**document, "name": to}


def call(delivery: Delivery, *services: str) -> None:
    """Let all tenants reach these services, and no other."""
    for path, document in delivery.shop.documents.items():
        if path.startswith("tenants/"):
            document["network"]["services"] = list(services)


def legacy(delivery: Delivery) -> dict[str, Any]:
    """A service that the base does not have, like its frontend."""
    like = copy.deepcopy(delivery.shop.services["frontend"])
    return {**like, "name": "legacy", "replicas": 1, "feature_flags": [], "dependencies": []}


async def test_a_renamed_tenant_is_refused_and_loses_nothing(delivery: Delivery) -> None:
    """Removing it and creating another, one after the other, is the explicit way, and goes through."""
    delivery.start_worker()
    declare(delivery, tenants=TENANTS)
    delivery.shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"
    before = await delivery.live()

    rename(delivery, "tenant-eu")
    commit = delivery.shop.merge("rename")
    refused = await delivery.deliver()

    assert (refused.outcome, refused.failed_step) == ("refused", "validate")
    assert "tenant/tenant-001 → tenant/tenant-eu" in refused.failure
    assert "merge the removal, let it be delivered, then merge the new one" in refused.failure
    assert await delivery.live() == before

    renamed = delivery.shop.documents.pop("tenants/tenant-eu.yaml")
    delivery.shop.merge("remove")
    removed = await delivery.deliver()
    assert removed.outcome == "delivered", removed.failure
    delivery.shop.documents["tenants/tenant-eu.yaml"] = renamed
    assert delivery.shop.merge("create") != commit
    created = await delivery.deliver()
    assert created.outcome == "delivered", created.failure
    known = {unit.unit: unit.status for unit in await units.units_of(delivery.ledger, delivery.environment)}
    assert (known["tenant/tenant-001"], known["tenant/tenant-eu"]) == ("removed", "applied")


async def test_a_service_goes_after_the_tenants_that_may_call_it(delivery: Delivery) -> None:
    """It is the last thing that the fleet delivers, and the ledger says that it is gone."""
    delivery.start_worker()
    declare(delivery, tenants=TENANTS)
    listed = delivery.shop.documents[f"environments/{delivery.environment}/services.yaml"]["services"]
    listed.append(legacy(delivery))
    call(delivery, "frontend", "legacy")
    delivery.shop.merge("first")
    first = await delivery.deliver()
    assert first.outcome == "delivered", first.failure
    assert any("legacy" in name for name in await delivery.live())

    listed.pop()
    call(delivery, "frontend")
    delivery.shop.merge("second")
    second = await delivery.deliver()

    assert second.outcome == "delivered", second.failure
    assert not any("legacy" in name for name in await delivery.live())
    cells = [step for step in await steps.steps_of(delivery.ledger, second.rollout_id) if step.name.startswith("cell-")]
    (last,) = [step for step in cells if step.unit == delivery.environment]
    tenants = [step for step in cells if step is not last]
    assert tenants
    assert all(step.finished_at is not None and step.finished_at <= last.started_at for step in tenants)
    known = {unit.unit: unit.status for unit in await units.units_of(delivery.ledger, delivery.environment)}
    assert known["service/legacy"] == "removed"


async def test_a_service_stays_while_a_tenant_that_did_not_change_may_call_it(delivery: Delivery) -> None:
    """The rollout is partly delivered; once the tenant is new, the service goes."""
    delivery.start_worker()
    rules = {"tenants": TENANTS, "failure_budget": 1}
    declare(delivery, **rules)
    listed = delivery.shop.documents[f"environments/{delivery.environment}/services.yaml"]["services"]
    listed.append(legacy(delivery))
    delivery.shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"
    before = {name: digest for name, digest in (await delivery.live()).items() if "legacy" in name}
    assert before

    declare(delivery, pods=7, **rules)
    listed.pop()
    commit = delivery.shop.merge("second")
    async with delivery.refusing_pods(f"{delivery.environment}-tenant-tenant-002", pods=7):
        partly = await delivery.deliver()

    assert partly.outcome == "partly-delivered", partly.failure
    assert f"{TENANTS - 1} delivered, 1 restored, 1 untouched" in partly.failure
    live = await delivery.live()
    assert {name: live.get(name) for name in before} == before
    known = {unit.unit: unit.status for unit in await units.units_of(delivery.ledger, delivery.environment)}
    assert (known["service/legacy"], known["tenant/tenant-002"]) == ("applied", "restored")

    again = await delivery.deliver(force=True)
    assert again.outcome == "delivered", again.failure
    assert not any("legacy" in name for name in await delivery.live())
    now = await environments.find(delivery.ledger, delivery.environment)
    assert now is not None
    assert now.delivered_commit == commit
