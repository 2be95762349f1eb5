"""`adx up`, `adx status` and `adx doctor`: parts of the stack, environments, tools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.text import Text

from pipelines.output import plain, table
from pipelines.screens.common import style_of
from pipelines.screens.next_steps import frozen, left_undone
from pipelines.words import short
from workflows.rollout.models import EnvironmentStatus

if TYPE_CHECKING:
    from scripts.stack import PartStatus
    from scripts.toolchain import Row


def parts_screen(parts: Sequence[PartStatus]) -> RenderableType:
    """One row per part; the end of the log of each that crashed."""
    if not parts:
        return Text("The stack is down. `adx up` starts it.")
    screen = table("part", "state", "pid", "address")
    for part in parts:
        style = {"ready": "green", "crashed": "bold red"}.get(part.state, "yellow")
        screen.add_row(plain(part.name), plain(part.state, style), plain(part.pid), plain(part.address))
    return Group(screen, *(part_of for part in parts if part.log_end for part_of in _crash(part)))


def _crash(part: PartStatus) -> tuple[Text, ...]:
    head = Text.assemble(plain(f"{part.name} crashed", "bold red"), plain(f"; the end of {part.log_file}:"))
    return (head, *(plain(f"  {line}", "dim") for line in part.log_end.splitlines()))


def environments_screen(statuses: Sequence[EnvironmentStatus]) -> RenderableType:
    """One row per environment: what runs there now, what waits, how the last rollout ended."""
    if not statuses:
        return Text("Nothing was ever delivered. `adx deploy` starts.")
    screen = table("environment", "now", "queued", "last rollout", "commit")
    for status in statuses:
        now, style = _now(status)
        last = status.last
        screen.add_row(
            plain(status.environment),
            plain(now, style),
            plain(len(status.pending) or ""),
            plain(last.outcome if last else "", style_of(last.outcome) if last else ""),
            plain(short(last.commit) if last else ""),
        )
    return Group(screen, *(line for status in statuses for line in _left_to_do(status)))


def _left_to_do(status: EnvironmentStatus) -> list[Text]:
    if status.frozen_reason:
        return [plain(frozen(status.environment, status.frozen_reason), "red")]
    what = left_undone(status.last) if status.last is not None and not status.current else ""
    return [plain(f"{status.environment}: {what}", "yellow")] if what else []


def _now(status: EnvironmentStatus) -> tuple[str, str]:
    if status.frozen_reason:
        return "frozen", style_of("frozen")
    return ("rollout under way", style_of("running")) if status.current else ("idle", "")


def doctor_screen(rows: Sequence[Row], *, with_paths: bool) -> RenderableType:
    """One row per tool: version, where it came from, what to know about it; on request where it lies."""
    screen = table("tool", "version", "from", "note", *(("path",) if with_paths else ()))
    for row in rows:
        path = (plain(row.path or ""),) if with_paths else ()
        screen.add_row(plain(row.tool), plain(row.version), plain(row.source), plain(row.note, "yellow"), *path)
    return screen
