"""What a cell is fed, whom an error belongs to, and what counts as delivered. Pure."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.errors import Diagnostic
from infra.render import render_unit
from policies.desired_state import DesiredState, Unit
from policies.placement import cell_stack, environment_of, part_of, stack_of, stacks_of
from tests.support.accepting import accepted
from tests.support.desired import desired_state, platform_unit, service_unit, tenant_unit
from workflows.cells.plan import (
    NEVER_READ,
    cell_inputs,
    check_placement,
    failures_by_unit,
    mixed,
    standing,
    unverified,
)
from workflows.errors import RolloutRefused

ENVIRONMENT = "staging"
BOTH = ["tenant/a", "tenant/b"]
NAMES = [f"t{number}" for number in range(40)]


def renamed(unit: Unit, name: str) -> Unit:
    """The sample tenant under another name."""
    inputs = msgspec.structs.replace(unit.inputs, name=name, namespace=f"{ENVIRONMENT}-tenant-{name}")
    return msgspec.structs.replace(unit, id=f"tenant/{name}", inputs=inputs, digest=f"{name}-{unit.digest}")


def fleet(names: list[str], *, cells: int = 0, commit: str = "a" * 40, **changes: object) -> DesiredState:
    """A state with these tenants; ``changes`` of their inputs make them another version."""
    tenants = [renamed(tenant_unit(ENVIRONMENT, **changes), name) for name in names]  # type: ignore[arg-type] # test data
    state = desired_state(
        ENVIRONMENT, platform_unit(ENVIRONMENT), service_unit(ENVIRONMENT, LOG_LEVEL="info"), *tenants
    )
    units = tuple(sorted(state.units, key=lambda unit: unit.id))
    sources = {f"tenants/{name}.yaml": f"blob-{name}" for name in names}
    return msgspec.structs.replace(state, units=units, cells=cells, commit=commit, sources=sources)


def test_every_unit_lives_in_exactly_one_stack_and_tenants_spread_over_the_cells() -> None:
    """The platform and the services stay in the environment's own stack."""
    state = fleet(NAMES, cells=5)

    parts = [part_of(state, stack) for stack in stacks_of(state)]

    assert sorted(unit.id for part in parts for unit in part.units) == [unit.id for unit in state.units]
    assert [unit.id for unit in parts[0].units] == ["platform", "service/cart"]
    assert stacks_of(state) == (ENVIRONMENT, *(cell_stack(ENVIRONMENT, number) for number in range(1, 6)))
    assert {environment_of(stack) for stack in stacks_of(state)} == {ENVIRONMENT}


def test_a_tenant_stays_in_its_cell_for_good() -> None:
    """By its name alone: another answer than yesterday's would delete it in one stack and create it in another."""
    found = [stack_of(f"tenant/{name}", "production", 10) for name in ("acme", "bolt", "corp", "tenant/acme")]

    assert found == ["production.cell-003", "production.cell-002", "production.cell-002", "production.cell-008"]


def test_without_cells_everything_lives_in_the_environments_own_stack() -> None:
    """As it was before there were cells."""
    state = fleet(NAMES)

    assert stacks_of(state) == (ENVIRONMENT,)
    assert part_of(state, ENVIRONMENT) == state


@given(st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)), st.sets(st.sampled_from(NAMES)))
def test_a_mixture_has_the_new_version_of_exactly_the_renewed_units(
    old: set[str], new: set[str], renewed: set[str]
) -> None:
    """Added, changed, removed or untouched: each tenant is as asked, whatever the others are."""
    base, desired = fleet(sorted(old)), fleet(sorted(new), service_ports={"cart": (1,)})
    ids = {f"tenant/{name}" for name in renewed}

    found = mixed(base, desired, ids).by_id()

    for name in NAMES:
        id_ = f"tenant/{name}"
        expected = desired.by_id().get(id_) if id_ in ids else base.by_id().get(id_)
        assert found.get(id_) == expected
    assert list(found) == sorted(found)


def test_a_tenant_that_lags_behind_counts_as_not_read() -> None:
    """Otherwise the next resolution, which reads only what changed, would take it for settled for ever."""
    base, desired = fleet(["a", "b", "gone"]), fleet(["a", "b"], service_ports={"cart": (1,)})

    sources = mixed(base, desired, {"tenant/a", "platform", "service/cart"}).sources

    assert sources == {
        "tenants/a.yaml": "blob-a",
        "tenants/b.yaml": NEVER_READ,
        "tenants/gone.yaml": NEVER_READ,
    }


def test_a_cell_is_fed_its_own_tenants_alone() -> None:
    """Of two tenants that are renewed, only the one that lives there is in it; its neighbours are as they were."""
    base, desired = fleet(NAMES, cells=5), fleet(NAMES, cells=5, service_ports={"cart": (1,)})
    stack = stack_of("tenant/t1", ENVIRONMENT, 5)

    found = cell_inputs(base, desired, {"tenant/t1", "tenant/t2"}, stack).by_id()

    assert found["tenant/t1"] == desired.by_id()["tenant/t1"]
    neighbours = [id_ for id_ in found if id_ not in {"tenant/t1", "tenant/t2"}]
    assert neighbours
    assert all(found[id_] == base.by_id()[id_] for id_ in neighbours)


