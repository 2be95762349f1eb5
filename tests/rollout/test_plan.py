"""What a rollout refuses to do to a tenant, and what is delivered before, in and after the waves. Pure."""

from __future__ import annotations

import msgspec
import pytest

from policies.change_set import ChangeSet, diff
from policies.desired_state import DesiredState, TenantInputs, Unit
from policies.infrastructure.spec import EnvironmentSpec, FleetRules, RolloutRules
from tests.support.accepting import accepted
from tests.support.desired import desired_state, platform_unit, service_spec, service_unit, tenant_unit, unit
from workflows.cells.plan import NEVER_READ, mixed
from workflows.errors import RolloutRefused
from workflows.rollout.activity_models import Validated
from workflows.rollout.models import REFUSALS
from workflows.rollout.plan import (
    changed_services,
    check_no_recreation,
    core_changes,
    is_fleet,
    late_removals,
    summary_of,
    waves_line,
)


def changes(before: list[Unit], after: list[Unit]) -> ChangeSet:
    """From one set of units to another."""
    return diff(desired_state("test", *before), desired_state("test", *after))


def moved(tenant: Unit, namespace: str) -> Unit:
    """The tenant in another namespace."""
    assert isinstance(tenant.inputs, TenantInputs)
    return unit(tenant.id, msgspec.structs.replace(tenant.inputs, namespace=namespace))


def test_a_renamed_tenant_is_refused_with_what_it_would_lose_and_what_to_do() -> None:
    """Nothing but the message reaches the ledger, so it says everything."""
    with pytest.raises(RolloutRefused) as refused:
        check_no_recreation(changes([tenant_unit("test", "acme")], [tenant_unit("test", "acme-eu")]))

    message = str(refused.value)
    assert "tenant/acme → tenant/acme-eu" in message
    assert "deletes namespace test-acme with everything in it" in message
    assert "merge the removal, let it be delivered, then merge the new one" in message
    assert type(refused.value).__name__ in REFUSALS


def test_a_tenant_whose_namespace_changes_is_refused() -> None:
    """It keeps its name and loses everything else."""
    tenant = tenant_unit("test", "acme")

    with pytest.raises(RolloutRefused, match=r"tenant/acme \(another namespace; deletes namespace test-acme"):
        check_no_recreation(changes([tenant], [moved(tenant, "elsewhere")]))


def test_several_renames_are_counted() -> None:
    """One is named; the rest are not a page of text."""
    before = [tenant_unit("test", name, display_name=name) for name in ("a", "b", "c")]
    after = [tenant_unit("test", f"{one}-eu", display_name=one) for one in ("a", "b", "c")]

    with pytest.raises(RolloutRefused, match=r"and 2 more tenant\(s\)"):
        check_no_recreation(changes(before, after))


def test_a_removal_and_a_creation_one_after_the_other_are_not_refused() -> None:
    """The explicit way to lose what a tenant holds."""
    with accepted():
        check_no_recreation(changes([platform_unit(), tenant_unit("test", "acme")], [platform_unit()]))
        check_no_recreation(changes([platform_unit()], [platform_unit(), tenant_unit("test", "acme-eu")]))


def test_a_service_under_another_name_is_not_refused() -> None:
    """It holds nothing that its successor does not bring."""
    before = service_unit("test", service_spec("cart"))
    after = service_unit("test", service_spec("basket", image="registry.example/shop/basket"))

    with accepted():
        check_no_recreation(changes([before], [after]))


def test_services_that_go_are_not_delivered_before_the_tenants() -> None:
    """What is applied as one before the waves still holds them."""
    before = [platform_unit(), service_unit("test", service_spec("cart")), service_unit("test", service_spec("old"))]
    after = [platform_unit(checkout_enabled=False), service_unit("test", service_spec("cart", version="v2"))]
    change_set = changes(before, after)

    assert late_removals(change_set) == ["service/old"]
    assert core_changes(change_set) == ["platform", "service/cart"]
    core = mixed(desired_state("test", *before), desired_state("test", *after), core_changes(change_set))
    assert sorted(core.by_id()) == ["platform", "service/cart", "service/old"]


def test_a_service_that_stayed_although_it_is_no_longer_declared_is_found_by_the_next_resolution() -> None:
    """Its document counts as not read: else the next change of a tenant would be resolved without it."""
    base = desired_state("test", platform_unit(), service_unit())
    desired = sourced(desired_state("test", platform_unit()), "environments/test/services.yaml")

    assert mixed(base, desired, []).sources == {"environments/test/services.yaml": NEVER_READ}
    assert mixed(base, desired, ["service/cart"]).sources == desired.sources


def sourced(state: DesiredState, path: str) -> DesiredState:
    """``state`` that was read from ``path``."""
    return msgspec.structs.replace(state, sources={path: "blob"})


@pytest.mark.parametrize(("fleet", "cells", "expected"), [(None, 0, False), (None, 2, True), (FleetRules(), 0, True)])
def test_tenants_are_delivered_in_waves_where_waves_or_cells_are_declared(
    fleet: FleetRules | None, cells: int, expected: bool
) -> None:
    """Cells alone are enough."""
    rules = EnvironmentSpec(
        name="e",
        description="d",
        owner="o",
        region="r",
        namespace="n",
        rollout=RolloutRules(fleet=fleet, cells=cells),
    )

    assert is_fleet(rules) is expected


@pytest.mark.parametrize(
    ("changed", "removals", "expected"),
    [
        (15, [], "13 tenant(s) in waves"),
        (15, ["service/a"], "12 tenant(s) in waves, then 1 service(s) removed"),
        (3, ["service/a"], "1 service(s) removed"),
        (2, [], ""),
    ],
)
def test_what_is_delivered_in_waves_is_said_in_a_line(changed: int, removals: list[str], expected: str) -> None:
    """Tenants, then what goes after them; two units are delivered before."""
    state = Validated("c", None, None, "d", "b", changed, "", core_state="x", core_units=2, late_removals=removals)

    assert waves_line(state) == expected
    assert waves_line(Validated("c", None, None, "d", "b", changed, "")) == ""


def test_a_few_changes_are_named_and_many_are_counted() -> None:
    """By kind and action, in order; the platform counts as a kind of its own."""
    carts = [service_unit("test", service_spec("cart", version=version)) for version in ("v1.0.0", "v1.1.0")]
    before = [carts[0], service_unit("test", service_spec("old"))]
    after = [platform_unit(), carts[1], tenant_unit("test", "acme")]
    more = [*after, tenant_unit("test", "bolt")]

    assert summary_of(changes(before, before)) == "nothing to change"
    assert summary_of(changes(before, after)) == (
        "platform added; service/cart changed; service/old removed; tenant/acme added"
    )
    assert summary_of(changes(before, more)) == (
        "1 platform(s) added; 1 service(s) changed; 1 service(s) removed; 2 tenant(s) added"
    )
    assert changed_services(changes(before, more)) == ["cart"]
