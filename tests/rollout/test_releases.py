"""Releases in a rollout, under the time-skipping test server: who gets requests when, and who gets them back."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from tests.rollout.harness import Harness
from tests.rollout.release_sets import cart_and_frontend, change
from tests.rollout.test_workflow import start
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.models import EnvironmentInput, RolloutStatus, Submission
from workflows.rollout.releases import release_workflow_id
from workflows.rollout.workflow import RolloutWorkflow
from workflows.services.deployment import ServiceDeploymentWorkflow
from workflows.services.models import ReleaseDecision, ReleaseSet

Handle = WorkflowHandle[RolloutWorkflow, RolloutStatus]
RESTORED = ["repair", "reapply", "redeploy", "verify", "end"]
BEFORE = ["validate", "snapshot", "plan", "apply", "deploy"]


def way(service: str) -> list[str]:
    """What happens to one service that is good."""
    return [
        f"healthy {service}",
        *(f"{what} {service} {share}" for share in (10, 100) for what in ("shift", "bake")),
    ]


@pytest.fixture
def releasing(harness: Harness) -> Harness:
    """The cart, then the frontend, which needs it."""
    harness.doubles.releases = cart_and_frontend()
    return harness


def way_of_frontend() -> list[str]:
    """With mirrored requests before it gets real ones."""
    healthy, *rest = way("frontend")
    return [healthy, "shift frontend 0 copies 50", "bake frontend 0", *rest]


async def test_dependencies_come_first_and_old_releases_go_last(releasing: Harness) -> None:
    """Each service proves itself step by step; what served before goes once all are proven."""
    status = await (await start(releasing)).result()

    assert status.outcome == "delivered", status.failure
    assert releasing.doubles.calls == [*BEFORE, *way("cart"), *way_of_frontend(), "test", "cleanup", "status"]
    assert [step.name for step in status.steps][4:8] == ["deploy", "release", "test", "cleanup"]
    assert (status.releasing, status.kept_until) == (["cart", "frontend"], "")


@pytest.mark.parametrize("step", ["healthy frontend", "shift frontend 10", "bake frontend 0", "bake frontend 100"])
async def test_a_bad_release_takes_the_whole_set_back_the_last_first(releasing: Harness, step: str) -> None:
    """It gives its requests back by itself, at once; the restore does so for all, then what was new goes."""
    releasing.doubles.fails(step, error_type="ReleaseRejected")

    status = await (await start(releasing)).result()

    done = way_of_frontend()[: way_of_frontend().index(step) + 1]
    back = ["return frontend", "return frontend cart"]
    assert releasing.doubles.calls == [*BEFORE, *way("cart"), *done, *back, *RESTORED]
    assert (status.outcome, status.failed_step, status.failure) == ("restored", "release", f"{step} is broken")


async def test_services_of_one_stage_change_together_and_one_takes_the_other_back(harness: Harness) -> None:
    """The one that is good is not left half way."""
    harness.doubles.releases = ReleaseSet("both-state", ((change("cart"), change("ads")),), "back-state")
    harness.doubles.holds("bake ads 10")
    harness.doubles.fails("bake cart 100")
    status = await (await start(harness)).result()

    assert status.outcome == "restored"
    returned = [call for call in harness.doubles.calls if call.startswith("return")]
    assert sorted(returned[:2]) == ["return ads", "return cart"]
    assert returned[2] in ("return ads cart", "return cart ads")


async def test_a_failure_after_the_old_releases_went_starts_them_again_first(releasing: Harness) -> None:
    """No moment without anybody to answer: they run beside the new ones before they get requests."""
    releasing.doubles.fails("status")
    status = await (await start(releasing)).result()

    calls = releasing.doubles.calls[releasing.doubles.calls.index("cleanup") :]
    assert status.outcome == "restored"
    assert calls == [
        *("cleanup", "status", "repair", "rebuild", "redeploy", "return frontend cart"),
        *("reapply", "redeploy", "verify", "end"),
    ]


async def test_switch_back_while_the_old_releases_are_kept(releasing: Harness) -> None:
    """A person's word; the commit is restored, and everybody is told who said so."""
    handle = await start(releasing)
    await releasing.until(handle, lambda status: bool(status.kept_until))
    decision = ReleaseDecision("ada@example.com", "switch-back", "", "errors in the shop")
    receipt = await handle.execute_update(RolloutWorkflow.decide_release, decision)
    status = await handle.result()

    assert receipt.message == "switch-back: done"
    assert (status.outcome, status.failed_step) == ("restored", "cleanup")
    assert status.failure == "ada@example.com switched back: errors in the shop"
    assert releasing.doubles.calls[-6:] == ["return frontend cart", *RESTORED]
    assert "decision:release.switch-back" in releasing.doubles.calls


async def test_a_newer_commit_ends_the_keeping_but_not_the_draining(releasing: Harness) -> None:
    """Requests under way at the old release are given their time."""
    assert releasing.doubles.releases is not None
    kept = change("cart", keep_blue_seconds=86_400, drain_seconds=30)
    releasing.doubles.releases = ReleaseSet("both-state", ((kept,),), "back-state")
    handle = await start(releasing)
    await releasing.until(handle, lambda status: bool(status.kept_until))
    await handle.signal(RolloutWorkflow.supersede)
    status = await handle.result()

    cleanup = next(step for step in status.steps if step.name == "cleanup")
    assert status.outcome == "delivered"
    assert cleanup.message.startswith("old releases kept no longer: a newer commit waits")


