"""Configuration values and feature flags as ConfigMaps. Pure.

Values that a service reads at its start are environment variables, so a change
restarts it. Flags and a tenant's overrides are JSON documents that are mounted
as files, so a change reaches running pods without a restart.
"""

from __future__ import annotations

from typing import Any

import msgspec

from infra.metadata import Manifest, manifest
from infra.names import FLAGS_MAP_NAME, OVERRIDES_MAP_NAME, configuration_map_name
from policies.configuration.spec import FlagSpec, Scalar
from policies.desired_state import PlatformInputs, ServiceInputs, TenantInputs, Unit

COMPONENT = "configuration"


def platform_manifests(unit: Unit, inputs: PlatformInputs) -> list[Manifest]:
    """All feature flags of the environment, as one JSON document."""
    flags = {flag.name: flag_value(flag) for flag in inputs.flags}
    return [config_map(unit, FLAGS_MAP_NAME, inputs.namespace, {"flags.json": document(flags)})]


def service_manifests(unit: Unit, inputs: ServiceInputs) -> list[Manifest]:
    """The configuration of the service; nothing when it has none."""
    if not inputs.configuration:
        return []
    data = {key: text(value) for key, value in sorted(inputs.configuration.items())}
    return [config_map(unit, configuration_map_name(inputs.service.name), inputs.namespace, data)]


def tenant_manifests(unit: Unit, inputs: TenantInputs) -> list[Manifest]:
    """What differs for the tenant, and what its workloads may know about it."""
    tenant = {
        "name": inputs.name,
        "display_name": inputs.display_name,
        "isolation_strategy": inputs.isolation_strategy,
        "database": msgspec.to_builtins(inputs.database),
        "compliance": msgspec.to_builtins(inputs.compliance),
    }
    data = {
        "configuration.json": document(inputs.configuration),
        "flags.json": document(inputs.flags),
        "tenant.json": document(tenant),
    }
    return [config_map(unit, OVERRIDES_MAP_NAME, inputs.namespace, data)]


def config_map(unit: Unit, name: str, namespace: str, data: dict[str, str]) -> Manifest:
    """A ConfigMap of ``unit``."""
    return manifest(unit, COMPONENT, "v1", "ConfigMap", name, namespace=namespace, data=data)


def flag_value(flag: FlagSpec) -> dict[str, Any]:
    """A flag as its readers see it: its type and the value of that type."""
    values = {"enabled": flag.enabled, "percentage": flag.percentage, "users": flag.users, "tenants": flag.tenants}
    return {"type": flag.type} | {name: value for name, value in values.items() if value is not None}


def text(value: Scalar) -> str:
    """A value as an environment variable spells it: ``true`` and ``false`` in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def document(value: object) -> str:
    """Canonical JSON, so that equal values never look like a change."""
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode()
