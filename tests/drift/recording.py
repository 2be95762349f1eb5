"""``python -m tests.drift.recording``: records the histories that ``test_replay`` replays.

Record anew only when a workflow was changed on purpose, and keep the old
files: heals that were under way when the new code was deployed have them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tests.drift.heal_doubles import COMMIT, HEAL, UNITS, DriftDoubles, DriftServer, drift_server
from tests.support.histories import keep
from workflows.drift.heal_workflow import HealWorkflow
from workflows.drift.models import DriftFound, DriftInput
from workflows.drift.workflow import DriftWorkflow
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.models import EnvironmentInput, RolloutInput

HISTORIES = Path(__file__).parent / "histories"
FOUND = DriftFound("development", "drifted", "2 changed", COMMIT, 58, 2, UNITS)


def restored() -> DriftDoubles:
    """A heal whose workloads do not become ready, and whose first undo fails."""
    doubles = DriftDoubles(undo_failures=1)
    doubles.fails("deploy")
    return doubles


SCENARIOS: dict[str, Callable[[], DriftDoubles]] = {
    "checked": DriftDoubles,
    "asked": lambda: DriftDoubles(found=FOUND),
    "healed": DriftDoubles,
    "partly": lambda: DriftDoubles(failed={"service/frontend": "refused"}),
    "restored": restored,
    "environment": DriftDoubles,
}


async def play(server: DriftServer, scenario: str) -> str:
    """Run the scenario to its end; the id of its workflow."""
    client, queue = server.client, server.task_queue
    if scenario in ("checked", "asked"):
        await client.execute_workflow(DriftWorkflow.run, DriftInput("development"), id=scenario, task_queue=queue)
    elif scenario == "environment":
        handle = await client.start_workflow(
            EnvironmentWorkflow.run, EnvironmentInput("development"), id=scenario, task_queue=queue
        )
        await handle.execute_update(EnvironmentWorkflow.submit, HEAL)
        while not (status := await handle.query(EnvironmentWorkflow.status)).last or status.current:
            await asyncio.sleep(0.02)
    else:
        await client.execute_workflow(HealWorkflow.run, RolloutInput(HEAL), id=scenario, task_queue=queue)
    return scenario


async def record() -> None:
    """Run each scenario on a server of its own and keep the history of its workflow."""
    HISTORIES.mkdir(exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d")
    for scenario, doubles in SCENARIOS.items():
        async with drift_server(doubles()) as server:
            history = await server.client.get_workflow_handle(await play(server, scenario)).fetch_history()
            keep(history, HISTORIES / f"{stamp}-{scenario}.json")


if __name__ == "__main__":
    asyncio.run(record())
