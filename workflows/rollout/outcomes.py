"""Pure: which end a change has that was not delivered, and what is told of its restore."""

from __future__ import annotations

from workflows.guarded import Failure
from workflows.models import Outcome
from workflows.rollout.models import REFUSALS, RestoreResult


def not_delivered(failure: Failure, *, was_restored: bool) -> Outcome:
    """The end after ``failure``, where nothing is left to an operator."""
    if failure.is_cancelled:
        return "cancelled"
    if was_restored:
        return "restored"
    return "refused" if failure.error_type in REFUSALS else "failed"


def told_of(restored: RestoreResult) -> str:
    """What is added to the failure's own words: why the restore failed, or what it has kept; empty otherwise."""
    if not restored.verified:
        return f"; the restore failed at {restored.failed_step}: {restored.failure}"
    return f"; {restored.kept}" if restored.kept else ""
