"""Durable values that all workflows share. Only ever add fields, with defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

RolloutKind = Literal["deliver", "rollback", "heal"]
Outcome = Literal[
    "delivered",
    "partly-delivered",
    "nothing-to-change",
    "restored",
    "cancelled",
    "superseded",
    "refused",
    "failed",
    "needs-operator",
]
StepStatus = Literal["pending", "running", "succeeded", "failed", "cancelled", "skipped"]


@dataclass(frozen=True)
class Timeouts:
    """How long activities may take. ``heartbeat_seconds`` is how soon a dead worker is noticed."""

    read_seconds: float = 120
    apply_seconds: float = 3600
    heartbeat_seconds: float = 15
    migrate_seconds: float = 30 * 86_400

    def for_migrations(self) -> Timeouts:
        """``migrate_seconds`` for what changes something.

        A backfill or a dump takes as long as the data are many; that a worker is dead, its heartbeat tells.
        """
        return replace(self, apply_seconds=self.migrate_seconds)


@dataclass
class StepProgress:
    """One step as a query shows it; times are ISO 8601 UTC."""

    name: str
    status: StepStatus = "pending"
    message: str = ""
    started_at: str = ""
    finished_at: str = ""
