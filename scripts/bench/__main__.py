"""``make bench``: measure, print a table, write ``docs/benchmarks/results.json``.

Each module ``bench_<system>.py`` beside this one has ``rows(only) -> list[Row]``.
A partial run (``--only``) replaces its own rows in the file and keeps the others.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Protocol, cast

import psutil
from rich.console import Console
from rich.table import Table

from scripts.bench import fleet_plot, readme
from scripts.bench.rows import Row

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "docs" / "benchmarks" / "results.json"


class Benchmark(Protocol):
    """A module of benchmarks."""

    def rows(self, only: str) -> list[Row]:
        """Measure everything whose name contains ``only``."""
        ...


def main() -> None:
    """Run what ``--only`` selects (default: everything)."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help="a part of a benchmark's name")
    only = parser.parse_args().only
    found = [row for module in _modules() for row in module.rows(only) if only in row["name"]]
    if not found:
        raise SystemExit(f"no benchmark's name contains {only!r}")
    _print(found)
    _write(found)
    readme.main()


def _modules() -> Sequence[Benchmark]:
    package = Path(__file__).parent
    names = sorted(module.name for module in iter_modules([str(package)]) if module.name.startswith("bench_"))
    return [cast("Benchmark", import_module(f"scripts.bench.{name}")) for name in names]


def _print(found: list[Row]) -> None:
    table = Table("what", "value", "baseline", "ratio", "target", "met", title="ADX benchmarks", title_justify="left")
    for row in found:
        baseline = f"{row['baseline']['value']:.3g} {row['baseline']['name']}" if row["baseline"] else "-"
        ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else "-"
        met = "[green]yes[/green]" if row["met"] else "[red]missed[/red]"
        table.add_row(row["name"], f"{row['value']:.3g} {row['unit']}", baseline, ratio, row["target"], met)
    Console().print(table)


def _write(found: list[Row]) -> None:
    measured = {row["name"]: row for row in found}
    before = json.loads(RESULTS.read_text())["results"] if RESULTS.exists() else []
    merged = {row["name"]: row for row in before} | measured
    results = [merged[name] for name in sorted(merged)]
    document = {"commit": _commit(), "machine": _machine(), "results": results}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(document, indent=2) + "\n")
    fleet_plot.write(results, RESULTS.with_name("fleet.svg"))
    Console().print(f"written to {RESULTS.relative_to(ROOT)}")


def _commit() -> str:
    done = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _machine() -> dict[str, object]:
    memory_gib = round(psutil.virtual_memory().total / 2**30)
    return {
        "cores": os.cpu_count(),
        "memory_gib": memory_gib,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
