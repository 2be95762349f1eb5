"""The table of the last benchmarks for the site, one for each system, with the machine that they were measured on."""

from __future__ import annotations

import json
from itertools import groupby

from scripts.bench.readme import RESULTS, figure
from scripts.bench.rows import Row
from scripts.docs.markdown import cell, code, table

BEGIN, END = "<!-- bench -->", "<!-- /bench -->"
HEAD = ("what", "measured", "beside", "ratio", "target", "met")


def filled(text: str) -> str:
    """``text`` with the tables between the marks; what stands there is for readers of the file."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{tables()}{rest.partition(END)[2]}"


def tables() -> str:
    """The machine and every row of docs/benchmarks/results.json."""
    document = json.loads(RESULTS.read_bytes())
    machine = document["machine"]
    place = f"{machine['cores']} cores and {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}"
    lines = [f"Measured on {place}, at commit {code(document['commit'][:12])}.", ""]
    rows: list[Row] = document["results"]
    for system, found in groupby(rows, key=lambda row: row["name"].partition(".")[0]):
        lines += [f"### {system}", "", *table(HEAD, map(_row, found))]
    return "\n".join(lines)


def _row(row: Row) -> tuple[str, ...]:
    beside = f"{cell(row['baseline']['name'])}: {figure(row['baseline']['value'])}" if row["baseline"] else ""
    ratio = f"{row['ratio']:.2f}" if row["ratio"] is not None else ""
    met = "yes" if row["met"] else "**no**"
    return (row["name"].partition(".")[2], f"{figure(row['value'])} {row['unit']}", beside, ratio, row["target"], met)
