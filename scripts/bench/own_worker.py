"""A worker of a benchmark's own on a running stack: its settings, its process, and a rollout through it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from workflows.client import Workflows
from workflows.intake.models import Intake

READY_WITHIN_SECONDS = 60
LOOK_INTERVAL_SECONDS = 0.02


def own_settings(folder: Path, name: str, repository: Path) -> dict[str, str]:
    """What keeps the benchmark ``name`` apart from everything else on the stack; all of it lies in ``folder``."""
    return {
        "ADX_HOME": str(folder / "home"),
        "ADX_REPO": str(repository),
        "ADX_TASK_QUEUE": f"bench-{name}",
        "ADX_SNAPSHOT_STORE": (folder / "snapshots").as_uri(),
        "PULUMI_BACKEND_URL": f"file://{folder / 'engine-backend'}",
        "ADX_POLL_SECONDS": "0",
    }


def start_worker(environ: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    """A worker process of its own that is ready for work; its log goes to ``folder``."""
    file = folder / "worker.log"
    with file.open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "worker", "--listen", "127.0.0.1:0"],
            env=environ,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    deadline = time.monotonic() + READY_WITHIN_SECONDS
    while b"worker ready" not in file.read_bytes():
        if worker.poll() is not None or time.monotonic() > deadline:
            worker.kill()
            raise SystemExit(f"the worker does not start: {file.read_text(errors='replace')[-500:]}")
        time.sleep(0.05)
    return worker


async def timed_rollout(client: Workflows, environment: str, commit: str) -> float:
    """Seconds from the submission to the recorded end. Ends the run when the rollout did not deliver."""
    begun = time.perf_counter()
    await client.deploy(Intake(commit, "bench", "cli", [environment]))
    while True:
        status = await client.environment_status(environment)
        if status.last is not None and status.last.commit == commit and not status.current:
            break
        await asyncio.sleep(LOOK_INTERVAL_SECONDS)
    if status.last.outcome not in ("delivered", "nothing-to-change"):
        raise SystemExit(f"the rollout ended as {status.last.outcome}: {status.last.failure}")
    return time.perf_counter() - begun
