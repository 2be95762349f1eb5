"""Whether those who read new values are well: replicas as a cluster tells them, gates of real HTTP servers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from policies.infrastructure.spec import EnvironmentSpec, FleetRules, Gate, HttpCheck, PrometheusCheck, RolloutRules
from policies.services.spec import ProbeAction, Probes
from tests.configuration.delivery.listener import Listener, listening
from tests.support.desired import desired_state, platform_unit, service_spec, service_unit
from workflows.clients.kubernetes.workloads import WorkloadStatus
from workflows.configuration import health
from workflows.configuration.durable import Healthy
from workflows.errors import PostDeploymentTestFailed
from workflows.step_runner import Report

READY = WorkloadStatus(desired=2, updated=2, available=2, observed=True)
FEWER = WorkloadStatus(desired=2, updated=2, available=1, observed=True)


@dataclass
class ClusterDouble:
    """Tells the next status each time, the last one for ever: replicas that fail at a chosen moment."""

    statuses: list[WorkloadStatus] = field(default_factory=lambda: [READY])
    asked: list[str] = field(default_factory=list)

    async def rollout_status(self, namespace: str, deployment: str) -> WorkloadStatus:
        self.asked.append(f"{namespace}/{deployment}")
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@dataclass
class RuntimeDouble:
    """What health needs of a runtime."""

    cluster: ClusterDouble = field(default_factory=ClusterDouble)
    environ: dict[str, str] = field(default_factory=dict)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less patience than in a cluster, by a clock on which each look takes a hundredth of a second, however long."""
    monkeypatch.setattr(health, "POLL_INTERVAL_SECONDS", 0.001)
    monkeypatch.setattr(health, "WITHIN_SECONDS", 0.5)
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=itertools.count(1.0, 0.01).__next__))


@pytest.fixture
def server() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


def rules(*gates: Gate) -> EnvironmentSpec:
    """An environment with these gates."""
    fleet = FleetRules(gates=gates) if gates else None
    return EnvironmentSpec(
        name="staging", description="d", owner="o", region="r", namespace="shop", rollout=RolloutRules(fleet=fleet)
    )


async def looked(runtime: Any, *gates: Gate, names: tuple[str, ...] = ("cart",)) -> Healthy:
    """What health says of a cart with a probe that is noticed at once, and of a till without one."""
    probe = ProbeAction(port="http", http_path="/", period_seconds=0, failure_threshold=1)
    cart = service_unit("staging", service_spec("cart", probes=Probes(readiness=probe)))
    till = service_unit("staging", service_spec("till", probes=Probes()))
    state = desired_state("staging", platform_unit("staging"), cart, till)
    return await health.await_health(runtime, names, state, rules(*gates), Report())


async def test_only_services_that_read_changed_values_are_asked() -> None:
    """Others have nothing to do with it; one that is gone has no replicas."""
    runtime = RuntimeDouble()

    assert await looked(runtime, names=("cart", "gone")) == Healthy(["cart"], [])
    assert set(runtime.cluster.asked) == {"shop-staging/cart"}


async def test_replicas_may_need_a_moment() -> None:
    """They are asked until they are all there."""
    runtime = RuntimeDouble(ClusterDouble([FEWER, FEWER, READY]))

    assert await looked(runtime) == Healthy(["cart"], [])
    assert len(runtime.cluster.asked) == 3


async def test_a_service_that_stays_away_fails_the_update() -> None:
    """Within the time that it has; how many are there is said."""
    with pytest.raises(PostDeploymentTestFailed, match="cart has 1 of 2 replicas"):
        await looked(RuntimeDouble(ClusterDouble([FEWER])))


async def test_replicas_must_stay_for_as_long_as_a_probe_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """One moment of readiness proves nothing: pods that read a bad value fail their probe later."""
    monkeypatch.setattr(health, "hold_of", lambda _: 0.1)
    flapping = [READY, READY, FEWER, READY]
    runtime = RuntimeDouble(ClusterDouble(flapping))

    assert await looked(runtime) == Healthy(["cart"], [])
    assert len(runtime.cluster.asked) > len(flapping)
    with pytest.raises(PostDeploymentTestFailed):
        await looked(RuntimeDouble(ClusterDouble([READY, READY, FEWER])))


def test_how_long_that_is_comes_of_the_probes() -> None:
    """The longest period times its failures, and never more than a minute."""
    units = [
        service_unit("staging", service_spec(name, probes=Probes(readiness=ProbeAction(port="http", **numbers))))
        for name, numbers in (("a", {"period_seconds": 5, "failure_threshold": 4}), ("b", {"period_seconds": 10}))
    ]
    inputs: list[Any] = [unit.inputs for unit in units]

    assert health.hold_of(inputs) == 30
    assert health.hold_of(inputs[:1]) == 20
    assert health.hold_of([]) == 0
    slow = service_unit("staging", service_spec(probes=Probes(readiness=ProbeAction(port="http", period_seconds=300))))
    assert health.hold_of([slow.inputs]) == 60  # type: ignore[list-item] # of a service


async def test_no_data_from_prometheus_is_a_failure(server: Listener) -> None:
    """Whoever sees nothing has proved nothing."""
    server.answers, server.body = [200], b'{"status": "success", "data": {"resultType": "vector", "result": []}}'
    gate = Gate(name="few-errors", prometheus=PrometheusCheck(query="up", at_most=1, url=server.url))

    with pytest.raises(PostDeploymentTestFailed, match="gate few-errors: the query returns no data"):
        await looked(RuntimeDouble(), gate)


async def test_gates_that_hold_are_named(server: Listener) -> None:
    """Prometheus by the worker's settings, and an HTTP check."""
    server.answers = [200]
    server.body = (
        b'{"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "0"]}]}}'
    )
    gates = (
        Gate(name="few-errors", prometheus=PrometheusCheck(query="errors", at_most=0.01)),
        Gate(name="answers", http_check=HttpCheck(url=server.url)),
    )

    found = await looked(RuntimeDouble(environ={"ADX_PROMETHEUS_URL": server.url}), *gates)

    assert found == Healthy(["cart"], ["few-errors", "answers"])


async def test_a_gate_without_a_prometheus_does_not_hold() -> None:
    """It cannot be asked, so nothing is proved."""
    gate = Gate(name="few-errors", prometheus=PrometheusCheck(query="up", at_most=1))

    with pytest.raises(PostDeploymentTestFailed, match="no Prometheus is named"):
        await looked(RuntimeDouble(), gate)
