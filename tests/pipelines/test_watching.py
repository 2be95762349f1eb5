"""`--watch` in a pipe: one line per event, or JSON lines; looks are scripted, their content is a workflow's."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from pipelines.cli import watching
from pipelines.exit_codes import ExitCode
from pipelines.following import Follower
from pipelines.output import Output
from tests.pipelines import records
from workflows.client import LiveStatus
from workflows.rollout.models import EnvironmentStatus


@dataclass
class Scripted:
    """Gives one look after the other, the last one again and again."""

    looks: list[LiveStatus]

    async def status(self, environment: str) -> LiveStatus:
        """The next look."""
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]


def restored() -> Scripted:
    """A rollout that runs, fails and is restored."""
    running = records.status(4, "running")
    restoring = records.failed()
    restoring.outcome, restoring.phase = "", "restoring"
    busy = EnvironmentStatus("production", current=running.rollout_id)
    return Scripted(
        [
            LiveStatus(EnvironmentStatus("production", pending=[records.submission()])),
            LiveStatus(busy, running, line="cartservice 1 of 3 ready"),
            LiveStatus(busy, restoring, records.restore_steps()),
            LiveStatus(EnvironmentStatus("production", last=records.failed()), records.failed()),
        ]
    )


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY_SECONDS", 0)


async def watched(scripted: Scripted, output: Output) -> ExitCode:
    """The exit status after the whole script."""
    return await watching.watch(scripted, [Follower("production", records.NEW)], output)  # type: ignore[arg-type] # scripted


async def test_pipe_gets_one_line_per_event(capsys: pytest.CaptureFixture[str]) -> None:
    assert await watched(restored(), Output()) == ExitCode.ROLLED_BACK
    lines = capsys.readouterr().out.splitlines()
    assert "production rollout started" in lines[0]
    assert sum("deploy failed" in line for line in lines) == 2  # as a step, and as the reason at the end
    assert [line.split()[2:5] for line in lines if "restore verify" in line] == [["restore", "verify", "succeeded"]]
    assert "rollout restored" in lines[-1]


async def test_json_lines_are_one_event_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert await watched(restored(), Output(is_json=True)) == ExitCode.ROLLED_BACK
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["status"] == "started"
    assert events[-1]["status"] == "restored"
    assert {event["rollout"] for event in events} == {records.DELIVERED.id}


async def test_frozen_environment_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    frozen = EnvironmentStatus("production", pending=[records.submission()], frozen_reason="restore failed")
    assert await watched(Scripted([LiveStatus(frozen)]), Output()) == ExitCode.NEEDS_OPERATOR
    assert "adx restore production" in capsys.readouterr().err
