"""What a submission means: which commit, whether it may be delivered, what it declares."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from policies.desired_state import DesiredState
from policies.errors import DeclarationError
from policies.git_tree import GitTree
from policies.incremental import resolve_commit
from policies.infrastructure.spec import EnvironmentSpec
from policies.loader import load_environment
from workflows.errors import RolloutRefused
from workflows.ledger import audit, environments, history, quarantine
from workflows.ledger.models import AuditEntry
from workflows.rollout.activity_models import Choice, ChooseRequest
from workflows.rollout.models import Submission
from workflows.runtime import Runtime


async def choose(runtime: Runtime, request: ChooseRequest) -> Choice:
    """The next submission: a rollback before any delivery, else the newest deliverable commit, else a heal.

    Submissions whose commit the chosen one contains are settled with it. So are
    heals: what they were asked for is looked at again when the delivery is over.
    """
    for submission in request.submissions:
        if submission.kind == "rollback":
            return Choice(submission, [other for other in request.submissions if other != submission])
    deliveries = [submission for submission in request.submissions if submission.kind != "heal"]
    if not deliveries:
        return Choice(await _newest_heal(runtime, request.submissions))
    await runtime.repository.fetch()
    wanted = [submission for submission in deliveries if await _is_wanted(runtime, submission)]
    if not wanted:
        return Choice(await _newest_heal(runtime, request.submissions))
    newest = await runtime.repository.newest([submission.commit for submission in wanted])
    chosen = next(submission for submission in wanted if submission.commit == newest)
    for submission in wanted:
        if submission.commit != newest:
            await _note(runtime, submission, "submission.coalesced", f"delivered with {newest}")
    return Choice(chosen)


async def target_of(runtime: Runtime, submission: Submission) -> str:
    """The full commit id to deliver. Raises RolloutRefused when there is nothing to roll back to."""
    if submission.commit:
        return submission.commit
    now = await environments.find(runtime.ledger, submission.environment)
    delivered = now.delivered_commit if now else None
    previous = await history.delivered_before(runtime.ledger, submission.environment, delivered)
    if previous is None:
        raise RolloutRefused(
            f"{submission.environment} has no earlier delivery to go back to",
            next_step=f"see `adx history {submission.environment}`; name a commit with --to",
        )
    return previous.commit


async def check_deliverable(runtime: Runtime, submission: Submission, commit: str, delivered: str | None) -> None:
    """Raise RolloutRefused (or an error of the mirror) when ``commit`` must not be delivered."""
    await runtime.repository.fetch()
    await runtime.repository.check_contains(commit)
    if submission.force or submission.kind == "rollback":
        return
    quarantined = await quarantine.find(runtime.ledger, submission.environment, commit)
    if quarantined is not None:
        raise RolloutRefused(
            f"{commit[:12]} is quarantined in {submission.environment}: {quarantined.reason}",
            next_step="merge a correction, or `adx deploy --force` to try the same commit again",
        )
    if delivered is not None:
        await runtime.repository.check_fast_forward(delivered, commit)


async def read_commit(
    runtime: Runtime, commit: str, environment: str, previous: DesiredState | None
) -> tuple[DesiredState, EnvironmentSpec]:
    """The desired state of ``environment`` at ``commit`` and its rules, from git objects."""

    def read() -> tuple[DesiredState, EnvironmentSpec]:
        tree = GitTree.open(runtime.repository.path, commit)
        return resolve_commit(tree, environment, previous), load_environment(tree, environment)

    try:
        return await asyncio.to_thread(read)
    except DeclarationError as error:
        first = error.problems[0]
        raise RolloutRefused(
            f"{error} at {commit[:12]}, first {first.file}:{first.line}:{first.column}: {first.what}",
            next_step=f"run `adx validate --ref {commit[:12]}`, correct and merge again",
        ) from error


async def _newest_heal(runtime: Runtime, submissions: Sequence[Submission]) -> Submission | None:
    """The heal that was asked for last, of what is delivered now: an older one knows less."""
    heals = [submission for submission in submissions if submission.kind == "heal"]
    if not heals:
        return None
    known = await environments.find(runtime.ledger, heals[-1].environment)
    return heals[-1] if known is not None and known.delivered_commit == heals[-1].commit else None


async def _is_wanted(runtime: Runtime, submission: Submission) -> bool:
    known = await environments.find(runtime.ledger, submission.environment)
    delivered = known.delivered_commit if known else None
    if submission.force:
        return True
    if submission.commit == delivered:
        return False
    if (quarantined := await quarantine.find(runtime.ledger, submission.environment, submission.commit)) is not None:
        await _note(runtime, submission, "submission.quarantined", quarantined.reason)
        return False
    if delivered is not None and await runtime.repository.is_ancestor(submission.commit, delivered):
        await _note(runtime, submission, "submission.outdated", f"{delivered} contains it already")
        return False
    return True


async def _note(runtime: Runtime, submission: Submission, action: str, why: str) -> None:
    entry = AuditEntry(
        key=f"{action}:{submission.environment}:{submission.commit}:{submission.source}",
        actor=audit.escape_name(submission.requested_by),
        source=submission.source,
        action=action,
        environment=submission.environment,
        commit=submission.commit,
        detail={"why": why},
    )
    await audit.append(runtime.ledger, entry)
