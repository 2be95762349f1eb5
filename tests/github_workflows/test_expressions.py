"""The small evaluator of GitHub's expressions: right where the workflows use it, refusing elsewhere."""

from __future__ import annotations

from typing import Any

import pytest

from tests.github_workflows.expressions import Expression, ExpressionError, Status, filled, holds

CONTEXTS: dict[str, Any] = {
    "github": {"event_name": "push", "event": {"number": 7, "gone": None}},
    "needs": {"find": {"result": "success", "outputs": {"names": '["a", "b"]'}}},
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("github.event_name == 'PUSH'", True),
        ("github.event_name != 'push'", False),
        ("github.event.number == 7", True),
        ("github.event.gone || 'other'", "other"),
        ("github.event.nothing.at.all == ''", True),
        ("github.event_name && 'set'", "set"),
        ("!github.event.gone", True),
        ("true && false || true", True),
        ("true || true && false", True),
        ("(true || true) && false", False),
        ("github['event_name']", "push"),
        ("fromJSON(needs.find.outputs.names)", ["a", "b"]),
        ("contains(fromJSON('[\"x\", \"y\"]'), 'y')", True),
        ("startsWith(github.event_name, 'pu')", True),
        ("format('{1}-{0}', 'a', 'it''s')", "it's-a"),
    ],
)
def test_an_expression_has_the_value_that_github_gives_it(text: str, value: object) -> None:
    """Comparison ignores case, `&&` binds closer than `||`, and what is missing is null."""
    assert Expression(text, CONTEXTS).value() == value


@pytest.mark.parametrize(
    "text", ["secrets.KEY", "hashFiles('x')", "github.event_name ==", "github event", "'a' ~ 'b'", "(true"]
)
def test_what_is_not_known_is_refused(text: str) -> None:
    """A guess would let a workflow pass here that fails on GitHub."""
    with pytest.raises(ExpressionError):
        Expression(text, CONTEXTS).value()


@pytest.mark.parametrize(
    ("condition", "status", "expected"),
    [
        (None, "success", True),
        (None, "failure", False),
        ("github.event_name == 'push'", "failure", False),
        ("always()", "failure", True),
        ("${{ !cancelled() }}", "failure", True),
        ("failure() && github.event_name == 'push'", "failure", True),
        ("failure()", "success", False),
    ],
)
def test_a_condition_asks_for_success_unless_it_speaks_of_the_status(
    condition: str | None, status: Status, expected: bool
) -> None:
    """As on GitHub."""
    assert holds(condition, CONTEXTS, status) is expected


def test_every_place_in_a_text_is_filled() -> None:
    """Numbers come without a fraction, null as nothing."""
    text = "${{ github.event.number }}/${{ github.event.gone }}/${{ github.event_name }}"

    assert filled(text, CONTEXTS) == "7//push"


def test_an_object_is_no_text() -> None:
    """GitHub would write the word Object, which nobody wants."""
    with pytest.raises(ExpressionError, match="is no text"):
        filled("${{ github.event }}", CONTEXTS)
