"""A delivery whose services are real processes behind a real gateway, judged by a real Prometheus.

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

from scripts.traffic.load import Load
from scripts.traffic.pods import PodFacts, Pods
from scripts.traffic.shop_server import Behaviour
from scripts.traffic.shops import ShopServer, start_shop
from tests.delivery.delivery import Delivery, opened
from tests.support.local_stack import CaddyServer, LocalStack, PrometheusServer
from workflows.clients.consul import Consul
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


@contextlib.asynccontextmanager
async def front_of(
    stack: LocalStack, ledger_url: str, gateway: CaddyServer, prometheus: PrometheusServer, folder: Path
) -> AsyncIterator[Shopfront]:
    """Nothing delivered yet; the frontend is declared to change its release behind ``gateway``."""
    admin = urlsplit(gateway.admin_url)
    prometheus.targets.joinpath(f"gateway-{admin.port}.json").write_text(json.dumps([{"targets": [admin.netloc]}]))
    settings = {
        "ADX_LEDGER_URL": ledger_url,
        "ADX_CADDY_ADMIN_URLS": gateway.admin_url,
        "ADX_PROMETHEUS_URL": prometheus.url,
    }
    async with opened(stack.environment | settings, folder, uuid.uuid4().hex[:8]) as delivery:
        consul = ConsulRegistry(Consul(gateway.consul_url))
        front = Shopfront(delivery, gateway.url, prometheus.targets, None)  # type: ignore[arg-type] # each needs the other
        front.pods = Pods(delivery.cluster, consul, f"shop-{delivery.environment}", delivery.environment, front.start)
        keeping = asyncio.create_task(front.pods.keep())
        declare(delivery, "frontend")
        yield front
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        await consul.close()
        for name in front.known:
            prometheus.targets.joinpath(f"{name}.json").unlink(missing_ok=True)


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
            # Below what ``slow`` takes, and above what a machine that is busy with other tests may take.
            "latency": [{"percentile": 90, "at_most_milliseconds": 2000}],
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
