"""The difference between two desired states, and applying it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import strategies as st

from policies.change_set import ChangeSet, ChangeSetMismatchError, FieldChange, apply, diff, field_changes
from policies.declarations import Declarations
from policies.desired_state import resolve
from policies.infrastructure.spec import SnapshotRetention
from policies.services.spec import Delivery, DeliveryStep, Port
from policies.tenancy.spec import Egress, Network
from tests.support.declared import declarations as typed
from tests.support.declared import edited
from tests.support.strategies import ENVIRONMENT, declarations, property_of

sources = st.dictionaries(st.sampled_from(["tenants/a.yaml", "tenants/b.yaml"]), st.sampled_from(["1", "2"]))
SERVICES = "environments/development/services.yaml"
COMPUTE_AGAIN = "compute the change set again from the state that is delivered now"


@property_of(declarations())
def test_the_difference_of_a_state_from_itself_is_empty(declarations: Declarations) -> None:
    """For any state: nothing to do, also when a later commit brought nothing new."""
    first = resolve(declarations, ENVIRONMENT, "c1")
    second = resolve(declarations, ENVIRONMENT, "c2", first)
    assert diff(first, first).is_empty()
    assert diff(first, second).is_empty()
    assert second.commit == "c2"


@property_of(declarations(), declarations(), sources, sources)
def test_applying_the_difference_leads_to_the_new_state(
    before: Declarations, after: Declarations, old_sources: dict[str, str], new_sources: dict[str, str]
) -> None:
    """For any two states of which the later was resolved after the earlier: apply(diff(a, b), a) is b."""
    first = resolve(before, ENVIRONMENT, "c1", sources=old_sources)
    second = resolve(after, ENVIRONMENT, "c2", first, sources=new_sources)
    result = apply(diff(first, second), first)
    assert result == second
    assert msgspec.json.encode(result, order="deterministic") == msgspec.json.encode(second, order="deterministic")


@property_of(declarations(), sources)
def test_the_first_delivery_adds_everything(after: Declarations, new_sources: dict[str, str]) -> None:
    """For any state: from nothing, every unit is added."""
    state = resolve(after, ENVIRONMENT, "c1", sources=new_sources)
    change_set = diff(None, state)
    assert {change.action for change in change_set.changes} == {"add"}
    assert apply(change_set, None) == state


@property_of(declarations(), declarations())
def test_there_and_back_again(before: Declarations, after: Declarations) -> None:
    """For any two states: what one difference changes, the opposite one restores."""
    first = resolve(before, ENVIRONMENT, "c1")
    second = resolve(after, ENVIRONMENT, "c2", first)
    assert apply(diff(second, first), second) == first


@property_of(declarations(), declarations())
def test_a_change_set_names_exactly_what_differs_in_order(before: Declarations, after: Declarations) -> None:
    """For any two states: ids ascend, and a changed unit has another digest and at least one field that says why."""
    first = resolve(before, ENVIRONMENT, "c1")
    second = resolve(after, ENVIRONMENT, "c2", first)
    change_set = diff(first, second)
    ids = [change.unit for change in change_set.changes]
    assert ids == sorted(set(ids))
    old, new = first.by_id(), second.by_id()
    assert set(ids) == {
        id_ for id_ in old.keys() | new.keys() if id_ not in old or id_ not in new or old[id_].digest != new[id_].digest
    }
    for change in change_set.changes:
        paths = [field.path for field in change.fields]
        assert paths == sorted(set(paths))
        assert bool(change.fields) is (change.action == "change")
        assert all(field.before != field.after for field in change.fields)


@property_of(declarations(), declarations())
def test_a_change_set_survives_being_written_and_read(before: Declarations, after: Declarations) -> None:
    """For any two states: JSON and back is the same change set."""
    first = resolve(before, ENVIRONMENT, "c1")
    change_set = diff(first, resolve(after, ENVIRONMENT, "c2", first))
    assert msgspec.json.decode(msgspec.json.encode(change_set), type=ChangeSet) == change_set


def base(edits: Mapping[str, Mapping[str, object]] | None = None) -> Declarations:
    """The base declarations of the case files, edited."""
    return typed(edited(edits or {}))


def changed_fields(edits: dict[str, dict[str, object]], environment: str = "development") -> dict[str, list[object]]:
    """Unit → (path, before, after) of what ``edits`` of the base change."""
    first = resolve(base(), environment, "c1")
    change_set = diff(first, resolve(base(edits), environment, "c2", first))
    return {
        change.unit: [(field.path, field.before, field.after) for field in change.fields]
        for change in change_set.changes
    }


def test_a_raised_version_is_one_field_of_one_unit() -> None:
    """Given another version of the frontend, nothing else is named."""
    assert changed_fields({SERVICES: {"services[0].version": "v1.3.0"}}) == {
        "service/frontend": [("service.version", '"v1.2.0"', '"v1.3.0"')]
    }


def test_things_with_a_name_are_matched_by_it() -> None:
    """Given a port put before another, the old one is not named; the new one's leaves have its name."""
    ports = [{"name": "admin", "port": 81}, {"name": "http", "port": 80, "target_port": 8080}]
    changes = changed_fields({SERVICES: {"services[0].ports": [*ports, {"name": "metrics", "port": 9090}]}})
    assert changes["service/frontend"] == [
        ("service.ports[admin].name", None, '"admin"'),
        ("service.ports[admin].port", None, "81"),
        ("service.ports[admin].target_port", None, "81"),
    ]


