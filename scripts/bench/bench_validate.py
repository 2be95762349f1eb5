"""What ``adx validate`` costs beside merely loading the same files, and finding one change among 10,000 tenants.

Each run is a process of its own, as a user's is; both sides pay for starting Python.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from policies.change_set import diff
from policies.git_tree import GitTree
from policies.incremental import resolve_commit
from scripts.bench import tenant_repository
from scripts.bench.rows import Row, absolute, paired, repeat_pairs

VALIDATE, MEMORY, CHANGE = "validate.10000_tenants", "validate.memory", "change_set.one_of_10000_tenants"
TENANTS, RUNS = 10_000, 5
LOAD = """
import pathlib, sys, yaml
for path in sorted(pathlib.Path(sys.argv[1]).glob("*/**/*.yaml")):
    yaml.load(path.read_bytes(), yaml.CSafeLoader)
"""


def rows(only: str) -> list[Row]:
    """The figures whose names contain ``only``."""
    if not any(only in name for name in (VALIDATE, MEMORY, CHANGE)):
        return []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tenant_repository.make_repository(folder, TENANTS)
        return [*_validate(folder), _change(folder)]


def _validate(folder: Path) -> list[Row]:
    peaks_mb: list[float] = []

    def ours() -> float:
        seconds, peak_mb = _timed([sys.executable, "-m", "pipelines.cli", "validate", "--repo", str(folder)])
        peaks_mb.append(peak_mb)
        return seconds

    pairs = repeat_pairs(ours, lambda: _timed([sys.executable, "-c", LOAD, str(folder)])[0], RUNS)
    return [paired(VALIDATE, pairs, "s", "yaml.CSafeLoader alone", 1.5), absolute(MEMORY, peaks_mb, "MB", 400)]


def _timed(command: list[str]) -> tuple[float, float]:
    """Seconds, and the largest resident memory (10⁶ bytes) of the process or any child of it."""
    measure = (
        "import resource, subprocess, sys; "
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
    )
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", measure, *command], check=True, capture_output=True, text=True)
    seconds = time.perf_counter() - begun
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): kilobytes on Linux, bytes on macOS
    return seconds, int(done.stdout) * unit / 1e6


def _change(folder: Path) -> Row:
    """From commit to change set with one tenant changed, the state delivered before at hand."""
    before = resolve_commit(GitTree.open(folder, "HEAD"), "development", None)
    values = []
    for number in range(RUNS):
        name = tenant_repository.tenant_name(number)
        path = folder / "tenants" / f"{name}.yaml"
        path.write_text(tenant_repository.tenant_document(number, cpu="3"), "utf-8")
        commit = tenant_repository.commit(folder, f"Change {name}")
        begun = time.perf_counter()
        after = resolve_commit(GitTree.open(folder, commit), "development", before)
        change_set = diff(before, after)
        values.append(time.perf_counter() - begun)
        if [change.unit for change in change_set.changes] != [f"tenant/{name}"]:
            raise SystemExit(f"the change set is not the one tenant that changed: {change_set.changes}")
        before = after
    return absolute(CHANGE, values, "s", 0.5)
