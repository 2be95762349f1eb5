"""The main job on real parts: a merge is delivered, and restored when it goes wrong."""

from __future__ import annotations

import asyncio
import copy

from tests.delivery.delivery import Delivery
from workflows.ledger import environments, history, quarantine, units
from workflows.rollout.models import Decision


async def test_a_merge_reaches_the_cluster_with_every_kind_of_change(delivery: Delivery) -> None:
    """Added, changed and removed: tenants, services, configuration and flags; the ledger knows each unit."""
    delivery.start_worker()
    delivery.shop.merge("first")
    assert (await delivery.deliver()).outcome == "delivered"
    first = await delivery.live()

    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    delivery.shop.documents["tenants/initech.yaml"] = delivery.shop.documents.pop("tenants/globex.yaml") | {
        "name": "initech",
        "display_name": "Initech",
        "owner": "team-initech",
        "database": {"engine": "mysql", "name": "initech"},
    }
    flags = delivery.shop.documents[f"environments/{delivery.environment}/flags.yaml"]["flags"]
    flags[0]["enabled"] = False
    commit = delivery.shop.merge("second")
    status = await delivery.deliver()
    second = await delivery.live()

    assert (status.outcome, status.commit) == ("delivered", commit), status.failure
    assert {name for name in first if f"{delivery.environment}-tenant-globex" in name}
    assert not {name for name in second if f"{delivery.environment}-tenant-globex" in name}
    assert {name for name in second if f"{delivery.environment}-tenant-initech" in name}
    assert {name for name in first if name in second and first[name] != second[name]}
    known = {unit.unit: unit for unit in await units.units_of(delivery.ledger, delivery.environment)}
    assert known["tenant/globex"].status == "removed"
    assert (known["tenant/initech"].status, known["tenant/initech"].commit) == ("applied", commit)
    assert known["service/checkout"].commit != commit


async def test_a_commit_that_changes_nothing_for_the_environment_is_recorded_and_touches_nothing(
    delivery: Delivery,
) -> None:
    """The delivered commit moves on; no snapshot, no plan."""
    delivery.start_worker()
    delivery.shop.merge("first")
    await delivery.deliver()
    before = await delivery.live()

    commit = delivery.shop.merge("nothing new")
    status = await delivery.deliver()

    assert status.outcome == "nothing-to-change"
    assert await delivery.live() == before
    known = await environments.find(delivery.ledger, delivery.environment)
    assert known is not None
    assert known.delivered_commit == commit


async def test_a_version_that_never_becomes_ready_is_restored_exactly_and_quarantined(delivery: Delivery) -> None:
    """The cluster is object for object what it was; the commit is not tried again; a revert is prepared."""
    delivery.start_worker()
    good = delivery.shop.merge("good")
    await delivery.deliver()
    before = await delivery.live()

    delivery.shop.services["frontend"]["version"] = "v2.0.0-broken"
    bad = delivery.shop.merge("bad")
    status = await delivery.deliver()

    assert (status.outcome, status.failed_step) == ("restored", "deploy")
    assert "v2.0.0-broken" in status.failure
    assert await delivery.live() == before
    assert await quarantine.find(delivery.ledger, delivery.environment, bad) is not None
    assert "quarantined" in (await delivery.submit(bad)).receipts[0].message
    shown = await history.show(delivery.ledger, status.rollout_id)
    assert (shown.rollout.status, shown.rollout.restored_to, shown.rollout.restore_verified) == ("restored", good, True)
    path = f"environments/{delivery.environment}/services.yaml"
    assert delivery.shop.show(status.revert_branch, path) == delivery.shop.show(good, path)


async def test_a_service_that_the_cluster_refuses_restores_what_was_applied_beside_it(delivery: Delivery) -> None:
    """apply fails half-way: what it had changed is changed back, what it had added is gone."""
    delivery.start_worker()
    delivery.shop.merge("good")
    await delivery.deliver()
    before = await delivery.live()
    await delivery.limit_deployments(to=len(delivery.shop.services))

    extra = copy.deepcopy(delivery.shop.services["store"]) | {"name": "extra"}
    delivery.shop.documents[f"environments/{delivery.environment}/services.yaml"]["services"].append(extra)
    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    delivery.shop.merge("bad")
    status = await delivery.deliver()

    assert (status.outcome, status.failed_step) == ("restored", "apply")
    assert "exceeded quota" in status.failure
    assert await delivery.live() == before


async def test_a_failing_post_deployment_test_restores(delivery: Delivery) -> None:
    """All workloads are ready, and still the declared test says no."""
    delivery.start_worker()
    delivery.shop.merge("good")
    await delivery.deliver()
    before = await delivery.live()

    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    failing = {"name": "smoke", "command": {"arguments": ["sh", "-c", "echo the page is empty; exit 3"]}}
    delivery.shop.rules["post_deployment_tests"].append(failing)
    delivery.shop.merge("bad")
    status = await delivery.deliver()

    assert (status.outcome, status.failed_step) == ("restored", "test")
    assert "exit status 3: the page is empty" in status.failure
    assert await delivery.live() == before


