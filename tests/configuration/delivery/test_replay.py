"""Histories that were recorded before must still replay: updates under way survive a deployment of new code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.configuration.delivery.harness import WORKFLOWS
from workflows.sandbox import sandboxed_runner

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, workflow_runner=sandboxed_runner())


def test_every_scenario_has_histories() -> None:
    """An empty folder would make the replay test pass without replaying anything."""
    assert {path.stem.partition("-")[2].partition(".")[0] for path in HISTORIES} == {
        "cancelled",
        "delivered",
        "restored",
        "unverified",
    }


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    """Same commands, same order. Children are named after their parent, so the id is part of what is replayed."""
    history = WorkflowHistory.from_json(path.stem.partition(".")[2], path.read_text())

    assert (await replayer().replay_workflow(history)).replay_failure is None


async def test_a_history_with_another_order_of_activities_does_not_replay() -> None:
    """The check can fail."""
    path = next(path for path in HISTORIES if path.stem.endswith("-delivered.rollout-configuration"))
    events = json.loads(path.read_text())
    scheduled = [event for event in events["events"] if "activityTaskScheduledEventAttributes" in event]
    scheduled[1]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "write_values"

    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(WorkflowHistory.from_json("rollout-configuration", json.dumps(events)))
