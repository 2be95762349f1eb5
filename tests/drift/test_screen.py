"""The screen at 80 columns, as a golden file. ``ADX_UPDATE_GOLDEN=1 pytest`` writes it anew; read the difference."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from pipelines.screens.drift import drift_screen
from tests.drift.results import AS_DELIVERED, DRIFTED, NOTHING, UNCHECKED, UNDER_WAY
from workflows.drift.findings import DriftedField, DriftedObject, EnvironmentDrift

GOLDEN = Path(__file__).parent / "golden" / "drift.txt"


def drawn(found: Sequence[EnvironmentDrift]) -> str:
    """What a pipe of 80 columns gets."""
    stream = io.StringIO()
    Console(file=stream, width=80, highlight=False, markup=False, emoji=False).print(drift_screen(found))
    lines = [line.rstrip() for line in stream.getvalue().splitlines()]
    assert max(map(len, lines)) <= 80
    return "\n".join(lines) + "\n"


def test_every_kind_of_result() -> None:
    """A line where all is well or nothing can be said; units, objects and values where something drifted."""
    text = drawn([AS_DELIVERED, UNCHECKED, NOTHING, DRIFTED, UNDER_WAY])
    if os.environ.get("ADX_UPDATE_GOLDEN"):
        GOLDEN.write_text(text)

    assert text == GOLDEN.read_text()


def test_nothing_delivered_anywhere_says_how_to_begin() -> None:
    """An empty answer would look like a good one."""
    assert "adx deploy" in drawn([])


def test_values_from_the_cluster_can_neither_style_nor_forge_lines() -> None:
    """Anybody who may write an annotation could otherwise write on this screen."""
    hostile = '"[red]x[/red]\nstaging  as delivered \x1b[31m\u202e"'
    fields = (DriftedField(path=hostile, live=hostile, delivered=None),)
    one = DriftedObject(unit=hostile, kind="ConfigMap", name=hostile, namespace=hostile, state="changed", fields=fields)
    text = drawn([msgspec.structs.replace(DRIFTED, objects=(one,), notes=(hostile,))])

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert not [line for line in text.splitlines() if line.startswith("staging")]
