"""What was gathered about an environment becomes its report."""

from __future__ import annotations

import msgspec
import pytest

from infra.engine.plan import ResourceChange, plan_of
from pipelines.preview.build import environment_report
from policies.change_set import FieldChange
from policies.infrastructure.spec import Approval, EnvironmentSpec
from tests.preview import examples
from tests.preview.examples import changed, shop, state
from tests.preview.plans import plan_between
from tests.support.desired import service_spec, tenant_unit


def test_only_what_differs_in_meaning_is_a_row() -> None:
    """Objects that get only another revision label are counted, the stack's own entries are not shown."""
    (one,) = examples.version_raised().environments

    assert [(row.kind, row.name, row.system, row.action) for row in one.resources] == [
        ("Deployment", "cart", "services", "update")
    ]
    assert one.relabelled == 4
    assert all("adx/commit" not in field.path for row in one.resources for field in row.fields)


def test_components_of_the_stack_are_not_shown() -> None:
    """A tenant's own entry in the stack is no object of the cluster."""
    (one,) = examples.new_tenant().environments

    assert {row.kind for row in one.resources} == {
        "Namespace",
        "ConfigMap",
        "ResourceQuota",
        "LimitRange",
        "NetworkPolicy",
    }


def test_an_update_without_any_difference_in_its_inputs_is_still_shown() -> None:
    """Nobody knows what it does, so it is not taken for a label."""
    change = ResourceChange(
        urn="u", type="kubernetes:core/v1:ConfigMap", name="service/cart/x", action="update", unit="service/cart"
    )
    one = changed(shop(), plan=plan_of([change], same=0))

    assert [(row.name, row.system) for row in one.resources] == [("x", "services")]
    assert one.relabelled == 0


def test_deletions_come_first_and_namespaces_before_what_is_in_them() -> None:
    """Then replacements, updates, creations."""
    (one,) = examples.tenant_renamed().environments
    actions = [row.action for row in one.resources]

    assert actions == ["delete"] * 6 + ["create"] * 6
    assert one.resources[0].kind == "Namespace"


def test_what_was_merged_earlier_is_told_apart() -> None:
    """A tenant whose deletion waits is pending; the service that this pull request changes is not."""
    (one,) = examples.pending().environments

    assert one.pending_units == ("tenant/globex",)
    assert {(row.unit, row.is_pending) for row in one.resources} == {("service/cart", False), ("tenant/globex", True)}
    assert [row.unit for row in one.units] == ["service/cart"]


def test_a_unit_that_was_changed_earlier_and_is_changed_again_is_noted() -> None:
    """Its rows show both, and cannot be told apart."""
    delivered = state(*shop(cart=service_spec(version="v1")))
    base, after = state(*shop(cart=service_spec(version="v2"))), state(*shop(cart=service_spec(version="v3")))
    one = environment_report(
        environment="staging", before=delivered, base=base, after=after, plan=plan_between(delivered, after)
    )

    assert one.pending_units == ()
    assert one.notes == ("service/cart includes changes that were merged earlier and are not delivered yet",)


def test_a_revert_before_delivery_is_told_as_such() -> None:
    """Nothing happens in the cluster, and the reason is said."""
    (one,) = examples.reverted().environments

    assert one.resources == ()
    assert one.notes == (
        "service/cart becomes again what is delivered now: what was merged meanwhile is not delivered",
    )


def test_where_nothing_is_delivered_everything_else_waits() -> None:
    """A first delivery brings all of the base branch."""
    base, after = state(*shop()), state(*shop(cart=service_spec(version="v2")))
    one = environment_report(environment="staging", before=None, base=base, after=after, plan=plan_between(None, after))

    assert one.delivered_commit == ""
    assert one.pending_units == ("platform", "service/frontend", "tenant/acme", "tenant/globex")


def test_what_is_delivered_is_not_guessed_where_nothing_could_be_looked_at() -> None:
    """An unreachable cluster is not an empty one."""
    (one,) = examples.unreachable().environments

    assert (one.pending_units, one.disruptions, one.verdict) == ((), (), "unchecked")
    assert [row.unit for row in one.units] == ["service/cart"]