async def test_rollback_goes_back_to_the_delivery_before_and_stays_there(delivery: Delivery) -> None:
    """The commit rolled back from is quarantined, so the poller does not bring it again."""
    delivery.start_worker()
    first = delivery.shop.merge("first")
    await delivery.deliver()
    before = await delivery.live()
    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    second = delivery.shop.merge("second")
    await delivery.deliver()

    await delivery.workflows.rollback(delivery.environment, "", "ada@example.com")
    status = await delivery.settled()

    assert (status.outcome, status.kind, status.commit) == ("delivered", "rollback", first)
    assert await delivery.live() == before
    assert "quarantined" in (await delivery.submit(second)).receipts[0].message


async def test_force_delivers_a_quarantined_commit_and_lifts_the_quarantine(delivery: Delivery) -> None:
    """A person's word counts for more than the record of a failure."""
    delivery.start_worker()
    delivery.shop.merge("first")
    await delivery.deliver()
    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    second = delivery.shop.merge("second")
    await quarantine.add(delivery.ledger, delivery.environment, second, reason="a flaky test", rollout_id="earlier")

    status = await delivery.deliver(second, force=True)

    assert (status.outcome, status.commit) == ("delivered", second)
    assert await quarantine.find(delivery.ledger, delivery.environment, second) is None


async def test_cancel_in_the_middle_restores(delivery: Delivery) -> None:
    """Cancelled while a test runs: back to what was, and the commit is not tried again by itself."""
    delivery.start_worker()
    delivery.shop.merge("first")
    await delivery.deliver()
    before = await delivery.live()
    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    slow = {"name": "slow", "command": {"arguments": ["sleep", "60"], "timeout_seconds": 90}}
    delivery.shop.rules["post_deployment_tests"].append(slow)
    bad = delivery.shop.merge("takes its time")
    await delivery.submit()
    await delivery.until(
        lambda live: (
            live.rollout is not None
            and any(step.name == "test" and step.status == "running" for step in live.rollout.steps)
        )
    )

    await delivery.workflows.cancel(delivery.environment, Decision("ada@example.com"))
    status = await delivery.settled()

    assert status.outcome == "cancelled"
    assert await delivery.live() == before
    found = await quarantine.find(delivery.ledger, delivery.environment, bad)
    assert found is not None
    assert found.reason == "cancelled during test"


async def test_an_environment_that_asks_for_approval_waits_for_it(delivery: Delivery) -> None:
    """Planned, not applied; applied once an approver says so."""
    delivery.start_worker()
    delivery.shop.rules["approval"] = {"required": True, "approvers": ["grace@example.com"]}
    delivery.shop.merge("first")
    await delivery.submit()
    await delivery.until(lambda live: live.rollout is not None and live.rollout.waiting_for_approval)
    assert await delivery.live() == {}

    await delivery.workflows.approve(delivery.environment, Decision("grace@example.com"))
    status = await delivery.settled()

    assert status.outcome == "delivered"
    assert await delivery.live()


async def test_a_commit_that_is_not_on_the_branch_is_refused(delivery: Delivery) -> None:
    """Only what was merged is delivered."""
    delivery.start_worker()
    first = delivery.shop.merge("first")
    await delivery.deliver()
    stray = delivery.shop.merge("dropped again")
    delivery.shop.rewind(first)
    delivery.shop.merge("instead")
    await delivery.deliver()

    refused = await asyncio.gather(delivery.submit(stray), return_exceptions=True)

    assert f"{stray[:12]} is not on main" in str(refused[0])


async def test_a_force_push_that_drops_the_delivered_commit_is_refused(delivery: Delivery) -> None:
    """What is delivered stays until a person decides."""
    delivery.start_worker()
    first = delivery.shop.merge("first")
    delivery.shop.services["frontend"]["version"] = "v1.3.0"
    delivery.shop.merge("second")
    await delivery.deliver()
    before = await delivery.live()

    delivery.shop.rewind(first)
    delivery.shop.services["store"]["version"] = "7.6"
    delivery.shop.merge("rewritten")
    status = await delivery.deliver()

    assert status.outcome == "refused"
    assert "was rewritten" in status.failure
    assert await delivery.live() == before


async def test_invalid_declarations_are_refused_with_their_place(delivery: Delivery) -> None:
    """What validation in a pull request would have said; nothing is touched, and it is not tried every minute."""
    delivery.start_worker()
    delivery.shop.merge("first")
    await delivery.deliver()
    delivery.shop.services["frontend"]["dependencies"] = ["chekout"]
    bad = delivery.shop.merge("typing error")

    status = await delivery.deliver()

    assert status.outcome == "refused"
    assert f"environments/{delivery.environment}/services.yaml:" in status.failure
    assert await quarantine.find(delivery.ledger, delivery.environment, bad) is not None
