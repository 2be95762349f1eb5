"""Configuration and feature flags, rendered as ConfigMaps."""

from __future__ import annotations

import json
from typing import Any

from infra.render import render_unit
from policies.desired_state import Unit
from tests.support.desired import platform_unit, service_unit, tenant_unit


def config_map(unit: Unit) -> dict[str, Any]:
    """The data of the unit's one ConfigMap."""
    (body,) = [body for body in render_unit(unit) if body["kind"] == "ConfigMap"]
    assert body["metadata"]["labels"]["app.kubernetes.io/component"] == "configuration"
    return dict(body["data"])


def test_values_become_environment_variables_as_text():
    """ConfigMaps hold text; booleans are spelled in lower case."""
    assert config_map(service_unit(PORT=8080, TRACING=True, LEVEL="info")) == {
        "LEVEL": "info",
        "PORT": "8080",
        "TRACING": "true",
    }


def test_a_service_without_configuration_has_no_config_map():
    """Nothing is created that nobody reads."""
    assert "ConfigMap" not in {body["kind"] for body in render_unit(service_unit())}


def test_flags_are_one_json_document_with_a_value_per_type():
    """Each flag says its type and the one value that the type has."""
    assert json.loads(config_map(platform_unit())["flags.json"]) == {
        "new-checkout": {"type": "boolean", "enabled": True},
        "faster-search": {"type": "percentage", "percentage": 12.5},
        "beta-banner": {"type": "user_list", "users": ["ann"]},
        "gift-cards": {"type": "tenant_list", "tenants": ["acme"]},
    }


def test_flags_reach_pods_as_a_file_so_that_a_change_restarts_nothing():
    """Services that read flags mount the document; the others do not."""
    reader = next(body for body in render_unit(service_unit()) if body["kind"] == "Deployment")
    volumes = reader["spec"]["template"]["spec"]["volumes"]

    assert {"name": "flags", "configMap": {"name": "feature-flags"}} in volumes


def test_overrides_of_a_tenant_are_json_documents():
    """What differs for the tenant stands in its own namespace."""
    data = config_map(tenant_unit())

    assert json.loads(data["configuration.json"]) == {"cart": {"CURRENCY": "EUR"}}
    assert json.loads(data["flags.json"]) == {"new-checkout": False}
    assert json.loads(data["tenant.json"])["isolation_strategy"] == "schema_per_tenant"


def test_equal_values_render_equal_bytes_whatever_their_order():
    """A reordered declaration is no change."""
    assert config_map(tenant_unit(flags={"a": True, "b": False})) == config_map(
        tenant_unit(flags={"b": False, "a": True})
    )