def test_a_new_environment_adds_its_units() -> None:
    """The base branch does not know it."""
    after = state(*shop())
    one = environment_report(environment="staging", before=None, base=None, after=after, plan=plan_between(None, after))

    assert {row.action for row in one.units} == {"add"}
    assert one.pending_units == ()


def test_deleting_an_environment_with_tenants_is_a_problem_that_names_them() -> None:
    """Its tenants would be left to nobody."""
    (one,) = examples.environment_deleted().environments
    (problem,) = one.problems

    assert one.verdict == "blocked"
    assert (problem.rule, problem.file) == (
        "infrastructure.deleted-environment",
        "environments/staging/environment.yaml",
    )
    assert "2 tenants live in it: acme, globex" in problem.what
    assert "first take staging out" in problem.fix


def test_tenants_that_are_taken_out_but_not_yet_delivered_still_live_there() -> None:
    """What counts is what runs, not what is declared."""
    delivered, base = state(*shop()), state(*shop(tenants=()))
    one = environment_report(environment="staging", before=delivered, base=base, after=None, plan=None)

    assert one.verdict == "blocked"


def test_deleting_an_environment_without_tenants_is_only_noted() -> None:
    """Nobody's data is in it, but what runs goes on running."""
    base = state(*shop(tenants=()))
    one = environment_report(environment="staging", before=base, base=base, after=None, plan=None)

    assert one.verdict == "ok"
    assert "what runs there stays" in one.notes[0]
    assert {row.action for row in one.units} == {"remove"}


def test_tenants_are_affected_by_their_own_change_and_by_services_that_they_reach() -> None:
    """A service that is only added affects nobody yet."""
    units = shop(
        cart=service_spec(version="v2"), tenants=(tenant_unit("staging", owner="else@example.com"), shop()[-1])
    )
    one = changed(units)

    assert [(row.tenant, row.is_direct, row.through) for row in one.tenants] == [
        ("acme", True, ("cart",)),
        ("globex", False, ("cart",)),
    ]


def test_units_name_the_document_that_changes() -> None:
    """Configuration, flags and services stand in different files."""
    files = {
        name: examples.EXAMPLES[name]().environments[0].units[0].file
        for name in ("configuration_changed", "flag_switched", "version_raised", "quota_raised")
    }

    assert files == {
        "configuration_changed": "environments/staging/configuration.yaml",
        "flag_switched": "environments/staging/flags.yaml",
        "version_raised": "environments/staging/services.yaml",
        "quota_raised": "tenants/acme.yaml",
    }


def test_rules_and_digest_are_carried_over() -> None:
    """The rules of delivery render nothing, so no plan shows them."""
    rules = (FieldChange(path="approval.required", before="true", after="false"),)
    one = changed(shop(), rules=rules, digest="d" * 64)

    assert (one.rules, one.digest) == (rules, "d" * 64)


def test_the_report_does_not_depend_on_the_order_of_the_plan() -> None:
    """Equal plans make equal reports."""
    base, after = state(*shop()), state(*shop(tenants=()))
    plan = plan_between(base, after)
    backwards = msgspec.structs.replace(plan, changes=plan.changes[::-1])
    one, other = (
        environment_report(environment="staging", before=base, base=base, after=after, plan=found)
        for found in (plan, backwards)
    )

    assert one == other


@pytest.mark.parametrize(("is_required", "units"), [(True, 1), (False, 1), (True, 0)])
def test_who_must_agree_is_told_where_something_would_be_delivered(is_required: bool, units: int) -> None:
    """Nobody is asked for nothing."""
    rules = EnvironmentSpec(
        name="staging", description="d", owner="o", region="r", namespace="n",
        approval=Approval(required=is_required, approvers=("ada", "bob"), timeout_hours=1),
    )  # fmt: skip
    found = changed(shop(level="debug" if units else "info"), delivery=rules)

    told = "once merged, nothing is applied before one of ada, bob approves it, within 1 hour"
    assert found.notes == ((told,) if is_required and units else ())
