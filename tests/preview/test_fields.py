"""Fields as a reviewer reads them."""

from __future__ import annotations

import pytest

from pipelines.preview.fields import changed_flags, told_fields, without_quotes
from pipelines.preview.layout import change_words
from pipelines.preview.report import UnitRow
from policies.change_set import FieldChange
from policies.masking import MASKED


def flag(name: str, **fields: tuple[str | None, str | None]) -> list[FieldChange]:
    """What differs of a flag, ordered by path."""
    return [FieldChange(f"flags[{name}].{path}", *sides) for path, sides in sorted(fields.items())]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (flag("a", enabled=("false", None), percentage=(None, "5.0"), type=('"x"', '"y"')), [("off", "5 %")]),
        (flag("a", percentage=("5.0", "12.5")), [("5 %", "12.5 %")]),
        (flag("a", enabled=("true", "false"), users=('["x"]', "[]")), [("on", "off"), ('["x"]', "[]")]),
        (flag("a", enabled=("true", "false")), [("on", "off")]),
        (flag("a", enabled=("true", None), type=('"boolean"', '"rules"')), [("true", None), ('"boolean"', '"rules"')]),
        (
            [*flag("a", enabled=("true", "false")), *flag("b", enabled=("false", "true"))],
            [("on", "off"), ("off", "on")],
        ),
    ],
)
def test_a_flag_that_is_switched_is_one_change(
    fields: list[FieldChange], told: list[tuple[str | None, str | None]]
) -> None:
    """What cannot be told in a word on both sides stays field by field."""
    found = told_fields(fields)

    assert [(one.before, one.after) for one in found if isinstance(one, FieldChange)] == told
    assert len(found) == len(told)


def test_only_flags_count_as_flags() -> None:
    """A platform that changes otherwise is one."""
    fields = (*flag("a", enabled=("true", "false")), *flag("b", percentage=("1.0", "2.0")))
    row = UnitRow(unit="platform", action="change", file="f", fields=fields)
    more = UnitRow(unit="platform", action="change", file="f", fields=(*fields, FieldChange("region", '"a"', '"b"')))

    assert (len(changed_flags(row)), len(changed_flags(more))) == (2, 0)
    assert changed_flags(UnitRow(unit="platform", action="add", file="f")) == set()


@pytest.mark.parametrize(
    ("text", "shown"),
    [('"v0.10.6"', "v0.10.6"), ('"2"', '"2"'), ('"true"', '"true"'), ('"a b"', '"a b"'), ("2", "2"), ('""', '""')],
)
def test_a_plain_word_needs_no_quotation_marks(text: str, shown: str) -> None:
    """What would read as something else keeps them."""
    assert without_quotes(text) == shown


def test_a_secret_has_another_value_and_that_is_all() -> None:
    """Two masks beside an arrow say nothing."""
    assert (
        change_words(FieldChange("env.TOKEN", MASKED, MASKED)) == "`env.TOKEN` has another value, which is never shown"
    )
    assert "→" in change_words(FieldChange("env.TOKEN", None, MASKED))
