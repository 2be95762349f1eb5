"""Plans as the engine would report them, made from what two desired states render. No server."""

from __future__ import annotations

from typing import Any

from infra.engine.differences import field_changes
from infra.engine.events import COMPONENT_LABEL
from infra.engine.plan import Plan, ResourceChange, plan_of
from infra.registration import COMPONENT_TYPES, type_token
from infra.render import render_unit
from policies.desired_state import DesiredState, Unit

FIXED = {"Deployment": ("spec.selector",), "Service": ("spec.clusterIP",)}  # beside name and namespace


def plan_between(before: DesiredState | None, after: DesiredState | None) -> Plan:
    """What an ``up`` from ``before`` to ``after`` would do."""
    old, new = _objects(before), _objects(after)
    changes = [change for urn in old.keys() | new.keys() if (change := _change(urn, old.get(urn), new.get(urn)))]
    return plan_of([*changes, *_components(before, after)], same=len(old.keys() & new.keys()) - len(changes))


def _objects(state: DesiredState | None) -> dict[str, tuple[Unit, dict[str, Any]]]:
    return {
        f"urn:pulumi:test::adx::{type_token(body)}::{unit.id}/{body['metadata']['name']}": (unit, body)
        for unit in (state.units if state else ())
        for body in render_unit(unit)
    }


def _change(
    urn: str, old: tuple[Unit, dict[str, Any]] | None, new: tuple[Unit, dict[str, Any]] | None
) -> ResourceChange | None:
    unit, body = new or old  # type: ignore[misc]
    fields = field_changes(old[1], new[1]) if old and new else ()
    if old and new and not fields:
        return None
    fixed = ("metadata.name", "metadata.namespace", *FIXED.get(body["kind"], ()))
    because = tuple(path for path in fixed if any(field.path.startswith(path) for field in fields))
    return ResourceChange(
        urn=urn,
        type=type_token(body),
        name=urn.rsplit("::", 1)[-1],
        action=("replace" if because else "update") if old and new else ("create" if new else "delete"),
        unit=unit.id,
        fields=fields,
        component=body["metadata"]["labels"][COMPONENT_LABEL],
        namespace=body["metadata"].get("namespace", ""),
        replaced_because=because,
    )


def _components(before: DesiredState | None, after: DesiredState | None) -> list[ResourceChange]:
    """The stack's own rows, which no report shows."""
    old = {unit.id for unit in before.units} if before else set()
    new = {unit.id for unit in after.units} if after else set()
    return [
        ResourceChange(
            urn=f"urn:pulumi:test::adx::{COMPONENT_TYPES[id_.partition('/')[0]]}::{id_}",
            type=COMPONENT_TYPES[id_.partition("/")[0]],
            name=id_,
            action="create" if id_ in new else "delete",
            unit=id_,
        )
        for id_ in sorted(old ^ new)
    ]
