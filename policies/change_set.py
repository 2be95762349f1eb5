"""Desired state × desired state → change set. Pure data, stable order.

``apply(diff(a, b), a)`` equals ``b`` and ``diff(a, a)`` is empty.
"""

from __future__ import annotations

from typing import Literal

from policies.desired_state import Unit
from policies.spec import Spec


class FieldChange(Spec):
    """One leaf that differs; ``path`` is dotted, ``before``/``after`` are JSON text, None where absent."""

    path: str
    before: str | None
    after: str | None


class UnitChange(Spec):
    """What happens to one unit. ``before`` is None when added, ``after`` None when removed."""

    unit: str
    action: Literal["add", "change", "remove"]
    before: Unit | None
    after: Unit | None
    fields: tuple[FieldChange, ...] = ()


class ChangeSet(Spec):
    """The typed difference between two desired states, ordered by unit id."""

    environment: str
    base_commit: str | None
    commit: str
    changes: tuple[UnitChange, ...]
