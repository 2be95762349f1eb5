"""Today's ADX goes on where the first version stopped: its ledger, its state, its snapshots, its objects."""

from __future__ import annotations

from pathlib import Path

from policies.desired_state import DesiredState
from tests.delivery.delivery import Delivery
from tests.delivery.drift_worker import serving
from tests.pipelines.command import adx, environment
from tests.support.local_stack import LocalStack
from tests.upgrade.first_version import ENVIRONMENT, continued, live_as_left
from workflows.ledger import environments, rollouts
from workflows.runtime import Runtime


async def test_today_goes_on_where_the_first_version_stopped(
    local_stack: LocalStack, ledger_url: str, tmp_path: Path
) -> None:
    """One story, since it is one cluster: nothing has drifted, a bad merge is restored, a good one comes, and goes."""
    async with continued(local_stack, ledger_url, tmp_path) as delivery, serving(delivery) as runtime:
        await _nothing_has_drifted(delivery)
        await _the_upgrade_itself_touches_no_workload(runtime)

        delivery.shop.services["frontend"]["version"] = "v1.5.0-broken"
        delivery.shop.merge("A version that never becomes ready")
        restored = await delivery.deliver()
        assert (restored.outcome, await _image(delivery)) == ("restored", "v1.3.0"), restored.failure

        delivery.shop.services["frontend"]["version"] = "v1.5.1"
        delivery.shop.merge("A version that does")
        delivered = await delivery.deliver()
        assert (delivered.outcome, await _image(delivery)) == ("delivered", "v1.5.1"), delivered.failure

        await delivery.workflows.rollback(ENVIRONMENT, "", "grace@example.com")
        back = await delivery.settled()
        assert (back.outcome, await _image(delivery)) == ("delivered", "v1.3.0"), back.failure
        await _the_ledger_tells_both_versions(delivery)


async def _nothing_has_drifted(delivery: Delivery) -> None:
    """The objects are those that the old ADX made, and today's reads them, the state and the snapshots the same way."""
    assert await delivery.cluster.live_digests(ENVIRONMENT) == live_as_left()

    environ = environment(delivery.folder) | delivery.environ
    ran = adx("drift", ENVIRONMENT, environ=environ, folder=delivery.folder)

    assert (ran.code, "as delivered: 30 objects compared" in ran.out) == (0, True), ran


async def _the_upgrade_itself_touches_no_workload(runtime: Runtime) -> None:
    """What today's ADX would change by delivering the same inputs once more: labels and files, no pod, no object."""
    known = await environments.find(runtime.ledger, ENVIRONMENT)
    assert known is not None
    desired = await runtime.bodies.get(str(known.delivered_state_digest), DesiredState, ENVIRONMENT)
    plan = await runtime.engine(ENVIRONMENT).preview(desired)

    assert (plan.creates, plan.replaces, plan.deletes) == (0, 0, 0)
    updated = {change.type.rpartition(":")[2] for change in plan.changes}
    assert updated <= {"ConfigMap", "LimitRange", "NetworkPolicy", "ResourceQuota"}


async def _the_ledger_tells_both_versions(delivery: Delivery) -> None:
    found = await rollouts.newest(delivery.ledger, ENVIRONMENT, limit=10)
    told = [(one.kind, one.status) for one in found]

    before = [("deliver", "restored"), ("deliver", "delivered"), ("deliver", "delivered")]
    assert told == [("rollback", "delivered"), ("deliver", "delivered"), ("deliver", "restored"), *before]
    assert found[0].commit == found[4].commit  # what the old ADX delivered last


async def _image(delivery: Delivery) -> str:
    """The tag of the image that the service frontend runs, read from the cluster."""
    body = {"apiVersion": "apps/v1", "kind": "Deployment"}
    live = await delivery.cluster.find({**body, "metadata": {"name": "frontend", "namespace": f"shop-{ENVIRONMENT}"}})
    assert live is not None
    return str(live["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]
