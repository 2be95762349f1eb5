"""Pure: which inputs a cell is fed, which unit an error belongs to, and whether a cluster holds what is declared."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from infra.engine.events import unit_of as unit_of_urn
from infra.errors import Diagnostic
from infra.metadata import CONTENT_LABEL, VERSION_LABEL
from infra.render import render_unit
from policies.desired_state import DesiredState, Unit
from policies.findings import environment_file, tenant_file
from policies.placement import part_of, stack_of
from workflows.clients.kubernetes.normalise import object_id, unit_of
from workflows.errors import RolloutRefused

LONGEST_REASON = 400
# In place of a blob id: the declaration of a unit that lags behind counts as not read, so that the next resolution
# cannot take the unit for settled.
NEVER_READ = "0" * 40
Revision = tuple[str, str]


def mixed(base: DesiredState | None, desired: DesiredState, renewed: Collection[str]) -> DesiredState:
    """``base`` in which exactly the units ``renewed`` are as in ``desired``; a unit that is in neither is in none."""
    older, newer = (base.by_id() if base is not None else {}), desired.by_id()
    chosen = {id_: unit for id_, unit in older.items() if id_ not in renewed}
    chosen |= {id_: unit for id_, unit in newer.items() if id_ in renewed}
    behind = {id_ for id_ in older.keys() | newer.keys() if _digest(chosen, id_) != _digest(newer, id_)}
    return msgspec.structs.replace(
        desired,
        units=tuple(chosen[id_] for id_ in sorted(chosen)),
        sources=desired.sources | {_path(id_, desired.environment): NEVER_READ for id_ in behind},
    )


def _path(unit_id: str, environment: str) -> str:
    """A declaration of the unit that a resolution reads again as soon as it looks different."""
    is_tenant = unit_id.startswith("tenant/")
    return tenant_path(unit_id) if is_tenant else environment_file(environment, "services")


def _digest(units: Mapping[str, Unit], id_: str) -> str:
    return units[id_].digest if id_ in units else ""


def tenant_path(unit_id: str) -> str:
    """The declaration of a tenant's unit."""
    return tenant_file(unit_id.removeprefix("tenant/"))


def check_placement(before: DesiredState | None, after: DesiredState) -> None:
    """Raise RolloutRefused when tenants that are delivered would have to move to another stack.

    A move would be a deletion here and a creation there.
    """
    if before is None or before.cells == after.cells:
        return
    moving = [unit.id for unit in before.units if unit.id.startswith("tenant/") and _moves(unit.id, before, after)]
    if moving:
        raise RolloutRefused(
            f"rollout.cells changes from {before.cells} to {after.cells}: {len(moving)} delivered tenant(s) would have "
            f"to move to another stack, {moving[0]} among them, which would delete and create them anew",
            next_step=f"keep rollout.cells at {before.cells}",
        )


def _moves(unit_id: str, before: DesiredState, after: DesiredState) -> bool:
    return stack_of(unit_id, before.environment, before.cells) != stack_of(unit_id, after.environment, after.cells)


def cell_inputs(base: DesiredState | None, desired: DesiredState, renewed: Collection[str], stack: str) -> DesiredState:
    """What the stack of one cell is fed when ``renewed`` are new and all its other tenants stay as they are."""
    return part_of(mixed(base, desired, renewed), stack)


def failures_by_unit(diagnostics: Iterable[Diagnostic], units: Collection[str]) -> dict[str, str]:
    """The first error of each of ``units``.

    An error that belongs to no unit concerns all of them, and so does a failure without any error. One that belongs
    to another tenant of the cell concerns none: what became of ``units`` is seen in the cluster.
    """
    found: dict[str, str] = {}
    told = list(diagnostics)
    if not told:
        return dict.fromkeys(units, "the engine failed without saying why")
    for diagnostic in told:
        unit = unit_of_urn(diagnostic.urn)
        reason = " ".join(diagnostic.message.split())[:LONGEST_REASON]
        for concerned in [unit] if unit in units else ([] if unit else units):
            found.setdefault(concerned, reason)
    return found


def unverified(units: Mapping[str, Unit | None], live: Iterable[Mapping[str, object]]) -> dict[str, str]:
    """Why the cluster does not hold what is declared, for those of ``units`` (None: to be gone) where that is so.

    Every rendered object must be there with the label that names its content
    (the namespace: the unit's inputs), and nothing else of the unit may be.
    """
    found: dict[str, dict[str, tuple[Revision, bool]]] = {}
    for item in live:
        metadata: dict[str, dict[str, str]] = item["metadata"]  # type: ignore[assignment] # as the API server gives it
        is_going = "deletionTimestamp" in metadata
        found.setdefault(unit_of(item), {})[object_id(item)] = (_revision(metadata.get("labels") or {}), is_going)
    reasons = {id_: _reason(unit, found.get(id_, {})) for id_, unit in units.items()}
    return {id_: reason for id_, reason in reasons.items() if reason}


def standing(live: Iterable[Mapping[str, object]]) -> set[str]:
    """The units whose namespace is there and is not being deleted: what is in it has not been touched."""
    found: set[str] = set()
    for item in live:
        metadata: dict[str, dict[str, str]] = item["metadata"]  # type: ignore[assignment] # as the API server gives it
        if item["kind"] == "Namespace" and "deletionTimestamp" not in metadata:
            found.add(unit_of(item))
    return found


def _revision(labels: Mapping[str, str]) -> Revision:
    """What an object says of its version: exactly one of the two is given."""
    return labels.get(VERSION_LABEL, ""), labels.get(CONTENT_LABEL, "")


def _reason(unit: Unit | None, found: Mapping[str, tuple[Revision, bool]]) -> str:
    if unit is None:
        return f"{len(found)} object(s) are still there, {min(found)} among them" if found else ""
    expected = {object_id(body): _revision(body["metadata"]["labels"]) for body in render_unit(unit)}
    if missing := sorted(expected.keys() - found.keys()):
        return f"{missing[0]} is missing"
    if more := sorted(found.keys() - expected.keys()):
        return f"{more[0]} is still there"
    stale = sorted(name for name, (revision, is_going) in found.items() if revision != expected[name] or is_going)
    return f"{stale[0]} is not what was declared" if stale else ""
