"""What environment.yaml says about drift, at the commit that is delivered, and whether anything hinders healing."""

from __future__ import annotations

import asyncio
from datetime import datetime

from policies.git_errors import CommitMissing
from policies.git_tree import GitTree
from policies.infrastructure.spec import EnvironmentSpec
from policies.loader import load_environment
from workflows.drift.judging import hindrance
from workflows.ledger import quarantine
from workflows.ledger.models import Environment
from workflows.runtime import Runtime


async def delivered_rules(runtime: Runtime, environment: str, commit: str) -> EnvironmentSpec:
    """``environment.yaml`` as it was delivered. Raises CommitMissing, RepositoryUnreachable, DeclarationError."""

    def read() -> EnvironmentSpec:
        return load_environment(GitTree.open(runtime.repository.path, commit), environment)

    try:
        return await asyncio.to_thread(read)
    except CommitMissing:  # this worker has not fetched since
        await runtime.repository.fetch()
        return await asyncio.to_thread(read)


async def hindrance_now(runtime: Runtime, known: Environment, rules: EnvironmentSpec, now: datetime) -> str:
    """Why nothing of the environment may be healed now; empty where it may."""
    commit = known.delivered_commit or ""
    return hindrance(known, await quarantine.find(runtime.ledger, known.name, commit), rules, now)
