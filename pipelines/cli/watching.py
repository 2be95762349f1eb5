"""Shows rollouts as they happen: a live screen in a terminal, a line per event in a pipe, JSON lines with `--json`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from pipelines.exit_codes import ExitCode
from pipelines.following import Follower, worst
from pipelines.output import Output, plain
from pipelines.screens.watch import StepEvent, event_line, watch_screen

if TYPE_CHECKING:
    from workflows.client import Workflows

LOOK_EVERY_SECONDS = 0.5


async def watch(
    workflows: Workflows, followers: Sequence[Follower], output: Output, tell: Callable[[Follower], None] | None = None
) -> ExitCode:
    """Follow until all are settled; the exit status that they deserve together.

    ``tell`` hears of every look, in a thread: it may talk to a slow server.
    """
    if output.is_json or not output.console.is_terminal:
        await _until_settled(workflows, followers, lambda: None, output, tell)
    else:
        with Live(console=output.console, refresh_per_second=8) as live:
            show = lambda: live.update(screen(followers, datetime.now(UTC)))  # noqa: E731 - one expression, used once
            await _until_settled(workflows, followers, show, None, tell)
    return worst([follower.exit_code for follower in followers])


async def _until_settled(
    workflows: Workflows,
    followers: Sequence[Follower],
    show: Callable[[], None],
    output: Output | None,
    tell: Callable[[Follower], None] | None,
) -> None:
    is_settled = False
    while not is_settled:
        is_settled = await _look(workflows, followers, output)
        show()
        if tell is not None:
            for follower in followers:
                await asyncio.to_thread(tell, follower)
        await asyncio.sleep(0 if is_settled else LOOK_EVERY_SECONDS)


async def _look(workflows: Workflows, followers: Sequence[Follower], output: Output | None) -> bool:
    """One look at every environment that is not settled yet; whether all are now."""
    for follower in followers:
        if follower.is_ended:
            continue
        happened = follower.look(await workflows.status(follower.environment), datetime.now(UTC))
        if output is not None:
            _write(happened, output)
            _write_end(follower, output)
    return all(follower.is_ended for follower in followers)


def _write(happened: Sequence[StepEvent], output: Output) -> None:
    for event in happened:
        if output.is_json:
            sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
        else:
            output.console.print(event_line(event), soft_wrap=True)
    sys.stdout.flush()


def _write_end(follower: Follower, output: Output) -> None:
    if follower.is_ended and (sentence := end_without_rollout(follower)):
        output.say(sentence)


def end_without_rollout(follower: Follower) -> str:
    """Why a submission is settled although no rollout tells it; empty where one does."""
    if follower.frozen_reason:
        name = follower.environment
        return f"{name} is frozen: {follower.frozen_reason}; after a look, run `adx restore {name}`"
    if follower.is_ended and follower.rollout is None:
        return f"{follower.environment}: nothing was left to do"
    return ""


def screen(followers: Sequence[Follower], now: datetime) -> RenderableType:
    """All followed rollouts, one below the other."""
    return Group(*(part for follower in followers for part in _parts(follower, now)))


def _parts(follower: Follower, now: datetime) -> list[RenderableType]:
    if follower.rollout is None:
        waiting = end_without_rollout(follower) or f"{follower.environment}: waiting for its turn"
        return [plain(waiting, "dim"), Text()]
    parts: list[RenderableType] = [watch_screen(follower.rollout, follower.restore_steps, now)]
    if follower.line and not follower.is_ended:
        parts.append(plain(f"  {follower.line}", "dim"))
    if sentence := end_without_rollout(follower):
        parts.append(plain(sentence, "bold red"))
    return [*parts, Text()]
