"""What a check for drift finds. Pure data; values that may be secret are masked before they get here."""

from __future__ import annotations

from typing import Literal

from policies.spec import Spec

ObjectState = Literal["changed", "missing", "stray"]
Status = Literal["as-delivered", "drifted", "rollout-under-way", "nothing-delivered", "unchecked"]

_WORDS: dict[ObjectState, str] = {"changed": "changed", "missing": "missing", "stray": "of no unit"}


class DriftedField(Spec):
    """One value, as the cluster has it and as it was delivered, as JSON text; None where it is absent.

    ``by`` is the field manager that has set it, as the API server knows it (``kubectl-edit``); empty when nobody has.
    """

    path: str
    live: str | None
    delivered: str | None
    by: str = ""


class DriftedObject(Spec):
    """One object that is not as it was delivered.

    A stray carries ADX's labels for the environment and belongs to none of its
    units; its ``unit`` is what its own label says, or empty.
    """

    unit: str
    kind: str
    name: str
    state: ObjectState
    namespace: str = ""
    fields: tuple[DriftedField, ...] = ()


class EnvironmentDrift(Spec):
    """One environment. ``commit`` is what was delivered last, ``rollout`` the one under way.

    ``reason`` says why nothing was compared, ``next_step`` what to do about
    that; ``notes`` are what else to know.
    """

    environment: str
    status: Status
    commit: str = ""
    objects: tuple[DriftedObject, ...] = ()
    compared: int = 0
    rollout: str = ""
    reason: str = ""
    next_step: str = ""
    notes: tuple[str, ...] = ()


def sentence(found: EnvironmentDrift) -> str:
    """How the environment stands, in a line: ``2 changed, 1 missing``."""
    if found.status == "as-delivered":
        return f"as delivered: {found.compared} objects compared"
    if found.status == "drifted":
        counts = {state: sum(one.state == state for one in found.objects) for state in _WORDS}
        return ", ".join(f"{count} {_WORDS[state]}" for state, count in counts.items() if count)
    if found.status == "unchecked":
        return f"could not be checked: {found.reason.partition(chr(10))[0]}"
    return found.reason
