"""The releases of a rollout: which versions, who has which share of the requests, what is being found out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pipelines.output import plain
from pipelines.watching.releases import Release, ReleasesView, ReleaseView, Shares
from pipelines.words import counted, duration, parsed, seconds_between

NAMES_ALIGNED = 24
"""Names are padded to the longest, but one that is very long moves nothing."""
SERVING_SHOWN = 8
"""Of those that serve more are only counted: what is under way stays on the screen."""
_SMALLEST_BAR, _LONGEST_BAR = 10, 70
_MARKS = {"serving": ("✓", "green"), "returned": ("■", "yellow")}
_RUNNING = ("▸", "cyan")
_WORDS = {
    "waiting": "waiting until green is healthy",
    "mirroring": "green answers copies",
}


def releases_screen(view: ReleasesView, environment: str, now: datetime) -> RenderableType:
    """Each release with what there is to know of it; of one that is settled, a line, unless there are many."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=3, justify="right")
    grid.add_column(overflow="fold")
    width = max((len(one.service) for one in view.releases if len(one.service) <= NAMES_ALIGNED), default=0)
    serving = [one for one in view.releases if one.phase == "serving"]
    hidden = {one.service for one in serving[SERVING_SHOWN:]}
    for one in view.releases:
        if one.service not in hidden:
            grid.add_row(plain(*_MARKS.get(one.phase, _RUNNING)), _release(one, width, now))
    if hidden:
        grid.add_row("", plain(f"and {counted(len(hidden), 'other')} that serve", "dim"))
    parts: list[RenderableType] = [Text("releases", style="bold"), grid]
    if view.kept_until:
        parts.append(plain(_kept(view.kept_until, environment), "yellow"))
    return Group(*parts)


def phase_words(view: ReleaseView, now: datetime) -> str:
    """``baking, 42 s left``."""
    words = _WORDS.get(view.phase, view.phase)
    if view.shares.mirror_percent:
        words += f" of {view.shares.mirror_percent} % of the requests"
    return f"{words}, {_left(view.until, now)} left" if view.until else words


def shares_words(shares: Shares) -> str:
    """``v1.4.0 75 %, v1.5.0 25 %``: what an event says of them."""
    both = [release for release in (shares.blue, shares.green) if release is not None]
    copies = f", copies of {shares.mirror_percent} %" if shares.mirror_percent else ""
    return ", ".join(f"{release.version} {release.weight_percent} %" for release in both) + copies


def _release(view: ReleaseView, width: int, now: datetime) -> RenderableType:
    head = Text.assemble(
        plain(f"{view.service:{width}}", "bold"),
        "  ",
        plain(phase_words(view, now), _MARKS.get(view.phase, _RUNNING)[1]),
    )
    if view.is_settled:
        return Group(Text.assemble(head, "  ", _versions(view)), *map(_indented, _line(view)))
    return Group(head, *map(_indented, _details(view)))


def _details(view: ReleaseView) -> Iterator[RenderableType]:
    yield _versions(view)
    if view.shares.blue is not None:
        yield Bar(view.shares.green.weight_percent)
    yield from _line(view)


def _line(view: ReleaseView) -> list[Text]:
    """What was found: of a release that serves, nobody needs it any more."""
    return [plain(view.line, "dim")] if view.line and view.phase != "serving" else []


def _versions(view: ReleaseView) -> Text:
    """``blue v1.4.0 (3f2a9c1b) 75 % → green v1.5.0 (8d1e77aa) 25 %``; of a settled one without shares."""
    shares = view.shares
    green = _named("green", shares.green, with_weight=not view.is_settled)
    if shares.blue is None:
        return green
    blue = _named("blue", shares.blue, with_weight=not view.is_settled)
    return Text.assemble(blue, " ← " if view.phase == "returned" else " → ", green)


def _named(role: str, release: Release, *, with_weight: bool) -> Text:
    weight = f" {release.weight_percent} %" if with_weight else ""
    identity = f" ({release.id})" if release.id else ""
    return Text.assemble(plain(role, role), plain(f" {release.version}"), plain(identity, "dim"), plain(weight))


def _indented(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 2))


def _kept(until: str, environment: str) -> str:
    at = parsed(until)
    clock = at.astimezone(UTC).strftime("%H:%M:%S") if at is not None else ""
    return f"old releases are kept until {clock} UTC: adx services switch-back {environment}"


def _left(until: str, now: datetime) -> str:
    """What counts down: no tenths."""
    left = max(seconds_between(now, parsed(until)) or 0.0, 0.0)
    return f"{left:.0f} s" if left < 10 else duration(left)


@dataclass(frozen=True)
class Bar:
    """Blue's share as dots, green's as squares, as wide as there is room. No share that is one looks like none."""

    green_percent: int

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[Text]:
        """Draw it."""
        width = min(options.max_width, _LONGEST_BAR)
        green = round(self.green_percent * width / 100)
        if 0 < self.green_percent < 100:
            green = min(max(green, 1), width - 1)
        yield Text.assemble(("·" * (width - green), "blue"), ("■" * green, "green"))

    def __rich_measure__(self, _console: Console, options: ConsoleOptions) -> Measurement:
        """As wide as it may be."""
        return Measurement(min(_SMALLEST_BAR, options.max_width), min(_LONGEST_BAR, options.max_width))
