"""A submission is followed to its end, however it ends."""

from __future__ import annotations

import pytest

from pipelines.exit_codes import ExitCode
from pipelines.following import IDLE_LOOKS, Follower, worst
from tests.pipelines import records
from workflows.client import LiveStatus
from workflows.rollout.models import EnvironmentStatus, RolloutStatus, Submission

NOW = records.at(minutes=5)
OLDER = records.ended("delivered", commit=records.OLD, rollout_id="older")


def idle(last: RolloutStatus | None = None, **changes: object) -> LiveStatus:
    """An environment in which nothing runs."""
    return LiveStatus(EnvironmentStatus("production", last=last, **changes), last)  # type: ignore[arg-type] # fields


def queued(last: RolloutStatus | None = OLDER) -> LiveStatus:
    """An environment in which our submission waits."""
    return idle(last, pending=[records.submission()])


def running(rollout: RolloutStatus) -> LiveStatus:
    """An environment in which ``rollout`` runs."""
    return LiveStatus(EnvironmentStatus("production", current=rollout.rollout_id, last=OLDER), rollout)


def follow(follower: Follower, *looks: LiveStatus) -> Follower:
    """Look until it has ended or there is nothing more to see."""
    for live in looks:
        assert not follower.is_ended
        follower.look(live, NOW)
    return follower


def our_follower() -> Follower:
    """Follows the submission of the new commit, made after the older rollout."""
    return Follower("production", records.NEW, seen="older")


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        ("delivered", ExitCode.OK),
        ("nothing-to-change", ExitCode.OK),
        ("restored", ExitCode.ROLLED_BACK),
        ("needs-operator", ExitCode.NEEDS_OPERATOR),
        ("cancelled", ExitCode.FAILED),
        ("refused", ExitCode.FAILED),
        ("failed", ExitCode.FAILED),
    ],
)
def test_exit_status_says_how_the_rollout_ended(outcome: str, code: ExitCode) -> None:
    follower = follow(our_follower(), queued(), running(records.status(3, "running")), idle(records.ended(outcome)))
    assert (follower.is_ended, follower.exit_code) == (True, code)


def test_queue_and_the_moment_before_the_start_are_waited_through() -> None:
    follower = follow(
        our_follower(), queued(), *[idle(OLDER)] * (IDLE_LOOKS - 1), running(records.status(0, "running"))
    )
    assert not follower.is_ended


def test_last_rollout_before_the_submission_is_not_ours() -> None:
    follower = Follower("production", records.NEW, seen=records.DELIVERED.id)
    follow(follower, idle(records.ended("delivered"), pending=[records.submission()]))
    assert (follower.is_ended, follower.rollout) == (False, None)


def test_submission_that_needed_no_rollout_ends_well() -> None:
    follower = follow(our_follower(), *[idle(OLDER)] * IDLE_LOOKS)
    assert (follower.is_ended, follower.rollout, follower.exit_code) == (True, None, ExitCode.OK)


def test_submission_that_coalesced_follows_the_newer_commit() -> None:
    newer = records.ended("restored", commit=records.BAD, rollout_id="newer")
    follower = follow(
        our_follower(), queued(), running(records.status(1, "running", commit=records.BAD, rollout_id="newer"))
    )
    follow(follower, *[idle(newer)] * IDLE_LOOKS)
    assert (follower.is_ended, follower.exit_code) == (True, ExitCode.ROLLED_BACK)


def test_rollout_that_ran_before_is_followed_and_not_taken_for_ours() -> None:
    other = records.ended("restored", commit=records.BAD, rollout_id="other")
    follower = follow(
        our_follower(),
        running(records.status(1, "running", commit=records.BAD, rollout_id="other")),
        idle(other, pending=[records.submission()]),
        running(records.status(1, "running")),
        idle(records.ended("delivered")),
    )
    assert (follower.is_ended, follower.exit_code) == (True, ExitCode.OK)


def test_frozen_environment_needs_an_operator() -> None:
    follower = follow(our_follower(), idle(OLDER, pending=[records.submission()], frozen_reason="restore failed"))
    assert (follower.is_ended, follower.exit_code) == (True, ExitCode.NEEDS_OPERATOR)


def test_rollback_without_a_commit_learns_its_commit() -> None:
    follower = Follower("production", "", kind="rollback", seen="older")
    back = records.ended("delivered", commit=records.OLD, rollout_id="back")
    back.kind = "rollback"
    waiting = Submission("production", "", "ana", "cli", kind="rollback")
    follow(follower, idle(OLDER, pending=[waiting]), idle(back))
    assert (follower.is_ended, follower.exit_code) == (True, ExitCode.OK)


def test_every_step_is_told_once() -> None:
    follower = our_follower()
    looks = [queued(), running(records.status(1, "running")), running(records.status(1, "running"))]
    told = [event for live in [*looks, idle(records.failed())] for event in follower.look(live, NOW)]
    steps = [(event.step, event.status) for event in told if event.step]
    assert len(steps) == len(set(steps))
    assert [event.status for event in told if not event.step] == ["started", "restored"]


def test_steps_of_the_restore_stay_on_the_screen() -> None:
    follower = our_follower()
    restoring = running(records.status(4, "failed"))
    restoring.restore_steps = records.restore_steps()
    follow(follower, restoring, idle(records.failed()))
    assert len(follower.restore_steps) == 4


def test_worst_end_decides() -> None:
    assert worst([ExitCode.OK, ExitCode.NEEDS_OPERATOR, ExitCode.ROLLED_BACK]) == ExitCode.NEEDS_OPERATOR
    assert worst([]) == ExitCode.OK
