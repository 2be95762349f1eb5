"""What the engine reports about an operation. Pure data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from policies.change_set import FieldChange
from policies.desired_state import digest_of
from policies.spec import Spec

Action = Literal["create", "update", "replace", "delete"]


class ResourceChange(Spec):
    """One resource that differs. ``unit`` is the id of its unit, empty for the stack's own resources.

    ``fields`` are the inputs that differ, for updates and replacements only;
    ``replaced_because`` the top-level inputs that cannot be changed in place.
    ``component`` is the system that rendered the object, ``namespace`` where
    it is; both are empty for what is no Kubernetes object.
    """

    urn: str
    type: str
    name: str
    action: Action
    unit: str
    fields: tuple[FieldChange, ...] = ()
    component: str = ""
    namespace: str = ""
    replaced_because: tuple[str, ...] = ()


class Plan(Spec):
    """What an ``up`` would do now, ordered by URN; equal plans have equal digests."""

    changes: tuple[ResourceChange, ...]
    digest: str
    creates: int
    updates: int
    replaces: int
    deletes: int
    same: int

    @property
    def is_empty(self) -> bool:
        """Nothing would change."""
        return not self.changes


class Applied(Spec):
    """What an operation did, and the digest (SHA-256) of the state that it left."""

    changes: tuple[ResourceChange, ...]
    creates: int
    updates: int
    replaces: int
    deletes: int
    same: int
    duration_seconds: float
    state_digest: str


class Repaired(Spec):
    """What a repair found. ``completed`` are URNs whose object exists and is now in the state,

    ``dropped`` those whose object was never created, ``settled`` interrupted
    changes of objects that were in the state anyway.
    """

    pending: int
    completed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()


class Progress(Spec):
    """One step of a running operation. ``state`` of a resource, or ``message`` for a warning or error."""

    state: Literal["started", "done", "failed", "message"]
    action: str
    urn: str
    name: str
    unit: str
    message: str = ""


def count(changes: Iterable[ResourceChange], action: Action) -> int:
    """How many of ``changes`` are of this kind."""
    return sum(1 for change in changes if change.action == action)


def plan_of(changes: Iterable[ResourceChange], same: int) -> Plan:
    """The plan of ``changes``, ordered and counted."""
    ordered = tuple(sorted(changes, key=lambda change: change.urn))
    return Plan(
        changes=ordered,
        digest=digest_of(ordered),
        creates=count(ordered, "create"),
        updates=count(ordered, "update"),
        replaces=count(ordered, "replace"),
        deletes=count(ordered, "delete"),
        same=same,
    )


def applied_of(plan: Plan, duration_seconds: float, state_digest: str) -> Applied:
    """What was done, told by the plan of what happened."""
    return Applied(
        changes=plan.changes,
        creates=plan.creates,
        updates=plan.updates,
        replaces=plan.replaces,
        deletes=plan.deletes,
        same=plan.same,
        duration_seconds=duration_seconds,
        state_digest=state_digest,
    )
