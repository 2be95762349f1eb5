"""What the fleet's activities make of what is declared, and what they are known by. Pure."""

from __future__ import annotations

from dataclasses import replace as with_other
from typing import Any

import msgspec
from temporalio.testing import ActivityEnvironment

from policies.infrastructure.spec import EnvironmentSpec, FleetRules, RolloutRules
from tests.support.desired import desired_state, platform_unit, tenant_unit
from workflows.fleet.activities import fleet_plan, frozen_states, gates_key
from workflows.fleet.durable import GatesRequest

STAGING = "staging"
GATES = GatesRequest(STAGING, "adx-rollout-1", "desired", "delivery", "2", is_after_bake=False)


def state(*units: Any, commit: str = "a" * 40) -> Any:
    """One of the sample platform and these units."""
    return msgspec.structs.replace(desired_state(STAGING, platform_unit(STAGING), *units), commit=commit)


def test_roles_stand_in_the_plan_for_the_people_who_have_them() -> None:
    """As they are when the rollout begins."""
    rules = EnvironmentSpec(
        name=STAGING,
        description="",
        owner="team",
        region="eu-west-1",
        namespace="shop",
        rollout=RolloutRules(fleet=FleetRules(approvers=("role:release-manager", "ana"))),
        roles={"release-manager": ("ines.keller", "ana")},
    )

    limits = fleet_plan(state(), state(tenant_unit(STAGING)), rules).state.limits

    assert limits.approvers == ["ines.keller", "ana"]
    assert limits.roles == {"ines.keller": "release-manager"}


def test_gates_are_checked_anew_in_each_run_of_the_workflow_and_once_however_often_they_are_tried() -> None:
    """The ids of activities begin again with each run: an answer of an earlier run must not count for a later check."""
    first = ActivityEnvironment.default_info()
    again = with_other(first, attempt=2)
    later_run = with_other(first, workflow_run_id="another-run")
    other_check = with_other(first, activity_id="17")
    keys = [gates_key(GATES, info).idempotency_key for info in (first, again, later_run, other_check)]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_a_unit_that_is_lost_is_frozen_as_what_it_was_before() -> None:
    """Its reason is kept; one that was to be added was nothing before."""
    older, newer = tenant_unit(STAGING), tenant_unit(STAGING, display_name="Another name")
    added = msgspec.structs.replace(newer, id="tenant/added", commit="b" * 40)

    told = frozen_states(state(older), state(newer, added), [older.id, added.id, "tenant/unknown"], "no worker lives")

    assert {one.status for one in told} == {"frozen"}
    assert {one.reason for one in told} == {"no worker lives"}
    assert [(one.unit, one.digest, one.commit) for one in told] == [
        (older.id, older.digest, older.commit),
        (added.id, None, "b" * 40),
        ("tenant/unknown", None, "a" * 40),
    ]
