"""What it costs to deliver a fleet: 100, 500 and 1,000 tenants, each five objects, verified in the cluster.

Beside it, in the same run on the same control plane: ``kubectl apply
--server-side`` of the same objects, which is the floor (it neither snapshots
nor verifies nor could restore), and for 100 tenants ``pulumi up`` of one stack with all of them (more would take
hours). A rollout is timed from the submission to its recorded end.

Takes the better part of an hour for everything; ``ONLY=fleet.100`` takes five minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import psutil

from infra.engine import EngineSettings
from infra.render import render
from policies.desired_state import DesiredState
from policies.git_tree import GitTree
from policies.incremental import resolve_commit
from scripts.bench.bare_pulumi import BarePulumi
from scripts.bench.bench_engine import running_stack
from scripts.bench.fleet_repository import FleetRepository
from scripts.bench.own_worker import own_settings, start_worker, timed_rollout
from scripts.bench.rows import Row, absolute, paired
from scripts.toolchain import resolve
from workflows.client import Workflows
from workflows.connection import connect

SIZES = {10: 0.0, 100: 20.0, 500: 122.0, 1000: 256.0}
CHANGES_OF_ONE = 5
NOTHING_LIMIT_SECONDS = 5.0  # whatever the size: the declarations that did not change are not read again
MOST_FOR_BARE_PULUMI = 100
MEMORY_LIMIT_MB = 1500.0


@dataclass
class Measured:
    """Seconds for one size; ``kubectl`` are those of the floor for the first delivery and for the change of all."""

    first: float = 0.0
    all: float = 0.0
    nothing: float = 0.0
    one: list[float] = field(default_factory=list)
    kubectl_first: float = 0.0
    kubectl_all: float = 0.0
    bare_first: float = 0.0
    bare_all: float = 0.0
    peak_mb: float = 0.0


WHAT = ("first", "all", "one", "nothing", "memory", "pulumi_first", "pulumi_all")


def names_of(size: int) -> dict[str, str]:
    """The names of the rows of one size."""
    return {what: f"fleet.{size}.{what}" for what in WHAT}


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``."""
    wanted = [size for size in SIZES if any(only in name for name in names_of(size).values())]
    if not wanted:
        return []
    if any(only in names_of(size)["one"] for size in wanted):
        wanted = sorted({10, *wanted})  # a change of one is held against the same among ten
    found: dict[int, Measured] = {}
    with running_stack() as environ, tempfile.TemporaryDirectory() as folder:
        for size in wanted:
            (Path(folder) / str(size) / "engine-backend").mkdir(parents=True)
            found[size] = asyncio.run(_measure(os.environ | environ, Path(folder) / str(size), size))
            print(f"fleet of {size}: {found[size]}", flush=True)
    return list(_rows(found))


def _rows(found: dict[int, Measured]) -> Iterator[Row]:
    for size, measured in found.items():
        names = names_of(size)
        if limit := SIZES[size]:
            yield absolute(names["first"], [measured.first], "s", limit)
            pair = [(measured.all, measured.kubectl_all)]
            yield paired(names["all"], pair, "s", "kubectl apply --server-side", 2)
            yield absolute(names["nothing"], [measured.nothing], "s", NOTHING_LIMIT_SECONDS)
            yield absolute(names["memory"], [measured.peak_mb], "MB", MEMORY_LIMIT_MB)
        if measured.bare_first:
            yield paired(names["pulumi_first"], [(measured.first, measured.bare_first)], "s", "pulumi up, one stack", 1)
            yield paired(names["pulumi_all"], [(measured.all, measured.bare_all)], "s", "pulumi up, one stack", 1)
        smallest = found.get(10)
        if smallest is not None and size > 10:
            pairs = list(zip(measured.one, smallest.one, strict=True))
            yield paired(names["one"], pairs, "s", "one of 10", 2)


async def _measure(environ: dict[str, str], folder: Path, size: int) -> Measured:
    name = f"f{uuid.uuid4().hex[:6]}"
    repository = FleetRepository(folder, name, size)
    environ |= own_settings(folder, name, repository.remote)
    worker = start_worker(environ, folder)
    try:
        with peak_memory(worker.pid) as peak:
            measured = await _deliveries(environ, repository)
        measured.peak_mb = peak.megabytes
        await asyncio.to_thread(_floor, environ, folder, repository, measured)
        if 10 < size <= MOST_FOR_BARE_PULUMI:
            await asyncio.to_thread(_bare, environ, folder, measured, size)
    finally:
        worker.terminate()
        await asyncio.to_thread(worker.wait)
    return measured