@pytest.mark.parametrize(("before", "after"), [(2, 5), (0, 3), (3, 0)])
def test_moving_delivered_tenants_is_refused(before: int, after: int) -> None:
    """A move would delete them in one stack and create them in another."""
    with pytest.raises(
        RolloutRefused, match=rf"from {before} to {after}: \d+ delivered tenant\(s\) .* tenant/t"
    ) as refused:
        check_placement(fleet(NAMES, cells=before), fleet(NAMES, cells=after))

    assert refused.value.next_step == f"keep rollout.cells at {before}"


def test_cells_may_be_declared_while_no_tenant_is_delivered() -> None:
    """Nothing would have to move."""
    with accepted():
        check_placement(None, fleet(NAMES, cells=3))
        check_placement(fleet([]), fleet(NAMES, cells=3))


def diagnostic(urn: str, message: str = "exceeded quota") -> Diagnostic:
    """An error of the engine."""
    return Diagnostic(urn=urn, severity="error", message=message)


URN = "urn:pulumi:staging.cell-001::adx::kubernetes:core/v1:ResourceQuota::"


@pytest.mark.parametrize(
    ("diagnostics", "expected"),
    [
        ([diagnostic(f"{URN}tenant/a/tenant-quota")], {"tenant/a": "exceeded quota"}),
        ([diagnostic(f"{URN}tenant/neighbour/tenant-quota")], {}),
        ([diagnostic("", "cannot reach\n the cluster")], dict.fromkeys(BOTH, "cannot reach the cluster")),
        ([], dict.fromkeys(BOTH, "the engine failed without saying why")),
    ],
    ids=["own", "of a neighbour", "of nobody", "none"],
)  # fmt: skip
def test_an_error_is_told_at_the_units_that_it_concerns(
    diagnostics: list[Diagnostic], expected: dict[str, str]
) -> None:
    """A neighbour's trouble is not ours; trouble of the whole operation is everybody's."""
    assert failures_by_unit(diagnostics, BOTH) == expected


def live(unit: Unit) -> list[dict[str, object]]:
    """The objects of the unit as an API server would list them."""
    return [dict(body) for body in render_unit(unit)]


def test_a_unit_is_delivered_when_exactly_its_objects_are_there_in_its_version() -> None:
    """Missing, too many, of another version, or on their way out: each is told."""
    unit = tenant_unit(ENVIRONMENT)
    newer = msgspec.structs.replace(unit, digest="f" * 64)
    objects = live(unit)
    extra = {"kind": "ConfigMap", "metadata": {**objects[1]["metadata"], "name": "more"}}  # type: ignore[dict-item] # test data
    leaving = [
        {**one, "metadata": {**one["metadata"], "deletionTimestamp": "now"}}  # type: ignore[dict-item] # test data
        for one in objects[:1]
    ]

    assert unverified({unit.id: unit}, objects) == {}
    assert unverified({unit.id: unit}, objects[1:])[unit.id].endswith("is missing")
    assert unverified({unit.id: unit}, [*objects, extra])[unit.id] == "ConfigMap/staging-acme/more is still there"
    assert unverified({unit.id: newer}, objects)[unit.id].endswith("is not what was declared")
    assert unverified({unit.id: unit}, [*leaving, *objects[1:]])[unit.id].endswith("is not what was declared")


@pytest.mark.parametrize("position", range(1, len(render_unit(tenant_unit(ENVIRONMENT)))))
def test_every_object_in_the_namespace_is_compared_by_its_content(position: int) -> None:
    """One that still says what it said before is noticed, although the namespace is new already."""
    unit = tenant_unit(ENVIRONMENT)
    objects = live(unit)
    labels = objects[position]["metadata"]["labels"]  # type: ignore[index] # as the API server gives it
    labels["adx/content"] = "0" * 12

    assert unverified({unit.id: unit}, objects)[unit.id].endswith("is not what was declared")


def test_a_unit_stands_while_its_namespace_does() -> None:
    """Whatever else is there; one that is being deleted no longer stands."""
    acme, other = (live(renamed(tenant_unit(ENVIRONMENT), name)) for name in ("acme", "other"))
    (namespace,) = (one for one in other if one["kind"] == "Namespace")
    going = {**namespace, "metadata": {**namespace["metadata"], "deletionTimestamp": "now"}}  # type: ignore[dict-item] # test data

    assert standing([*acme, *(one for one in other if one is not namespace)]) == {"tenant/acme"}
    assert standing([going, *acme, *other]) == {"tenant/acme", "tenant/other"}
    assert standing([going]) == set()


def test_a_removed_unit_is_delivered_when_nothing_of_it_is_left() -> None:
    """Also a namespace that is still being emptied is something."""
    unit = tenant_unit(ENVIRONMENT)

    assert unverified({unit.id: None}, []) == {}
    assert "object(s) are still there" in unverified({unit.id: None}, live(unit))[unit.id]
