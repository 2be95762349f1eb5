"""The waves of a rollout: who is where, how fast it goes, what holds it, what failed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.output import plain
from pipelines.watching.view import Counts, FleetView, Hold, Pace, WaveView, wave_title
from pipelines.words import duration, moment, parsed, seconds_between

FAILURES_SHOWN = 5
CELLS_SHOWN = 6
LONGEST_REASON = 110
_MARKS = {
    "pending": ("·", "dim"),
    "waiting-for-approval": ("?", "yellow"),
    "done": ("✓", "green"),
    "ending": ("■", "yellow"),
    "restoring": ("■", "yellow"),
    "restored": ("■", "yellow"),
    "untouched": ("-", "dim"),
}
_RUNNING = ("▸", "cyan")
_STYLES = {
    "being restored": "yellow",
    "restored": "yellow",
    "skipped": "dim",
    "in need of an operator": "bold red",
}


def fleet_screen(view: FleetView, environment: str, now: datetime) -> RenderableType:
    """All waves, then one line for each thing that is worth knowing."""
    return Group(_waves(view, now), Text(), _facts(view, environment))


def pace_words(pace: Pace) -> str:
    """``12.5 units/min, about 6 min 10 s left, without the approval of wave 2``."""
    parts = [f"{pace.units_per_minute:,g} units/min"] if pace.units_per_minute is not None else []
    if pace.remaining_seconds is None:
        return ", ".join([*parts, "time left not known yet"])
    without = f", without {_listed(pace.not_counted)}" if pace.not_counted else ""
    return ", ".join([*parts, f"about {_whole(pace.remaining_seconds)} left{without}"])


def _waves(view: FleetView, now: datetime) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=3, justify="right")
    grid.add_column(min_width=13)
    grid.add_column(min_width=9, justify="right")
    grid.add_column(overflow="fold")
    for wave in view.waves:
        mark, style = _MARKS.get(wave.state, _RUNNING)
        grid.add_row(
            plain(mark, style),
            plain(wave_title(wave.name), "dim" if style == "dim" else ""),
            plain(f"{wave.counts.settled}/{wave.counts.total}", "dim"),
            _standing(wave, now, style),
        )
    return grid


def _standing(wave: WaveView, now: datetime, style: str) -> Text:
    words = wave.state.replace("-", " ")
    if wave.state == "checking":
        words = "checking gates"
    if wave.until:
        left = seconds_between(now, parsed(wave.until)) or 0.0
        words += f", {_whole(left)} left"
    return Text.assemble(plain(words, "" if wave.state == "done" else style), _others(wave.counts))


def _others(counts: Counts) -> Text:
    return Text.assemble(
        *(plain(f", {number} {word}", _STYLES.get(word, "")) for word, number in counts.others.items())
    )


def _facts(view: FleetView, environment: str) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", min_width=5)
    grid.add_column(overflow="fold")
    for name, text in _lines(view, environment):
        grid.add_row(name, text)
    return grid


def _lines(view: FleetView, environment: str) -> Iterator[tuple[str, Text]]:
    counts = view.counts
    if not view.outcome:
        speed = "" if view.ending else f"; {pace_words(view.pace)}"
        yield "units", plain(f"{counts.settled:,} of {counts.total:,} settled{speed}")
    if view.busy and not view.outcome:
        more = f" and {len(view.busy) - CELLS_SHOWN} more" if len(view.busy) > CELLS_SHOWN else ""
        yield "cells", plain(", ".join(view.busy[:CELLS_SHOWN]) + more)
    for hold in view.holds:
        yield "held", Text.assemble(plain(_why(hold), "yellow"), plain(f" → {_answer(hold, environment)}", "dim"))
    if view.ending_reason:
        yield "ends", plain(view.ending_reason, "yellow")
    yield from _failures(view)


def _failures(view: FleetView) -> Iterator[tuple[str, Text]]:
    if not view.failed:
        return
    yield "failed", plain(f"{view.failed:,} of {view.counts.total:,} units, {view.allowed_failures:,} may", "red")
    shown = view.failures[-FAILURES_SHOWN:]
    for failure in shown:
        is_lost = failure.end == "needs-operator"
        end = "needs an operator" if is_lost else "restored"
        yield (
            "",
            Text.assemble(
                plain(f"{failure.unit} {end}: ", "bold red" if is_lost else ""), plain(_shortened(failure.reason))
            ),
        )
    if view.failed > len(shown):
        yield "", plain(f"and {view.failed - len(shown):,} before", "dim")


def _whole(seconds: float) -> str:
    """An estimate, or what counts down: no tenths."""
    return f"{max(seconds, 0.0):.0f} s" if seconds < 10 else duration(seconds)


def _shortened(reason: str) -> str:
    """The ledger has it in full."""
    return reason if len(reason) <= LONGEST_REASON else f"{reason[: LONGEST_REASON - 1]}…"


def _why(hold: Hold) -> str:
    return f"{hold.why} (until {moment(parsed(hold.until))} UTC)" if hold.until else hold.why


def _answer(hold: Hold, environment: str) -> str:
    """What a person can say to it."""
    return {
        "pause": f"adx fleet resume {environment}",
        "approval": f"adx fleet approve {environment} {hold.wave}",
        "calendar": f"adx fleet override {environment} --reason …",
    }[hold.kind]


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else list(words))
