"""Namespaces that others made: a delivery would take them over, its restore would remove them with all they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infra.metadata import MANAGED_BY, MANAGED_BY_LABEL
from policies.desired_state import DesiredState
from workflows.clients.kubernetes import Cluster
from workflows.clients.kubernetes.normalise import ENVIRONMENT_LABEL

NAMES_SHOWN = 3


async def occupied_namespaces(cluster: Cluster, previous: DesiredState | None, desired: DesiredState) -> list[str]:
    """Those that ``desired`` has and ``previous`` has not, that exist, and that ADX did not make for the environment.

    Asks once for all of them, and not at all where none is new. Raises the errors of the cluster.
    """
    new = _namespaces(desired) - (_namespaces(previous) if previous is not None else set())
    if not new:
        return []
    return sorted(made_by_others(await cluster.live_objects("", ("Namespace",)), desired.environment) & new)


def made_by_others(namespaces: Iterable[Mapping[str, Any]], environment: str) -> set[str]:
    """The names of ``namespaces`` that ADX's labels do not give to ``environment``. Pure."""
    return {body["metadata"]["name"] for body in namespaces if not _is_of(body, environment)}


def what_is_occupied(namespaces: Sequence[str]) -> str:
    """The sentence about them."""
    listed = ", ".join(namespaces[:NAMES_SHOWN])
    others = f" and {len(namespaces) - NAMES_SHOWN} more" if len(namespaces) > NAMES_SHOWN else ""
    return (
        f"others have made {listed}{others}: ADX would take over what exists there, "
        "and a restore would remove it with all it holds"
    )


def way_out(environment: str, namespace: str) -> str:
    """What to do about the first of them."""
    labels = f"{MANAGED_BY_LABEL}={MANAGED_BY} {ENVIRONMENT_LABEL}={environment}"
    return f"declare another namespace; or give it to ADX for good: kubectl label namespace {namespace} {labels}"


def _is_of(body: Mapping[str, Any], environment: str) -> bool:
    labels = body["metadata"].get("labels") or {}
    return labels.get(MANAGED_BY_LABEL) == MANAGED_BY and labels.get(ENVIRONMENT_LABEL) == environment


def _namespaces(state: DesiredState) -> set[str]:
    return {unit.inputs.namespace for unit in state.units}
