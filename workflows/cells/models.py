"""Durable inputs and results of delivering one cell of tenants. Only ever add fields, with defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

UnitOutcome = Literal["delivered", "restored", "needs-operator"]


@dataclass(frozen=True)
class CellLease:
    """The claim of a rollout on an environment, under which the cells of its tenants may be claimed."""

    environment: str
    rollout_id: str
    environment_token: int


@dataclass(frozen=True)
class CellRequest:
    """Bring ``units`` of the cell ``stack`` from the base state to the desired one (both digests of bodies).

    ``settled`` are units of this cell that this rollout has brought to the
    desired state before and that stay there. ``is_undo`` brings ``units``,
    which were delivered before, back to the base state. ``turn`` tells
    attempts apart that a person asked for (a retry of a unit).
    """

    lease: CellLease
    stack: str
    base_state: str | None
    desired_state: str
    units: list[str]
    settled: list[str] = field(default_factory=list)
    is_undo: bool = False
    turn: int = 0


@dataclass(frozen=True)
class UnitResult:
    """What became of one unit, and why when it was not delivered."""

    unit: str
    outcome: UnitOutcome
    why: str = ""


@dataclass(frozen=True)
class CellResult:
    """What became of every unit that was asked for, in the order of their names.

    ``snapshot`` stays empty: only deliveries of earlier versions have named a body here.
    """

    stack: str
    results: list[UnitResult]
    snapshot: str = ""
