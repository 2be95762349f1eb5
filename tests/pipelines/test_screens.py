"""Screens at 80 columns, as golden files. ``ADX_UPDATE_GOLDEN=1 pytest`` writes them anew; read the difference."""

from __future__ import annotations

import io
import os
from pathlib import Path

import msgspec
import pytest
from rich.console import Console, RenderableType

from pipelines.screens.diff import diff_screen
from pipelines.screens.history import history_screen
from pipelines.screens.resuming import resume_screen
from pipelines.screens.show import show_screen
from pipelines.screens.stack import environments_screen
from pipelines.screens.watch import StepEvent, event_line, events, watch_screen
from pipelines.words import duration
from policies.change_set import ChangeSet, FieldChange, UnitChange
from tests.pipelines import records
from workflows.rollout.resuming import Resumed

GOLDEN = Path(__file__).parent / "golden"


def drawn(screen: RenderableType, width: int = 80) -> str:
    """``screen`` as a pipe of ``width`` columns gets it."""
    stream = io.StringIO()
    Console(file=stream, width=width, highlight=False, markup=False, emoji=False).print(screen)
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= width
    return "\n".join(lines) + "\n"


def assert_golden(name: str, text: str) -> None:
    """``text`` is what ``golden/<name>.txt`` holds."""
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("ADX_UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def change_set(*changes: UnitChange) -> ChangeSet:
    """From one commit to another."""
    return ChangeSet(environment="production", base_commit="3f2a9c1b" * 5, commit="8d1e77aa" * 5, changes=changes)


def field(path: str, before: str | None, after: str | None) -> FieldChange:
    """One field."""
    return FieldChange(path=path, before=before, after=after)


def test_diff() -> None:
    long = '"' + "a-long-value-" * 12 + '"'
    screen = diff_screen(
        change_set(
            UnitChange(unit="tenant/globex", action="add", before=None, after=None),
            UnitChange(
                unit="service/cartservice",
                action="change",
                before=None,
                after=None,
                fields=(
                    field("service.version", '"v0.10.2"', '"v0.10.3"'),
                    field("service.resources.limits.memory", '"128Mi"', '"256Mi"'),
                    field("configuration.welcome_text", None, long),
                    field("service.min_available", "1", None),
                ),
            ),
            UnitChange(unit="tenant/initech", action="remove", before=None, after=None),
        )
    )
    assert_golden("diff", drawn(screen))


def test_diff_of_equal_states_says_so() -> None:
    assert_golden("diff_empty", drawn(diff_screen(change_set())))


def test_history() -> None:
    assert_golden("history", drawn(history_screen([records.DELIVERED, records.RESTORED, records.RUNNING])))


def test_empty_history_says_how_to_begin() -> None:
    assert "adx deploy" in drawn(history_screen([]))


def test_show_of_a_delivery() -> None:
    assert_golden("show_delivered", drawn(show_screen(records.DELIVERED_IN_FULL, records.DELIVERED_IN_FULL.rollout.id)))


def test_show_of_a_restored_rollout_says_why_and_to_what() -> None:
    assert_golden("show_restored", drawn(show_screen(records.RESTORED_IN_FULL, records.RESTORED_IN_FULL.rollout.id)))


def test_watch_of_a_running_rollout() -> None:
    assert_golden("watch_running", drawn(watch_screen(records.status(4, "running"), (), records.at(seconds=31))))


def test_watch_of_a_restored_rollout() -> None:
    screen = watch_screen(records.failed(), records.restore_steps(), records.at(minutes=3))
    assert_golden("watch_restored", drawn(screen))


def test_watch_of_a_rollout_that_waits_for_approval() -> None:
    waiting = records.status(2, "running")
    waiting.waiting_for_approval, waiting.approvers = True, ["ana", "bo"]
    assert "waiting for approval by ana, bo: adx approve production" in drawn(
        watch_screen(waiting, (), records.at(seconds=9))
    )


def test_watch_of_a_rollout_that_a_freeze_holds() -> None:
    """Why, until when, and the word that starts it all the same; programs are told both ends."""
    free, held = records.status(1, "running"), records.status(1, "running")
    held.held_until, held.held_why = "2027-01-04T07:00:00+00:00", "freeze year-end"
    now = records.at(seconds=9)

    screen = drawn(watch_screen(held, (), now))
    begins, ends = events(free, held, now=now), events(held, free, now=now)

    assert "held until 2027-01-04 07:00:00 UTC: freeze year-end" in screen
    assert [(one.status, one.message, one.until) for one in begins] == [("held", "freeze year-end", held.held_until)]
    assert [(one.status, one.message) for one in ends] == [("released", "freeze year-end")]
    assert events(held, held, now=now) == []


def test_environments() -> None:
    assert_golden("environments", drawn(environments_screen(records.environment_statuses())))


def test_events_tell_each_change_once_and_in_order() -> None:
    looks = [records.status(0, "running"), records.status(2, "running"), records.status(2, "running"), records.failed()]
    told: list[StepEvent] = []
    for before, after in zip([None, *looks], looks, strict=False):
        told += events(before, after, now=records.at(minutes=1))
    assert_golden("events", drawn_lines(told))


def test_events_of_the_restore_are_told_apart() -> None:
    told = events(records.failed(), records.failed(), (), records.restore_steps(), now=records.at(minutes=3))
    assert [event.step for event in told] == ["restore repair", "restore reapply", "restore redeploy", "restore verify"]


def drawn_lines(told: list[StepEvent]) -> str:
    """Events as a pipe gets them."""
    return "\n".join(event_line(event).plain for event in told) + "\n"


def test_outside_text_can_neither_style_nor_forge_lines() -> None:
    hostile = msgspec.structs.replace(records.DELIVERED, requested_by="[red]ana[/red]\nforged \x1b[31m\u202erow")
    text = drawn(history_screen([hostile]), width=200)
    assert "[red]ana[/red]\\nforged \\x1b[31m\\u202erow" in text
    assert len(text.splitlines()) == len(drawn(history_screen([records.DELIVERED]), width=200).splitlines())


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (-1.0, "0.0 s"), (0.84, "0.8 s"), (41.6, "42 s"), (185.0, "3 min 05 s"), (7800.0, "2 h 10 min")],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert duration(seconds) == said


def test_what_a_temporal_is_told_stands_on_two_lines() -> None:
    """Nothing was done yet where somebody is asked; then it says whom."""
    found = Resumed(frozen=("production",), ended=())

    assert drawn(resume_screen(found)).splitlines() == [
        "frozen, as the ledger says: production",
        "ended, since nobody runs it any more: no rollout",
    ]
    assert "by Temporal at temporal:7233; do it with --yes" in " ".join(
        drawn(resume_screen(found, asked="temporal:7233")).split()
    )
