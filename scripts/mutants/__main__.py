"""``make mutants``: change the pure cores a little, one change at a time, and count what no test notices.

Writes ``docs/benchmarks/mutants.json`` and prints the scores. ``--sample`` bounds
the mutants of a module: they are chosen by a fixed seed, the same in every run.
``--again`` tries only the survivors of the last run, after tests became sharper.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.mutants import results
from scripts.mutants.cores import CORES, Core
from scripts.mutants.workspace import ROOT, Mutant, copy_repository, mutate

_SEED = 20
_PLUGINS = ("no:randomly", "no:cacheprovider", "no:xdist", "no:cov", "no:tests.support.local_stack")
Choice = Callable[[str, list[Mutant]], list[Mutant]]


def main() -> None:
    """Run what ``--only`` selects (default: everything)."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--only", default="", help="a part of a core's name or of a module's path")
    parser.add_argument("--sample", type=int, default=0, help="at most so many mutants of a module; 0: all")
    parser.add_argument("--seed", type=int, default=_SEED, help="another sample")
    parser.add_argument("--again", action="store_true", help="only the survivors of the last run")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    options = parser.parse_args()
    chosen = [core for core in CORES if options.only in core.name or any(options.only in m for m in core.modules)]
    if not chosen:
        raise SystemExit(f"no core is called {options.only!r}: {', '.join(core.name for core in CORES)}")
    for core in chosen:
        rows = _again(core, options.jobs) if options.again else _anew(core, options.sample, options.seed, options.jobs)
        results.write(rows)
        print(results.table(rows), flush=True)
    print(f"\n{results.table(results.read())}\n\nsurvivors: {results.RESULTS.relative_to(ROOT)}")


def _anew(core: Core, sample: int, seed: int, jobs: int) -> list[dict[str, Any]]:
    written, tried, verdicts = _measured(core, lambda _, mutants: _sampled(mutants, sample, seed), jobs)
    return [
        results.entry(core.name, module, len(written[module]), mutants, verdicts) for module, mutants in tried.items()
    ]


def _again(core: Core, jobs: int) -> list[dict[str, Any]]:
    rows = [row for row in results.read() if row["core"] == core.name]
    survived = {mutant["name"] for row in rows for mutant in row["survivors"]}
    if not survived:
        return rows
    _, _, verdicts = _measured(core, lambda _, mutants: [m for m in mutants if m.name in survived], jobs)
    return [results.without_noticed(row, verdicts) for row in rows]


def _measured(
    core: Core, choose: Choice, jobs: int
) -> tuple[dict[str, list[Mutant]], dict[str, list[Mutant]], dict[str, str]]:
    """By module: the mutants there are, those that were chosen; and the verdict of each of these by its name."""
    with tempfile.TemporaryDirectory(prefix="adx-mutants-") as name:
        folder = Path(name).resolve()
        copy_repository(folder)
        os.chdir(folder)
        try:
            written = {module: mutate(folder, module) for module in core.modules}
        finally:
            os.chdir(ROOT)
        tried = {module: choose(module, mutants) for module, mutants in written.items()}
        return written, tried, _ask(core, folder, [mutant for mutants in tried.values() for mutant in mutants], jobs)


def _sampled(mutants: list[Mutant], size: int, seed: int) -> list[Mutant]:
    return random.Random(seed).sample(mutants, size) if 0 < size < len(mutants) else mutants  # noqa: S311 - a sample


def _ask(core: Core, folder: Path, mutants: list[Mutant], jobs: int) -> dict[str, str]:
    task, answers = folder / "task.json", folder / "verdicts.jsonl"
    names = {mutant.name: mutant.function for mutant in mutants}
    task.write_text(json.dumps({"mutants": names, "jobs": jobs, "results": str(answers)}))
    plugins = [argument for plugin in (*_PLUGINS, "scripts.mutants.loop") for argument in ("-p", plugin)]
    command = [sys.executable, "-m", "pytest", "-q", "--capture=no", *plugins, *core.tests]
    environ = {**os.environ, "ADX_MUTANTS_TASK": str(task), "PYTHONDONTWRITEBYTECODE": "1", "MUTANT_UNDER_TEST": ""}
    ended = subprocess.run(command, cwd=folder, env=environ, check=False, capture_output=True, text=True)
    if ended.returncode or not answers.is_file():
        raise SystemExit(f"{core.name}: {ended.stdout}{ended.stderr}")
    return {answer["name"]: answer["verdict"] for answer in map(json.loads, answers.read_text().splitlines())}


if __name__ == "__main__":
    main()
