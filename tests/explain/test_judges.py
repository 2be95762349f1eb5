"""Which rules are named for a kind of declaration: those that look at it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, get_args

import pytest

from pipelines.explaining.judges import checks_for, kinds_of, rules_for
from policies.checkov.catalogue import CATALOGUE
from policies.declarations import Declarations, EnvironmentDeclarations
from policies.findings import EnvironmentRule, Rule, TenantRule
from policies.rules import RULES
from policies.schemas import KINDS, Kind
from tests.support.declared import base_documents, declarations

NAMES = {"environment", "services", "configuration", "flags", "tenants"}


class Watched:
    """Stands before declarations and tells which documents were looked at."""

    def __init__(self, target: Any, looked: Callable[[str], None]) -> None:
        self._target = target
        self._looked = looked

    def __getattr__(self, name: str) -> Any:
        if name in NAMES and isinstance(self._target, EnvironmentDeclarations | Declarations):
            self._looked("tenant" if name == "tenants" else name)
        value = getattr(self._target, name)
        if name == "environments" and isinstance(self._target, Declarations):
            return {key: Watched(item, self._looked) for key, item in value.items()}
        return value


def looked_at(rule: Rule) -> set[str]:
    """The kinds of documents that the rule reads of the small base repository."""
    found: set[str] = set()
    whole = declarations(base_documents())
    watched: Any = Watched(whole, found.add)
    if isinstance(rule, EnvironmentRule):
        for name, declared in watched.environments.items():
            list(rule.check(name, declared))
    elif isinstance(rule, TenantRule):
        found.add("tenant")
        for name, tenant in whole.tenants.items():
            list(rule.check(name, tenant, watched))
    else:
        list(rule.check(watched))
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{type(rule).__name__}-{rule.id}")
def test_a_rule_is_named_for_everything_that_it_looks_at(rule: Rule) -> None:
    """Otherwise somebody edits a document and never learns of the rule; the table in judges.py says where."""
    # The name of the environment, for messages, is no look at its document.
    beside_names = {"environment"} if "environment" not in kinds_of(rule) else set()

    assert looked_at(rule) - beside_names <= set(kinds_of(rule))


def test_every_rule_is_named_for_some_kind_with_a_sentence() -> None:
    """None is forgotten, and each says what it demands."""
    named = {row.id: row.what for kind in KINDS for row in rules_for(kind)}

    assert set(named) == {rule.id for rule in RULES}
    assert all(what.endswith(".") for what in named.values())


def test_secrets_are_looked_for_in_every_kind() -> None:
    """One id, two rules: of environments and of tenants."""
    by_kind: dict[Kind, list[str]] = defaultdict(list)
    for kind in get_args(Kind):
        by_kind[kind] = [row.id for row in rules_for(kind)]

    assert all(ids.count("secrets.in-clear") == 1 for ids in by_kind.values())


@pytest.mark.parametrize(
    ("units", "among", "not_among"),
    [
        (["service/cart"], {"ADX_K8S_1", "ADX_K8S_5", "ADX_K8S_13", "CKV_K8S_22"}, {"ADX_K8S_11", "CKV_K8S_49"}),
        (["tenant/acme"], {"ADX_K8S_3", "ADX_K8S_10", "ADX_K8S_11"}, {"ADX_K8S_1", "ADX_K8S_5"}),
        (["platform"], {"ADX_K8S_10", "CKV_K8S_21"}, {"ADX_K8S_2", "ADX_K8S_12"}),
        ([], set(), {"ADX_K8S_14"}),
    ],
)
def test_checks_are_those_that_look_at_what_the_units_become(
    units: list[str], among: set[str], not_among: set[str]
) -> None:
    """In the order of their numbers, each with its title."""
    found = [row.id for row in checks_for(units)]

    assert among <= set(found)
    assert not not_among & set(found)
    assert found == sorted(found, key=lambda id_: (id_.rpartition("_")[0], int(id_.rpartition("_")[2])))


def test_checks_that_are_off_or_covered_by_another_are_not_named() -> None:
    """They would never be reported."""
    found = {row.id for row in checks_for(["service/cart", "tenant/acme", "platform"])}

    assert found
    assert not [id_ for id_ in found if CATALOGUE[id_].severity == "off" or CATALOGUE[id_].covered_by]
