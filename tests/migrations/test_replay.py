"""Histories that were recorded before must still replay: operations under way survive a deployment of new code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.migrations.recording import HISTORIES, SCENARIOS, WORKFLOWS
from workflows.sandbox import sandboxed_runner

FILES = sorted(HISTORIES.glob("*.json"))


def replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, workflow_runner=sandboxed_runner())


def workflow_id_of(path: Path) -> str:
    """``<day>-<scenario>-<workflow id>``."""
    return path.stem.split("-", 2)[2]


def test_every_scenario_has_a_history() -> None:
    """An empty folder would make the replay test pass without replaying anything."""
    recorded = {path.stem.split("-", 2)[1] for path in FILES}
    assert recorded == {scenario.__name__ for scenario in SCENARIOS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    """Same commands, same order."""
    history = WorkflowHistory.from_json(workflow_id_of(path), path.read_text())
    assert (await replayer().replay_workflow(history)).replay_failure is None


async def test_a_history_with_another_activity_does_not_replay() -> None:
    """The check can fail."""
    path = next(path for path in FILES if "one_delivered" in path.stem)
    events = json.loads(path.read_text())
    scheduled = [event for event in events["events"] if "activityTaskScheduledEventAttributes" in event]
    scheduled[2]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "verify_target"
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(WorkflowHistory.from_json("one", json.dumps(events)))
