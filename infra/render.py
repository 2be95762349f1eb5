"""Desired state → every Kubernetes manifest of the environment, in a stable order. Pure.

The only place where the systems' shares of a unit meet.
"""

from __future__ import annotations

from infra.components import configuration, infrastructure, services, tenancy
from infra.metadata import Manifest
from policies.desired_state import DesiredState, PlatformInputs, ServiceInputs, Unit


def render_unit(unit: Unit) -> list[Manifest]:
    """The unit's manifests in the order in which they are to be created; raises NameInvalid."""
    inputs = unit.inputs
    if isinstance(inputs, PlatformInputs):
        own, configured = infrastructure.manifests(unit, inputs), configuration.platform_manifests(unit, inputs)
    elif isinstance(inputs, ServiceInputs):
        own, configured = services.manifests(unit, inputs), configuration.service_manifests(unit, inputs)
    else:
        own, configured = tenancy.manifests(unit, inputs), configuration.tenant_manifests(unit, inputs)
    return [own[0], *configured, *own[1:]]


def render(state: DesiredState) -> list[Manifest]:
    """The manifests of all units of ``state``, ordered by unit; raises NameInvalid."""
    return [body for unit in state.units for body in render_unit(unit)]
