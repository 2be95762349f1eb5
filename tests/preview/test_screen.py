"""The terminal screen of any report: 80 columns, inert, bounded."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from pipelines.screens.preview import preview_screen
from tests.preview import examples
from tests.preview.examples import finding, report
from tests.preview.test_escaping import HOSTILE
from tests.preview.test_examples import drawn
from tests.preview.test_markdown import hostile_report, of, rows


@pytest.mark.parametrize("hostile", [*HOSTILE, "[red]x[/red]", "\x1b[31mred", "x" * 500])
@pytest.mark.parametrize("is_full", [False, True])
def test_hostile_text_neither_styles_nor_breaks_the_screen(hostile: str, is_full: bool) -> None:
    """Nothing but printable text on lines of at most 80 columns."""
    text = drawn(preview_screen(hostile_report(hostile), is_full=is_full))

    assert all(character.isprintable() or character == "\n" for character in text)
    assert "\u202e" not in text
    if hostile.startswith("[red]"):
        assert hostile in text


def test_ten_thousand_deletions_are_a_few_lines_and_one_number() -> None:
    """The rest is for `--full`."""
    text = drawn(preview_screen(of(resources=rows(10_000, "delete"))))

    assert "Deletes 10,000 objects (among them 1,667 namespaces with everything in them)" in " ".join(text.split())
    assert "… 1,663 more (--full)" in text
    assert len(text.splitlines()) <= 40


def test_what_blocks_comes_before_what_warns() -> None:
    """However many warnings there are."""
    warnings = tuple(finding(check=f"CKV_{number}", is_blocking=False, severity="low") for number in range(50))
    (one,) = examples.blocked().environments
    text = drawn(preview_screen(report(msgspec.structs.replace(one, findings=(*warnings, finding())))))

    assert text.index("blocks high") < text.index("warns low")


def test_the_verdict_on_a_dangerous_change_is_not_green() -> None:
    """The check may pass, the reader must look."""
    console = Console(width=80, record=True, force_terminal=True, color_system="standard", file=io.StringIO())
    console.print(preview_screen(examples.tenant_deleted()))

    assert "\x1b[1;33mDeletes 6 objects" in console.export_text(styles=True)
