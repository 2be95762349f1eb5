"""What `adx explain` tells. Pure data; it may be shown to anybody who may read the declarations."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from policies.spec import Spec

# In the order in which a person wants to know them.
How = Literal["called by", "reached by", "read by", "used by", "on for", "named by", "overridden by", "tested by"]


class Place(Spec):
    """Where something is declared: ``path`` in the document, ``line`` from 1; 0 when the whole file is meant."""

    file: str
    path: str = ""
    line: int = 0


class ObjectRow(Spec):
    """One Kubernetes object; ``namespace`` is empty for what belongs to the whole cluster."""

    kind: str
    name: str
    namespace: str = ""


class Consumer(Spec):
    """Who would notice a change, and how it is connected; ``file`` declares the connection."""

    kind: Literal["service", "tenant", "flag", "test"]
    name: str
    how: How
    file: str


class Delivered(Spec):
    """The unit as the ledger knows it; ``is_as_declared`` when its inputs are the ones explained here."""

    status: str
    commit: str
    rollout: str
    at: datetime
    is_as_declared: bool


class UnitRollout(Spec):
    """One rollout that touched the unit."""

    id: str
    status: str
    kind: str
    commit: str
    requested_by: str
    started_at: datetime


class UnitExplanation(Spec):
    """One unit in one environment. ``digest`` is that of its inputs; ``rollouts`` are the last, newest first."""

    environment: str
    unit: str
    declared: Place
    owner: str
    digest: str
    objects: tuple[ObjectRow, ...]
    consumers: tuple[Consumer, ...] = ()
    delivered: Delivered | None = None
    rollouts: tuple[UnitRollout, ...] = ()


class RuleRow(Spec):
    """One policy that looks at this kind of thing, by id, and what it demands in a sentence."""

    id: str
    what: str


class Explanation(Spec):
    """The answer. ``kind`` is the kind of the declaration; ``commit`` is None when files were read as they are.

    ``value`` is the JSON text of a plain value that was asked for, masked where
    it may be a secret. ``rules`` judge declarations, ``checks`` the objects.
    ``no_rollouts`` says why the ledger was not read; empty when it was.
    """

    asked: str
    commit: str | None
    place: Place
    kind: str
    title: str
    value: str = ""
    notes: tuple[str, ...] = ()
    units: tuple[UnitExplanation, ...] = ()
    rules: tuple[RuleRow, ...] = ()
    checks: tuple[RuleRow, ...] = ()
    no_rollouts: str = ""
