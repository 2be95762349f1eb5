"""How many units of a rollout may fail. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from policies.shares import Share, rounded_down
from workflows.fleet.models import FAILED, NEEDS_OPERATOR, FleetState


@dataclass(frozen=True)
class Budget:
    """``failed`` of ``total`` units have failed (and were not retried with success), ``allowed`` may."""

    failed: int
    allowed: int
    total: int

    @property
    def is_exceeded(self) -> bool:
        """Whether more have failed than may."""
        return self.failed > self.allowed

    def __str__(self) -> str:
        """For a person."""
        return f"{self.failed:,} of {self.total:,} units failed, {self.allowed:,} may"


def allowed_failures(share: Share, total: int) -> int:
    """How many of ``total`` units may fail; a percentage is rounded down, so that it is never more than it says."""
    return rounded_down(share, total)


def budget_of(state: FleetState) -> Budget:
    """What is left of the budget. Units that were taken back after they had been delivered have not failed."""
    failed = state.marks.count(FAILED) + state.marks.count(NEEDS_OPERATOR)
    return Budget(failed, state.limits.allowed_failures, len(state.units))
