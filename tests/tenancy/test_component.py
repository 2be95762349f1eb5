"""A tenant in one environment, rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from infra.render import render_unit
from policies.desired_state import Unit
from policies.tenancy.spec import Egress, Network, ResourceLimits
from tests.support.desired import tenant_unit
from tests.support.golden import assert_matches_golden

GOLDEN = Path(__file__).parent / "golden"


def by_name(unit: Unit) -> dict[str, dict[str, Any]]:
    """The rendered manifests by name."""
    return {body["metadata"]["name"]: body for body in render_unit(unit)}


def egress(unit: Unit) -> list[dict[str, Any]]:
    """The rules for what leaves the tenant's namespace."""
    return list(by_name(unit)["declared-access"]["spec"]["egress"])


def test_tenant_matches_its_golden_file():
    """The manifests of a tenant are exactly those that were accepted."""
    assert_matches_golden(render_unit(tenant_unit()), GOLDEN / "tenant.yaml")


def test_every_object_stays_in_the_tenants_own_namespace():
    """Apart from the namespace itself nothing is cluster-scoped or somewhere else."""
    first, *others = render_unit(tenant_unit())

    assert first["kind"] == "Namespace"
    assert {body["metadata"]["namespace"] for body in others} == {first["metadata"]["name"]}
    assert {body["metadata"]["labels"]["adx/tenant"] for body in [first, *others]} == {"acme"}


def test_everything_is_denied_by_default_in_both_directions():
    """Only a policy that says so opens anything."""
    assert by_name(tenant_unit())["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_only_declared_destinations_are_opened():
    """The tenant's own pods, DNS, one rule a platform service, one a declared address."""
    own, dns, cart, payment = egress(tenant_unit())

    assert own == {"to": [{"podSelector": {}}]}
    assert {port["port"] for port in dns["ports"]} == {53}
    assert cart["to"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "cart"}
    assert [port["port"] for port in cart["ports"]] == [7070, 8080]
    assert payment["to"] == [{"ipBlock": {"cidr": "203.0.113.0/24"}}]


def test_a_service_without_ports_opens_nothing():
    """A rule without ports would open all of them."""
    assert len(egress(tenant_unit(service_ports={"cart": ()}))) == len(egress(tenant_unit())) - 1


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "169.0.0.0/8"])
def test_wide_egress_never_includes_the_metadata_service(cidr: str):
    """Clouds serve a machine's credentials at a link-local address."""
    wide = Network(egress=(Egress(cidr=cidr, port=443, reason="anywhere"),))

    assert egress(tenant_unit(network=wide))[-1]["to"] == [{"ipBlock": {"cidr": cidr, "except": ["169.254.0.0/16"]}}]


def test_egress_to_version_six_addresses_is_rendered_as_declared():
    """Link-local exceptions are of one IP version only."""
    declared = Network(egress=(Egress(cidr="2001:db8::/32", port=443, reason="partner"),))

    assert egress(tenant_unit(network=declared))[-1]["to"] == [{"ipBlock": {"cidr": "2001:db8::/32"}}]


def test_quota_is_what_the_contract_says():
    """Requests and limits are both held to the declared amounts."""
    hard = by_name(tenant_unit())["tenant-quota"]["spec"]["hard"]

    assert hard["limits.cpu"] == hard["requests.cpu"] == "4"
    assert hard["limits.memory"] == hard["requests.memory"] == "8Gi"
    assert hard["pods"] == "20"


def test_defaults_of_a_small_tenant_fit_into_its_quota():
    """A default above the maximum would be refused by the API server."""
    small = tenant_unit(resource_limits=ResourceLimits(cpu="250m", memory="100Mi", storage="1Gi", pods=2))
    limits = by_name(small)["container-defaults"]["spec"]["limits"][0]

    assert limits["default"] == {"cpu": "250m", "memory": "100Mi"}
    assert limits["defaultRequest"] == {"cpu": "100m", "memory": "100Mi"}


def test_pods_of_the_tenant_are_held_to_the_restricted_level():
    """Privileged pods, host paths and host networks are refused by the API server."""
    assert render_unit(tenant_unit())[0]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_a_change_of_a_tenant_touches_its_namespace_and_what_differs():
    """Objects that say the same as before stay byte for byte as they are, whatever commit brought the change."""
    before = tenant_unit()
    more_pods = replace(before.inputs.resource_limits, pods=before.inputs.resource_limits.pods + 1)
    after = replace(before, inputs=replace(before.inputs, resource_limits=more_pods), commit="b" * 40)

    changed = [new["kind"] for old, new in zip(render_unit(before), render_unit(after), strict=True) if old != new]

    assert changed == ["Namespace", "ResourceQuota"]


def test_the_content_label_says_that_an_object_differs():
    """Anything that is declared of an object changes it; what it says is not part of itself."""
    before = tenant_unit()
    later = replace(before, commit="b" * 40)
    labels = [body["metadata"]["labels"].get("adx/content", "") for body in render_unit(before)]

    assert labels == [body["metadata"]["labels"].get("adx/content", "") for body in render_unit(later)]
    assert len(set(labels)) == len(labels)
