"""How rules are run and reported."""

from __future__ import annotations

from fractions import Fraction

import pytest

from policies import rules
from policies.findings import nearest, suggestion
from policies.folder_tree import FolderTree
from policies.loader import load
from policies.quantities import quantity
from policies.services.order import shortest_cycle
from tests.support.declared import BASE, declarations, edited

TENANT, SERVICES = "tenants/acme.yaml", "environments/development/services.yaml"


def test_problems_come_in_the_order_of_files_and_lines() -> None:
    """Given problems in several places, they are sorted as a person reads, not as rules happen to run."""
    declared = declarations(
        edited({TENANT: {"name": "x"}, SERVICES: {"services[0].version": "edge", "services[0].dependencies": ["y"]}})
    )
    lines = {"services[0].version": 9, "services[0].dependencies[0]": 5, "name": 1}
    problems = rules.check(declared, lambda file, path: (lines[path], 3))
    assert [(problem.file, problem.line, problem.column) for problem in problems] == [
        (SERVICES, 5, 3),
        (SERVICES, 9, 3),
        (TENANT, 1, 3),
    ]


def test_places_are_looked_up_only_for_what_was_found() -> None:
    """Given nothing wrong, no document is read a second time."""
    asked: list[str] = []
    rules.check(declarations(edited({})), lambda file, path: (len(asked), asked.append(path) or 1))
    assert asked == []


def test_the_case_files_base_is_read_the_same_by_the_real_loader() -> None:
    """Given the base of all case files, the loader finds no problem and the same models as the tests' short cut."""
    assert load(FolderTree(BASE)) == declarations(edited({}))


def test_tenants_can_be_checked_a_few_at_a_time() -> None:
    """Given two broken tenants, only the one that is asked about is reported."""
    declared = declarations(edited({TENANT: {"name": "x"}, "tenants/globex.yaml": {"name": "y"}}))
    problems = rules.check_tenants(declared, ["acme"], lambda file, path: (1, 1))
    assert [(problem.file, problem.rule) for problem in problems] == [(TENANT, "tenancy.name-matches-file")]


def test_every_rule_has_an_id_of_its_system() -> None:
    """Ids are what people search for: system, dot, words; one rule each, apart from the one that has two scopes."""
    ids = [rule.id for rule in rules.RULES]
    systems = {"infrastructure", "services", "configuration", "migrations", "tenancy", "secrets"}
    assert {id_.partition(".")[0] for id_ in ids} == systems
    assert sorted(ids).count("secrets.in-clear") == 2
    assert len(set(ids)) == len(ids) - 1


def test_the_nearest_name_is_suggested_and_otherwise_what_is_known() -> None:
    """Given a slip, its correction; given something else, a list that stays short."""
    assert nearest("chekout", ["frontend", "checkout"]) == "checkout"
    assert nearest("zzz", ["frontend"]) is None
    assert suggestion("chekout", ["checkout"], "define it") == "write checkout, or define it"
    assert suggestion("zzz", [f"service-{index:02}" for index in range(20)], "define it").endswith("service-07 …")
    assert suggestion("zzz", [], "define it") == "define it"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500m", Fraction(1, 2)),
        ("0.5", Fraction(1, 2)),
        ("2", Fraction(2)),
        ("1Ki", Fraction(1024)),
        ("1.5Gi", Fraction(3 * 2**29)),
    ],
)
def test_quantities_are_exact(text: str, expected: Fraction) -> None:
    """Equal amounts in different spellings compare as equal."""
    assert quantity(text) == expected


@pytest.mark.parametrize("text", ["", "m", "1 Gi", "-1", "1e3", "1Gi\n", "٣"])
def test_what_is_no_quantity_is_an_error(text: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        quantity(text)


def test_the_shortest_of_several_cycles_is_shown() -> None:
    """Given two ways round, the person sees the shorter one."""
    graph = {"a": ("b", "c"), "b": ("c",), "c": ("a",), "d": ("a",)}
    assert shortest_cycle(graph, "a") == ("a", "c", "a")
    assert shortest_cycle(graph, "d") is None
    assert shortest_cycle({"a": ("a",)}, "a") == ("a", "a")
