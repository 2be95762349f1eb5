"""`adx history`: the rollouts of one or all environments, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from pipelines.output import plain
from pipelines.screens.common import duration, moment, seconds_between, short, style_of
from workflows.ledger.models import Rollout


def history_screen(rollouts: Sequence[Rollout]) -> RenderableType:
    """Two lines per rollout: how it went, and the id that `adx show` takes (too long for a column)."""
    if not rollouts:
        return Text("No rollouts yet. `adx deploy ENV` starts one.")
    rows = [_cells(rollout) for rollout in rollouts]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines: list[Text] = []
    for rollout, row in zip(rollouts, rows, strict=True):
        padded = [_padded(cell, width) for cell, width in zip(row, widths, strict=True)]
        lines += [Text("  ").join(padded), plain(f"    {rollout.id}", "dim")]
    return Group(*lines)


def _cells(rollout: Rollout) -> tuple[Text, ...]:
    return (
        plain(moment(rollout.started_at)),
        plain(rollout.environment),
        plain(rollout.status, style_of(rollout.status)),
        plain(duration(seconds_between(rollout.started_at, rollout.finished_at))),
        plain(short(rollout.commit)),
        plain(rollout.requested_by),
    )


def _padded(cell: Text, width: int) -> Text:
    return Text.assemble(cell, " " * (width - len(cell)))
