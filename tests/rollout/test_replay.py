"""Histories that were recorded before must still replay: rollouts under way survive a deployment of new code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow
from workflows.sandbox import sandboxed_runner
from workflows.services.deployment import ServiceDeploymentWorkflow

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def replayer() -> Replayer:
    return Replayer(
        workflows=[EnvironmentWorkflow, RolloutWorkflow, RestoreWorkflow, ServiceDeploymentWorkflow],
        workflow_runner=sandboxed_runner(),
    )


def workflow_id_of(path: Path) -> str:
    """Children are named after their parent, so the id is part of what is replayed."""
    scenario, *child = path.stem.partition("-")[2].split("-", 1)
    return "environment" if scenario == "environment" else "-".join(["rollout", *child])


def test_every_scenario_has_a_history() -> None:
    """An empty folder would make the replay test pass without replaying anything."""
    assert len(HISTORIES) >= 8


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    """Same commands, same order."""
    history = WorkflowHistory.from_json(workflow_id_of(path), path.read_text())

    assert (await replayer().replay_workflow(history)).replay_failure is None


async def test_a_history_with_another_order_of_activities_does_not_replay() -> None:
    """The check can fail: with two activity names exchanged, the replay is refused."""
    path = next(path for path in HISTORIES if path.stem.endswith("-delivered"))
    events = json.loads(path.read_text())
    scheduled = [event for event in events["events"] if "activityTaskScheduledEventAttributes" in event]
    scheduled[1]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "plan"

    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(WorkflowHistory.from_json("rollout", json.dumps(events)))
