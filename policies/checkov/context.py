"""What is handed to a policy check: the changed objects of each environment, and what the rules must know beside them.

Pure. :func:`context_of` is the file that :mod:`policies.checkov.surroundings` reads::

    {"environments": {name: {"region", "max_change_percent", "max_replicas", "delivered_replicas": {unit: number}}}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import field

from policies.checkov.spec import EnvironmentPolicies, PoliciesSpec
from policies.desired_state import DesiredState, ServiceInputs
from policies.spec import Spec


class EnvironmentManifests(Spec):
    """Rendered objects of one environment: those of the units that change, by unit id.

    ``is_whole`` when ``units`` are all there are, so that a waiver that
    matches nothing is known to be of no use. ``delivered_replicas`` is what
    runs now (:func:`delivered_replicas`), empty where nothing does.
    """

    environment: str
    region: str
    units: dict[str, tuple[dict[str, Any], ...]]
    is_whole: bool = False
    delivered_replicas: dict[str, int] = field(default_factory=dict)


def delivered_replicas(state: DesiredState | None) -> dict[str, int]:
    """The replicas of each service of ``state`` by unit id, the fewest where an autoscaler decides."""
    found: dict[str, int] = {}
    for unit in state.units if state is not None else ():
        if isinstance(unit.inputs, ServiceInputs):
            service = unit.inputs.service
            found[unit.id] = service.autoscaling.min_replicas if service.autoscaling else service.replicas or 0
    return found


def context_of(environments: Sequence[EnvironmentManifests], spec: PoliciesSpec) -> Mapping[str, Any]:
    """What the rules know about each environment."""
    return {"environments": {given.environment: _facts(given, spec) for given in environments}}


def _facts(given: EnvironmentManifests, spec: PoliciesSpec) -> Mapping[str, Any]:
    bounds = spec.environments.get(given.environment, EnvironmentPolicies()).replicas
    return {
        "region": given.region,
        "max_change_percent": bounds.max_change_percent,
        "max_replicas": bounds.max,
        "delivered_replicas": given.delivered_replicas,
    }
