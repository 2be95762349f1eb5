"""Configuration values and feature flags as ConfigMaps. Pure.

Values that a service reads at its start are environment variables, so a change
restarts it. Flags and a tenant's overrides are JSON documents that are mounted
as files, so a change reaches running pods without a restart.

Secrets are never in clear here, nor anywhere that Pulumi looks: a workload gets
their forms in Git, as a file beside its own login to Vault, and opens them
itself (``docs/adr/0013``). No form is an environment variable: it would pass
for the value.
"""

from __future__ import annotations

import msgspec

from infra.metadata import Manifest, release_manifest
from infra.names import FLAGS_MAP_NAME, OVERRIDES_MAP_NAME, SEALED_DOCUMENT, configuration_map_name, sealed_map_name
from policies.configuration.delivered import plain, sealed_of_service, sealed_of_tenant, service_values
from policies.configuration.flags import wire
from policies.configuration.spec import Scalar
from policies.desired_state import PlatformInputs, ServiceInputs, TenantInputs, Unit
from policies.services.releases import release_units, workload_name

COMPONENT = "configuration"


def platform_manifests(unit: Unit, inputs: PlatformInputs) -> list[Manifest]:
    """All feature flags of the environment, as one JSON document for ADX's provider and one for flagd's clients."""
    documents = wire.delivered(inputs.environment, inputs.flags)
    data = {name: document(value) for name, value in documents.items()}
    return [config_map(unit, FLAGS_MAP_NAME, inputs.namespace, data)]


def service_manifests(unit: Unit, inputs: ServiceInputs) -> list[Manifest]:
    """The values of each release of the service, and the forms of its secrets; nothing where it has none.

    Each release has its own: a pod of the old one that starts again must not read what the new one is to have.
    """
    return [body for release in release_units(unit, inputs) for body in release_manifests(*release)]


def release_manifests(unit: Unit, inputs: ServiceInputs) -> list[Manifest]:
    """The values of one release, and the forms of its secrets."""
    values, name = plain(service_values(inputs)), workload_name(inputs)
    made = []
    if values:
        data = {key: text(value) for key, value in values.items()}
        made.append(config_map(unit, configuration_map_name(name), inputs.namespace, data))
    if sealed := sealed_of_service(inputs):
        made.append(config_map(unit, sealed_map_name(name), inputs.namespace, {SEALED_DOCUMENT: document(sealed)}))
    return made


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
        "configuration.json": document({name: plain(values) for name, values in inputs.configuration.items()}),
        "flags.json": document(inputs.flags),
        "tenant.json": document(tenant),
    }
    if sealed := sealed_of_tenant(inputs):
        data[SEALED_DOCUMENT] = document(sealed)
    return [config_map(unit, OVERRIDES_MAP_NAME, inputs.namespace, data)]


def config_map(unit: Unit, name: str, namespace: str, data: dict[str, str]) -> Manifest:
    """A ConfigMap of ``unit``."""
    return release_manifest(unit, COMPONENT, "v1", "ConfigMap", name, namespace=namespace, data=data)


def text(value: Scalar) -> str:
    """A value as an environment variable spells it: ``true`` and ``false`` in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def document(value: object) -> str:
    """Canonical JSON, so that equal values never look like a change."""
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=2).decode()
