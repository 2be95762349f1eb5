"""The screen at 80 columns, as golden files. ``ADX_UPDATE_GOLDEN=1 pytest`` writes them anew; read the difference."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from pipelines.explaining.model import (
    Consumer,
    Delivered,
    Explanation,
    ObjectRow,
    Place,
    RuleRow,
    UnitExplanation,
    UnitRollout,
)
from pipelines.screens.explain import explain_screen
from tests.explain.repositories import SAMPLES, explained

GOLDEN = Path(__file__).parent / "golden"
SHOWN = {"infrastructure.test-service", "secrets.in-clear", "services.unique-name", "tenancy.data-residency"} | {
    f"ADX_K8S_{number}" for number in (1, 3, 10, 11)
}
AT = datetime(2026, 1, 31, 9, 5, tzinfo=UTC)


def drawn(explanation: Explanation) -> str:
    """What a pipe of 80 columns gets."""
    stream = io.StringIO()
    Console(file=stream, width=80, highlight=False, markup=False, emoji=False).print(explain_screen(explanation))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    return "\n".join(lines) + "\n"


def delivered(*, is_as_declared: bool) -> Delivered:
    """A unit as the ledger knows it."""
    return Delivered(status="applied", commit="8d1e77aa" * 5, rollout="r1", at=AT, is_as_declared=is_as_declared)


def with_rollouts(unit: UnitExplanation, *, is_as_declared: bool = True) -> UnitExplanation:
    """``unit`` with two rollouts, the newer of which was restored."""
    rollouts = tuple(
        UnitRollout(
            id=f"r{number}", status=status, kind="deliver", commit=commit * 5, requested_by="ana", started_at=AT
        )
        for number, (status, commit) in enumerate([("restored", "3f2a9c1b"), ("delivered", "8d1e77aa")])
    )
    return msgspec.structs.replace(unit, delivered=delivered(is_as_declared=is_as_declared), rollouts=rollouts)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("service", ["environments/staging/services.yaml#services.frontend"]),
        ("services", ["environments/staging/services.yaml"]),
        ("configuration", ["environments/production/configuration.yaml#values.frontend.FRONTEND_MESSAGE"]),
        ("flag", ["environments/staging/flags.yaml#flags.gift-wrapping"]),
        ("tenant", ["tenants/casa-oliva.yaml"]),
        ("approval", ["environments/production/environment.yaml#approval"]),
    ],
)
def test_samples_without_a_ledger(name: str, words: list[str]) -> None:
    """Everything but the rollouts, and why those are missing. Of the policies a few: there will be more of them."""
    told = explained(SAMPLES, *words)
    kept = {name: tuple(row for row in getattr(told, name) if row.id in SHOWN) for name in ("rules", "checks")}
    told = msgspec.structs.replace(told, no_rollouts="ADX_LEDGER_URL is not set", **kept)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("ADX_UPDATE_GOLDEN"):
        path.write_text(drawn(told))

    assert drawn(told) == path.read_text()


def test_records_of_a_unit_are_told_newest_first() -> None:
    """What is delivered, whether it is what is declared, and how the last rollouts ended."""
    told = explained(SAMPLES, "staging", "service/cartservice")
    same = drawn(msgspec.structs.replace(told, units=tuple(map(with_rollouts, told.units))))
    other = drawn(
        msgspec.structs.replace(told, units=tuple(with_rollouts(unit, is_as_declared=False) for unit in told.units))
    )

    assert "delivered     applied as declared here, 2026-01-31 09:05:00, from 8d1e77aa8d" in same
    assert same.index("3f2a9c1b3f  restored") < same.index("8d1e77aa8d  delivered")
    assert "applied not as declared here" in other


def test_many_units_are_told_in_a_line_each_with_what_differs() -> None:
    """Units that never were delivered have a dash."""
    told = explained(SAMPLES, "environments/staging/services.yaml")
    first, second, *rest = told.units
    units = (with_rollouts(first), with_rollouts(second, is_as_declared=False), *rest)
    lines = drawn(msgspec.structs.replace(told, units=units)).splitlines()

    def end_of(unit: str) -> str:
        return next(line for line in lines if f" {unit} " in line).split()[-1]

    assert [end_of(unit.unit) for unit in units[:3]] == ["applied", "differs", "-"]


def test_an_empty_ledger_says_that_nothing_was_rolled_out() -> None:
    """That is another thing than a ledger that could not be read."""
    assert "rollouts      none yet" in drawn(explained(SAMPLES, "staging", "platform"))


def test_outside_text_can_neither_style_nor_forge_lines_and_many_names_are_counted() -> None:
    """Titles, values and names are data."""
    hostile = "[red]x[/red]\nforged \x1b[31m\u202erow"
    consumers = tuple(Consumer(kind="tenant", name=f"t{n:03}", how="used by", file="") for n in range(1000))
    unit = UnitExplanation(
        environment="staging",
        unit="platform",
        declared=Place(file="f"),
        owner=hostile,
        digest="",
        objects=(ObjectRow(kind="ConfigMap", name=hostile),),
        consumers=consumers,
    )
    told = Explanation(
        asked="f",
        commit=None,
        place=Place(file="f"),
        kind="flags",
        title=hostile,
        value=hostile,
        units=(unit,),
        rules=(RuleRow(id="a.b", what=""),),
        no_rollouts=hostile,
    )
    text = drawn(told)

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not [line for line in text.splitlines() if line.startswith("forged")]
    assert "[red]x[/red]\\nforged" in text
    assert "t014 and 985 more" in " ".join(text.split())
