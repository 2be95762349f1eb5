"""`adx show`: one rollout with its steps, its units and, when it failed, why and what was restored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.output import plain, table
from pipelines.screens.common import MARKS, style_of
from pipelines.screens.next_steps import after_rollout
from pipelines.words import duration, moment, seconds_between, short
from workflows.ledger.models import Rollout, RolloutHistory, Step, UnitRecord


def show_screen(history: RolloutHistory, newest: str) -> RenderableType:
    """The whole story of one rollout; ``newest`` is the id of the environment's newest one."""
    lost = [unit.unit for unit in history.units if unit.status == "frozen"]
    parts: list[RenderableType] = [_facts(history.rollout, after_rollout(history.rollout, newest, lost))]
    if history.steps:
        parts += [Text(), _steps(history.steps)]
    if history.units:
        parts += [Text(), _units(history.units)]
    return Group(*parts)


def _facts(rollout: Rollout, next_step: str) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in _lines(rollout, next_step):
        grid.add_row(name, value)
    return grid


def _lines(rollout: Rollout, next_step: str) -> list[tuple[str, Text]]:
    took = duration(seconds_between(rollout.started_at, rollout.finished_at))
    lines = [
        ("rollout", plain(rollout.id, "bold")),
        ("environment", plain(rollout.environment)),
        ("status", plain(rollout.status, style_of(rollout.status))),
        ("kind", plain(rollout.kind)),
        ("commit", plain(f"{short(rollout.base_commit)} → {rollout.commit}")),
        ("requested", plain(f"by {rollout.requested_by} through {rollout.source}")),
        ("started", plain(f"{moment(rollout.started_at)} UTC" + (f", took {took}" if took else ""))),
    ]
    if rollout.plan_digest:
        lines.append(("plan", plain(rollout.plan_digest[:16])))
    if rollout.failure:
        lines.append(("failure", plain(_failure(rollout.failure), "red")))
    if rollout.restored_to:
        lines.append(("restored to", plain(f"{short(rollout.restored_to)}, {_verified(rollout.restore_verified)}")))
    if next_step:
        lines.append(("next", plain(next_step, "yellow")))
    return lines


def _failure(failure: Mapping[str, object]) -> str:
    step, message = failure.get("step"), failure.get("message")
    text = str(message) if message else ", ".join(f"{key}: {value}" for key, value in failure.items() if value)
    return f"{step}: {text}" if step and message else text


def _verified(restore_verified: bool | None) -> str:
    return {True: "verified", False: "NOT verified", None: "not verified yet"}[restore_verified]


def _steps(steps: Sequence[Step]) -> Table:
    screen = table("", "step", "unit", "took", "detail")
    for step in steps:
        screen.add_row(
            plain(MARKS.get(step.status, "·"), style_of(step.status)),
            plain(step.name if step.attempts <= 1 else f"{step.name} (attempt {step.attempts})"),
            plain(step.unit),
            plain(duration(seconds_between(step.started_at, step.finished_at))),
            plain(_detail(step.detail), style_of(step.status) if step.status == "failed" else ""),
        )
    return screen


def _detail(detail: Mapping[str, object]) -> str:
    message = detail.get("message")
    return str(message) if message else ", ".join(f"{key} {value}" for key, value in detail.items())


def _units(units: Sequence[UnitRecord]) -> Table:
    screen = table("unit", "status", "commit")
    for unit in units:
        screen.add_row(plain(unit.unit), plain(unit.status, style_of(unit.status)), plain(short(unit.commit)))
    return screen
