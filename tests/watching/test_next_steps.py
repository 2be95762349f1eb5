"""Whoever reads that a rollout is partly delivered, or frozen, reads what to do about it too."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from rich.console import RenderableType

from pipelines.screens.history import history_screen, unit_history_screen
from pipelines.screens.next_steps import after_rollout, left_undone
from pipelines.screens.show import show_screen
from pipelines.screens.stack import environments_screen
from pipelines.screens.watch import events, watch_screen
from tests.pipelines import records
from tests.pipelines.test_screens import drawn
from tests.watching.looks import QUOTA, at, second_wave, view
from workflows.fleet.answers import unit_failed
from workflows.ledger.models import JsonObject, Rollout, RolloutHistory, UnitChange
from workflows.ledger.unit_history import UnitEntry, UnitStory
from workflows.rollout.models import EnvironmentStatus, RolloutStatus

AGAIN = "`adx deploy production --force` tries again what is not new, `adx rollback production` takes back what is"
RESTORE = "after a look, run `adx restore production`"
# As a fleet that was stopped is told, with one unit that could not be brought back.
FAILURE: JsonObject = {"step": "tenants", "message": "3 delivered, 1 in need of an operator; gate errors does not hold"}
STOPPED = msgspec.structs.replace(
    records.DELIVERED, id="adx-rollout-production-77aa8d8d1e77-6a7b8c", status="partly-delivered", failure=FAILURE
)
LATER = "adx-rollout-production-8d1e77aa0b0c-5d2c11"
LOST = msgspec.structs.replace(records.DELIVERED_IN_FULL.units[2], unit="tenant/acme", status="frozen")


def watched(outcome: str = "partly-delivered", step: str = "tenants") -> RolloutStatus:
    """The end of a rollout as its workflow tells it."""
    ended = records.status(7, "succeeded")
    ended.outcome, ended.phase, ended.failed_step = outcome, "done", step
    ended.failure = str(FAILURE["message"])
    return ended


def words(screen: RenderableType) -> str:
    """What is on the screen, however its lines are broken."""
    return " ".join(drawn(screen).split())


def test_the_end_of_a_watched_fleet_names_the_unit_to_look_at_and_what_comes_then() -> None:
    """On the screen below the outcome; in a line and for programs in the message of the last event."""
    state = second_wave()
    lost = state.units[2]
    seen = view(unit_failed(state, lost, "needs-operator", QUOTA), 75)
    screen = words(watch_screen(watched(), (), at(80), seen))
    (end,) = [event for event in events(None, watched(), now=at(80)) if event.status == "partly-delivered"]

    assert f"→ look at {lost} first (`adx history production --unit {lost}`); then {AGAIN}" in screen
    assert end.message.endswith(f"gate errors does not hold; {AGAIN}")


@pytest.mark.parametrize("outcome", ["delivered", "restored", "cancelled", "needs-operator", ""])
def test_a_watched_rollout_that_leaves_nothing_undone_says_no_more(outcome: str) -> None:
    """A frozen environment is told by itself, whoever watches."""
    assert left_undone(watched(outcome)) == ""


def test_history_says_it_of_the_newest_rollout_of_each_environment() -> None:
    """Of older ones it would be wrong by now."""
    staging = msgspec.structs.replace(STOPPED, environment="staging")
    older = msgspec.structs.replace(STOPPED, status="needs-operator")

    assert words(history_screen([STOPPED, staging, older])).count("→") == 2
    assert f"→ {AGAIN}" in words(history_screen([STOPPED]))
    assert f"→ {RESTORE}" in words(history_screen([older, STOPPED]))
    assert "→" not in words(history_screen([records.DELIVERED, STOPPED]))


def test_show_names_the_units_that_are_frozen() -> None:
    """However many they are, one command that shows why."""
    other = msgspec.structs.replace(LOST, unit="tenant/zorro")
    history = RolloutHistory(rollout=STOPPED, steps=(), units=(LOST, other))

    said = words(show_screen(history, STOPPED.id))
    assert (
        f"look at tenant/acme, and at 1 more, first (`adx history production --unit tenant/acme`); then {AGAIN}" in said
    )


@pytest.mark.parametrize("status", ["partly-delivered", "needs-operator"])
def test_show_of_a_rollout_that_another_has_followed_names_that_one(status: str) -> None:
    """The commands would take back, or try again, what somebody delivered since."""
    history = RolloutHistory(rollout=msgspec.structs.replace(STOPPED, status=status), steps=(), units=(LOST,))

    said = words(show_screen(history, LATER))

    assert f"a later rollout has followed: `adx show {LATER}`" in said
    assert not [command for command in ("adx rollback", "adx deploy", "adx restore") if command in said]


def test_show_of_an_old_rollout_that_left_nothing_undone_says_no_more() -> None:
    """That others have followed is in `adx history`."""
    assert "later" not in words(show_screen(records.DELIVERED_IN_FULL, LATER))


def test_lost_tenants_are_told_beside_databases_that_lag_behind() -> None:
    """The step is that of the databases, which come first; the tenants are in no order all the same."""
    ended = msgspec.structs.replace(STOPPED, failure={"step": "migrate", "message": "1 of 3; 1 in need of an operator"})
    databases = "`adx migrate run production` brings the databases that lag behind"
    look = f"look at {LOST.unit} first (`adx history production --unit {LOST.unit}`)"

    assert after_rollout(ended, ended.id, [LOST.unit]) == f"{databases}; {look}; then {AGAIN}"
    assert left_undone(watched(step="contract"), [LOST.unit]) == f"{databases}; {look}; then {AGAIN}"
    assert after_rollout(ended, ended.id) == databases


def test_the_history_of_a_frozen_unit_says_what_mends_it() -> None:
    """By how the rollout ended that froze it; the unit is where people look first."""
    change = UnitChange(
        sequence=1,
        environment="production",
        unit=LOST.unit,
        rollout_id=STOPPED.id,
        status="frozen",
        digest=None,
        commit=records.NEW,
        version=None,
        reason=QUOTA,
        from_status="applied",
        from_digest="d0" * 32,
        from_commit=records.OLD,
        at=LOST.updated_at,
    )

    def told(rollout: Rollout, status: str = "frozen", newest: str = STOPPED.id) -> str:
        now = msgspec.structs.replace(LOST, status=status)
        entries = (UnitEntry(change=change, rollout=rollout),)
        stories = [UnitStory(now=now, version=None, changes=entries, decisions=())]
        return words(unit_history_screen(LOST.unit, stories, {"production": newest}))

    assert f"→ {AGAIN}" in told(STOPPED)
    assert f"→ {RESTORE}" in told(msgspec.structs.replace(STOPPED, status="needs-operator"))
    assert AGAIN not in told(STOPPED, "applied")
    followed = told(STOPPED, newest=LATER)
    assert f"→ a later rollout has followed: `adx show {LATER}`" in followed
    assert "adx rollback" not in followed


def test_status_says_it_of_environments_in_which_nothing_runs() -> None:
    """A rollout under way may already be what was to be done."""

    def told(**others: object) -> str:
        return words(environments_screen([EnvironmentStatus("production", last=watched(), **others)]))  # type: ignore[arg-type] # fields of it

    assert f"production: {AGAIN}" in told()
    assert AGAIN not in told(current="adx-rollout-production-1")
    frozen = told(frozen_reason="the restore failed")
    assert f"production is frozen: the restore failed; {RESTORE}" in frozen
    assert AGAIN not in frozen


@pytest.mark.parametrize(
    ("kind", "step", "commands"),
    [
        ("deliver", "migrate", ["adx migrate run production"]),
        ("deliver", "contract", ["adx migrate run production"]),
        ("heal", "apply", ["adx drift production"]),
        ("rollback", "tenants", ["adx deploy production --force", "adx rollback production"]),
    ],
)
def test_what_comes_next_depends_on_what_was_not_delivered(kind: str, step: str, commands: Sequence[str]) -> None:
    """Databases, objects or tenants."""
    ended = msgspec.structs.replace(STOPPED, kind=kind, failure={"step": step, "message": "some"})
    said = after_rollout(ended, ended.id)

    assert [command for command in commands if f"`{command}`" not in said] == []
