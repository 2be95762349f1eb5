"""Desired state → every Kubernetes manifest of the environment, in a stable order. Pure.

The only place where the systems' shares of a unit meet, and what components of others render beside them.
"""

from __future__ import annotations

from collections.abc import Sequence

from infra.components import configuration, infrastructure, services, tenancy
from infra.errors import ComponentFailed
from infra.metadata import Manifest
from infra.own_components import installed, key_of, own_manifests
from policies.desired_state import DesiredState, PlatformInputs, ServiceInputs, Unit


def render_unit(unit: Unit) -> list[Manifest]:
    """The unit's manifests in the order in which they are to be created; raises NameInvalid, ComponentFailed."""
    inputs = unit.inputs
    if isinstance(inputs, PlatformInputs):
        own, configured = infrastructure.manifests(unit, inputs), configuration.platform_manifests(unit, inputs)
    elif isinstance(inputs, ServiceInputs):
        own, configured = services.manifests(unit, inputs), configuration.service_manifests(unit, inputs)
    else:
        own, configured = tenancy.manifests(unit, inputs), configuration.tenant_manifests(unit, inputs)
    ours = [own[0], *configured, *own[1:]]
    return [*ours, *own_manifests(unit, ours)]


def render_units(units: Sequence[Unit]) -> list[tuple[Unit, list[Manifest]]]:
    """Each unit with its manifests; raises NameInvalid, ComponentFailed also where two units render one object."""
    rendered = [(unit, render_unit(unit)) for unit in units]
    owners: dict[tuple[str, str, str], str] = {}
    for unit, bodies in rendered if installed() else ():
        for body in bodies:
            other = owners.setdefault(key_of(body), unit.id)
            if other != unit.id:
                raise ComponentFailed(
                    f"{body['kind']} {body['metadata']['name']} is rendered for {other} and for {unit.id}",
                    next_step="let the component give each unit's object a name of its own",
                )
    return rendered


def render(state: DesiredState) -> list[Manifest]:
    """The manifests of all units of ``state``, ordered by unit; raises NameInvalid, ComponentFailed."""
    return [body for _, bodies in render_units(state.units) for body in bodies]
