"""Crashes and cancellations in the middle of an operation, on the real cluster."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import psutil
import pytest
from lightkube.resources.core_v1 import ConfigMap

from infra.engine import Engine, EngineSettings, Progress
from infra.errors import PulumiInterrupted, StackLocked
from infra.render import render
from scripts.stack import Home
from tests.engine.cluster import Cluster, identities
from tests.support.desired import desired_state, platform_unit, service_unit, tenant_unit
from tests.support.faulty_api_server import Faults, faulty_api_server
from tests.support.local_stack import LocalStack

WORKER = """\
import asyncio, os, sys
import msgspec
from infra.engine import Engine, EngineSettings
from policies.desired_state import DesiredState

state = msgspec.json.decode(open(sys.argv[1], "rb").read(), type=DesiredState)
engine = Engine(EngineSettings.from_environment(os.environ), state.environment)
asyncio.run(engine.up(state, on_event=lambda told: print(told.name, told.state, flush=True)))
"""

GONE_WITHIN_SECONDS = 60.0


def pulumi_processes(environment: str) -> list[psutil.Process]:
    """The running pulumi processes of the environment's stack."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        command = process.info["cmdline"] or []
        if command and Path(command[0]).name == "pulumi" and environment in command:
            found.append(process)
    return found


@pytest.fixture
def unheard(settings: EngineSettings, environment: str, local_stack: LocalStack, tmp_path: Path) -> Iterator[Engine]:
    """The engine of the test's environment, to which the server does not say that it made the platform's ConfigMap."""
    home, faults = Home(local_stack.stack.home), Faults(seed=0, unanswered="/configmaps/feature-flags")
    with faulty_api_server(home, settings.kubeconfig, tmp_path / "through-proxy.json", faults) as kubeconfig:
        yield Engine(dataclasses.replace(settings, kubeconfig=kubeconfig), environment)


async def crash_when_an_answer_is_lost(unheard: Engine, environment: str, cluster: Cluster) -> None:
    """Kill pulumi when the server has made the platform's ConfigMap and pulumi does not know it yet."""
    created = f"ConfigMap shop-{environment}/feature-flags"
    operation = asyncio.create_task(unheard.up(desired_state(environment)))
    await eventually(lambda: created in cluster.objects())
    for process in pulumi_processes(environment):
        process.kill()
    with pytest.raises(PulumiInterrupted):
        await operation


async def eventually(is_so: Callable[[], bool]) -> None:
    """Ask again until ``is_so``; the test's own time limit ends the asking."""
    while not await asyncio.to_thread(is_so):
        await asyncio.sleep(0.05)


async def test_a_killed_pulumi_leaves_pending_operations_that_are_repaired(
    engine: Engine, unheard: Engine, cluster: Cluster, environment: str
):
    """Given a creation whose answer was lost, then repair finds the object and the next up makes only the rest."""
    await crash_when_an_answer_is_lost(unheard, environment, cluster)
    assert await engine.pending_operations() > 0

    repaired = await engine.repair()

    assert repaired.pending > 0
    assert any(urn.endswith("::platform/feature-flags") for urn in repaired.completed)
    assert await engine.pending_operations() == 0
    state = desired_state(environment)
    applied = await engine.up(state)
    assert "platform/feature-flags" not in {change.name for change in applied.changes}
    assert cluster.objects().keys() == identities(render(state))
    assert (await engine.preview(state, refresh=True)).is_empty


async def test_a_creation_that_never_happened_is_dropped(
    engine: Engine, unheard: Engine, cluster: Cluster, environment: str
):
    """Given a pending creation without an object, then repair forgets it and the next up creates it."""
    await crash_when_an_answer_is_lost(unheard, environment, cluster)
    cluster.client.delete(ConfigMap, "feature-flags", namespace=f"shop-{environment}")

    repaired = await engine.repair()

    assert any(urn.endswith("::platform/feature-flags") for urn in repaired.dropped)
    state = desired_state(environment)
    await engine.up(state)
    assert cluster.objects().keys() == identities(render(state))


