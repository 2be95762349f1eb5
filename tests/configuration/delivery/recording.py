"""``python -m tests.configuration.delivery.recording``: records the histories that ``test_replay`` replays.

Record anew only when a workflow was changed on purpose, and keep the old
files: updates that were under way when the new code was deployed have them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.configuration.delivery.doubles import ConfigurationDoubles
from tests.configuration.delivery.harness import Harness, opened
from tests.support.histories import keep

HISTORIES = Path(__file__).parent / "histories"
Scenario = Callable[[Harness], Awaitable[list[str]]]


async def delivered(harness: Harness) -> list[str]:
    """Within a rollout."""
    await (await harness.rollout()).result()
    return ["rollout", "rollout-configuration"]


async def restored(harness: Harness) -> list[str]:
    """Values that hurt, within a rollout: their own restore, and that of the rollout."""
    harness.doubles.fails("check_health")
    await (await harness.rollout()).result()
    return ["rollout", "rollout-configuration", "rollout-configuration-restore", "rollout-restore"]


async def cancelled(harness: Harness) -> list[str]:
    """A rollout that is cancelled while its values are looked after."""
    harness.doubles.holds("check_health")
    handle = await harness.rollout()
    await harness.doubles.reached["check_health"].wait()
    await handle.cancel()
    await handle.result()
    return ["rollout", "rollout-configuration"]


async def unverified(harness: Harness) -> list[str]:
    """A restore that needs all its rounds and fails."""
    harness.doubles.fails("check_health")
    harness.doubles.unverified = 3
    await (await harness.update()).result()
    return ["rollout-configuration", "rollout-configuration-restore"]


SCENARIOS: tuple[Scenario, ...] = (delivered, restored, cancelled, unverified)


async def record() -> None:
    """Run each scenario on a server of its own and keep the histories of its workflows."""
    HISTORIES.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d")
    for scenario in SCENARIOS:
        async with opened(ConfigurationDoubles()) as harness:
            for workflow_id in await scenario(harness):
                history = await harness.client.get_workflow_handle(workflow_id).fetch_history()
                file = HISTORIES / f"{stamp}-{scenario.__name__}.{workflow_id}.json"
                keep(history, file)


if __name__ == "__main__":
    asyncio.run(record())
