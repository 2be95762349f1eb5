"""Workflows that the first version began are understood by today's: their histories, from its real server, replay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from tests.upgrade.first_version import KEPT, history_of
from workflows.sandbox import sandboxed_runner
from workflows.worker import WORKFLOWS

HISTORIES = sorted((KEPT / "histories").glob("*.json.gz"))


def test_every_workflow_of_the_first_version_is_among_them() -> None:
    """A rollout with every end that the story had, and the environment's, which has not ended."""
    types = [path.name.partition(".")[0] for path in HISTORIES]

    assert types == ["EnvironmentWorkflow", "IntakeWorkflow", "RestoreWorkflow", *["RolloutWorkflow"] * 3]


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.name.partition("-")[0])
async def test_a_history_of_the_first_version_replays(path: Path) -> None:
    """With every workflow that today's worker knows, by the same names."""
    workflow_id, events = history_of(path)
    replayer = Replayer(workflows=WORKFLOWS, workflow_runner=sandboxed_runner())

    replayed = await replayer.replay_workflow(WorkflowHistory.from_json(workflow_id, json.dumps(events)))

    assert replayed.replay_failure is None
