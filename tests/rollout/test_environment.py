"""The environment's workflow: one rollout at a time, nothing lost, nothing delivered twice."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from tests.rollout.harness import Harness
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.models import Decision, EnvironmentInput, EnvironmentStatus, Submission
from workflows.rollout.step_names import DELIVERY_STEPS

Handle = WorkflowHandle[EnvironmentWorkflow, None]


def commit(number: int) -> str:
    """Commit ids that the doubled ``choose`` orders by number."""
    return f"{number:040x}"


def merge(number: int, source: str = "webhook") -> Submission:
    return Submission("development", commit(number), "ada@example.com", source)  # type: ignore[arg-type] # test data


@pytest.fixture
async def environment(harness: Harness) -> AsyncIterator[Handle]:
    """The environment's workflow, ended after the test."""
    handle = await harness.client.start_workflow(
        EnvironmentWorkflow.run,
        EnvironmentInput("development"),
        id=f"adx-environment-{uuid.uuid4()}",
        task_queue=harness.task_queue,
    )
    yield handle
    await handle.terminate()


async def settled(environment: Handle, skipping: Harness | None = None) -> EnvironmentStatus:
    """The status once nothing runs and nothing waits; with ``skipping``, pauses between rounds are skipped."""
    while True:
        status = await environment.query(EnvironmentWorkflow.status)
        if status.last is not None and not status.current and (not status.pending or status.frozen_reason):
            return status
        if skipping is not None:
            await skipping.pass_time(1)
        await asyncio.sleep(0.02)


async def running(environment: Handle) -> str:
    """The id of the rollout under way, once there is one."""
    while not (status := await environment.query(EnvironmentWorkflow.status)).current:
        await asyncio.sleep(0.02)
    return status.current


async def test_a_merge_is_delivered(harness: Harness, environment: Handle) -> None:
    """Submitted, chosen, delivered."""
    receipt = await environment.execute_update(EnvironmentWorkflow.submit, merge(1))

    status = await settled(environment)

    assert receipt.message == "queued"
    assert status.last is not None
    assert (status.last.commit, status.last.outcome) == (commit(1), "delivered")


async def test_a_duplicate_submission_is_delivered_once(harness: Harness, environment: Handle) -> None:
    """Webhook and poller bring the same commit: one rollout."""
    hold = harness.doubles.holds("apply")
    await environment.execute_update(EnvironmentWorkflow.submit, merge(1))
    await harness.doubles.reached["apply"].wait()

    await environment.execute_update(EnvironmentWorkflow.submit, merge(2))
    await environment.execute_update(EnvironmentWorkflow.submit, merge(2))
    await environment.execute_update(EnvironmentWorkflow.submit, merge(2, source="poller"))
    hold.set()
    await settled(environment)

    assert harness.doubles.calls == [*DELIVERY_STEPS, *DELIVERY_STEPS]


async def test_the_commit_under_way_is_not_queued_again(harness: Harness, environment: Handle) -> None:
    """What follows its failure would only be the same failure."""
    hold = harness.doubles.holds("deploy")
    harness.doubles.fails("deploy")
    await environment.execute_update(EnvironmentWorkflow.submit, merge(1))
    await harness.doubles.reached["deploy"].wait()

    receipt = await environment.execute_update(EnvironmentWorkflow.submit, merge(1, source="cli"))
    hold.set()
    await settled(environment)

    assert receipt.message == "under way already"
    assert [request.outcome for request in harness.doubles.finished] == ["restored"]


async def test_three_merges_during_a_rollout_become_one_and_the_newest_wins(
    harness: Harness, environment: Handle
) -> None:
    """They arrive out of order; one more rollout delivers the newest, which contains the others."""
    hold = harness.doubles.holds("deploy")
    await environment.execute_update(EnvironmentWorkflow.submit, merge(1))
    await harness.doubles.reached["deploy"].wait()

    for number in (3, 4, 2):
        receipt = await environment.execute_update(EnvironmentWorkflow.submit, merge(number))
        assert receipt.message == "queued behind the rollout under way"
    hold.set()
    status = await settled(environment)

    assert [request.submission.commit for request in harness.doubles.finished] == [commit(1), commit(4)]
    assert status.last is not None
    assert status.last.outcome == "delivered"


async def test_one_rollout_at_a_time(harness: Harness, environment: Handle) -> None:
    """While one applies, no other takes a snapshot."""
    hold = harness.doubles.holds("apply")
    await environment.execute_update(EnvironmentWorkflow.submit, merge(1))
    await harness.doubles.reached["apply"].wait()

    await environment.execute_update(EnvironmentWorkflow.submit, merge(2))

    assert harness.doubles.calls.count("snapshot") == 1
    hold.set()
    await settled(environment)
    assert harness.doubles.calls.count("snapshot") == 2


