"""Drift on real parts: made by somebody's hand, found by the schedule, shown, and healed as a guarded change."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lightkube import AsyncClient, KubeConfig
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, ResourceQuota, Service
from lightkube.types import PatchType
from temporalio.service import RPCError

from pipelines.cli.drift import drift as drift_command
from policies.desired_state import tenant_namespace
from tests.delivery.delivery import Delivery
from tests.delivery.drift_worker import CHECK_EVERY_SECONDS, checked, ended, serving
from tests.delivery.test_fleet import declare
from tests.explain.command import run
from tests.support.quoted import Quoted
from workflows.drift.schedule import schedule_id
from workflows.fleet.durable import FleetDecision
from workflows.ledger import audit, drift, history
from workflows.telemetry.metrics import exposition

CANARY = "canary-77c2-password"


def somebody(delivery: Delivery) -> AsyncClient:
    """Somebody with a client of their own, who is not ADX."""
    config = KubeConfig.from_file(delivery.environ["KUBECONFIG"])
    return AsyncClient(config=config.get(context_name=delivery.environ["ADX_KUBE_CONTEXT"]), field_manager="somebody")


async def delivered(delivery: Delivery, **rules: object) -> dict[str, str]:
    """A first delivery that declares checks for drift; what is live after it."""
    delivery.shop.rules["drift"] = {"check_every_seconds": CHECK_EVERY_SECONDS, **rules}
    delivery.shop.merge("first")
    status = await delivery.deliver()
    assert status.outcome == "delivered", status.failure
    return await delivery.live()


async def drifted_units(delivery: Delivery) -> dict[str, drift.UnitDrift]:
    """What the ledger says has drifted."""
    known = await drift.units_of(delivery.ledger, delivery.environment)
    return {one.unit: one for one in known if one.drifted_since is not None}


async def test_what_somebody_changed_is_found_shown_and_healed(delivery: Delivery) -> None:
    """Changed, added, removed, deleted: all is back, under the environment's lock, and its history says why."""
    async with serving(delivery):
        before = await delivered(delivery, heal="always")
        client, where = somebody(delivery), f"shop-{delivery.environment}"
        data = {"data": {"CURRENCY": "XXX", "DB_PASSWORD": CANARY}}
        await client.patch(ConfigMap, "frontend-configuration", data, namespace=where, patch_type=PatchType.MERGE)
        await client.delete(ConfigMap, "checkout-configuration", namespace=where)
        await client.patch(Deployment, "frontend", {"spec": {"replicas": 5}}, namespace=where)
        label = {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}}
        await client.patch(Service, "frontend", label, namespace=where, patch_type=PatchType.MERGE)

        result = await checked(delivery)
        heal = await ended(delivery)
        again = await checked(delivery)

    assert result.found.status == "drifted"
    assert result.found.to_heal == ["service/checkout", "service/frontend"]
    assert (heal.status, heal.source, heal.requested_by) == ("delivered", "drift", "adx"), heal.failure
    assert heal.change_set is not None
    assert heal.change_set["summary"] == "drift healed: service/checkout, service/frontend"
    assert (again.found.status, again.found.to_heal) == ("as-delivered", [])
    assert await delivery.live() == before
    assert await drifted_units(delivery) == {}
    (told,) = [one for one in await history.history(delivery.ledger, delivery.environment) if one.rollout.id == heal.id]
    assert [(one.unit, one.status) for one in told.units] == [
        ("service/checkout", "applied"),
        ("service/frontend", "applied"),
    ]
    assert CANARY not in repr(told) + repr(await drift.units_of(delivery.ledger, delivery.environment)) + heal.id


async def test_a_unit_that_the_cluster_refuses_is_undone_alone_and_given_up(delivery: Delivery) -> None:
    """Two tenants in cells: one is healed, the other stays what it was before; then it is told, not tried."""
    declare(delivery, tenants=4)
    async with serving(delivery):
        await delivered(delivery, heal="always", give_up_after=1)
        client, where = somebody(delivery), tenant_namespace(delivery.environment, "tenant-001")
        quota = (await _only(client, ResourceQuota, where)).metadata.name
        await client.patch(ResourceQuota, quota, {"spec": {"hard": {"pods": "9"}}}, namespace=where)
        drifted = await delivery.live()
        other = tenant_namespace(delivery.environment, "tenant-002")
        await client.patch(ResourceQuota, quota, {"spec": {"hard": {"pods": "9"}}}, namespace=other)
        async with delivery.refusing_pods(where, pods=5):
            await checked(delivery)
            heal = await ended(delivery)
            live, known = await delivery.live(), await drifted_units(delivery)
            again = await checked(delivery)

    assert heal.status == "partly-delivered", heal.failure
    assert heal.failure is not None
    assert "refused for a test" in heal.failure["message"]
    assert live == drifted
    assert list(known) == ["tenant/tenant-001"]
    assert known["tenant/tenant-001"].heals == 1
    assert [one["fields"] for one in known["tenant/tenant-001"].objects] == [
        [{"path": "spec.hard.pods", "by": "somebody"}]
    ]
    assert again.found.to_heal == []
    assert "healed 1 time(s) in a row and drifted again: tenant/tenant-001" in again.found.not_healed
    assert [row.action for row in await _audited(delivery) if row.action.startswith("drift.")] == ["drift.given-up"]
    shown = await asyncio.to_thread(run, drift_command, "--last", **delivery.environ)
    assert shown.code == 1
    assert "tenant/tenant-001" in shown.out
    assert "spec.hard.pods" in shown.out
    assert f'adx_drifted_units{{environment="{delivery.environment}"}} 1.0' in exposition().decode()


