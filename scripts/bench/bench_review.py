"""What previewing a change of one tenant costs in a repository of 1,000, beside one bare ``pulumi preview``.

Both plan the stack in which the tenant lives, on the same API server, in turns.
Ours also reads both sides of the pull request, merges them, asks the ledger
what is delivered and makes the report; the policy check is measured by itself.
Only that stack is delivered before: no other is looked at.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from infra.engine import Engine, EngineSettings
from pipelines.preview.changes import read
from pipelines.preview.gather import Gatherer
from pipelines.preview.markdown import markdown
from pipelines.preview.policy import PolicyAnswer
from pipelines.preview.report import Report
from policies.desired_state import DesiredState, tenant_unit_id
from policies.git_tree import GitTree
from policies.incremental import resolve_commit
from policies.placement import part_of, stack_of
from scripts.bench.bare_pulumi import BarePulumi
from scripts.bench.bench_engine import running_stack
from scripts.bench.fleet_repository import FleetRepository
from scripts.bench.rows import Row, paired
from scripts.bench.tenant_repository import git, tenant_name
from workflows.bodies import Bodies
from workflows.ledger import Ledger, environments, fencing, rollouts
from workflows.ledger.models import NewRollout
from workflows.snapshots import open_store

NAME = "preview.one_of_1000_tenants"
TENANTS, CHANGED, RUNS = 1_000, 500, 7


def rows(only: str) -> list[Row]:
    """The figure, if its name contains ``only``."""
    if only not in NAME:
        return []
    with running_stack() as environ, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure(os.environ | environ, Path(folder)))


@dataclass(frozen=True)
class _Bench:
    environ: dict[str, str]
    repository: FleetRepository
    before: DesiredState
    after: DesiredState
    stack: str

    async def ours(self) -> float:
        """Seconds from two refs to the Markdown. Ends the run when the report is not whole."""
        begun = time.perf_counter()
        change = read(self.repository.work, "main", "topic")
        names = change.chosen(())
        previews, _ = await Gatherer(change, self.environ, lambda _: None).preview(names, PolicyAnswer)
        report = Report(
            base=change.base,
            head=change.head,
            merged=change.merged.commit,
            base_ref="main",
            head_ref="topic",
            environments=tuple(preview.report for preview in previews),
        )
        markdown(report)
        seconds = time.perf_counter() - begun
        if report.verdict != "ok" or len(report.environments[0].resources) == 0:
            raise SystemExit(f"not the preview of one tenant: {report}")
        return seconds


async def _measure(environ: dict[str, str], folder: Path) -> list[Row]:
    bench = await _prepared(environ, folder)
    settings = EngineSettings.from_environment(bench.environ)
    part_before, part_after = part_of(bench.before, bench.stack), part_of(bench.after, bench.stack)
    await Engine(settings, bench.stack).up(part_before)
    bare = BarePulumi(settings, bench.environ, folder, bench.stack)
    bare.timed(part_before, "up", "--yes")
    await bench.ours()
    bare.timed(part_after, "preview")
    pairs = []
    for number in range(RUNS):
        theirs = await asyncio.to_thread(bare.timed, part_after, "preview") if number % 2 else 0.0
        ours = await bench.ours()
        pairs.append((ours, theirs or await asyncio.to_thread(bare.timed, part_after, "preview")))
    return [paired(NAME, pairs, "s", "pulumi preview", 1.3)]


async def _prepared(environ: dict[str, str], folder: Path) -> _Bench:
    """A repository with one changed tenant on a branch, and a ledger that says that main is delivered."""
    name = f"p{uuid.uuid4().hex[:6]}"
    repository = FleetRepository(folder, name, TENANTS)
    repository.declare(pods=5)
    main = repository.push("first")
    git(repository.work, "checkout", "--quiet", "-b", "topic")
    repository.declare_one(CHANGED, pods=9)
    git(repository.work, "commit", "--quiet", "--all", "--message", "more pods")
    environ |= {
        "ADX_HOME": str(folder / "home"),
        "ADX_SNAPSHOT_STORE": (folder / "snapshots").as_uri(),
        "PULUMI_BACKEND_URL": f"file://{folder / 'backend'}",
    }
    before = resolve_commit(GitTree.open(repository.work, main), name, None)
    after = resolve_commit(GitTree.open(repository.work, "topic"), name, before)
    await _record(environ, name, before)
    stack = stack_of(tenant_unit_id(tenant_name(CHANGED)), name, before.cells)
    return _Bench(environ, repository, before, after, stack)


async def _record(environ: dict[str, str], name: str, state: DesiredState) -> None:
    async with await Ledger.open(environ["ADX_LEDGER_URL"]) as ledger:
        await ledger.migrate()
        new = NewRollout(
            id=f"bench-{name}",
            environment=name,
            kind="deliver",
            commit=state.commit,
            requested_by="bench",
            source="cli",
        )
        await rollouts.start(ledger, new)
        token = await fencing.acquire(ledger, name, new.id)
        digest = await Bodies(open_store(environ)).put(state, name)
        await environments.record_delivered(
            ledger, name, commit=state.commit, state_digest=digest, snapshot=None, fencing_token=token
        )
