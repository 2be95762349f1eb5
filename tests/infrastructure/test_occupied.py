"""Which namespaces ADX's labels give to an environment."""

from __future__ import annotations

from workflows.infrastructure.occupied import made_by_others, what_is_occupied

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
    assert what_is_occupied(["a", "b", "c", "d", "e"]).startswith("others have made a, b, c and 2 more: ")
