"""Puts the table of the last benchmarks between two marks in the README; nobody types figures."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.bench.rows import Row

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
RESULTS = ROOT / "docs" / "benchmarks" / "results.json"
BEGIN, END = "<!-- bench -->", "<!-- /bench -->"


def quoted(text: str) -> str:
    """``text`` with the table of the results between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{_table()}\n{END}{after}"


def figure(value: float) -> str:
    """Three digits, and never an exponent: ``1463`` and ``0.0535``."""
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _table() -> str:
    results: list[Row] = json.loads(RESULTS.read_text())["results"]
    lines = ["| what | measured | beside | ratio | target | met |", "|---|---|---|---|---|---|"]
    for row in results:
        # GitHub would take a pipe in a name for the end of the cell.
        name = row["baseline"]["name"].replace("|", r"\|") if row["baseline"] else ""
        beside = f"{name}: {figure(row['baseline']['value'])}" if row["baseline"] else ""
        ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
        met = "yes" if row["met"] else "**no**"
        lines.append(
            f"| {row['name']} | {figure(row['value'])} {row['unit']} | {beside} | {ratio} | {row['target']} | {met} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Write the README anew."""
    README.write_text(quoted(README.read_text()))


if __name__ == "__main__":
    main()
