"""Durable inputs and results of waiting for workloads. Only ever add fields, with defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DeployRequest:
    """Wait until the workloads of ``services`` in ``desired_state`` (a digest) run their declared version.

    ``services`` None means all services of that state; ``round_number`` is that of the restore.
    """

    environment: str
    rollout_id: str
    desired_state: str
    services: tuple[str, ...] | None
    is_restore: bool = False
    round_number: int = 0


@dataclass(frozen=True)
class Deployed:
    """All of ``services`` are ready."""

    services: tuple[str, ...]
