"""Fleets that were under way before the code changed go on with the new code: their recorded histories replay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from workflows.fleet.workflow import FleetWorkflow
from workflows.sandbox import sandboxed_runner

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))
SCENARIOS = {"delivered", "decided", "restored", "expired", "handed_over", "lost", "superseded", "refused"}


def replayer() -> Replayer:
    """One that knows the workflow as it is now."""
    return Replayer(workflows=[FleetWorkflow], workflow_runner=sandboxed_runner())


def test_every_scenario_has_a_history() -> None:
    """An empty folder would make the replay test pass without replaying anything."""
    assert {path.stem.partition("-")[2] for path in HISTORIES} >= SCENARIOS


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    """Same commands, same order; those of before the task queues of kinds included."""
    history = WorkflowHistory.from_json("fleet", path.read_text())

    assert (await replayer().replay_workflow(history)).replay_failure is None


def test_some_histories_are_of_before_work_had_queues_of_its_own() -> None:
    """So that the test above says something about rollouts that an upgrade finds under way."""
    queues = {
        event["activityTaskScheduledEventAttributes"]["taskQueue"]["name"]
        for path in HISTORIES
        for event in json.loads(path.read_text())["events"]
        if event.get("activityTaskScheduledEventAttributes", {}).get("activityType", {}).get("name") == "deliver_cell"
    }

    assert {"fleets", "fleets-cells"} <= queues


async def test_a_history_with_another_activity_does_not_replay() -> None:
    """The check can fail."""
    path = next(path for path in HISTORIES if path.stem.endswith("-delivered"))
    events = json.loads(path.read_text())
    scheduled = [event for event in events["events"] if "activityTaskScheduledEventAttributes" in event]
    scheduled[-1]["activityTaskScheduledEventAttributes"]["activityType"]["name"] = "settle"

    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(WorkflowHistory.from_json("fleet", json.dumps(events)))
