"""A plan's digest covers what a reviewer saw, and nothing that a merge changes by itself."""

from __future__ import annotations

import msgspec
import pytest

from infra.binding import PlanBinding, binding_of, differences
from infra.engine.plan import Action, Plan, ResourceChange, plan_of
from policies.change_set import FieldChange
from policies.desired_state import DesiredState
from tests.support.desired import desired_state, platform_unit, service_spec, service_unit, tenant_unit

ENVIRONMENT = "staging"
OTHERWISE = "kubernetes:apps/v1:Deployment service/cart/cart: to be done otherwise"
LABEL = FieldChange(path="metadata.labels.adx/commit", before='"a"', after='"b"')
REPLICAS = FieldChange(path="spec.replicas", before="2", after="3")


def before() -> DesiredState:
    """What is delivered."""
    return desired_state(ENVIRONMENT)


def after(**changes: object) -> DesiredState:
    """One service changed."""
    return desired_state(
        ENVIRONMENT,
        platform_unit(ENVIRONMENT),
        service_unit(ENVIRONMENT, service_spec(**{"replicas": 3, **changes}), LOG_LEVEL="info"),
        tenant_unit(ENVIRONMENT),
    )


def plan(*fields: FieldChange, action: Action = "update") -> Plan:
    """A plan with one Deployment in it."""
    change = ResourceChange(
        urn="urn:cart", type="kubernetes:apps/v1:Deployment", name="service/cart/cart", action=action,
        unit="service/cart", fields=fields,
    )  # fmt: skip
    return plan_of([change], same=10)


def bound(state: DesiredState, made: Plan | None = None, base: DesiredState | None = None) -> PlanBinding:
    """The binding of a plan to ``state``."""
    return binding_of(base or before(), state, made or plan(REPLICAS, LABEL))


def test_the_same_plan_under_another_commit_has_the_same_digest() -> None:
    """Given the id that the merge makes, which nobody could know in the review, the digest stays."""
    reviewed = after()
    units = tuple(msgspec.structs.replace(unit, commit="f" * 40) for unit in reviewed.units)
    merged = msgspec.structs.replace(reviewed, commit="f" * 40, units=units)
    relabelled = plan(REPLICAS, msgspec.structs.replace(LABEL, after='"f"'))

    assert bound(merged, relabelled).digest == bound(reviewed).digest
    assert differences(bound(reviewed), bound(merged, relabelled)) == ()


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (bound(after(version="v9.9.9")), ("service/cart: declared otherwise", "service/cart: rendered otherwise")),
        (bound(after(), base=after(replicas=5)), ("service/cart: delivered meanwhile",)),
        (bound(after(), plan(REPLICAS, action="replace")), (OTHERWISE,)),
        (bound(after(), plan(msgspec.structs.replace(REPLICAS, before="7"))), (OTHERWISE,)),
        (bound(after(), plan_of([], same=11)), (OTHERWISE,)),
    ],
    ids=["inputs", "base", "replaced", "from another value", "nothing left to do"],
)  # fmt: skip
def test_whatever_moves_changes_the_digest_and_is_named(now: PlanBinding, expected: tuple[str, ...]) -> None:
    """Base state, inputs, rendered objects and actions are all covered."""
    reviewed = bound(after())

    assert now.digest != reviewed.digest
    assert differences(reviewed, now) == expected


def test_objects_that_only_get_a_newer_commit_do_not_count() -> None:
    """They are updated by every merge."""
    assert bound(after(), plan(LABEL)).actions == {}


def test_the_first_delivery_of_an_environment_can_be_bound_too() -> None:
    """Nothing is delivered, every unit is rendered."""
    binding = binding_of(None, before(), plan(action="create"))

    assert binding.base == {}
    assert set(binding.rendered) == {"platform", "service/cart", "tenant/acme"}


def test_a_binding_survives_its_way_through_json() -> None:
    """It is kept in the ledger as JSON."""
    binding = bound(after())

    assert msgspec.convert(msgspec.to_builtins(binding), PlanBinding) == binding


def test_many_differences_are_counted_not_listed() -> None:
    """A message stays readable."""
    many = msgspec.structs.replace(bound(after()), inputs={f"tenant/t{number}": "x" for number in range(100)})

    lines = differences(bound(after()), many)

    assert len(lines) == 13
    assert lines[-1].startswith("and ")