async def test_a_promotion_ends_the_bake_and_full_ends_all(releasing: Harness) -> None:
    """The steps that are left out are not shifted to."""
    releasing.doubles.holds("bake cart 10")
    handle = await start(releasing)
    await releasing.doubles.reached["bake cart 10"].wait()
    decision = ReleaseDecision("ada@example.com", "promote", "cart", is_full=True)
    await handle.execute_update(RolloutWorkflow.decide_release, decision)
    status = await handle.result()

    assert status.outcome == "delivered", status.failure
    child = releasing.client.get_workflow_handle_for(
        ServiceDeploymentWorkflow.run, release_workflow_id(status.rollout_id, "cart")
    )
    assert (await child.query(ServiceDeploymentWorkflow.status)).phase == "serving"
    assert "shift cart 100" in releasing.doubles.calls


async def test_an_abort_is_a_failure_with_a_name(releasing: Harness) -> None:
    """Also while it waits for green to be healthy."""
    releasing.doubles.holds("healthy cart")
    handle = await start(releasing)
    await releasing.doubles.reached["healthy cart"].wait()
    await handle.execute_update(
        RolloutWorkflow.decide_release, ReleaseDecision("ada@example.com", "abort", "cart", "wrong version")
    )
    status = await handle.result()

    assert (status.outcome, status.failed_step) == ("restored", "release")
    assert status.failure == "cart v1 → v2 aborted by ada@example.com: wrong version"


async def test_what_does_not_fit_is_refused(releasing: Harness) -> None:
    """In words that say what would."""
    releasing.doubles.holds("bake cart 10")
    handle = await start(releasing)
    await releasing.doubles.reached["bake cart 10"].wait()
    for said, why in (
        (ReleaseDecision("ada", "promote", "frontend"), "those that are: cart"),
        (ReleaseDecision("ada", "switch-back", ""), "no old release is kept now"),
    ):
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(RolloutWorkflow.decide_release, said)
        assert why in str(refused.value.cause)
    releasing.doubles.hold_at["bake cart 10"].set()
    assert (await handle.result()).outcome == "delivered"


@pytest.mark.parametrize("step", ["healthy cart", "shift cart 10", "bake frontend 100"])
async def test_a_cancellation_gives_the_requests_back(releasing: Harness, step: str) -> None:
    """The step under way ends first; then blue has everything again, then the rest is restored."""
    releasing.doubles.holds(step)
    handle = await start(releasing)
    await releasing.doubles.reached[step].wait()
    await handle.cancel()
    status = await handle.result()

    service = step.split()[1]
    returned = [call for call in releasing.doubles.calls if call.startswith("return")]
    whole = "return cart" if service == "cart" else "return frontend cart"
    assert status.outcome == "cancelled"
    assert returned == [f"return {service}", whole]
    assert releasing.doubles.calls[-5:] == RESTORED


async def test_a_gateway_that_is_away_is_asked_again_by_the_restore(releasing: Harness) -> None:
    """The release's own try is not the last one."""
    releasing.doubles.fails("bake cart 10")
    hold = releasing.doubles.holds("return cart")
    releasing.doubles.fails("return cart")
    handle = await start(releasing)
    hold.set()
    await releasing.until(handle, lambda status: status.phase == "restoring")
    await asyncio.sleep(0)
    del releasing.doubles.fail_at["return cart"]
    status = await handle.result()

    assert status.outcome == "restored"
    assert releasing.doubles.calls.count("return cart") >= 2


async def test_a_later_round_of_the_restore_starts_no_new_release_again(releasing: Harness) -> None:
    """Requests are back; to go through the way back twice would give them to what was found bad."""
    releasing.doubles.fails("status")
    releasing.doubles.fails("verify")
    status = await (await start(releasing)).result()

    assert status.outcome == "needs-operator"
    assert releasing.doubles.calls.count("reapply") == 3
    assert (releasing.doubles.calls.count("rebuild"), releasing.doubles.calls.count("return frontend cart")) == (1, 1)
    assert status.restore is not None
    assert status.restore.releases is None  # nor does `adx restore`


async def test_a_rollback_does_not_wait_for_what_is_kept(harness: Harness) -> None:
    """The old release is kept for a day, and somebody wants it now."""
    harness.doubles.releases = ReleaseSet("both-state", ((change("cart", keep_blue_seconds=86_400),),), "back-state")
    environment = await harness.client.start_workflow(
        EnvironmentWorkflow.run, EnvironmentInput("development"), id="environment", task_queue=harness.task_queue
    )
    ada = ("ada@example.com", "cli")
    await environment.execute_update(EnvironmentWorkflow.submit, Submission("development", "a" * 40, *ada))
    while not (current := (await environment.query(EnvironmentWorkflow.status)).current):
        await asyncio.sleep(0.02)
    rollout = harness.client.get_workflow_handle_for(RolloutWorkflow.run, current)
    await harness.until(rollout, lambda status: bool(status.kept_until))
    await environment.execute_update(EnvironmentWorkflow.submit, Submission("development", "", *ada, kind="rollback"))
    first = await rollout.result()

    assert first.outcome == "delivered"
    assert "kept no longer" in next(step.message for step in first.steps if step.name == "cleanup")
