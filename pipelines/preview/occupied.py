"""Namespaces that others made, into which a merge would deliver: a rollout refuses them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from policies.desired_state import DesiredState, TenantInputs
from policies.errors import Problem
from policies.findings import environment_file, tenant_file
from workflows.infrastructure.occupied import Occupied, way_out, what_is_occupied

RULE = "infrastructure.occupied-namespace"


def occupied(after: DesiredState, found: Iterable[Occupied]) -> tuple[Problem, ...]:
    """One problem for each namespace of ``found``, at the document that declares it."""
    return tuple(
        Problem(
            file=_declared_in(after, one.name),
            line=0,
            column=0,
            path="",
            what=what_is_occupied([one]),
            fix=way_out(after.environment, one),
            rule=RULE,
        )
        for one in found
    )


def _declared_in(state: DesiredState, namespace: str) -> str:
    for unit in state.units:
        if isinstance(unit.inputs, TenantInputs) and unit.inputs.namespace == namespace:
            return tenant_file(unit.id.partition("/")[2])
    return environment_file(state.environment, "environment")
