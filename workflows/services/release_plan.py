"""Pure: which services change their release in a rollout, in which order, and how each goes from the old to the new."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from policies.desired_state import DesiredState, ServiceInputs, service_unit_id
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
    """``state``, with the old release of each of the services ``changed`` still there and serving.

    Services that only ``base`` has stay, too: the old releases may call them.
    """
    if base is None:
        return state
    both, known = with_transitions(state, base, changed), state.by_id()
    gone = [unit for unit in base.units if unit.id.startswith("service/") and unit.id not in known]
    return msgspec.structs.replace(both, units=tuple(sorted((*both.units, *gone), key=lambda unit: unit.id)))


def release_stages(
    both: DesiredState, base: DesiredState | None, changed: Collection[str], *, is_rollback: bool = False
) -> Stages:
    """What happens to the services ``changed`` that have a delivery, in stages: dependencies first.

    ``both`` is what :func:`side_by_side` gives. A service that is new, or keeps its release, moves no requests; only
    where a gateway has to be told of it, it is here. Whoever rolls back knows the release: it gets everything at once.
    """
    found = {
        inputs.service.name: inputs
        for unit in both.units
        if isinstance(inputs := unit.inputs, ServiceInputs) and inputs.service.name in changed and _is_here(inputs)
    }
    graph = {name: inputs.service.dependencies for name, inputs in found.items()}
    known = base.by_id() if base is not None else {}
    return tuple(
        tuple(change_of(found[name], service_unit_id(name) in known, is_rollback=is_rollback) for name in stage)
        for stage in start_stages(graph)
    )


def change_of(inputs: ServiceInputs, was_there: bool, *, is_rollback: bool = False) -> ReleaseChange:
    """How the service goes from its old release to its new one. Of one that ``was_there`` both may be the same."""
    releases = both_releases(inputs)
    green, blue = releases[0], releases[1] if len(releases) > 1 else releases[0] if was_there else None
    delivery = delivery_of(inputs)
    # Pods of a service without delivery do not say which release they are of: no gateway can tell the two apart.
    has_both = len(releases) > 1 and all(map(_is_told_apart, releases))
    is_proven = has_both and not is_rollback
    analysis = delivery.analysis
    return ReleaseChange(
        service=inputs.service.name,
        registered_name=registered_name(inputs),
        gateway=delivery.gateway,
        blue=release_id(blue) if blue is not None and _is_told_apart(blue) else "",
        green=release_id(green) if _is_told_apart(green) else "",
        blue_version=blue.service.version if blue is not None else "",
        green_version=green.service.version,
        shifts=_shifts(delivery) if is_proven else (Shift(100),),
        mirror_percent=delivery.mirror_percent if is_proven else 0,
        mirror_seconds=delivery.bake_seconds,
        interval_seconds=analysis.interval_seconds if analysis is not None and is_proven else 0,
        ready_timeout_seconds=green.ready_timeout_seconds,
        keep_blue_seconds=delivery.keep_blue_seconds if has_both else 0,
        drain_seconds=delivery.drain_seconds if len(releases) > 1 else 0,
    )


def changed_gateways(base: DesiredState | None, state: DesiredState) -> dict[str, tuple[str, str]]:
    """By service, its gateway before and after, where it has a delivery in both and they differ."""
    before, after = _gateways(base), _gateways(state)
    return {name: (before[name], after[name]) for name in before.keys() & after.keys() if before[name] != after[name]}


def _gateways(state: DesiredState | None) -> dict[str, str]:
    return {
        unit.inputs.service.name: unit.inputs.service.delivery.gateway
        for unit in (state.units if state is not None else ())
        if isinstance(unit.inputs, ServiceInputs) and unit.inputs.service.delivery is not None
    }


def registered_name(inputs: ServiceInputs) -> str:
    """What the instances of the service are registered as, and what gateways and metrics call it."""
    return f"{inputs.environment}--{inputs.service.name}"  # neither has two hyphens in a row: services.delivery-name


def needed_instances(inputs: ServiceInputs) -> int:
    """How many instances a new release must have before it gets requests."""
    service = inputs.service
    return max(1, service.autoscaling.min_replicas if service.autoscaling else service.replicas or 0)


def inputs_of(state: DesiredState, service: str) -> ServiceInputs:
    """The inputs of ``service``. Raises KeyError where it is not in ``state``."""
    found = state.by_id()[service_unit_id(service)].inputs
    assert isinstance(found, ServiceInputs)  # noqa: S101 - what units of services have
    return found


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
