"""Shows rollouts as they happen: a live screen in a terminal, a line per event in a pipe, JSON lines with `--json`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import msgspec
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from pipelines.exit_codes import ExitCode
from pipelines.following import Follower, worst
from pipelines.output import Output, plain
from pipelines.screens.next_steps import frozen
from pipelines.screens.watch import StepEvent, event_line, watch_screen
from workflows.errors import AdxConnectionError

if TYPE_CHECKING:
    from workflows.client import Workflows

LOOK_EVERY_SECONDS = 0.5
GIVE_UP_AFTER_SECONDS = 120.0
"""How long nobody may answer before the watching ends: workers are restarted, and rollouts go on afterwards."""
GIVE_UP_AT_FIRST_AFTER_SECONDS = 30.0
"""The same before the first answer: workers may be busy, or there is none at all."""
NUMBERS_EVERY = timedelta(seconds=10)
QUIET_UNITS = frozenset({"pending", "started", "delivered", "cancelling", "restoring"})
"""What of single units is left out of plain lines, of which a fleet has thousands; JSON lines have it all."""


Answer = TypeVar("Answer")


async def first_answer(ask: Callable[[], Awaitable[Answer]], output: Output) -> Answer:
    """What ``ask`` gives, asked again while nobody answers. Raises AdxConnectionError where it stays so."""
    clock, is_told = asyncio.get_running_loop().time, False
    give_up_at = clock() + GIVE_UP_AT_FIRST_AFTER_SECONDS
    while True:
        try:
            return await ask()
        except AdxConnectionError as error:
            if clock() >= give_up_at:
                raise
            if not is_told:
                output.say(f"{error}; asking again")
            is_told = True
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def watch(
    workflows: Workflows, followers: Sequence[Follower], output: Output, tell: Callable[[Follower], None] | None = None
) -> ExitCode:
    """Follow until all are settled; the exit status that they deserve together.

    ``tell`` hears of every look, in a thread: it may talk to a slow server.
    """
    if output.is_json or not output.console.is_terminal:
        await _until_settled(workflows, followers, lambda: None, Lines(output), tell)
    else:
        with Live(console=output.console, refresh_per_second=8) as live:
            show = lambda: live.update(screen(followers, datetime.now(UTC)))  # noqa: E731 - one expression, used once
            await _until_settled(workflows, followers, show, None, tell)
    return worst([follower.exit_code for follower in followers])


async def watch_to_the_end(
    workflows: Workflows, followers: Sequence[Follower], output: Output, tell: Callable[[Follower], None] | None = None
) -> ExitCode:
    """As ``watch``; whoever is interrupted is told that the rollouts are not."""
    try:
        return await watch(workflows, followers, output, tell)
    except asyncio.CancelledError:
        names = [follower.environment for follower in followers]
        again = f"adx watch {names[0]}" if len(names) == 1 else "adx watch"
        output.say(f"\nno longer watching; the rollout goes on (`{again}`, `adx cancel {names[0]}`)")
        raise


@dataclass
class Lines:
    """Writes events as they come: all of them as JSON, or for people those that they can read as fast."""

    output: Output
    _numbers_at: datetime | None = None

    def write(self, happened: Sequence[StepEvent]) -> None:
        """Write each on a line."""
        for event in happened:
            if self.output.is_json:
                sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
            elif self._is_for_people(event):
                self.output.console.print(event_line(event), soft_wrap=True)
        sys.stdout.flush()

    def _is_for_people(self, event: StepEvent) -> bool:
        if event.unit:
            return event.status not in QUIET_UNITS
        if event.status != "progress":
            return True
        at = datetime.fromisoformat(event.at)
        if self._numbers_at is not None and at < self._numbers_at + NUMBERS_EVERY:
            return False
        self._numbers_at = at
        return True


async def _until_settled(
    workflows: Workflows,
    followers: Sequence[Follower],
    show: Callable[[], None],
    lines: Lines | None,
    tell: Callable[[Follower], None] | None,
) -> None:
    is_settled, clock = False, asyncio.get_running_loop().time
    give_up_at, is_known, is_told = clock() + GIVE_UP_AT_FIRST_AFTER_SECONDS, False, False
    while not is_settled:
        try:
            is_settled = await _look(workflows, followers, lines)
            give_up_at, is_known, is_told = clock() + GIVE_UP_AFTER_SECONDS, True, False
        except AdxConnectionError as error:
            if clock() >= give_up_at:
                raise
            why = f"{error}; asking again{', the rollout goes on' if is_known else ''}"
            for follower in followers:
                follower.line = why
            if lines is not None and not is_told:  # a screen shows it as long as it lasts
                lines.output.say(why)
            is_told = True
        show()
        if tell is not None:
            for follower in followers:
                await asyncio.to_thread(tell, follower)
        await asyncio.sleep(0 if is_settled else LOOK_EVERY_SECONDS)


async def _look(workflows: Workflows, followers: Sequence[Follower], lines: Lines | None) -> bool:
    """One look at every environment that is not settled yet; whether all are now."""
    for follower in followers:
        if follower.is_ended:
            continue
        live = await workflows.status(follower.environment)
        if live.rollout is not None and follower.wants_waves(live.rollout):
            live.fleet = await workflows.fleet_status(live.rollout.rollout_id)
        if live.rollout is not None and (services := follower.wanted_releases(live.rollout)):
            live.releases = await workflows.release_statuses(live.rollout.rollout_id, services)
        happened = follower.look(live, datetime.now(UTC))
        if lines is not None:
            lines.write(happened)
            _write_end(follower, lines.output)
    return all(follower.is_ended for follower in followers)


def _write_end(follower: Follower, output: Output) -> None:
    if follower.is_ended and (sentence := end_without_rollout(follower)):
        output.say(sentence)


def end_without_rollout(follower: Follower) -> str:
    """Why a submission is settled although no rollout tells it; empty where one does."""
    if follower.frozen_reason:
        return frozen(follower.environment, follower.frozen_reason)
    if follower.is_ended and follower.rollout is None:
        return f"{follower.environment}: nothing was left to do"
    return ""


def screen(followers: Sequence[Follower], now: datetime) -> RenderableType:
    """All followed rollouts, one below the other."""
    return Group(*(part for follower in followers for part in _parts(follower, now)))


def _parts(follower: Follower, now: datetime) -> list[RenderableType]:
    if follower.rollout is None:
        unanswered = follower.line and f"{follower.environment}: {follower.line}"
        waiting = end_without_rollout(follower) or unanswered or f"{follower.environment}: waiting for its turn"
        return [plain(waiting, "dim"), Text()]
    rollout, waves = follower.rollout, follower.fleet(now)
    parts: list[RenderableType] = [watch_screen(rollout, follower.restore_steps, now, waves, follower.releases)]
    if follower.line and not follower.is_ended:
        parts.append(plain(f"  {follower.line}", "dim"))
    if sentence := end_without_rollout(follower):
        parts.append(plain(sentence, "bold red"))
    return [*parts, Text()]
