"""A freeze or a closed window holds the start of any rollout, not only of waves."""

from __future__ import annotations

import pytest
from temporalio.client import WorkflowUpdateFailedError

from tests.rollout.harness import Harness
from tests.rollout.test_workflow import DELIVERED, start
from workflows.rollout.activity_models import HoldAnswer
from workflows.rollout.models import Decision
from workflows.rollout.workflow import RolloutWorkflow

FREEZE = HoldAnswer("2100-01-01T00:00:00+00:00", "freeze year-end until 2100")
WHY = Decision("ines", "", "security fix, agreed with ops")


async def test_a_rollout_waits_for_the_calendar_before_anything_is_kept_or_changed(harness: Harness) -> None:
    """It looks again every hour, since a freeze may be taken back; then it goes through all steps."""
    harness.doubles.holds_until = [FREEZE, FREEZE]

    status = await (await start(harness)).result()

    assert harness.doubles.calls == ["validate", "read_hold", "read_hold", "read_hold", *DELIVERED[1:]]
    assert (status.outcome, status.held_until) == ("delivered", "")


async def test_a_calendar_that_cannot_be_read_holds_as_well(harness: Harness) -> None:
    """There may be a freeze in it. The rollout says why, looks again, and goes on by itself."""
    harness.doubles.holds_until = [FREEZE]
    harness.doubles.fails("read_hold", error_type="AdxValidationError")

    status = await (await start(harness)).result()

    assert harness.doubles.calls == ["validate", "read_hold", "read_hold", "read_hold", *DELIVERED[1:]]
    assert status.outcome == "delivered"


async def test_a_held_rollout_says_so_and_an_override_starts_it(harness: Harness) -> None:
    """With a reason, which is recorded; without one it is refused."""
    harness.doubles.holds_until = [FREEZE] * 100
    handle = await start(harness)
    held = await harness.until(handle, lambda status: bool(status.held_until))

    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(RolloutWorkflow.override, Decision("ines", "", " "))
    await handle.execute_update(RolloutWorkflow.override, WHY)
    status = await handle.result()

    assert held.held_why == FREEZE.why
    assert status.outcome == "delivered"
    assert harness.doubles.calls[2:] == ["decision:override", *DELIVERED[1:]]


async def test_nothing_is_overridden_where_nothing_holds(harness: Harness) -> None:
    """Nor is it recorded as if it had been."""
    harness.doubles.holds("apply")
    handle = await start(harness)
    await harness.doubles.reached["apply"].wait()

    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(RolloutWorkflow.override, WHY)

    assert "decision:override" not in harness.doubles.calls
    harness.doubles.hold_at["apply"].set()
    assert (await handle.result()).outcome == "delivered"


async def test_a_newer_commit_takes_the_place_of_a_held_one(harness: Harness) -> None:
    """Nothing was touched, so nothing is restored."""
    harness.doubles.holds_until = [FREEZE] * 100
    handle = await start(harness)
    await harness.until(handle, lambda status: bool(status.held_until))

    await handle.signal(RolloutWorkflow.supersede)
    status = await handle.result()

    assert status.outcome == "superseded"
    assert harness.doubles.calls[-1] == "end"
    assert "snapshot" not in harness.doubles.calls


async def test_a_rollback_is_not_held(harness: Harness) -> None:
    """It brings back what was good, and a person has asked for it."""
    harness.doubles.holds_until = [FREEZE] * 100

    status = await (await start(harness, kind="rollback")).result()

    assert status.outcome == "delivered"
    assert "read_hold" not in harness.doubles.calls