async def test_applying_again_without_a_repair_takes_the_object_up_too(
    engine: Engine, unheard: Engine, cluster: Cluster, environment: str
):
    """One field manager per environment: an object whose creation was forgotten is applied to, not refused."""
    await crash_when_an_answer_is_lost(unheard, environment, cluster)
    state = desired_state(environment)

    await engine.up(state)

    assert cluster.objects().keys() == identities(render(state))


async def test_repair_of_a_healthy_stack_does_nothing(engine: Engine, environment: str):
    """It may be called before every apply."""
    await engine.up(desired_state(environment, platform_unit(environment)))
    before = await engine.export_state()

    assert (await engine.repair()).pending == 0
    assert await engine.export_state() == before


async def test_cancelling_an_up_stops_pulumi_in_good_order(engine: Engine, environment: str):
    """Cancellation returns when pulumi is gone; its lock is released and the stack can be used at once."""
    begun = asyncio.Event()
    state = desired_state(environment)
    operation = asyncio.create_task(engine.up(state, on_event=lambda told: begun.set()))
    await begun.wait()

    operation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await operation

    assert pulumi_processes(environment) == []
    await engine.repair()
    await engine.up(state)
    assert (await engine.preview(state)).is_empty


async def test_a_pulumi_that_ignores_the_interrupt_is_killed_after_its_grace(
    settings: EngineSettings, environment: str, cluster: Cluster
):
    """A cancellation never hangs, and leaves no plugin behind either."""
    impatient = Engine(dataclasses.replace(settings, interrupt_grace_seconds=0.2), environment)
    begun = asyncio.Event()

    def freeze(told: Progress) -> None:
        for process in pulumi_processes(environment):
            process.suspend()
        begun.set()

    operation = asyncio.create_task(impatient.up(desired_state(environment), on_event=freeze))
    await begun.wait()
    session = pulumi_processes(environment)[0].pid
    operation.cancel()
    with pytest.raises(asyncio.CancelledError):
        await operation

    async with asyncio.timeout(GONE_WITHIN_SECONDS):
        while [p for p in psutil.pids() if session_of(p) == session]:
            await asyncio.sleep(0.01)  # killed, and still to be reaped by whoever has taken it over


def session_of(process_id: int) -> int:
    """The session of a process; -1 when it is gone."""
    try:
        return os.getsid(process_id)
    except ProcessLookupError:
        return -1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's death")
async def test_a_killed_worker_takes_its_pulumi_along(
    engine: Engine, engine_environ: dict[str, str], environment: str, tmp_path: Path, cluster: Cluster
):
    """No orphan goes on applying under a token that is no longer valid; another worker can finish."""
    state = desired_state(environment, platform_unit(environment), service_unit(environment), tenant_unit(environment))
    inputs = tmp_path / "state.json"
    inputs.write_bytes(msgspec.json.encode(state))
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, str(inputs), env=engine_environ, stdout=subprocess.PIPE, start_new_session=True
    )
    assert worker.stdout is not None
    await worker.stdout.readline()
    orphans = pulumi_processes(environment)
    assert orphans

    worker.send_signal(signal.SIGKILL)
    await worker.wait()

    _, alive = await asyncio.to_thread(psutil.wait_procs, orphans, 60)
    assert alive == []
    await engine.repair()
    await engine.up(state)
    assert cluster.objects().keys() == identities(render(state))


async def test_a_second_operation_finds_the_stack_locked_by_the_first(
    engine: Engine, settings: EngineSettings, environment: str
):
    """The refusal names the living owner."""
    begun = asyncio.Event()
    first = asyncio.create_task(engine.up(desired_state(environment), on_event=lambda told: begun.set()))
    await begun.wait()

    with pytest.raises(StackLocked) as locked:
        await Engine(settings, environment).up(desired_state(environment))

    (owner,) = locked.value.owners
    # A plugin that is just being started is still called as pulumi is.
    assert owner.process_id in {process.pid for process in pulumi_processes(environment)}
    await first
