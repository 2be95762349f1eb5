"""Durable inputs and results of taking in a merge. Only ever add fields, with defaults."""

from __future__ import annotations

from dataclasses import dataclass, field

from workflows.rollout.models import Receipt, Source


@dataclass(frozen=True)
class Intake:
    """A commit (a full id; empty: the head of the branch) to be submitted to its environments.

    ``environments`` names some; empty means all that the commit declares.
    """

    commit: str
    requested_by: str
    source: Source
    environments: list[str] = field(default_factory=list)
    force: bool = False


@dataclass(frozen=True)
class TakenIn:
    """What each environment said."""

    commit: str
    receipts: list[Receipt] = field(default_factory=list)