async def test_a_heal_that_breaks_a_test_is_undone_as_a_whole(delivery: Delivery) -> None:
    """What somebody did by hand may be what keeps the shop alive: all is as before, and one deleted is gone again."""
    async with serving(delivery):
        delivery.shop.rules["post_deployment_tests"] = [
            {"name": "flag", "command": {"arguments": ["test", "-e", "ok"]}}
        ]
        delivery.shop.rules["post_deployment_tests"][0]["command"]["arguments"][2] = str(delivery.folder / "ok")
        (delivery.folder / "ok").touch()
        await delivered(delivery, heal="always")
        (delivery.folder / "ok").unlink()
        client, where = somebody(delivery), f"shop-{delivery.environment}"
        spec = {"spec": {"replicas": 3, "template": {"metadata": {"annotations": {"by": "hand"}}}}}
        await client.patch(Deployment, "frontend", spec, namespace=where)
        await client.delete(ConfigMap, "checkout-configuration", namespace=where)
        drifted = await delivery.live()
        await checked(delivery)
        heal = await ended(delivery)

    assert (heal.status, heal.restore_verified) == ("restored", True), heal.failure
    assert heal.failure is not None
    assert heal.failure["step"] == "test"
    assert await delivery.live() == drifted
    assert {unit: one.heals for unit, one in (await drifted_units(delivery)).items()} == {
        "service/checkout": 1,
        "service/frontend": 1,
    }


async def test_nothing_is_healed_in_a_freeze_and_the_next_plan_tells_the_drift(delivery: Delivery) -> None:
    """A freeze keeps hands off; whoever delivers next over the drift reads about it; no declaration, no schedule."""
    now = datetime.now(UTC)
    freeze = {"name": "fair", "reason": "The fair.", "time_zone": "UTC"}
    freeze |= {"from": _local(now - timedelta(days=1)), "until": _local(now + timedelta(days=1))}
    async with serving(delivery):
        drift_rules = {"check_every_seconds": CHECK_EVERY_SECONDS, "heal": "always"}
        delivery.shop.rules.update(freezes=[freeze], drift=drift_rules)
        delivery.shop.merge("first")
        await delivery.submit()
        held = await delivery.until(lambda live: live.rollout is not None and bool(live.rollout.held_until))
        assert held.rollout is not None
        assert "The fair." in held.rollout.held_why
        word = FleetDecision("ines", "override", reason="the fair is behind the hill")
        await delivery.workflows.decide_fleet(delivery.environment, word)
        first = await delivery.settled()
        assert first.outcome == "delivered", first.failure
        client, where = somebody(delivery), f"shop-{delivery.environment}"
        label = {"metadata": {"labels": {"app.kubernetes.io/part-of": None}}}
        await client.patch(Service, "frontend", label, namespace=where, patch_type=PatchType.MERGE)
        result = await checked(delivery)

        del delivery.shop.rules["drift"], delivery.shop.rules["freezes"]
        delivery.shop.services["frontend"]["version"] = "v1.3.0"
        delivery.shop.propose("topic", "over the drift")
        notes = await _previewed(delivery, "topic")
        delivery.shop.merge("over the drift")
        status = await delivery.deliver()

    assert (result.found.to_heal, result.found.drifted_units) == ([], 1)
    assert "The fair." in result.found.not_healed
    assert status.outcome == "delivered", status.failure
    expected = "Service/frontend of service/frontend changed: metadata.labels"
    assert f"drifted before it: {expected}" in status.summary
    assert [note for note in notes if note.startswith(f"Drifted: {expected}")]
    schedule = delivery.client.get_schedule_handle(schedule_id(delivery.environment, delivery.environment))
    with pytest.raises(RPCError, match="not found"):
        await schedule.describe()


async def test_a_check_during_a_rollout_is_skipped_and_says_so(delivery: Delivery) -> None:
    """What a rollout is about to change is no drift."""
    delivery.shop.rules["approval"] = {"required": False}
    async with serving(delivery):
        await delivered(delivery)
        delivery.shop.rules["approval"] = {"required": True, "approvers": ["grace@example.com"]}
        delivery.shop.services["frontend"]["version"] = "v1.3.0"
        delivery.shop.merge("waits")
        await delivery.submit()
        live = await delivery.until(lambda live: live.rollout is not None and live.rollout.waiting_for_approval)
        result = await checked(delivery)

    assert result.found.status == "rollout-under-way"
    (check,) = await drift.checks(delivery.ledger, [delivery.environment])
    assert live.rollout is not None
    assert check.rollout_id == live.rollout.rollout_id


async def _previewed(delivery: Delivery, branch: str) -> list[str]:
    """The notes of the preview of ``branch``, as a job of CI makes it."""
    report = delivery.folder / "report.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pipelines.cli", "preview", "--base", "main", "--head", branch, "--output", str(report),
        env={**os.environ, **delivery.environ}, cwd=delivery.shop.work,
    )  # fmt: skip
    assert await process.wait() == 0
    (environment,) = json.loads(report.read_text())["environments"]
    return list(environment.get("notes", []))


async def _only(client: AsyncClient, kind: Any, namespace: str) -> Any:
    (found,) = [one async for one in client.list(kind, namespace=namespace)]
    return found


async def _audited(delivery: Delivery) -> list[Any]:
    return list(await audit.entries(delivery.ledger, environment=delivery.environment))


def _local(moment: datetime) -> str:
    return Quoted(moment.strftime("%Y-%m-%dT%H:%M"))
