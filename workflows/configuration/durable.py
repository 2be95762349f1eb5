"""Durable inputs and results of the workflows that deliver configuration.

They live on in workflow histories: only ever add fields, with defaults. No
value of a key is ever in them, only names, digests and counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from workflows.models import StepProgress, Timeouts

UPDATE_STEPS = ("validate", "back up", "apply", "notify", "health")


@dataclass(frozen=True)
class ConfigurationUpdate:
    """Bring the store to what the units of ``state`` hold (the digest of a body), on behalf of a rollout.

    ``base_state`` is what was delivered before, ``delivery`` the digest of the rules; ``by`` who asked.
    """

    environment: str
    rollout_id: str
    state: str
    base_state: str | None
    delivery: str
    by: str
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True)
class Checked:
    """What would change: how many values, and of which services."""

    values: int
    services: list[str]


@dataclass(frozen=True)
class BackedUp:
    """``plan`` is the digest of the body with every change and what was there before."""

    plan: str
    values: int
    services: list[str]


@dataclass(frozen=True)
class PlannedUpdate:
    """An update and the plan of it; ``is_undo`` where its restore is meant."""

    update: ConfigurationUpdate
    plan: str
    is_undo: bool = False


@dataclass(frozen=True)
class Written:
    """``is_announced`` is False where no shared cache is configured."""

    values: int
    is_announced: bool


@dataclass(frozen=True)
class Notified:
    """Services that acknowledged, and why the others did not."""

    acknowledged: list[str] = field(default_factory=list)
    silent: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Healthy:
    """Services whose probes held, and conditions that did."""

    services: list[str]
    gates: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ConfigurationRestore:
    """Bring back what was there before the update of ``rollout_id`` to ``state``, however far that came."""

    environment: str
    rollout_id: str
    state: str
    by: str
    round_number: int = 1
    timeouts: Timeouts = Timeouts()


@dataclass(frozen=True)
class ConfigurationRestored:
    """``verified``: every value was read back and is what it was. ``warning`` says what else went wrong."""

    verified: bool
    values: int = 0
    failure: str = ""
    warning: str = ""


@dataclass
class UpdateStatus:
    """An update as a query shows it, and how it ended: ``outcome`` is empty while it runs."""

    environment: str
    rollout_id: str
    outcome: str = ""
    summary: str = ""
    failure: str = ""
    failed_step: str = ""
    notified: Notified = Notified()
    steps: list[StepProgress] = field(default_factory=lambda: [StepProgress(name) for name in UPDATE_STEPS])
