"""What was found: ``docs/benchmarks/mutants.json``, and a table of the scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.mutants.workspace import ROOT, Mutant

RESULTS = ROOT / "docs" / "benchmarks" / "mutants.json"
NOTICED = ("killed", "timeout")


def entry(core: str, module: str, written: int, tried: list[Mutant], verdicts: dict[str, str]) -> dict[str, Any]:
    """One module's row: how many mutants there are, how many were tried, and each that no test noticed."""
    survivors = [mutant for mutant in tried if verdicts[mutant.name] not in NOTICED]
    return _scored(
        {
            "core": core,
            "module": module,
            "mutants": written,
            "tried": len(tried),
            "survivors": [
                {
                    "at": f"{mutant.module}:{mutant.line}",
                    "before": mutant.before,
                    "after": mutant.after,
                    "verdict": verdicts[mutant.name],
                    "name": mutant.name,
                }
                for mutant in sorted(survivors, key=lambda mutant: (mutant.line, mutant.name))
            ],
        }
    )


def without_noticed(row: dict[str, Any], verdicts: dict[str, str]) -> dict[str, Any]:
    """``row`` of an earlier run after its survivors were tried again: those that are noticed now are gone."""
    tried = [{**one, "verdict": verdicts.get(one["name"], one["verdict"])} for one in row["survivors"]]
    return _scored({**row, "survivors": [one for one in tried if one["verdict"] not in NOTICED]})


def read(path: Path = RESULTS) -> list[dict[str, Any]]:
    """The rows of earlier runs, by module."""
    rows: list[dict[str, Any]] = json.loads(path.read_text())["modules"] if path.is_file() else []
    return rows


def write(found: list[dict[str, Any]], path: Path = RESULTS) -> None:
    """Replace the rows of the modules in ``found`` and keep the others."""
    modules = {row["module"]: row for row in [*read(path), *found]}
    path.write_text(json.dumps({"modules": [modules[name] for name in sorted(modules)]}, indent=1) + "\n")


def table(rows: list[dict[str, Any]]) -> str:
    """The scores in Markdown, with their sum."""
    lines = [
        "| module | mutants | tried | noticed | score | not noticed: texts | other |",
        "|---|---|---|---|---|---|---|",
    ]
    counted = [_counts(row) for row in rows]
    lines += [_line(row["module"], counts) for row, counts in zip(rows, counted, strict=True)]
    sums = [sum(column) for column in zip(*counted, strict=True)]
    return "\n".join([*lines, _line("all", sums)] if counted else lines)


def is_text(mutant: dict[str, Any]) -> bool:
    """Whether only words for people were altered: mutmut puts XX around a text, or changes its case."""
    before, after = mutant["before"], mutant["after"]
    return before != after and bool(before.lower() == after.replace("XX", "").lower())


def _counts(row: dict[str, Any]) -> list[int]:
    """Mutants, tried, noticed, not noticed in texts alone, not noticed otherwise."""
    texts, left = sum(map(is_text, row["survivors"])), len(row["survivors"])
    return [row["mutants"], row["tried"], row["tried"] - left, texts, left - texts]


def _line(name: str, counts: list[int]) -> str:
    mutants, tried, noticed, texts, other = counts
    return f"| {name} | {mutants} | {tried} | {noticed} | {_percent(tried, noticed)} % | {texts} | {other} |"


def _scored(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "score_percent": _percent(row["tried"], row["tried"] - len(row["survivors"]))}


def _percent(tried: int, noticed: int) -> float:
    return round(100 * noticed / tried, 1) if tried else 100.0
