"""Service delivery on real parts: real processes behind a real gateway under load, judged by a real Prometheus.

A process runs for each pod of the local cluster, so that what the stack makes is what answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from scripts.traffic.load import Load
from scripts.traffic.pods import PodFacts, Pods
from scripts.traffic.shop_server import Behaviour, ShopServer, start_shop
from tests.delivery.delivery import Delivery, opened
from tests.support.local_stack import CaddyServer, LocalStack, PrometheusServer
from workflows.clients.consul import Consul
from workflows.rollout.models import RolloutStatus
from workflows.services.models import ReleaseDecision
from workflows.services.registry.in_consul import ConsulRegistry

RATE_PER_SECOND = 150
BAD = {
    "errors": Behaviour(errors_percent=10),
    "few-errors": Behaviour(errors_percent=2),
    "slow": Behaviour(delay_milliseconds=3000),
    "crashing": Behaviour(crash_after_seconds=6),
    "never": Behaviour(never_ready=True),
    "liar": Behaviour(errors_percent=100),
    "leaky": Behaviour(leak_bytes_per_request=200_000),
}
"""How a version whose tag ends so behaves; ``liar`` passes its probe and fails every request."""


@dataclass
class Shopfront:
    """A delivery whose services are processes behind a gateway."""

    delivery: Delivery
    gateway: str
    targets: Path
    pods: Pods

    def load(self, service: str = "frontend") -> Load:
        """Requests to a service, as many as tell a bad one from a good one."""
        url = f"{self.gateway}/{self.delivery.environment}--{service}/"
        return Load(url, connections=32, rate_per_second=RATE_PER_SECOND)

    def __post_init__(self) -> None:
        self._facts: dict[str, PodFacts] = {}

    @property
    def known(self) -> list[str]:
        """The names of all pods that had a process."""
        return list(self._facts)

    def start(self, facts: PodFacts) -> ShopServer:
        """The process of a pod, which Prometheus is told of."""
        self._facts[facts.name] = facts
        server = start_shop(facts.release, BAD.get(facts.version.partition("-")[2]))
        self.targets.joinpath(f"{facts.name}.json").write_text(json.dumps([{"targets": [server.address]}]))
        return server


@pytest.fixture
async def shopfront(
    local_stack: LocalStack,
    ledger_url: str,
    caddy_server: CaddyServer,
    prometheus_server: PrometheusServer,
    tmp_path: Path,
) -> AsyncIterator[Shopfront]:
    """Nothing delivered yet; the frontend is declared to change its release behind the gateway."""
    scraped = [{"targets": [urlsplit(caddy_server.admin_url).netloc]}]
    prometheus_server.targets.joinpath("gateway-of-releases.json").write_text(json.dumps(scraped))
    settings = {
        "ADX_LEDGER_URL": ledger_url,
        "ADX_CADDY_ADMIN_URLS": caddy_server.admin_url,
        "ADX_PROMETHEUS_URL": prometheus_server.url,
    }
    async with opened(local_stack.environment | settings, tmp_path, uuid.uuid4().hex[:8]) as delivery:
        consul = ConsulRegistry(Consul(caddy_server.consul_url))
        front = Shopfront(delivery, caddy_server.url, prometheus_server.targets, None)  # type: ignore[arg-type] # two that need each other
        front.pods = Pods(delivery.cluster, consul, f"shop-{delivery.environment}", delivery.environment, front.start)
        keeping = asyncio.create_task(front.pods.keep())
        declare(delivery, "frontend")
        yield front
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await consul.close()
        for name in front.known:
            prometheus_server.targets.joinpath(f"{name}.json").unlink(missing_ok=True)


def declare(delivery: Delivery, service: str, **fields: Any) -> None:
    """Let ``service`` change its release by the gateway, in seconds instead of minutes."""
    rules: dict[str, Any] = {
        "strategy": "canary",
        "gateway": "caddy",
        "steps": [{"weight_percent": 20, "bake_seconds": 8}],
        "bake_seconds": 4,
        "keep_blue_seconds": 2,
        "drain_seconds": 1,
        "analysis": {
            "interval_seconds": 2,
            "minimum_requests": 50,
            "success_rate": {"worse_by_percent": 1.5},
            "latency": [{"percentile": 90, "at_most_milliseconds": 1000}],
            "queries": [
                {"name": "leaked", "query": 'max(shop_leaked_bytes{release="$release"})', "at_most": 1_000_000}
            ],
        },
    }
    declared = delivery.shop.services[service]
    chosen = {name: value for name, value in (rules | fields).items() if value is not None}
    declared |= {"delivery": chosen, "replicas": 1, "dependencies": []}
    declared.pop("autoscaling", None)
    declared.pop("min_available", None)


async def first(front: Shopfront) -> None:
    """v1 serves."""
    front.delivery.start_worker()
    front.delivery.shop.services["frontend"]["version"] = "v1.2.0"
    front.delivery.shop.merge("first")
    status = await front.delivery.deliver()
    assert status.outcome == "delivered", status.failure
    assert await front.load().run(20)


async def deliver(front: Shopfront, version: str) -> RolloutStatus:
    """Merge a version of the frontend and wait for the end."""
    front.delivery.shop.services["frontend"]["version"] = version
    front.delivery.shop.merge(version)
    return await front.delivery.deliver()


async def test_there_and_back_under_load_without_one_failed_request(shopfront: Shopfront) -> None:
    """Blue to green and to the next; whoever asks gets an answer, and old processes go once they are not needed."""
    await first(shopfront)
    load = shopfront.load()
    load.start()
    outcomes = [await deliver(shopfront, version) for version in ("v1.3.0", "v1.4.0")]
    result = await load.stop()

    assert [status.failure for status in outcomes] == ["", ""]
    assert [status.outcome for status in outcomes] == ["delivered", "delivered"]
    assert result.failed == 0, result.broken
    assert len(result.by_release) == 3
    names = [step.name for step in outcomes[1].steps]
    assert names[4:8] == ["deploy", "release", "test", "cleanup"]
    live = [name for name in await shopfront.delivery.live() if name.startswith("Deployment/") and "frontend" in name]
    assert len(live) == 1
    print(f"{result.requests} requests, {result.failed} failed, by release {dict(result.by_release)}")


@pytest.mark.parametrize("badness", BAD)
async def test_a_bad_release_is_found_and_undone(shopfront: Shopfront, badness: str) -> None:
    """However it is bad; few have met it, and afterwards everything is as it was."""
    await first(shopfront)
    before = await shopfront.delivery.live()
    if badness == "never":
        shopfront.delivery.shop.services["frontend"]["ready_timeout_seconds"] = 5
    load = shopfront.load()
    load.start()
    status = await deliver(shopfront, f"v2.0.0-{badness}")
    await load.sent(50)
    result = await load.stop()

    release = next(step for step in status.steps if step.name == "release")
    assert (status.outcome, status.failed_step) == ("restored", "release"), (status.failure, badness)
    assert await shopfront.delivery.live() == before
    green = [name for name, count in result.by_release.items() if name and count < result.requests / 2]
    touched = sum(result.by_release[name] for name in green)
    assert touched <= 0.4 * result.requests
    if badness == "never":
        assert touched == 0
    print(f"{badness}: {release.message}; {touched} of {result.requests} requests met it, {result.failed} failed")


async def test_a_set_is_taken_back_together(shopfront: Shopfront) -> None:
    """A dependency that was fine by itself goes back with what was raised with it."""
    delivery = shopfront.delivery
    declare(delivery, "checkout", strategy="blue-green", steps=[], analysis=None, bake_seconds=1)
    delivery.shop.services["frontend"]["dependencies"] = ["checkout"]
    delivery.start_worker()
    delivery.shop.merge("first")
    assert (await delivery.deliver()).failure == ""
    before = await delivery.live()
    fronts, checkouts = shopfront.load(), shopfront.load("checkout")
    fronts.start()
    checkouts.start()
    delivery.shop.services["checkout"]["version"] = "v1.5.0"
    status = await deliver(shopfront, "v2.0.0-liar")
    results = [await fronts.stop(), await checkouts.stop()]

    assert (status.outcome, status.failed_step) == ("restored", "release"), status.failure
    assert status.releasing == ["checkout", "frontend"]
    assert await delivery.live() == before
    assert results[1].failed == 0, results[1].broken
    assert len(results[1].by_release) == 2  # its new release did serve in between


@pytest.mark.parametrize("phase", ["baking", "cleanup"])
async def test_a_worker_killed_in_the_middle_is_replaced(shopfront: Shopfront, phase: str) -> None:
    """The next one goes on where it was; nobody who asks notices."""
    await first(shopfront)
    load = shopfront.load()
    load.start()
    shopfront.delivery.shop.services["frontend"]["version"] = "v1.3.0"
    shopfront.delivery.shop.merge("second")
    await shopfront.delivery.submit()
    if phase == "cleanup":
        await shopfront.delivery.until(lambda live: bool(live.rollout and live.rollout.kept_until))
    else:
        await shopfront.delivery.until(lambda live: bool(live.rollout and live.rollout.releasing))
    shopfront.delivery.workers[-1].kill()
    shopfront.delivery.start_worker()
    status = await shopfront.delivery.settled()
    result = await load.stop()

    assert status.outcome == "delivered", status.failure
    assert result.failed == 0, result.broken


async def test_switched_back_while_the_old_release_is_kept(shopfront: Shopfront) -> None:
    """At a word: requests first, then the rest, until everything is as it was."""
    declare(shopfront.delivery, "frontend", keep_blue_seconds=3600)
    await first(shopfront)
    before = await shopfront.delivery.live()
    load = shopfront.load()
    load.start()
    shopfront.delivery.shop.services["frontend"]["version"] = "v1.3.0"
    shopfront.delivery.shop.merge("second")
    await shopfront.delivery.submit()
    await shopfront.delivery.until(lambda live: bool(live.rollout and live.rollout.kept_until))
    said = ReleaseDecision("ada@example.com", "switch-back", "", "customers complain")
    await shopfront.delivery.workflows.decide_release(shopfront.delivery.environment, said)
    status = await shopfront.delivery.settled()
    result = await load.stop()

    assert (status.outcome, status.failure) == ("restored", "ada@example.com switched back: customers complain")
    assert await shopfront.delivery.live() == before
    assert result.failed == 0, result.broken
