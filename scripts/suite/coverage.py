"""Coverage of lines and branches by package, from the report of ``coverage json``."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from scripts.suite.blocks import table

_MOST_MISSING = 10
Counts = dict[str, int]


def tables(report: Path) -> str:
    """Each package with its sum, then the files with most branches that no test takes."""
    files: dict[str, Counts] = {name: file["summary"] for name, file in json.loads(report.read_text())["files"].items()}
    packages: dict[str, list[Counts]] = defaultdict(list)
    for name, counts in files.items():
        packages[_package(name)].append(counts)
    rows = [_row(name, packages[name]) for name in sorted(packages)]
    rows.append(_row("all", list(files.values())))
    by_package = table(("package", "lines", "covered", "branches", "covered"), rows)
    worst = sorted(files, key=lambda name: (-files[name]["missing_branches"], name))[:_MOST_MISSING]
    missing = [(name, files[name]["missing_branches"], files[name]["missing_lines"]) for name in worst]
    return f"{by_package}\n\n{table(('file', 'branches not taken', 'lines not run'), list(missing))}"


def _package(file: str) -> str:
    """The folder, at most two deep: ``policies/services``."""
    return "/".join(Path(file).parts[:-1][:2])


def _row(name: str, counts: list[Counts]) -> tuple[Any, ...]:
    def total(key: str) -> int:
        return sum(one[key] for one in counts)

    lines, branches = total("num_statements"), total("num_branches")
    return (
        name,
        lines,
        _percent(total("covered_lines"), lines),
        branches,
        _percent(total("covered_branches"), branches),
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ""
