"""Services whose version a change set lowers without saying so. Pure.

A rollout that is asked to deliver refuses them, previews say so. A rollback
lowers versions by design, and is not asked.
"""

from __future__ import annotations

from policies.change_set import ChangeSet
from policies.desired_state import ServiceInputs
from policies.services.lowering import lowering
from policies.spec import Spec


class Lowered(Spec):
    """A service, and what is wrong with its version."""

    service: str
    what: str


def lowered_versions(change_set: ChangeSet) -> tuple[Lowered, ...]:
    """What is wrong, by the name of the service."""
    found = []
    for change in change_set.changes:
        old, new = (unit.inputs if unit is not None else None for unit in (change.before, change.after))
        if isinstance(old, ServiceInputs) and isinstance(new, ServiceInputs):
            what = lowering(old.service, new.service)
            if what is not None:
                found.append(Lowered(service=new.service.name, what=what))
    return tuple(found)
