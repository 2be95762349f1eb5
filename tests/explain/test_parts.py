"""Places in a document by path and by line."""

from __future__ import annotations

import pytest
import yaml

from pipelines.explaining.address import UnknownDeclaration
from pipelines.explaining.parts import shown_value, steps_at, steps_to
from policies.yaml_places import Steps

TEXT = """\
# A comment.
kind: Services
services:
  - name: frontend
    replicas: 2
    ports:
      - {name: http, port: 80}
    env:
      A.B: "1"
      API_TOKEN: canary-4d1f
      ADDRESS: https://ana:canary-4d1f@db/
  - name: checkout

    dependencies: [store, cart]
"""
DOCUMENT = yaml.safe_load(TEXT)


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("", []),
        ("services", ["services"]),
        ("services.frontend.replicas", ["services", 0, "replicas"]),
        ("services[frontend].ports[http].port", ["services", 0, "ports", 0, "port"]),
        ("services[1]", ["services", 1]),
        ("services.checkout.dependencies.cart", ["services", 1, "dependencies", 1]),
        ("services[0].env.A.B", ["services", 0, "env", "A.B"]),
        ('services[0].env["A.B"]', ["services", 0, "env", "A.B"]),
    ],
)
def test_a_path_names_items_by_name_and_by_number(path: str, steps: Steps) -> None:
    """As problems spell paths, as `adx diff` does, and as people would."""
    assert steps_to("f.yaml", DOCUMENT, path) == steps


@pytest.mark.parametrize(
    ("path", "says", "suggests"),
    [
        ("services.frontnd", "f.yaml has no frontnd in services", "write frontend"),
        ("services[7]", "f.yaml has no 7 in services", "known: 0, 1, checkout, frontend"),
        ("servces.frontend", "f.yaml has no servces", "write services"),
        ("services.frontend.replicas.x", "has no x in services[0].replicas", "name something that is there"),
    ],
)
def test_a_path_that_leads_nowhere_is_answered_with_the_nearest(path: str, says: str, suggests: str) -> None:
    """Also said is where the path left the document."""
    with pytest.raises(UnknownDeclaration, match=r"f\.yaml") as refused:
        steps_to("f.yaml", DOCUMENT, path)

    assert says in str(refused.value)
    assert suggests in refused.value.next_step


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        (1, []),
        (2, []),
        (3, ["services"]),
        (4, ["services", 0]),
        (5, ["services", 0, "replicas"]),
        (7, ["services", 0, "ports", 0]),
        (9, ["services", 0, "env", "A.B"]),
        (12, ["services", 1]),
        (13, ["services", 1]),
        (14, ["services", 1, "dependencies"]),
    ],
)
def test_a_line_means_the_largest_thing_that_begins_there_or_the_last_before(line: int, steps: Steps) -> None:
    """On the first line of a service it is the service, not its name; an empty line belongs to what is above it."""
    assert steps_at("f.yaml", TEXT.encode(), line) == steps


def test_a_line_that_the_file_does_not_have_is_refused() -> None:
    """Rather than explaining the last thing in it."""
    with pytest.raises(UnknownDeclaration, match="14 lines, no line 15"):
        steps_at("f.yaml", TEXT.encode(), 15)


def test_plain_values_are_shown_and_larger_things_are_not() -> None:
    """A value as JSON; nothing for a list, a mapping or the whole document."""
    assert shown_value(DOCUMENT, ["services", 0, "replicas"]) == "2"
    assert shown_value(DOCUMENT, ["services", 0, "name"]) == '"frontend"'
    assert [shown_value(DOCUMENT, steps) for steps in ([], ["services"], ["services", 0])] == ["", "", ""]


@pytest.mark.parametrize("key", ["API_TOKEN", "ADDRESS"])
def test_values_that_may_be_secret_are_masked(key: str) -> None:
    """By the name of the key, and by the shape of the value."""
    assert shown_value(DOCUMENT, ["services", 0, "env", key]) == "•••"
