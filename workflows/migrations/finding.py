"""What an operation works with: its targets, the scripts of its commits, who may change a database now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
from temporalio import activity

from policies.errors import DeclarationError
from policies.git_errors import CommitMissing
from policies.git_tree import GitTree
from policies.loader import read_databases
from policies.migrations.model import ScriptSet
from policies.migrations.targets import MigrationTarget, Targets
from policies.tree_layout import layout_of
from workflows.ledger.migrations_claims import ClaimedTarget, TargetClaim
from workflows.migrations.errors import ScriptsMissing
from workflows.migrations.models import BatchRequest, MigrationLease, TargetRequest
from workflows.runtime import Runtime

SETS_KEPT = 16
NOT_NAMED = "whoever asked to lose data"


class Scripts:
    """The scripts of commits, read once each by a worker; a commit that is not there is fetched."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._known: dict[str, asyncio.Task[dict[str, ScriptSet]]] = {}

    async def of(self, commits: Sequence[str], database: str) -> ScriptSet:
        """The scripts of ``database`` in the first commit, and later versions that only the others have.

        What a rollback takes back may be in the older commit alone. Raises ScriptsMissing, DeclarationError.
        """
        found = [one[database] for commit in commits if database in (one := await self._read(commit))]
        if not found:
            raise ScriptsMissing(
                f"there are no scripts of {database} in {', '.join(one[:12] for one in commits)}",
                next_step="look at infra/databases/ of these commits",
            )
        return joined(found)

    async def _read(self, commit: str) -> dict[str, ScriptSet]:
        task = self._known.get(commit)
        if task is None:
            while len(self._known) >= SETS_KEPT:
                self._known.pop(next(iter(self._known)))
            task = self._known[commit] = asyncio.create_task(self._loaded(commit))
        try:
            # Shielded: others wait for the same, whoever is cancelled.
            return await asyncio.shield(task)
        except Exception:
            if self._known.get(commit) is task:
                del self._known[commit]
            raise

    async def _loaded(self, commit: str) -> dict[str, ScriptSet]:
        try:
            return await asyncio.to_thread(self._load, commit)
        except CommitMissing:
            await self._runtime.repository.fetch()
            return await asyncio.to_thread(self._load, commit)

    def _load(self, commit: str) -> dict[str, ScriptSet]:
        tree = GitTree.open(self._runtime.repository.path, commit)
        databases, problems = read_databases(tree, layout_of(tree.entries()).scripts)
        if problems:
            raise DeclarationError(tuple(problems))
        return databases


def joined(sets: Sequence[ScriptSet]) -> ScriptSet:
    """The first set, with the versions above its newest that the others have. Pure."""
    whole = sets[0]
    for other in sets[1:]:
        later = other.between(whole.newest, other.newest)
        whole = msgspec.structs.replace(whole, migrations=(*whole.migrations, *later))
    return whole


async def targets_in(runtime: Runtime, lease: MigrationLease, digest: str) -> Targets:
    """The body of an operation."""
    return await runtime.bodies.get(digest, Targets, lease.environment)


def claim_of(lease: MigrationLease) -> TargetClaim:
    """The claim of this attempt at the activity."""
    info = activity.info()
    return TargetClaim(
        environment=lease.environment,
        operation_id=lease.operation_id,
        holder=f"{info.workflow_id}.{info.workflow_run_id}.{info.activity_id}.{info.attempt}",
        environment_token=lease.environment_token,
    )


def claimed(target: MigrationTarget) -> ClaimedTarget:
    """What the ledger keeps of a target from its claim on."""
    return ClaimedTarget(target=target.id, scripts=target.scripts, engine=target.engine, tenants=list(target.tenants))


def accepted_by(request: TargetRequest | BatchRequest) -> str:
    """Who answers for rows that are lost; empty: nobody."""
    return (request.accepted_by or NOT_NAMED) if request.accepts_loss else ""


def is_cancel_wanted() -> bool:
    """Whether somebody asked for the activity to be cancelled: not that its worker stops or another has taken over."""
    details = activity.cancellation_details()
    return details is not None and details.cancel_requested
