"""The rollout under the time-skipping test server: what is called, in which order, whatever goes wrong."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from temporalio.client import WorkflowHandle

from tests.rollout.harness import Harness
from workflows.rollout.models import Decision, RolloutInput, RolloutStatus, Submission
from workflows.rollout.step_names import DELIVERY_STEPS, RESTORE_STEPS
from workflows.rollout.workflow import RolloutWorkflow

COMMIT = "a" * 40
AFTER_SNAPSHOT = DELIVERY_STEPS[2:]
DELIVERED = list(DELIVERY_STEPS)
RESTORED = list(RESTORE_STEPS)
ASKED_TO_CANCEL = "activity_task_cancel_requested_event_attributes"


async def start(harness: Harness, **fields: object) -> WorkflowHandle[RolloutWorkflow, RolloutStatus]:
    submission = Submission("development", COMMIT, "ada@example.com", "cli", **fields)  # type: ignore[arg-type] # test data
    return await harness.client.start_workflow(
        RolloutWorkflow.run,
        RolloutInput(submission),
        id=f"rollout-{uuid.uuid4()}",
        task_queue=harness.task_queue,
    )


async def test_a_good_change_goes_through_all_steps_in_order(harness: Harness) -> None:
    """validate → snapshot → plan → apply → deploy → test → status, and nothing else."""
    status = await (await start(harness)).result()

    assert harness.doubles.calls == DELIVERED
    assert status.outcome == "delivered"
    assert [step.status for step in status.steps] == ["succeeded"] * len(DELIVERY_STEPS)


async def test_a_commit_that_changes_nothing_takes_no_snapshot(harness: Harness) -> None:
    """The end is recorded, nothing is touched."""
    harness.doubles.changed_units = 0

    status = await (await start(harness)).result()

    assert harness.doubles.calls == ["validate", "end"]
    assert status.outcome == "nothing-to-change"


@pytest.mark.parametrize("step", ["validate", "snapshot"])
async def test_a_failure_before_the_snapshot_is_taken_restores_nothing(harness: Harness, step: str) -> None:
    """Nothing was touched, so nothing is restored; the failure is recorded."""
    harness.doubles.fails(step)

    status = await (await start(harness)).result()

    assert harness.doubles.calls == [*DELIVERED[: DELIVERED.index(step) + 1], "end"]
    assert (status.outcome, status.failed_step, status.failure) == ("failed", step, f"{step} is broken")


async def test_a_refused_commit_is_reported_as_refused(harness: Harness) -> None:
    """Refused is not failed: nothing is wrong with the machinery."""
    harness.doubles.fails("validate", error_type="RolloutRefused")

    assert (await (await start(harness)).result()).outcome == "refused"


async def test_a_bound_plan_is_held_against_its_preview_before_the_snapshot(harness: Harness) -> None:
    """The rollout says which preview it is bound to."""
    harness.doubles.is_plan_bound = True

    status = await (await start(harness)).result()

    assert harness.doubles.calls == ["validate", "bind", *DELIVERED[1:]]
    assert status.steps[0].message.endswith("plan plan-digest- as previewed for aaaaaaaaaaaa, pull request 7")


async def test_a_plan_that_moved_is_refused_and_nothing_is_touched(harness: Harness) -> None:
    """Neither snapshot nor restore: a new preview is asked for."""
    harness.doubles.is_plan_bound = True
    harness.doubles.fails("bind", error_type="PlanMoved")

    status = await (await start(harness)).result()

    assert harness.doubles.calls == ["validate", "bind", "end"]
    assert (status.outcome, status.failed_step) == ("refused", "validate")


@pytest.mark.parametrize("step", AFTER_SNAPSHOT)
async def test_a_failure_at_any_step_after_the_snapshot_is_restored_and_verified(harness: Harness, step: str) -> None:
    """The restore's steps follow the failed one, all of them, before the end is recorded."""
    harness.doubles.fails(step)

    status = await (await start(harness)).result()

    assert harness.doubles.calls == [*DELIVERED[: DELIVERED.index(step) + 1], *RESTORED, "end"]
    assert (status.outcome, status.failed_step) == ("restored", step)
    assert status.revert_branch == "adx/revert"
    assert harness.doubles.finished[-1].restore_verified


@pytest.mark.parametrize("step", AFTER_SNAPSHOT)
async def test_a_cancellation_at_any_step_after_the_snapshot_is_restored(harness: Harness, step: str) -> None:
    """The step under way ends first, then the restore runs to its end although the rollout is cancelled."""
    harness.doubles.holds(step)
    handle = await start(harness)
    await harness.doubles.reached[step].wait()

    await handle.cancel()
    status = await handle.result()

    assert harness.doubles.calls == [*DELIVERED[: DELIVERED.index(step) + 1], *RESTORED, "end"]
    assert status.outcome == "cancelled"


