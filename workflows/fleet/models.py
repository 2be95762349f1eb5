"""Durable values of a fleet rollout: its waves, its state, and what the machine asks for.

The state lives on in workflow histories: only ever add fields, with defaults.
It is made for thousands of units: one letter of ``marks`` is what became of one
of them. Times in it are whole seconds since 1970 in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

BeyondBudget = Literal["stop", "restore_wave", "restore_all"]
Phase = Literal["deliver", "check", "checking", "bake", "recheck", "rechecking", "next"]
Ending = Literal[
    "",
    "over-budget",
    "gate-failed",
    "rejected",
    "approval-expired",
    "superseded",
    "cancelled",
]
UnitEnd = Literal["delivered", "restored", "skipped", "untouched", "needs-operator"]
FailedUnitEnd = Literal["restored", "needs-operator"]
FleetOutcome = Literal[
    "delivered",
    "partly-delivered",
    "stopped",
    "restored",
    "rejected",
    "superseded",
    "cancelled",
    "needs-operator",
]

# Names of waves beside those of the steps, which are their numbers from 1. The core is delivered before a fleet begins.
CORE, CANARIES, REMOVALS, CORE_REMOVALS = "core", "canaries", "removals", "core-removals"

# The letters of FleetState.marks.
PENDING = "."
STARTED = "s"
CANCELLING = "x"  # under way like STARTED; written by earlier versions only
UNPROVEN = "n"  # delivered, and its wave's gates and bake not yet over
DELIVERED = "d"
RESTORING = "b"
FAILED = "r"  # failed, and restored by its own delivery
TAKEN_BACK = "w"  # delivered, then restored with its wave or with all
NEEDS_OPERATOR = "o"
SKIPPED = "k"

KEPT_RECORDS = 50


@dataclass(frozen=True)
class FleetUnit:
    """A unit of a fleet and what happens to it: ``tenant/<name>``, or a ``service/<name>`` that goes away."""

    id: str
    action: Literal["add", "change", "remove"] = "change"


@dataclass(frozen=True)
class Wave:
    """Units that are delivered together, in the order in which they start."""

    name: str
    units: tuple[str, ...]
    needs_approval: bool = False


@dataclass(frozen=True)
class Stage:
    """A wave within the state: the next ``size`` of its units."""

    name: str
    size: int
    needs_approval: bool = False


@dataclass(frozen=True)
class FleetLimits:
    """What holds for the whole rollout. ``approvers`` are user names; ``roles`` has the role by which somebody may.

    An approval expires after ``approval_within_seconds`` (0: never). The
    calendar is read again before each wave, and when it was read
    ``calendar_fresh_seconds`` ago (0: only where it is known no further).
    """

    max_parallel: int = 5
    bake_seconds: int = 0
    allowed_failures: int = 0
    beyond_budget: BeyondBudget = "restore_wave"
    has_gates: bool = False
    has_calendar: bool = False
    approvers: list[str] = field(default_factory=list)
    approval_within_seconds: int = 0
    calendar_fresh_seconds: int = 0
    roles: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Closed:
    """Nothing is started from ``begins_at`` until ``ends_at``; ``why`` is for a person."""

    begins_at: int
    ends_at: int
    why: str


@dataclass(frozen=True)
class Calendar:
    """When nothing is started, known from ``known_from`` until ``known_until``; ``closed`` in order, apart."""

    known_from: int
    known_until: int
    closed: list[Closed] = field(default_factory=list)


@dataclass(frozen=True)
class DecisionTaken:
    """What a person decided; ``about`` is the wave or the unit, if it was about one."""

    at: int
    by: str
    what: str
    about: str = ""
    reason: str = ""


@dataclass(frozen=True)
class UnitFailure:
    """Why a unit failed, and how it was left."""

    unit: str
    end: FailedUnitEnd
    reason: str


@dataclass(frozen=True)
class FleetState:
    """A fleet rollout, whole.

    ``units`` are in the order of their waves; the first ``opened`` waves may be
    delivered, the last of them is the current one; ``asked`` is the wave that
    an approval was last asked for, at ``asked_at``. ``decisions`` and
    ``failures`` hold the last KEPT_RECORDS; the ledger has all. ``waits_for`` is
    always empty: earlier versions wrote it.
    """

    units: list[str]
    marks: str
    waves: list[Stage]
    limits: FleetLimits
    waits_for: dict[str, list[int]] = field(default_factory=dict)
    phase: Phase = "next"
    opened: int = 0
    bake_ends_at: int = 0
    asked: str = ""
    approved: list[str] = field(default_factory=list)
    is_paused: bool = False
    calendar: Calendar | None = None
    is_calendar_asked: bool = False
    overridden_until: int = 0
    ending: Ending = ""
    ending_reason: str = ""
    outcome: FleetOutcome | None = None
    decisions: list[DecisionTaken] = field(default_factory=list)
    failures: list[UnitFailure] = field(default_factory=list)
    asked_at: int = 0


@dataclass(frozen=True)
class StartUnits:
    """Deliver each unit by itself; each answers with ``unit_succeeded`` or ``unit_failed``."""

    units: tuple[str, ...]


@dataclass(frozen=True)
class RestoreUnits:
    """Bring delivered units back; each answers with ``unit_restored`` or ``restore_failed``."""

    units: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class CheckGates:
    """Check all gates; answered by ``gate_passed`` or ``gate_failed``. ``units`` are those to be proven."""

    wave: str
    units: tuple[str, ...]
    is_after_bake: bool


@dataclass(frozen=True)
class AskApproval:
    """Ask one of ``approvers`` for the wave; answered by ``approve``, ``reject`` or ``approval_expired``."""

    wave: str
    approvers: tuple[str, ...]


@dataclass(frozen=True)
class ReadCalendar:
    """Read freezes and windows (see :func:`workflows.fleet.calendar.read_calendar`); answered by ``calendar_read``."""


@dataclass(frozen=True)
class WaitUntil:
    """Ask again at ``at`` at the latest; replaces an earlier one."""

    at: datetime
    why: str


@dataclass(frozen=True)
class Summary:
    """How many units ended how, and why the rollout ended before its last wave, if it did."""

    text: str
    delivered: int
    restored: int
    skipped: int
    untouched: int
    needs_operator: int
    ending: Ending = ""
    reason: str = ""


@dataclass(frozen=True)
class Finish:
    """The end: no unit is under way. What else is (a check, a question, a timer) may be dropped."""

    outcome: FleetOutcome
    summary: Summary


Action = StartUnits | RestoreUnits | CheckGates | AskApproval | ReadCalendar | WaitUntil | Finish


@dataclass(frozen=True)
class Next:
    """What is to be done now, and the state in which it has been asked for."""

    state: FleetState
    actions: tuple[Action, ...]
