"""What users would notice of a change, judged by the objects that change."""

from __future__ import annotations

from typing import Literal

import pytest

from pipelines.preview.disruption import disruptions
from pipelines.preview.report import Disruption, ResourceRow
from policies.change_set import FieldChange
from policies.desired_state import Unit
from policies.services.spec import Delivery, Probes, Route
from tests.preview import examples
from tests.preview.examples import changed, shop, state
from tests.support.desired import AUTOSCALED, service_spec, service_unit


def judged(name: str, unit: str) -> Disruption:
    """What is estimated of ``unit`` in an example."""
    (one,) = examples.EXAMPLES[name]().environments
    return next(found for found in one.disruptions if found.unit == unit)


def after_change(**changes: object) -> Disruption:
    """The cart, changed."""
    (found,) = changed(shop(cart=service_spec(**changes))).disruptions
    return found


def of_row(kind: str, action: str, *fields: FieldChange, unit: Unit | None = None) -> Disruption:
    """One object of an existing unit."""
    existing = unit or service_unit("staging")
    row = ResourceRow(unit=existing.id, system="services", kind=kind, name="x", action=action, fields=fields)
    (found,) = disruptions([row], state(existing), state(existing), [existing.id])
    return found


def test_a_new_version_restarts_every_pod_without_downtime() -> None:
    """A new pod is ready before an old one goes."""
    found = judged("version_raised", "service/cart")

    assert (found.pods_restarted, found.downtime) == (2, "none")
    assert "one by one" in found.why


def test_a_single_replica_restarts_without_downtime_and_says_so() -> None:
    """The surge pod takes over."""
    units = [service_unit("staging", service_spec(replicas=1, version="v2"))]
    (found,) = changed(units, [service_unit("staging", service_spec(replicas=1))]).disruptions

    assert (found.pods_restarted, found.downtime) == (1, "none")
    assert "the only pod" in found.why
    assert "ready before the old one goes" in found.why


def test_without_a_readiness_probe_a_restart_may_be_noticed() -> None:
    """Kubernetes sends requests to a pod that cannot answer yet."""
    found = after_change(version="v2", probes=Probes())

    assert (found.pods_restarted, found.downtime) == (2, "possible")


def test_an_autoscaled_service_restarts_at_least_its_minimum() -> None:
    """How many run now is not declared."""
    spec = {"replicas": None, "autoscaling": AUTOSCALED}
    before = [service_unit("staging", service_spec(**spec))]
    (found,) = changed([service_unit("staging", service_spec(version="v2", **spec))], before).disruptions

    assert found.pods_restarted == 2
    assert "2 or more pods (autoscaled)" in found.why


def test_more_replicas_restart_nothing() -> None:
    """They only come."""
    found = after_change(replicas=5)

    assert (found.pods_restarted, found.downtime, found.why) == (0, "none", "2 → 5 replicas: no pod restarts")


def test_no_replicas_are_certain_downtime() -> None:
    """Nothing remains that answers."""
    assert after_change(replicas=0).downtime == "certain"


def test_configuration_is_read_at_the_start_so_a_change_restarts() -> None:
    """The pod template carries its digest."""
    found = judged("configuration_changed", "service/cart")

    assert found.pods_restarted == 2
    assert found.why.startswith("configuration is read at the start")


def test_flags_are_files_so_a_change_restarts_nothing() -> None:
    """And that is said, not left out."""
    found = judged("flag_switched", "platform")

    assert (found.pods_restarted, found.downtime) == (0, "none")
    assert "mounted files" in found.why


def test_a_deployment_that_is_replaced_is_down_meanwhile() -> None:
    """The old one must go before another of its name can come."""
    found = judged("replaced", "service/cart")

    assert (found.pods_restarted, found.downtime) == (2, "certain")
    assert "spec.selector cannot be changed in place" in found.why


@pytest.mark.parametrize(("name", "unit"), [("tenant_deleted", "tenant/acme"), ("service_deleted", "service/frontend")])
def test_what_is_deleted_is_certainly_down(name: str, unit: str) -> None:
    """A tenant with its namespace, a service with its pods."""
    assert judged(name, unit).downtime == "certain"


def test_a_namespace_takes_everything_with_it() -> None:
    """Also what ADX did not create."""
    assert "everything in it, volumes included" in judged("tenant_deleted", "tenant/acme").why


def test_a_new_tenant_disturbs_nobody() -> None:
    """It is not there yet."""
    found = judged("new_tenant", "tenant/initech")

    assert (found.downtime, found.why) == ("none", "it is new, nobody uses it yet")


def test_a_lower_quota_may_refuse_pods_and_a_higher_one_does_nothing() -> None:
    """Running pods stay in both cases."""
    assert judged("quota_lowered", "tenant/acme").downtime == "possible"
    assert "limits.cpu" in judged("quota_lowered", "tenant/acme").why
    assert judged("quota_raised", "tenant/acme").downtime == "none"


def test_volumes_that_go_are_counted() -> None:
    """Their data is gone."""
    found = of_row("PersistentVolumeClaim", "replace")

    assert (found.volumes_replaced, found.downtime) == (1, "certain")


def test_a_stateful_set_with_other_volumes_loses_them() -> None:
    """One claim for each replica."""
    field = FieldChange(path="spec.volumeClaimTemplates[0].spec.storageClassName", before='"a"', after='"b"')

    assert of_row("StatefulSet", "replace", field).volumes_replaced == 2


@pytest.mark.parametrize(
    ("field", "downtime"),
    [
        (FieldChange(path="spec.selector.app", before='"a"', after='"b"'), "possible"),
        (FieldChange(path="spec.ports[0].port", before="80", after="81"), "possible"),
        (FieldChange(path="spec.ports[1]", before=None, after='{"port":81}'), "none"),
        (FieldChange(path="metadata.labels.x", before=None, after='"y"'), "none"),
    ],
)
def test_an_address_that_changes_may_be_noticed(field: FieldChange, downtime: str) -> None:
    """Ports that are only added are not."""
    assert of_row("Service", "update", field).downtime == downtime


@pytest.mark.parametrize("gateway", ["caddy", "selector", "gateway-api"])
def test_a_release_that_takes_over_as_a_whole_disturbs_nobody(
    gateway: Literal["caddy", "selector", "gateway-api"],
) -> None:
    """The old Deployment is deleted and its address changes, but only once the new release has all requests."""
    route = Route(gateway_name="public", gateway_namespace="gateways") if gateway == "gateway-api" else None
    delivery = Delivery(strategy="blue-green", gateway=gateway, route=route)
    before, after = (
        [service_unit("staging", service_spec(version=version, delivery=delivery))] for version in ("v1", "v2")
    )
    (found,) = changed(after, before).disruptions

    assert (found.pods_restarted, found.downtime) == (0, "none")
    assert "once the new release has all requests" in found.why


def test_network_rules_that_are_taken_away_may_be_noticed() -> None:
    """Those that are added are not."""
    taken = FieldChange(path="spec.egress[2]", before='{"to":[]}', after=None)
    added = FieldChange(path="spec.egress[2]", before=None, after='{"to":[]}')

    assert of_row("NetworkPolicy", "update", taken).downtime == "possible"
    assert of_row("NetworkPolicy", "update", added).downtime == "none"


def test_every_unit_of_the_pull_request_gets_a_judgement() -> None:
    """Also where nothing is to be noticed."""
    (one,) = examples.several_environments().environments[2:]

    assert {found.unit for found in one.disruptions} == {row.unit for row in one.units}
    assert all(found.why for found in one.disruptions)
