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


def _table() -> str:
    results: list[Row] = json.loads(RESULTS.read_text())["results"]
    lines = ["| what | measured | beside | ratio | target | met |", "|---|---|---|---|---|---|"]
    for row in results:
        beside = f"{row['baseline']['name']}: {row['baseline']['value']:.3g}" if row["baseline"] else ""
        ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
        met = "yes" if row["met"] else "**no**"
        lines.append(
            f"| {row['name']} | {row['value']:.3g} {row['unit']} | {beside} | {ratio} | {row['target']} | {met} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Write the README anew."""
    README.write_text(quoted(README.read_text()))


if __name__ == "__main__":
    main()
