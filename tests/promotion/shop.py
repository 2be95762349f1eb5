"""A shop with two environments for tests of promotions: a bare repository, a real ledger, a GitHub on a local port.

Deliveries are written into the ledger as a rollout ends there, without a cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import text

from pipelines.cli.promote import promote
from policies.desired_state import resolve
from policies.git_tree import GitTree
from policies.loader import load
from tests.explain.command import Ran, run
from tests.loading.repositories import Repository, base_files
from tests.support.github_server import GitHubServer
from workflows.ledger import Ledger, environments, fencing, rollouts, steps, units
from workflows.ledger.models import NewRollout, UnitStatus
from workflows.ledger.units import UnitState

SOURCE, TARGET = "development", "production"
BRANCH = "adx/promote-development-to-production"
TOKEN = "canary-promotion-token-93ab"
SERVICES, CONFIGURATION, FLAGS, ENVIRONMENT = (
    f"environments/{{}}/{name}.yaml" for name in ("services", "configuration", "flags", "environment")
)


@dataclass
class Shop:
    """``files`` are those of the next commit."""

    ledger: Ledger
    ledger_url: str
    folder: Path
    server: GitHubServer
    files: dict[str, bytes] = field(default_factory=base_files)
    rollouts: int = 0

    def __post_init__(self) -> None:
        self.repository = Repository(self.folder / "origin.git")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace what is there exactly once."""
        content = self.files[path].decode()
        assert content.count(old) == 1, f"{old!r} in {path}"
        self.files[path] = content.replace(old, new).encode()

    def append(self, path: str, text_: str) -> None:
        """Add at the end."""
        self.files[path] += text_.encode()

    def commit(self) -> str:
        """Commit the files on the main branch."""
        head = self.head("main")
        return self.repository.commit(self.files, parents=(head,) if head else ())

    def head(self, branch: str) -> str | None:
        """The head of a branch of the origin."""
        found = self.repository.git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
        return found or None

    def at(self, branch: str, path: str) -> str:
        """A file as ``branch`` has it."""
        return self.repository.git("show", f"{branch}:{path}") + "\n"

    async def deliver(self, commit: str, environment: str = SOURCE, *, tests: bool = True) -> str:
        """Write into the ledger what a delivery of ``commit`` leaves there; the rollout's id."""
        rollout, token = await self._start(commit, environment)
        state = resolve(load(GitTree(self.repository.path, commit)), environment, commit)
        known = {one.unit: one for one in await units.units_of(self.ledger, environment)}
        changed = [
            UnitState(unit=unit.id, status="applied", digest=unit.digest, commit=commit)
            for unit in state.units
            if unit.id not in known or known[unit.id].digest != unit.digest
        ]
        await steps.begin(self.ledger, rollout, "test")
        await steps.finish(self.ledger, rollout, "test", "succeeded" if tests else "skipped")
        await units.record(self.ledger, environment, rollout, changed, fencing_token=token)
        await environments.record_delivered(
            self.ledger, environment, commit=commit, state_digest="d" * 64, snapshot=None, fencing_token=token
        )
        await rollouts.finish(self.ledger, rollout, "delivered")
        return rollout

    async def fail(
        self, commit: str, unit: str, status: UnitStatus = "restored", *, after: tuple[UnitStatus, ...] = ()
    ) -> str:
        """Write into the ledger what a failed delivery of one unit leaves there, last ``status``; the rollout's id."""
        rollout, token = await self._start(commit, SOURCE)
        (before,) = [one for one in await units.units_of(self.ledger, SOURCE) if one.unit == unit]
        for one in (*after, status):
            state = UnitState(unit=unit, status=one, digest=before.digest, commit=before.commit)
            await units.record(self.ledger, SOURCE, rollout, [state], fencing_token=token)
        if status == "frozen":
            await environments.freeze(self.ledger, SOURCE, reason="the restore failed", rollout_id=rollout)
        await rollouts.finish(self.ledger, rollout, "needs-operator" if status == "frozen" else "restored")
        return rollout

    async def start(self, commit: str) -> str:
        """Begin a rollout that does not end."""
        return (await self._start(commit, SOURCE))[0]

    async def age(self, days: int) -> None:
        """Let everything in the ledger have happened earlier."""
        async with self.ledger.transaction() as connection:
            for table in ("units", "rollout_units"):
                shift = f"UPDATE {table} SET updated_at = updated_at - make_interval(days => :days)"
                await connection.execute(text(shift), {"days": days})
            for table, column in (("rollouts", "started_at"), ("unit_history", "at")):
                shift = f"UPDATE {table} SET {column} = {column} - make_interval(days => :days)"
                await connection.execute(text(shift), {"days": days})

    async def promote(self, *arguments: str, hosted: bool = True, settings: Mapping[str, str] | None = None) -> Ran:
        """`adx promote development production …`."""
        hosting = self.server.environment(TOKEN) if hosted else {}
        own = {
            "ADX_LEDGER_URL": self.ledger_url,
            "ADX_REPO": str(self.repository.path),
            "ADX_HOME": str(self.folder / "home"),
            "ADX_ACTOR": "ana",
            "GITHUB_TOKEN": "",
            **hosting,
            **(settings or {}),
        }
        words = arguments if arguments and not arguments[0].startswith("-") else (SOURCE, TARGET, *arguments)
        ended = await asyncio.to_thread(run, promote, *words, **own)
        assert TOKEN not in ended.out + ended.err
        return ended

    async def _start(self, commit: str, environment: str) -> tuple[str, int]:
        self.rollouts += 1
        rollout = f"rollout-{self.rollouts}"
        new = NewRollout(
            id=rollout, environment=environment, kind="deliver", commit=commit, requested_by="ana", source="cli"
        )
        await rollouts.start(self.ledger, new)
        return rollout, await fencing.acquire(self.ledger, environment, rollout)