async def _deliveries(environ: dict[str, str], repository: FleetRepository) -> Measured:
    client = Workflows(await connect(environ), environ["ADX_TASK_QUEUE"])

    async def timed(message: str) -> float:
        return await timed_rollout(client, repository.environment, repository.push(message))

    measured = Measured()
    repository.declare(pods=5)
    measured.first = await timed("first")
    repository.declare(pods=6)
    measured.all = await timed("all")
    for number in range(CHANGES_OF_ONE):
        repository.declare_one(repository.tenants // 2, pods=7 + number)
        measured.one.append(await timed("one"))
    (repository.work / "README.md").write_text("nothing that is delivered\n")
    measured.nothing = await timed("nothing")
    return measured


def _bare(environ: dict[str, str], folder: Path, measured: Measured, size: int) -> None:
    """The same tenants under another environment's name, as one stack, by ``pulumi up`` as a person would type it."""
    (folder / "bare").mkdir()
    repository = FleetRepository(folder / "bare", f"b{uuid.uuid4().hex[:6]}", size)
    pulumi = BarePulumi(EngineSettings.from_environment(environ), environ, folder, repository.environment)
    seconds = []
    for pods in (5, 6):
        repository.declare(pods)
        repository.push(f"{pods} pods")
        state = resolve_commit(GitTree.open(repository.work, "HEAD"), repository.environment, None)
        seconds.append(pulumi.timed(state, "up", "--yes", "--skip-preview"))
    measured.bare_first, measured.bare_all = seconds


def _floor(environ: dict[str, str], folder: Path, repository: FleetRepository, measured: Measured) -> None:
    """Apply the same objects with kubectl, under other names of namespaces, so that all are new to the cluster."""
    state = resolve_commit(GitTree.open(repository.work, "HEAD"), repository.environment, None)
    measured.kubectl_first = _kubectl(environ, folder, state, pods="5")
    measured.kubectl_all = _kubectl(environ, folder, state, pods="6")


def _kubectl(environ: dict[str, str], folder: Path, state: DesiredState, *, pods: str) -> float:
    """Seconds that kubectl needs for the tenants of ``state`` with quotas of ``pods``."""
    tenants = msgspec.structs.replace(state, units=tuple(u for u in state.units if u.id.startswith("tenant/")))
    # As JSON, since a digest such as 12e345 without quotes is a text to PyYAML and a number to kubectl.
    text = "\n".join(json.dumps(document, indent=1) for document in render(tenants))
    text = text.replace(f"{state.environment}-tenant-", f"{state.environment}-floor-")
    file = folder / "floor.yaml"
    file.write_text(re.sub(r'"pods": "[^"]*"', f'"pods": "{pods}"', text))
    command = [
        str(resolve("kubectl").path), "--kubeconfig", environ["KUBECONFIG"], "--context", environ["ADX_KUBE_CONTEXT"],
        "apply", "--server-side", "--force-conflicts", "--filename", str(file),
    ]  # fmt: skip
    begun = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"kubectl apply failed, so there is no floor: {done.stderr[-500:]}")
    return time.perf_counter() - begun


@dataclass
class Peak:
    """The largest memory that was seen, in 10⁶ bytes."""

    megabytes: float = 0.0


@contextlib.contextmanager
def peak_memory(process_id: int) -> Iterator[Peak]:
    """Watch the memory of a process and all that it started: worker, Pulumi, provider, program hosts.

    In Linux a page that several of them share counts once (``Pss`` of proc(5)); elsewhere once for each.
    """
    peak, stop = Peak(), threading.Event()

    def watch() -> None:
        while not stop.wait(0.25):
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(process_id)
                peak.megabytes = max(peak.megabytes, _memory_mb([process, *process.children(recursive=True)]))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _memory_mb(processes: list[psutil.Process]) -> float:
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found = process.memory_full_info()
            total += getattr(found, "pss", found.rss)
    return total / 1e6
