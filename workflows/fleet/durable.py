"""Durable inputs and results of the workflow that delivers a fleet. Only ever add fields, with defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from workflows.cells.models import CellLease, CellRequest
from workflows.fleet.models import FleetOutcome, FleetState, Summary
from workflows.models import Timeouts


@dataclass(frozen=True)
class FleetPlanRequest:
    """Plan the waves from ``base_state`` to ``desired_state``, by the rules in ``delivery`` (all digests of bodies)."""

    environment: str
    rollout_id: str
    base_state: str
    desired_state: str
    delivery: str


@dataclass(frozen=True)
class FleetPlan:
    """The state before anything is done, the stack of each unit, and how many cells may work side by side."""

    state: FleetState
    stacks: dict[str, str]
    cells_at_once: int = 3


@dataclass(frozen=True)
class FleetInput:
    """Deliver the tenants of one rollout.

    ``plan`` is carried from run to run, None before the first; so is
    ``started_at`` (ISO 8601), and ``superseded_by``, what is to take this
    fleet's place once it may. A run hands over to the next when its history
    has ``events_per_run`` events, or when the server suggests it, which is
    mostly before that.
    """

    lease: CellLease
    base_state: str
    desired_state: str
    delivery: str
    plan: FleetPlan | None = None
    turns: dict[str, int] = field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    started_at: str = ""
    events_per_run: int = 6000
    superseded_by: str = ""


@dataclass(frozen=True)
class FleetResult:
    """How it ended. ``delivered`` are the units that are new now; others are what they were, or need an operator."""

    outcome: FleetOutcome
    summary: Summary
    delivered: list[str]
    reasons: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FreezeRequest:
    """Nobody could finish ``cell``: an operator must look at the units that were asked for, and ``reason`` says why."""

    cell: CellRequest
    reason: str


@dataclass(frozen=True)
class GatesRequest:
    """Check the gates that are declared in ``delivery``.

    ``commit`` stays empty: nobody reads it, but workers of earlier versions do not understand a request without it.
    """

    environment: str
    rollout_id: str
    desired_state: str
    delivery: str
    wave: str
    is_after_bake: bool
    commit: str = ""


@dataclass(frozen=True)
class GatesAnswer:
    """``failed`` is the gate that does not hold, empty when all do; ``why`` it does not."""

    failed: str = ""
    why: str = ""


@dataclass(frozen=True)
class CalendarRequest:
    """Read the freezes and windows that are declared in ``delivery``, from ``at`` (ISO 8601) on."""

    environment: str
    delivery: str
    at: str


@dataclass(frozen=True)
class SettleRequest:
    """Keep the state in which ``delivered`` are as desired and all other units as in the base."""

    environment: str
    base_state: str
    desired_state: str
    delivered: list[str]


@dataclass(frozen=True)
class FleetDecision:
    """A person's word on a running fleet rollout. ``about`` is the wave or the unit, where it is about one."""

    by: str
    what: str
    about: str = ""
    reason: str = ""


@dataclass
class FleetStatus:
    """A fleet rollout as a query shows it: ``marks`` has a letter for each of ``units`` (see ``models``)."""

    state: FleetState | None
    busy: list[str] = field(default_factory=list)
    waiting_for: str = ""
    started_at: str = ""
