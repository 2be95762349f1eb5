"""Releases of services as they are watched: each change once and in order, and what the rollout says of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from pipelines.cli import watching
from pipelines.following import Follower, RolloutFollower
from pipelines.output import Output
from pipelines.screens.watch import StepEvent, event_line
from pipelines.watching.releases import PHASES, Release, Shares
from tests.pipelines import records
from tests.watching.release_looks import FOUND, NOW, SLOW, UNTIL, release, rollout
from workflows.client import LiveStatus, Workflows
from workflows.models import StepProgress
from workflows.rollout.models import EnvironmentStatus, RolloutStatus
from workflows.services.models import ReleaseStatus


def live(of: RolloutStatus, *, restore: tuple[StepProgress, ...] = (), is_over: bool = False) -> LiveStatus:
    """A look at it; the last one when it ``is_over``."""
    current = "" if is_over else of.rollout_id
    return LiveStatus(EnvironmentStatus("production", current=current, last=of if is_over else None), of, list(restore))


@dataclass
class Scripted:
    """Gives look after look, each with the releases that it can tell."""

    looks: list[tuple[LiveStatus, list[ReleaseStatus]]]
    asked: list[tuple[str, ...]]
    _releases: list[ReleaseStatus]

    @classmethod
    def of(cls, *looks: tuple[RolloutStatus, list[ReleaseStatus]], restore: int = 0) -> Scripted:
        """The last look is at a rollout that has ended; from look ``restore`` on requests have gone back."""
        back = (StepProgress("traffic", "succeeded", "", records.at().isoformat(), records.at(seconds=1).isoformat()),)
        made = [
            (
                live(status, restore=back if restore and number >= restore else (), is_over=bool(status.outcome)),
                releases,
            )
            for number, (status, releases) in enumerate(looks)
        ]
        return cls(made, [], [])

    async def status(self, environment: str) -> LiveStatus:
        """The next look."""
        found, self._releases = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        assert environment == "production"
        return replace(found)

    async def release_statuses(self, rollout_id: str, services: tuple[str, ...]) -> list[ReleaseStatus]:
        """Those of that look."""
        assert rollout_id == records.DELIVERED.id
        self.asked.append(services)
        return [replace(one) for one in self._releases if one.change.service in services]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY_SECONDS", 0)


async def watched(scripted: Scripted, *, is_json: bool = True) -> Follower:
    """The follower after the whole script."""
    follower = RolloutFollower("production", "", rollout_id=records.DELIVERED.id)
    await watching.watch(cast("Workflows", scripted), [follower], Output(is_json=is_json))
    return follower


def told(out: str) -> list[tuple[str, str, int]]:
    """Unit, status and green's share of the events that have shares."""
    events = [json.loads(line) for line in out.splitlines()]
    return [(one["unit"], one["status"], one["shares"]["green"]["weight_percent"]) for one in events if "shares" in one]


