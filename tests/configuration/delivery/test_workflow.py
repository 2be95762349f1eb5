"""The update and its restore, alone and within a rollout: what is called in which order, whatever goes wrong."""

from __future__ import annotations

import pytest

from tests.configuration.delivery.harness import Harness

STEPS = ["check_values", "back_up_values", "write_values", "notify_services", "check_health"]
RESTORED = ["restore_values", "notify_of_restore"]
BEFORE = ["validate", "snapshot", "plan", "apply", "deploy"]
CLUSTER_RESTORED = ["repair", "reapply", "redeploy", "verify"]


async def test_values_are_validated_backed_up_applied_told_and_looked_after(harness: Harness) -> None:
    """In this order; who acknowledged is in the status."""
    status = await (await harness.update()).result()

    assert harness.doubles.calls == STEPS
    assert (status.outcome, status.summary) == ("delivered", "2 value(s) of frontend")
    assert [step.message for step in status.steps][3] == "1 acknowledged, not cart"
    assert status.notified.silent == {"cart": "answered 503"}


async def test_nothing_is_touched_where_no_value_changes(harness: Harness) -> None:
    """No backup, no write, no message."""
    harness.doubles.values = 0

    assert (await (await harness.update()).result()).outcome == "nothing-to-change"
    assert harness.doubles.calls == ["check_values"]


@pytest.mark.parametrize("step", ["check_values", "back_up_values"])
async def test_a_failure_before_anything_was_written_restores_nothing(harness: Harness, step: str) -> None:
    """There is nothing to bring back."""
    harness.doubles.fails(step)

    status = await (await harness.update()).result()

    assert harness.doubles.calls == STEPS[: STEPS.index(step) + 1]
    assert (status.outcome, status.failure) == ("failed", f"{step} is broken")


@pytest.mark.parametrize("step", STEPS[2:])
async def test_a_failure_after_the_backup_is_restored_and_the_services_told_again(harness: Harness, step: str) -> None:
    """Also when writing failed: whether it was done is not known."""
    harness.doubles.fails(step)

    status = await (await harness.update()).result()

    assert harness.doubles.calls == [*STEPS[: STEPS.index(step) + 1], *RESTORED]
    assert (status.outcome, status.failure) == ("restored", f"{step} is broken")


async def test_a_restore_that_is_not_verified_is_tried_again_and_then_said(harness: Harness) -> None:
    """Three rounds with pauses; then an operator is needed."""
    harness.doubles.fails("check_health")
    harness.doubles.unverified = 3

    status = await (await harness.update()).result()

    assert harness.doubles.calls.count("restore_values") == 3
    assert [request.round_number for request in harness.doubles.restores] == [1, 2, 3]
    assert status.outcome == "needs-operator"
    assert "PAGE_SIZE is not what it was" in status.failure
    assert "notify_of_restore" not in harness.doubles.calls


async def test_services_that_do_not_hear_of_the_restore_do_not_undo_it(harness: Harness) -> None:
    """The values are back."""
    harness.doubles.fails("check_health")
    harness.doubles.fails("notify_of_restore")

    assert (await (await harness.update()).result()).outcome == "restored"


async def test_a_cancelled_update_brings_the_values_back_before_it_ends(harness: Harness) -> None:
    """As every guarded change."""
    harness.doubles.holds("check_health")
    handle = await harness.update()
    await harness.doubles.reached["check_health"].wait()
    await handle.cancel()

    assert (await handle.result()).outcome == "cancelled"
    assert harness.doubles.calls == [*STEPS, *RESTORED]


async def test_a_rollout_delivers_values_after_the_workloads_and_before_the_tests(harness: Harness) -> None:
    """The tests judge both."""
    status = await (await harness.rollout()).result()

    assert harness.doubles.calls == [*BEFORE, *STEPS, "test", "status"]
    assert status.outcome == "delivered"
    step = next(step for step in status.steps if step.name == "configuration")
    assert (step.status, step.message) == ("succeeded", "2 value(s) of frontend; 1 acknowledged, not cart")


async def test_a_rollout_without_a_store_is_what_it_was(harness: Harness) -> None:
    """No step, no child."""
    harness.doubles.has_configuration = False

    status = await (await harness.rollout()).result()

    assert harness.doubles.calls == [*BEFORE, "test", "status"]
    assert "configuration" not in [step.name for step in status.steps]


async def test_values_that_hurt_bring_the_whole_rollout_back(harness: Harness) -> None:
    """The update's own restore first; then the cluster; then the values are looked at once more."""
    harness.doubles.fails("check_health")

    status = await (await harness.rollout()).result()

    assert harness.doubles.calls == [*BEFORE, *STEPS, *RESTORED, *CLUSTER_RESTORED, "restore_values", "end"]
    assert (status.outcome, status.failed_step) == ("restored", "configuration")
    assert status.failure == "configuration, health: check_health is broken"


async def test_a_test_that_fails_brings_the_values_back_with_the_rest(harness: Harness) -> None:
    """The update was delivered by then; its backup is found by the state that was delivered."""
    harness.doubles.fails("test")

    status = await (await harness.rollout()).result()

    assert harness.doubles.calls == [*BEFORE, *STEPS, "test", *CLUSTER_RESTORED, "restore_values", "end"]
    assert status.outcome == "restored"
    assert harness.doubles.restores[0].state == "desired-state"
    assert harness.doubles.restores[0].rollout_id == "rollout"


async def test_a_rollout_that_failed_before_its_values_leaves_the_store_alone(harness: Harness) -> None:
    """Nothing was written."""
    harness.doubles.fails("deploy")

    assert (await (await harness.rollout()).result()).outcome == "restored"
    assert "restore_values" not in harness.doubles.calls


async def test_values_that_do_not_come_back_need_an_operator(harness: Harness) -> None:
    """The environment freezes, and says why."""
    harness.doubles.fails("test")
    harness.doubles.unverified = 3

    status = await (await harness.rollout()).result()

    assert status.outcome == "needs-operator"
    assert "the restore failed at configuration: PAGE_SIZE is not what it was" in status.failure


async def test_a_cancelled_rollout_waits_for_the_values_to_be_back(harness: Harness) -> None:
    """The cancellation reaches the child, whose restore is awaited."""
    harness.doubles.holds("check_health")
    handle = await harness.rollout()
    await harness.doubles.reached["check_health"].wait()
    await handle.cancel()

    status = await handle.result()

    assert status.outcome == "cancelled"
    assert harness.doubles.calls == [*BEFORE, *STEPS, *RESTORED, *CLUSTER_RESTORED, "restore_values", "end"]
