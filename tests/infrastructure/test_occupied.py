"""Which namespaces ADX's labels give to an environment."""

from __future__ import annotations

import pytest

from workflows.infrastructure.occupied import Occupied, made_by_others, way_out, what_is_occupied

OURS = {"app.kubernetes.io/managed-by": "adx", "adx/environment": "staging"}


def _namespace(name: str, labels: dict[str, str] | None) -> dict[str, object]:
    return {"kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def test_only_both_labels_make_a_namespace_ours() -> None:
    """Another environment's is others' too, as is one that another tool manages or nobody labelled."""
    found = [
        _namespace("ours", OURS | {"more": "labels"}),
        _namespace("unlabelled", None),
        _namespace("helm", OURS | {"app.kubernetes.io/managed-by": "Helm"}),
        _namespace("production", OURS | {"adx/environment": "production"}),
    ]

    assert made_by_others(found, "staging") == {"unlabelled", "helm", "production"}


def test_few_are_named_and_the_rest_counted() -> None:
    found = [Occupied(name) for name in "abcde"]

    assert what_is_occupied(found).startswith("others have made a, b, c and 2 more: ")


@pytest.mark.parametrize(
    ("one", "described", "way"),
    [
        (Occupied("a"), "made a:", "or, give it to ADX"),
        (Occupied("a", "Helm"), "a (managed by Helm)", "once Helm has let go of it, give it to ADX"),
        (Occupied("a", "adx", "production"), "a (of ADX's environment production)", "take it out of production"),
    ],
)
def test_whose_it_is_decides_what_to_do(one: Occupied, described: str, way: str) -> None:
    """A label that is there has to be overwritten; what another environment holds is not to be taken from it."""
    assert described in what_is_occupied([one])
    assert way in way_out("staging", one)
    assert ("--overwrite" in way_out("staging", one)) == (one.manager == "Helm")
