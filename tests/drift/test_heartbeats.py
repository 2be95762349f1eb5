"""Thousands of objects are compared beside the event loop: without a turn, nothing on the worker has heartbeats."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lightkube import AsyncClient, KubeConfig
from lightkube.resources.core_v1 import ConfigMap
from lightkube.types import PatchType

from policies.masking import Masker
from tests.delivery.delivery import Delivery, opened
from tests.delivery.drift_worker import CHECK_EVERY_SECONDS, checked, ended, serving
from tests.drift.objects import STATE, Cluster, applied
from tests.support.local_stack import LocalStack
from workflows.drift import compare, drifted_objects, healing
from workflows.drift.healing import heal_plan
from workflows.drift.look import Seen


class Places:
    """By module, whether each call of a function that it does for every object came from an event loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on_loop: dict[str, list[bool]] = defaultdict(list)
        self._monkeypatch = monkeypatch

    def watch(self, module: Any, name: str) -> None:
        """Note where ``name`` of ``module`` is called."""
        function, places = getattr(module, name), self.on_loop[module.__name__.rpartition(".")[2]]

        def watched(*arguments: Any, **named: Any) -> Any:
            places.append(_is_on_loop())
            return function(*arguments, **named)

        self._monkeypatch.setattr(module, name, watched)

    def taken(self) -> dict[str, set[bool]]:
        """What was noted since the last time."""
        noted = {module: set(places) for module, places in self.on_loop.items()}
        for places in self.on_loop.values():
            places.clear()
        return noted


def _is_on_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    """Watches the comparison and the plan of a heal."""
    watching = Places(monkeypatch)
    watching.watch(compare, "foreign_fields")
    watching.watch(healing, "foreign_fields")
    return watching


def test_what_was_seen_is_compared_once(places: Places) -> None:
    """However many ask: a check and the plan of the heal that follows from it."""
    cluster = Cluster()
    cluster.objects["ConfigMap/shop-test/cart-configuration"]["data"] = {}
    seen = Seen(applied(STATE), cluster.objects, Masker())

    drift = seen.drift()
    plan = heal_plan(seen, None, ())

    assert [one.name for one in drift] == ["cart-configuration"]
    assert plan.units == ("service/cart",)
    assert len(places.on_loop["compare"]) == len(applied(STATE))


@pytest.fixture
async def delivery(local_stack: LocalStack, ledger_url: str, tmp_path: Path) -> AsyncIterator[Delivery]:
    """Nothing delivered yet, no worker of its own."""
    async with opened(local_stack.environment | {"ADX_LEDGER_URL": ledger_url}, tmp_path, uuid.uuid4().hex[:8]) as own:
        yield own


async def test_checks_heals_undos_and_plans_leave_the_event_loop_its_turns(delivery: Delivery, places: Places) -> None:
    """On real parts, with a worker in this process: nothing that grows with the environment runs on its loop."""
    places.watch(drifted_objects, "not_as_before")
    awaited = delivery.folder / "ok"
    awaited.touch()
    exists = {"name": "ok", "command": {"arguments": ["test", "-e", str(awaited)]}}
    delivery.shop.rules["post_deployment_tests"] = [exists]
    delivery.shop.rules["drift"] = {"check_every_seconds": CHECK_EVERY_SECONDS, "heal": "always"}
    async with serving(delivery):
        delivery.shop.merge("first")
        first = await delivery.deliver()
        assert first.outcome == "delivered", first.failure
        await _change_by_hand(delivery)
        awaited.unlink()
        places.taken()

        await checked(delivery)
        heal = await ended(delivery)
        undone = places.taken()
        awaited.touch()
        delivery.shop.services["frontend"]["version"] = "v1.3.0"
        delivery.shop.merge("next")
        status = await delivery.deliver()
        told = places.taken()

    assert (heal.status, heal.restore_verified) == ("restored", True), heal.failure
    assert undone == {"compare": {False}, "healing": {False}, "drifted_objects": {False}}
    assert "drifted before it: ConfigMap/frontend-configuration" in status.summary
    assert told["compare"] == {False}


async def _change_by_hand(delivery: Delivery) -> None:
    config = KubeConfig.from_file(delivery.environ["KUBECONFIG"])
    client = AsyncClient(config=config.get(context_name=delivery.environ["ADX_KUBE_CONTEXT"]), field_manager="somebody")
    await client.patch(
        ConfigMap,
        "frontend-configuration",
        {"data": {"CURRENCY": "XXX"}},
        namespace=f"shop-{delivery.environment}",
        patch_type=PatchType.MERGE,
    )
