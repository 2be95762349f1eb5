"""What a guarded rollout costs beside one bare ``pulumi up`` of the same change, and what an idle worker holds.

Both deliver this repository's development environment (about 110 resources),
each under a name of its own, changing one feature flag per run, in turns. The
rollout is timed from the submission to its recorded end, as a user sees it.

Uses the stack in ``ADX_TEST_STACK_HOME`` when that is set, otherwise starts one.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import uuid
from pathlib import Path

import psutil

from infra.engine import EngineSettings
from policies.desired_state import DesiredState
from policies.git_tree import GitTree
from policies.incremental import resolve_commit
from scripts.bench.bare_pulumi import BarePulumi
from scripts.bench.bench_engine import running_stack
from scripts.bench.own_worker import own_settings, start_worker, timed_rollout
from scripts.bench.rows import Row, absolute, paired
from workflows.client import Workflows
from workflows.connection import connect

ROOT = Path(__file__).resolve().parents[2]
ROLLOUT, IDLE, AFTER = "rollout.guarded", "worker.idle_memory", "worker.memory_after_rollouts"
RUNS = 7
IDENTITY = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com")


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``."""
    if not any(only in name for name in (ROLLOUT, IDLE, AFTER)):
        return []
    with running_stack() as environ, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measure({**os.environ, **environ}, Path(folder)))


async def _measure(environ: dict[str, str], folder: Path) -> list[Row]:
    name = uuid.uuid4().hex[:6]
    repository = _Repository(folder, f"ours{name}", f"bare{name}")
    environ |= own_settings(folder, name, repository.remote)
    worker = start_worker(environ, folder)
    try:
        return await _compare(environ, folder, repository, worker)
    finally:
        worker.send_signal(signal.SIGTERM)
        await asyncio.to_thread(worker.wait)


async def _compare(
    environ: dict[str, str], folder: Path, repository: _Repository, worker: subprocess.Popen[bytes]
) -> list[Row]:
    client = Workflows(await connect(environ), environ["ADX_TASK_QUEUE"])
    settings = EngineSettings.from_environment(environ)
    bare = BarePulumi(settings, environ, folder, repository.bare)
    idle_mb = await _idle_memory_mb(worker)
    commit = repository.change()
    await timed_rollout(client, repository.ours, commit)
    bare.timed(repository.state(commit), "up", "--yes")
    pairs = []
    for number in range(RUNS):
        commit = repository.change()
        state = repository.state(commit)
        if number % 2:
            theirs = await asyncio.to_thread(bare.timed, state, "up", "--yes")
            pairs.append((await timed_rollout(client, repository.ours, commit), theirs))
        else:
            ours = await timed_rollout(client, repository.ours, commit)
            pairs.append((ours, await asyncio.to_thread(bare.timed, state, "up", "--yes")))
    return [
        paired(ROLLOUT, pairs, "s", "pulumi up --yes", 1.5),
        absolute(IDLE, [idle_mb], "MB", 200),
        absolute(AFTER, [await _idle_memory_mb(worker)], "MB", 200),
    ]


async def _idle_memory_mb(worker: subprocess.Popen[bytes]) -> float:
    """Resident memory of the worker process once it has settled, in 10⁶ bytes."""
    await asyncio.sleep(5)
    return float(psutil.Process(worker.pid).memory_info().rss) / 1e6


class _Repository:
    """Two environments with the content of development, in one bare remote."""

    def __init__(self, folder: Path, ours: str, bare: str) -> None:
        self.ours, self.bare = ours, bare
        self.remote, self._work = folder / "remote.git", folder / "work"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self.remote), cwd=folder)
        self._git("init", "--quiet", "--initial-branch=main", str(self._work), cwd=folder)
        self._git("remote", "add", "origin", str(self.remote))
        for name in (ours, bare):
            self._copy_environment(name)
        self._copy_tenants()
        self._is_on = True

    def change(self) -> str:
        """Flip one flag in both environments and push; the commit id."""
        self._is_on = not self._is_on
        for name in (self.ours, self.bare):
            flags = self._work / "environments" / name / "flags.yaml"
            value = "true" if self._is_on else "false"
            flags.write_text(re.sub(r"(    enabled: )\w+", rf"\g<1>{value}", flags.read_text(), count=1))
        self._git("add", "--all")
        self._git(*IDENTITY, "commit", "--quiet", "--allow-empty", "--message", "change one flag")
        self._git("push", "--quiet", "origin", "HEAD:main")
        return self._git("rev-parse", "HEAD")

    def state(self, commit: str) -> DesiredState:
        """What the baseline is fed."""
        return resolve_commit(GitTree.open(self._work, commit), self.bare, None)

    def _copy_environment(self, name: str) -> None:
        for path in sorted((ROOT / "environments" / "development").glob("*.yaml")):
            text = path.read_text().replace("environment: development", f"environment: {name}")
            text = text.replace("name: development", f"name: {name}")
            text = re.sub(r"^namespace: .*$", f"namespace: boutique-{name}", text, flags=re.M)
            target = self._work / "environments" / name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    def _copy_tenants(self) -> None:
        """Tenants of development, living in both of ours instead; what they override elsewhere is left out."""
        shutil.copytree(ROOT / "tenants", self._work / "tenants")
        for path in (self._work / "tenants").glob("*.yaml"):
            text = re.sub(r"^overrides:\n(?:[ #].*\n|\n)*", "", path.read_text(), flags=re.M)
            names = f"environments: [{self.ours}, {self.bare}]\n"
            path.write_text(re.sub(r"^environments:.*\n(?:  - .*\n)*", names, text, flags=re.M))

    def _git(self, *arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(["git", *arguments], cwd=cwd or self._work, check=True, capture_output=True, text=True)
        return done.stdout.strip()