def test_a_changed_port_is_felt_by_the_tenants_that_reach_it() -> None:
    """Given another port of the frontend, the network policy of the tenant that calls it changes too."""
    changes = changed_fields({SERVICES: {"services[0].ports[0].target_port": 8081}})
    assert changes == {
        "service/frontend": [("service.ports[http].target_port", "8080", "8081")],
        "tenant/acme": [("service_ports.frontend", "[8080,9090]", "[8081,9090]")],
    }


def test_a_changed_flag_belongs_to_the_platform() -> None:
    """Given a flag that is switched off, the platform changes and no service does."""
    changes = changed_fields({"environments/development/flags.yaml": {"flags[0].enabled": False}})
    assert changes == {"platform": [("flags[express-checkout].enabled", "true", "false")]}


def test_what_was_left_out_before_is_shown_with_its_default() -> None:
    """Given encryption that is switched off, the change says that it was on."""
    changes = changed_fields({"tenants/acme.yaml": {"compliance": {"encryption_at_rest": False}}})
    assert changes == {"tenant/acme": [("compliance.encryption_at_rest", "true", "false")]}


def test_a_key_that_would_be_mistaken_for_a_path_is_quoted() -> None:
    """Given a key with a dot, its path tells it from two keys."""
    before, after = {"a": {"b": 1}}, {"a.b": 1}
    assert [change.path for change in field_changes(before, after)] == ['["a.b"]', "a.b"]


def test_ways_out_are_matched_by_where_they_lead() -> None:
    """Given two rules in another order, nothing differs but what does."""
    one, other = Egress(cidr="192.0.2.0/24", port=443, reason="a"), Egress(cidr="192.0.2.0/24", port=80, reason="b")
    changed = Egress(cidr="192.0.2.0/24", port=443, reason="c")
    changes = field_changes(Network(egress=(one, other)), Network(egress=(other, changed)))
    assert [(change.path, change.after) for change in changes] == [("egress[192.0.2.0/24:443].reason", '"c"')]


def test_a_port_that_appears_has_only_the_leaves_that_are_set() -> None:
    """Given a thing without an optional field, no leaf is made up for it."""
    changes = field_changes(Port(name="a", port=1), Port(name="a", port=1, target_port=2))
    assert [(change.path, change.before, change.after) for change in changes] == [("target_port", None, "2")]


def test_what_only_the_engine_reads_is_no_change_of_a_unit() -> None:
    """Given other rules for snapshots, no unit would render differently, so there is nothing to roll out."""
    changed = base({"environments/development/environment.yaml": {"snapshots": {"keep_last": 99}}})
    assert changed.environments["development"].environment.snapshots == SnapshotRetention(keep_last=99)
    first = resolve(base(), "development", "c1")
    assert diff(first, resolve(changed, "development", "c2", first)).is_empty()


def test_a_change_set_is_refused_by_a_state_of_another_commit() -> None:
    """Given a state that moved on meanwhile, the change set says so instead of overwriting."""
    first = resolve(base(), "development", "c1")
    change_set = diff(first, resolve(base(), "development", "c2", first))
    with pytest.raises(ChangeSetMismatchError, match="starts from development at c1") as refused:
        apply(change_set, resolve(base(), "development", "c3"))
    assert refused.value.next_step == COMPUTE_AGAIN
    with pytest.raises(ChangeSetMismatchError, match="starts from development at c1, the state is nothing"):
        apply(change_set, None)


def test_a_change_set_is_refused_by_a_state_with_other_units() -> None:
    """Given the same commit but another unit than expected, it is refused by that unit's name."""
    changed = base({SERVICES: {"services[0].version": "v9"}})
    first = resolve(base(), "development", "c1")
    change_set = diff(first, resolve(changed, "development", "c2", first))
    with pytest.raises(ChangeSetMismatchError, match="service/frontend") as refused:
        apply(change_set, resolve(changed, "development", "c1"))
    assert refused.value.next_step == COMPUTE_AGAIN


def test_states_of_two_environments_have_no_difference_that_means_anything() -> None:
    """Given development and production, comparing them is refused."""
    with pytest.raises(ChangeSetMismatchError, match="development at c1 and production at c2 cannot be") as refused:
        diff(resolve(base(), "development", "c1"), resolve(base(), "production", "c2"))
    assert refused.value.next_step == "compare two commits of the same environment"


def test_another_number_of_cells_is_carried_over() -> None:
    """Given cells in the later state alone, the change set leads to them, and back."""
    first = resolve(base(), "development", "c1")
    second = msgspec.structs.replace(first, commit="c2", cells=3)

    assert apply(diff(first, second), first).cells == 3
    assert apply(diff(second, first), second).cells == 0


def test_things_without_a_name_are_matched_by_their_place() -> None:
    """Given steps of which the second changes, the first is not named."""
    one, two, other = (DeliveryStep(weight_percent=weight, bake_seconds=60) for weight in (5, 50, 60))
    before, after = (Delivery(strategy="canary", gateway="caddy", steps=(one, last)) for last in (two, other))

    assert field_changes(before, after) == (FieldChange("steps[1].weight_percent", "50", "60"),)
