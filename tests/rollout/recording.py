"""``python -m tests.rollout.recording``: records the histories that ``test_replay`` replays.

Record anew only when a workflow was changed on purpose, and keep the old
files: rollouts that were under way when the new code was deployed have them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from temporalio.client import WorkflowHandle

from tests.rollout.doubles import Doubles
from tests.rollout.harness import Harness, harness_on_new_server
from tests.rollout.release_sets import cart_and_frontend
from tests.support.histories import keep
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.models import Decision, EnvironmentInput, RolloutInput, RolloutStatus, Submission
from workflows.rollout.releases import release_workflow_id
from workflows.rollout.workflow import RolloutWorkflow
from workflows.services.models import ReleaseDecision

HISTORIES = Path(__file__).parent / "histories"
COMMITS = [f"{number:040x}" for number in range(4)]
Scenario = Callable[[Harness], Awaitable[list[str]]]


async def delivered(harness: Harness) -> list[str]:
    """A good change."""
    handle = await _start(harness)
    await handle.result()
    return [handle.id]


async def restored(harness: Harness) -> list[str]:
    """A bad change, with its restore."""
    harness.doubles.fails("deploy")
    handle = await _start(harness)
    await handle.result()
    return [handle.id, f"{handle.id}-restore"]


async def cancelled(harness: Harness) -> list[str]:
    """Cancelled while it applied."""
    harness.doubles.holds("apply")
    handle = await _start(harness)
    await harness.doubles.reached["apply"].wait()
    await handle.cancel()
    await handle.result()
    return [handle.id]


async def needs_operator(harness: Harness) -> list[str]:
    """A restore that fails in all its rounds."""
    harness.doubles.fails("deploy")
    harness.doubles.fails("verify")
    handle = await _start(harness)
    await handle.result()
    return [handle.id, f"{handle.id}-restore"]


async def approved(harness: Harness) -> list[str]:
    """Waits for approval and gets it."""
    harness.doubles.approvers = ["grace@example.com"]
    handle = await _start(harness)
    await harness.until(handle, lambda status: status.waiting_for_approval)
    await handle.execute_update(RolloutWorkflow.approve, Decision("grace@example.com"))
    await handle.result()
    return [handle.id]


async def environment(harness: Harness) -> list[str]:
    """Three merges: one is delivered, two coalesce."""
    hold = harness.doubles.holds("apply")
    handle = await harness.client.start_workflow(
        EnvironmentWorkflow.run, EnvironmentInput("development"), id="environment", task_queue=harness.task_queue
    )
    await handle.execute_update(EnvironmentWorkflow.submit, _submission(COMMITS[1]))
    await harness.doubles.reached["apply"].wait()
    await handle.execute_update(EnvironmentWorkflow.submit, _submission(COMMITS[3]))
    await handle.execute_update(EnvironmentWorkflow.submit, _submission(COMMITS[2]))
    hold.set()
    while len(harness.doubles.finished) < 2:
        await asyncio.sleep(0.05)
    return [handle.id]


async def released(harness: Harness) -> list[str]:
    """Two services change their release, one after the other."""
    harness.doubles.releases = cart_and_frontend()
    handle = await _start(harness)
    await handle.result()
    return [handle.id, release_workflow_id(handle.id, "cart"), release_workflow_id(handle.id, "frontend")]


async def release_rejected(harness: Harness) -> list[str]:
    """The second one is found to be worse: both go back."""
    harness.doubles.releases = cart_and_frontend()
    harness.doubles.fails("bake frontend 100", error_type="ReleaseRejected")
    handle = await _start(harness)
    await handle.result()
    return [handle.id, f"{handle.id}-restore", release_workflow_id(handle.id, "frontend")]


async def release_switched_back(harness: Harness) -> list[str]:
    """A person wants the old releases back while they are kept."""
    harness.doubles.releases = cart_and_frontend()
    handle = await _start(harness)
    await harness.until(handle, lambda status: bool(status.kept_until))
    await handle.execute_update(RolloutWorkflow.decide_release, ReleaseDecision("ada@example.com", "switch-back", ""))
    await handle.result()
    return [handle.id, f"{handle.id}-restore"]


async def old_releases_gone(harness: Harness) -> list[str]:
    """It fails once the old releases were taken away: they are started again before they get requests."""
    harness.doubles.releases = cart_and_frontend()
    harness.doubles.fails("status")
    handle = await _start(harness)
    await handle.result()
    return [handle.id, f"{handle.id}-restore"]


SCENARIOS: tuple[Scenario, ...] = (
    delivered,
    restored,
    cancelled,
    needs_operator,
    approved,
    environment,
    released,
    release_rejected,
    release_switched_back,
    old_releases_gone,
)


async def record() -> None:
    """Run each scenario on a server of its own and keep the histories of its workflows."""
    HISTORIES.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d")
    for scenario in SCENARIOS:
        name = scenario.__name__
        async with harness_on_new_server(Doubles()) as harness:
            first, *children = await scenario(harness)
            for workflow_id in (first, *children):
                history = await harness.client.get_workflow_handle(workflow_id).fetch_history()
                keep(history, HISTORIES / f"{stamp}-{name}{workflow_id.removeprefix(first)}.json")


async def _start(harness: Harness) -> WorkflowHandle[RolloutWorkflow, RolloutStatus]:
    return await harness.client.start_workflow(
        RolloutWorkflow.run, RolloutInput(_submission(COMMITS[1])), id="rollout", task_queue=harness.task_queue
    )


def _submission(commit: str) -> Submission:
    return Submission("development", commit, "ada@example.com", "cli")


if __name__ == "__main__":
    asyncio.run(record())
