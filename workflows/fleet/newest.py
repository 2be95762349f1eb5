"""What the branch declares now of a rollout under way: a freeze that was merged since then holds it too."""

from __future__ import annotations

import asyncio

from policies.errors import DeclarationError
from policies.findings import environment_file
from policies.git_errors import RepositoryUnreachable
from policies.git_tree import GitTree
from policies.infrastructure.spec import EnvironmentSpec
from policies.loader import load_environment
from workflows.errors import AdxValidationError
from workflows.runtime import Runtime
from workflows.telemetry import logs


async def newest_rules(runtime: Runtime, environment: str) -> EnvironmentSpec | None:
    """The rules of ``environment`` at the head of the branch; None where the branch no longer has it.

    While the repository is away, those of the head that is known. Raises
    AdxValidationError when they cannot be understood: then nobody knows
    whether there is a freeze.
    """
    try:
        head = await runtime.repository.fetch()
    except RepositoryUnreachable as error:
        head = runtime.repository.head_ref
        logs.logger().warning("freezes are read from what was fetched before", why=str(error))

    def read() -> EnvironmentSpec | None:
        tree = GitTree.open(runtime.repository.path, head)
        has_rules = environment_file(environment, "environment") in tree.entries()
        return load_environment(tree, environment) if has_rules else None

    try:
        return await asyncio.to_thread(read)
    except DeclarationError as error:
        first = error.problems[0]
        raise AdxValidationError(
            f"nobody can tell whether a freeze holds {environment}: {first.file}:{first.line}: {first.what}",
            next_step="correct the file and merge; the rollout goes on by itself then",
        ) from error
