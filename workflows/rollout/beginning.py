"""How a rollout begins in the ledger. Every part may be repeated."""

from __future__ import annotations

from workflows.ledger import rollouts
from workflows.ledger.errors import RolloutNotFound
from workflows.ledger.models import NewRollout
from workflows.rollout.models import Submission
from workflows.runtime import Runtime


async def begin(
    runtime: Runtime, rollout_id: str, submission: Submission, commit: str, base_commit: str | None = None
) -> None:
    """Write that ``submission`` is being delivered, which means ``commit``."""
    new = NewRollout(
        id=rollout_id,
        environment=submission.environment,
        kind=submission.kind,
        commit=commit,
        requested_by=submission.requested_by,
        source=submission.source,
        base_commit=base_commit,
    )
    await rollouts.start(runtime.ledger, new)


async def begin_if_unknown(runtime: Runtime, rollout_id: str, submission: Submission) -> None:
    """A rollout that ended before its commit was even known has no row yet; its end needs one."""
    try:
        await rollouts.find(runtime.ledger, rollout_id)
    except RolloutNotFound:
        await begin(runtime, rollout_id, submission, submission.commit or "unknown")
