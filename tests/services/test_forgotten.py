"""A worker forgets runs to make room, in the middle of whatever they wait for; they must let that happen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from workflows.rollout.releases import Releases
from workflows.services.deployment import ServiceDeploymentWorkflow


async def for_ever(*_: object) -> None:
    """What the run waits for."""
    await asyncio.get_running_loop().create_future()


async def begun(coroutine: Any) -> Any:
    """The coroutine, come to where it waits; its tasks have begun, too."""
    coroutine.send(None)
    await asyncio.sleep(0)
    return coroutine


async def end_tasks() -> None:
    """Those that the forgotten run had begun."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    assert tasks
    await asyncio.wait(tasks)


async def test_a_release_that_waits_for_green_awaits_nothing_when_it_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else Python complains, of a coroutine that does not end."""
    monkeypatch.setattr("temporalio.workflow.wait_condition", for_ever)
    monkeypatch.setattr("temporalio.workflow.wait", asyncio.wait)
    deployment = ServiceDeploymentWorkflow.__new__(ServiceDeploymentWorkflow)
    waiting = await begun(deployment._unless_decided(for_ever()))

    waiting.close()  # raises where it awaits anything

    await end_tasks()


async def test_a_stage_of_releases_awaits_nothing_when_it_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their workflows are children with runs of their own."""
    monkeypatch.setattr(Releases, "_one", for_ever)
    stage: Any = ("cart", "frontend")
    lease: Any = None
    waiting = await begun(Releases.__new__(Releases)._together(lease, stage))

    waiting.close()  # raises where it awaits anything

    await end_tasks()
