"""What checking policies costs beside checkov alone on the same objects.

Ours reads the policies from git, masks the objects, starts checkov, judges its
verdicts and finds the lines. The baseline is checkov's own command. It is told
not to fetch its guidelines: without a connection, waiting for them would make
it look slower than it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from infra.render import render_unit
from policies.checkov.checking import check_manifests
from policies.checkov.context import EnvironmentManifests, delivered_replicas
from policies.checkov.policy_set import load_policies
from policies.desired_state import resolve
from policies.git_tree import GitTree, resolve_ref
from policies.loader import load
from scripts.bench.rows import Row, paired, repeat_pairs
from scripts.toolchain import resolve_python

CHECK = "policy.check"
RUNS = 3
ROOT = Path(__file__).resolve().parents[2]
COMMAND = "import sys; from checkov.main import Checkov; sys.exit(Checkov().run())"


def rows(only: str) -> list[Row]:
    """The figure, if its name contains ``only``."""
    if only not in CHECK:
        return []
    python = resolve_python("checkov").python
    tree = GitTree(ROOT, resolve_ref(ROOT, "HEAD"))
    environments = _rendered(tree)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(environments, folder)
        _bare(python, folder)  # both sides find the files of checkov in the memory of the machine
        pairs = repeat_pairs(lambda: _ours(python, tree, environments), lambda: _bare(python, folder), RUNS)
    return [paired(CHECK, pairs, "s", "checkov -d --framework kubernetes", 1.0)]


def _rendered(tree: GitTree) -> list[EnvironmentManifests]:
    """Every object of the sample repository."""
    declarations = load(tree)
    found = []
    for name, declared in declarations.environments.items():
        state = resolve(declarations, name, tree.commit)
        found.append(
            EnvironmentManifests(
                environment=name,
                region=declared.environment.region,
                units={unit.id: tuple(render_unit(unit)) for unit in state.units},
                is_whole=True,
                delivered_replicas=delivered_replicas(state),
            )
        )
    return found


def _write(environments: Sequence[EnvironmentManifests], folder: Path) -> None:
    bodies = [body for given in environments for unit in given.units.values() for body in unit]
    for number, body in enumerate(bodies):
        (folder / f"{number:04}.json").write_text(json.dumps(body, indent=1))


def _ours(python: Path, tree: GitTree, environments: Sequence[EnvironmentManifests]) -> float:
    begun = time.perf_counter()
    policies = load_policies(tree.repository, tree.commit)
    today = datetime.now(UTC).date()
    result = check_manifests(environments, policies, tree, checkov_python=python, today=today)
    seconds = time.perf_counter() - begun
    if result.checked_objects != sum(len(bodies) for given in environments for bodies in given.units.values()):
        raise SystemExit(f"only {result.checked_objects} objects were checked")
    return seconds


def _bare(python: Path, folder: Path) -> float:
    arguments = ["-d", str(folder), "--framework", "kubernetes", "-o", "json", "--skip-download"]
    environment = {"PATH": os.defpath, "HOME": str(folder)}
    begun = time.perf_counter()
    done = subprocess.run(
        [python, "-I", "-c", COMMAND, *arguments], env=environment, cwd=folder, capture_output=True, check=False
    )
    seconds = time.perf_counter() - begun
    if json.loads(done.stdout)["summary"]["passed"] == 0:
        raise SystemExit("checkov alone checked nothing")
    return seconds
