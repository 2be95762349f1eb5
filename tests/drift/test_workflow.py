"""The workflows of drift with doubled activities: what is asked for, in which order, and how each end is recorded."""

from __future__ import annotations

import pytest

from tests.drift.heal_doubles import COMMIT, HEAL, UNITS, DriftDoubles, DriftServer, drift_server
from workflows.drift.heal_workflow import HealWorkflow
from workflows.drift.models import DriftFound, DriftInput, DriftResult
from workflows.drift.workflow import DriftWorkflow
from workflows.rollout.environment import EnvironmentWorkflow
from workflows.rollout.models import EnvironmentInput, RolloutInput, RolloutStatus, Submission

WITH_DRIFT = DriftFound("development", "drifted", "2 changed", COMMIT, 58, 2, UNITS)


async def check(server: DriftServer) -> DriftResult:
    return await server.client.execute_workflow(
        DriftWorkflow.run, DriftInput("development"), id="drift", task_queue=server.task_queue
    )


async def heal(server: DriftServer) -> RolloutStatus:
    return await server.client.execute_workflow(
        HealWorkflow.run, RolloutInput(HEAL), id="heal", task_queue=server.task_queue
    )


async def test_a_check_without_anything_to_heal_asks_for_nothing() -> None:
    """Not even where something has drifted: whether it is healed was decided by the check."""
    found = DriftFound("development", "drifted", "1 changed", COMMIT, 58, 1, not_healed="freeze fair")
    async with drift_server(DriftDoubles(found=found)) as server:
        result = await check(server)

    assert result == DriftResult(found)
    assert server.doubles.submitted == []


async def test_a_check_hands_what_is_to_be_healed_to_the_environment() -> None:
    """The commit that is delivered, and the units that have drifted from it."""
    async with drift_server(DriftDoubles(found=WITH_DRIFT)) as server:
        result = await check(server)

    assert server.doubles.submitted == [HEAL]
    assert result.receipt == "queued"


async def test_a_heal_goes_through_its_steps_in_order() -> None:
    """The workloads of the healed services are awaited, the tests run, the end is written."""
    async with drift_server(DriftDoubles()) as server:
        status = await heal(server)

    assert (status.outcome, status.kind, status.phase) == ("delivered", "heal", "ended")
    assert server.doubles.calls == [
        "plan_heal",
        "snapshot_heal",
        f"apply_heal:{','.join(UNITS)}",
        "apply_heal",
        "deploy",
        "test",
        "finish_heal",
    ]
    assert [step.status for step in status.steps] == ["succeeded"] * 6


async def test_drift_that_is_gone_when_the_heal_begins_is_nothing_to_change() -> None:
    """Nothing is claimed and nothing touched."""
    async with drift_server(DriftDoubles(planned_units=[])) as server:
        status = await heal(server)

    assert status.outcome == "nothing-to-change"
    assert server.doubles.calls == ["plan_heal", "finish_heal"]
    assert server.doubles.ends[0].fencing_token == 0


async def test_a_refusal_before_the_snapshot_undoes_nothing() -> None:
    """An environment that was frozen meanwhile."""
    doubles = DriftDoubles()
    doubles.fails("plan_heal", "RolloutRefused")
    async with drift_server(doubles) as server:
        status = await heal(server)

    assert (status.outcome, status.failure) == ("refused", "plan_heal is broken")
    assert server.doubles.calls == ["plan_heal", "finish_heal"]


@pytest.mark.parametrize("step", ["apply_heal", "deploy", "test"])
async def test_a_failure_after_the_snapshot_is_undone(step: str) -> None:
    """Whatever failed: the end says restored, and that it is verified."""
    doubles = DriftDoubles()
    doubles.fails(step)
    async with drift_server(doubles) as server:
        status = await heal(server)

    (end,) = server.doubles.ends
    assert (status.outcome, end.outcome, end.is_restored) == ("restored", "restored", True)
    assert server.doubles.calls[-2:] == ["undo_heal", "finish_heal"]


async def test_an_undo_that_fails_once_is_tried_again() -> None:
    """A cluster may be away for a moment."""
    doubles = DriftDoubles(undo_failures=1)
    doubles.fails("deploy")
    async with drift_server(doubles) as server:
        status = await heal(server)

    assert status.outcome == "restored"
    assert server.doubles.calls.count("undo_heal") == 2


async def test_an_undo_that_cannot_be_verified_freezes_the_environment() -> None:
    """The state is unknown: nothing more is delivered until a person has looked."""
    doubles = DriftDoubles(undo_failures=3)
    doubles.fails("deploy")
    async with drift_server(doubles) as server:
        handle = await _environment(server)
        await handle.execute_update(EnvironmentWorkflow.submit, HEAL)
        await server.until(lambda known: bool(known.ends))
        status = await handle.query(EnvironmentWorkflow.status)
        while not status.frozen_reason:
            status = await handle.query(EnvironmentWorkflow.status)

    assert status.last is not None
    assert status.last.outcome == "needs-operator"
    assert "differs still" in status.frozen_reason


async def test_a_unit_that_the_cluster_refuses_leaves_the_others_healed() -> None:
    """Its workloads are not awaited, and the end names it."""
    doubles = DriftDoubles(failed={"service/frontend": "refused"})
    async with drift_server(doubles) as server:
        status = await heal(server)

    (end,) = server.doubles.ends
    assert (status.outcome, end.failed) == ("partly-delivered", {"service/frontend": "refused"})
    assert "deploy" not in server.doubles.calls
    assert status.failure == "refused"


async def test_a_heal_that_is_cancelled_is_undone() -> None:
    """As a rollout is."""
    doubles = DriftDoubles()
    doubles.holds("apply_heal")
    async with drift_server(doubles) as server:
        handle = await server.client.start_workflow(
            HealWorkflow.run, RolloutInput(HEAL), id="heal", task_queue=server.task_queue
        )
        await doubles.reached["apply_heal"].wait()
        await handle.cancel()
        status = await handle.result()

    assert status.outcome == "cancelled"
    assert server.doubles.calls[-2:] == ["undo_heal", "finish_heal"]


async def test_the_environment_heals_only_while_nothing_else_runs() -> None:
    """The heal waits for the rollout under way: the environment's workflow is the lock of both."""
    doubles = DriftDoubles()
    hold = doubles.holds("apply")
    async with drift_server(doubles) as server:
        handle = await _environment(server)
        deliver = Submission("development", "1" * 40, "ada@example.com", "cli")
        await handle.execute_update(EnvironmentWorkflow.submit, deliver)
        await doubles.reached["apply"].wait()
        receipt = await handle.execute_update(EnvironmentWorkflow.submit, HEAL)
        calls = list(doubles.calls)
        hold.set()
        await server.until(lambda known: bool(known.ends))

    assert receipt.message == "queued behind the rollout under way"
    assert "plan_heal" not in calls
    assert doubles.calls.index("status") < doubles.calls.index("plan_heal")


async def _environment(server: DriftServer):  # type: ignore[no-untyped-def] # the handle's type is long and says nothing
    return await server.client.start_workflow(
        EnvironmentWorkflow.run, EnvironmentInput("development"), id="environment", task_queue=server.task_queue
    )
