"""`adx drift --last` at 80 columns, as a golden file. ``ADX_UPDATE_GOLDEN=1 pytest`` writes it anew."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from pipelines.drift.last import LastCheck, LastUnit
from pipelines.screens.last_drift import last_drift_screen
from tests.drift.results import COMMIT, DRIFTED
from workflows.drift.judging import kept, strays

GOLDEN = Path(__file__).parent / "golden" / "last.txt"
NOW = datetime(2026, 1, 31, 9, 5, tzinfo=UTC)
CHECKS = (
    LastCheck(environment="development", status="as-delivered", at=NOW, compared_at=NOW, commit=COMMIT, compared=58),
    LastCheck(environment="fresh", status="never-checked"),
    LastCheck(
        environment="production",
        status="drifted",
        at=NOW,
        compared_at=NOW,
        commit=COMMIT,
        compared=61,
        not_healed="healed 3 time(s) in a row and drifted again: service/frontend",
        units=(
            LastUnit(
                unit="service/frontend",
                drifted_since=NOW - timedelta(hours=2),
                checked_at=NOW,
                objects=tuple(kept(one) for one in DRIFTED.objects if one.unit == "service/frontend")[:2],
                heals=3,
                healed_at=NOW,
            ),
        ),
        strays=strays(DRIFTED.objects),
    ),
    LastCheck(
        environment="staging",
        status="rollout-under-way",
        at=NOW,
        compared_at=NOW - timedelta(hours=1),
        commit=COMMIT,
        reason="a rollout is under way: what differs is no drift",
    ),
)


def drawn(found: Sequence[LastCheck]) -> str:
    """What a pipe of 80 columns gets."""
    stream = io.StringIO()
    Console(file=stream, width=80, highlight=False, markup=False, emoji=False).print(last_drift_screen(found))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    return "\n".join(lines) + "\n"


def test_every_kind_of_check() -> None:
    """When, how it stands, since when each unit has drifted, why it is not healed."""
    text = drawn(CHECKS)
    if os.environ.get("ADX_UPDATE_GOLDEN"):
        GOLDEN.write_text(text)

    assert text == GOLDEN.read_text()


def test_names_from_the_cluster_can_neither_style_nor_forge_lines() -> None:
    """Anybody who may write an annotation could otherwise write on this screen."""
    hostile = "[red]x[/red]\nstaging  as delivered \x1b[31m\u202e"
    one = {"kind": "ConfigMap", "name": hostile, "state": "changed", "fields": [{"path": hostile, "by": hostile}]}
    unit = LastUnit(unit=hostile, drifted_since=NOW, checked_at=NOW, objects=(one,))
    text = drawn([LastCheck(environment="a", status="drifted", at=NOW, compared_at=NOW, units=(unit,))])

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not [line for line in text.splitlines() if line.startswith("staging")]
