"""Releases of a service: which one its inputs are, and two of them at once while one takes over. Pure.

A release is named by what its pods are made of, so whatever restores old inputs
restores the old release, object by object. What only says how many pods there
are, who owns them or how they are delivered makes no new release.

A service without ``delivery`` has one Deployment of its own name, whose pods are
replaced one by one. The first delivery after ``delivery`` was declared, and the
one that takes it out, go from the one Deployment to the other in the same way as
from release to release: else there would be a moment without pods.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from policies.configuration.delivered import service_values
from policies.desired_state import DesiredState, ServiceInputs, Transition, Unit, digest_of, service_unit_id, unit_of
from policies.normal_form import target_port
from policies.services.routing import Split, Sticky, all_on, shifted
from policies.services.spec import Delivery, ServiceSpec

RELEASE_DIGITS = 8


def release_id(inputs: ServiceInputs) -> str:
    """The id of the release that ``inputs`` describe: 8 hexadecimal digits; a transition has no part in it."""
    pods = {
        "environment": inputs.environment,
        "namespace": inputs.namespace,
        "service": _of_pods(inputs.service),
        "values": service_values(inputs),
        "reads_flags": bool(inputs.service.feature_flags),
        # Only pods of a service with delivery say which release they are of.
        "is_labelled": inputs.service.delivery is not None,
    }
    return digest_of(pods)[:RELEASE_DIGITS]


def workload_name(inputs: ServiceInputs) -> str:
    """The Deployment of the release that ``inputs`` describe."""
    name = inputs.service.name
    return name if inputs.service.delivery is None else f"{name}-{release_id(inputs)}"


def newest_workloads(state: DesiredState) -> dict[str, str]:
    """By service, the Deployment of its newest release."""
    return {name: workload_name(inputs) for name, (_, inputs) in _services(state).items()}


def both_releases(inputs: ServiceInputs) -> tuple[ServiceInputs, ...]:
    """The new release and, in a transition, the old one; without their transition."""
    if inputs.transition is None:
        return (inputs,)
    return (settled(inputs), inputs.transition.previous)


def release_units(unit: Unit, inputs: ServiceInputs) -> tuple[tuple[Unit, ServiceInputs], ...]:
    """``unit``, whose inputs are ``inputs``, as one unit for each release: the new one's, then the old one's."""
    if inputs.transition is None:
        return ((unit, inputs),)
    new, old = both_releases(inputs)
    commits = (unit.commit, inputs.transition.commit)
    return tuple((unit_of(unit.id, one, commit), one) for one, commit in zip((new, old), commits, strict=True))


def serving(inputs: ServiceInputs) -> ServiceInputs:
    """The release that answers: the old one until the new one has every request."""
    transition = inputs.transition
    return settled(inputs) if transition is None or transition.weight_percent == 100 else transition.previous


def settled(inputs: ServiceInputs) -> ServiceInputs:
    """The new release alone."""
    return msgspec.structs.replace(inputs, transition=None)


def has_delivery(inputs: ServiceInputs) -> bool:
    """Whether a release of the service takes over as a whole, not pod by pod."""
    return any(one.service.delivery is not None for one in both_releases(inputs))


def delivery_of(inputs: ServiceInputs) -> Delivery:
    """The rules of the transition: the new release's, or the old one's where the new has none.

    Raises ValueError where neither has any.
    """
    for one in both_releases(inputs):
        if one.service.delivery is not None:
            return one.service.delivery
    raise ValueError(f"{inputs.service.name} has no delivery")


def split_of(inputs: ServiceInputs) -> Split:
    """How the requests are divided as ``inputs`` have it. Raises ValueError where there is no delivery."""
    rules, transition, sticky = delivery_of(inputs), inputs.transition, None
    if rules.stickiness is not None:
        sticky = Sticky(cookie=rules.stickiness.cookie, header=rules.stickiness.header)
    if transition is None:
        return all_on(release_id(inputs), sticky=sticky)
    is_mirrored = transition.is_mirrored and transition.weight_percent < 100
    return shifted(
        release_id(transition.previous),
        release_id(inputs),
        transition.weight_percent,
        testers=None if rules.testers is None else (rules.testers.header, rules.testers.value),
        sticky=sticky,
        mirror_percent=rules.mirror_percent if is_mirrored else 0,
    )


def is_new_release(before: ServiceInputs, after: ServiceInputs) -> bool:
    """Whether other pods take over in another Deployment, so that both have to run for a while."""
    return workload_name(before) != workload_name(after)


def with_transitions(state: DesiredState, base: DesiredState, services: Collection[str]) -> DesiredState:
    """``state`` in which each of ``services`` that is a new release runs beside that of ``base``, at weight 0.

    Services that are new, gone, or replaced pod by pod stay as they are. Where
    ``base`` is in a transition itself, its serving release is the old one.
    """
    olds, news = _services(base), _services(state)
    changed: dict[str, ServiceInputs] = {}
    for name in services:
        if name in olds and name in news:
            after, transition = news[name][1], _transition(*olds[name])
            if is_new_release(transition.previous, after):
                changed[service_unit_id(name)] = msgspec.structs.replace(after, transition=transition)
    return _with_inputs(state, changed)


def in_transition(state: DesiredState) -> tuple[str, ...]:
    """The names of the services that have two releases in ``state``, sorted."""
    return tuple(sorted(name for name, (_, inputs) in _services(state).items() if inputs.transition is not None))


def at_weight(state: DesiredState, service: str, percent: int, *, is_mirrored: bool = False) -> DesiredState:
    """``state`` in which the new release of ``service`` has ``percent`` of its requests.

    Raises ValueError for a service that has no two releases, and for a weight
    that is no share or that its gateway cannot give.
    """
    _, inputs = _services(state).get(service, (None, None))
    if inputs is None or inputs.transition is None:
        raise ValueError(f"{service} has no two releases in {state.environment}")
    if not 0 <= percent <= 100:
        raise ValueError(f"{service} cannot have {percent} % of its requests; write 0 to 100")
    if delivery_of(inputs).gateway == "selector" and percent not in (0, 100):
        raise ValueError(f"the selector of {service} takes over all requests or none, not {percent} %")
    transition = msgspec.structs.replace(inputs.transition, weight_percent=percent, is_mirrored=is_mirrored)
    return _with_inputs(state, {service_unit_id(service): msgspec.structs.replace(inputs, transition=transition)})


def _of_pods(service: ServiceSpec) -> ServiceSpec:
    """``service`` without what makes no difference to its pods; a field that is not named here makes one."""
    return msgspec.structs.replace(
        service,
        description="",
        owner="",
        replicas=None,
        autoscaling=None,
        # Of a port pods know the name and what they listen on; what callers dial is the Service's.
        ports=tuple(msgspec.structs.replace(port, port=0, target_port=target_port(port)) for port in service.ports),
        dependencies=(),
        feature_flags=(),
        configuration=None,
        min_available=None,
        max_unavailable=None,
        ready_timeout_seconds=None,
        schema_versions={},
        semantic_version=None,
        dependency_versions={},
        allow_downgrade=None,
        serves_api_versions=(),
        api_versions={},
        delivery=None,
    )


def _transition(old: Unit, inputs: ServiceInputs) -> Transition:
    """The beginning of the way from what ``old`` has in service."""
    under_way = inputs.transition
    if under_way is not None and serving(inputs) is under_way.previous:
        return Transition(previous=under_way.previous, commit=under_way.commit)
    return Transition(previous=settled(inputs), commit=old.commit)


def _services(state: DesiredState) -> dict[str, tuple[Unit, ServiceInputs]]:
    """The services by name."""
    return {
        unit.inputs.service.name: (unit, unit.inputs) for unit in state.units if isinstance(unit.inputs, ServiceInputs)
    }


def _with_inputs(state: DesiredState, changed: Mapping[str, ServiceInputs]) -> DesiredState:
    """``state`` with other inputs of some units, which the same commits brought."""
    units = tuple(
        unit_of(unit.id, changed[unit.id], unit.commit) if unit.id in changed else unit for unit in state.units
    )
    return msgspec.structs.replace(state, units=units)
