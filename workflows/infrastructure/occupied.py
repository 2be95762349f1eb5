"""Namespaces that others made: a delivery would take them over, its restore would remove them with all they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.metadata import MANAGED_BY, MANAGED_BY_LABEL
from policies.desired_state import DesiredState
from policies.listing import first_of
from workflows.clients.kubernetes import Cluster
from workflows.clients.kubernetes.normalise import ENVIRONMENT_LABEL
from workflows.errors import NamespaceOccupied

NAMES_SHOWN = 3
# So many are asked for one by one, which needs no right to list all of the cluster's.
ASKED_SINGLY = 20


@dataclass(frozen=True, slots=True)
class Occupied:
    """A namespace of others. ``manager``: what its label says manages it; ``environment``: whose of ADX's it is."""

    name: str
    manager: str = ""
    environment: str = ""


async def occupied_namespaces(
    cluster: Cluster, previous: DesiredState | None, desired: DesiredState
) -> tuple[Occupied, ...]:
    """Those that ``desired`` has and ``previous`` has not, that exist, and that ADX did not make for the environment.

    Asks nothing where none is new. Raises the errors of the cluster.
    """
    new = sorted(_namespaces(desired) - (_namespaces(previous) if previous is not None else set()))
    found = [body for body in await _living(cluster, new) if body["metadata"]["name"] in new]
    others = made_by_others(found, desired.environment)
    return tuple(_occupied(body) for body in found if body["metadata"]["name"] in others)


async def refuse_occupied(cluster: Cluster, previous: DesiredState | None, desired: DesiredState) -> None:
    """Raises NamespaceOccupied where there are such namespaces, and the errors of the cluster."""
    if occupied := await occupied_namespaces(cluster, previous, desired):
        raise NamespaceOccupied(what_is_occupied(occupied), next_step=way_out(desired.environment, occupied[0]))


def made_by_others(namespaces: Iterable[Mapping[str, Any]], environment: str) -> set[str]:
    """The names of ``namespaces`` that ADX's labels do not give to ``environment``. Pure."""
    return {body["metadata"]["name"] for body in namespaces if not _is_of(body, environment)}


def what_is_occupied(found: Sequence[Occupied]) -> str:
    """The sentence about them."""
    listed = first_of([_described(one) for one in found], NAMES_SHOWN)
    return (
        f"others have made {listed}: ADX would take over what exists there, "
        "and a restore would remove it with all it holds"
    )


def way_out(environment: str, one: Occupied) -> str:
    """What to do about one of them."""
    if one.environment:
        return f"declare another namespace, or take it out of {one.environment} and deliver that first"
    labels = f"{MANAGED_BY_LABEL}={MANAGED_BY} {ENVIRONMENT_LABEL}={environment}"
    overwrite = "--overwrite " if one.manager else ""
    ended = f"once {one.manager} has let go of it, " if one.manager and one.manager != MANAGED_BY else ""
    return (
        f"declare another namespace; or, {ended}give it to ADX, which may then remove it with all it holds: "
        f"kubectl label {overwrite}namespace {one.name} {labels}"
    )


async def _living(cluster: Cluster, names: Sequence[str]) -> list[dict[str, Any]]:
    if len(names) > ASKED_SINGLY:
        return await cluster.live_objects("", ("Namespace",))
    bodies = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]
    return [one for one in await asyncio.gather(*map(cluster.find, bodies)) if one is not None]


def _occupied(body: Mapping[str, Any]) -> Occupied:
    labels = _labels(body)
    return Occupied(body["metadata"]["name"], labels.get(MANAGED_BY_LABEL, ""), labels.get(ENVIRONMENT_LABEL, ""))


def _described(one: Occupied) -> str:
    if one.environment:
        return f"{one.name} (of ADX's environment {one.environment})"
    return f"{one.name} (managed by {one.manager})" if one.manager else one.name


def _is_of(body: Mapping[str, Any], environment: str) -> bool:
    labels = _labels(body)
    return labels.get(MANAGED_BY_LABEL) == MANAGED_BY and labels.get(ENVIRONMENT_LABEL) == environment


def _labels(body: Mapping[str, Any]) -> Mapping[str, str]:
    return body["metadata"].get("labels") or {}


def _namespaces(state: DesiredState) -> set[str]:
    return {unit.inputs.namespace for unit in state.units}