@pytest.mark.parametrize("step", ["validate", "snapshot"])
async def test_a_cancellation_before_the_snapshot_is_taken_restores_nothing(harness: Harness, step: str) -> None:
    """It ends as cancelled, recorded, with nothing restored."""
    harness.doubles.holds(step)
    handle = await start(harness)
    await harness.doubles.reached[step].wait()

    await handle.cancel()
    status = await handle.result()

    assert harness.doubles.calls == [*DELIVERED[: DELIVERED.index(step) + 1], "end"]
    assert status.outcome == "cancelled"


@pytest.mark.parametrize("step", AFTER_SNAPSHOT[:-1])
async def test_a_cancellation_is_not_lost_when_the_step_under_way_ends_first(harness: Harness, step: str) -> None:
    """A step that hears of nothing returns its result; the next one is not begun all the same."""
    release = harness.doubles.holds(step, is_deaf=True)
    handle = await start(harness)
    await harness.doubles.reached[step].wait()

    await handle.cancel()
    while not any(event.HasField(ASKED_TO_CANCEL) for event in (await handle.fetch_history()).events):
        await asyncio.sleep(0.02)
    release.set()
    status = await handle.result()

    assert harness.doubles.calls == [*DELIVERED[: DELIVERED.index(step) + 1], *RESTORED, "end"]
    assert status.outcome == "cancelled"


async def test_a_second_cancellation_does_not_stop_the_restore(harness: Harness) -> None:
    """A restore that has begun is finished."""
    harness.doubles.fails("deploy")
    release = harness.doubles.holds("reapply")
    handle = await start(harness)
    await harness.doubles.reached["reapply"].wait()

    await handle.cancel()
    release.set()
    status = await handle.result()

    assert harness.doubles.calls[-4:] == ["reapply", "redeploy", "verify", "end"]
    assert status.outcome == "restored"


@pytest.mark.parametrize("step", RESTORE_STEPS)
async def test_a_restore_that_keeps_failing_is_tried_three_times_and_needs_an_operator(
    harness: Harness, step: str
) -> None:
    """Three rounds, then the truth: nobody claims that it was restored."""
    harness.doubles.fails("deploy")
    harness.doubles.fails(step)

    status = await (await start(harness)).result()

    assert harness.doubles.calls.count(step) == 3
    assert status.outcome == "needs-operator"
    assert f"the restore failed at {step}" in status.failure
    assert not harness.doubles.finished[-1].restore_verified
    assert status.restore is not None
    assert status.restore.snapshot == "snapshot-digest"


async def test_a_rollout_waits_for_one_of_its_approvers(harness: Harness) -> None:
    """Others are refused; the approver's word starts the apply."""
    harness.doubles.approvers = ["grace@example.com"]
    handle = await start(harness)
    await harness.until(handle, lambda status: status.waiting_for_approval)

    with pytest.raises(Exception, match="update failed"):
        await handle.execute_update(RolloutWorkflow.approve, Decision("mallory@example.com"))
    await handle.execute_update(RolloutWorkflow.approve, Decision("grace@example.com"))
    status = await handle.result()

    assert harness.doubles.calls == ["validate", "snapshot", "plan", "decision:approve", *AFTER_SNAPSHOT[1:]]
    assert status.outcome == "delivered"


async def test_a_rollout_that_nobody_approves_ends_restored(harness: Harness) -> None:
    """After the declared hours (skipped here) it gives up its place; nothing was applied."""
    harness.doubles.approvers = []

    status = await (await start(harness)).result()

    assert status.outcome == "restored"
    assert "nobody approved within 1 h" in status.failure
    assert "apply" not in harness.doubles.calls


async def test_recording_the_end_is_tried_until_the_ledger_is_back(harness: Harness) -> None:
    """The ledger is away for several minutes (skipped here); the end is recorded all the same."""
    harness.doubles.fails("deploy")
    harness.doubles.fails("end")
    handle = await start(harness)
    while harness.doubles.calls.count("end") < 2:
        await harness.pass_time(5)

    del harness.doubles.fail_at["end"]
    status = await handle.result()

    assert status.outcome == "restored"
    assert len(harness.doubles.finished) == 1


async def test_a_defect_of_ours_fails_the_task_and_restores_nothing(harness: Harness) -> None:
    """What is good must not be restored for it; mended code, or another worker, goes on."""
    harness.doubles.unintelligible = "plan"
    handle = await start(harness)
    why = await _failed_task(handle)
    await handle.terminate()

    assert "Failed decoding" in why
    assert harness.doubles.calls == ["validate", "snapshot", "plan"]


async def _failed_task(handle: WorkflowHandle[RolloutWorkflow, RolloutStatus]) -> str:
    """Why a task of the workflow failed, once one has."""
    while True:
        async for event in handle.fetch_history_events():
            if event.HasField("workflow_task_failed_event_attributes"):
                return event.workflow_task_failed_event_attributes.failure.message
        await asyncio.sleep(0.05)
