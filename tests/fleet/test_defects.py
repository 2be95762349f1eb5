"""What must not happen and does: it is seen, and nothing is said that is not so."""

from __future__ import annotations

import asyncio

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError

from policies.infrastructure.spec import FleetRules
from tests.fleet.doubles import UNITS, Fleet, FleetDoubles, fleet_server, plan_of, started

ALL_AT_ONCE = FleetRules(max_parallel=UNITS)


async def failed_task(fleet: Fleet) -> str:
    """Why a task of the workflow failed, once one has."""
    while True:
        async for event in fleet.handle.fetch_history_events():
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED:
                return event.workflow_task_failed_event_attributes.failure.message
        await asyncio.sleep(0.05)


async def test_an_answer_that_nobody_understands_fails_the_task_and_does_not_hang_the_fleet() -> None:
    """A worker that understands it may go on; until then the failure is in the history, and the fleet is not over."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE), stranger="tenant/stranger")
    async with fleet_server(doubles, is_real=True) as server:
        fleet = await started(server, doubles)
        why = await failed_task(fleet)
        await fleet.handle.terminate()

    assert "a defect of ADX" in why
    assert "does not concern tenant/stranger" in why


async def test_a_word_that_came_too_late_is_in_the_audit_trail_as_refused() -> None:
    """Two people say the same at once: one is followed, and of the other it is recorded that they were not."""
    doubles = FleetDoubles(plan_of(ALL_AT_ONCE, cells_at_once=1))
    async with fleet_server(doubles) as server:
        go_on, record_goes_on = doubles.hold(), doubles.hold_record()
        fleet = await started(server, doubles)
        await fleet.until(lambda _: len(doubles.asked) == 1)
        saying = [asyncio.create_task(fleet.say("pause", by=name)) for name in ("ana", "bo")]
        while str((await fleet.handle.describe()).raw_description.pending_activities).count("record_decision") < 2:
            pass
        record_goes_on.set()
        answers = await asyncio.gather(*saying, return_exceptions=True)
        await fleet.say("resume", by="ines")
        go_on.set()
        result = await fleet.handle.result()

    refused = [answer for answer in answers if isinstance(answer, WorkflowUpdateFailedError)]
    assert len(refused) == 1
    assert "is paused already" in str(refused[0].cause)
    said = [word.partition(":")[0] for word in doubles.decisions]
    assert sorted(said[:2]) == ["fleet.pause by ana", "fleet.pause by bo"]
    assert said[2] in {"fleet.pause-refused by ana", "fleet.pause-refused by bo"}
    assert "is paused already" in doubles.decisions[2]
    assert said[3:] == ["fleet.resume by ines"]
    assert result.outcome == "delivered"
