"""`adx history`: the rollouts of one or all environments, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from pipelines.output import plain, table
from pipelines.screens.common import duration, moment, seconds_between, short, style_of
from workflows.ledger.models import Rollout, UnitRecord


def history_screen(rollouts: Sequence[Rollout]) -> RenderableType:
    """One row per rollout; the id is what `adx show` takes."""
    if not rollouts:
        return Text("No rollouts yet. `adx deploy ENV` starts one.")
    screen = table("started (UTC)", "rollout", "commit", "status", "took", "by")
    for rollout in rollouts:
        screen.add_row(
            plain(moment(rollout.started_at)),
            plain(rollout.id),
            plain(short(rollout.commit)),
            plain(rollout.status, style_of(rollout.status)),
            plain(duration(seconds_between(rollout.started_at, rollout.finished_at))),
            plain(rollout.requested_by),
        )
    return screen


def unit_history_screen(units: Sequence[UnitRecord]) -> RenderableType:
    """What became of one unit in each rollout that touched it."""
    if not units:
        return Text("No rollout has touched this unit.")
    screen = table("when (UTC)", "environment", "status", "commit", "rollout")
    for unit in units:
        screen.add_row(
            plain(moment(unit.updated_at)),
            plain(unit.environment),
            plain(unit.status, style_of(unit.status)),
            plain(short(unit.commit)),
            plain(unit.rollout_id),
        )
    return screen
