"""Tenants in cells and waves on real parts: each for itself, and always a known state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.delivery.delivery import Delivery
from workflows.ledger import environments, units

TENANTS = 12


def tenant(number: int, environment: str, pods: int, egress: list[dict[str, Any]]) -> dict[str, Any]:
    """One of many small customers."""
    name = f"tenant-{number:03}"
    return {
        "apiVersion": "adx/v1",
        "kind": "Tenant",
        "name": name,
        "display_name": name.title(),
        "owner": "team-accounts",
        "isolation_strategy": "schema_per_tenant",
        "database": {"engine": "postgresql", "name": "fleet", "schema": name.replace("-", "_")},
        "resource_limits": {"cpu": "1", "memory": "1Gi", "storage": "5Gi", "pods": pods},
        "environments": [environment],
        "network": {"services": ["frontend"], "egress": egress},
    }


def declare(
    delivery: Delivery,
    *,
    pods: int = 5,
    egress: Sequence[dict[str, Any]] = (),
    tenants: int = TENANTS,
    cells: int = 3,
    **fleet: object,
) -> None:
    """Many tenants instead of the base's, in cells."""
    documents = delivery.shop.documents
    for path in [path for path in documents if path.startswith("tenants/")]:
        del documents[path]
    for number in range(tenants):
        documents[f"tenants/tenant-{number:03}.yaml"] = tenant(number, delivery.environment, pods, list(egress))
    delivery.shop.rules["rollout"] = {"cells": cells, "fleet": {"max_parallel": 100, **fleet}}
    flags = documents[f"environments/{delivery.environment}/flags.yaml"]["flags"]
    documents[f"environments/{delivery.environment}/flags.yaml"]["flags"] = [
        flag for flag in flags if flag["type"] != "tenant_list"
    ]


async def test_a_fleet_is_delivered_in_cells_changed_and_removed(delivery: Delivery) -> None:
    """Every tenant is recorded by itself; the environment's own stack holds none of them."""
    delivery.start_worker()
    declare(delivery)
    delivery.shop.merge("first")
    first = await delivery.deliver()

    assert first.outcome == "delivered", first.failure
    assert [step.name for step in first.steps][-2:] == ["tenants", "status"], first
    assert first.steps[-2].message == f"{TENANTS} delivered"
    known = {unit.unit: unit for unit in await units.units_of(delivery.ledger, delivery.environment)}
    assert {known[f"tenant/tenant-{number:03}"].status for number in range(TENANTS)} == {"applied"}
    before = await delivery.live()

    declare(delivery, pods=7)
    del delivery.shop.documents["tenants/tenant-000.yaml"]
    delivery.shop.merge("second")
    second = await delivery.deliver()
    after = await delivery.live()

    assert second.outcome == "delivered", second.failure
    changed = {name for name in after if before.get(name) != after[name]}
    assert {name for name in changed if "tenant-tenant-001" in name}
    assert not {name for name in after if "tenant-tenant-000" in name}
    known = {unit.unit: unit for unit in await units.units_of(delivery.ledger, delivery.environment)}
    assert known["tenant/tenant-000"].status == "removed"


async def test_a_tenant_that_fails_is_restored_while_the_others_move_on(delivery: Delivery) -> None:
    """Within the budget: the cluster refuses one tenant's change, which is what it was; all others are new."""
    delivery.start_worker()
    declare(delivery, failure_budget=2)
    delivery.shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"
    before = await delivery.live()
    name = f"{delivery.environment}-tenant-tenant-004"

    declare(delivery, pods=7, failure_budget=2)
    commit = delivery.shop.merge("second")
    async with delivery.refusing_pods(name, pods=7):
        status = await delivery.deliver()
    after = await delivery.live()

    assert status.outcome == "partly-delivered"
    assert f"{TENANTS - 1} delivered, 1 restored" in status.failure
    assert "tenant/tenant-004" in status.failure
    of_failed = {one for one in before if name in one}
    assert {one: after.get(one) for one in of_failed} == {one: before[one] for one in of_failed}
    known = {unit.unit: unit for unit in await units.units_of(delivery.ledger, delivery.environment)}
    assert known["tenant/tenant-004"].status == "restored"
    assert (known["tenant/tenant-005"].status, known["tenant/tenant-005"].commit) == ("applied", commit)

    again = await delivery.deliver(force=True)
    assert again.outcome == "delivered", again.failure
    known = {unit.unit: unit for unit in await units.units_of(delivery.ledger, delivery.environment)}
    assert known["tenant/tenant-004"].status == "applied"


async def test_beyond_the_budget_everything_of_the_rollout_is_restored_where_that_is_declared(
    delivery: Delivery,
) -> None:
    """Services too: the cluster is object for object what it was."""
    delivery.start_worker()
    declare(delivery, canaries=["tenant-001"], beyond_budget="restore_all")
    delivery.shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"
    before = await delivery.live()
    delivered = await environments.find(delivery.ledger, delivery.environment)

    declare(delivery, pods=7, canaries=["tenant-001"], beyond_budget="restore_all")
    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    delivery.shop.merge("second")
    async with delivery.refusing_pods(f"{delivery.environment}-tenant-tenant-004", pods=7):
        status = await delivery.deliver()

    assert (status.outcome, status.failed_step) == ("restored", "tenants")
    assert "tenant/tenant-004" in status.failure
    assert await delivery.live() == before
    now = await environments.find(delivery.ledger, delivery.environment)
    assert now is not None
    assert delivered is not None
    assert now.delivered_state_digest == delivered.delivered_state_digest


async def test_moving_delivered_tenants_to_other_stacks_is_refused(delivery: Delivery) -> None:
    """It would delete and create them anew."""
    delivery.start_worker()
    declare(delivery, cells=2)
    delivery.shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"
    before = await delivery.live()

    declare(delivery, cells=5)
    delivery.shop.merge("more cells")
    status = await delivery.deliver()

    assert status.outcome == "refused"
    assert "would have to move to another stack" in status.failure
    assert await delivery.live() == before
