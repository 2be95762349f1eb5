"""Metrics, health and readiness, asked over HTTP."""

from __future__ import annotations

import asyncio
import socket
import uuid
from datetime import timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp
from temporalio.client import Client

from policies.errors import AdxError
from tests.support.local_stack import LocalStack
from workflows.telemetry import metrics, probes
from workflows.telemetry.serving import bind, served
from workflows.telemetry.temporal import observed_runtime


async def passes() -> None:
    """A check that passes."""


async def fails() -> None:
    """A check that fails with a text that must not be shown."""
    raise ConnectionError("postgresql://adx:canary@db/ledger refused")


async def get(path: str, application: ASGIApp) -> httpx.Response:
    """One request to ``application`` on a real server."""
    async with served(application, bind("0")) as address, httpx.AsyncClient(trust_env=False) as client:
        return await client.get(f"http://{address}{path}")


async def test_process_is_live_whatever_its_parts_do() -> None:
    answer = await get("/healthz", probes.application({"ledger": fails}))
    assert (answer.status_code, answer.text) == (200, "live\n")


async def test_ready_when_all_checks_pass() -> None:
    answer = await get("/readyz", probes.application({"ledger": passes, "temporal": passes}))
    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "checks": ["ledger", "temporal"], "failed": {}},
    )


async def test_not_ready_names_the_failed_check_and_not_its_text() -> None:
    answer = await get("/readyz", probes.application({"ledger": fails, "temporal": passes}))
    assert (answer.status_code, answer.json()["failed"]) == (503, {"ledger": "ConnectionError"})
    assert "canary" not in answer.text


async def test_check_that_hangs_is_a_failed_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "CHECK_TIMEOUT_SECONDS", 0.05)
    answer = await get("/readyz", probes.application({"temporal": asyncio.Event().wait}))
    assert answer.json()["failed"] == {"temporal": "no answer in time"}


async def test_metrics_are_prometheus_text_with_all_that_adx_counts() -> None:
    environment = f"env-{uuid.uuid4().hex[:8]}"
    metrics.rollout_finished(environment, "delivered")
    metrics.restore_finished(environment, "verified")
    with metrics.timed_step(environment, "apply"):
        pass
    answer = await get("/metrics", probes.application({}))
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels.get("environment") == environment
    }
    assert samples[("adx_rollouts_total", "delivered", environment)] == 1
    assert samples[("adx_restores_total", environment, "verified")] == 1
    assert samples[("adx_step_duration_seconds_count", "apply", environment, "succeeded")] == 1


def test_step_that_raises_is_timed_as_failed() -> None:
    environment = f"env-{uuid.uuid4().hex[:8]}"
    with pytest.raises(ValueError, match="no"), metrics.timed_step(environment, "plan"):
        raise ValueError("no")
    labels = {"environment": environment, "step": "plan", "outcome": "failed"}
    assert metrics.REGISTRY.get_sample_value("adx_step_duration_seconds_count", labels) == 1


async def test_metrics_of_the_temporal_sdk_are_merged_in(local_stack: LocalStack) -> None:
    """One scrape has both, and the text is still valid."""
    observed = observed_runtime()
    client = await Client.connect(local_stack.temporal_address, runtime=observed.runtime)
    await client.service_client.check_health(timeout=timedelta(seconds=60))
    answer = await get("/metrics", probes.application({}, [observed.metrics_source]))
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert "adx_build_info" in names
    assert any(name.startswith("temporal_request") for name in names)


async def test_metrics_go_on_when_the_sdk_does_not_answer() -> None:
    async def gone() -> bytes:
        raise ConnectionRefusedError

    answer = await get("/metrics", probes.application({}, [gone]))
    assert answer.status_code == 200
    assert "adx_build_info" in answer.text


@pytest.mark.parametrize("address", ["", "x", "127.0.0.1:x", "127.0.0.1:99999", "127.0.0.1:-1", ":\u0661"])
def test_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(AdxError, match="not an address"):
        bind(address)


def test_the_second_part_of_an_answer_does_not_wait_for_the_first() -> None:
    """Connections inherit it; without it an answer in two parts may take 40 ms longer."""
    with bind("127.0.0.1:0") as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_port_in_use_is_named() -> None:
    with bind("127.0.0.1:0") as listener:
        address = "127.0.0.1:" + str(listener.getsockname()[1])
        with pytest.raises(AdxError, match=address):
            bind(address)
