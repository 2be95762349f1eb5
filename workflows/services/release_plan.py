"""Pure: which services change their release in a rollout, in which order, and how each goes from the old to the new."""

from __future__ import annotations

from collections.abc import Collection

from policies.desired_state import DesiredState, ServiceInputs
from policies.services.order import start_stages
from policies.services.releases import (
    both_releases,
    delivery_of,
    release_id,
    with_transitions,
)
from policies.services.spec import Delivery
from workflows.services.models import ReleaseChange, Shift

Stages = tuple[tuple[ReleaseChange, ...], ...]


def side_by_side(state: DesiredState, base: DesiredState | None, changed: Collection[str]) -> DesiredState:
    """``state``, with the old release of each of the services ``changed`` still there and serving."""
    return with_transitions(state, base, changed) if base is not None else state


def release_stages(both: DesiredState, changed: Collection[str]) -> Stages:
    """What happens to the services ``changed`` that have a delivery, in stages: dependencies first.

    ``both`` is what :func:`side_by_side` gives. A service that is new has no
    old release; only where a gateway has to be told of it, it is here.
    """
    found = {
        inputs.service.name: inputs
        for unit in both.units
        if isinstance(inputs := unit.inputs, ServiceInputs) and inputs.service.name in changed and _is_here(inputs)
    }
    graph = {name: inputs.service.dependencies for name, inputs in found.items()}
    return tuple(tuple(change_of(found[name]) for name in stage) for stage in start_stages(graph))


def change_of(inputs: ServiceInputs) -> ReleaseChange:
    """How the service goes from its old release to its new one."""
    releases = both_releases(inputs)
    green, blue = releases[0], releases[1] if len(releases) > 1 else None
    delivery = delivery_of(inputs)
    # Pods of a service without delivery do not say which release they are of: no gateway can tell the two apart.
    has_both = blue is not None and _is_told_apart(blue) and _is_told_apart(green)
    analysis = delivery.analysis
    return ReleaseChange(
        service=inputs.service.name,
        registered_name=registered_name(inputs),
        gateway=delivery.gateway,
        blue=release_id(blue) if blue is not None and _is_told_apart(blue) else "",
        green=release_id(green) if _is_told_apart(green) else "",
        blue_version=blue.service.version if blue is not None else "",
        green_version=green.service.version,
        shifts=_shifts(delivery) if has_both else (Shift(100),),
        mirror_percent=delivery.mirror_percent if has_both else 0,
        mirror_seconds=delivery.bake_seconds,
        interval_seconds=analysis.interval_seconds if analysis is not None and has_both else 0,
        ready_timeout_seconds=green.ready_timeout_seconds,
        keep_blue_seconds=delivery.keep_blue_seconds if has_both else 0,
        drain_seconds=delivery.drain_seconds if blue is not None else 0,
    )


def registered_name(inputs: ServiceInputs) -> str:
    """What the instances of the service are registered as, and what gateways and metrics call it."""
    return f"{inputs.environment}-{inputs.service.name}"


def needed_instances(inputs: ServiceInputs) -> int:
    """How many instances a new release must have before it gets requests."""
    service = inputs.service
    return max(1, service.autoscaling.min_replicas if service.autoscaling else service.replicas or 0)


def inputs_of(state: DesiredState, service: str) -> ServiceInputs:
    """The inputs of ``service``. Raises KeyError where it is not in ``state``."""
    return next(
        unit.inputs
        for unit in state.units
        if isinstance(unit.inputs, ServiceInputs) and unit.inputs.service.name == service
    )


def _is_here(inputs: ServiceInputs) -> bool:
    if inputs.transition is not None:
        return True
    delivery = inputs.service.delivery
    return delivery is not None and delivery.gateway == "caddy"


def _is_told_apart(inputs: ServiceInputs) -> bool:
    return inputs.service.delivery is not None


def _shifts(delivery: Delivery) -> tuple[Shift, ...]:
    steps = [Shift(step.weight_percent, step.bake_seconds) for step in delivery.steps]
    return (*steps, Shift(100, delivery.bake_seconds))
