"""The platform of an environment, rendered."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import NameInvalid
from infra.names import label_value, object_name
from infra.render import render, render_unit
from tests.support.desired import desired_state, platform_unit, service_spec, service_unit, tenant_unit
from tests.support.golden import assert_matches_golden

GOLDEN = Path(__file__).parent / "golden"


def test_platform_matches_its_golden_file():
    """The manifests of a platform are exactly those that were accepted."""
    assert_matches_golden(render_unit(platform_unit()), GOLDEN / "platform.yaml")


def test_namespace_comes_first_and_enforces_restricted_pods():
    """Everything else needs the namespace, and no pod in it may be privileged."""
    first = render_unit(platform_unit())[0]

    assert first["kind"] == "Namespace"
    assert first["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_connections_are_refused_by_default_and_opened_for_the_environment():
    """One policy denies all, another opens the platform to itself and to its tenants."""
    policies = {
        body["metadata"]["name"]: body["spec"] for body in render_unit(platform_unit()) if "Policy" in body["kind"]
    }

    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    sources = policies["environment-access"]["ingress"][0]["from"]
    assert {"adx/environment": "test", "adx/unit-kind": "tenant"} in [
        source.get("namespaceSelector", {}).get("matchLabels") for source in sources
    ]


def test_every_object_says_whose_it_is():
    """Recommended labels, and those by which ADX finds a unit's objects again."""
    expected = {
        "app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by",
        "app.kubernetes.io/part-of", "app.kubernetes.io/component",
        "adx/environment", "adx/unit", "adx/unit-kind", "adx/owner",
    }  # fmt: skip
    revision = {"app.kubernetes.io/version", "adx/commit"}

    for body in render(desired_state("test")):
        labels = body["metadata"]["labels"]
        assert expected <= labels.keys()
        is_in_tenant = labels["adx/unit-kind"] == "tenant" and body["kind"] != "Namespace"
        assert ({"adx/content"} if is_in_tenant else revision) == labels.keys() & {*revision, "adx/content"}
        assert all(label_value(value) == value for value in labels.values())


def test_objects_of_a_unit_are_found_by_its_label():
    """The label holds the unit's id, with a dot for the slash that labels do not allow."""
    selected = {
        body["kind"]
        for body in render(desired_state("test"))
        if body["metadata"]["labels"]["adx/unit"] == "service.cart"
    }

    assert selected == {"ServiceAccount", "ConfigMap", "Deployment", "Service", "PodDisruptionBudget"}


def test_rendering_does_not_depend_on_the_order_of_units():
    """The same state always renders the same, in the same order."""
    units = (tenant_unit(), platform_unit(), service_unit())

    assert render(desired_state("test", *units)) == render(desired_state("test", *reversed(units)))


def test_an_owner_that_is_no_label_value_is_made_one():
    """An address becomes a valid label; a long one is cut but stays unique."""
    assert label_value("team@example.com") == "team-example.com"
    long = label_value("team-" + "x" * 80)
    assert len(long) <= 63
    assert long != label_value("team-" + "x" * 81)


def test_a_name_over_63_characters_is_refused_with_what_to_do():
    """Shortening a name would make it another object, so it is refused."""
    with pytest.raises(NameInvalid, match="64 characters") as refused:
        object_name("a" * 64)

    assert "shorten" in refused.value.next_step


def test_a_suffix_that_makes_a_name_too_long_is_refused():
    """The name of the configuration's ConfigMap is longer than that of its service."""
    with pytest.raises(NameInvalid, match="configuration"):
        render_unit(service_unit("test", service_spec("s" * 60), LOG_LEVEL="info"))


@pytest.mark.parametrize("name", ["Cart", "cart_2", "-cart", "../cart", "c\u0430rt"])
def test_a_name_that_is_no_dns_label_is_refused(name: str):
    """Capitals, other characters and look-alikes never reach the cluster."""
    with pytest.raises(NameInvalid):
        object_name(name)