async def test_each_phase_and_share_is_told_once_and_what_is_settled_not_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A new line of the analysis alone is no news in a pipe."""
    waiting, baking = release("frontend", "waiting"), release("frontend", "baking", 5)
    script = Scripted.of(
        (rollout(), [release("cart", "baking", 5)]),
        (rollout(), [release("cart", "baking", 5, FOUND), waiting]),
        (rollout(), [release("cart", "baking", 50), waiting]),
        (rollout(), [release("cart", "serving", 100), waiting]),
        (rollout(), [baking]),
        (rollout("succeeded", kept_until=UNTIL), [release("frontend", "serving", 100)]),
        (rollout("succeeded", kept_until=UNTIL), []),
        (rollout("succeeded", outcome="delivered"), []),
    )
    follower = await watched(script)
    out = capsys.readouterr().out
    events = [json.loads(line) for line in out.splitlines()]

    assert told(out) == [
        ("service/cart", "baking", 5),
        ("service/frontend", "waiting", 0),
        ("service/cart", "baking", 50),
        ("service/cart", "serving", 100),
        ("service/frontend", "baking", 5),
        ("service/frontend", "serving", 100),
    ]
    assert script.asked == [("cart", "frontend")] * 4 + [("frontend",)] * 2
    first = next(one for one in events if "shares" in one)
    assert (first["step"], first["until"]) == ("release", UNTIL)
    assert first["shares"]["blue"] == {"version": "v1.4.0", "weight_percent": 95, "id": "3f2a9c1b"}
    assert [(one["step"], one["until"]) for one in events if one["status"] == "kept"] == [("cleanup", UNTIL)]
    steps = [(one["step"], one["status"]) for one in events if one.get("step") in ("release", "cleanup")]
    assert steps[-4:] == [("release", "serving"), ("release", "succeeded"), ("cleanup", "running"), ("cleanup", "kept")]
    assert events[-1]["status"] == "delivered"
    assert follower.releases is not None
    assert {one.phase for one in follower.releases.releases} == {"serving"}


@pytest.mark.parametrize(("outcome", "restore"), [("restored", 0), ("needs-operator", 2)])
async def test_a_rollout_that_goes_back_has_returned_all_releases(
    capsys: pytest.CaptureFixture[str], outcome: str, restore: int
) -> None:
    """The one that failed says so itself; those that served are taken back by the restore, which step or end tells."""
    failed, ended = rollout("failed"), rollout("failed", outcome=outcome)
    failed.phase, failed.restore_id = "restoring", "restore"
    ended.restore_id = "restore"
    bad = release("frontend", "returned", 0, SLOW)
    script = Scripted.of(
        (rollout(), [release("cart", "serving", 100), release("frontend", "baking", 5)]),
        (failed, [bad]),
        (failed, []),
        (ended, []),
        restore=restore,
    )
    follower = await watched(script)
    out = capsys.readouterr().out

    assert told(out)[2:] == [("service/frontend", "returned", 0), ("service/cart", "returned", 0)]
    assert [json.loads(line)["status"] for line in out.splitlines()][-1] == outcome
    assert next(json.loads(line)["message"] for line in out.splitlines() if '"returned"' in line) == SLOW
    assert follower.releases is not None
    assert [one.line for one in follower.releases.releases] == ["", SLOW]


def test_a_later_rollout_has_releases_of_its_own() -> None:
    """A submission that became part of it is not shown those of the one before."""
    follower = Follower("production", records.NEW, seen="older")
    first = replace(rollout(), rollout_id="adx-rollout-production-first")
    shown = []
    for look in (replace(live(first), releases=[release("cart", "baking", 5)]), live(records.status(2, "running"))):
        follower.look(look, NOW)
        shown.append(follower.releases is not None)

    assert shown == [True, False]
    assert follower.wanted_releases(rollout()) == ("cart", "frontend")


async def test_people_read_versions_shares_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    """A line in a pipe."""
    await watched(
        Scripted.of((rollout(), [release("cart", "baking", 5, FOUND)]), (rollout(outcome="delivered"), [])),
        is_json=False,
    )
    lines = capsys.readouterr().out.splitlines()

    assert (
        f"09:05:00 production service/cart baking  v1.4.0 95 %, v1.5.0 5 %  {FOUND}  until 2026-01-31 09:06:13 UTC"
        in lines
    )


def test_events_escape_what_comes_from_outside() -> None:
    """A version can be anything that a registry takes."""
    shares = Shares(green=Release(version="v1\n[red]", weight_percent=5))
    event = StepEvent(at=UNTIL, environment="e", rollout="r", commit="c", status="baking", unit="u", shares=shares)

    assert "v1\\n[red] 5 %" in event_line(event).plain


def test_the_guide_names_the_fields_and_phases_of_releases() -> None:
    """Programs are written by it."""
    guide = (Path(__file__).parents[2] / "docs" / "watch.md").read_text()
    words = {*Release.__struct_fields__, *Shares.__struct_fields__, *PHASES, "kept", "shares"}

    assert {word for word in words if f"`{word}`" not in guide} == set()
