"""Watching rollouts with waves in a pipe, and through a Temporal that does not answer; looks are scripted."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from rich.console import Console

from pipelines.cli import watching
from pipelines.exit_codes import ExitCode
from pipelines.following import Follower, RolloutFollower
from pipelines.output import Output
from tests.pipelines import records
from tests.watching import looks
from workflows.client import LiveStatus
from workflows.errors import AdxConnectionError
from workflows.fleet.durable import FleetStatus
from workflows.fleet.models import FleetState
from workflows.models import StepProgress
from workflows.rollout.models import EnvironmentStatus, RolloutStatus

ID = records.DELIVERED.id


@dataclass
class Scripted:
    """Gives one look after the other, the last one again and again; None is a Temporal that does not answer."""

    looks: list[tuple[LiveStatus, FleetState | None] | None]
    asked_for_waves: int = 0
    looked: asyncio.Event = field(default_factory=asyncio.Event)
    _waves: FleetState | None = None

    async def status(self, environment: str) -> LiveStatus:
        """The next look."""
        self.looked.set()
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if found is None:
            raise AdxConnectionError("Temporal does not answer: UNAVAILABLE")
        live, self._waves = found
        return replace(live)

    async def fleet_status(self, rollout_id: str) -> FleetStatus | None:
        """The waves of that look."""
        assert rollout_id.startswith("adx-rollout-production-")
        self.asked_for_waves += 1
        return looks.status(self._waves) if self._waves is not None else None


def delivering(outcome: str = "") -> RolloutStatus:
    """A rollout that has come to its tenants, or has ended."""
    made = records.ended(outcome) if outcome else records.status(6, "pending")
    made.steps.insert(-1, StepProgress("tenants", "succeeded" if outcome else "running", "", records.at().isoformat()))
    return made


def busy(state: FleetState | None, rollout: RolloutStatus | None = None) -> tuple[LiveStatus, FleetState | None]:
    """A look while the rollout runs."""
    return LiveStatus(EnvironmentStatus("production", current=ID), rollout or delivering()), state


def over(state: FleetState | None, outcome: str = "delivered") -> tuple[LiveStatus, FleetState | None]:
    """A look after its end."""
    return LiveStatus(EnvironmentStatus("production", last=delivering(outcome)), delivering(outcome)), state


def finished(*, failing: Sequence[str] = ()) -> FleetState:
    """All waves are over."""
    state = looks.step(looks.planned(PLAIN), 0)
    return looks.step(looks.end_started(state, failing=failing), 10)


PLAIN = looks.FleetRules(max_parallel=40, failure_budget=2)
FAILING = looks.planned(PLAIN).units[3]
STORY = [
    busy(looks.planned(PLAIN)),
    busy(looks.step(looks.planned(PLAIN), 0)),
    over(finished(failing=[FAILING]), "partly-delivered"),
]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY_SECONDS", 0)


async def watched(scripted: Scripted, output: Output, follower: Follower | None = None) -> ExitCode:
    """The exit status after the whole script."""
    chosen = follower or RolloutFollower("production", "", rollout_id=ID)
    return await watching.watch_to_the_end(scripted, [chosen], output)  # type: ignore[arg-type] # scripted


async def test_json_lines_have_every_unit_and_end_with_the_rollout(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line; each unit is told when it begins and when it ends."""
    code = await watched(Scripted(list(STORY)), Output(is_json=True))
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert code == ExitCode.ROLLED_BACK
    of_failed = [(event["status"], event.get("message")) for event in events if event.get("unit") == FAILING]
    assert of_failed == [("started", None), ("restored", looks.QUOTA)]
    assert len([event for event in events if event["status"] == "delivered"]) == looks.UNITS - 1
    assert [event["status"] for event in events if event.get("wave") == "1" and "unit" not in event] == [
        "pending",
        "delivering",
        "done",
    ]
    numbers = [event["progress"]["units"] for event in events if event["status"] == "progress"]
    assert numbers[-1] == {"total": looks.UNITS, "delivered": looks.UNITS - 1, "restored": 1}
    assert (events[0]["status"], events[-1]["status"]) == ("started", "partly-delivered")
    assert {(event["rollout"], event["environment"]) for event in events} == {(ID, "production")}


async def test_plain_lines_leave_out_units_that_go_well(capsys: pytest.CaptureFixture[str]) -> None:
    """Thousands of lines are read by nobody; the one that failed is told, and each wave."""
    await watched(Scripted(list(STORY)), Output())
    lines = capsys.readouterr().out.splitlines()

    assert [line.split("production ")[1] for line in lines if "tenant/t" in line] == [
        f"{FAILING} restored  {looks.QUOTA}"
    ]
    assert any("wave 1 delivering" in line for line in lines)
    assert len([line for line in lines if "progress" in line]) == 1  # the later ones came within ten seconds


