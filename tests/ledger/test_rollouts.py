"""Rollouts, steps, units and the query functions over them."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.ledger.conftest import COMMIT, new_rollout
from workflows.ledger import Ledger, audit, environments, fencing, quarantine, rollouts, steps, units
from workflows.ledger.errors import LedgerConflict, RolloutNotFound
from workflows.ledger.history import delivered_before, history, show, succeeded_in
from workflows.ledger.models import Rollout
from workflows.ledger.units import UnitState


async def test_a_rollout_is_started_once(ledger: Ledger) -> None:
    first = await rollouts.start(ledger, new_rollout())
    again = await rollouts.start(ledger, new_rollout())

    assert again == first
    assert first.status == "running"
    assert first.finished_at is None
    assert await rollouts.unfinished(ledger, "staging") == (first,)


async def test_an_id_that_belongs_to_another_commit_is_a_conflict(ledger: Ledger, rollout: Rollout) -> None:
    with pytest.raises(LedgerConflict, match=COMMIT):
        await rollouts.start(ledger, new_rollout(rollout.id, commit="beef"))


async def test_a_stranger_with_a_newline_in_the_name_does_not_stop_the_rollout(ledger: Ledger) -> None:
    started = await rollouts.start(ledger, msgspec.structs.replace(new_rollout(), requested_by="eve\nroot"))

    assert started.requested_by == "eve\\u000aroot"


async def test_what_a_rollout_learns_is_added_and_the_rest_stays(ledger: Ledger, rollout: Rollout) -> None:
    await rollouts.describe(ledger, rollout.id, change_set={"changes": 2}, base_commit="base")
    described = await rollouts.describe(ledger, rollout.id, plan_digest="p1", status="waiting-for-approval")

    assert described.change_set == {"changes": 2}
    assert described.base_commit == "base"
    assert described.plan_digest == "p1"
    assert described.status == "waiting-for-approval"


async def test_an_end_is_written_once_and_another_end_is_a_conflict(ledger: Ledger, rollout: Rollout) -> None:
    ended = await rollouts.finish(ledger, rollout.id, "restored", failure={"step": "deploy"}, restore_verified=True)
    again = await rollouts.finish(ledger, rollout.id, "restored", failure={"step": "deploy"}, restore_verified=True)

    assert again == ended
    assert ended.failure == {"step": "deploy"}
    with pytest.raises(LedgerConflict, match="restored"):
        await rollouts.finish(ledger, rollout.id, "delivered")


async def test_what_an_operator_repaired_may_still_end_well(ledger: Ledger, rollout: Rollout) -> None:
    await rollouts.finish(ledger, rollout.id, "needs-operator", restore_verified=False)

    assert (await rollouts.finish(ledger, rollout.id, "restored", restore_verified=True)).restore_verified


async def test_an_unknown_rollout_is_not_found(ledger: Ledger) -> None:
    for question in (rollouts.find, show, rollouts.describe):
        with pytest.raises(RolloutNotFound) as caught:
            await question(ledger, "nobody")
        assert caught.value.exit_code == 6
    with pytest.raises(RolloutNotFound):
        await steps.begin(ledger, "nobody", "apply")


async def test_start_and_end_are_in_the_audit_trail(ledger: Ledger, rollout: Rollout) -> None:
    await rollouts.finish(ledger, rollout.id, "delivered")

    newest, oldest = await audit.entries(ledger, environment="staging")
    assert (oldest.action, oldest.actor, oldest.source, oldest.commit) == ("rollout.started", "ada", "cli", COMMIT)
    assert newest.action == "rollout.delivered"


async def test_steps_are_numbered_in_the_order_they_begin(ledger: Ledger, rollout: Rollout) -> None:
    for name in ("validate", "snapshot", "plan"):
        await steps.begin(ledger, rollout.id, name)
    await steps.begin(ledger, rollout.id, "apply", unit="service/cart")

    found = await steps.steps_of(ledger, rollout.id)
    assert [(step.sequence, step.name, step.unit) for step in found] == [
        (1, "validate", None),
        (2, "snapshot", None),
        (3, "plan", None),
        (4, "apply", "service/cart"),
    ]


async def test_steps_that_begin_at_once_get_different_numbers(ledger: Ledger, rollout: Rollout) -> None:
    names = [f"service/{number}" for number in range(10)]
    begun = await asyncio.gather(*(steps.begin(ledger, rollout.id, "apply", unit=name) for name in names))

    assert sorted(step.sequence for step in begun) == list(range(1, 11))


async def test_a_failed_step_that_begins_again_is_another_attempt(ledger: Ledger, rollout: Rollout) -> None:
    await steps.begin(ledger, rollout.id, "apply")
    await steps.finish(ledger, rollout.id, "apply", "failed", detail={"message": "timeout"})

    again = await steps.begin(ledger, rollout.id, "apply")

    assert (again.status, again.attempts, again.sequence, again.finished_at) == ("running", 2, 1, None)


async def test_a_late_worker_cannot_unmake_a_success(ledger: Ledger, rollout: Rollout) -> None:
    await steps.begin(ledger, rollout.id, "apply")
    await steps.finish(ledger, rollout.id, "apply", "succeeded")

    assert (await steps.finish(ledger, rollout.id, "apply", "failed")).status == "succeeded"


async def test_a_unit_has_a_last_state_and_one_in_each_rollout(ledger: Ledger) -> None:
    for number in (1, 2):
        await rollouts.start(ledger, new_rollout(f"rollout-{number}"))
        token = await fencing.acquire(ledger, "staging", f"rollout-{number}")
        await units.record(ledger, "staging", f"rollout-{number}", [_state(f"d{number}")], fencing_token=token)

    last = await units.find(ledger, "staging", "tenant/acme")
    assert last is not None
    assert (last.digest, last.rollout_id, last.fencing_token) == ("d2", "rollout-2", 2)
    assert (await show(ledger, "rollout-1")).units[0].digest == "d1"


async def test_a_state_written_again_keeps_its_time(ledger: Ledger, rollout: Rollout) -> None:
    token = await fencing.acquire(ledger, "staging", rollout.id)
    await units.record(ledger, "staging", rollout.id, [_state("d1")], fencing_token=token)
    before = await units.units_of(ledger, "staging")

    await units.record(ledger, "staging", rollout.id, [_state("d1")], fencing_token=token)

    assert await units.units_of(ledger, "staging") == before


async def test_thousands_of_units_are_written_in_one_transaction(ledger: Ledger, rollout: Rollout) -> None:
    token = await fencing.acquire(ledger, "staging", rollout.id)
    states = [_state("d1", unit=f"tenant/t{number}") for number in range(2500)]

    await units.record(ledger, "staging", rollout.id, states, fencing_token=token)

    assert len(await units.units_of(ledger, "staging")) == 2500


async def test_history_is_newest_first_with_steps_and_units(ledger: Ledger) -> None:
    await _three_rollouts(ledger)

    found = await history(ledger, "staging")

    assert [entry.rollout.id for entry in found] == ["rollout-3", "rollout-2", "rollout-1"]
    assert found[0].steps[0].name == "validate"
    assert found[2].units[0].unit == "tenant/acme"
    assert await history(ledger, "production") == ()


async def test_history_keeps_only_rollouts_that_touched_a_unit(ledger: Ledger) -> None:
    await _three_rollouts(ledger)

    by_tenant = await history(ledger, "staging", unit="tenant/acme")
    by_unit = await history(ledger, "staging", unit="service/cart")

    assert [entry.rollout.id for entry in by_tenant] == ["rollout-1"]
    assert [entry.rollout.id for entry in by_unit] == ["rollout-2"]


async def test_a_step_succeeded_in_a_rollout_when_it_did_for_the_whole(ledger: Ledger) -> None:
    """Not for one unit, not another step, not in a rollout that was not asked about."""
    await _three_rollouts(ledger)
    await steps.finish(ledger, "rollout-1", "test", "succeeded")
    await steps.finish(ledger, "rollout-2", "test", "failed")
    await steps.finish(ledger, "rollout-2", "test", "succeeded", unit="service/cart")
    await steps.finish(ledger, "rollout-2", "validate", "succeeded")
    await steps.finish(ledger, "rollout-3", "test", "succeeded")

    assert await succeeded_in(ledger, "test", ["rollout-1", "rollout-2"]) == {"rollout-1"}
    assert await succeeded_in(ledger, "test", []) == frozenset()


async def test_history_is_read_page_by_page(ledger: Ledger) -> None:
    await _three_rollouts(ledger)

    first = await history(ledger, "staging", limit=2)
    second = await history(ledger, "staging", limit=2, before=first[-1].rollout.started_at)

    assert [entry.rollout.id for entry in (*first, *second)] == ["rollout-3", "rollout-2", "rollout-1"]


async def test_the_newest_rollouts_come_first_and_others_are_left_out(ledger: Ledger) -> None:
    await _three_rollouts(ledger)
    await rollouts.start(ledger, new_rollout("elsewhere", environment="production"))

    found = await rollouts.newest(ledger, "staging", limit=2)

    assert [rollout.id for rollout in found] == ["rollout-3", "rollout-2"]


async def test_the_commit_to_roll_back_to_is_the_last_delivered_one_that_is_not_quarantined(ledger: Ledger) -> None:
    for number, commit in enumerate(("good", "bad", "now"), start=1):
        await rollouts.start(ledger, new_rollout(f"rollout-{number}", commit=commit))
        await rollouts.finish(ledger, f"rollout-{number}", "delivered")
    assert (await delivered_before(ledger, "staging", "now")).commit == "bad"  # type: ignore[union-attr] # seen above

    await quarantine.add(ledger, "staging", "bad", reason="slow", rollout_id="rollout-2")

    found = await delivered_before(ledger, "staging", "now")
    assert found is not None
    assert found.commit == "good"
    assert await delivered_before(ledger, "production", None) is None


async def test_a_delivery_without_a_new_snapshot_keeps_the_last_good_one(ledger: Ledger) -> None:
    token = await fencing.acquire(ledger, "staging", "rollout-1")
    for snapshot in ("n1", None):
        found = await environments.record_delivered(
            ledger, "staging", commit=COMMIT, state_digest="s1", snapshot=snapshot, fencing_token=token
        )

    assert found.last_good_snapshot == "n1"
    assert await environments.all_environments(ledger) == (found,)


async def test_a_frozen_environment_keeps_its_first_reason_until_an_operator_unfreezes(ledger: Ledger) -> None:
    await environments.freeze(ledger, "staging", reason="restore failed", rollout_id="rollout-1")
    await environments.freeze(ledger, "staging", reason="and again", rollout_id="rollout-1")
    frozen = await environments.find(ledger, "staging")

    assert frozen is not None
    assert frozen.frozen_reason == "restore failed"
    assert await environments.unfreeze(ledger, "staging", actor="ada", source="cli")
    assert not await environments.unfreeze(ledger, "staging", actor="ada", source="cli")
    await environments.freeze(ledger, "staging", reason="once more", rollout_id="rollout-1")
    actions = [entry.action for entry in await audit.entries(ledger)]
    assert actions == ["environment.frozen", "environment.unfrozen", "environment.frozen"]


async def test_a_quarantined_commit_stays_so_until_a_person_lifts_it(ledger: Ledger) -> None:
    await quarantine.add(ledger, "staging", COMMIT, reason="pods crash", rollout_id="rollout-1")
    again = await quarantine.add(ledger, "staging", COMMIT, reason="another", rollout_id="rollout-2")

    assert again.reason == "pods crash"
    assert await quarantine.find(ledger, "production", COMMIT) is None
    assert await quarantine.commits_of(ledger, "staging") == (again,)
    assert await quarantine.lift(ledger, "staging", COMMIT, actor="ada", source="cli")
    assert not await quarantine.lift(ledger, "staging", COMMIT, actor="ada", source="cli")
    assert await quarantine.find(ledger, "staging", COMMIT) is None
    actions = [entry.action for entry in await audit.entries(ledger)]
    assert actions == ["quarantine.lifted", "commit.quarantined"]


def _state(digest: str, *, unit: str = "tenant/acme") -> UnitState:
    return UnitState(unit=unit, status="applied", digest=digest, commit=COMMIT)


async def _three_rollouts(ledger: Ledger) -> None:
    """The first touches a tenant, the second a service by a step, the third nothing."""
    for number in (1, 2, 3):
        await rollouts.start(ledger, new_rollout(f"rollout-{number}"))
        await steps.begin(ledger, f"rollout-{number}", "validate")
    token = await fencing.acquire(ledger, "staging", "rollout-1")
    await units.record(ledger, "staging", "rollout-1", [_state("d1")], fencing_token=token)
    await steps.begin(ledger, "rollout-2", "apply", unit="service/cart")