async def test_cancel_restores_and_the_environment_goes_on(harness: Harness, environment: Handle) -> None:
    """The cancelled rollout is restored; the merge that waited is delivered."""
    harness.doubles.holds("deploy")
    await environment.execute_update(EnvironmentWorkflow.submit, merge(1))
    await harness.doubles.reached["deploy"].wait()
    await environment.execute_update(EnvironmentWorkflow.submit, merge(2))
    harness.doubles.hold_at["deploy"] = asyncio.Event()

    await environment.execute_update(EnvironmentWorkflow.cancel, Decision("ada@example.com"))
    while len(harness.doubles.finished) < 1:
        await asyncio.sleep(0.02)
    harness.doubles.hold_at["deploy"].set()
    status = await settled(environment)

    assert [request.outcome for request in harness.doubles.finished] == ["cancelled", "delivered"]
    assert "verify" in harness.doubles.calls
    assert status.last is not None
    assert status.last.commit == commit(2)


async def test_cancel_without_a_rollout_is_refused(environment: Handle) -> None:
    """There is nothing to cancel, and that is said."""
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await environment.execute_update(EnvironmentWorkflow.cancel, Decision("ada@example.com"))
    assert "no rollout is under way" in str(refused.value.cause)


async def test_a_newer_merge_supersedes_a_rollout_that_waits_for_approval(
    harness: Harness, environment: Handle
) -> None:
    """Nobody needs to approve what is out of date; an older commit that comes late changes nothing."""
    harness.doubles.approvers = []
    await environment.execute_update(EnvironmentWorkflow.submit, merge(2))
    first = await running(environment)
    while "plan" not in harness.doubles.calls:
        await asyncio.sleep(0.02)

    await environment.execute_update(EnvironmentWorkflow.submit, merge(1))
    assert (await environment.query(EnvironmentWorkflow.status)).current == first
    harness.doubles.approvers = None
    await environment.execute_update(EnvironmentWorkflow.submit, merge(3))
    status = await settled(environment)

    assert harness.doubles.finished[0].outcome == "superseded"
    assert status.last is not None
    assert (status.last.commit, status.last.outcome) == (commit(3), "delivered")


async def test_restore_failure_freezes_the_environment_until_an_operator_restores_it(
    harness: Harness, environment: Handle
) -> None:
    """Frozen: merges queue, nothing is delivered. A verified restore thaws it, and the queue moves on."""
    harness.doubles.fails("deploy")
    harness.doubles.fails("verify")
    await environment.execute_update(EnvironmentWorkflow.submit, merge(1))
    frozen = await settled(environment, harness)
    receipt = await environment.execute_update(EnvironmentWorkflow.submit, merge(2))
    assert "verify is broken" in frozen.frozen_reason
    assert "waits for an operator" in receipt.message

    second_try = asyncio.create_task(
        environment.execute_update(EnvironmentWorkflow.restore, Decision("ada@example.com"))
    )
    while not second_try.done():
        await harness.pass_time(1)
    with pytest.raises(WorkflowUpdateFailedError):
        await second_try
    harness.doubles.fail_at.clear()
    await environment.execute_update(EnvironmentWorkflow.restore, Decision("ada@example.com"))
    status = await settled(environment)

    assert "thaw" in harness.doubles.calls
    assert status.frozen_reason == ""
    assert status.last is not None
    assert (status.last.commit, status.last.outcome) == (commit(2), "delivered")


async def test_a_rollback_goes_before_waiting_merges(harness: Harness, environment: Handle) -> None:
    """Whoever asks for a rollback wants it now."""
    hold = harness.doubles.holds("apply")
    await environment.execute_update(EnvironmentWorkflow.submit, merge(1))
    await harness.doubles.reached["apply"].wait()

    await environment.execute_update(EnvironmentWorkflow.submit, merge(2))
    rollback = Submission("development", "", "ada@example.com", "cli", kind="rollback")
    await environment.execute_update(EnvironmentWorkflow.submit, rollback)
    hold.set()
    await settled(environment)

    kinds = [request.submission.kind for request in harness.doubles.finished]
    assert kinds == ["deliver", "rollback", "deliver"]


@pytest.mark.parametrize("commit_id", ["", "main", "abc", "A" * 40, "--upload-pack=x"])
async def test_what_is_not_a_full_commit_id_is_refused(environment: Handle, commit_id: str) -> None:
    """Names move; a rollout is of one commit."""
    with pytest.raises(WorkflowUpdateFailedError):
        await environment.execute_update(
            EnvironmentWorkflow.submit, Submission("development", commit_id, "ada@example.com", "cli")
        )


async def test_a_submission_for_another_environment_is_refused(environment: Handle) -> None:
    """A mixed-up address must not deliver to the wrong place."""
    with pytest.raises(WorkflowUpdateFailedError):
        await environment.execute_update(
            EnvironmentWorkflow.submit, Submission("production", commit(1), "ada@example.com", "cli")
        )
