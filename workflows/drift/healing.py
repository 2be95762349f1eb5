"""Which objects are put back, how, and which are left as they are, and why. Pure.

An object is put back by applying all that was delivered of it once more, with
force, and by taking off what others have added. A stack operation could not:
the API server refuses to apply over a field that somebody else has set, and
nothing that was added is ever removed by an apply.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflows.clients.kubernetes.normalise import normalise, object_id, scaled_workloads
from workflows.drift.compare import AppliedObject
from workflows.drift.findings import DriftedObject
from workflows.drift.look import Seen
from workflows.drift.owners import foreign_fields, without_fields_of

# The horizontal autoscaler runs inside the controller manager, and writes under its name.
AUTOSCALERS = frozenset({"kube-controller-manager", "horizontal-pod-autoscaler"})
_REPLICAS = "/spec/replicas"  # taken off, the API server would make it 1
_SECRET_MARK = "4dabf18193072939515e22adb298388d"  # noqa: S105 - by which the engine marks a secret in its state


@dataclass(frozen=True)
class ObjectHeal:
    """One object to be put back: ``body`` is applied, ``removals`` (JSON pointers) are taken off ``live``."""

    unit: str
    body: dict[str, Any] = field(repr=False)
    removals: tuple[str, ...] = ()
    live: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """``Deployment/boutique/cart``."""
        return object_id(self.body)


@dataclass(frozen=True)
class HealPlan:
    """What is put back, namespaces first, and why something else is left as it is: a sentence for each object."""

    heals: tuple[ObjectHeal, ...]
    left: tuple[str, ...] = ()

    @property
    def units(self) -> tuple[str, ...]:
        """The units of which something is put back, in order."""
        return tuple(sorted({heal.unit for heal in self.heals}))


def heal_plan(seen: Seen, units: Collection[str] | None, leave_to: Collection[str]) -> HealPlan:
    """How to put back what has drifted of ``units`` (None: of all). Objects of no unit are never touched."""
    others = AUTOSCALERS | set(leave_to)
    scaled = scaled_workloads(seen.live.values())
    heals: list[ObjectHeal] = []
    left: list[str] = []
    for drifted in seen.drift():
        if drifted.state == "stray" or (units is not None and drifted.unit not in units):
            continue
        applied = seen.applied[id_of(drifted)]
        live = seen.live.get(id_of(drifted))
        why = _why_left(drifted, applied, live, others)
        if why:
            left.append(f"{id_of(drifted)}: {why}")
        else:
            heals.append(_heal(applied, live, others, is_scaled=id_of(drifted) in scaled))
    return HealPlan(tuple(sorted(heals, key=_order)), tuple(left))


def id_of(drifted: DriftedObject) -> str:
    """The id of the object."""
    return "/".join(part for part in (drifted.kind, drifted.namespace, drifted.name) if part)


def _why_left(
    drifted: DriftedObject, applied: AppliedObject, live: Mapping[str, Any] | None, others: Collection[str]
) -> str:
    if live is not None and live["metadata"].get("deletionTimestamp"):
        return "is being deleted"
    if _holds_mark(applied.body):
        return "holds a secret that only the engine can read"
    owners = {one.by for one in drifted.fields}
    if drifted.fields and owners <= set(others):
        return f"set by {', '.join(sorted(owners))}, whose fields are left alone"
    return ""


def _heal(
    applied: AppliedObject, live: dict[str, Any] | None, others: Collection[str], *, is_scaled: bool
) -> ObjectHeal:
    if live is None:
        return ObjectHeal(applied.unit, applied.body)
    managed = live["metadata"].get("managedFields") or []
    foreign = foreign_fields(applied.body, normalise(live, is_scaled=is_scaled), managed)
    added = {one.pointer for one in foreign if one.change.before is None and one.manager not in others}
    body = without_fields_of(others, applied.body, managed)
    return ObjectHeal(applied.unit, body, _last_first(added - {_REPLICAS}), live)


def _last_first(pointers: Iterable[str]) -> tuple[str, ...]:
    """Later items of a list first, so that removing one does not move the next."""
    return tuple(sorted(pointers, key=_steps, reverse=True))


def _steps(pointer: str) -> list[tuple[int, str]]:
    return [(int(step) if step.isdecimal() else -1, step) for step in pointer.split("/")]


def _order(heal: ObjectHeal) -> tuple[bool, str]:
    return heal.body["kind"] != "Namespace", heal.id


def _holds_mark(value: Any) -> bool:
    if isinstance(value, dict):
        return _SECRET_MARK in value or any(map(_holds_mark, value.values()))
    return isinstance(value, list) and any(map(_holds_mark, value))
