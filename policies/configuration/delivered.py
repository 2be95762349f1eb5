"""What a unit delivers of configuration: values, and secrets only in the forms that stand in Git. Pure.

The same for every way of delivery: ConfigMaps (``infra.components.configuration``)
and the store (``workflows.configuration``).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from policies.configuration.spec import Scalar
from policies.configuration.values import ConfigurationKey
from policies.configuration.values_secrets import is_secret_text
from policies.desired_state import DesiredState, ServiceInputs, TenantInputs, Unit

Sealed = dict[str, str]


def service_values(inputs: ServiceInputs) -> dict[str, Scalar]:
    """Everything the service gets where no tenant has a value of its own: the environment's, else its own defaults."""
    needs = inputs.service.configuration or ()
    return {need.key: need.default for need in needs if need.default is not None} | inputs.configuration


def plain(values: dict[str, Scalar]) -> dict[str, Scalar]:
    """Those of ``values`` that are no secrets, ordered by key."""
    return {key: value for key, value in sorted(values.items()) if not is_secret_text(value)}


def sealed_of_service(inputs: ServiceInputs) -> dict[str, Sealed]:
    """The secrets of a service by key; see :func:`sealed`."""
    found = _secrets(service_values(inputs))
    return {name: sealed(_key_of_service(inputs, name), str(text)) for name, text in found}


def sealed_of_tenant(inputs: TenantInputs) -> dict[str, dict[str, Sealed]]:
    """The secrets of a tenant's own by service and key; services without any are left out."""
    found: dict[str, dict[str, Sealed]] = {}
    for service, values in sorted(inputs.configuration.items()):
        for name, text in _secrets(values):
            found.setdefault(service, {})[name] = sealed(_key_of_tenant(inputs, service, name), str(text))
    return found


def sealed(key: ConfigurationKey, text: str) -> Sealed:
    """A secret as it is handed to a workload: its form in Git, and what Vault derives the key from (base64)."""
    return {"form": text, "context": base64.b64encode(key.canonical).decode()}


def values_of(unit: Unit) -> dict[ConfigurationKey, Scalar]:
    """Everything that the unit keeps in the store: of a service the environment's values, of a tenant its own."""
    inputs = unit.inputs
    if isinstance(inputs, ServiceInputs):
        return {_key_of_service(inputs, name): value for name, value in service_values(inputs).items()}
    if isinstance(inputs, TenantInputs):
        return {
            _key_of_tenant(inputs, service, name): value
            for service, values in inputs.configuration.items()
            for name, value in values.items()
        }
    return {}


def values_of_state(state: DesiredState) -> dict[ConfigurationKey, Scalar]:
    """Everything that all units of ``state`` keep in the store."""
    return {key: value for unit in state.units for key, value in values_of(unit).items()}


def _secrets(values: dict[str, Scalar]) -> Iterator[tuple[str, Scalar]]:
    return ((name, value) for name, value in sorted(values.items()) if is_secret_text(value))


def _key_of_service(inputs: ServiceInputs, name: str) -> ConfigurationKey:
    return ConfigurationKey(
        namespace=inputs.namespace, environment=inputs.environment, service=inputs.service.name, key=name
    )


def _key_of_tenant(inputs: TenantInputs, service: str, name: str) -> ConfigurationKey:
    return ConfigurationKey(
        namespace=inputs.platform_namespace,
        environment=inputs.environment,
        service=service,
        key=name,
        tenant_id=inputs.name,
    )