async def test_a_submission_is_followed_through_the_same_waves(capsys: pytest.CaptureFixture[str]) -> None:
    """As `adx deploy --watch` does."""
    code = await watched(Scripted(list(STORY)), Output(), Follower("production", records.NEW, seen="older"))

    assert code == ExitCode.ROLLED_BACK
    assert "wave 1 delivering" in capsys.readouterr().out


async def test_a_rollout_without_waves_is_never_asked_for_them() -> None:
    """Nor one that has not come to its tenants."""
    script = Scripted([busy(None, records.status(4, "running")), over(None)])
    script.looks[1] = LiveStatus(EnvironmentStatus("production", last=records.ended("delivered"))), None

    assert await watched(script, Output()) == ExitCode.OK
    assert script.asked_for_waves == 0


async def test_waves_that_have_ended_are_not_asked_for_again() -> None:
    """Asking a workflow that has ended costs a worker its whole history."""
    script = Scripted([*STORY[:2], busy(finished()), busy(finished()), busy(finished()), over(None)])

    await watched(script, Output())

    assert script.asked_for_waves == 3


async def test_a_rollout_that_follows_at_once_is_not_taken_for_the_watched_one() -> None:
    """The end is found in the environment's last rollout."""
    other = records.status(2, "running", rollout_id="adx-rollout-production-next")
    next_runs = EnvironmentStatus("production", current=other.rollout_id, last=delivering("delivered"))
    follower = RolloutFollower("production", "", rollout_id=ID)

    code = await watched(Scripted([STORY[0], (LiveStatus(next_runs, other), None)]), Output(), follower)

    assert code == ExitCode.OK
    assert follower.rollout is not None
    assert follower.rollout.rollout_id == ID


async def test_a_later_rollout_has_waves_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """A submission that became part of it is told them from the beginning."""
    older = replace(delivering(), rollout_id="adx-rollout-production-older", commit=records.OLD)
    first = LiveStatus(EnvironmentStatus("production", current=older.rollout_id, pending=[records.submission()]), older)
    script = Scripted([(first, looks.planned(PLAIN)), *STORY])

    await watched(script, Output(is_json=True), Follower("production", records.NEW, seen="oldest"))
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    of_waves = [(event["rollout"], event["status"]) for event in events if event.get("wave") and "unit" not in event]
    assert of_waves == [(older.rollout_id, "pending"), (ID, "pending"), (ID, "delivering"), (ID, "done")]


async def test_a_temporal_that_is_away_for_a_moment_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Workers are restarted in the middle of rollouts, and busy at any time; each time that is said once."""
    follower = RolloutFollower("production", "", rollout_id=ID)

    assert await watched(Scripted([None, STORY[0], None, None, *STORY[1:]]), Output(), follower) == ExitCode.ROLLED_BACK
    said = [line for line in capsys.readouterr().err.splitlines() if "asking again" in line]
    assert ["the rollout goes on" in line for line in said] == [False, True]


async def test_a_temporal_that_stays_away_ends_the_watching(monkeypatch: pytest.MonkeyPatch) -> None:
    """After one patience where it had answered, and another where it never did."""
    monkeypatch.setattr(watching, "GIVE_UP_AFTER_SECONDS", 0)
    with pytest.raises(AdxConnectionError):
        await watched(Scripted([STORY[0], None]), Output())
    monkeypatch.setattr(watching, "GIVE_UP_AT_FIRST_AFTER_SECONDS", 0)
    with pytest.raises(AdxConnectionError):
        await watched(Scripted([None, *STORY]), Output())


async def test_whoever_asks_first_is_patient_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What runs is asked before anything is watched or submitted; that it takes longer is said once."""
    monkeypatch.setattr(watching, "LOOK_EVERY_SECONDS", 0)
    script = Scripted([None, None, STORY[0]])

    found = await watching.first_answer(lambda: script.status("production"), Output())

    assert found.environment.environment == "production"
    assert capsys.readouterr().err.count("asking again") == 1
    monkeypatch.setattr(watching, "GIVE_UP_AT_FIRST_AFTER_SECONDS", 0)
    with pytest.raises(AdxConnectionError):
        await watching.first_answer(lambda: Scripted([None]).status("production"), Output())


async def test_a_screen_says_that_nobody_answers() -> None:
    """And not that the rollout waits for its turn."""
    follower = RolloutFollower("production", "", rollout_id=ID)
    follower.line = "no answer in time; asking again"
    console = Console(file=io.StringIO(), width=80)
    console.print(watching.screen([follower], records.at()))
    shown = console.file.getvalue()  # type: ignore[attr-defined] # a StringIO

    assert "production: no answer in time; asking again" in shown
    assert "waiting for its turn" not in shown


async def test_whoever_stops_watching_is_told_that_the_rollout_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C cancels the watching, and nothing else."""
    script = Scripted([STORY[0]])
    watcher = asyncio.create_task(watched(script, Output()))
    await script.looked.wait()
    watcher.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watcher

    assert watcher.cancelled()
    assert "the rollout goes on (`adx watch production`" in capsys.readouterr().err
