"""Histories that were recorded before must still replay: heals under way survive a deployment of new code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from tests.drift.recording import HISTORIES, SCENARIOS
from workflows.drift.heal_workflow import HealWorkflow
from workflows.drift.workflow import DriftWorkflow
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.restore import RestoreWorkflow
from workflows.rollout.workflow import RolloutWorkflow
from workflows.sandbox import sandboxed_runner

RECORDED = sorted(HISTORIES.glob("*.json"))
WORKFLOWS = [DriftWorkflow, HealWorkflow, EnvironmentWorkflow, RolloutWorkflow, RestoreWorkflow]


def replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, workflow_runner=sandboxed_runner())


def workflow_id_of(path: Path) -> str:
    """Children are named after their parent, so the id is part of what is replayed."""
    return path.stem.partition("-")[2]


def test_every_scenario_has_a_history() -> None:
    """An empty folder would make the replay test pass without replaying anything."""
    assert {workflow_id_of(path) for path in RECORDED} >= SCENARIOS.keys()


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    """Same commands, same order."""
    history = WorkflowHistory.from_json(workflow_id_of(path), path.read_text())

    assert (await replayer().replay_workflow(history)).replay_failure is None


async def test_a_history_with_another_order_of_activities_does_not_replay() -> None:
    """The replay really compares: a heal that applied before its snapshot is refused."""
    path = next(path for path in RECORDED if path.stem.endswith("-healed"))
    text = path.read_text().replace('"snapshot_heal"', '"apply_heal_first"')
    assert json.loads(text)

    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(WorkflowHistory.from_json("healed", text))
